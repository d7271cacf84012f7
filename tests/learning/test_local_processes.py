"""Processes that a command starts by itself to make the most of a CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from chesslm import cli
from chesslm.checkpoint_files import MODEL_FILE, TRAINING_FILE, read_info, read_training, read_weights
from chesslm.errors import InputError, TrainingError, UserError
from chesslm.files import read_json
from chesslm.local_processes import run_in_processes, useful_processes
from chesslm.metrics_log import read_lines
from chesslm.processes import Processes
from chesslm.training import RunResult, train


def rank_and_threads(*, processes: Processes) -> list[float]:
    return [processes.sum(processes.rank), processes.sum(torch.get_num_threads())]


def test_threads_are_shared_out_and_everybody_takes_part() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert run_in_processes(3, rank_and_threads, first=lambda group: rank_and_threads(processes=group)) == [3, 3]
    finally:
        torch.set_num_threads(before)
    assert run_in_processes(1, rank_and_threads, first=lambda group: [group.size, group.rank]) == [1, 0]


def fail(*, processes: Processes) -> None:
    def work() -> None:
        if processes.rank == 1:
            raise InputError("its disk is gone")

    processes.together(work)


def test_a_mistake_of_another_process_is_raised_here() -> None:
    with pytest.raises(UserError, match="process 1: its disk is gone"):
        run_in_processes(2, fail, first=lambda group: fail(processes=group))


def die(*, processes: Processes) -> None:
    if processes.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.sum(1.0)


def test_a_process_that_dies_is_told_in_a_line() -> None:
    with pytest.raises(TrainingError, match="another process of this run has ended"):
        run_in_processes(2, die, first=lambda group: die(processes=group))


class Unreadable:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, (3,)


def test_a_process_that_never_begins_is_not_waited_for() -> None:
    work = partial(rank_and_threads, Unreadable())
    with pytest.raises(TrainingError, match="process 1 ended with code 3 before it began"):
        run_in_processes(2, work, first=lambda group: work(processes=group))


@pytest.mark.parametrize(
    ("changes", "num"),
    [
        ({"training__games_per_step": 3}, 1),
        ({"training__games_per_step": 9}, 2),
        ({"training__games_per_step": 99}, 4),
        ({"training__games_per_step": None, "training__tokens_per_step": 3_000}, 3),
        ({"training__games_per_step": 99, "training__threads": 4}, 1),
        ({"training__games_per_step": 99, "training__device": "cuda"}, 1),
    ],
)
def test_a_core_gets_a_process_where_the_step_is_large_enough(tiny: Any, changes: dict[str, Any], num: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert useful_processes(tiny(**{"training__threads": None, **changes})) == num
    finally:
        torch.set_num_threads(before)


def test_the_command_trains_in_processes_what_one_process_trains(
    config_path: Path, tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    muon = ["--set", "optimiser.muon_learning_rate=0.01"]
    assert cli.main(["train", str(config_path), "--processes", "2", *muon]) == 0
    assert "in each of 2 processes" in capsys.readouterr().err
    one = train(tiny(out="one", optimiser__muon_learning_rate=0.01), command=["test"]).checkpoint
    two = tmp_path / "run" / read_json(tmp_path / "run" / "run.json")["final_checkpoint"]
    assert read_json(tmp_path / "run" / "run.json")["num_processes"] == 2
    for read in (lambda folder: read_weights(folder, read_info(folder)), read_training):
        left, right = read(one), read(two)
        assert left.keys() == right.keys()
        # Muon rounds to bfloat16 on its way, so a last bit of difference becomes a visible one.
        assert all(float((right[name] - left[name]).norm() / left[name].norm()) < 0.02 for name in left)
    losses = [
        [line["loss_nats"] for line in read_lines(run / "metrics.jsonl") if line["kind"] == "train"]
        for run in (one.parents[1], two.parents[1])
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_run_of_two_processes_that_was_stopped_ends_with_the_same_bytes(tiny: Any) -> None:
    def trained(out: str, *, stop_after: int | None) -> Path:
        work = partial(train, tiny(out=out, optimiser__muon_learning_rate=0.01), command=["test"])
        steps = iter(range(1, 100))

        def first(group: Processes) -> RunResult:
            return work(processes=group, should_stop=lambda: next(steps) == stop_after)

        return run_in_processes(2, work, first=first).checkpoint

    whole = trained("whole", stop_after=None)
    trained("stopped", stop_after=2)
    stopped = trained("stopped", stop_after=None)
    assert stopped.name == whole.name
    for file in (MODEL_FILE, TRAINING_FILE):
        assert (stopped / file).read_bytes() == (whole / file).read_bytes()


def test_a_dry_run_in_processes_writes_nothing(config_path: Path, tmp_path: Path) -> None:
    assert cli.main(["train", str(config_path), "--processes", "2", "--dry-run", "2"]) == 0
    assert not (tmp_path / "run").exists()


def test_torchrun_and_processes_together_are_refused(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    assert cli.main(["train", str(config_path), "--processes", "2"]) == 2
    assert capsys.readouterr().err == "chesslm: --processes and torchrun both start processes: give one of them\n"


def is_gone(group: int) -> bool:
    """Whether no process of a group is left, soon."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_stops_with_a_checkpoint(
    config_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "chesslm.cli", "train", str(config_path), "--processes", "2"]
    process = subprocess.Popen(
        [*command, "--set", "training.steps=4000"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.is_file() and '"step": 2,' in log.read_text(encoding="utf-8")):
        time.sleep(0.02)
    assert process.poll() is None
    os.killpg(process.pid, number)  # as a terminal does it
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "the same command goes on from" in said
    assert "Traceback" not in said
    assert is_gone(process.pid)
