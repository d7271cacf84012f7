"""The `chesslm train` command.

Knows: its options, and that the first Ctrl-C or SIGTERM asks for a checkpoint at the end of the step.
Doesn't know: how training works; torch is imported when it runs, so that `chesslm --help` stays quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chesslm.training import RunResult

INTERRUPTED = 130

app = typer.Typer(help="Train a model on prepared games; the same command goes on with a run that was stopped.")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="configuration of the run")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting, in TOML; repeatable")
    ] = None,
) -> int:
    """Train a model on prepared games; the same command goes on with a run that was stopped.

    Ctrl-C writes a checkpoint at the end of the step and stops; a second one stops at once.
    """
    from rich.console import Console

    from chesslm.config import TrainConfig, load_config
    from chesslm.training import train as run
    from chesslm.training_display import RunDisplay

    settings = load_config(TrainConfig, config, set_ or ())
    display = RunDisplay(Console(stderr=True))
    with stop_requests() as is_asked:
        try:
            result = run(settings, command=sys.argv, watcher=display, should_stop=is_asked)
        finally:
            display.close()
    return _tell(result)


def _tell(result: RunResult) -> int:
    """Say how it ended; the exit code."""
    if result.outcome == "interrupted":
        typer.echo(f"the same command goes on from {result.checkpoint}", err=True)
        return INTERRUPTED
    if result.outcome == "already finished":
        typer.echo(f"{result.folder} is finished already, nothing to do; its model: {result.checkpoint}")
    else:
        typer.echo(f"{result.folder} is finished; its model: {result.checkpoint}")
    return 0


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """While the block runs, the first SIGINT or SIGTERM only makes the function that this gives return True."""
    asked: list[bool] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.append(True)
        restore()
        # Not print: the signal may have come in the middle of one.
        os.write(sys.stderr.fileno(), b"\nstopping at the end of this step (once more: at once)\n")

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
