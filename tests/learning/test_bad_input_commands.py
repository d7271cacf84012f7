"""Bad input through the real command: one line that names the file, exit code 2, and nothing left behind."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chesslm import cli
from chesslm.files import read_json
from chesslm.training import train

Capture = pytest.CaptureFixture[str]


def complaint(capsys: Capture) -> str:
    """The only line on stderr; stdout is empty."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("chesslm: ")
    return said.err


@pytest.fixture(scope="module")
def pgn_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in pgn; not to be changed."""
    from chesslm.config import TrainConfig, validate

    folder = tmp_path_factory.mktemp("pgn") / "run"
    values = {
        "run": {"out": str(folder)},
        "data": {"games": str(data), "notation": "pgn"},
        "model": {"width": 12, "depth": 1, "heads": 3, "mlp_width": 20, "context_len": 331},
        "training": {"steps": 1, "games_per_step": 3, "device": "cpu", "threads": 1},
        "validation": {"positions": 1, "loss_games": 1},
    }
    train(validate(TrainConfig, values, source="test"), command=["test"])
    return folder


def test_weights_of_another_vocabulary_to_start_from(
    config_path: Path, pgn_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    options = ("--set", "data.notation=english", "--set", f"run.init_from={pgn_run}")
    assert cli.main(["train", str(config_path), *options]) == 2
    said = complaint(capsys)
    assert str(pgn_run) in said
    assert "vocabulary" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["legality", "likelihood"])
def test_a_checkpoint_with_another_vocabulary_than_its_weights(
    command: str, data: Path, pgn_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copytree(pgn_run, tmp_path / "mixed")
    checkpoint = tmp_path / "mixed" / "checkpoints" / "step_00000001"
    shutil.copy(data / "tokens" / "english" / "vocabulary.json", checkpoint)
    before = sorted(tmp_path.rglob("*"))
    options = ("--model", str(tmp_path / "mixed"), "--games", str(data), "--json", str(tmp_path / "new" / "out.json"))
    assert cli.main(["eval", command, *options]) == 2
    assert str(checkpoint) in complaint(capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("split", ["train"])
@pytest.mark.parametrize("kept", [0, 5, 500, -1])
def test_a_token_file_cut_short(
    split: str, kept: int, config_path: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = shutil.copytree(data, tmp_path / "data")
    path = copy / "tokens" / "pgn" / f"{split}-00000.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert cli.main(["train", str(config_path), "--set", f"data.games={copy}"]) == 2
    assert f"{path}: not a readable token file" in complaint(capsys)
    assert not (tmp_path / "run").exists()


@contextmanager
def no_room_beyond(num_bytes: int) -> Iterator[None]:
    """Writing a file beyond this size fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def complaint_while_training(capsys: Capture) -> str:
    """What is said of the run may come before it, but the failure is the last line, and one line."""
    said = capsys.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if line.startswith("chesslm: ")] == said.err.splitlines()[-1:]
    assert "Traceback" not in said.err
    return said.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("room", "file"),
    [
        (10, "run/config.json"),
        (2_500, "run/metrics.jsonl"),
        (20_000, "step_00000007.tmp/model.safetensors"),
        (40_000, "step_00000007.tmp/training.safetensors"),
    ],
)
def test_no_room_before_the_first_checkpoint(
    room: int, file: str, config_path: Path, tmp_path: Path, capsys: Capture
) -> None:
    settings = ("training.log_every=1", "validation.every=1", "training.checkpoint_every=100")
    options = [word for setting in settings for word in ("--set", setting)]
    with no_room_beyond(room):
        assert cli.main(["train", str(config_path), *options]) == 2
    said = complaint_while_training(capsys)
    assert "can't write " in said
    assert file in said
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_no_room_later_keeps_the_run(config_path: Path, tiny: Any, tmp_path: Path, capsys: Capture) -> None:
    checkpoint = train(tiny(), command=["test"], should_stop=lambda: True).checkpoint
    with no_room_beyond(20_000):
        assert cli.main(["train", str(config_path)]) == 2
    assert "step_00000003.tmp/model.safetensors" in complaint_while_training(capsys)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["step_00000001"]
    assert cli.main(["train", str(config_path)]) == 0


def test_a_configuration_whose_name_is_not_utf8_is_recorded(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = config_path.rename(tmp_path / "t\udcff.toml")
    arguments = ["train", str(odd), "--set", "training.steps=1"]
    monkeypatch.setattr("sys.argv", ["chesslm", *arguments])
    assert cli.main(arguments) == 0
    info = read_json(tmp_path / "run" / "checkpoints" / "step_00000001" / "checkpoint.json")
    assert info["provenance"]["command"] == ["chesslm", *arguments]


@pytest.mark.parametrize("key", ["run.out", "data.games", "run.init_from"])
def test_a_path_that_is_not_utf8_leads_nowhere(key: str, config_path: Path, tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["train", str(config_path), "--set", f"{key}={tmp_path}/o\udcff"]) == 2
    assert f"{tmp_path}/o?" in complaint(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]
