"""The report of every kind of results: legality by definition, tactics, probes; and the README's table."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import chess
import pytest

from chesslm.cli import main
from chesslm.errors import FormatError, InputError
from eval.cloze import NO_CASTLING, PLAYED
from eval.documents import append_document
from eval.probe import BEST_LAYER, MAJORITY, layer_name
from eval.records import (
    DifferenceRecord,
    GamesRecord,
    MeasureRecord,
    ModelRecord,
    ProbeRecord,
    ResultKind,
    Results,
    write_results,
)
from eval.report_inputs import read_inputs
from eval.results_table import BEGIN, END, results_table
from eval.strength_records import StrengthResults, write_strength

HOSTILE = '<img src=x>|$a_b$"'


def model(label: str, kind: str = "trained") -> ModelRecord:
    nobody = kind == "player"
    fields = {
        "label": label,
        "kind": kind,
        "source": label.removesuffix(" untrained"),
        "notation": "none" if nobody else "pgn",
        "vocabulary_len": 0 if nobody else 299,
        "vocabulary_fingerprint": "f" * 64,
        "checkpoint_digest": None if nobody else "d" * 64,
        **dict.fromkeys(("params_trunk", "params_embedding", "params_head", "context_len"), 0 if nobody else 1_000),
        **dict.fromkeys(("step", "games_seen", "tokens_seen"), None if nobody else 17),
        "train_seconds": None if nobody else 90.0,
    }
    return ModelRecord.model_validate(fields)


def measure(metric: str, label: str, value: float, **more: object) -> MeasureRecord:
    fields = {
        "seed": 3,
        "policy": f"policy of {metric}",
        "games_digest": "g" * 64,
        "commit": None,
        "metric": metric,
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
    }
    return MeasureRecord.model_validate({**fields, **more})


def results(kind: ResultKind, labels: list[ModelRecord], measures: list[MeasureRecord], **more: object) -> Results:
    games = GamesRecord(
        source="games",
        kind="folder",
        split="test",
        digest="g" * 64,
        games=500,
        chosen=400,
        left_out={},
        train_games=None,
    )
    fields = {
        "kind": kind,
        "chesslm_version": "0.1.0",
        "commit": "c" * 40,
        "seed": 3,
        "positions_asked": 400,
        "games": games,
        "models": tuple(labels),
        "measures": tuple(measures),
        "differences": (),
    }
    return Results.model_validate({**fields, **more})


def legality() -> Results:
    return results(
        "legality",
        [model("pgn"), model(HOSTILE), model("random", "player")],
        [
            measure("first_choice_legal", "pgn", 0.8),
            measure("first_choice_legal", HOSTILE, 0.6),
            measure("move_match", "random", 0.1),
            measure("first_choice_legal", "pgn", 0.4, subset="class: in check", n=20),
            measure("first_choice_legal", "pgn", 0.3, subset="suite class: in check", n=21),
            measure("first_choice_legal", "pgn", 0.5, subset="after 20 random plies", n=60),
            measure("retry_failures", "pgn", 0.25, unit="attempts"),
            measure("square_cloze_legal_move", "pgn", 0.7, subset="prefixes of 51-100 plies", detail=PLAYED),
            measure("square_cloze_legal_move", "pgn", 0.6, subset="prefixes of 51-100 plies", detail=NO_CASTLING),
            measure("completion_legal", "pgn", 0.2, subset="whole games", n=50),
            measure("first_illegal_ply", "pgn", 14.5, subset="written games", unit="plies", n=50),
            measure("free_running_survival", "pgn", 0.9, subset="written games", detail="10 plies", n=50),
        ],
    )


def tactics() -> Results:
    return results(
        "tactics",
        [model("pgn")],
        [
            measure("mate_in_one", "pgn", 0.33, n=200),
            measure("puzzle_solved", "pgn", 0.2, n=90),
            measure("puzzle_solved", "pgn", 0.1, subset="rating 1000-1199", n=40),
            measure("puzzle_solved", "pgn", 0.5, subset="rating 600-799", n=40),
            measure("puzzle_solved", "pgn", 0.4, subset="theme fork", n=9),
        ],
    )


def probes() -> Results:
    metrics = ("probe_piece", "probe_turn")
    measures = [
        measure(metric, label, value, detail=detail, n=70)
        for label, value in (("pgn", 0.9), ("pgn untrained", 0.7))
        for metric in metrics
        for detail in (layer_name(0), layer_name(1), BEST_LAYER, MAJORITY)
    ]
    measures += [measure("probe_square", "pgn", 0.9, detail=name, n=70) for name in chess.SQUARE_NAMES]
    shown = measure("probe_piece", "pgn", 0.2, detail=BEST_LAYER, n=70).model_dump(
        exclude={"model", "notation", "checkpoint_digest", "first_ply", "last_ply"}
    )
    difference = DifferenceRecord(
        **shown,
        model_a="pgn",
        model_b="pgn untrained",
        checkpoint_digest_a=None,
        checkpoint_digest_b=None,
        excludes_zero=True,
    )
    record = ProbeRecord(
        train_games=50,
        validation_games=10,
        test_games=70,
        train_positions=250,
        validation_positions=50,
        test_positions=350,
        best_layers={label: dict(zip(metrics, (1, 0), strict=True)) for label in ("pgn", "pgn untrained")},
    )
    models = [model("pgn"), model("pgn untrained", "untrained")]
    return results("probe", models, measures, differences=(difference,), probe=record)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, strength_results: Callable[[], StrengthResults]) -> Path:
    """Inputs of every kind, a README, and `out`, the report of them all."""
    folder = tmp_path_factory.mktemp("kinds")
    write_results(folder / "legality.json", legality())
    write_strength(folder / "strength.json", strength_results())
    for record in (tactics(), tactics(), probes()):
        append_document(folder / "rest.jsonl", record.model_dump(mode="json"))
    (folder / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    arguments = [str(folder / name) for name in ("legality.json", "strength.json", "rest.jsonl")]
    table = ["--readme", str(folder / "README.md"), "--made-by", "make results"]
    assert main(["report", *arguments, "--out", str(folder / "out"), *table]) == 0
    return folder


def section(folder: Path, title: str) -> str:
    markdown = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert f"## {title}\n" in markdown
    return markdown.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_legality_stands_in_every_definition_under_its_policy(folder: Path) -> None:
    own = section(folder, "Legality, in every definition that was measured")
    assert own.index("### First choice") < own.index("### Retry") < own.index("### Square cloze")
    assert "policy of retry\\_failures." in own
    assert "| retry, failed attempts a turn ↓ | all | 400 | 0.250 [0.200, 0.300] | – | – | – |" in own
    assert "| legal plies before the first illegal one, median ↑ | written games | 50 | 14.5" in own
    assert "after 20 random plies" in own.partition("### Out of distribution")[2]
    assert NO_CASTLING in own


def test_classes_stand_in_a_table_of_their_own_and_players_have_a_column(folder: Path) -> None:
    own = section(folder, "Legality by class, piece and phase")
    assert "| first choice legal ↑ | class: in check | 20 | 40.0 %" in own
    assert "suite class: in check" in own
    main_table = section(folder, "Results")
    assert "class:" not in main_table
    assert "| move match ↑ | all | 400 | – | – | 10.0 % [5.0, 15.0] | – |" in main_table


def test_tactics_and_probes_have_their_sections(folder: Path) -> None:
    own = section(folder, "Tactics")
    assert "| mate in one, lenient move ↑ | all | 200 | 33.0 %" in own
    assert own.index("rating 600-799") < own.index("rating 1000-1199") < own.index("theme fork")
    known = section(folder, "What the layers know about the board")
    row = "| piece on a square | pgn | after block 1 | 90.0 % [85.0, 95.0] | 70.0 % [65.0, 75.0] | **+20.0 points"
    assert row in known
    assert "| side to move | pgn | embedding |" in known
    assert (folder / "out" / "figures" / "probes_1.svg").is_file()


def test_the_page_of_all_kinds_is_self_contained_and_inert(folder: Path) -> None:
    html = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html
    assert not [fetch for fetch in (' src="', 'href="http', "url(http", "@import") if fetch in html]
    markdown = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert "<img" not in markdown


def test_all_tables_of_the_twin_are_rectangular(folder: Path) -> None:
    previous, widths = "", set[int]()
    for line in (folder / "out" / "report.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            widths = widths if previous.startswith("|") else set()
            widths.add(line.replace("\\|", "").count("|"))
            assert len(widths) == 1, line
        previous = line


def test_the_readme_gets_one_row_a_model_and_keeps_the_rest(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n| model | notation | first choice legal ↑<br>n = 400 |")
    assert text.endswith(f"\n{END}\nafter\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 4  # head, rule, two models
    assert rows[2].startswith("| pgn | pgn | 80.0 % [75.0, 85.0] |")
    assert rows[3].endswith("| 411 [−140, 904] | &lt; 427 |")
    assert "`make results`" in text
    assert "games digest `gggggggggggggggg`, split test, seed 3." in text
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


@pytest.mark.parametrize("text", ["nothing", f"{BEGIN}\n{BEGIN}\n{END}", f"{END}\n{BEGIN}"])
def test_a_file_without_its_marks_is_refused_before_any_work(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    write_results(tmp_path / "one.json", legality())
    arguments = ["--out", str(tmp_path / "out"), "--readme", str(tmp_path / "README.md")]
    assert main(["report", str(tmp_path / "one.json"), *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "README.md" in said
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text


def test_a_table_needs_a_trained_model(tmp_path: Path) -> None:
    players = results("legality", [model("random", "player")], [measure("move_match", "random", 0.1)])
    write_results(tmp_path / "one.json", players)
    with pytest.raises(InputError, match="no results of a trained model"):
        results_table(read_inputs([tmp_path / "one.json"]), "")


@pytest.mark.parametrize(("value", "n"), [(0.33, 210), (0.34, 200)])
def test_one_number_measured_twice_must_be_the_same(value: float, n: int, tmp_path: Path) -> None:
    again = results("tactics", [model("pgn")], [measure("mate_in_one", "pgn", value, n=n)])
    for record in (tactics(), again):
        append_document(tmp_path / "all.jsonl", record.model_dump(mode="json"))
    with pytest.raises(InputError, match=r"result 1 and .*result 2 can't be in one report: mate_in_one of 'pgn'"):
        read_inputs([tmp_path / "all.jsonl"])


def test_a_torn_last_line_of_results_is_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    append_document(tmp_path / "all.jsonl", tactics().model_dump(mode="json"))
    with (tmp_path / "all.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(probes().model_dump(mode="json"))[:1_000])
    with caplog.at_level(logging.WARNING):
        read = read_inputs([tmp_path / "all.jsonl"])
    assert [found.kind for found in read.results] == ["tactics"]
    assert "dropped a torn last line" in caplog.text


def test_a_line_of_another_format_is_named(tmp_path: Path) -> None:
    append_document(tmp_path / "all.jsonl", {"format": "chesslm-other/1"})
    with pytest.raises(FormatError, match=r"all\.jsonl, result 1: expected .* found 'chesslm-other/1'"):
        read_inputs([tmp_path / "all.jsonl"])
