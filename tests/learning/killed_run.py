"""Trains a tiny run in processes that kill themselves with SIGKILL: `killed_run.py CONFIG.json EVENT:STEP...`.

Not a test module: the tests of resuming start it. Each EVENT:STEP is a process of its own, forked before torch computes
anything, so that torch is imported once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from chesslm.checkpoint_files import TrainingState
from chesslm.config import TrainConfig, validate
from chesslm.training import train
from chesslm.training_watcher import Watcher


class Killer(Watcher):
    """Kills the process in the middle of things."""

    def __init__(self, event: str, step: int) -> None:
        self._event, self._step = event, step
        self._now = 0

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        self._now = state.step
        self._die("trained")

    def validating(self) -> None:
        self._die("validating")

    def validated(self, line: dict[str, Any]) -> None:
        self._die("validated")

    def saved(self, folder: Path) -> None:
        self._die("saved")

    def _die(self, event: str) -> None:
        if (event, self._now) == (self._event, self._step):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(config: TrainConfig, event: str, step: int) -> bool:
    """Train in a process of its own; whether SIGKILL ended it."""
    child = os.fork()
    if child == 0:
        train(config, command=sys.argv, watcher=Killer(event, step))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    config = validate(TrainConfig, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), source=sys.argv[1])
    deaths = [(event, int(step)) for event, _, step in (argument.partition(":") for argument in sys.argv[2:])]
    sys.exit(0 if all(killed(config, event, step) for event, step in deaths) else "a run ended before its time")
