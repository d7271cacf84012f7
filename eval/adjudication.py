"""Who has won a game that can't go on: Stockfish's word, or material where there is no Stockfish.

Knows: the limits (METRICS section 3), and what to do when the engine itself fails.
Doesn't know: why the game stopped.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import chess

from chesslm.errors import PlayerError
from chesslm.material_player import material_balance
from chesslm.player import ClosingPlayer
from chesslm.uci_player import UciPlayer

log = logging.getLogger(__name__)

NODES = 100_000
WIN_CENTIPAWNS = 300
WIN_PAWNS = 3

Result = Literal["1-0", "0-1", "1/2-1/2"]
By = Literal["stockfish", "material"]

_HASH_MEGABYTES = 16
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an unfinished game counts as.

    Args:
        result: never "*".
        by: who says so.
        text: why, for people.
    """

    result: Result
    by: By
    text: str


class Adjudicator(ClosingPlayer):
    """Judges positions; its engine starts when it is first needed.

    Args:
        stockfish: the engine's path; None to count material.
        nodes: positions it searches.
        timeout_s: seconds for a verdict; then the engine is ended.
    """

    def __init__(self, stockfish: Path | None, *, nodes: int = NODES, timeout_s: float = TIMEOUT_S) -> None:
        self._stockfish = stockfish
        self._timeout_s = timeout_s
        self._nodes = nodes
        self._engine: UciPlayer | None = None

    @property
    def policy(self) -> str:
        """What it goes by, for results."""
        if self._stockfish is None:
            return f"material, {WIN_PAWNS} pawns or more win, else a draw"
        return f"Stockfish at {self._nodes:,} nodes, {WIN_CENTIPAWNS} centipawns or more win, else a draw"

    def judge(self, board: chess.Board) -> Verdict:
        """The verdict on a position that has a legal move.

        Where the engine fails twice in a row, started anew in between, material decides and the verdict says why: a
        match never stops for it.
        """
        why = ""
        if self._stockfish is not None:
            for _ in range(2):
                try:
                    return self._ask(self._stockfish, board)
                except PlayerError as error:
                    self.close()
                    log.warning("the adjudicator failed: %s", error)
                    why = f" (the adjudicator failed: {error})"
        pawns = material_balance(board)
        return Verdict(_result(pawns, WIN_PAWNS), "material", f"material: {pawns:+d} pawns for White{why}")

    def close(self) -> None:
        """End the engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _ask(self, stockfish: Path, board: chess.Board) -> Verdict:
        if self._engine is None:
            options: dict[str, str | int | bool | None] = {"Threads": 1, "Hash": _HASH_MEGABYTES}
            self._engine = UciPlayer(stockfish, nodes=self._nodes, options=options, timeout_s=self._timeout_s)
        value = self._engine.best_lines(board, 1)[0].centipawns
        value = value if board.turn == chess.WHITE else -value
        text = f"Stockfish, {self._nodes:,} nodes: {value:+d} centipawns for White"
        return Verdict(_result(value, WIN_CENTIPAWNS), "stockfish", text)


def _result(value: int, limit: int) -> Result:
    if abs(value) < limit:
        return "1/2-1/2"
    return "1-0" if value > 0 else "0-1"
