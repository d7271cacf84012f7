"""Who sits at the boards of a match: players that start when they are needed, and are replaced when they fail.

Knows: which contestants are one player, asked for all their games at once; what a failure costs; that nothing outlives
the match.
Doesn't know: games or results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import chess

from chesslm.errors import GameTooLong, MissingToolError, PlayerError, UnsupportedPosition
from chesslm.player import ClosingPlayer, Decision, Player

MAX_FAILED_STARTS = 3


@dataclass(frozen=True)
class Contestant:
    """Somebody who takes part in a match.

    Args:
        label: unique in the match; under this name it is rated.
        player: contestants that name the same one share it: two policies of one model, for instance.
        seat: makes that player; takes how often the book has been gone through, and seeds its chances with it.
        is_strict: plays its first choices, and loses at the first illegal one.
        is_batched: answers many boards at once faster than one after the other. Such a player has no processes.
        is_deterministic: plays the same move in the same game whatever the seed.
    """

    label: str
    player: str
    seat: Callable[[int], Player]
    is_strict: bool = False
    is_batched: bool = False
    is_deterministic: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no decision."""

    kind: Literal["game too long", "player failure"]
    text: str


class Seats(ClosingPlayer):
    """All players of a match. Close it, and none of them is left."""

    def __init__(self) -> None:
        self._players: dict[tuple[str, int], Player] = {}
        self._failed_starts: dict[str, int] = {}

    def ask(self, contestant: Contestant, cycle: int, boards: Sequence[chess.Board]) -> list[Decision | Trouble]:
        """A decision for each board, or why there is none. A player that fails is replaced before the next board."""
        if contestant.is_batched:
            try:
                return list(self._player(contestant, cycle).choose_many(boards))
            except (GameTooLong, UnsupportedPosition, PlayerError, MissingToolError):
                pass  # because of one of these games, perhaps: asked one by one, the others go on
        return [self._ask_one(contestant, cycle, board) for board in boards]

    def close(self) -> None:
        """Close all players; whoever is asked again is seated anew."""
        while self._players:
            self._players.popitem()[1].close()

    def _ask_one(self, contestant: Contestant, cycle: int, board: chess.Board) -> Decision | Trouble:
        failed_starts = self._failed_starts.get(contestant.player, 0)
        if failed_starts >= MAX_FAILED_STARTS:
            return Trouble("player failure", f"can't be started, {failed_starts} times in a row")
        try:
            player = self._player(contestant, cycle)
        except (PlayerError, MissingToolError) as error:
            self._failed_starts[contestant.player] = failed_starts + 1
            return Trouble("player failure", str(error))
        self._failed_starts[contestant.player] = 0
        try:
            return player.choose_many([board])[0]
        except (GameTooLong, UnsupportedPosition) as error:
            return Trouble("game too long", str(error))
        except PlayerError as error:
            self._players.pop((contestant.player, cycle)).close()
            return Trouble("player failure", str(error))

    def _player(self, contestant: Contestant, cycle: int) -> Player:
        key = (contestant.player, cycle)
        if key not in self._players:
            self._players[key] = contestant.seat(cycle)
        return self._players[key]
