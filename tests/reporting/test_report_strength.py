"""The report of matches: ratings, bounds, counts, games, and which matches may stand side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from chesslm.cli import main
from chesslm.errors import FormatError, InputError
from eval.documents import append_document
from eval.ladder_table import load_ladder
from eval.match_log import CONFIG_FILE, GAMES_FILE
from eval.match_samples import match_samples
from eval.report_inputs import read_inputs
from eval.report_strength import ladder_marks
from eval.strength_records import RatingRecord, StrengthResults, write_strength

Strengths = Callable[..., StrengthResults]


def pgn(reason: str) -> str:
    headers = f'[White "<b>bold</b>"]\n[Black "y"]\n[Result "0-1"]\n[Reason "{reason}"]\n[Note "so *it* is"]\n'
    return f"{headers}\n1. f3 {{ first f3 }} 1... e5 2. g4 Qh4# 0-1\n\n"


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, strength_results: Strengths, sprt_results: StrengthResults
) -> Path:
    """A match, a sequential test, the shipped ladder, games, and the report of them all in `out`."""
    folder = tmp_path_factory.mktemp("matches")
    for record in (strength_results(), sprt_results, load_ladder().results):
        append_document(folder / "all.jsonl", record.model_dump(mode="json"))
    (folder / "match").mkdir()
    (folder / "match" / CONFIG_FILE).write_text('{"format": "chesslm-match/1"}', encoding="utf-8")
    (folder / "match" / GAMES_FILE).write_text(pgn("checkmate") + pgn("checkmate") + pgn("stalemate"), encoding="utf-8")
    names = ("all.jsonl", "match")
    assert main(["report", *(str(folder / name) for name in names), "--out", str(folder / "out")]) == 0
    return folder


def section(folder: Path, title: str) -> str:
    markdown = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert f"## {title}\n" in markdown
    return markdown.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_strength_shows_bounds_counts_and_rules(folder: Path) -> None:
    own = section(folder, "Strength")
    name = r"&lt;img src=x&gt;\|$a\_b$" + '"'
    assert f"| {name} | lenient | 411 \\[−140, 904\\] | 4 | 1 / 1 / 2 | 1 0 0 1 0 | 3 | 2 | 1 | 0 |" in own
    assert f"| {name} | strict | &lt; 427 |" in own
    assert "(adjudicated by stockfish)" in own
    assert "without Stockfish these rungs were left out: stockfish@50" in own
    assert "the shipped one" in own
    assert "### Controls" in own
    assert "−1.50 in (−2.94, 2.94) | undecided |" in own
    figure = (folder / "out" / "figures" / "ladder.svg").read_text(encoding="utf-8")
    assert figure.startswith("<svg")


def test_games_of_a_match_are_shown_once_for_each_way_to_end(folder: Path) -> None:
    shown = match_samples(folder / "match")
    assert [game.ending for game in shown] == ["checkmate: so *it* is", "stalemate: so *it* is"]
    assert shown[0].movetext == "1. f3 e5 2. g4 Qh4# 0-1"
    assert (shown[0].num_plies, shown[0].last_move) == (4, "d8h4")
    assert len(match_samples(folder / "match", num_games=1)) == 1
    assert "so \\*it\\* is" in section(folder, "Games from the matches")
    html = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "<b>bold" not in html


def test_a_game_that_cannot_be_replayed_is_named(tmp_path: Path) -> None:
    (tmp_path / GAMES_FILE).write_text(pgn("checkmate").replace("2. g4", "2. Ke5"), encoding="utf-8")
    logging.getLogger("chess.pgn").disabled = True
    with pytest.raises(FormatError, match="game 1"):
        match_samples(tmp_path)
    logging.getLogger("chess.pgn").disabled = False
    with pytest.raises(InputError, match="can't read"):
        match_samples(tmp_path / "nowhere")


def test_a_report_without_results_of_a_kind_has_no_section_for_it(tmp_path: Path, strength_results: Strengths) -> None:
    write_strength(tmp_path / "one.json", strength_results())
    assert main(["report", str(tmp_path / "one.json"), "--out", str(tmp_path / "out")]) == 0
    markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    titles = [line[3:] for line in markdown.splitlines() if line.startswith("## ")]
    assert titles == ["What was compared", "Strength", "How it was measured"]


def test_the_ladder_shows_models_among_rungs_strongest_first(tmp_path: Path, strength_results: Strengths) -> None:
    write_strength(tmp_path / "one.json", strength_results())
    marks = ladder_marks(read_inputs([tmp_path / "one.json"]))
    assert [mark.policy for mark in marks] == [None, None, "strict", "lenient"]
    (name,) = {mark.model for mark in marks[2:]}
    assert [mark.model for mark in marks] == [None, None, name, name]
    assert marks[2].rating.player == f"{name} strict"


def refused(tmp_path: Path, first: StrengthResults, second: StrengthResults) -> str:
    """Why the two can't be in one report."""
    write_strength(tmp_path / "one.json", first)
    write_strength(tmp_path / "two.json", second)
    with pytest.raises(InputError) as caught:
        read_inputs([tmp_path / "one.json", tmp_path / "two.json"])
    assert "one.json" in str(caught.value)
    assert "two.json" in str(caught.value)
    return str(caught.value)


def test_matches_of_other_seeds_rules_and_ladders_are_refused(tmp_path: Path, strength_results: Strengths) -> None:
    one = strength_results()
    shorter = one.policy.model_copy(update={"max_plies": 100})
    assert "the seed of matches is 3 in the one and 4" in refused(tmp_path, one, strength_results(seed=4))
    assert "the rule 'max_plies' of matches is 200" in refused(tmp_path, one, strength_results(policy=shorter))
    other_ladder = strength_results(kind="ladder", ladder=None, models=())
    assert "the digest of the ladder" in refused(tmp_path, one, other_ladder)


def test_a_model_is_rated_once_and_with_the_same_weights(
    tmp_path: Path, strength_results: Strengths, rating_record: Callable[..., RatingRecord]
) -> None:
    one = strength_results()
    (model,) = one.models
    again = rating_record(f"{model.label} strict", 1.0, 1.0, 1.0, "interval")
    assert "the rating of" in refused(tmp_path, one, strength_results(ratings=(again,)))
    other = model.model_copy(update={"checkpoint_digest": "e" * 64})
    assert "checkpoint_digest of model" in refused(tmp_path, one, strength_results(models=(other,)))
