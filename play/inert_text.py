"""Text from outside (PGN headers, model names, typed lines, ledger lines), made safe to print and to write.

Knows: which characters a terminal or a PGN header could take for something other than text.
Doesn't know: where the text came from or where it goes.
"""

from __future__ import annotations


def inert(text: str, *, limit: int = 200) -> str:
    r"""One line of at most `limit` characters, without control characters, direction marks or lone surrogates.

    White space of any kind becomes a single space; anything else that isn't printable becomes "?".

    >>> inert("Ann\x1b[31m  Red\n")
    'Ann?[31m Red'
    >>> inert("abcdef", limit=5)
    'ab...'
    """
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def printable(text: str) -> str:
    """`inert` text of any length with its spaces as they are, for what is copied."""
    return "".join(character if character.isprintable() else "?" for character in text)


def header_text(text: str) -> str:
    r"""`inert` text that can stand between the quotes of a PGN header: no quote and no backslash in it.

    >>> header_text('the "best" \\ one')
    "the 'best' / one"
    """
    return inert(text).replace('"', "'").replace("\\", "/")
