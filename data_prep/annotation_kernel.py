"""The compiled reader of comments: clocks and evaluations of the plies of games that have been replayed.

Knows: `[%clk 0:03:00]` and `[%eval -1.23]`, `[%eval #-3]`, as python-chess reads them, and what stands between plies.
Doesn't know: moves; where each ply's word ends is handed in.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from chesslm.game_files import MATE_CP, MAX_CP
from data_prep.compiled import compile_kernel, sources_stamp
from data_prep.replay_kernel import (
    BRACE,
    PARENTHESIS,
    PERCENT,
    SEMICOLON,
    begins_line,
    comment_end,
    line_end,
    variation_end,
)

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]

SOURCES = ("annotation_kernel.py", "replay_kernel.py", "replay_outcome.py")
ZERO, NINE, DOT, COLON, COMMA, HASH, PLUS, MINUS, BRACKET, CLOSING_BRACKET = (ord(sign) for sign in "09.:,#+-[]")
IS_SPACE = np.isin(np.arange(256), list(b" \t\n\r\v\f"))
CLOCK, EVAL = np.frombuffer(b"[%clk", np.uint8), np.frombuffer(b"[%eval", np.uint8)
MAX_DIGITS = 10


@register_jitable
def digits_end(text: Bytes, at: int, end: int) -> int:
    """Offset behind the digits that begin at `at`."""
    while at < end and ZERO <= text[at] <= NINE:
        at += 1
    return at


@register_jitable
def number(text: Bytes, at: int, end: int) -> float:
    """The number that the digits text[at:end] write."""
    value = 0.0
    while at < end:
        value = 10.0 * value + (int(text[at]) - ZERO)
        at += 1
    return value


@register_jitable
def spells_at(text: Bytes, at: int, end: int, word: Bytes) -> bool:
    """Whether the word and one white space stand at `at`."""
    if at + len(word) >= end or not IS_SPACE[text[at + len(word)]]:
        return False
    i = 0
    while i < len(word) and text[at + i] == word[i]:
        i += 1
    return i == len(word)


@register_jitable
def read_clock(text: Bytes, at: int, end: int) -> float:
    """Seconds of the `h:mm:ss]` or `h:mm:ss.s]` at `at`; -1 if there is none."""
    seconds = 0.0
    for field in range(3):
        stop = digits_end(text, at, end)
        if stop in (at, end) or (field < 2 and text[stop] != COLON):
            return -1.0
        seconds = 60.0 * seconds + number(text, at, stop)
        at = stop + 1 if field < 2 else stop
    if text[at] == DOT:
        stop = digits_end(text, at + 1, end)
        seconds += number(text, at + 1, stop) / 10.0 ** (stop - at - 1)
        at = stop
    return seconds if at < end and text[at] == CLOSING_BRACKET else -1.0


@register_jitable
def read_eval(text: Bytes, at: int, end: int, is_white: bool, out: npt.NDArray[np.int32], ply: int) -> bool:
    """Notes the centipawns of the evaluation at `at`, seen by White; whether there is one."""
    is_mate = at < end and text[at] == HASH
    if is_mate:
        at += 1
    is_negative = at < end and text[at] == MINUS
    if at < end and (text[at] == MINUS or text[at] == PLUS):
        at += 1
    stop = digits_end(text, at, end)
    num_whole, whole, value = stop - at, number(text, at, stop), 0.0
    if is_mate:
        if num_whole == 0:
            return False
        value = MATE_CP - min(whole, 1.0 * MAX_CP / 10)
        if whole == 0:  # the side to move is mated, whatever the sign
            is_negative = not is_white
    else:
        if num_whole > MAX_DIGITS:
            return False
        value = 100.0 * whole
        if stop < end and text[stop] == DOT:
            first = stop + 1
            stop = digits_end(text, first, end)
            if stop - first > 2 or (num_whole == 0 and stop == first):
                return False
            value += number(text, first, stop) * (10.0 if stop - first == 1 else 1.0)
        elif num_whole == 0:
            return False
        value = min(value, 1.0 * MAX_CP)
    if stop < end and text[stop] == COMMA:
        first = stop + 1
        stop = digits_end(text, first, end)
        if stop == first:
            return False
    if stop == end or text[stop] != CLOSING_BRACKET:
        return False
    out[ply] = int(-value if is_negative else value)
    return True


class ReadComments(Protocol):
    """The entry point, compiled on its first call."""

    def __call__(
        self,
        text: Bytes,
        word_ends: Longs,
        ply_offsets: Longs,
        ends: Longs,
        clocks: npt.NDArray[np.float32],
        evals: npt.NDArray[np.int32],
        has_clock: npt.NDArray[np.bool_],
        has_eval: npt.NDArray[np.bool_],
    ) -> None:
        """Reads the comments behind every ply; of each kind the first counts.

        Args:
            text: the bytes that hold the movetexts.
            word_ends: i64[p], the offset in the text behind each ply's word.
            ply_offsets: i64[n + 1], the first ply of each game.
            ends: i64[n], where each movetext ends.
            clocks: f32[p], filled with seconds.
            evals: i32[p], filled with centipawns for White.
            has_clock: bool[p], False; set where there is a clock.
            has_eval: bool[p], False; set where there is an evaluation.
        """
        ...


def _entry(stamp: int) -> tuple[ReadComments, ReadComments]:
    """The entry point, compiled and interpreted."""

    def read(
        text: Bytes,
        word_ends: Longs,
        ply_offsets: Longs,
        ends: Longs,
        clocks: npt.NDArray[np.float32],
        evals: npt.NDArray[np.int32],
        has_clock: npt.NDArray[np.bool_],
        has_eval: npt.NDArray[np.bool_],
    ) -> None:
        _stamp = stamp  # numba's cache on disk is keyed by what a closure holds: see `sources_stamp`
        for game in range(len(ends)):
            for ply in range(ply_offsets[game], ply_offsets[game + 1]):
                end = ends[game] if ply + 1 == ply_offsets[game + 1] else word_ends[ply + 1]
                is_white = (ply - ply_offsets[game]) % 2 == 0
                at = int(word_ends[ply])
                while at < end:
                    byte = text[at]
                    if byte == PARENTHESIS:
                        at = variation_end(text, at, end)
                    elif byte == SEMICOLON or (byte == PERCENT and begins_line(text, at, -1)):
                        at = line_end(text, at, end)
                    elif byte == BRACE:
                        close = comment_end(text, at, end)
                        while at < close:
                            if text[at] == BRACKET and not has_clock[ply] and spells_at(text, at, close, CLOCK):
                                seconds = read_clock(text, at + len(CLOCK) + 1, close)
                                has_clock[ply] = seconds >= 0
                                clocks[ply] = seconds
                            elif text[at] == BRACKET and not has_eval[ply] and spells_at(text, at, close, EVAL):
                                has_eval[ply] = read_eval(text, at + len(EVAL) + 1, close, is_white, evals, ply)
                            at += 1
                    else:
                        at += 1

    return compile_kernel(read), read


read_comments, read_comments_interpreted = _entry(sources_stamp(*SOURCES))
