"""How sure a fitted strength is: the bootstrap over pairs of games, and bounds for those who won or lost everything.

Knows: resampling within match-ups, and the likelihood of having won or lost everything.
Doesn't know: labels, Elo (ratings are natural, see `elo_fit`), or how an end is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from eval.elo_fit import Mask, leads_to, log_likelihood, maximise
from eval.intervals import CONFIDENCE, Floats

TAIL = (1 - CONFIDENCE) / 2
_PAIR_POINTS = np.array([0.0, 0.5, 1.0, 1.5, 2.0])


@dataclass(frozen=True, slots=True, eq=False)
class MatchUp:
    """All pairs of games between two players.

    Args:
        first, second: their indices.
        counts: (5,) pairs that brought `first` 0, 0.5, 1, 1.5 and 2 points.
    """

    first: int
    second: int
    counts: Floats

    def add_to(self, points: Floats, counts: Floats) -> None:
        """Add what such counts, (B, 5), bring both players to points (B, P, P)."""
        of_first = counts @ _PAIR_POINTS
        points[..., self.first, self.second] += of_first
        points[..., self.second, self.first] += 2 * counts.sum(axis=-1) - of_first


def bootstrap_intervals(
    match_ups: Sequence[MatchUp], fitted: Floats, tied: Mask, origin: int, *, resamples: int, seed: int
) -> Floats:
    """(2, P): low and high ends of the percentile bootstrap over pairs, stratified by match-up."""
    generator = np.random.default_rng(seed)
    num_players = len(fitted)
    points = np.zeros((resamples, num_players, num_players))
    for match_up in match_ups:
        n = match_up.counts.sum()
        match_up.add_to(points, generator.multinomial(int(n), match_up.counts / n, size=resamples).astype(np.float64))
    leads = leads_to(points)
    up, down = leads[:, :, origin], leads[:, origin, :]
    inside = up & down
    points *= inside[:, :, None] & inside[:, None, :]
    is_fixed = ~inside
    is_fixed[:, origin] = True
    ratings = maximise(points, np.where(inside, fitted * tied, 0.0), is_fixed)
    lows = np.where(inside, ratings, np.where(up, np.inf, -np.inf))
    highs = np.where(inside, ratings, np.where(down, -np.inf, np.inf))
    return np.stack(
        [np.quantile(lows, TAIL, axis=0, method="lower"), np.quantile(highs, 1 - TAIL, axis=0, method="higher")]
    )


def outer_bounds(points: Floats, fitted: Floats, leads: Mask, origin: int) -> Floats:
    """(P,): the rating at which what was seen is as rare as a tail, for players below or above the anchor's group."""
    best = _best(points)
    bounds = np.full(len(fitted), np.nan)
    for player in range(len(fitted)):
        is_below, is_above = leads[origin, player] and not leads[player, origin], leads[player, origin]
        if leads[origin, player] == leads[player, origin]:
            continue
        sign = 1.0 if is_below else -1.0
        assert is_below or is_above

        def excess(rating: float, player: int = player) -> float:
            return _profile(points, player, rating, origin) - best - math.log(TAIL)

        inner, outer = 0.0, 0.0
        while excess(inner) < 0:
            inner -= sign * 1.0
        outer = inner
        while excess(outer) > 0:
            outer += sign * 1.0
        bounds[player] = brentq(excess, *sorted((inner, outer)), xtol=1e-6)
    return bounds


def _best(points: Floats) -> float:
    leads = leads_to(points)
    tied = leads & leads.T
    inner = points * tied
    is_fixed = np.zeros(len(points), dtype=bool)
    is_fixed[np.unique(tied.argmax(axis=1))] = True  # one of each group
    ratings = maximise(inner, np.zeros(len(points)), is_fixed)
    return float(log_likelihood(inner, ratings))


def _profile(points: Floats, player: int, rating: float, origin: int) -> float:
    start = np.zeros(len(points))
    start[player] = rating
    is_fixed = np.zeros(len(points), dtype=bool)
    is_fixed[[player, origin]] = True
    return float(log_likelihood(points, maximise(points, start, is_fixed)))
