r"""Text bytes -> raw games: where each game begins and ends, its headers and its movetext.

Knows: how PGN games follow each other, also in files that bend the standard: byte order marks, any line ends, missing
or additional blank lines, games without headers, headers without a game, comments with blank lines and tag pairs in
them, comments that never end. Every byte of the text belongs to exactly one game.
Doesn't know: moves; movetext is passed on as it is (`replay` judges it).

A new game begins
- at a line that begins with a tag pair's `[Name "`, outside a comment, after some movetext;
- after headers without movetext, where a tag name comes back after a blank line;
- after a result, a blank line, and then something that is no tag pair.
A comment that runs into a tag pair has never been closed, unless the next brace is a `}`, not too far away.

    >>> [raw.headers["White"] for raw in read_raw_games([b'[White "A"]\n\n1. e4 *\n[White "B"]\n1. d4 *'])]
    ['A', 'B']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAX_GAME_LEN = 1 << 20  # bytes; a longer "game" is damage: its tail is skipped, and it is marked
MAX_HEADER_VALUE_LEN = 1_000  # characters of a header value that are kept
MAX_COMMENT_ACROSS_LEN = 1 << 16  # bytes: how long a comment with tag pairs in it may be

BORDER = rb"(?:\xef\xbb\xbf)?+[ \t]*+\[[ \t]*+[A-Za-z0-9_]++[ \t]++\""
# After a line end: the line before ended with a result, this one is blank, and no tag pair, comment or escape follows.
_UNTAGGED = (
    rb"(?:(?<=1-0[\r\n])|(?<=0-1[\r\n])|(?<=1/2[\r\n])|(?<=\*[\r\n]))"
    rb"\n?[ \t]*+(?:\r\n|[\r\n])[ \t\r\n\0]*+[^\s\0\[%{;]"
)
_LINE_END_INSIDE = rb"[\r\n](?!" + BORDER + rb")"
_HEADERS = re.compile(
    rb"(?:[ \t\r\n\0]|\xef\xbb\xbf)*+"  # what stands before the first line
    rb"(?:[ \t]*+(?:\[[^\r\n]*+|%[^\r\n]*+)(?:\r\n|[\r\n]|\Z))*+"
)


def _possessive(group: bytes) -> bytes:
    """A pattern for a group that looks ahead, as often as it matches, nothing given back.

    Up to Python 3.11.4, `*+` loses matches of such groups (gh-101955). An atomic group, which means the same, stands in
    there; it needs memory for each repetition.
    """
    is_right = re.fullmatch(rb'(?:[^"]|"(?!]))*+"]', b'a"]') is not None
    return rb"(?:" + group + rb")*+" if is_right else rb"(?>(?:" + group + rb")*)"


_COMMENT = rb"\{" + _possessive(rb"[^}\r\n]++|" + _LINE_END_INSIDE)
_MOVETEXT = re.compile(
    _possessive(
        rb"(?<=[\r\n])%[^\r\n]*+"
        rb"|[^{;\r\n]++"
        rb"|\{[^}\r\n]*+\}"  # the usual comment
        rb"|" + _LINE_END_INSIDE + rb"(?!" + _UNTAGGED + rb")"
        rb"|;[^\r\n]*+"
        rb"|" + _COMMENT + rb"\}"  # over several lines
        rb"|\{[^{}]{0,%d}+\}" % MAX_COMMENT_ACROSS_LEN + rb"|(?P<open>" + _COMMENT + rb")"
    )
)
_BLANK_THEN_TAG = re.compile(rb"([ \t\0]*+[\r\n][ \t\r\n\0]*+)" + BORDER)
_LINE_THEN_TAG = re.compile(rb"[\r\n](?=" + BORDER + rb")")
_TAG_PAIR = re.compile(
    rb"\[[ \t]*+([A-Za-z0-9_]++)[ \t]++\"("
    + _possessive(rb"[^\"\\\r\n]++|\\[^\r\n]|\"(?![ \t]*+\])")
    + rb")\"[ \t]*+\]",
)
_ESCAPED = re.compile(rb"\\([\"\\])")


class RawBytes(NamedTuple):
    """One game as it stands in the text.

    Args:
        number: 0 for the first game of the input.
        offset: where it begins, in bytes of text.
        num_bytes: how many bytes belong to it.
        headers_len: how many of them are headers.
        content: these bytes; only the first `MAX_GAME_LEN` of a longer one.
    """

    number: int
    offset: int
    num_bytes: int
    headers_len: int
    content: bytes


@dataclass(frozen=True, slots=True)
class RawGame:
    """One game, its moves not read yet.

    Args:
        headers: tag pairs; the first of each name. Values are hostile text, cut at `MAX_HEADER_VALUE_LEN` characters.
        movetext: all that stands after the headers.
        index: 0 for the first game of the input.
        offset: where the game begins, in bytes of text.
        is_too_long: longer than `MAX_GAME_LEN`; its movetext is cut.
    """

    headers: dict[str, str]
    movetext: bytes
    index: int
    offset: int
    is_too_long: bool = False


def split_games(blocks: Iterable[bytes]) -> Iterator[RawBytes]:
    """The games of one text, in order; empty text gives none. Memory: a block, and `MAX_GAME_LEN`."""
    splitter = Splitter(iter(blocks))
    number = offset = 0
    while (raw := splitter.next_game(number, offset)) is not None:
        yield raw
        number, offset = number + 1, offset + raw.num_bytes


def parse_raw(raw: RawBytes) -> RawGame:
    """Headers and movetext of one game."""
    headers: dict[str, str] = {}
    for name, value in _TAG_PAIR.findall(raw.content, 0, raw.headers_len):
        headers.setdefault(name.decode("ascii"), _decoded(value))
    movetext = raw.content[raw.headers_len :]
    if b"\0" in movetext:  # padding that some programs leave
        movetext = movetext.replace(b"\0", b" ")
    return RawGame(headers, movetext, raw.number, raw.offset, raw.num_bytes > MAX_GAME_LEN)


def read_raw_games(blocks: Iterable[bytes]) -> Iterator[RawGame]:
    """`split_games`, then `parse_raw`."""
    return (parse_raw(raw) for raw in split_games(blocks))


def _decoded(value: bytes) -> str:
    if b"\\" in value:
        value = _ESCAPED.sub(rb"\1", value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")  # what PGN asked for before UTF-8; reads every byte
    return text[:MAX_HEADER_VALUE_LEN]


class Splitter:
    """A window over the text that begins at the current game and grows until the game's end is certain.

    Args:
        blocks: the text, cut anywhere.
        buffer: what stands before the blocks.
        start: of the first game, in the buffer.
    """

    def __init__(self, blocks: Iterator[bytes], buffer: bytes = b"", start: int = 0) -> None:
        self._blocks = blocks
        self._buffer = buffer
        self._start = start  # of the current game, in the buffer
        self._is_whole = False  # the buffer holds the text's end

    @property
    def rest(self) -> bytes:
        """What was taken from the blocks and doesn't belong to a game yet."""
        return self._buffer[self._start :]

    def next_game(self, number: int, offset: int) -> RawBytes | None:
        """The next game, None at the text's end; `number` and `offset` are what the game is given."""
        headers_end, end = self._end_of_game()
        while end is None:
            if len(self._buffer) - self._start > MAX_GAME_LEN:
                break
            self._grow()
            headers_end, end = self._end_of_game()
        start = self._start
        if end is None:
            content = self._buffer[start : start + MAX_GAME_LEN]
            headers_len = min(headers_end - start, MAX_GAME_LEN)
            return RawBytes(number, offset, self._skip_to_border(), headers_len, content)
        if end == start:
            return None
        self._start = end
        content = self._buffer[start : min(end, start + MAX_GAME_LEN)]
        return RawBytes(number, offset, end - start, min(headers_end - start, MAX_GAME_LEN), content)

    def _end_of_game(self) -> tuple[int, int | None]:
        """Where the current game's headers and the game itself end, in the buffer; None: more text is needed."""
        buffer, start, text_end = self._buffer, self._start, len(self._buffer)
        headers_end = _matched_end(_HEADERS, buffer, start)
        # Headers may go on after a blank line; a name that comes back begins another game instead.
        while blank := _BLANK_THEN_TAG.match(buffer, headers_end):
            more_end = _matched_end(_HEADERS, buffer, headers_end)
            if more_end == text_end and not self._is_whole:
                return headers_end, None
            names = {name for name, _ in _TAG_PAIR.findall(buffer, start, headers_end)}
            if any(name in names for name, _ in _TAG_PAIR.findall(buffer, headers_end, more_end)):
                return headers_end, blank.end(1)
            headers_end = more_end
        match = _MOVETEXT.match(buffer, headers_end)
        assert match is not None  # the pattern matches the empty text
        end = match.end()
        if end == text_end:
            return headers_end, (end if self._is_whole else None)
        end += 1  # the line end before the next game
        opened = match.start("open")
        if opened >= 0 and not self._is_whole and self._may_still_close(opened, end):
            return headers_end, None
        return headers_end, end

    def _may_still_close(self, opened: int, end: int) -> bool:
        """Whether text that hasn't been read yet could show that a comment goes on beyond a tag pair."""
        is_far = len(self._buffer) - opened > MAX_COMMENT_ACROSS_LEN + 1
        return not is_far and self._buffer.find(b"{", end) < 0

    def _grow(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._is_whole = True
            return
        self._buffer = self._buffer[self._start :] + block
        self._start = 0

    def _skip_to_border(self) -> int:
        """Leave a game that has no end within reach; returns how many bytes were skipped."""
        skipped = 0
        self._buffer, self._start = self._buffer[self._start :], 0
        search_from = MAX_GAME_LEN
        while True:
            border = _LINE_THEN_TAG.search(self._buffer, search_from)
            if border is not None:
                self._start = border.end()
                return skipped + border.end()
            if self._is_whole:
                self._start = len(self._buffer)
                return skipped + len(self._buffer)
            # A tag pair may lie across two blocks; no name is longer than what is kept.
            dropped = max(len(self._buffer) - 300, 0)
            skipped += dropped
            self._buffer = self._buffer[dropped:]
            search_from = 0
            self._grow()


def _matched_end(pattern: re.Pattern[bytes], buffer: bytes, start: int) -> int:
    match = pattern.match(buffer, start)
    assert match is not None  # the pattern matches the empty text
    return match.end()
