"""The compiled scan: where the usual games of a block of text stand, and where their tags' values do; and their copies.

Knows: the shape that most games of most files have, the dumps' among them; a game of any other shape is left to
`games.Splitter`, which it agrees with on all others.
Doesn't know: what tags mean (`headers`), or moves.

The usual shape: lines `[Name "value"]`, a blank line, lines of movetext whose comments in braces end where they began,
a blank line (or the text's end), and then the next game's first tag. No carriage return, no backslash in a value, no
comment to the line's end, no escaped line, no more than one blank line at a time.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from data_prep.compiled import compile_kernel, sources_stamp
from data_prep.games import MAX_GAME_LEN, MAX_HEADER_VALUE_LEN

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]

SOURCES = ("scan_kernel.py", "games.py")
NEWLINE, RETURN, TAB, SPACE, NUL, BOM = 10, 13, 9, 32, 0, 0xEF
QUOTE, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, BRACE, CLOSING_BRACE, PERCENT, SEMICOLON = (ord(c) for c in '"\\[]{}%;')
IS_NAME = np.isin(np.arange(256), list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"))
# What a line of movetext that follows a line end can't begin with: it might be a header, an escape, or a blank line.
IS_ODD_BEGIN = np.isin(np.arange(256), list(b"[%\r\n\t \0\xef\v\f\x85\xa0\x1c\x1d\x1e\x1f"))
ENDS_RUN = np.isin(np.arange(256), list(b"\n\r;{"))
ENDS_VALUE = np.isin(np.arange(256), list(b'"\\\r\n'))


@register_jitable
def name_end(text: Bytes, at: int, end: int) -> int:
    """Offset behind the tag name whose bracket stands at `at`; -1 if no space and quote follow it."""
    begin = at + 1
    at = begin
    while at < end and IS_NAME[text[at]]:
        at += 1
    return at if at > begin and at + 1 < end and text[at] == SPACE and text[at + 1] == QUOTE else -1


@register_jitable
def tag_index(text: Bytes, begin: int, end: int, names: Bytes, name_lens: Longs) -> int:
    """Which of the names text[begin:end] is; -1 for none."""
    for index in range(len(name_lens)):
        if name_lens[index] == end - begin:
            i = 0
            while i < end - begin and names[index, i] == text[begin + i]:
                i += 1
            if i == end - begin:
                return index
    return -1


@register_jitable
def scan_tags(
    text: Bytes, at: int, end: int, names: Bytes, name_lens: Longs, value_starts: Longs, value_ends: Longs
) -> int:
    """Notes the values of one game's tags; the offset behind its headers, or -1 for an unusual one."""
    while at < end and text[at] == OPEN_BRACKET:
        name = at + 1
        at = name_end(text, at, end)
        if at < 0:
            return -1
        index = tag_index(text, name, at, names, name_lens)
        at += 2
        begin, is_ascii = at, True
        while at < end and not ENDS_VALUE[text[at]]:
            is_ascii = is_ascii and text[at] < 128
            at += 1
        if at + 2 >= end or text[at] != QUOTE or text[at + 1] != CLOSE_BRACKET or text[at + 2] != NEWLINE:
            return -1
        if index >= 0 and value_starts[index] < 0:
            if not is_ascii or at - begin > MAX_HEADER_VALUE_LEN:
                return -1
            value_starts[index], value_ends[index] = begin, at
        at += 3
    return at


@register_jitable
def scan_movetext(text: Bytes, at: int, end: int) -> int:
    """The offset behind the movetext that begins at `at`, where the next game or the text's end is; -1: unusual."""
    while at < end:
        while at < end and not ENDS_RUN[text[at]]:
            at += 1
        if at == end:
            return end
        if text[at] == BRACE:
            at += 1
            while at < end and text[at] != CLOSING_BRACE and text[at] != NEWLINE and text[at] != RETURN:
                at += 1
            if at == end or text[at] != CLOSING_BRACE:
                return -1
            at += 1
        elif text[at] == NEWLINE:
            at += 1
            if at == end:
                return end
            if text[at] == NEWLINE:
                at += 1
                if at == end:
                    return end
                return at if text[at] == OPEN_BRACKET and name_end(text, at, end) >= 0 else -1
            if IS_ODD_BEGIN[text[at]]:
                return -1
        else:
            return -1
    return end


class Scan(Protocol):
    """The entry point, compiled on its first call."""

    def __call__(
        self, text: Bytes, begin: int, names: Bytes, name_lens: Longs, games: Longs, starts: Longs, ends: Longs
    ) -> tuple[int, int]:
        """The usual games from `begin` on, up to the first unusual one, the text's end, or as many as have room.

        Args:
            text: u8, ends where a game ends.
            begin: where a game begins.
            names: u8[t, longest name], the names of the tags that are wanted.
            name_lens: i64[t], their lengths.
            games: i64[n, 3], filled with begin, end of headers, and end of each game.
            starts: i64[n, t], filled with where each value begins; -1 for a tag that the game hasn't.
            ends: i64[n, t], where it ends.

        Returns:
            how many games were found, and where the last of them ended.
        """
        ...


def _entry(stamp: int) -> tuple[Scan, Scan]:
    """The entry point, compiled and interpreted."""

    def scan(
        text: Bytes, begin: int, names: Bytes, name_lens: Longs, games: Longs, starts: Longs, ends: Longs
    ) -> tuple[int, int]:
        _stamp = stamp  # numba's cache on disk is keyed by what a closure holds: see `sources_stamp`
        row, text_end = 0, len(text)
        while begin < text_end and row < len(games) and text[begin] == OPEN_BRACKET:
            starts[row, :] = -1
            headers_end = scan_tags(text, begin, text_end, names, name_lens, starts[row], ends[row])
            first = headers_end + 1
            if headers_end < 0 or first >= text_end or text[headers_end] != NEWLINE or IS_ODD_BEGIN[text[first]]:
                break
            end = scan_movetext(text, first, text_end)
            if end < 0 or end - begin > MAX_GAME_LEN:
                break
            games[row, 0], games[row, 1], games[row, 2] = begin, headers_end, end
            row += 1
            begin = end
        return row, begin

    return compile_kernel(scan), scan


class CopySpans(Protocol):
    """The second entry point, compiled on its first call."""

    def __call__(self, text: Bytes, starts: Longs, ends: Longs, out: Bytes) -> None:
        """Copies text[starts[i]:ends[i]] into `out`, one behind the other; spans that begin before 0 are left out."""
        ...


def _copy_entry(stamp: int) -> CopySpans:
    """The second entry point, compiled."""

    def copy_spans(text: Bytes, starts: Longs, ends: Longs, out: Bytes) -> None:
        _stamp = stamp
        place = 0
        for row in range(len(starts)):
            if starts[row] >= 0:
                for at in range(starts[row], ends[row]):
                    out[place] = text[at]
                    place += 1

    return compile_kernel(copy_spans)


scan_games, scan_games_interpreted = _entry(sources_stamp(*SOURCES))
copy_spans = _copy_entry(sources_stamp(*SOURCES))
