"""Pairs of games between players whose strength is known, for calibrating what is said of strength.

Knows: how openings, draws and strength make two games of a pair depend on each other, and their exact probabilities.
Doesn't know: ratings, intervals or tests; nothing here is fitted to them.

A game: the probabilities of a win and a loss are logistic in the Elo difference less and plus `draw_elo` (the model of
BayesElo). A pair: its opening is worth `colour` Elo (standard deviation) to White, so for one player in one game and
for the other in the other; and it suits one of the players by `style` Elo in both games. The centre of the difference
is solved for, so that the expected score over all openings is exactly that of the true Elo difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit

from eval.elo import PairOutcome, expected_score
from eval.elo_fit import NATURAL
from eval.intervals import Floats

POINTS = (0.0, 0.5, 1.0)
_NUM_NODES = 15
_WIDEST = 8_000.0  # Elo; a bracket around any centre


@dataclass(frozen=True, slots=True)
class GameModel:
    """What a pair of games is like, besides the players' strength; all in Elo.

    Args:
        draw_elo: 97: 27 % draws between equals; 240: 60 %.
        colour: spread of what openings are worth to White.
        style: spread of what openings are worth to one of the players.
    """

    draw_elo: float = 97.0
    colour: float = 120.0
    style: float = 60.0


@lru_cache(maxsize=256)
def pair_probabilities(elo_difference: float, model: GameModel) -> Floats:
    """(3, 3): of 0, 0.5 and 1 points in the first game and in the second, for the player who is so much stronger."""
    nodes, weights = hermegauss(_NUM_NODES)
    weights = np.outer(weights, weights) / weights.sum() ** 2
    colour, style = model.colour * nodes[:, None], model.style * nodes[None, :]

    def game(difference: Floats) -> Floats:
        win, loss = expit((difference - model.draw_elo) * NATURAL), expit((-difference - model.draw_elo) * NATURAL)
        return np.stack([loss, 1 - win - loss, win], axis=-1)

    def pair(centre: float) -> Floats:
        first, second = game(centre + style + colour), game(centre + style - colour)
        return np.asarray(np.einsum("cs,csi,csj->ij", weights, first, second))

    def excess(centre: float) -> float:
        joint = pair(centre)
        return float((joint.sum(axis=0) + joint.sum(axis=1)) @ POINTS) / 2 - expected_score(elo_difference)

    return pair(float(brentq(excess, -_WIDEST, _WIDEST, xtol=1e-9)))


def pentanomial_probabilities(elo_difference: float, model: GameModel) -> Floats:
    """(5,): of 0, 0.5, 1, 1.5 and 2 points in a pair."""
    joint = np.fliplr(pair_probabilities(elo_difference, model))
    return np.array([np.trace(joint, offset) for offset in (2, 1, 0, -1, -2)])


@dataclass(frozen=True, slots=True)
class SimulatedLadder:
    """Players of known strength, weakest first, and how many pairs they play.

    Args:
        gaps: Elo between neighbours.
        pairs: between neighbours.
        pairs_beyond: between players with one other between them.
        model: of their games.
    """

    gaps: Sequence[float]
    pairs: int
    pairs_beyond: int = 0
    model: GameModel = GameModel()

    @property
    def truth(self) -> dict[str, float]:
        """Elo by player; the weakest is the anchor, with 0."""
        return {f"p{i:02d}": float(sum(self.gaps[:i])) for i in range(len(self.gaps) + 1)}

    def play(self, generator: np.random.Generator) -> list[PairOutcome]:
        """All pairs once."""
        outcomes = []
        truth = self.truth
        players = list(truth)
        for apart, num_pairs in ((1, self.pairs), (2, self.pairs_beyond)):
            for weaker, stronger in zip(players, players[apart:], strict=False):
                cells = pair_probabilities(truth[stronger] - truth[weaker], self.model)
                for cell, count in enumerate(generator.multinomial(num_pairs, cells.ravel())):
                    points = POINTS[cell // 3], POINTS[cell % 3]
                    outcomes += [PairOutcome(stronger, weaker, points)] * count
        return outcomes
