"""The `chesslm train` command.

Knows: its options, that the first process speaks for all, and that the first Ctrl-C or SIGTERM asks for a checkpoint at
the end of the step.
Doesn't know: how training works; torch is imported when it runs, so that `chesslm --help` stays quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chesslm.config import TrainConfig
    from chesslm.processes import Processes
    from chesslm.training import RunResult

INTERRUPTED = 130

app = typer.Typer(help="Train a model on prepared games; the same command goes on with a run that was stopped.")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="configuration of the run")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting, in TOML; repeatable")
    ] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(min=1, metavar="STEPS", help="do these first steps on what games there are, write nothing"),
    ] = None,
    num_processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            min=1,
            metavar="N",
            help="processes of this machine that share each step; if absent, one for each core of a CPU if the step is "
            "large enough and training.threads isn't set",
        ),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="say what the run would take (weights, memory, hours) and train nothing")
    ] = False,
    hardware: Annotated[
        str | None, typer.Option(metavar="NAME", help="with --estimate: cpu (measured) or one card; all if absent")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="with --estimate: hours on these many cards too; 8 if absent")
    ] = None,
    games: Annotated[
        int | None, typer.Option(min=1, help="with --estimate: train games, where the data folder isn't there yet")
    ] = None,
    tokens_per_game: Annotated[
        float | None, typer.Option(min=1, help="with --estimate: tokens a game, where the folder isn't there yet")
    ] = None,
) -> int:
    """Train a model on prepared games; the same command goes on with a run that was stopped.

    Ctrl-C writes a checkpoint at the end of the step and stops; a second one stops at once. Several cards or machines:
    torchrun --nproc-per-node N -m chesslm.cli train CONFIG.toml
    """
    from chesslm.config import TrainConfig, load_config
    from chesslm.errors import ConfigError, ToldElsewhere
    from chesslm.local_processes import run_in_processes, useful_processes
    from chesslm.processes import joined, started_by_torchrun

    if not estimate and (hardware, devices, games, tokens_per_game) != (None, None, None, None):
        raise ConfigError(
            "--hardware, --devices, --games and --tokens-per-game belong to --estimate, which isn't given"
        )
    if estimate and dry_run is not None:
        raise ConfigError("--estimate computes nothing and --dry-run does: give one of them")

    def settings() -> TrainConfig:
        return load_config(TrainConfig, config, set_ or ())

    if estimate:
        _estimate(settings(), hardware, devices or 8, games, tokens_per_game)
        return 0
    started = started_by_torchrun()
    if num_processes is not None and started.size > 1:
        raise ConfigError("--processes and torchrun both start processes: give one of them")
    try:
        with stop_requests(told=started.is_first) as is_asked:
            if started.size > 1:
                with joined(started) as group:
                    said, code = _First(group.together(settings), dry_run, is_asked)(group)
            else:
                first = _First(settings(), dry_run, is_asked)
                num = num_processes or useful_processes(first.config)
                said, code = run_in_processes(num, first.work(), first=first)
    except ToldElsewhere:
        raise SystemExit(2) from None
    if not started.is_first:
        raise SystemExit(code)
    typer.echo(said, err=code != 0)
    return code


class _First:
    """What a process of a run does, with a display if it is the first: gives what to say, and the exit code.

    Args:
        config: of the run.
        dry_run_steps: for a dry run of these many steps.
        is_asked: whether to stop.
    """

    def __init__(self, config: TrainConfig, dry_run_steps: int | None, is_asked: Callable[[], bool]) -> None:
        self.config = config
        self._dry_run_steps = dry_run_steps
        self._is_asked = is_asked

    def work(self) -> Callable[..., Any]:
        """The same without display and questions, for the processes beside it."""
        from chesslm import training

        if self._dry_run_steps is not None:
            return partial(training.dry_run, self.config, steps=self._dry_run_steps)
        return partial(training.train, self.config, command=sys.argv)

    def __call__(self, processes: Processes) -> tuple[str, int]:
        from rich.console import Console

        from chesslm.training_display import RunDisplay

        display = RunDisplay(Console(stderr=True)) if processes.is_first else None
        try:
            if self._dry_run_steps is None:
                return _told(self.work()(watcher=display, should_stop=self._is_asked, processes=processes))
            peak = self.work()(watcher=display, processes=processes)
            return f"{self._dry_run_steps} steps done, nothing written; peak memory {peak.text()}", 0
        finally:
            if display is not None:
                display.close()


def _estimate(
    config: TrainConfig, hardware: str | None, devices: int, num_games: int | None, tokens_per_game: float | None
) -> None:
    """Print what a run would take."""
    from rich.console import Console

    from chesslm import train_estimate as estimates
    from chesslm.hardware import HARDWARE, find_hardware
    from chesslm.train_estimate_display import hours_table, needs_table

    wants_cpu = hardware is None or hardware.lower() == "cpu"
    cards = HARDWARE if hardware is None else () if wants_cpu else (find_hardware(hardware),)
    games = estimates.games_to_train_on(config, num_games=num_games, tokens_per_game=tokens_per_game)
    needed = estimates.estimate(config, games, num_processes=devices)
    console = Console()
    console.print(needs_table(config, needed))
    measured = estimates.cpu_tokens_per_s(config, games) if wants_cpu else None
    console.print(hours_table(config, needed, cards, count=devices, cpu_tokens_per_s=measured))


def _told(result: RunResult) -> tuple[str, int]:
    """How it ended, in words, and the exit code."""
    if result.outcome == "interrupted":
        return f"the same command goes on from {result.checkpoint}", INTERRUPTED
    if result.outcome == "already finished":
        return f"{result.folder} is finished already, nothing to do; its model: {result.checkpoint}", 0
    return f"{result.folder} is finished; its model: {result.checkpoint}", 0


@contextmanager
def stop_requests(*, told: bool = True) -> Iterator[Callable[[], bool]]:
    """While the block runs, the first SIGINT or SIGTERM only makes the function that this gives return True.

    Args:
        told: say on stderr that it was understood.
    """
    asked: list[bool] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.append(True)
        restore()
        if told:
            # Not print: the signal may have come in the middle of one.
            os.write(sys.stderr.fileno(), b"\nstopping at the end of this step (once more: at once)\n")

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
