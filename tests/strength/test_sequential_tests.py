"""`chesslm eval sprt`: one model against another until a test is sure."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.strength_records import read_strength

Run = Callable[..., tuple[int, str, str]]

SHORT = ("--plies", 24)

pytestmark = pytest.mark.usefixtures("no_stockfish")


def test_a_test_of_a_model_against_its_twin_accepts_no_difference(run: Run, runs: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(runs / "long", twin)
    models = ("--model", runs / "long", "--model", twin)
    out = tmp_path / "sprt.json"
    options = ("--elo0", 0, "--elo1", 200, "--max-pairs", 40, *SHORT, "--json", out, "--out", tmp_path / "match")
    # The two can't be told apart by their digests, so they are told apart by their names.
    code, said, _ = run("sprt", *models, *options)
    assert code == 0
    results = read_strength(out)
    assert results.sprt is not None
    assert (results.sprt.decision, results.anchor, results.ratings) == ("elo0", None, ())
    assert results.sprt.llr <= results.sprt.lower
    assert results.sprt.pairs * 2 == results.games < 80
    (pairing,) = results.pairings
    # The same network against itself: every pair is level.
    assert pairing.pentanomial == (0, 0, results.sprt.pairs, 0, 0)
    assert "0 Elo" in said
    assert run("sprt", *models, *options, "--force")[0] == 0
    again = read_strength(out)
    assert (again.sprt, again.games_digest) == (results.sprt, results.games_digest)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--max-pairs", 5_000), "--max-pairs: where nothing is drawn there are"),
        (("--max-pairs", 5_000, "--policy", "strict", "--temperature", 0.7), "--max-pairs: where nothing is drawn"),
        (("--temperature", "nan"), "--temperature"),
        (("--temperature", "inf"), "--temperature inf: not a finite number"),
        (("--policy", "lenient,strict"), "--policy: a test has one policy"),
        (("--elo1", -5), "elo0 must be less than elo1"),
    ],
)
def test_a_test_that_cannot_be_is_refused(more: tuple[object, ...], complaint: str, run: Run, runs: Path) -> None:
    code, _, err = run("sprt", "--model", runs / "long", "--model", runs / "short", *more)
    assert code == 2
    assert complaint in err.splitlines()[-1]


def test_a_test_needs_two_models(run: Run, runs: Path) -> None:
    code, _, err = run("sprt", "--model", runs / "long")
    assert code == 2
    assert "name two models" in err.splitlines()[-1]
