r"""A text of games -> blocks of whole games, cut where a game surely begins, in constant memory.

Knows: which places of a text are borders whatever stands around them, and what to do where there are none.
Doesn't know: how a block falls into games (`scan`), or how the text was unpacked.

A cut is made before a tag pair that begins a line, if the last line before it that isn't blank can't be a header (so
the game before has movetext) and the brace before it, if any since the block began, is a closing one (so no comment is
open). There `games.split_games` has a border too, and what it finds behind a border doesn't depend on what stands
before it: the games of the blocks are the games of the text. A cut depends on the text from the block's begin alone, so
that who starts again at any block finds the same blocks.

    >>> text = b'[White "A"]\n\n1. e4 {\n[White "?"]\n} *\n\n[White "B"]\n\n1. d4 *\n\n'
    >>> [block.text[7:10] for block in cut_blocks([text], block_len=55)]
    [b'"A"', b'"B"']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from data_prep.games import BORDER, RawBytes, Splitter

BLOCK_LEN = 1 << 23  # bytes of text that are searched for their last border
MAX_BLOCKS_TRIED = 4  # a text without a border in so many blocks is split game by game

_BORDER = re.compile(BORDER)
_MAX_LINE_LEN = 1 << 20  # bytes of the line before a border; of a longer one nothing is known
_MAY_BE_HEADER = b"[% \t\0\xef"  # bytes that a line of headers can begin with


class GameBlock(NamedTuple):
    """Some whole games.

    Args:
        text: their bytes.
        offset: where they begin in the text that they are from, in bytes.
        num_bytes: how many bytes of that text they are; more than `text` has where a game was too long to be kept.
        raws: the games, where they had to be found one by one; None where `text` shows them.
    """

    text: bytes
    offset: int
    num_bytes: int
    raws: tuple[RawBytes, ...] | None = None


def cut_blocks(pieces: Iterable[bytes], *, block_len: int | None = None, offset: int = 0) -> Iterator[GameBlock]:
    """The blocks of a text, in order.

    Args:
        pieces: the text, cut anywhere.
        block_len: `BLOCK_LEN` unless given.
        offset: of the first piece; it must be a block's.
    """
    length = block_len or BLOCK_LEN
    rest = iter(pieces)
    buffer, num_tried, is_whole = b"", 0, False
    while True:
        num_tried += 1
        gathered = [buffer]
        missing = num_tried * length - len(buffer)
        while missing > 0 and not is_whole:
            piece = next(rest, None)
            is_whole = piece is None
            gathered.append(piece or b"")
            missing -= len(gathered[-1])
        buffer = b"".join(gathered)
        if is_whole and len(buffer) <= num_tried * length:
            if buffer:
                yield GameBlock(buffer, offset, len(buffer))
            return
        end = sure_border(buffer, num_tried * length)
        if end is not None:
            yield GameBlock(buffer[:end], offset, end)
        elif num_tried == MAX_BLOCKS_TRIED:
            splitter = Splitter(rest, buffer)
            block = _split(splitter, length, offset)
            yield block
            end, buffer = 0, splitter.rest
            offset += block.num_bytes
        else:
            continue
        buffer, offset, num_tried = buffer[end:], offset + end, 0


def sure_border(text: bytes, limit: int) -> int | None:
    """The last place up to `limit` where a game surely begins, other than 0; the text begins with a game.

    Args:
        text: begins where a game begins.
        limit: in bytes; what stands behind it is not looked at.
    """
    at = min(limit, len(text))
    while (at := text.rfind(b"\n[", 0, at + 1)) >= 0:
        border = at + 1
        if _BORDER.match(text, border, limit) and not _follows_headers(text, border):
            opened = text.rfind(b"{", 0, border)
            if opened < 0 or text.rfind(b"}", opened, border) >= 0:
                return border
            at = opened  # a comment may be open from here on
        if at == 0:
            return None
        at -= 1
    return None


def _follows_headers(text: bytes, border: int) -> bool:
    """Whether the last line before the border that isn't blank may be a line of headers, or there is none."""
    end = border
    while end > 0 and text[end - 1] in b" \t\r\n\0":
        end -= 1
    if end == 0:
        return True
    begin = max(
        text.rfind(b"\n", max(0, end - _MAX_LINE_LEN), end), text.rfind(b"\r", max(0, end - _MAX_LINE_LEN), end)
    )
    if begin < 0 and end > _MAX_LINE_LEN:
        return True
    return text[begin + 1] in _MAY_BE_HEADER


def _split(splitter: Splitter, length: int, offset: int) -> GameBlock:
    raws: list[RawBytes] = []
    num_bytes = 0
    while num_bytes < length and (raw := splitter.next_game(len(raws), offset + num_bytes)) is not None:
        raws.append(raw)
        num_bytes += raw.num_bytes
    return GameBlock(b"".join(raw.content for raw in raws), offset, num_bytes, tuple(raws))
