"""The `Player` protocol: everything that chooses moves, be it a model, an engine, a random mover or a person.

Knows: the contract, and the random player, which needs nothing else.
Doesn't know: torch, engines (`uci_player`) or models (`model_player`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import chess


@dataclass(frozen=True, slots=True)
class Decision:
    """What a player chose in one position.

    Args:
        move: the move to play; always legal.
        first_choice: what a model wrote, unmasked and greedy, as text.
        first_choice_move: what that reads as, if it is a legal move.
        legal_mass: sum of p over all legal moves, in [0, 1] (METRICS section 1).
        candidates: p(move | game) over all legal moves, best first; sums to `legal_mass`.
        error_kind: why the first choice is no legal move (METRICS section 2.8), where that is known.
    """

    move: chess.Move
    first_choice: str | None = None
    first_choice_move: chess.Move | None = None
    legal_mass: float | None = None
    candidates: tuple[tuple[chess.Move, float], ...] = ()
    error_kind: str | None = None


class Player(Protocol):
    """Chooses moves; used as a context manager so that nothing it started outlives it."""

    @property
    def name(self) -> str:
        """Shown to people and written into PGN headers."""
        ...

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """A decision for each board, in order. Boards carry their game's whole move stack.

        Raises:
            GameTooLong, UnsupportedPosition: the player can't go on in one of these games.
            PlayerError: an external player died, hung or answered with an illegal move.
        """
        ...

    def close(self) -> None:
        """Release whatever the player holds; harmless to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ClosingPlayer:
    """The context-manager half of `Player`, for players to inherit."""

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RandomPlayer(ClosingPlayer):
    """Plays a uniformly random legal move.

    The choice depends on the seed and the game so far, not on what was asked before, so a match that is
    stopped and resumed, or batched otherwise, plays the same games.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.name = "random"
        self._seed = seed

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """A uniformly random legal move for each board."""
        return [Decision(self._choose(board)) for board in boards]

    def _choose(self, board: chess.Board) -> chess.Move:
        moves = " ".join(move.uci() for move in board.move_stack)
        generator = random.Random(f"{self._seed}|{board.root().fen()}|{moves}")
        return generator.choice(sorted(board.legal_moves, key=chess.Move.uci))


def choose(player: Player, board: chess.Board) -> Decision:
    """`choose_many` for one board."""
    return player.choose_many([board])[0]
