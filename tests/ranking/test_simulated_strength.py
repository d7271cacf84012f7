"""Players of known strength: the simulation itself, and what intervals and bounds say of them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks import elo_simulation
from benchmarks.elo_simulation import bound_check, coverage, main
from benchmarks.simulated_pairs import (
    POINTS,
    GameModel,
    SimulatedLadder,
    pair_probabilities,
    pentanomial_probabilities,
)
from eval.elo import expected_score

RESULTS = Path(elo_simulation.__file__).parent / "results"


@pytest.mark.parametrize("model", [GameModel(), GameModel(240, 300, 0), GameModel(0, 0, 200)], ids=str)
def test_pairs_have_exactly_the_expected_score(model: GameModel) -> None:
    for difference in (-700.0, 0.0, 130.0):
        joint = pair_probabilities(difference, model)
        assert joint.sum() == pytest.approx(1)
        assert (joint.sum(axis=0) + joint.sum(axis=1)) @ POINTS / 2 == pytest.approx(expected_score(difference))
        counts = pentanomial_probabilities(difference, model)
        assert counts.sum() == pytest.approx(1)
        assert counts @ np.arange(5) / 4 == pytest.approx(expected_score(difference))


def test_games_of_a_pair_depend_on_each_other_through_their_opening() -> None:
    """What suits White pulls the two games of a pair apart, what suits a player pulls them together."""

    def covariance(model: GameModel) -> float:
        joint = pair_probabilities(0.0, model)
        return float(sum(joint[i, j] * (POINTS[i] - 0.5) * (POINTS[j] - 0.5) for i, j in product(range(3), repeat=2)))

    assert covariance(GameModel(colour=0, style=0)) == pytest.approx(0)
    assert covariance(GameModel(colour=300, style=0)) < -0.03
    assert covariance(GameModel(colour=0, style=200)) > 0.02


def test_a_simulated_ladder_plays_what_it_says() -> None:
    ladder = SimulatedLadder((100, 50), pairs=7, pairs_beyond=3)
    assert ladder.truth == {"p00": 0.0, "p01": 100.0, "p02": 150.0}
    outcomes = ladder.play(np.random.default_rng(0))
    met = [(outcome.player_a, outcome.player_b) for outcome in outcomes]
    assert {pair: met.count(pair) for pair in set(met)} == {("p01", "p00"): 7, ("p02", "p01"): 7, ("p02", "p00"): 3}


def test_intervals_of_a_ladder_cover_the_truth_at_their_nominal_rate() -> None:
    """100 ladders; where 95 % of intervals cover, fewer than 90 % would be a matter of 1 in 50 for one player."""
    found = coverage("", SimulatedLadder((50, 200, 120, 300), pairs=50), runs=100, seed=1)
    assert found.bounds == 0
    assert found.infinite == 0
    assert 0.90 <= found.covered <= 0.99
    assert found.lowest >= 0.88


def test_one_sided_bounds_hold() -> None:
    """The bound may be false in 2.5 % of runs: 8 or more of 100 would have a probability of 0.4 %."""
    found = bound_check(650, runs=100, seed=2)
    assert found.with_bound > 0
    assert found.false_bound <= 0.07
    assert found.false_bound + found.false_interval <= 0.12


def test_the_whole_simulation_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elo_simulation, "LADDERS", {"two | players": SimulatedLadder((100,), pairs=20)})
    monkeypatch.setattr(elo_simulation, "BOOTSTRAPPED", ("two | players",))
    monkeypatch.setattr(elo_simulation, "BOUND_GAPS", (600,))
    monkeypatch.setattr(elo_simulation, "SPRTS", elo_simulation.SPRTS[5:6])
    main(out=tmp_path / "results", runs=10, tests=5, seed=3, jobs=1)
    results = json.loads((tmp_path / "results" / "elo_simulation.json").read_text())
    assert results["format"] == elo_simulation.FORMAT
    assert [row["how"] for row in results["coverage"]] == ["profile likelihood", "percentile bootstrap"]
    assert [row["truth"] for row in results["sprt"]] == ["H0", "H1"]
    text = (tmp_path / "results" / "elo_simulation.md").read_text()
    assert "| two | players | percentile bootstrap | 2 |" in text


def test_committed_results_meet_their_bars() -> None:
    """Of the full simulation: 93 to 97 % of intervals, and error rates of tests at or below what is allowed."""
    results = json.loads((RESULTS / "elo_simulation.json").read_text())
    for row in results["coverage"]:
        if row["how"] == "profile likelihood":
            assert row["runs"] >= 1_000
            assert 0.93 <= row["covered"] <= 0.97
    for row in results["bounds"]:
        assert row["false_bound"] <= 0.025
    for row in results["sprt"]:
        assert row["wrong"] <= row["allowed"]
        assert row["undecided"] == 0
