"""Text that a foreign tokenizer cuts: words to ids and back, with the place of every token.

Knows: what each id stands for in the text, whatever the tokenizer's own spelling of spaces; how one word of a game is
cut, at the beginning of a text and within it.
Doesn't know: chess.

A word is a separator with all that follows it up to the next. Only the canonical segmentation is ever looked at. A
tokenizer whose tokens cross the borders of words, or that changes the text (lower case), can't be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tokenizers import Tokenizer

from chesslm.errors import FormatError

_MAX_REMEMBERED = 100_000


class Cut(NamedTuple):
    """A word in tokens.

    Args:
        ids: token ids.
        ends: for each token where it ends in the word; 0 for one that adds a space before the beginning of a text.
    """

    ids: tuple[int, ...]
    ends: tuple[int, ...]


class TokenText:
    """A foreign tokenizer, seen as a way to cut words.

    Args:
        tokeniser: as `tokenizers` loads it; special tokens, padding and truncation of its own are not used.
        anchor: a word that stands before another when that one is cut as it is within a text.
        examples: texts that have to come back as they were.
        source: named in errors.

    Attributes:
        surfaces: for each id what it stands for in a text; None for special tokens and ids without a token.

    Raises:
        FormatError: the tokenizer changes the text; names what became of it.
    """

    def __init__(self, tokeniser: Tokenizer, *, anchor: str, examples: Iterable[str], source: str) -> None:
        tokeniser.no_padding()
        tokeniser.no_truncation()
        self._tokeniser = tokeniser
        self.surfaces = _surfaces(tokeniser, list(examples), source)
        self._anchor = anchor
        self._anchor_ids = self.whole(anchor) or []
        self._remembered: dict[tuple[str, bool], Cut | None] = {}

    def cut(self, word: str, *, is_first: bool = False) -> Cut | None:
        """A word in tokens; None if the tokenizer has none for it.

        Args:
            word: begins with the separator, unless it begins the text.
            is_first: it begins the text.
        """
        key = (word, is_first)
        if key not in self._remembered:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = self._cut(word, is_first=is_first)
        return self._remembered[key]

    def whole(self, text: str) -> list[int] | None:
        """A whole text at once; None if the tokenizer has no tokens for it and none for what it doesn't know."""
        return _encode(self._tokeniser, text)

    def text(self, ids: Iterable[int]) -> str | None:
        """What ids stand for, joined; None if one of them is no text."""
        surfaces = [self.surfaces[token] if 0 <= token < len(self.surfaces) else None for token in ids]
        return None if None in surfaces else "".join(surface for surface in surfaces if surface is not None)

    def _cut(self, word: str, *, is_first: bool) -> Cut | None:
        if not word:
            return Cut((), ())
        ids = self.whole(word if is_first else self._anchor + word)
        size = 0 if is_first else len(self._anchor_ids)
        if ids is None or ids[:size] != self._anchor_ids[:size]:
            return None
        ids = ids[size:]
        text = self.text(ids)
        added = 1 if is_first and text == f" {word}" else 0
        if text is None or text[added:] != word:
            return None
        ends, end = [], -added
        for token in ids:
            end += len(self.surfaces[token] or "")
            ends.append(end)
        return Cut(tuple(ids), tuple(ends))


def _encode(tokeniser: Tokenizer, text: str) -> list[int] | None:
    try:
        return list(tokeniser.encode(text, add_special_tokens=False).ids)
    except Exception:  # the library has no exception of its own for it
        return None


def _byte_alphabet() -> dict[str, int]:
    """The characters that byte-level tokenizers write for bytes (GPT-2): visible ones as they are, others from 256."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTES = _byte_alphabet()


def _byte_level(token: str) -> str:
    if not _BYTES.keys() >= set(token):
        return token
    return bytes(_BYTES[character] for character in token).decode("utf-8", errors="replace")


# How tokenizers spell what their tokens stand for; the first that gives the examples back is the tokenizer's.
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda token: token,
    _byte_level,
    lambda token: token.replace("▁", " "),  # SentencePiece
    lambda token: token.removeprefix("##") if token.startswith("##") else f" {token}",  # WordPiece
    lambda token: f" {token}",  # whole words; spaces have no token
)


def _surfaces(tokeniser: Tokenizer, examples: list[str], source: str) -> tuple[str | None, ...]:
    added = tokeniser.get_added_tokens_decoder()
    special = {token_id for token_id, token in added.items() if token.special}
    ids_of = tokeniser.get_vocab(with_added_tokens=True)
    encoded = [(text, _encode(tokeniser, text) or []) for text in examples]
    first_try = ""
    for spelling in _SPELLINGS:
        surfaces: list[str | None] = [None] * (max(ids_of.values(), default=-1) + 1)
        for token, token_id in ids_of.items():
            if token_id not in special:
                surfaces[token_id] = token if token_id in added and spelling("x") == "x" else spelling(token)
        texts = ["".join(surfaces[token] or "" for token in ids) for _, ids in encoded]
        if all(found in (text, f" {text}") for found, (text, _) in zip(texts, encoded, strict=True)):
            return tuple(surfaces)
        first_try = first_try or texts[0]
    raise FormatError(f"{source}: its tokenizer doesn't keep the text of games: {examples[0]!r} becomes {first_try!r}")
