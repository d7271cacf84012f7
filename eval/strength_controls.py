"""Controls of the harness: a model against itself must come out level (METRICS section 3).

Knows: the two controls, their games and what passes.
Doesn't know: how games are played; they are part of the match that they control.

The same player without chances plays each pair's two games alike, so it makes exactly half a point a game in each
pair, or something depends on the colour or the seat. Two seats with chances, seeded differently and in unpaired games,
make half the points up to chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from chesslm.model_player import ModelPlayer
from chesslm.player import Player
from eval.contenders import Contender
from eval.intervals import GameBootstrap
from eval.match_game import Fixture, PlayedGame
from eval.match_schedule import Pairing, pairs_at_most, schedule, unpaired
from eval.match_seats import Contestant
from eval.strength_match import Rules
from eval.strength_records import ControlRecord

SAMPLED_TEMPERATURE = 0.5


class ModelControls:
    """Both controls of a model.

    Args:
        contender: the model.
        num_games: even; of each control. Without chances there is at most a pair an opening.
        rules: of the match.
    """

    def __init__(self, contender: Contender, num_games: int, rules: Rules) -> None:
        self._contender = contender
        self._num_games = num_games
        self._rules = rules
        self._same = self._labels("itself")
        self._sampled = self._labels("itself, sampled")

    def contestants(self) -> list[Contestant]:
        """Two seats for each control; each is asked by itself, and each sampled one has its own seed."""
        return [
            *(self._contestant(label, 0.0, 0) for label in self._same),
            *(self._contestant(label, SAMPLED_TEMPERATURE, index) for index, label in enumerate(self._sampled)),
        ]

    def series(self) -> list[Iterable[Fixture]]:
        """The games of the first control and of the second."""
        num_pairs = pairs_at_most(self._num_games // 2, both_deterministic=True)
        return [
            schedule([Pairing(*self._same, num_pairs)], seed=self._rules.seed),
            unpaired(*self._sampled, self._num_games, seed=self._rules.seed),
        ]

    def records(self, games: Iterable[PlayedGame]) -> list[ControlRecord]:
        """What the games of a match, others among them, say of this model."""
        games = list(games)
        same = [game for game in games if game.fixture.white in self._same]
        sampled = [game for game in games if game.fixture.white in self._sampled]
        return [self._same_record(same), self._sampled_record(sampled)]

    def _same_record(self, games: Sequence[PlayedGame]) -> ControlRecord:
        first = self._same[0]
        by_pair: dict[int, list[float]] = {}
        for game in games:
            by_pair.setdefault(game.fixture.pair, []).append(game.points_of(first))
        scores = [sum(points) / len(points) for points in by_pair.values()]
        return ControlRecord(
            model=self._contender.label,
            kind="same player, pairs",
            temperature=0.0,
            games=len(games),
            score=float(np.mean(scores)),
            low=min(scores),
            high=max(scores),
            distinct_games=len({game.moves_digest for game in games}),
            passed=all(score == 0.5 for score in scores),
        )

    def _sampled_record(self, games: Sequence[PlayedGame]) -> ControlRecord:
        points = np.array([[game.points_of(self._sampled[0])] for game in games])
        bootstrap = GameBootstrap(len(games), seed=self._rules.seed)
        # A few games that all went alike don't make the next one certain.
        interval = bootstrap.interval(points, lambda sums: sums[..., 0] / len(games), scale=(0.0, 1.0))
        return ControlRecord(
            model=self._contender.label,
            kind="sampled, unpaired",
            temperature=SAMPLED_TEMPERATURE,
            games=len(games),
            score=interval.value,
            low=interval.low,
            high=interval.high,
            distinct_games=len({game.moves_digest for game in games}),
            passed=interval.low <= 0.5 <= interval.high,
        )

    def _labels(self, what: str) -> tuple[str, str]:
        return f"{self._contender.label} against {what}, 1", f"{self._contender.label} against {what}, 2"

    def _contestant(self, label: str, temperature: float, index: int) -> Contestant:
        def seat(cycle: int) -> Player:
            # Seeds of the two seats never meet, however often the book is gone through.
            return ModelPlayer(
                self._contender.model,
                self._contender.notation,
                name=label,
                temperature=temperature,
                seed=2 * (self._rules.seed + cycle) + index,
            )

        return Contestant(label=label, player=label, seat=seat, is_batched=True, is_deterministic=temperature == 0)
