"""`chesslm train` as people meet it: exit codes, one line for each mistake, stopping and going on."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from chesslm import cli, training_display
from chesslm.checkpoint_files import TrainingState
from chesslm.config import Section, TrainConfig, load_config
from chesslm.model import ParameterCounts
from chesslm.training_display import RunDisplay
from chesslm.training_watcher import RunOutline

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in TrainConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


def test_a_run_and_its_rerun(config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", str(config_path), "--set", "training.steps=2"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/run is finished; its model: {tmp_path}/run/checkpoints/step_00000002\n"
    assert "validation at step 0: first choice legal 0.0%" in said.err
    assert "6,244 weights (trunk 2,668, embedding 3,576, head 0), 37 games, 2 steps on cpu" in said.err
    assert cli.main(["train", str(config_path), "--set", "training.steps=2"]) == 0
    assert "is finished already, nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--set", "training.stepps=3"], "training.stepps: unknown key"),
        (["--set", "training.steps=many"], "training.steps: Input should be a valid integer, not 'many'"),
        (["--set", "training.tokens_per_step=300"], "give exactly one of games_per_step and tokens_per_step"),
        (["--set", "training"], "expected section.key=value"),
        (["--set", "data.games=/nowhere"], "/nowhere: no games folder"),
        (["--set", "model.heads=5"], "width 12 must be an even multiple of heads 5"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert cli.main(["train", str(config_path), *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    assert not (tmp_path / "run").exists()


def test_a_missing_or_broken_configuration_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", str(tmp_path / "no.toml")]) == 2
    assert "no.toml: No such file" in capsys.readouterr().err
    (tmp_path / "bad.toml").write_text("[run\n", encoding="utf-8")
    assert cli.main(["train", str(tmp_path / "bad.toml")]) == 2
    assert "bad.toml: not a TOML file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--games", "10"), "--hardware, --devices, --games and --tokens-per-game belong to --estimate"),
        (("--devices", "1"), "belong to --estimate"),
        (("--hardware", "cpu"), "belong to --estimate"),
        (("--tokens-per-game", "100"), "belong to --estimate"),
        (("--estimate", "--dry-run", "2"), "--estimate computes nothing and --dry-run does"),
        (("--set", "optimiser.betas=[0.9, 1.0]"), "optimiser.betas"),
        (("--set", f"run.seed={2**64}"), "run.seed"),
    ],
)
def test_options_that_mean_nothing_train_nothing(
    options: tuple[str, ...], complaint: str, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", str(config_path), *options]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [config_path.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_a_checkpoint_and_the_same_command_goes_on(
    config_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "chesslm.cli", "train", str(config_path), "--set", "training.steps=400"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.is_file() and '"step": 2,' in log.read_text(encoding="utf-8")):
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopping at the end of this step" in said
    newest = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1]
    assert said.splitlines()[-2:] == [f"the same command goes on from {newest}", "interrupted"]
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    with (tmp_path / "screen").open("w+", encoding="utf-8") as screen:
        display = RunDisplay(Console(file=screen, force_terminal=True, width=160))
        display.began(RunOutline(ParameterCounts(5, 2, 0), 37, 10, 4, "cpu"))
        display.validating()
        for step in (5, 6):
            display.trained(TrainingState(step=step, games_seen=step * 32, tokens_seen=step * 1000, train_s=step), 2.5)
        display.saved(tmp_path)
        display.close()
        display.close()
        screen.seek(0)
        shown = screen.read()
    assert "goes on after step 4" in shown
    assert "6/10" in shown
    assert "loss 2.500, 1,000 tokens/s, 32.0 games/s, 4 s left" in shown


def test_without_a_terminal_a_line_comes_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_display, "LINE_EVERY_S", 0.0)
    with (tmp_path / "log").open("w+", encoding="utf-8") as file:
        display = RunDisplay(Console(file=file))
        display.began(RunOutline(ParameterCounts(5, 2, 0), 37, 10, 0, "cpu"))
        display.trained(TrainingState(step=1), 2.5)
        display.close()
        file.seek(0)
        assert file.read().splitlines()[1] == "step 1 of 10: loss 2.500"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    load_config(TrainConfig, path)


@pytest.mark.parametrize("name", ["demo", "otb-small", "book"])
def test_both_notations_get_the_same_trunk_and_the_same_games(name: str) -> None:
    pgn, english = (load_config(TrainConfig, ROOT / "configs" / f"{name}-{n}.toml") for n in ("pgn", "english"))
    may_differ = {"run": {"out"}, "data": {"notation"}, "model": {"context_len"}}
    assert pgn.model_dump(exclude=may_differ) == english.model_dump(exclude=may_differ)


def section_of(node: ast.expr | None) -> str | None:
    """The section that an expression like `config.run` or `self._config.run` means."""
    if not isinstance(node, ast.Attribute) or node.attr not in SECTIONS:
        return None
    owner = node.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return node.attr if name.lstrip("_") == "config" else None


def variables_of(scope: ast.AST) -> dict[str, str]:
    """Variables (and attributes of `self`) of a function or class that hold a section, by their source text."""
    kinds = {section.__name__: name for name, section in SECTIONS.items()}
    found: dict[str, str] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id in kinds:
            found[node.arg] = kinds[node.annotation.id]
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            is_pairs = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if is_pairs and isinstance(node.value, ast.Tuple) else [node.value]
            for variable, value in zip(targets, values, strict=False):
                section = section_of(value) or found.get(ast.unparse(value))
                if section is not None:
                    found[ast.unparse(variable)] = section
    return found


def fields_read_in(tree: ast.Module) -> set[str]:
    """`section.field` of everything that a module reads from a configuration."""
    read = set()
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.ClassDef):
            variables = variables_of(scope)
            for node in ast.walk(scope):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    section = section_of(node.value) or variables.get(ast.unparse(node.value))
                    read.add(f"{section}.{node.attr}")
    return read


def test_no_field_of_the_configuration_is_dead() -> None:
    modules = [path for path in (ROOT / "chesslm").rglob("*.py") if path.name != "config.py"]
    read = {
        field for path in modules for field in fields_read_in(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    }
    declared = {f"{name}.{field}" for name, section in SECTIONS.items() for field in section.model_fields}
    assert declared - read == set()


def test_a_field_is_read_only_through_its_section() -> None:
    source = """
class Loop:
    def __init__(self, section: ModelSection, game: Game) -> None:
        self._shape = section
        game.seed, self.seed, validation.seed

    def run(self, config):
        training, log = config.training, None
        return self._shape.width, training.steps, log.every, config.run.out, self._config.optimiser.eps
"""
    read = {field for field in fields_read_in(ast.parse(source)) if not field.startswith("None")}
    assert read == {"model.width", "training.steps", "run.out", "optimiser.eps"}


def test_every_field_says_what_it_is() -> None:
    for section in TrainConfig.model_fields.values():
        assert isinstance(section.annotation, type)
        assert issubclass(section.annotation, Section)
        assert all(field.description for field in section.annotation.model_fields.values())
