"""`chesslm eval tactics`, from the command line to the results file."""

from __future__ import annotations

from pathlib import Path

import pytest

from chesslm.cli import main
from chesslm.game import Game
from eval.metrics import METRICS, TACTICS
from eval.records import read_results

HEADER = "PuzzleId,FEN,Moves,Rating,RatingDeviation,Popularity,NbPlays,Themes,GameUrl,OpeningTags"


@pytest.fixture
def puzzles(tmp_path: Path, games: list[Game]) -> Path:
    """A mate for White after two plies of five test games."""
    rows = [
        f"id{number},rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2,f1c4 g8f6,{900 + 100 * number},"
        f"80,90,100,opening short,https://lichess.org/{game.id}#2,"
        for number, game in enumerate(games[10:15])
    ]
    path = tmp_path / "puzzles.csv"
    path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    return path


def test_everything_is_measured_and_written(
    folder: Path, run_folder: Path, puzzles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tactics.json"
    command = ["eval", "tactics", "--model", str(run_folder), "--games", str(folder), "--puzzles", str(puzzles)]
    assert main([*command, "--json", str(out), "--controls"]) == 0
    said = capsys.readouterr().out
    results = read_results(out)
    assert (results.kind, results.games.chosen) == ("tactics", 45)
    assert results.games.left_out == {"no position with a mate in one": 1}
    assert results.puzzles is not None
    assert (results.puzzles.chosen, results.puzzles.joined) == (5, 5)
    for label in ("tiny", "tiny untrained", "uniform tokens (pgn)"):
        for metric in TACTICS:
            measure = results.find(metric, label)
            assert measure is not None
            assert measure.n == (5 if metric.startswith("puzzle") else 45)
            assert measure.policy == METRICS[metric].policy
    assert results.find("puzzle_solved", "tiny", "rating 1200-1399") is not None
    assert results.find("puzzle_solved", "tiny", "theme opening") is not None
    assert results.find_difference("mate_in_one", "tiny", "tiny untrained") is not None
    assert results.find_difference("mate_in_one_played", "tiny", "tiny untrained") is None
    assert "45 positions, one a game, of 46 games (test split of" in said
    assert "5 puzzles of 5" in said
    assert "mate in one, lenient move" in said
    first = out.read_bytes()
    assert main([*command, "--json", str(out), "--controls", "--force"]) == 0
    assert out.read_bytes() == first


def test_mistakes_get_one_line_and_leave_nothing(
    folder: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(f"{HEADER}\nx,y\n", encoding="utf-8")
    (tmp_path / "quiet.pgn").write_text("1. e4 e5 *\n", encoding="utf-8")
    model, games = ("--model", str(run_folder)), ("--games", str(folder))
    out = tmp_path / "out.json"

    def fails(*arguments: str, naming: str) -> None:
        assert main(["eval", "tactics", *arguments, "--json", str(out)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert naming in captured.err
        assert not out.exists()

    fails(*games, naming="--model")
    fails(*model, *games, "--puzzles", str(tmp_path / "bad.csv"), naming="bad.csv: line 2: 2 columns")
    fails(*model, *games, "--puzzles", str(tmp_path / "missing.csv"), naming="missing.csv")
    fails(*model, "--games", str(tmp_path / "quiet.pgn"), naming="no position with a mate in one")
