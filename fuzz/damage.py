"""Damage: what a torn download, a careless editor or an adversary does to the bytes of games.

Knows: bit flips, losses, doublings, swaps, splices, and the pieces of text that mean something in a PGN.
Doesn't know: chess, or what should become of the damaged bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_MARKS = b"{ } ( ) ; ;x\n \n% \r \t \n\n \r\n \v \0 $ $7 $999 ! ?! !!! .. ... 12. 1... 0. 007. ".split(b" ")
_WORDS = (
    b"-- Z0 0000 @@@@ O-O O-O-O 0-0 0-0-0 e.p. ep 1-0 0-1 1/2-1/2 1/2 * =Q q + ++ # x - K N P a 8 e4 Nf3 e1g1 e8a8 "
    b"g1f3 Nb1-d2 e2-e4 exd8=Q exd8Q exd8=K Qa1xb2# \xff \xc3\xa9 \xef\xbb\xbf"
).split(b" ")
_TAGS = (
    b'[White "A"]\n',
    b'[Result "0-1"]\n',
    b'\n\n[Event "x"]\n\n',
    b'[FEN "8/8/8/8/8/8/8/8 w - - 0 1"]\n',
    b'["',
    b'"]',
)
PIECES: tuple[bytes, ...] = (*_MARKS, *_WORDS, *_TAGS, b" ")

Damage = Callable[[random.Random, bytes], bytes]


def damaged(generator: random.Random, text: bytes, others: Sequence[bytes]) -> bytes:
    """The text after none to several mutations.

    Args:
        generator: decides everything.
        text: what to damage.
        others: texts of which parts may be spliced in.
    """
    while generator.random() < 0.62:
        if generator.random() < 0.1:
            text = _splice(generator, text, generator.choice(others) if others else text)
        else:
            text = generator.choice(KINDS)(generator, text)
    return text


def _place(generator: random.Random, text: bytes) -> int:
    return generator.randrange(len(text) + 1)


def _flip(generator: random.Random, text: bytes) -> bytes:
    if not text:
        return text
    at = generator.randrange(len(text))
    return text[:at] + bytes([text[at] ^ 1 << generator.randrange(8)]) + text[at + 1 :]


def _overwrite(generator: random.Random, text: bytes) -> bytes:
    at = _place(generator, text)
    return text[:at] + bytes([generator.randrange(256)]) + text[at + 1 :]


def _insert(generator: random.Random, text: bytes) -> bytes:
    at = _place(generator, text)
    return text[:at] + generator.choice(PIECES) + text[at:]


def _cut(generator: random.Random, text: bytes) -> bytes:
    return text[: _place(generator, text)]


def _lose_stretch(generator: random.Random, text: bytes) -> bytes:
    at = _place(generator, text)
    return text[:at] + text[at + generator.randrange(1, 40) :]


def _double_stretch(generator: random.Random, text: bytes) -> bytes:
    at = _place(generator, text)
    return text[:at] + text[max(0, at - generator.randrange(1, 40)) :]


def _splice(generator: random.Random, text: bytes, other: bytes) -> bytes:
    return text[: _place(generator, text)] + other[_place(generator, other) :]


def _lose_word(generator: random.Random, text: bytes) -> bytes:
    words = text.split(b" ")
    del words[generator.randrange(len(words))]
    return b" ".join(words)


def _swap_words(generator: random.Random, text: bytes) -> bytes:
    words = text.split(b" ")
    one, other = generator.randrange(len(words)), generator.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return b" ".join(words)


def _double_word(generator: random.Random, text: bytes) -> bytes:
    words = text.split(b" ")
    words.insert(generator.randrange(len(words)), generator.choice(words))
    return b" ".join(words)


def _append_to_word(generator: random.Random, text: bytes) -> bytes:
    words = text.split(b" ")
    words[generator.randrange(len(words))] += generator.choice(PIECES)
    return b" ".join(words)


def _other_line_ends(generator: random.Random, text: bytes) -> bytes:
    return text.replace(b"\n" if b"\n" in text else b" ", generator.choice([b"\r\n", b"\r", b"\n\n", b"\n"]))


KINDS: tuple[Damage, ...] = (
    _flip,
    _overwrite,
    _insert,
    _insert,
    _cut,
    _lose_stretch,
    _double_stretch,
    _lose_word,
    _swap_words,
    _double_word,
    _append_to_word,
    _other_line_ends,
)
