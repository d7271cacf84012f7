"""The report: what the page says follows from its input files, and hostile texts stay texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import chess
import pytest

from chesslm.cli import main
from chesslm.errors import FormatError, InputError, OutputError
from chesslm.files import write_bytes
from eval.learning_curves import RunCurve
from eval.records import (
    DifferenceRecord,
    GamesRecord,
    MeasureRecord,
    ModelRecord,
    Results,
    write_results,
)
from eval.report import write_report
from eval.report_inputs import ReportInputs, labels_of, read_inputs
from eval.report_tables import in_words
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


def difference_of(value: float, model_b: str = HOSTILE, **more: object) -> DifferenceRecord:
    shown = measure("pgn", value).model_dump(exclude={"model", "notation", "checkpoint_digest"})
    del shown["first_ply"], shown["last_ply"]
    models = {"model_a": "pgn", "model_b": model_b, "checkpoint_digest_a": None, "checkpoint_digest_b": None}
    return DifferenceRecord.model_validate({**shown, **models, "excludes_zero": value - 0.05 > 0, **more})


def results(difference: float = 0.2) -> Results:
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
            measure("pgn", 2.5, metric="text_nats_per_move", unit="nats", n=380),
            measure(HOSTILE, 3.5, metric="text_nats_per_move", unit="nats", n=1_400),
            measure("pgn", 0.3, metric="text_nats_per_move", unit="nats", detail="marks"),
        ),
        differences=(
            difference_of(difference),
            difference_of(0.75, "pgn untrained"),
            difference_of(0.01, "pgn untrained", metric="legal_mass"),
        ),
    )


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
def page(run_folder: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_controls_stand_in_a_table_of_their_own(page: Path) -> None:
    markdown = (page / "report.md").read_text(encoding="utf-8")
    own = markdown.partition("## Against the controls")[2].partition("\n## ")[0]
    (legal,) = [line for line in own.splitlines() if line.startswith("| first choice legal")]
    assert "| pgn | untrained | 81.2 % [76.2, 86.2] | 6.0 % [1.0, 11.0] | +75.0 points [+70.0, +80.0] |" in legal
    assert legal.endswith("| 400 | yes |")
    (mass,) = [line for line in own.splitlines() if line.startswith("| legal mass")]
    assert mass.endswith("| 400 | no |")
    main = markdown.partition("## Results")[2].partition("\n## ")[0]
    assert "untrained" not in main
    html = (page / "index.html").read_text(encoding="utf-8")
    assert "Against the controls" in html
    assert "<td>untrained</td>" in html


def test_every_row_says_how_many_positions_it_is_taken_over(page: Path) -> None:
    markdown = (page / "report.md").read_text(encoding="utf-8")
    assert "| first choice legal ↑ | all | 400 | 81.2 % [76.2, 86.2] |" in markdown
    assert "| text loss a move (nats) ↓ | all | 380–1,400 |" in markdown
    assert "| path blocked | 400 | 6.0 % [1.0, 11.0] | – |" in markdown
    assert "<td>380–1,400</td>" in (page / "index.html").read_text(encoding="utf-8")


def test_parts_of_a_loss_follow_it(page: Path) -> None:
    markdown = (page / "report.md").read_text(encoding="utf-8")
    assert "| text loss a move (nats): marks ↓ | all | 400 | 0.300 [0.250, 0.350] | – | – |" in markdown
    assert '<span class="part">marks</span>' in (page / "index.html").read_text(encoding="utf-8")


def test_both_twins_say_how_each_metric_was_measured(page: Path) -> None:
    assert "- first choice legal: first\\_choice\\_legal, version 1; greedy" in (page / "report.md").read_text(
        encoding="utf-8"
    )
    assert "first_choice_legal, version 1; greedy" in (page / "index.html").read_text(encoding="utf-8")


def test_the_terminal_table_is_narrow_and_names_the_controls_verdict(page: Path) -> None:
    lines = (page / "table.txt").read_text(encoding="utf-8").splitlines()
    verdict = "pgn − untrained: first choice legal +75.0 points [+70.0, +80.0]; legal mass +1.0 points [−4.0, +6.0]"
    assert verdict in lines
    assert not any("6.0 %" in line for line in lines)
    (legal,) = [line for line in lines if line.startswith("first choice legal")]
    assert legal.endswith("  400")
    assert lines[[line.startswith("text loss") for line in lines].index(True) + 1].startswith("  marks")


def test_the_terminal_table_of_two_models_fits(tmp_path: Path) -> None:
    named = results().model_dump_json().replace(json.dumps(HOSTILE), '"english"')
    write_results(tmp_path / "results.json", Results.model_validate_json(named))
    write_report(tmp_path / "out", read_inputs([tmp_path / "results.json"]), [])
    lines = (tmp_path / "out" / "table.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].split() == ["pgn", "english", "pgn", "−", "english", "n"]
    assert max(map(len, lines)) <= 110


def test_copies_in_fewer_bits_leave_the_pair_and_the_curves_to_the_models() -> None:
    def both(name: str) -> tuple[ModelRecord, ModelRecord]:
        one = model(name, source=name)
        return one, one.model_copy(update={"label": f"{name} int8", "checkpoint_digest": "int8:d"})

    curves = tuple(RunCurve(Path(name), "pgn", ()) for name in ("english", "pgn"))
    found = results().model_copy(update={"models": (*both("pgn"), *both("english"))})
    assert ReportInputs(results=(found,)).trained == ["pgn", "english", "pgn int8", "english int8"]
    assert labels_of(ReportInputs(curves, (found,))) == ["english", "pgn"]


def test_a_curve_over_plies_has_each_stretch_once_and_in_order() -> None:
    def file(*plies: int) -> Results:
        measures = tuple(measure("pgn", 0.7, subset=f"plies {ply}-", first_ply=ply, last_ply=None) for ply in plies)
        return results().model_copy(update={"measures": measures})

    inputs = ReportInputs(results=(file(20, 0), file(0, 10)))
    assert [found.first_ply for found in inputs.by_ply("first_choice_legal", "pgn")] == [0, 10, 20]


def test_a_perplexity_of_nothing_learned_has_few_digits() -> None:
    huge = measure("pgn", 2.5e13, metric="perplexity_per_move", unit="perplexity", low=2.4e13, high=2.6e13)
    assert in_words(huge) == "2.5e+13 [2.4e+13, 2.6e+13]"


def test_a_number_without_an_interval_says_so() -> None:
    nothing = {"low": None, "high": None, "interval": "none: one game"}
    assert in_words(measure("pgn", 0.8, **nothing)) == "80.0 % [–]"
    assert in_words(difference_of(-0.2, **nothing, excludes_zero=False), signed=True) == "−20.0 points [–]"


def test_without_an_interval_there_is_no_verdict_and_the_table_tells_why(tmp_path: Path) -> None:
    nothing = {"low": None, "high": None, "interval": "none: one game", "excludes_zero": False}
    single = results().model_copy(update={"differences": (difference_of(0.2, **nothing),)})
    write_report(tmp_path / "out", ReportInputs(results=(single,)), [])
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "there is no interval: no difference is shown" in html
    table = (tmp_path / "out" / "table.txt").read_text(encoding="utf-8")
    assert "+20.0 points [–]" in table
    assert "[–]: one game alone" in table


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


def other_results(**changes: object) -> Results:
    return Results.model_validate({**dict(results()), "kind": "likelihood", **changes})


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"games": results().games.model_copy(update={"digest": "h" * 64})}, "games' digest"),
        ({"games": results().games.model_copy(update={"split": "val"})}, "split is 'test' in the one and 'val'"),
        ({"games": results().games.model_copy(update={"chosen": 399})}, "measured games is 400 in the one and 399"),
        ({"seed": 4}, "seed is 3 in the one and 4 in the other"),
        (
            {"models": (results().models[0].model_copy(update={"checkpoint_digest": "e" * 64}), *results().models[1:])},
            "checkpoint_digest of model 'pgn'",
        ),
        ({"measures": (measure("pgn", 0.5, version=2),)}, "version of metric 'first_choice_legal'"),
    ],
)
def test_results_that_cannot_be_compared_are_refused(changes: dict[str, object], fact: str, tmp_path: Path) -> None:
    write_results(tmp_path / "one.json", results())
    write_results(tmp_path / "two.json", other_results(**changes))
    with pytest.raises(InputError) as caught:
        read_inputs([tmp_path / "one.json", tmp_path / "two.json"])
    for said in ("one.json", "two.json", fact):
        assert said in str(caught.value)


def test_models_from_two_files_stand_in_one_row(tmp_path: Path) -> None:
    write_results(tmp_path / "one.json", other_results(measures=(measure("pgn", 0.812),)))
    write_results(tmp_path / "two.json", other_results(measures=(measure(HOSTILE, 0.612),), models=results().models))
    write_report(tmp_path / "out", read_inputs([tmp_path / "one.json", tmp_path / "two.json"]), [])
    markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "| first choice legal ↑ | all | 400 | 81.2 % [76.2, 86.2] | 61.2 % [56.2, 66.2] |" in markdown


def test_a_folder_of_something_else_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path / "results.json", results())
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "index.html").write_text("mine", encoding="utf-8")
    assert main(["report", str(tmp_path / "results.json"), "--out", str(mine)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "mine" in said.err
    assert [path.name for path in mine.iterdir()] == ["index.html"]
    (mine / "report.json").write_text('{"format": "another/1"}', encoding="utf-8")
    with pytest.raises(OutputError, match="no report of ours"):
        write_report(mine, read_inputs([tmp_path / "results.json"]), [])
    with pytest.raises(OutputError, match="isn't a folder"):
        write_report(tmp_path / "results.json", read_inputs([tmp_path / "results.json"]), [])


def test_a_report_is_replaced_and_an_empty_folder_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "results.json", results())
    out = tmp_path / "out"
    out.mkdir()
    (out / ".report.json.123.tmp").write_text("{", encoding="utf-8")  # of a killed process
    for _ in range(2):
        assert main(["report", str(tmp_path / "results.json"), "--out", str(out)]) == 0
    assert "index.html" in capsys.readouterr().out


def test_a_killed_report_lacks_its_page_and_can_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path / "results.json", results())
    inputs = read_inputs([tmp_path / "results.json"])
    whole = write_bytes

    for killed_at in ("legality_by_ply.svg", "report.md", "table.txt", "index.html"):

        def write_until(path: Path, content: bytes, last: str = killed_at) -> None:
            if path.name == last:
                raise KeyboardInterrupt
            whole(path, content)

        monkeypatch.setattr("eval.report.write_bytes", write_until)
        with pytest.raises(KeyboardInterrupt):
            write_report(tmp_path / "out", inputs, [])
        assert not (tmp_path / "out" / "index.html").exists()
    monkeypatch.undo()
    write_report(tmp_path / "out", inputs, [])
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.json", "figures", "report.md", "table.txt", "index.html"}
