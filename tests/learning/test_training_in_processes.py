"""Two processes make the steps of one; a run may go on with another number of them; a failure of one ends all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from chesslm.checkpoint_files import read_info, read_training, read_weights
from chesslm.config import TrainConfig
from chesslm.errors import ConfigError, InputError, ToldElsewhere, UserError
from chesslm.files import read_json, read_lines
from chesslm.processes import Processes, joined
from chesslm.training import tensor_float_32, train

SCRIPT = Path(__file__).with_name("paired_run.py")


def start(config: TrainConfig, folder: Path, *, size: int = 2, **options: Any) -> list[subprocess.Popen[str]]:
    """The processes of a run, as torchrun would start them."""
    path = folder / "config.json"
    path.write_text(json.dumps(config.model_dump(mode="json")), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, str(SCRIPT), str(path), json.dumps(options)]
    return [
        subprocess.Popen(
            command,
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit code and what was said, of each process."""
    said = [process.communicate(timeout=240)[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def in_two(config: TrainConfig, folder: Path, **options: Any) -> None:
    assert [code for code, _ in ended(start(config, folder, **options))] == [0, 0]


def tensors_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    return {**read_weights(checkpoint, read_info(checkpoint)), **read_training(checkpoint)}


def losses_of(folder: Path) -> list[float]:
    keys = {"train": "loss_nats", "validation": "val_loss_nats"}
    return [line[keys[line["kind"]]] for line in read_lines(folder / "metrics.jsonl")]


def assert_same_run(one: Path, other: Path, *, of_losses: float = 1e-5, of_tensors: float = 1e-4) -> None:
    """Same totals; losses and tensors that differ by no more than these shares of them, or of their norms."""
    assert losses_of(other) == pytest.approx(losses_of(one), rel=of_losses)
    runs = [read_json(folder / "run.json") for folder in (one, other)]
    assert all(runs[0][key] == runs[1][key] for key in ("steps", "games_seen", "tokens_seen", "num_params"))
    left, right = (tensors_of(folder / run["final_checkpoint"]) for folder, run in zip((one, other), runs, strict=True))
    assert left.keys() == right.keys()
    apart = {name: float((right[name] - tensor).norm() / tensor.norm()) for name, tensor in left.items()}
    assert max(apart.values()) < of_tensors, apart


@pytest.mark.parametrize(
    ("parallel", "changes"),
    [
        # A step of one game leaves a process without any.
        ("ddp", {"training__games_per_step": 1}),
        ("ddp", {"optimiser__muon_learning_rate": 0.01}),
        ("fsdp", {}),
    ],
)
def test_two_processes_learn_what_one_learns(tiny: Any, tmp_path: Path, parallel: str, changes: dict[str, Any]) -> None:
    one = train(tiny(out="one", training__parallel=parallel, **changes), command=["test"]).folder
    in_two(tiny(out="two", training__parallel=parallel, **changes), tmp_path)
    # Muon rounds to bfloat16 on its way, so a last bit of difference becomes a visible one.
    rounds = "optimiser__muon_learning_rate" in changes
    assert_same_run(one, tmp_path / "two", **({"of_losses": 1e-4, "of_tensors": 0.02} if rounds else {}))
    assert read_json(tmp_path / "two" / "run.json")["num_processes"] == 2


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_goes_on_with_another_number_of_processes(tiny: Any, tmp_path: Path, parallel: str) -> None:
    whole = train(tiny(out="whole", training__parallel=parallel), command=["test"]).folder
    config = tiny(out="changing", training__parallel=parallel)
    done: list[int] = []
    first = train(config, command=["test"], should_stop=lambda: len(done) == 1 or done.append(1) is not None)
    assert first.outcome == "interrupted"
    # A request to one process, and not to the first, stops both.
    codes = [code for code, _ in ended(start(config, tmp_path, stop_rank=1, stop_step=4))]
    assert codes == [130, 130]
    assert train(config, command=["test"]).outcome == "finished"
    assert_same_run(whole, tmp_path / "changing")


def test_a_mistake_is_told_once(tiny: Any, tmp_path: Path) -> None:
    told = ended(start(tiny(data__max_games=1000), tmp_path))
    assert [code for code, _ in told] == [2, 2]
    assert told[0][1].count("\n") == 1
    assert "data.max_games is 1000" in told[0][1]
    assert told[1][1] == ""
    assert not (tmp_path / "run").exists()


def test_a_failure_of_another_process_is_told_by_the_first(tiny: Any, tmp_path: Path) -> None:
    told = ended(start(tiny(), tmp_path, failing_rank=1))
    assert [code for code, _ in told] == [2, 2]
    assert told[0][1] == "chesslm: process 1: its disk is gone\n"
    assert told[1][1] == ""


def test_a_process_that_dies_ends_the_others_with_a_line(tiny: Any, tmp_path: Path) -> None:
    told = ended(start(tiny(), tmp_path, killed_rank=1, stop_step=2))
    assert told[1][0] == -signal.SIGKILL
    assert told[0][0] == 2
    assert "another process of this run has ended; the same command goes on" in told[0][1]
    assert "Traceback" not in told[0][1]


def test_torchrun_starts_the_command(config_path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "chesslm.cli"]
    done = subprocess.run(
        [*command, "train", str(config_path), "--set", "training.steps=2"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/run is finished; its model: {tmp_path}/run/checkpoints/step_00000002\n"
    assert "2 steps on cpu in each of 2 processes" in done.stderr


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with joined() as processes:
        assert processes == Processes()
        assert (processes.sum(1.5), processes.max(3), processes.any(False)) == (1.5, 3, False)
        assert processes.on_first(lambda: "said") == "said"
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match="torchrun's variables are no numbers: RANK=x"), joined():
        pass


def test_each_process_has_a_cuda_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert Processes(3, 4, 1).device(cuda) == torch.device("cuda", 1)
    assert Processes(3, 4, 3).device(cpu) == cpu
    with pytest.raises(InputError, match=r"process 2 of this machine has no CUDA device \(of 2\)"):
        Processes(2, 4, 2).device(cuda)


def test_only_the_first_process_tells_a_common_failure() -> None:
    error = UserError("why")
    assert Processes(0, 2, 0).failure(error) is error
    assert isinstance(Processes(1, 2, 1).failure(error), ToldElsewhere)


def test_float32_on_cuda_is_rounded_in_training_and_not_in_validation() -> None:
    before = torch.get_float32_matmul_precision()
    for kind, allowed, meant in (("cuda", True, "high"), ("cuda", False, "highest"), ("cpu", True, before)):
        with tensor_float_32(torch.device(kind), allowed=allowed):
            assert torch.get_float32_matmul_precision() == meant
        assert torch.get_float32_matmul_precision() == before
