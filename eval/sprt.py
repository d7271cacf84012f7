"""Which of two strengths is true, with as few pairs of games as it takes: a sequential probability ratio test.

Knows: the generalised likelihood ratio of two expected scores, given how many pairs brought how many points.
Doesn't know: who plays, or when somebody looks.

The test of Wald (1945) for H0, a strength difference of `elo0`, against H1, `elo1`; how often pairs end in which way is
not assumed but estimated under either hypothesis, which makes it a generalised one (GSPRT; Li, Liu and Ying 2014), as
fishtest has it for Stockfish (Van den Bergh, "A practical introduction to the GSPRT"). Pairs are what is counted: two
games from one opening are no independent games. Elo are logistic, as everywhere here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chesslm.errors import InputError
from eval.elo import expected_score
from eval.intervals import Floats

Decision = Literal["continue", "accept H0", "accept H1"]

_SCORES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_UNSEEN = 1e-3  # counts as so many pairs; fishtest's value, without which a score that was always 1 has no likelihood
_MAX_STEPS = 100
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Sprt:
    """A test of H0, `elo0`, against H1, `elo1`.

    Args:
        elo0, elo1: of the first player over the second; elo0 < elo1.
        alpha: probability of accepting H1 where H0 is true, at most.
        beta: probability of accepting H0 where H1 is true, at most.

    Raises:
        InputError: a value no test can have; names it.
    """

    elo0: float
    elo1: float
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not (math.isfinite(self.elo0) and math.isfinite(self.elo1) and self.elo0 < self.elo1):
            raise InputError(f"elo0 must be less than elo1, and they are {self.elo0:g} and {self.elo1:g}")
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < value < 0.5:
                raise InputError(f"{name} must lie between 0 and 0.5, and it is {value:g}")

    @property
    def bounds(self) -> tuple[float, float]:
        """At or below the first H0 is accepted, at or above the second H1.

        A likelihood ratio reaches 1/alpha under H0 with a probability of alpha at most, however long it goes on (Ville
        1939). Wald's usual (1-beta)/alpha, a little nearer, only holds both errors together below alpha + beta.

        >>> [round(bound, 2) for bound in Sprt(0, 5).bounds]
        [-3.0, 3.0]
        """
        return math.log(self.beta), -math.log(self.alpha)

    def llr(self, counts: Sequence[int] | npt.NDArray[np.int64]) -> float:
        """The logarithm of the likelihood ratio, H1 over H0.

        Args:
            counts: pairs that brought the first player 0, 0.5, 1, 1.5 and 2 points.

        >>> round(Sprt(0, 10).llr([13, 37, 50, 25, 3]), 2)
        -2.12
        """
        return float(self.llrs(np.asarray(counts)))

    def llrs(self, counts: npt.NDArray[np.int64]) -> Floats:
        """`llr` of many tests at once: counts (..., 5) to (...)."""
        pairs = np.where(counts == 0, _UNSEEN, counts)
        return _log_likelihood(pairs, expected_score(self.elo1)) - _log_likelihood(pairs, expected_score(self.elo0))

    def decision(self, counts: Sequence[int] | npt.NDArray[np.int64]) -> Decision:
        """What these pairs say; to be asked after each pair, or less often."""
        lower, upper = self.bounds
        llr = self.llr(counts)
        return "accept H0" if llr <= lower else "accept H1" if llr >= upper else "continue"


def _log_likelihood(pairs: Floats, score: float) -> Floats:
    """The greatest log-likelihood of pairs (..., 5) if a game's expected score is `score`; that of any score taken off.

    Among distributions of that mean, p/(1 + x*(a - score)) is the likeliest, for the x that makes it the mean (Owen
    1988); x is looked for by Newton's method, and by halving where that leaves the values that x can have.
    """
    gaps = _SCORES - score
    low = np.full(pairs.shape[:-1], -1 / gaps[-1])
    high = np.full(pairs.shape[:-1], -1 / gaps[0])
    x = np.zeros(pairs.shape[:-1])
    for _ in range(_MAX_STEPS):
        terms = gaps / (1 + x[..., None] * gaps)
        slope = (pairs * terms).sum(axis=-1)
        low, high = np.where(slope > 0, x, low), np.where(slope < 0, x, high)
        further = x + slope / (pairs * terms**2).sum(axis=-1)
        is_inside = (further > low) & (further < high)
        further = np.where(is_inside | (slope == 0), further, (low + high) / 2)
        change, x = np.abs(further - x).max(), further
        if change < _TOLERANCE:
            break
    return np.asarray(-(pairs * np.log1p(x[..., None] * gaps)).sum(axis=-1))
