"""What became of one game's movetext: its moves, or the one reason why it can't be used.

Knows: the outcome types, every problem that stops a replay, and how its detail is worded.
Doesn't know: how movetext is read (`replay_reference` and `replay_kernel` do, with the same outcomes).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final

import chess

UNREADABLE: Final = "unreadable movetext"
ILLEGAL: Final = "illegal move"
SHOWN_LEN: Final = 40  # bytes of a damaged token that a detail shows

_WORD = re.compile(rb"[^\s{}();$!?]+|[!?]++[^\s{}();$!?]*|\$[^\s{}();$!?]*")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A game whose every move is legal and unambiguous from the start position.

    Args:
        uci: the moves as UCI strings (castling as the king's two-square move, `e7e8q`).
        san: the same moves exactly as `chess.Board.san` gives them.
        result: the result token at the end of the movetext (`1-0`, `0-1`, `1/2-1/2`, `*`), None where there is none.
        num_corrected: plies whose written SAN differs from the canonical one (`!` and `?` aside).
    """

    uci: tuple[str, ...]
    san: tuple[str, ...]
    result: str | None
    num_corrected: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A game that can't be used.

    Args:
        reason: `UNREADABLE` (the bytes are no movetext) or `ILLEGAL` (they are, but not of legal chess).
        detail: one line that names the token, the ply (0 is White's first move) and the position's FEN.
    """

    reason: str
    detail: str


class Problem(enum.IntEnum):
    """What stopped a replay. The numbers are the kernel's status codes; 0 is a game that was replayed."""

    WORD = 1
    NULL_MOVE = 2
    NUMBER = 3
    OPEN_COMMENT = 4
    STRAY_BRACE = 5
    OPEN_VARIATION = 6
    STRAY_PARENTHESIS = 7
    EARLY_VARIATION = 8
    GLYPH = 9
    AFTER_RESULT = 10
    STRAY_EN_PASSANT = 11
    NO_LEGAL_MOVE = 12
    AMBIGUOUS = 13

    @property
    def reason(self) -> str:
        """The counted reason that this problem belongs to."""
        return ILLEGAL if self >= Problem.NO_LEGAL_MOVE else UNREADABLE


_WORDING: Final = {
    Problem.WORD: "is no move, move number or result",
    Problem.NULL_MOVE: "is a null move",
    Problem.NUMBER: "is not the move number that is due",
    Problem.OPEN_COMMENT: "is a comment that never ends",
    Problem.STRAY_BRACE: "is the end of no comment",
    Problem.OPEN_VARIATION: "is a variation that never ends",
    Problem.STRAY_PARENTHESIS: "is the end of no variation",
    Problem.EARLY_VARIATION: "is a variation before the first move",
    Problem.GLYPH: "is no annotation glyph",
    Problem.AFTER_RESULT: "stands after the result",
    Problem.STRAY_EN_PASSANT: "follows no en passant capture",
    Problem.NO_LEGAL_MOVE: "is no legal move",
    Problem.AMBIGUOUS: "fits more than one legal move",
}


def rejected(problem: Problem, movetext: bytes, offset: int, board: chess.Board) -> Rejected:
    """The outcome of a replay that stopped.

    Args:
        problem: what stopped it.
        movetext: the whole movetext.
        offset: where in it the token begins that stopped the replay, in bytes.
        board: the position reached before it; its move stack tells the ply.
    """
    word = _WORD.match(movetext, offset)
    token = word[0] if word else movetext[offset : offset + SHOWN_LEN + 1]
    shown = repr(token[:SHOWN_LEN].decode("ascii", "backslashreplace")) + ("…" if len(token) > SHOWN_LEN else "")
    return Rejected(problem.reason, f"{shown} {_WORDING[problem]} at ply {board.ply()} in {board.fen()}")
