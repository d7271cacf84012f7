"""Wilson, and the bootstrap that all metrics of a measurement share."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eval.intervals import (
    ALIKE,
    BOOTSTRAP,
    CONFIDENCE,
    NONE,
    RESAMPLES,
    Floats,
    GameBootstrap,
    Interval,
    alike,
    wilson,
)


@pytest.mark.parametrize("module", ["intervals", "metrics", "new_positions", "pgn"])
def test_examples_in_docstrings_are_true(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"eval.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_value_and_stays_in_the_unit_interval(case: tuple[int, int]) -> None:
    hits, n = case
    interval = wilson(hits, n)
    # The formula of Wilson (1927), written down on its own.
    z = stats.norm.ppf(0.975)
    centre = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    assert interval.low == pytest.approx(max(0.0, centre - half), abs=1e-9)
    assert interval.high == pytest.approx(min(1.0, centre + half), abs=1e-9)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def mean(bootstrap: GameBootstrap, values: Floats) -> Interval:
    return bootstrap.interval(values[:, None], lambda sums: sums[..., 0] / len(values))


def test_bootstrap_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, 1.0, 250)
    ours = mean(GameBootstrap(len(values), seed=3), values)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", confidence_level=CONFIDENCE, rng=1
    ).confidence_interval
    spread = theirs.high - theirs.low
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * spread)


def test_bootstrap_depends_on_the_seed_alone() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert mean(GameBootstrap(50, seed=1), values) == mean(GameBootstrap(50, seed=1), values)
    assert mean(GameBootstrap(50, seed=1), values) != mean(GameBootstrap(50, seed=2), values)


def test_many_games_are_resampled_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pieces, there are as many resamples, each of as many games."""
    values = np.random.default_rng(0).normal(5.0, 1.0, 400)
    at_once = mean(GameBootstrap(400, seed=1), values)
    monkeypatch.setattr("eval.intervals._MAX_COUNTS", 400 * 300)
    bootstrap = GameBootstrap(400, seed=1)
    sums = bootstrap._resampled_sums(np.ones((400, 1)))
    assert sums.shape == (RESAMPLES, 1)
    assert (sums == 400).all()
    in_pieces = mean(bootstrap, values)
    assert in_pieces.low == pytest.approx(at_once.low)
    assert in_pieces.high == pytest.approx(at_once.high)


def test_equal_columns_have_no_difference_at_all() -> None:
    values = np.random.default_rng(0).normal(size=(300, 1))
    both = np.concatenate([values, values], axis=1)
    games = GameBootstrap(300, seed=0)

    def difference(sums: Floats) -> Floats:
        return (sums[..., 0] - sums[..., 1]) / 300

    unbounded = games.interval(both, difference)
    assert (unbounded.value, unbounded.is_known, unbounded.how) == (0.0, False, NONE)
    # 300 pairs without a difference: hardly more than one in a hundred has one.
    of_rates = games.interval(both, difference, scale=(-1.0, 1.0))
    assert (of_rates.low, of_rates.value, of_rates.high, of_rates.how) == (
        pytest.approx(0.025 ** (1 / 300) - 1),
        0.0,
        pytest.approx(1 - 0.025 ** (1 / 300)),
        ALIKE,
    )


def test_columns_of_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows for 2 games"):
        GameBootstrap(2, seed=0).interval(np.ones((3, 1)), lambda sums: sums[..., 0])
    with pytest.raises(ValueError, match="no game"):
        GameBootstrap(0, seed=0)


@pytest.mark.parametrize("n", [1, 2, 6, 100])
def test_alike_games_have_the_ends_of_clopper_and_pearson(n: int) -> None:
    for hits in (0, n):
        exact = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
        found = alike(hits / n, n, (0.0, 1.0))
        assert (found.low, found.high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))


@pytest.mark.parametrize("n", range(1, 12))
def test_pairs_that_all_differ_alike_are_told_from_none_as_mcnemar_has_it(n: int) -> None:
    found = alike(1.0, n, (-1.0, 1.0))
    assert (found.low > 0) == (stats.binomtest(n, n).pvalue < 1 - CONFIDENCE)
    assert (alike(-1.0, n, (-1.0, 1.0)).high < 0) == (found.low > 0)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_no_distribution_on_two_values_makes_alike_games_lie_too_often(n: int) -> None:
    """How often all games are alike and the interval misses, exactly: never beyond 5 %, nowhere on the scale."""
    worst = 0.0
    for low, high in ((0.0, 1.0), (0.2, 1.0), (0.0, 0.05)):
        for share in np.linspace(0.001, 0.999, 999):
            truth = low + share * (high - low)
            found = {value: alike(value, n, (0.0, 1.0)) for value in (low, high)}
            missed = {value: not (interval.low <= truth <= interval.high) for value, interval in found.items()}
            worst = max(worst, missed[high] * share**n + missed[low] * (1 - share) ** n)
    assert 0 < worst <= 1 - CONFIDENCE


@pytest.mark.parametrize(("n", "truth"), [(1, 0.05), (5, 0.05), (20, 0.01)])
def test_few_games_that_hardly_differ_are_covered(n: int, truth: float) -> None:
    """The better model is right where the other isn't in few positions: mostly the sample shows none of them."""
    generator = np.random.default_rng(n)
    games = GameBootstrap(n, seed=0)
    num_runs, hits, num_alike = 400, 0, 0
    for _ in range(num_runs):
        gained = (generator.random((n, 1)) < truth).astype(np.float64)
        found = games.interval(gained, lambda sums: sums[..., 0] / n, scale=(-1.0, 1.0))
        hits += found.low <= truth <= found.high
        num_alike += found.how != BOOTSTRAP
    # Without a width these would all have missed.
    assert num_alike > 0.6 * num_runs
    assert hits >= CONFIDENCE * num_runs


def test_one_game_says_nothing_of_a_mean_without_bounds() -> None:
    found = GameBootstrap(1, seed=0).interval(np.array([[2.5]]), lambda sums: sums[..., 0])
    assert (found.value, found.is_known, found.how) == (2.5, False, NONE)
