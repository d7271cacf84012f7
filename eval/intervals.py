"""95 % intervals: Wilson for a rate, the bootstrap over games for the rest, paired where two models are compared.

Knows: Wilson's score interval, the percentile bootstrap of any function of column sums, and what can be said where all
games are alike.
Doesn't know: metrics, models or positions; a row is one game's contribution, whatever that is.

The bootstrap knows nothing of values that no game has: where fewer than about ten games differ from all the others
(the legal mass of a model that hardly ever errs), its intervals are too narrow, and more games are needed. Where none
differs, or there is only one, resampling would give an interval without any width; `alike` takes its place.

Sources: Wilson (1927) as scipy has it; the percentile bootstrap of Efron (1979). scipy.stats.bootstrap gives the same
intervals (a test compares them) but draws anew for every statistic; here one set of resamples serves all. Alike games:
Markov's inequality, which for hits and misses gives the ends of Clopper and Pearson (1934).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Maps sums over games, of shape (..., columns), to values of shape (...)."""

CONFIDENCE = 0.95
RESAMPLES = 1_000
WILSON = "Wilson, 95 %"
BOOTSTRAP = "percentile bootstrap over games, 1,000 resamples, 95 %"
PAIRED_BOOTSTRAP = "paired percentile bootstrap over games, 1,000 resamples, 95 %"
ALIKE = "all games alike (or one alone), Markov's inequality within the scale, 95 %"
NONE = "none: all games alike (or one alone), and the scale has no ends"

Scale = tuple[float, float]
"""The least and the greatest value that one game can have."""

# Sums of the same numbers differ by so much, or so large a part of them.
_ROUNDING = 1e-12
# Resampling counts are kept, or made piece by piece, in arrays of at most this many numbers (32 MB).
_MAX_COUNTS = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the ends of its 95 % interval.

    Args:
        value: as measured.
        low, high: the ends; minus and plus infinity where nothing can be said.
        how: the interval was made, in words.
    """

    value: float
    low: float
    high: float
    how: str

    @property
    def is_known(self) -> bool:
        """Whether anything can be said."""
        return (self.low, self.high) != (-math.inf, math.inf)


def unknown(value: float, why: str) -> Interval:
    """A value that says nothing of what others would be; `why` begins with "none: "."""
    return Interval(value, -math.inf, math.inf, why)


def wilson(hits: int, n: int) -> Interval:
    """The share of hits among n trials.

    >>> interval = wilson(50, 100)
    >>> interval.value, round(interval.low, 3), round(interval.high, 3)
    (0.5, 0.404, 0.596)
    """
    ends = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / n, float(ends.low), float(ends.high), WILSON)


def alike(value: float, n: int, scale: Scale | None) -> Interval:
    """What n games that all had the same value say of the mean over all games.

    Counted from the lower end of the scale, a value of `mean / t` or more has a probability of at most t (Markov), n
    such games have t ** n, and that is 2.5 % at `t = 0.025 ** (1 / n)`; likewise from the upper end. Nothing else is
    assumed but that games weigh alike. Paired differences of hits that are all 1 are thus told from 0 from six games
    on, as McNemar's exact test has it.

    Args:
        value: of each game.
        n: games, 1 or more.
        scale: None where it has no ends, and nothing can be said.

    >>> certain = alike(1.0, 100, (0.0, 1.0))
    >>> certain.value, round(certain.low, 4), certain.high
    (1.0, 0.9638, 1.0)
    >>> alike(1.5, 100, None).is_known
    False
    """
    if scale is None:
        return unknown(value, NONE)
    bottom, top = scale
    t = ((1 - CONFIDENCE) / 2) ** (1 / n)
    low, high = bottom + t * (value - bottom), top - t * (top - value)
    # Sums of floats may leave the scale by a last digit.
    return Interval(value, min(value, low), max(value, high), ALIKE)


class GameBootstrap:
    """The same resamples of n games for every statistic, so that any two are paired.

    Args:
        num_games: rows of every table of columns given later, each row another game.
        seed: decides the resamples; the same for the same seed and number of games.
    """

    def __init__(self, num_games: int, *, seed: int) -> None:
        if num_games < 1:
            raise ValueError("no game to resample")
        self.num_games = num_games
        self._seed = seed
        self._chunk_len = max(1, min(RESAMPLES, _MAX_COUNTS // num_games))
        self._kept = self._counts(np.random.default_rng(seed), RESAMPLES) if self._chunk_len == RESAMPLES else None

    def interval(
        self, columns: Floats, statistic: Statistic, *, scale: Scale | None = None, how: str = BOOTSTRAP
    ) -> Interval:
        """The percentile interval of a statistic of the games' column sums, or that of `alike` games.

        Args:
            columns: (num_games, columns).
            statistic: of their sums.
            scale: of the statistic of one game; None: it has no ends.
            how: the interval of games that differ is made, in words.

        >>> games = GameBootstrap(3, seed=0)
        >>> games.interval(np.array([[0.0], [0.5], [1.0]]), lambda sums: sums[..., 0] / 3)
        Interval(value=0.5, low=0.0, high=1.0, how='percentile bootstrap over games, 1,000 resamples, 95 %')
        >>> games.interval(np.array([[1.0], [1.0], [1.0]]), lambda sums: sums[..., 0] / 3, scale=(0.0, 1.0)).how
        "all games alike (or one alone), Markov's inequality within the scale, 95 %"
        """
        if columns.shape[:1] != (self.num_games,):
            raise ValueError(f"{columns.shape[0]} rows for {self.num_games} games")
        values = statistic(self._resampled_sums(columns))
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(values, [tail, 1 - tail])
        value = float(statistic(columns.sum(axis=0)))
        if high - low <= _ROUNDING * max(1.0, abs(value)):
            return alike(value, self.num_games, scale)
        return Interval(value, float(low), float(high), how)

    def _resampled_sums(self, columns: Floats) -> Floats:
        if self._kept is not None:
            return self._kept @ columns
        generator = np.random.default_rng(self._seed)
        starts = range(0, RESAMPLES, self._chunk_len)
        lens = [min(self._chunk_len, RESAMPLES - start) for start in starts]
        return np.concatenate([self._counts(generator, chunk_len) @ columns for chunk_len in lens])

    def _counts(self, generator: np.random.Generator, num_resamples: int) -> Floats:
        """How often each game is in each resample, (num_resamples, num_games)."""
        drawn = generator.integers(0, self.num_games, (num_resamples, self.num_games))
        # One count for all resamples at once: each has a stretch of numbers of its own.
        drawn += np.arange(num_resamples)[:, None] * self.num_games
        counts = np.bincount(drawn.ravel(), minlength=num_resamples * self.num_games)
        return counts.reshape(num_resamples, self.num_games).astype(np.float64)
