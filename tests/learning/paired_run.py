"""One of several processes that train a tiny run together: `paired_run.py CONFIG.json OPTIONS`.

Not a test module: the tests of processes start it, with torchrun's variables. Options (a JSON object): `stop_rank` asks
to stop after `stop_step` steps; `killed_rank` kills itself then; `failing_rank` fails before anything is read.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from chesslm.checkpoint_files import TrainingState
from chesslm.config import TrainConfig, validate
from chesslm.errors import InputError, ToldElsewhere, UserError
from chesslm.processes import Processes, joined
from chesslm.training import train
from chesslm.training_watcher import Watcher


class Counter(Watcher):
    """Knows the step."""

    step = 0

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        self.step = state.step


def main(config: TrainConfig, options: dict[str, int], processes: Processes) -> int:
    """Train; the exit code."""
    counter = Counter()

    def fail() -> None:
        if processes.rank == options.get("failing_rank"):
            raise InputError("its disk is gone")

    def should_stop() -> bool:
        at = counter.step == options.get("stop_step")
        if at and processes.rank == options.get("killed_rank"):
            os.kill(os.getpid(), signal.SIGKILL)
        return at and processes.rank == options.get("stop_rank")

    processes.together(fail)
    done = train(config, command=sys.argv, watcher=counter, should_stop=should_stop, processes=processes)
    return 130 if done.outcome == "interrupted" else 0


def names_of_threads() -> set[str]:
    """Of this process, as Linux has them; elsewhere none."""
    return {path.read_text(encoding="utf-8").strip() for path in Path("/proc/self/task").glob("*/comm")}


if __name__ == "__main__":
    config = validate(TrainConfig, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), source=sys.argv[1])
    try:
        with joined() as processes:
            code = main(config, json.loads(sys.argv[2]), processes)
    except UserError as error:
        print(f"chesslm: {error}", file=sys.stderr)
        code = 2
    except ToldElsewhere:
        code = 2
    if code in (0, 130) and config.training.parallel == "ddp" and "gloo_tcp_loop" in names_of_threads():
        code = 3  # what is left of the group may abort the process while Python shuts down
    sys.exit(code)
