"""One side of `equal_time` in a process of its own: `python -m benchmarks.equal_time_sides JOB.json`.

Knows: how a run of `chesslm train` ends with the clock, annealed; how a side is started, what it leaves behind.
Doesn't know: the peer's loop (`equal_time_char`), or how both are measured (`equal_time`).

Our schedule is in steps, the time is in seconds: the run goes on at a constant rate until the share of the time that
the configuration leaves before its decay is over, and then branches: the decay gets as many steps as fit the rest at
the speed seen so far. Should they not fit, it is stopped at the time, a few steps before its rate would be zero.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.equal_time_char import CharSettings, save_peer, train_peer
from chesslm.checkpoint_files import TrainingState, read_info
from chesslm.config import TrainConfig, validate
from chesslm.errors import ChesslmError
from chesslm.files import read_json, write_json
from chesslm.local_processes import run_in_processes
from chesslm.training import RunResult, train
from chesslm.training_watcher import RunOutline, Watcher

DONE_FILE = "done.json"
# No end, no validation worth a second, no checkpoint but the last.
_ENDLESS = 1_000_000_000
# The decay has this share of the steps that the speed promises: a late end costs more than an early one.
_PRUDENCE = 0.97
# Fewer steps say nothing about the speed: the first ones compile.
_LEAST_STEPS = 8
# Saving needs a moment after the last step.
_RESERVE_S = 0.5


@dataclass(frozen=True, slots=True)
class OurTraining:
    """What came of our side.

    Args:
        checkpoint: the last one's folder.
        steps: done, of both stretches.
        steps_planned: with the decay as planned; more than `steps` if the time was over before.
        decay_from: steps at the constant rate.
        games: seen.
        tokens: predicted.
        num_params: weights.
        train_s: seconds of all steps.
    """

    checkpoint: str
    steps: int
    steps_planned: int
    decay_from: int
    games: int
    tokens: int
    num_params: int
    train_s: float


class _Steps(Watcher):
    """Sees when steps are done, so that the next one's end can be foretold.

    Attributes:
        num_params: weights of the model.
        set_up_s: seconds from the call to the first step's beginning.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: list[float] = []
        self._called = clock()
        self.num_params = 0
        self.set_up_s = 0.0

    def began(self, outline: RunOutline) -> None:
        self.num_params = outline.counts.total
        self.set_up_s = self._clock() - self._called

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        del state, loss_nats
        self._ends.append(self._clock())

    @property
    def took_s(self) -> float:
        """Seconds of the last step; 0 before there are two, because the first compiles."""
        return self._ends[-1] - self._ends[-2] if len(self._ends) > 1 else 0.0

    @property
    def is_known(self) -> bool:
        """Whether there were enough steps to foretell the speed of more."""
        return len(self._ends) >= _LEAST_STEPS

    @property
    def mean_s(self) -> float:
        """Mean seconds of the later half of the steps: the earlier compile."""
        half = self._ends[len(self._ends) // 2 :]
        return (half[-1] - half[0]) / (len(half) - 1)


def train_ours(
    config: TrainConfig,
    folder: Path,
    *,
    began: float,
    deadline: float,
    command: Sequence[str],
    num_processes: int = 1,
    clock: Callable[[], float] = time.time,
) -> OurTraining:
    """Train until the clock says so, annealed; at least eight steps at the constant rate and one of the decay.

    Args:
        config: shape and optimiser; how long and where is decided here.
        folder: gets the runs `stem` and `ours`.
        began: what the clock said when this side was started.
        deadline: what the clock says when the last checkpoint must be written.
        command: for the checkpoints' provenance.
        num_processes: that share each step.
        clock: seconds.

    Raises:
        UserError: as `chesslm.training.train`.
    """
    turn = began + (deadline - began) * (1 - config.optimiser.decay_share)
    first = _Steps(clock)
    stem = _run(config, folder / "stem", steps=_ENDLESS, decay_share=0.0)
    stable = _train(stem, command, num_processes, first, lambda: first.is_known and clock() + first.took_s > turn)
    state = read_info(stable.checkpoint).state
    now = clock()
    num = max(1, int((deadline - now - first.set_up_s) / first.mean_s * _PRUDENCE))
    second = _Steps(clock)
    branch = _run(config, folder / "ours", steps=state.step + num, decay_share=num / (state.step + num))
    branch = _changed(branch, run={"branch_from": str(stable.checkpoint)})
    done = _train(branch, command, num_processes, second, lambda: clock() + second.took_s + _RESERVE_S > deadline)
    final = read_info(done.checkpoint).state
    return OurTraining(
        checkpoint=str(done.checkpoint),
        steps=final.step,
        steps_planned=state.step + num,
        decay_from=state.step,
        games=final.games_seen,
        tokens=final.tokens_seen,
        num_params=second.num_params,
        train_s=final.train_s,
    )


def _train(
    config: TrainConfig, command: Sequence[str], num: int, watcher: Watcher, should_stop: Callable[[], bool]
) -> RunResult:
    work = partial(train, config, command=command)
    return run_in_processes(
        num, work, first=lambda group: work(watcher=watcher, should_stop=should_stop, processes=group)
    )


def _run(config: TrainConfig, out: Path, *, steps: int, decay_share: float) -> TrainConfig:
    return _changed(
        config,
        run={"out": str(out)},
        optimiser={"decay_share": decay_share},
        training={"steps": steps, "checkpoint_every": _ENDLESS},
        validation={"every": _ENDLESS, "positions": 1, "loss_games": 1},
    )


def _changed(config: TrainConfig, **sections: dict[str, Any]) -> TrainConfig:
    values = config.model_dump()
    for section, changes in sections.items():
        values[section] |= changes
    return validate(TrainConfig, values, source="equal time")


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job: `{side, folder, began, deadline, threads, cores, config | settings, text}`.

    Returns:
        What came of it, with the seconds from `began` until the weights were saved, and the peak memory.
    """
    if job["cores"]:
        os.sched_setaffinity(0, job["cores"])
    torch.set_num_threads(job["threads"])
    torch.set_flush_denormal(True)
    folder, began, deadline = Path(job["folder"]), job["began"], job["deadline"]
    if job["side"] == "ours":
        config = validate(TrainConfig, job["config"], source="equal time")
        found = asdict(
            train_ours(config, folder, began=began, deadline=deadline, command=sys.argv, num_processes=job["threads"])
        )
    else:
        model, training = train_peer(CharSettings(**job["settings"]), Path(job["text"]), deadline=deadline)
        save_peer(model, folder / "char-gpt2")
        found = asdict(training)
    ended = time.time()
    # The processes beside this one have ended by now; the system knows the largest.
    beside = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (job["threads"] - 1)
    peak_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + beside) * 1024
    return {**found, "wall_s": ended - began, "peak_bytes": peak_bytes}


def main(path: Path) -> int:
    """Do the job of a file and write what came of it beside it; the exit code."""
    try:
        write_json(path.with_name(DONE_FILE), run(read_json(path)))
    except ChesslmError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
