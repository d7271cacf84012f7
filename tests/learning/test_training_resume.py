"""A run that was stopped, anywhere and however, ends as if it had not been."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chesslm.config import TrainConfig
from chesslm.errors import FormatError, InputError
from chesslm.files import read_json, read_lines
from chesslm.training import RunResult, train
from chesslm.training_watcher import Watcher

SCRIPT = Path(__file__).with_name("killed_run.py")
MEASURED = ("train_s", "wall_s", "tokens_per_s", "peak_memory")
STEPS = 7


def untimed(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in MEASURED}


def outcome(folder: Path) -> tuple[list[dict[str, Any]], dict[str, bytes], dict[str, Any]]:
    """What must be equal: the log without times, all bytes of the final tensors, the totals."""
    run = read_json(folder / "run.json")
    final = folder / run["final_checkpoint"]
    tensors = {path.name: path.read_bytes() for path in final.glob("*.safetensors")}
    assert len(tensors) == 2
    totals = {**untimed(run), "validation": untimed(run["validation"])}
    return [untimed(line) for line in read_lines(folder / "metrics.jsonl")], tensors, totals


class StopAfter(Watcher):
    """Asks to stop once so many steps were done in this session."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def trained(self, *_: Any) -> None:
        self._left -= 1

    def __call__(self) -> bool:
        return self._left <= 0


def stopped(config: TrainConfig, steps: int) -> RunResult:
    stop = StopAfter(steps)
    return train(config, command=["test"], watcher=stop, should_stop=stop)


@pytest.fixture
def uninterrupted(tiny: Any) -> Path:
    return train(tiny(out="whole"), command=["test"]).folder


def kill(config: TrainConfig, folder: Path, *deaths: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(config.model_dump(mode="json")), encoding="utf-8")
    subprocess.run([sys.executable, SCRIPT, path, *deaths], timeout=300, check=True)


def test_a_run_killed_at_three_random_steps_ends_with_the_same_bytes(
    tiny: Any, uninterrupted: Path, tmp_path: Path
) -> None:
    config = tiny(out="killed")
    steps = sorted(random.Random(20).sample(range(1, STEPS), 3))
    kill(config, tmp_path, *(f"trained:{step}" for step in steps))
    assert not (tmp_path / "killed" / "run.json").exists()
    assert train(config, command=["test"]).outcome == "finished"
    assert outcome(tmp_path / "killed") == outcome(uninterrupted)


def test_a_run_killed_around_validations_and_after_its_last_checkpoint_ends_with_the_same_bytes(
    tiny: Any, uninterrupted: Path, tmp_path: Path
) -> None:
    config = tiny(out="killed")
    kill(config, tmp_path, "validated:0", "validating:4", "validated:4", f"saved:{STEPS}")
    # Naming the final checkpoint is all that is left.
    assert not (tmp_path / "killed" / "run.json").exists()
    assert train(config, command=["test"]).outcome == "finished"
    assert outcome(tmp_path / "killed") == outcome(uninterrupted)


@pytest.mark.parametrize("pauses", [(1,), (2, 3), (1, 1, 1, 1, 1, 1)])
def test_a_run_stopped_on_request_ends_with_the_same_bytes(
    tiny: Any, uninterrupted: Path, pauses: tuple[int, ...]
) -> None:
    config, at = tiny(out="paused"), 0
    for steps in pauses:
        result = stopped(config, steps)
        at += steps
        assert (result.outcome, result.checkpoint.name) == ("interrupted", f"step_{at:08d}")
    result = train(config, command=["test"])
    assert result.outcome == "finished"
    assert outcome(result.folder) == outcome(uninterrupted)


def test_equal_tokens_resume_exactly_too(tiny: Any) -> None:
    changes: dict[str, Any] = {"training__games_per_step": None, "training__tokens_per_step": 500}
    whole = train(tiny(out="whole", **changes), command=["test"])
    paused = tiny(out="paused", **changes)
    stopped(paused, 3)
    assert outcome(train(paused, command=["test"]).folder) == outcome(whole.folder)


def test_the_log_is_cut_back_to_the_checkpoint_and_a_torn_line_is_forgotten(
    tiny: Any, uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny(out="paused")
    stopped(config, 3)
    with (tmp_path / "paused" / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "train", "step": 5, "loss_nats": 1.0}\n{"kind": "tra')
    with caplog.at_level(logging.WARNING):  # whatever tests before this one left behind
        train(config, command=["test"])
    assert outcome(tmp_path / "paused") == outcome(uninterrupted)
    assert "dropped a torn last line" in caplog.text


def test_times_add_up_over_resumes(tiny: Any, tmp_path: Path) -> None:
    config = tiny(out="paused")
    stopped(config, 4)
    before = list(read_lines(tmp_path / "paused" / "metrics.jsonl"))[-1]
    train(config, command=["test"])
    lines = list(read_lines(tmp_path / "paused" / "metrics.jsonl"))
    for name in ("train_s", "wall_s"):
        values = [line[name] for line in lines]
        assert values == sorted(values)
        assert values[-1] > before[name]
    assert all(line["wall_s"] >= line["train_s"] for line in lines)


def test_a_finished_run_is_left_alone(tiny: Any, uninterrupted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}
    result = train(tiny(out="whole"), command=["test"])
    assert (result.outcome, result.checkpoint.name) == ("already finished", "step_00000007")
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")} == before


def test_leftovers_of_a_killed_writer_are_removed(tiny: Any, tmp_path: Path) -> None:
    config = tiny(out="paused")
    stopped(config, 3)
    leftover = tmp_path / "paused" / "checkpoints" / ".step_00000004.tmp"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    train(config, command=["test"])
    assert sorted(path.name for path in leftover.parent.iterdir()) == ["step_00000006", "step_00000007"]


def test_a_checkpoint_that_was_cut_short_stops_the_resume_with_its_name(tiny: Any, tmp_path: Path) -> None:
    config = tiny(out="paused")
    checkpoint = stopped(config, 3).checkpoint
    for name in ("model.safetensors", "training.safetensors"):
        path = checkpoint / name
        content = path.read_bytes()
        path.write_bytes(content[:-50])
        with pytest.raises(InputError, match=f"{name}: not a readable file of tensors"):
            train(config, command=["test"])
        path.write_bytes(content)
    assert train(config, command=["test"]).outcome == "finished"


def test_a_checkpoint_of_another_configuration_is_not_gone_on_with(tiny: Any, tmp_path: Path) -> None:
    config = tiny(out="paused")
    info = stopped(config, 3).checkpoint / "checkpoint.json"
    info.write_text(info.read_text(encoding="utf-8").replace('"learning_rate": 0.01', '"learning_rate": 0.02'))
    with pytest.raises(FormatError, match="written with another configuration"):
        train(config, command=["test"])
