"""Written moves on the kernel's board, compiled by numba: which legal move a word means, and its canonical SAN.

Knows: the spellings of moves, results and move numbers that `replay_reference` accepts, as bytes.
Doesn't know: what stands between words (`replay_kernel`), or what moves do to a board (`replay_board`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from data_prep.replay_board import (
    A1,
    BISHOP,
    CASTLING_SIDE,
    FOUND,
    KING,
    KNIGHT,
    NEEDS_FILE,
    NEEDS_RANK,
    ORIGIN,
    PAWN,
    PROMOTION,
    QUEEN,
    ROOK,
    TARGET,
    Bytes,
    Longs,
    can_castle,
    can_step,
    origins,
    pawn_origin,
    takes_en_passant,
)
from data_prep.replay_outcome import Problem

WORD, NULL_MOVE = int(Problem.WORD), int(Problem.NULL_MOVE)
NO_LEGAL_MOVE, AMBIGUOUS = int(Problem.NO_LEGAL_MOVE), int(Problem.AMBIGUOUS)

DASH, DOT, ZERO, NINE, EQUALS, PLUS, HASH, X = (ord(sign) for sign in "-.09=+#x")


def _bytes(text: bytes) -> Bytes:
    return np.frombuffer(text, np.uint8)


LETTERS = _bytes(b"\0\0NBRQK")
EN_PASSANT_DOTTED, EN_PASSANT_PLAIN = _bytes(b"e.p."), _bytes(b"ep")
NULL_DASHES, NULL_Z0, NULL_ZEROS, NULL_ATS = _bytes(b"--"), _bytes(b"Z0"), _bytes(b"0000"), _bytes(b"@@@@")
SHORT, SHORT_ZEROS, LONG, LONG_ZEROS = _bytes(b"O-O"), _bytes(b"0-0"), _bytes(b"O-O-O"), _bytes(b"0-0-0")
WHITE_WINS, BLACK_WINS, DRAWN, UNFINISHED = _bytes(b"1-0"), _bytes(b"0-1"), _bytes(b"1/2-1/2"), _bytes(b"*")


def _kinds(letters: str) -> npt.NDArray[np.int64]:
    """The kind of piece that a byte names; 0 for none."""
    kinds = np.zeros(256, np.int64)
    for letter in letters:
        kinds[ord(letter)] = {"N": KNIGHT, "B": BISHOP, "R": ROOK, "Q": QUEEN, "K": KING}[letter.upper()]
    return kinds


PIECE_KINDS, PROMOTION_KINDS = _kinds("NBRQK"), _kinds("NBRQKnbrqk")


@register_jitable
def spells(text: Bytes, start: int, end: int, word: Bytes) -> bool:
    """Whether text[start:end] is the word."""
    is_same = end - start == len(word)
    i = 0
    while is_same and i < len(word):
        is_same = text[start + i] == word[i]
        i += 1
    return is_same


@register_jitable
def result_index(text: Bytes, start: int, end: int) -> int:
    """1 to 4 if text[start:end] is a result (index into `replay_block.RESULTS`), else 0."""
    if spells(text, start, end, WHITE_WINS):
        return 1
    if spells(text, start, end, BLACK_WINS):
        return 2
    if spells(text, start, end, DRAWN):
        return 3
    return 4 if spells(text, start, end, UNFINISHED) else 0


@register_jitable
def is_null_move(text: Bytes, start: int, end: int) -> bool:
    """Whether text[start:end] is one of the ways to write a null move."""
    return (
        spells(text, start, end, NULL_DASHES)
        or spells(text, start, end, NULL_Z0)
        or spells(text, start, end, NULL_ZEROS)
        or spells(text, start, end, NULL_ATS)
    )


@register_jitable
def en_passant_mark_len(text: Bytes, start: int, end: int) -> int:
    """Length of the `e.p.` or `ep` that text[start:end] ends with, or 0."""
    if end - start >= 4 and spells(text, end - 4, end, EN_PASSANT_DOTTED):
        return 4
    return 2 if end - start >= 2 and spells(text, end - 2, end, EN_PASSANT_PLAIN) else 0


@register_jitable
def number_end(text: Bytes, start: int, end: int, ply: int) -> int:
    """Offset behind the move number and dots that text[start:end] begins with; -1 if another number is due."""
    at, number = start, 0
    while at < end and ZERO <= text[at] <= NINE:
        number = min(10 * number + int(text[at]) - ZERO, 1 << 40)
        at += 1
    if at > start:
        if at < end and text[at] != DOT:  # 0-0, 1-0
            return start
        if is_null_move(text, start, end):
            return start
        if number != (ply >> 1) + 1:
            return -1
    while at < end and text[at] == DOT:
        at += 1
    return at


@register_jitable
def find_move(
    board: Bytes, game: Longs, kind: int, file: int, rank: int, target: int, promotion: int, colour: int
) -> int:
    """Settles the one legal move that is meant; 0, or the problem. `file` and `rank` of the origin are -1 if unsaid."""
    game[TARGET], game[PROMOTION], game[CASTLING_SIDE], game[NEEDS_FILE], game[NEEDS_RANK] = target, promotion, 0, 0, 0
    held = int(board[target])
    if held and held & 8 == colour:
        return NO_LEGAL_MOVE
    num_legal, num_meant = 0, 0
    if kind == PAWN:
        target_file, target_rank = (target - A1) & 15, (target - A1) >> 4
        if promotion == KING or (promotion != 0) != (target_rank == 0 or target_rank == 7):
            return NO_LEGAL_MOVE
        file_step = 0 if file < 0 else file - target_file
        origin = pawn_origin(board, game, target, file_step, colour) if -2 < file_step < 2 else 0
        if origin == 0 or (rank >= 0 and rank != (origin - A1) >> 4):
            return NO_LEGAL_MOVE
        game[ORIGIN] = origin
        return 0 if can_step(board, game, origin, target, colour) else NO_LEGAL_MOVE
    if promotion:
        return NO_LEGAL_MOVE
    for i in range(origins(board, game, kind, target, colour)):
        origin = int(game[FOUND + i])
        if can_step(board, game, origin, target, colour):
            game[FOUND + num_legal] = origin
            num_legal += 1
            if (file < 0 or file == (origin - A1) & 15) and (rank < 0 or rank == (origin - A1) >> 4):
                game[ORIGIN] = origin
                num_meant += 1
    if num_meant != 1:
        return AMBIGUOUS if num_meant else NO_LEGAL_MOVE
    if num_legal > 1:
        disambiguate(game, num_legal)
    return 0


@register_jitable
def disambiguate(game: Longs, num_legal: int) -> None:
    """Notes what SAN must say of the origin, as `chess.Board.san` does.

    The rank, if another piece shares the file; the file, if another shares the rank or none shares the file.
    """
    origin = int(game[ORIGIN])
    for i in range(num_legal):
        other = int(game[FOUND + i])
        if other != origin and (other - origin) & 15 == 0:
            game[NEEDS_RANK] = 1
        elif other != origin and (other - A1) >> 4 == (origin - A1) >> 4:
            game[NEEDS_FILE] = 1
    if not game[NEEDS_RANK]:
        game[NEEDS_FILE] = 1


@register_jitable
def read_move(text: Bytes, start: int, end: int, board: Bytes, game: Longs, colour: int) -> int:
    """Settles the legal move that text[start:end] spells; 0, or the problem."""
    if is_null_move(text, start, end):
        return NULL_MOVE
    if text[end - 1] == HASH:
        end -= 1
    elif text[end - 1] == PLUS:
        end -= 2 if end - start > 1 and text[end - 2] == PLUS else 1
    mark_len = en_passant_mark_len(text, start, end)
    end -= mark_len
    side = 0
    if spells(text, start, end, SHORT) or spells(text, start, end, SHORT_ZEROS):
        side = 1
    elif spells(text, start, end, LONG) or spells(text, start, end, LONG_ZEROS):
        side = -1
    if side:
        return 0 if mark_len == 0 and can_castle(board, game, side, colour) else NO_LEGAL_MOVE

    # From the end: promotion, target, capture mark; then from the start: piece, file, rank; and nothing may be left.
    promotion = int(PROMOTION_KINDS[text[end - 1]]) if end - start > 2 else 0
    if promotion:
        end -= 2 if text[end - 2] == EQUALS else 1
    if end - start < 2:
        return WORD
    target_file, target_rank = int(text[end - 2]) - ord("a"), int(text[end - 1]) - ord("1")
    if target_file < 0 or target_file > 7 or target_rank < 0 or target_rank > 7:
        return WORD
    end -= 2
    if end > start and (text[end - 1] == X or text[end - 1] == DASH):
        end -= 1
    kind, file, rank = 0, -1, -1
    if start < end and PIECE_KINDS[text[start]]:
        kind = int(PIECE_KINDS[text[start]])
        start += 1
    if start < end and 0 <= int(text[start]) - ord("a") < 8:
        file = int(text[start]) - ord("a")
        start += 1
    if start < end and 0 <= int(text[start]) - ord("1") < 8:
        rank = int(text[start]) - ord("1")
        start += 1
    if start != end:
        return WORD

    target = A1 + 16 * target_rank + target_file
    if kind == 0 and file >= 0 and rank >= 0:  # e2e4, g1f3: whatever stands there
        origin = A1 + 16 * rank + file
        kind = int(board[origin]) & 7 if int(board[origin]) & 8 == colour else 0
        home = A1 + 4 if colour == 0 else A1 + 116
        # e1g1 castles, and so does e1h1, as for chess.Board.
        if kind == KING and origin == home and target - home in (2, 3, -2, -4):
            side = 1 if target > home else -1
            is_legal = mark_len == 0 and promotion == 0 and can_castle(board, game, side, colour)
            return 0 if is_legal else NO_LEGAL_MOVE
        if kind == 0:
            return NO_LEGAL_MOVE
    problem = find_move(board, game, kind if kind else PAWN, file, rank, target, promotion, colour)
    if problem == 0 and mark_len and not takes_en_passant(board, game, int(game[ORIGIN]), target):
        return NO_LEGAL_MOVE
    return problem


@register_jitable
def write_square(out: Bytes, at: int, square: int) -> int:
    """Writes a square's name to out[at:]; the offset behind it."""
    out[at] = ord("a") + ((square - A1) & 15)
    out[at + 1] = ord("1") + ((square - A1) >> 4)
    return at + 2


@register_jitable
def write_san(out: Bytes, at: int, board: Bytes, game: Longs) -> int:
    """Writes the settled move, not yet played, as SAN without check mark to out[at:]; the offset behind it."""
    side, origin, target = int(game[CASTLING_SIDE]), int(game[ORIGIN]), int(game[TARGET])
    if side:
        for i in range(3 if side == 1 else 5):
            out[at + i] = LONG[i]
        return at + (3 if side == 1 else 5)
    kind = int(board[origin]) & 7
    is_capture = board[target] != 0 if kind != PAWN else (target - origin) & 15 != 0
    if kind != PAWN:
        out[at] = LETTERS[kind]
        at += 1
    if game[NEEDS_FILE] or (kind == PAWN and is_capture):
        out[at] = ord("a") + ((origin - A1) & 15)
        at += 1
    if game[NEEDS_RANK]:
        out[at] = ord("1") + ((origin - A1) >> 4)
        at += 1
    if is_capture:
        out[at] = X
        at += 1
    at = write_square(out, at, target)
    if game[PROMOTION]:
        out[at] = EQUALS
        out[at + 1] = LETTERS[game[PROMOTION]]
        at += 2
    return at
