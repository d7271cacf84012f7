"""Games that a model writes on its own: how they are counted, and the command's option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from chesslm.game import Game
from chesslm.notation.registry import default_notation
from chesslm.written_game import read_written_game
from eval.aggregation import Aggregator
from eval.cli import app
from eval.contenders import Contender, uniform_model
from eval.free_running import (
    ITALIAN,
    ITALIAN_GAMES,
    NEVER,
    NO_MEDIAN,
    SURVIVED_PLIES,
    FreeGame,
    castles_in_time,
    free_running_records,
    median,
    outcome,
    write_games,
)
from eval.records import read_results

PGN = default_notation("pgn")


def written(*sans: str, result: str = "1-0") -> list[int]:
    return PGN.encode_game(Game("", sans, result)).ids


@pytest.mark.parametrize(
    ("after", "castles"),
    [
        ("O-O d6", True),
        ("d3 Nf6 O-O", True),
        ("d3 d6 c3 Nf6 Nbd2 O-O Bb3 a6 O-O", True),
        ("d3 d6 c3 Nf6 Nbd2 O-O Bb3 a6 a3 a5 O-O", False),  # the eleventh ply
        ("d3 Nf6 c3 O-O", False),  # Black
        ("Ke3 Nf6 O-O", False),  # illegal before
        ("d3 Nf6 O-O-O", False),  # illegal itself
        ("", False),
    ],
)
def test_the_books_example_counts_white_castling_in_time(after: str, castles: bool) -> None:
    game = read_written_game(PGN, written(*ITALIAN, *after.split()))
    assert castles_in_time(game) is castles


def test_a_game_is_broken_by_an_illegal_move_alone() -> None:
    whole = read_written_game(PGN, written("f3", "e5", "g4", "Qh4#", result="0-1"))
    assert outcome(whole) == FreeGame(4, is_broken=False)
    resigned = read_written_game(PGN, written("e4", result="0-1"))
    assert outcome(resigned) == FreeGame(1, is_broken=False)
    broken = read_written_game(PGN, written("e4", "e5", "Ke3"))
    assert outcome(broken) == FreeGame(2, is_broken=True)
    cut = read_written_game(PGN, written("e4", "e5")[:-2])
    assert outcome(cut) == FreeGame(2, is_broken=False)


def test_the_median_has_the_order_statistics_around_it() -> None:
    assert median(np.array([7.0])).value == 7.0
    found = median(np.array([5.0, 1.0, 200.0, 3.0, 8.0, 2.0]))
    assert (found.low, found.value, found.high) == (1.0, 4.0, 200.0)


def test_five_games_are_too_few_for_an_interval_of_the_median() -> None:
    found = median(np.array([5.0, 1.0, 200.0, 3.0, 8.0]))
    assert (found.value, found.is_known, found.how) == (5.0, False, NO_MEDIAN)


@pytest.mark.parametrize("n", [6, 7, 20, 21])
def test_the_order_statistics_hold_the_median_as_often_as_they_say(n: int) -> None:
    generator = np.random.default_rng(n)
    found = [median(generator.random(n)) for _ in range(1_000)]
    hits = sum(interval.low <= 0.5 <= interval.high for interval in found)
    assert hits >= binom.ppf(0.001, len(found), 0.95)


def test_a_long_game_that_breaks_a_rule_at_last_is_broken(contender_of: Callable[..., Contender]) -> None:
    aggregator = Aggregator(seed=0, games_digest="g", commit=None)
    designed = contender_of(uniform_model(len(PGN.vocabulary), context_len=512, seed=0), PGN)
    games = [FreeGame(NEVER, is_broken=True), FreeGame(NEVER + 30, is_broken=True), *[FreeGame(12, False)] * 6]
    records = free_running_records(aggregator, designed, games, [True])
    found = {(record.metric, record.detail): record.value for record in records}
    assert found["free_running_legal", None] == 6 / 8
    assert found["free_running_survival", "140 plies"] == 1.0
    assert found["first_illegal_ply", None] == NEVER


def test_games_are_the_same_however_many_are_written_at_once(
    contender_of: Callable[..., Contender], runs: Path
) -> None:
    from eval.contenders import load_contenders

    contender = load_contenders([str(next(iter(sorted(runs.iterdir()))))], device="cpu", with_controls=False, seed=0)[0]
    few, more = write_games(contender, 2), write_games(contender, 3)
    assert [game.plies for game in more[:2]] == [game.plies for game in few]


def test_the_command_adds_what_models_write_on_their_own(
    runs: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(iter(sorted(runs.iterdir())))
    out = tmp_path / "legality.json"
    arguments = ["legality", "--model", str(run), "--games", str(folder), "--positions", "5", "--controls"]
    app([*arguments, "--free-running", "4", "--json", str(out)], standalone_mode=False)
    found = [m for m in read_results(out).measures if m.subset.startswith("written")]
    assert [m.detail for m in found if m.metric == "free_running_survival"] == [f"{k} plies" for k in SURVIVED_PLIES]
    assert {(m.metric, m.n) for m in found} == {
        ("free_running_legal", 4),
        ("free_running_survival", 4),
        ("first_illegal_ply", 4),
        ("book_castling", ITALIAN_GAMES),
    }
    assert "White castles within 10 plies" in " ".join(capsys.readouterr().out.split())
