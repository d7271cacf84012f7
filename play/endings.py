"""How a game ends: by the rules, by claim, by agreement, by resignation, or because the model can't go on.

Knows: the ending that a position forces, the draws that may be claimed, and the rule by which a model takes a draw.
Doesn't know: who plays; a session asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import chess

Result = Literal["1-0", "0-1", "1/2-1/2", "*"]

Termination = Literal[
    "checkmate",
    "stalemate",
    "insufficient material",
    "fivefold repetition",
    "seventy-five moves",
    "threefold repetition",
    "fifty moves",
    "resignation",
    "agreement",
    "game too long",
    "unfinished",
]

_BY_RULE: dict[chess.Termination, Termination] = {
    chess.Termination.CHECKMATE: "checkmate",
    chess.Termination.STALEMATE: "stalemate",
    chess.Termination.INSUFFICIENT_MATERIAL: "insufficient material",
    chess.Termination.FIVEFOLD_REPETITION: "fivefold repetition",
    chess.Termination.SEVENTYFIVE_MOVES: "seventy-five moves",
    chess.Termination.THREEFOLD_REPETITION: "threefold repetition",
    chess.Termination.FIFTY_MOVES: "fifty moves",
}

FIRST_DRAW_MOVE = 20
DRAW_RULE = f"the model takes a draw from move {FIRST_DRAW_MOVE} on, if it is not ahead in material"

_PIECE_VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a game ended.

    Args:
        result: one of `chesslm.game.RESULTS`; "*" where nobody won and no draw was reached.
        termination: why.
    """

    result: Result
    termination: Termination

    @property
    def text(self) -> str:
        """A sentence for people, without a full stop: "White wins by checkmate (1-0)"."""
        if self.result == "*":
            return f"No result: {self.termination} (*)"
        if self.result == "1/2-1/2":
            return f"A draw by {self.termination} (1/2-1/2)"
        return f"{'White' if self.result == '1-0' else 'Black'} wins by {self.termination} ({self.result})"


UNFINISHED = Ending("*", "unfinished")


def board_ending(board: chess.Board) -> Ending | None:
    """The ending that the rules force here; None while the game goes on."""
    outcome = board.outcome()
    return None if outcome is None else Ending(cast(Result, outcome.result()), _BY_RULE[outcome.termination])


def claimable_draw(board: chess.Board) -> Ending | None:
    """The draw that the side to move may claim: a third repetition or fifty moves, now or with its next move."""
    if board.can_claim_fifty_moves():
        return Ending("1/2-1/2", "fifty moves")
    if board.can_claim_threefold_repetition():
        return Ending("1/2-1/2", "threefold repetition")
    return None


def loss_of(colour: chess.Color) -> Ending:
    """The ending when `colour` resigns."""
    return Ending("0-1" if colour == chess.WHITE else "1-0", "resignation")


def material_balance(board: chess.Board, colour: chess.Color) -> int:
    """Material of `colour` minus the other side's, in pawns (1, 3, 3, 5, 9)."""
    return sum(
        value * (len(board.pieces(piece, colour)) - len(board.pieces(piece, not colour)))
        for piece, value in _PIECE_VALUES.items()
    )


def takes_draw(board: chess.Board, colour: chess.Color) -> bool:
    """Whether a model that plays `colour` accepts a draw here: `DRAW_RULE`, since it judges no positions."""
    return board.fullmove_number >= FIRST_DRAW_MOVE and material_balance(board, colour) <= 0
