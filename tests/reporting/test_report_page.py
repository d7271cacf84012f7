"""The report: what the page says follows from its input files, and hostile texts stay texts."""

from __future__ import annotations

import json
from pathlib import Path

import chess
import pytest

from chesslm.errors import FormatError, InputError
from chesslm.game import Game
from chesslm.notation.registry import default_notation
from chesslm.written_game import read_written_game
from eval.learning_curves import read_run_curve
from eval.records import (
    DifferenceRecord,
    GamesRecord,
    MeasureRecord,
    ModelRecord,
    Results,
    write_results,
)
from eval.report import in_words, read_inputs, write_report
from eval.sample_games import SampleGame

HOSTILE = '<script>alert("1|2")</script>'


def model(label: str, kind: str = "trained", source: str = "x") -> ModelRecord:
    return ModelRecord.model_validate(
        {
            "label": label,
            "kind": kind,
            "source": source,
            "notation": "pgn",
            "vocabulary_len": 299,
            "vocabulary_fingerprint": "f" * 64,
            "checkpoint_digest": "d" * 64,
            "params_trunk": 123_456,
            "params_embedding": 7_890,
            "params_head": 0,
            "context_len": 512,
            "step": 17,
            "games_seen": 1_700,
            "tokens_seen": 170_000,
            "train_seconds": 90.0,
        }
    )


def measure(label: str, value: float, **more: object) -> MeasureRecord:
    fields = {
        "seed": 3,
        "policy": "greedy",
        "games_digest": "g" * 64,
        "commit": None,
        "metric": "first_choice_legal",
        "version": 1,
        "detail": None,
        "unit": "rate",
        "subset": "all",
        "value": value,
        "n": 400,
        "low": value - 0.05,
        "high": value + 0.05,
        "interval": "Wilson, 95 %",
        "model": label,
        "notation": "pgn",
        "checkpoint_digest": None,
        "first_ply": None,
        "last_ply": None,
    }
    return MeasureRecord.model_validate({**fields, **more})


def results(difference: float = 0.2) -> Results:
    shown = measure("pgn", difference).model_dump(exclude={"model", "notation", "checkpoint_digest"})
    del shown["first_ply"], shown["last_ply"]
    return Results(
        kind="legality",
        chesslm_version="0.1.0",
        commit=None,
        seed=3,
        positions_asked=400,
        games=GamesRecord(
            source=HOSTILE,
            kind="folder",
            split="test",
            digest="g" * 64,
            games=500,
            chosen=400,
            left_out={"too long": 2},
            train_games=None,
        ),
        models=(model("pgn"), model(HOSTILE), model("pgn untrained", "untrained")),
        measures=(
            measure("pgn", 0.812),
            measure(HOSTILE, 0.612),
            measure("pgn untrained", 0.06),
            measure("pgn", 0.9, subset="plies 0-9", first_ply=0, last_ply=9),
            measure("pgn", 0.7, subset="plies 10-", first_ply=10, last_ply=None),
            measure("pgn", 0.06, metric="error_kind", detail="path blocked"),
        ),
        differences=(
            DifferenceRecord.model_validate(
                {
                    **shown,
                    "model_a": "pgn",
                    "model_b": HOSTILE,
                    "checkpoint_digest_a": None,
                    "checkpoint_digest_b": None,
                    "excludes_zero": difference - 0.05 > 0,
                }
            ),
        ),
    )


def run_folder(path: Path) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"config": {"data": {"notation": "pgn"}}}))
    lines = [
        {"kind": "train", "step": 1},
        *(
            {
                "kind": "validation",
                "games": games,
                "tokens": games * 100,
                "train_s": games / 7,
                "first_choice_legal": games / 200,
                "legal_mass": games / 300,
                "move_nats": 5 - games / 50,
                "n": 40,
            }
            for games in (0, 50, 100)
        ),
    ]
    (path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return path


def sample() -> SampleGame:
    return SampleGame(
        0,
        "1. e4 e5 2.",
        "Ke3 <b>",
        "piece doesn't move so",
        2,
        "illegal move",
        HOSTILE,
        chess.STARTING_BOARD_FEN,
        "e2e4",
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_results(folder / "results.json", results())
    run = run_folder(folder / "run")
    write_report(folder / "out", read_inputs([run, folder / "results.json"]), [("pgn", [sample()])])
    return folder / "out"


def test_the_page_is_self_contained_and_has_every_part(page: Path) -> None:
    html = (page / "index.html").read_text(encoding="utf-8")
    assert "81.2 % [76.2, 86.2]" in html
    assert "+20.0 points [+15.0, +25.0]" in html
    assert html.count("<svg") == 3  # curves, legality by ply, one board
    assert "path blocked" in html
    assert '<mark class="illegal">Ke3 &lt;b&gt;</mark>' in html
    assert not [fetch for fetch in ("src=", 'href="http', "url(http", "@import") if fetch in html]


def test_hostile_texts_stay_texts(page: Path) -> None:
    assert "<script" not in (page / "index.html").read_text(encoding="utf-8")
    markdown = (page / "report.md").read_text(encoding="utf-8")
    assert "<script" not in markdown
    assert "1\\|2" in markdown


def test_every_markdown_table_is_rectangular(page: Path) -> None:
    rows = [line for line in (page / "report.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    tables: list[list[int]] = []
    for line in rows:
        cells = line.replace("\\|", "").count("|")
        if set(line) <= {"|", "-"}:
            tables[-1].append(cells)
        elif not tables or (len(tables[-1]) > 1 and cells != tables[-1][0]):
            tables.append([cells])
        else:
            tables[-1].append(cells)
    assert len(tables) >= 3
    assert all(len(set(table)) == 1 for table in tables)


def test_the_figures_of_the_twin_are_files(page: Path) -> None:
    for name in ("learning_curves", "legality_by_ply"):
        assert f"figures/{name}.svg" in (page / "report.md").read_text(encoding="utf-8")
        assert (page / "figures" / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_same_inputs_give_the_same_bytes(page: Path, tmp_path: Path) -> None:
    inputs = read_inputs([page.parent / "run", page.parent / "results.json"])
    write_report(tmp_path / "again", inputs, [("pgn", [sample()])])
    for path in sorted(file for file in page.rglob("*") if file.is_file()):
        assert (tmp_path / "again" / path.relative_to(page)).read_bytes() == path.read_bytes()


def test_the_terminal_table_names_both_models(page: Path) -> None:
    table = (page / "table.txt").read_text(encoding="utf-8")
    assert table.splitlines()[0].split("  ")[0] == ""
    assert "first choice legal ↑" in table
    assert "plies" not in table


def test_a_difference_whose_interval_includes_zero_is_no_verdict(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", results(difference=0.02))
    write_report(tmp_path / "out", read_inputs([tmp_path / "results.json"]), [])
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "no difference is shown" in html
    assert "is better" not in html.replace("higher is better", "").replace("lower is better", "")


def test_a_loss_is_written_without_a_percent_sign() -> None:
    assert in_words(measure("pgn", 2.5, metric="move_nats", unit="nats")) == "2.500 [2.450, 2.550]"


def test_an_input_that_is_neither_run_nor_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_inputs([tmp_path / "nowhere"])
    (tmp_path / "other.json").write_text('{"format": "something/1"}')
    with pytest.raises(FormatError, match="something/1"):
        read_inputs([tmp_path / "other.json"])


def test_a_run_of_another_shape_is_named(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    (run / "config.json").write_text("{}")
    with pytest.raises(FormatError, match="run"):
        read_run_curve(run)


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_a_written_game_reads_back_to_its_end(name: str) -> None:
    notation = default_notation(name)
    game = Game("", ("f3", "e5", "g4", "Qh4#"), "0-1")
    ids = notation.encode_game(game).ids
    read = read_written_game(notation, ids)
    assert [ply.move.uci() for ply in read.plies if ply.move] == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert read.ending == "natural end"
    assert read.result == "0-1"


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_reading_stops_at_a_result_a_cut_and_an_illegal_move(name: str) -> None:
    notation = default_notation(name)
    resigned = notation.encode_game(Game("", ("e4", "e5"), "1-0")).ids
    assert read_written_game(notation, resigned).ending == "result"
    assert read_written_game(notation, resigned).result == "1-0"
    assert read_written_game(notation, resigned[:-2]).ending == "cut"
    illegal = notation.encode_game(Game("", ("e4", "e5", "Ke3", "Nc6"), "1-0")).ids
    read = read_written_game(notation, illegal)
    assert (read.ending, read.num_legal_plies, read.plies[-1].error_kind) == (
        "illegal move",
        2,
        "piece doesn't move so",
    )


def test_numbers_without_moves_are_no_game() -> None:
    pgn = default_notation("pgn")
    ids = [pgn.vocabulary.begin_id] + [pgn.vocabulary.id_of(f"{number}.") for number in range(1, 40)]
    read = read_written_game(pgn, ids)
    assert read.ending == "illegal move"
    assert read.num_legal_plies == 0
