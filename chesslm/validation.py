"""Validation during training: METRICS section 1 on games of the val split that never change during a run.

Knows: which games and plies are asked, and how their measures become one line of the log.
Doesn't know: how a position is measured (`inference`), or intervals and comparisons (`eval`).

The positions are one uniformly random ply of each of the val games of smallest hash; the losses are taken over whole
games of the same list. All of it is computed in float32, whatever the training computes in.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from chesslm.config import ValidationSection
from chesslm.errors import ConfigError, InputError
from chesslm.game import Game
from chesslm.game_files import smallest_hash_games
from chesslm.inference import GameMeasure, Position, PositionMeasure, measure_games, measure_positions
from chesslm.model import Decoder
from chesslm.notation import Notation


class Validator:
    """Asks a model the same questions at every validation of a run.

    Args:
        section: how many games, and the seed of the plies.
        games: val games, smallest moves hash first.
        notation: the run's.
        context_len: tokens; every game asked must fit whole.

    Raises:
        ConfigError: a game doesn't fit; names the key and the game.
    """

    def __init__(
        self, section: ValidationSection, games: Sequence[Game], notation: Notation, *, context_len: int
    ) -> None:
        self._notation = notation
        self._loss_games = list(games[: section.loss_games])
        asked = games[: section.positions]
        self._positions = [Position(game, random_ply(game, section.seed)) for game in asked if game.san]
        lens = [(len(notation.encode_game(game).ids), game.id) for game in {*self._loss_games, *asked}]
        longest, game_id = max(lens)
        if longest > context_len:
            raise ConfigError(f"model.context_len is {context_len}, but val game {game_id} has {longest} tokens")

    def measure(self, model: Decoder) -> dict[str, Any]:
        """The values of a validation line, in the order in which they are printed."""
        measures = measure_positions(model, self._notation, self._positions)
        return {**position_means(measures), **loss_means(measure_games(model, self._notation, self._loss_games))}


def val_games(folder: Path, section: ValidationSection) -> list[Game]:
    """The val games of smallest hash that a validation needs, fewer if there are fewer.

    Raises:
        InputError: the split is empty.
    """
    games = smallest_hash_games(folder, "val", max(section.positions, section.loss_games))
    if not any(game.san for game in games):
        raise InputError(f"{folder}: the val split has no games, and training validates on them")
    return games


def random_ply(game: Game, seed: int) -> int:
    """A uniformly random ply of a game, the same wherever the game stands in a list.

    >>> random_ply(Game("a", ("e4", "e5", "Nf3"), "*"), seed=0)
    1
    """
    return random.Random(f"{seed}|{' '.join(game.san)}").randrange(len(game.san))


def position_means(measures: Sequence[PositionMeasure]) -> dict[str, Any]:
    """Means over positions: rates in [0, 1], `move_nats` in nats a move."""
    return {
        "n": len(measures),
        "first_choice_legal": fmean(measure.first_choice_legal for measure in measures),
        "legal_mass": fmean(measure.legal_mass for measure in measures),
        "move_nats": -fmean(measure.move_logprob for measure in measures),
        "move_match": fmean(measure.move_match for measure in measures),
        "end_mass": fmean(measure.end_mass for measure in measures if measure.end_mass is not None),
    }


def loss_means(measures: Sequence[GameMeasure]) -> dict[str, Any]:
    """Nats of all tokens of all games over their predicted tokens, and over their plies."""
    nats = math.fsum(measure.text_nats for measure in measures)
    return {
        "num_loss_games": len(measures),
        "val_loss_nats": nats / sum(measure.num_tokens for measure in measures),
        "text_nats_per_move": nats / max(1, sum(measure.num_plies for measure in measures)),
    }
