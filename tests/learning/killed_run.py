"""Trains a tiny run and kills itself with SIGKILL at a step: run as `killed_run.py CONFIG.json EVENT STEP`.

Not a test module: the tests of resuming start it as a process of its own.
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
from chesslm.training import Watcher, train


class Killer(Watcher):
    """Kills the process in the middle of things; step -1 never."""

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


if __name__ == "__main__":
    path, event, step = sys.argv[1:]
    config = validate(TrainConfig, json.loads(Path(path).read_text(encoding="utf-8")), source=path)
    train(config, command=sys.argv, watcher=Killer(event, int(step)))
