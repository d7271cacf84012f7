"""How sure a fitted strength is: profile likelihood over pairs of games, bounds for those who won or lost everything.

Knows: how much likelihood an end of an interval costs, pairs being what varies, and where on the scale that is.
Doesn't know: labels, Elo (ratings are natural, see `elo_fit`), or how an end is told.

P: players · E: ends that are looked for, all at once.

An end is the rating at which the likelihood, everybody else free to move, is lower than the greatest by a given drop:

- For a player that is tied to the anchor by points both ways, `q**2 / 2` times the ratio of two variances: the one that
  pairs really show (the sandwich) and the one that the likelihood believes in, which knows no draws and no openings
  (vertical adjustment of Chandler and Bate 2007). q is Student's, with Welch and Satterthwaite's degrees of freedom.
- For a player that isn't, `-ln 0.025`: it is the rating at which having won (or lost) everything has a probability of
  2.5 %. With one opponent of known strength this is Clopper and Pearson's bound on the score.

The percentile bootstrap over pairs covers less: benchmarks/results/elo_simulation.md has both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import norm
from scipy.stats import t as student

from eval.elo_fit import Mask, leads_to, log_likelihood, maximise
from eval.intervals import CONFIDENCE, Floats

Indices = npt.NDArray[np.int64]

TAIL = (1 - CONFIDENCE) / 2
PAIR_POINTS = np.array([0.0, 0.5, 1.0, 1.5, 2.0])

_NORMAL = float(norm.ppf(1 - TAIL))
_FAR = 20.0  # beyond any end: as a gap, a score of 2e-9
_MAX_STEPS = 100
_TOLERANCE = 1e-7  # of a natural rating
_NO_DROP = 1e-12


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

    def add_to(self, points: Floats) -> None:
        """Add what both players scored to points (P, P)."""
        of_first = self.counts @ PAIR_POINTS
        points[self.first, self.second] += of_first
        points[self.second, self.first] += 2 * self.counts.sum() - of_first

    def variance(self, expected: float) -> float:
        """Of a pair's points, if a game is expected to bring `expected`.

        One more pair counts that varies as two games without draws do: that all pairs of a few ended alike doesn't
        make the next one certain.
        """
        mean = self.counts @ PAIR_POINTS / self.counts.sum()
        squares = self.counts @ (PAIR_POINTS - mean) ** 2
        return float((squares + 2 * expected * (1 - expected)) / self.counts.sum())


def tied_intervals(points: Floats, match_ups: Sequence[MatchUp], fitted: Floats, tied: Mask, origin: int) -> Floats:
    """Low and high ends (2, P) of the 95 % intervals; of use only where `tied` (P,), and not for the origin.

    Args:
        points: (P, P).
        match_ups: where they come from.
        fitted: (P,) of greatest likelihood where tied.
        tied: (P,) to the origin by points both ways; the origin is.
        origin: the player whose rating is 0.
    """
    inner = points * np.outer(tied, tied)
    ends = np.stack([fitted, fitted])
    players = np.flatnonzero(tied & (np.arange(len(fitted)) != origin))
    if len(players):
        drops, spreads = _drops(inner, match_ups, fitted, players)
        start = np.where(tied, fitted, 0.0)
        best = float(log_likelihood(inner, start))
        guesses = np.concatenate([fitted[players] - spreads, fitted[players] + spreads])
        found = _ends(inner, start, np.tile(players, 2), guesses, np.tile(drops, 2), best, ~tied, origin)
        ends[:, players] = found.reshape(2, -1)
    return ends


def outer_bounds(points: Floats, fitted: Floats, leads: Mask, origin: int) -> Floats:
    """Ratings (P,) that players below the origin's group hardly exceed, those above it hardly fall short of.

    Args:
        points: (P, P).
        fitted: (P,) of greatest likelihood within the origin's group.
        leads: (P, P), of `leads_to(points)`.
        origin: the player whose rating is 0.

    Returns:
        NaN for all others.
    """
    bounds = np.full(len(fitted), np.nan)
    below, above = leads[origin] & ~leads[:, origin], leads[:, origin] & ~leads[origin]
    players = np.flatnonzero(below | above)
    if len(players):
        # Far out on the wrong side, from where the steps towards the bound never pass it.
        far = np.where(below[players], fitted.max() + _FAR, fitted.min() - _FAR)
        drops = np.full(len(players), -math.log(TAIL))
        nobody = np.zeros(len(fitted), dtype=bool)
        bounds[players] = _ends(points, fitted, players, far, drops, _supremum(points), nobody, origin)
    return bounds


def _drops(points: Floats, match_ups: Sequence[MatchUp], fitted: Floats, players: Indices) -> tuple[Floats, Floats]:
    """Of each player (E,): how much likelihood an end costs, and about how far from the fit it is."""
    games = points + points.T
    expected = expit(fitted[:, None] - fitted[None, :])
    weights = games * expected * (1 - expected)
    curvature = np.diag(weights.sum(axis=1)) - weights
    believed = np.zeros_like(points)
    believed[np.ix_(players, players)] = np.linalg.inv(curvature[np.ix_(players, players)])
    shown, uncertainty = np.zeros(len(points)), np.zeros(len(points))
    for match_up in match_ups:
        i, j = match_up.first, match_up.second
        if games[i, j]:
            num_pairs = match_up.counts.sum()
            part = (believed[:, i] - believed[:, j]) ** 2 * num_pairs * match_up.variance(expected[i, j])
            shown += part
            uncertainty += part**2 / num_pairs
    variance, variance_believed = shown[players], np.diag(believed)[players]
    quantile = student.ppf(1 - TAIL, variance**2 / uncertainty[players])
    # Two games can't vary more together than if both always ended alike, without draws: twice what is believed.
    drops = np.minimum(quantile**2 * variance / variance_believed, 2 * _NORMAL**2) / 2
    return drops, np.sqrt(2 * drops * variance_believed)


def _ends(
    points: Floats,
    start: Floats,
    players: Indices,
    first_guess: Floats,
    drops: Floats,
    best: float,
    left_out: Mask,
    origin: int,
) -> Floats:
    """Where the profile likelihood of each player (E,) has dropped as told, on the side of the first guess.

    Newton's method on a concave function: from outside it comes near without passing, and the first step from inside
    leads outside. The slope of a profile is the slope of the likelihood itself where everybody else is at their best.
    """
    rows = np.arange(len(players))
    is_fixed = np.tile(left_out, (len(players), 1))
    is_fixed[:, origin] = True
    is_fixed[rows, players] = True
    tables = np.broadcast_to(points, (len(players), *points.shape))
    ratings = np.tile(start, (len(players), 1))
    ends = first_guess.copy()
    for _ in range(_MAX_STEPS):
        ratings[rows, players] = ends
        ratings = maximise(tables, ratings, is_fixed)
        excess = log_likelihood(tables, ratings) - best + drops
        expected = expit(ratings[:, :, None] - ratings[:, None, :])
        slopes = (points - (points + points.T) * expected).sum(axis=-1)[rows, players]
        steps = np.where(drops > _NO_DROP, -excess / np.where(slopes == 0, 1.0, slopes), 0.0)
        ends += steps
        if np.abs(steps).max() < _TOLERANCE:
            break
    return ends


def _supremum(points: Floats) -> float:
    """The log-likelihood that is come near to where no rating reaches it: results between groups are certain there."""
    leads = leads_to(points)
    tied = leads & leads.T
    inner = points * tied
    is_fixed = np.zeros(len(points), dtype=bool)
    is_fixed[tied.argmax(axis=1)] = True  # one of each group
    return float(log_likelihood(inner, maximise(inner, np.zeros(len(points)), is_fixed)))
