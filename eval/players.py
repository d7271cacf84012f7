"""Players without a notation beside models: what of legality their decisions tell.

Knows: how a player of the ladder becomes an entrant, and which metrics a `Decision` gives.
Doesn't know: how players choose; a column that not all of a player's decisions give is left out.

A player that says nothing of probabilities (an engine) has only its moves: they are compared with the ones played.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import chess
import numpy as np

from chesslm.errors import GameError, InputError
from chesslm.inference import Position
from chesslm.measures import replayed
from chesslm.player import Decision, Player
from chesslm.san import ERROR_KINDS
from chesslm.uci_player import find_stockfish
from eval.aggregation import Quantity, mean_of
from eval.positions import Progress, silent
from eval.records import ModelRecord
from eval.rungs import parse_rungs

NO_NOTATION = "none"
TIMEOUT_S = 60.0
"""A player that says nothing for so long has died."""

# Decisions between two reports of progress.
_AT_ONCE = 256


@dataclass(frozen=True)
class PlayerEntrant:
    """A player and what its results say about it.

    Args:
        record: goes into the results file.
        player: decides.
        control_of: empty: players are controls of nobody.
    """

    record: ModelRecord
    player: Player
    control_of: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Unique among the entrants of a measurement."""
        return self.record.label


def player_entrant(player: Player, label: str) -> PlayerEntrant:
    """Any player as an entrant."""
    record = ModelRecord(
        label=label,
        kind="player",
        source=label,
        notation=NO_NOTATION,
        vocabulary_len=0,
        vocabulary_fingerprint="",
        checkpoint_digest=None,
        params_trunk=0,
        params_embedding=0,
        params_head=0,
        context_len=0,
        step=None,
        games_seen=None,
        tokens_seen=None,
        train_seconds=None,
    )
    return PlayerEntrant(record, player)


def load_players(names: Sequence[str], *, seed: int) -> list[PlayerEntrant]:
    """Rungs of the ladder by name (`rungs`); whoever loads players closes them.

    Raises:
        ConfigError: no rung is called so, or one is named twice.
        MissingToolError: Stockfish is needed and isn't there.
    """
    rungs = parse_rungs(names) if names else []
    stockfish = find_stockfish() if any(rung.needs_stockfish for rung in rungs) else None
    return [player_entrant(rung.seat(seed=seed, stockfish=stockfish, timeout_s=TIMEOUT_S), rung.name) for rung in rungs]


def decisions(entrant: PlayerEntrant, positions: Sequence[Position], progress: Progress = silent) -> list[Decision]:
    """A decision in each position.

    Raises:
        InputError: the player can't be asked in one of these games; names it.
        PlayerError: it died, hung or answered with an illegal move.
    """
    boards = [replayed(position)[0] for position in positions]
    found: list[Decision] = []
    for start in range(0, len(boards), _AT_ONCE):
        progress(entrant.label, start, len(boards))
        try:
            found += entrant.player.choose_many(boards[start : start + _AT_ONCE])
        except GameError as error:
            raise InputError(f"player {entrant.label}: {error}") from error
    progress(entrant.label, len(boards), len(boards))
    return found


def decision_quantities(positions: Sequence[Position], found: Sequence[Decision]) -> dict[str, Quantity]:
    """Metric -> its numbers a position; without the metrics that the decisions don't give."""
    played = [replayed(position)[1] for position in positions]
    columns: dict[str, list[float]] = {}
    if all(decision.first_choice is not None for decision in found):
        columns["first_choice_legal"] = [decision.first_choice_move is not None for decision in found]
        columns["free_move_match"] = [d.first_choice_move == move for d, move in zip(found, played, strict=True)]
    masses = [decision.legal_mass for decision in found if decision.legal_mass is not None]
    if len(masses) == len(found):
        columns["legal_mass"] = masses
    columns["move_match"] = [_favourite(d) == move for d, move in zip(found, played, strict=True)]
    if all(decision.candidates for decision in found):
        columns["move_nats"] = [_nats(d, move) for d, move in zip(found, played, strict=True)]
    return {metric: mean_of(metric, np.array(values, dtype=np.float64)) for metric, values in columns.items()}


def decision_error_kinds(found: Sequence[Decision]) -> list[Quantity]:
    """Each error kind's share, where the player says why its first choices are no moves."""
    if not all(d.first_choice is not None and (d.first_choice_move or d.error_kind) for d in found):
        return []
    return [
        mean_of("error_kind", np.array([d.error_kind == kind for d in found], dtype=np.float64), detail=kind)
        for kind in ERROR_KINDS
    ]


def _favourite(decision: Decision) -> chess.Move:
    """The most probable legal move; what is played, where probabilities aren't told."""
    return decision.candidates[0][0] if decision.candidates else decision.move


def _nats(decision: Decision, move: chess.Move) -> float:
    p = dict(decision.candidates).get(move, 0.0)
    return -math.log(p) if p > 0 else math.inf
