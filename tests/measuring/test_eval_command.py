"""`chesslm eval legality` and `likelihood` as a user meets them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from rich.console import Console

from chesslm.cli import main
from chesslm.errors import OutputError
from chesslm.files import read_json
from eval.command import hand_out, progress_bars
from eval.intervals import ALIKE, PAIRED_BOOTSTRAP
from eval.legality import measure_legality
from eval.metrics import METRICS, TEXT_PARTS
from eval.positions import silent
from eval.records import Results, read_results
from eval.study import prepare_study
from eval.tables import summary, tables

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `chesslm eval …`: exit code, standard output, standard error."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["eval", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def legality(runs: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, str]:
    """Results of both tiny models with controls, and what was printed."""
    out = tmp_path_factory.mktemp("results") / "legality.json"
    models = ("--model", runs / "pgn", "--model", runs / "english")
    options = ("--positions", 40, "--seed", 3, "--controls", "--device", "cpu", "--json", out)
    said = io.StringIO()
    with redirect_stdout(said):
        assert main(["eval", "legality", "--games", str(folder), *map(str, models), *map(str, options)]) == 0
    return read_results(out), said.getvalue()


def test_legality_measures_every_model_on_the_same_positions(
    legality: tuple[Results, str], folder: Path, runs: Path
) -> None:
    results, _ = legality
    assert results.kind == "legality"
    assert (results.seed, results.positions_asked, results.games.chosen) == (3, 40, 40)
    assert results.games.digest == read_json(folder / "manifest.json")["games_digest"]
    labels = [model.label for model in results.models]
    assert labels[:3] == ["pgn", "english", "pgn untrained"]
    by_position = {
        "first_choice_legal",
        "first_choice_tolerant",
        "legal_mass",
        "end_mass",
        "move_match",
        "free_move_match",
        "move_nats",
        "mark_accuracy",
    }
    for label in labels:
        for subset in ("all", "new", "after ply 20"):
            sizes = {results.find(metric, label, subset).n for metric in by_position}
            assert sizes == {results.find("legal_mass", "pgn", subset).n}
        assert results.find("move_match", label, "after ply 10") is not None
        assert results.find("legal_mass", label, "after ply 10") is None
        kinds = [m for m in results.measures if m.metric == "error_kind" and m.model == label]
        legal = results.find("first_choice_legal", label)
        assert legal is not None
        assert sum(kind.value for kind in kinds) == pytest.approx(1 - legal.value)
        assert sum(measure.n for measure in results.by_ply("legal_mass", label)) == 40
        for partition in ("moved: ", "phase: "):
            parts = [m for m in results.measures if m.metric == "legal_mass" and m.model == label]
            assert sum(m.n for m in parts if m.subset.startswith(partition)) == 40


def test_every_number_carries_what_it_needs(legality: tuple[Results, str]) -> None:
    results, _ = legality
    digests = {model.label: model.checkpoint_digest for model in results.models}
    for measure in results.measures:
        metric = METRICS[measure.metric]
        assert (measure.version, measure.unit, measure.policy) == (metric.version, metric.unit, metric.policy)
        assert measure.seed == 3
        assert measure.games_digest == results.games.digest
        assert measure.checkpoint_digest == digests[measure.model]
        assert measure.commit == results.commit
        if measure.ends is None:
            # Of a loss, one position alone says nothing, nor do positions that are all alike (the uniform control's).
            assert measure.unit == "nats"
            assert measure.interval.startswith("none: ")
        else:
            assert measure.n > 1 or measure.unit == "rate"
            assert measure.ends[0] <= measure.value <= measure.ends[1]
            assert "95 %" in measure.interval
    pairs = {(record.model_a, record.model_b) for record in results.differences}
    assert ("pgn", "english") in pairs
    assert ("english", "uniform tokens (english)") in pairs
    for record in results.differences:
        one = results.find(record.metric, record.model_a, record.subset)
        other = results.find(record.metric, record.model_b, record.subset)
        assert one is not None
        assert other is not None
        assert record.value == pytest.approx(one.value - other.value, abs=1e-9)
        assert record.n == one.n == other.n
        # Where all positions are alike, resampling them would say nothing.
        assert record.interval in (PAIRED_BOOTSTRAP, ALIKE) or record.ends is None


def test_the_tables_show_the_numbers(legality: tuple[Results, str]) -> None:
    results, said = legality
    assert "40 positions, one a game, of 140 games (test split of" in said
    assert "not in any of 200 train games" in said
    for title in ("Models", "Controls", "Paired differences", "Illegal first choices by kind"):
        assert title in said
    mass = results.find("legal_mass", "pgn")
    assert mass is not None
    assert f"{mass.value:.4f} [{mass.low:.4f}, {mass.high:.4f}]" in said
    assert "pgn − english" in said
    assert "error_kind" not in said
    assert "plies" not in said


def test_the_same_command_writes_the_same_bytes(run: Run, runs: Path, folder: Path, tmp_path: Path) -> None:
    written = []
    for name in ("a.json", "b.json"):
        code, _, errors = run(
            "legality", "--games", folder, "--model", runs / "pgn", "--positions", "15", "--json", tmp_path / name
        )
        assert (code, errors) == (0, "")
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_likelihood_measures_texts_and_moves(run: Run, runs: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "likelihood.json"
    options = ("--positions", "25", "--json", out, "--no-new", "--split", "val")
    code, said, errors = run("likelihood", "--model", runs / "pgn", runs / "english", "--games", folder, *options)
    assert (code, errors) == (0, "")
    results = read_results(out)
    assert (results.kind, results.games.split, results.games.train_games) == ("likelihood", "val", None)
    for label in ("pgn", "english"):
        whole = results.find("text_nats_per_move", label)
        parts = [results.find("text_nats_per_move", label, detail=part) for part in TEXT_PARTS]
        assert whole is not None
        assert sum(part.value for part in parts if part) == pytest.approx(whole.value)
        assert results.find("move_nats", label, "after ply 20") is not None
        assert results.find("text_nats_per_move", label, "after ply 20") is None
        assert results.find("perplexity_per_move", label) is not None
    tokens = [results.find("tokens_per_move", label) for label in ("pgn", "english")]
    assert tokens[0] is not None
    assert tokens[1] is not None
    assert tokens[1].value > 2 * tokens[0].value
    assert results.find_difference("tokens_per_move", "pgn", "english") is not None
    assert "perplexity a token" in said


def test_both_commands_agree_on_what_both_measure(run: Run, runs: Path, folder: Path, tmp_path: Path) -> None:
    common = ("--games", folder, "--model", runs / "pgn", "--positions", "15", "--seed", "1", "--no-new")
    values = []
    for command in ("legality", "likelihood"):
        assert run(command, *common, "--json", tmp_path / f"{command}.json")[0] == 0
        values.append(read_results(tmp_path / f"{command}.json").find("move_nats", "pgn"))
    assert values[0] == values[1]


def test_a_pgn_file_is_measured_and_says_what_was_left_out(run: Run, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "games.pgn"
    path.write_text("1. e4 e5 2. Nf3 *\n\n1. e4 e4 *\n\n1. d4 d5 1-0\n", encoding="utf-8")
    code, said, errors = run("legality", "--model", runs / "pgn", "--games", path)
    assert (code, errors) == (0, "")
    assert "2 positions, one a game, of 3 games" in said
    assert "2,000 were asked for; left out: 1 illegal or ambiguous move" in said
    assert "new" not in said


@pytest.mark.parametrize("command", ["legality", "likelihood"])
def test_mistakes_get_one_line_and_leave_nothing(
    command: str, run: Run, runs: Path, folder: Path, tmp_path: Path
) -> None:
    model = ("--model", runs / "pgn")
    games = ("--games", folder)
    (tmp_path / "empty.pgn").write_text("", encoding="utf-8")
    (tmp_path / "cut.pgn.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "there.json").write_text("{}", encoding="utf-8")
    out = tmp_path / "out.json"

    def fails(*arguments: str | Path, naming: str) -> None:
        code, said, errors = run(command, *arguments, *(() if "--json" in arguments else ("--json", out)))
        assert (code, said) == (2, "")
        assert errors.count("\n") == 1
        assert naming in errors
        assert not out.exists()

    fails(*games, naming="--model")
    fails(*model, naming="games")
    fails(*games, "--model", tmp_path / "nothing", naming="nothing")
    fails(*games, *model, *model, naming="named twice")
    fails(*model, "--games", tmp_path / "missing", naming="missing")
    fails(*model, "--games", tmp_path / "empty.pgn", naming="empty.pgn")
    fails(*model, "--games", tmp_path / "cut.pgn.zst", naming="cut.pgn.zst")
    fails(*model, "--games", tmp_path / "empty.pgn", "--split", "val", naming="--split")
    fails(*model, *games, "--positions", "0", naming="positions")
    fails(*model, *games, "--seed", "-1", naming="seed")
    fails(*model, *games, "--split", "train", naming="split")
    fails(*model, *games, "--json", tmp_path / "there.json", naming="there.json")
    fails(*model, *games, "--json", tmp_path, "--force", naming="folder")
    fails(*model, *games, "--json", tmp_path / "there.json" / "out.json", "--positions", "2", naming="out.json")


def test_numbers_are_shown_even_when_their_file_cannot_be_written(
    run: Run, runs: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, results: Results) -> None:
        raise OutputError(f"can't write {path}: No space left on device")

    monkeypatch.setattr("eval.records.write_results", full)
    options = ("--games", folder, "--positions", "5", "--no-new", "--json", tmp_path / "out.json")
    code, said, errors = run("legality", "--model", runs / "pgn", *options)
    assert code == 2
    assert "legal mass" in said
    assert "results:" not in said
    assert errors.count("\n") == 1
    assert "No space left" in errors


def test_a_closed_pipe_loses_no_results(
    runs: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = prepare_study([str(runs / "pgn")], folder, positions=5, seed=0, with_new=False)
    results = measure_legality(study)

    def closed(_: Results) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("eval.tables.tables", closed)
    with pytest.raises(BrokenPipeError):
        hand_out(results, tmp_path / "out.json")
    assert read_results(tmp_path / "out.json") == results


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_measured(
    run: Run, runs: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr("eval.study.prepare_study", measured)
    # Permissions don't hold root back, so the system's answer is played.
    monkeypatch.setattr("os.access", lambda path, mode, **_: not mode & os.W_OK)
    out = tmp_path / "deep" / "out.json"
    code, said, errors = run("legality", "--model", runs / "pgn", "--games", folder, "--json", out)
    assert (code, said) == (2, "")
    assert "out.json" in errors
    assert not out.parent.exists()


def test_a_results_file_is_replaced_only_by_force(run: Run, runs: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "there.json"
    out.write_text("mine", encoding="utf-8")
    command = ("legality", "--model", runs / "pgn", "--games", folder, "--positions", "5", "--json", out)
    code, _, errors = run(*command)
    assert code == 2
    assert "--force" in errors
    assert out.read_text(encoding="utf-8") == "mine"
    assert run(*command, "--force")[0] == 0
    assert json.loads(out.read_text(encoding="utf-8"))["kind"] == "legality"


def test_a_model_whose_training_diverged_is_named(run: Run, runs: Path, folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from chesslm.files import sha256_file, write_json

    broken = tmp_path / "broken"
    broken.mkdir()
    source = runs / "pgn" / "checkpoints" / "step_00000003"
    weights = {
        name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(source / "model.safetensors").items()
    }
    save_file(weights, broken / "model.safetensors", metadata={"format": "chesslm-weights/1"})
    (broken / "vocabulary.json").write_bytes((source / "vocabulary.json").read_bytes())
    info = read_json(source / "checkpoint.json") | {"model_sha256": sha256_file(broken / "model.safetensors")}
    write_json(broken / "checkpoint.json", info)
    code, said, errors = run("legality", "--model", broken, "--games", folder, "--positions", "5")
    assert (code, said) == (2, "")
    assert errors.count("\n") == 1
    assert "broken" in errors
    assert "not a finite number" in errors


def test_progress_is_a_bar_on_a_terminal_and_silent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    with progress_bars() as progress:
        progress("a [red]model[/red]", 0, 10)
        progress("a [red]model[/red]", 10, 10)
        progress("reading", 5, None)
    assert "a [red]model[/red]" in shown.getvalue()
    assert "10/10" in shown.getvalue()


def test_hostile_names_are_shown_inert(runs: Path, folder: Path) -> None:
    study = prepare_study([str(runs / "pgn")], folder, positions=5, seed=0, with_new=False, progress=silent)
    results = measure_legality(study)
    hostile = "\x1b[31m[bold]red"
    renamed = results.model_dump_json().replace('"label":"pgn"', f'"label":{json.dumps(hostile)}')
    renamed = renamed.replace('"model":"pgn"', f'"model":{json.dumps(hostile)}')
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    for table in tables(Results.model_validate_json(renamed)):
        console.print(table)
    console.print(summary(results))
    written = console.file.getvalue()
    assert "?[31m[bold]red" in written
    assert hostile not in written
