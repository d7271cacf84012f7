"""Processes of this machine that train one model together, started without torchrun.

Knows: how many processes make the most of a CPU, how they are started, and that they end with the one that did it.
Doesn't know: what they do (`training`), how they agree (`processes`).

Torch divides each operation among its threads, and all wait for the last one every time; a process that has a share of
the games to itself waits once a step. See `LOG.md` for what either is worth.
"""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from chesslm.config import TrainConfig
from chesslm.errors import ChesslmError, TrainingError
from chesslm.processes import Processes, joined

Result = TypeVar("Result", covariant=True)

# A process with fewer games of a step waits for the others more than it computes.
_GAMES_OF_A_PROCESS = 4
_TOKENS_OF_A_PROCESS = 1_000
# What a process that has lost the others is given to end by itself.
_PATIENCE_S = 10.0
_LOOK_EVERY_S = 0.1


class Work(Protocol[Result]):
    """What the processes do: something a fresh process can import, like a `partial` of a module's function."""

    def __call__(self, *, processes: Processes) -> Result:
        """Do it as one of these processes."""


def useful_processes(config: TrainConfig) -> int:
    """How many processes train fastest here: one for each core of a CPU if the step has enough for them, else one.

    Where a configuration says how many threads torch has, one process gets them.
    """
    training = config.training
    on_cuda = training.device == "cuda" or (training.device == "auto" and torch.cuda.is_available())
    if on_cuda or training.threads is not None:
        return 1
    shares = (training.games_per_step or 0) // _GAMES_OF_A_PROCESS + (
        training.tokens_per_step or 0
    ) // _TOKENS_OF_A_PROCESS
    return max(1, min(torch.get_num_threads(), shares))


def run_in_processes(num: int, work: Work[Result], *, first: Callable[[Processes], Result]) -> Result:
    """Let processes of this machine work together, of which this one is the first; torch's threads are shared out.

    The others don't hear Ctrl-C or SIGTERM: this one says when to stop. When one ends early the others do, too.

    Args:
        num: processes, this one included.
        work: what the others do.
        first: what this one does; its result is returned.

    Raises:
        TrainingError: another process has ended.
        Exception: what `first` raises.
    """
    if num == 1:
        return first(Processes())
    threads = max(1, torch.get_num_threads() // num)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chesslm-"))
        meeting = Path(folder) / "meeting"
        # Spawned, not forked: a fork copies locks of other threads in whatever state they are.
        context = multiprocessing.get_context("spawn")
        others: list[_Other] = []
        try:
            for rank in range(1, num):
                with _unheard_signals():
                    others.append(_Other(context, work, Processes(rank, num, rank), meeting, threads))
                stack.callback(others[-1].end)
            for other in others:
                other.await_start()
            torch.set_num_threads(threads)
            with joined(Processes(0, num, 0), meeting=meeting) as processes:
                return first(processes)
        except BaseException as error:
            if not isinstance(error, ChesslmError):  # a second Ctrl-C: the others wait for nobody any more
                for other in others:
                    other.kill()
            raise


@contextmanager
def _unheard_signals() -> Iterator[None]:
    """What is started in the block never hears SIGINT and SIGTERM; this process hears them after it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # a process of multiprocessing's own, which would let the signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Other:
    """A process beside the first.

    Args:
        context: starts it.
        work: what it does.
        own: who it is.
        meeting: where it finds the others.
        threads: of torch's.
    """

    def __init__(self, context: SpawnContext, work: Work[object], own: Processes, meeting: Path, threads: int) -> None:
        self._rank, self._has_begun = own.rank, context.Event()
        arguments = (work, own, meeting, threads, self._has_begun)
        self._process: SpawnProcess = context.Process(target=_join, args=arguments, daemon=True)
        self._process.start()

    def await_start(self) -> None:
        """Return when it runs: to wait for it at the meeting would mean to wait for long if it never comes.

        Raises:
            TrainingError: it has ended before.
        """
        while not self._has_begun.wait(_LOOK_EVERY_S):
            if not self._process.is_alive():
                code = self._process.exitcode
                raise TrainingError(
                    f"process {self._rank} ended with code {code} before it began; --processes 1 may help"
                )

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def end(self) -> None:
        """Wait a little, then kill it."""
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _join(work: Work[object], own: Processes, meeting: Path, threads: int, has_begun: Event) -> None:
    torch.set_num_threads(threads)
    has_begun.set()
    try:
        with joined(own, meeting=meeting) as processes:
            work(processes=processes)
    except ChesslmError:
        raise SystemExit(2) from None  # the first process tells
