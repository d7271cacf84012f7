"""What a model writes where a move is due, judged.

Knows: strict judgement by the notation, and tolerant judgement by python-chess where the notation is SAN-like.
Doesn't know: how the tokens were decoded (`move_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess

from chesslm.errors import MoveTextError, UnsupportedPosition
from chesslm.notation import Notation
from chesslm.san import WRONG_COLOUR


@dataclass(frozen=True, slots=True)
class FirstChoice:
    """What a model writes greedily and unmasked where a move is due.

    Args:
        text: the tokens until the notation called the move complete or impossible, as a person reads them.
        move: the legal move that they are a spelling of, or None.
        error_kind: why they are no legal move (METRICS section 2.8), or None.
        tolerant_legal: whether python-chess's own reader makes a legal move of them, null moves refused, and the other
            colour's moves, which SAN can't tell; None where the notation isn't SAN-like.
    """

    text: str
    move: chess.Move | None
    error_kind: str | None
    tolerant_legal: bool | None


def judge_first_choice(notation: Notation, board: chess.Board, ids: Sequence[int]) -> FirstChoice:
    """Judge decoded tokens in a position that has a legal move."""
    move, error_kind = None, None
    try:
        move = notation.read(board, ids)
    except MoveTextError as error:
        error_kind = error.kind
    return FirstChoice(notation.text(ids).strip(), move, error_kind, _tolerant(notation, board, ids, error_kind))


def _tolerant(notation: Notation, board: chess.Board, ids: Sequence[int], error_kind: str | None) -> bool | None:
    san = notation.san_of(ids)
    if san is None:
        # Not SAN: is it this text's fault or the notation's? A legal move tells.
        return False if _writes_san(notation, board) else None
    if error_kind == WRONG_COLOUR:
        # SAN doesn't say whose move it is, so the sentence's SAN would be judged as if it were the other colour's.
        return False
    try:
        return bool(board.parse_san(san))  # a null move is false
    except ValueError:
        return False


def _writes_san(notation: Notation, board: chess.Board) -> bool:
    """Whether a legal move's spelling has a SAN form; moves that a foreign vocabulary lacks say nothing."""
    for move in board.legal_moves:
        try:
            return notation.san_of(notation.spell(board, move)) is not None
        except UnsupportedPosition:
            continue
    return False
