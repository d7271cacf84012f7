"""The compiled replay: the movetext of many games to legal moves and canonical SAN, in one loop over bytes.

Knows: the grammar of `replay_reference` around the moves, and the arrays that it fills.
Doesn't know: how moves are spelled (`replay_words`), the rules (`replay_board`), Python objects (`replay_block`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from data_prep.compiled import compile_kernel, sources_stamp
from data_prep.replay_board import (
    A1,
    IN_CHECK,
    ORIGIN,
    PROMOTION,
    TARGET,
    Bytes,
    Longs,
    begin_game,
    has_reply,
    make_move,
    takes_en_passant,
)
from data_prep.replay_outcome import Problem
from data_prep.replay_words import (
    HASH,
    LETTERS,
    NINE,
    PLUS,
    ZERO,
    en_passant_mark_len,
    number_end,
    read_move,
    result_index,
    write_san,
    write_square,
)

Ints = npt.NDArray[np.int32]

SAN_LEN, UCI_LEN = 7, 6  # at most, a ply: Qa1xb2#; e7e8q and a space
MIN_PLY_LEN = 3  # at least, in a movetext: e4 and what ends the word (nothing, at the movetext's end)

NUMBER, OPEN_COMMENT, STRAY_BRACE = int(Problem.NUMBER), int(Problem.OPEN_COMMENT), int(Problem.STRAY_BRACE)
OPEN_VARIATION, STRAY_PARENTHESIS = int(Problem.OPEN_VARIATION), int(Problem.STRAY_PARENTHESIS)
EARLY_VARIATION, GLYPH, AFTER_RESULT = int(Problem.EARLY_VARIATION), int(Problem.GLYPH), int(Problem.AFTER_RESULT)
STRAY_EN_PASSANT = int(Problem.STRAY_EN_PASSANT)

SPACE, NEWLINE, RETURN, PERCENT, SEMICOLON, DOLLAR, EXCLAMATION, QUESTION = (ord(sign) for sign in " \n\r%;$!?")
BRACE, CLOSING_BRACE, PARENTHESIS, CLOSING_PARENTHESIS = (ord(sign) for sign in "{}()")
SOURCES = ("replay_board.py", "replay_words.py", "replay_kernel.py", "replay_outcome.py")
ENDS_WORD = np.isin(np.arange(256), list(b" \t\n\r\v\f{}();$!?"))


class Columns(NamedTuple):
    """What the kernel writes, for n games and the p plies of those that were replayed.

    Args:
        status: u8[n], 0 or a `replay_outcome.Problem`.
        failed_at: i64[n], where in the text the token begins that stopped the replay (0 if none did).
        results: u8[n], index into `replay_block.RESULTS`.
        num_corrected: i32[n], plies whose written SAN isn't the canonical one.
        ply_offsets: i32[n + 1], the first ply of each game; a game that was stopped has none.
        moves: u16[p], from | to << 6 | promotion << 12; squares and promotion as python-chess counts them, 0 for none.
        word_ends: i64[p], the offset in the text behind each ply's word.
        san: u8[s], the plies' canonical SAN, without separators.
        san_offsets: i32[p + 1], the first byte of each ply in `san`.
        uci: u8[u], each game's UCI moves, joined by single spaces.
        uci_offsets: i32[n + 1], the first byte of each game in `uci`.
    """

    status: Bytes
    failed_at: Longs
    results: Bytes
    num_corrected: Ints
    ply_offsets: Ints
    moves: npt.NDArray[np.uint16]
    word_ends: Longs
    san: Bytes
    san_offsets: Ints
    uci: Bytes
    uci_offsets: Ints


@register_jitable
def begins_line(text: Bytes, at: int, begin: int) -> bool:
    """Whether the byte is the first of a line of the movetext that begins at `begin`."""
    return bool(at == begin or text[at - 1] == NEWLINE or text[at - 1] == RETURN)


@register_jitable
def line_end(text: Bytes, at: int, end: int) -> int:
    """Offset of the next line end, or `end`."""
    while at < end and text[at] != NEWLINE and text[at] != RETURN:
        at += 1
    return at


@register_jitable
def comment_end(text: Bytes, at: int, end: int) -> int:
    """Offset behind the comment in braces that begins at `at`; -1 if it never ends."""
    while at < end and text[at] != CLOSING_BRACE:
        at += 1
    return at + 1 if at < end else -1


@register_jitable
def variation_end(text: Bytes, begin: int, end: int) -> int:
    """Offset behind the variation that begins at `begin`; -1 if it never ends, -2 - offset of an unpaired brace."""
    at, depth = begin, 0
    while at < end:
        byte = text[at]
        if byte == BRACE:
            close = comment_end(text, at, end)
            if close < 0:
                return -2 - at
            at = close
        elif byte == CLOSING_BRACE:
            return -2 - at
        elif byte == SEMICOLON or (byte == PERCENT and begins_line(text, at, begin)):
            at = line_end(text, at, end)
        else:
            at += 1
            if byte == PARENTHESIS:
                depth += 1
            elif byte == CLOSING_PARENTHESIS:
                depth -= 1
                if depth == 0:
                    return at
    return -1


@register_jitable
def glyph_end(text: Bytes, begin: int, end: int) -> int:
    """Offset behind the `$` and digits, or the `!` and `?`, that begin at `begin`; -1 if a word follows at once."""
    at = begin + 1
    if text[begin] == DOLLAR:
        while at < end and ZERO <= text[at] <= NINE:
            at += 1
        if at == begin + 1:
            return -1
    else:
        while at < end and (text[at] == EXCLAMATION or text[at] == QUESTION):
            at += 1
    return at if at == end or ENDS_WORD[text[at]] else -1


@register_jitable
def play(
    text: Bytes, start: int, end: int, board: Bytes, game: Longs, ply: int, columns: Columns, totals: Longs
) -> bool:
    """Plays the move in `game`, written as text[start:end], and appends it to the columns; whether it was canonical."""
    num_plies, san_start, uci_len = int(totals[0]), int(totals[1]), int(totals[2])
    origin, target, promotion = int(game[ORIGIN]), int(game[TARGET]), int(game[PROMOTION])
    san_end = write_san(columns.san, san_start, board, game)
    colour = (ply & 1) << 3
    make_move(board, game, colour)
    if game[IN_CHECK]:
        columns.san[san_end] = PLUS if has_reply(board, game, colour ^ 8) else HASH
        san_end += 1
    if ply:
        columns.uci[uci_len] = SPACE
        uci_len += 1
    uci_len = write_square(columns.uci, write_square(columns.uci, uci_len, origin), target)
    if promotion:
        columns.uci[uci_len] = LETTERS[promotion] | 32
        uci_len += 1
    origin, target = origin - A1, target - A1
    columns.moves[num_plies] = (origin >> 1 & 56 | origin & 7) | (target >> 1 & 56 | target & 7) << 6 | promotion << 12
    columns.word_ends[num_plies] = end
    columns.san_offsets[num_plies + 1] = san_end
    totals[0], totals[1], totals[2] = num_plies + 1, san_end, uci_len
    is_canonical = san_end - san_start == end - start
    at = start
    while is_canonical and at < end:
        is_canonical = columns.san[san_start + at - start] == text[at]
        at += 1
    return is_canonical


@register_jitable(forceinline=True)
def replay_one(
    text: Bytes, begin: int, end: int, board: Bytes, game: Longs, columns: Columns, totals: Longs, row: int
) -> int:
    """Replays text[begin:end] into one row of the columns; 0, or the problem."""
    begin_game(board, game)
    at, ply, result, num_corrected, problem = begin, 0, 0, 0, 0
    is_en_passant = False
    start = at
    while at < end and problem == 0:
        byte, start = text[at], at
        if byte == BRACE:
            at = comment_end(text, at, end)
            if at < 0:
                problem = OPEN_COMMENT
        elif byte == CLOSING_BRACE:
            problem = STRAY_BRACE
        elif byte == CLOSING_PARENTHESIS:
            problem = STRAY_PARENTHESIS
        elif byte == SEMICOLON or (byte == PERCENT and begins_line(text, at, begin)):
            at = line_end(text, at, end)
        elif byte in (DOLLAR, EXCLAMATION, QUESTION):
            at = glyph_end(text, at, end)
            if at < 0:
                problem = GLYPH
            elif result:
                problem = AFTER_RESULT
        elif byte == PARENTHESIS:
            if result:
                problem = AFTER_RESULT
            elif ply == 0:
                problem = EARLY_VARIATION
            else:
                at = variation_end(text, at, end)
                if at == -1:
                    problem = OPEN_VARIATION
                elif at < 0:
                    start = -2 - at
                    problem = OPEN_COMMENT if text[start] == BRACE else STRAY_BRACE
        elif ENDS_WORD[byte]:  # white space: all else that ends words was dealt with
            at += 1
        else:
            while at < end and not ENDS_WORD[text[at]]:
                at += 1
            if result:
                problem = AFTER_RESULT
            elif en_passant_mark_len(text, start, at) == at - start:
                if not is_en_passant:
                    problem = STRAY_EN_PASSANT
            else:
                word = number_end(text, start, at, ply)
                if word < 0:
                    problem = NUMBER
                elif word < at:
                    start = word
                    result = result_index(text, start, at)
                    if result == 0:
                        problem = read_move(text, start, at, board, game, (ply & 1) << 3)
                        if problem == 0:
                            is_en_passant = takes_en_passant(board, game, int(game[ORIGIN]), int(game[TARGET]))
                            if not play(text, start, at, board, game, ply, columns, totals):
                                num_corrected += 1
                            ply += 1
    columns.status[row] = problem
    columns.failed_at[row] = start if problem else 0
    columns.results[row] = 0 if problem else result
    columns.num_corrected[row] = 0 if problem else num_corrected
    return problem


class Replay(Protocol):
    """The entry point, compiled on its first call."""

    def __call__(
        self, text: Bytes, starts: Longs, ends: Longs, columns: Columns, board: Bytes, game: Longs, totals: Longs
    ) -> None:
        """Replays text[starts[i]:ends[i]] into row i of the columns, for every i.

        Args:
            text: the bytes.
            starts: i64[n].
            ends: i64[n].
            columns: see `Columns`; with room for the longest moves that so many bytes can hold.
            board: scratch, u8[BOARD_LEN].
            game: scratch, i64[GAME_LEN].
            totals: i64[3], zeros; afterwards the plies, bytes of SAN and bytes of UCI that were written.
        """
        ...


def _entry(stamp: int) -> tuple[Replay, Replay]:
    """The entry point, compiled and interpreted."""

    def replay_games(
        text: Bytes, starts: Longs, ends: Longs, columns: Columns, board: Bytes, game: Longs, totals: Longs
    ) -> None:
        _stamp = stamp  # numba's cache on disk is keyed by what a closure holds: see `sources_stamp`
        columns.ply_offsets[0] = columns.san_offsets[0] = columns.uci_offsets[0] = 0
        for row in range(len(starts)):
            num_plies, san_len, uci_len = totals[0], totals[1], totals[2]
            if replay_one(text, int(starts[row]), int(ends[row]), board, game, columns, totals, row):
                totals[0], totals[1], totals[2] = num_plies, san_len, uci_len
            columns.ply_offsets[row + 1], columns.uci_offsets[row + 1] = totals[0], totals[2]

    # Nothing is allocated in there, so numba needn't count references to the arrays, at a third of the run time (_nrt).
    return compile_kernel(replay_games, _nrt=False), replay_games


replay_games, replay_games_interpreted = _entry(sources_stamp(*SOURCES))
