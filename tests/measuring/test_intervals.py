"""Wilson, and the bootstrap that all metrics of a measurement share."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eval.intervals import CONFIDENCE, RESAMPLES, Floats, GameBootstrap, Interval, wilson


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
    interval = GameBootstrap(300, seed=0).interval(both, lambda sums: sums[..., 0] - sums[..., 1])
    assert interval == Interval(0.0, 0.0, 0.0)


def test_columns_of_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows for 2 games"):
        GameBootstrap(2, seed=0).interval(np.ones((3, 1)), lambda sums: sums[..., 0])
    with pytest.raises(ValueError, match="no game"):
        GameBootstrap(0, seed=0)
