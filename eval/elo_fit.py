"""Maximum likelihood of the logistic model of strength, for one table of results or for a thousand at once.

Knows: the likelihood of E = 1/(1+10^((Rj-Ri)/400)) with a draw as half a point, when it has a maximum, and where.
Doesn't know: pairs of games, intervals, names; players are indices.

B: tables (or none) · P: players. `points[b, i, j]` is what i scored against j. Ratings are natural: Elo * ln(10)/400.

The likelihood of a table has a maximum, and only one (up to a shift), if every player leads to every other by points
scored (Zermelo 1929; Ford 1957). Otherwise players fall into groups that do lead to each other; those that lead to a
group without a way back are infinitely stronger.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from eval.intervals import Floats

Mask = npt.NDArray[np.bool_]

NATURAL = math.log(10) / 400
"""Natural rating units an Elo point."""

_MAX_STEPS = 200
_TOLERANCE = 1e-9  # of a natural rating
# Where a likelihood grows for ever, the curvature fades with it; this much of it keeps a step finite.
_FLOOR = 1e-12


def leads_to(points: Floats) -> Mask:
    """Whether i scored against j, or against somebody who leads to j, from points (B, P, P), as (B, P, P)."""
    num_players = points.shape[-1]
    reach = (points > 0) | np.eye(num_players, dtype=bool)
    # Each product doubles the length of the ways that are seen.
    for _ in range(max(1, math.ceil(math.log2(num_players)))):
        ways = reach.astype(np.float32)
        reach = ways @ ways > 0
    return np.asarray(reach)


def log_likelihood(points: Floats, ratings: Floats) -> Floats:
    """The sum of points (B, P, P) times ln E at ratings (B, P), as (B,)."""
    gaps = ratings[..., :, None] - ratings[..., None, :]
    return np.asarray((points * log_expit(gaps)).sum(axis=(-2, -1)))


def maximise(points: Floats, start: Floats, is_fixed: Mask) -> Floats:
    """Ratings (B, P) of greatest likelihood for points (B, P, P); where `is_fixed` (B, P), as in `start` (B, P).

    Newton's method. Along a step that changes no gap between two ratings by more than c, the curvature changes at most
    by e^c, so that ln(1+c)/c of the step never overshoots (Bach 2010, self-concordance of the logistic loss): no line
    search, and whole steps in the end.

    Where a likelihood has no maximum, ratings end far out, where nothing is gained any more.
    """
    games = points + points.swapaxes(-1, -2)
    ratings = start.astype(np.float64)
    diagonal = np.arange(ratings.shape[-1])
    free = ~is_fixed
    for _ in range(_MAX_STEPS):
        expected = expit(ratings[..., :, None] - ratings[..., None, :])
        slope = np.where(free, (points - games * expected).sum(axis=-1), 0.0)
        weights = games * expected * (1 - expected)
        curvature = np.where(free[..., :, None] & free[..., None, :], -weights, 0.0)
        curvature[..., diagonal, diagonal] = np.where(free, weights.sum(axis=-1) + _FLOOR, 1.0)
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        widest = step.max(axis=-1) - step.min(axis=-1)
        step *= (np.log1p(widest) / np.maximum(widest, np.finfo(np.float64).tiny))[..., None]
        ratings += step
        if np.abs(step).max(initial=0.0) < _TOLERANCE:
            break
    return ratings
