"""The sequential test: a public reference, its laws, and how often it errs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from benchmarks.elo_simulation import error_rate
from benchmarks.simulated_pairs import GameModel
from chesslm.errors import InputError
from eval.elo import expected_score
from eval.sprt import Sprt

COUNTS = st.lists(st.integers(0, 200), min_size=5, max_size=5)


def test_ratio_is_the_one_that_fishtest_has() -> None:
    """The raw statistics of a public test: "Logistic (exact) -0.53772" for logistic bounds 0 and 2.716."""
    assert Sprt(0, 2.716).llr([13, 37, 50, 25, 3]) == pytest.approx(-0.53772, abs=2e-4)


@pytest.mark.parametrize("counts", [[13, 37, 50, 25, 3], [1, 1, 1, 1, 1], [40, 3, 2, 1, 1]])
def test_ratio_is_that_of_the_likeliest_distributions(counts: list[int]) -> None:
    """By a general optimiser over all distributions of pairs with the right mean."""
    scores = np.arange(5) / 4

    def greatest(score: float) -> float:
        constraints = [
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ scores - score},
        ]
        found = minimize(
            lambda p: -np.dot(counts, np.log(p)) / sum(counts),
            np.full(5, 0.2),
            bounds=[(1e-9, 1)] * 5,
            constraints=constraints,
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 500},
        )
        return float(-found.fun * sum(counts))

    expected = greatest(expected_score(80)) - greatest(expected_score(-10))
    assert Sprt(-10, 80).llr(counts) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(COUNTS)
def test_the_other_players_ratio_is_the_negative(counts: list[int]) -> None:
    assert Sprt(-7, 20).llr(counts) == pytest.approx(-Sprt(-20, 7).llr(counts[::-1]), abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(COUNTS)
def test_many_ratios_are_those_of_one_at_a_time(counts: list[int]) -> None:
    others = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 900], [5, 0, 0, 0, 5]]
    test = Sprt(0, 30)
    together = test.llrs(np.array([counts, *others]))
    assert together == pytest.approx([test.llr(row) for row in (counts, *others)], abs=1e-9)
    assert np.isfinite(together).all()


def test_decisions_follow_the_bounds() -> None:
    test = Sprt(0, 100, alpha=0.05, beta=0.1)
    assert test.bounds == pytest.approx((math.log(0.1), math.log(20)))
    assert test.decision([0, 0, 0, 0, 0]) == "continue"
    assert test.decision([2, 5, 9, 6, 3]) == "continue"
    assert test.decision([0, 2, 10, 30, 40]) == "accept H1"
    assert test.decision([40, 30, 10, 2, 0]) == "accept H0"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((5.0, 5.0), "elo0 must be less than elo1, and they are 5 and 5"),
        ((0.0, math.inf), "elo0 must be less"),
        ((math.nan, 1.0), "elo0 must be less"),
        ((0.0, 5.0, 0.0), "alpha must lie between 0 and 0.5, and it is 0"),
        ((0.0, 5.0, 0.05, 0.7), "beta must lie between 0 and 0.5, and it is 0.7"),
    ],
)
def test_impossible_tests_are_refused(values: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sprt(*values)


@pytest.mark.parametrize("is_h1", [False, True], ids=["H0", "H1"])
def test_simulated_tests_err_as_seldom_as_promised(is_h1: bool) -> None:
    """100 runs; 11 errors or more would have a probability of 1.1 % at a rate of 5 %."""
    found = error_rate(Sprt(0, 100), GameModel(), h1=is_h1, runs=100, seed=4)
    assert found.undecided == 0
    assert found.wrong <= 0.10
    assert 10 < found.mean_pairs < 100
