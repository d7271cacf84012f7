"""Processes that train one model together: who is who, and how they agree.

Knows: torchrun's environment variables, the only environment that training reads; sums over processes; that a failure
of one is a failure of all, told once.
Doesn't know: models (`parallel`), steps, data, files of a run, how processes are started here (`local_processes`).

Small things are exchanged between CPUs (gloo), on CUDA machines too, so that no exchange waits for a device.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from chesslm.errors import ChesslmError, ConfigError, InputError, ToldElsewhere, TrainingError, UserError

# How long a process waits for the others: while the first validates or writes a checkpoint, they have nothing to do.
PATIENCE = timedelta(hours=1)
_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """One process among those of its run; without arguments the only one.

    Args:
        rank: 0 for the first, which alone writes files and speaks.
        size: number of processes.
        local_rank: rank among the processes of this machine; the number of its CUDA device.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def sum(self, value: float) -> float:
        """The sum of everybody's value, in float64."""
        return float(self._reduce(torch.tensor(value, dtype=torch.float64), dist.ReduceOp.SUM))

    def max(self, value: int) -> int:
        """The largest of everybody's values."""
        return int(self._reduce(torch.tensor(value, dtype=torch.int64), dist.ReduceOp.MAX))

    def any(self, flag: bool) -> bool:
        """Whether anybody's flag is set."""
        return bool(self.max(int(flag)))

    def together(self, work: Callable[[], T]) -> T:
        """What `work` gives here, once it has succeeded everywhere.

        Raises:
            UserError: it failed with one somewhere; the first process raises it.
            ToldElsewhere: the same, on the others.
        """
        if self.size == 1:
            return work()
        failure: UserError | None = None
        try:
            result = work()
        except UserError as error:
            failure = error
        failed = int(
            self._reduce(torch.tensor(self.rank if failure is not None else self.size), dist.ReduceOp.MIN)
        )  # the lowest rank that did
        if failed == self.size:
            return result
        said = self._broadcast("" if failure is None else str(failure), source=failed)
        raise self.failure(failure or UserError(f"process {failed}: {said}"))

    def on_first(self, work: Callable[[], str]) -> str:
        """What `work` gives on the first process, on all; raises as `together`."""
        said = self.together(work if self.is_first else str)
        return said if self.size == 1 else self._broadcast(said, source=0)

    def hand_out(self, tensor: torch.Tensor, *, source: int) -> None:
        """Make a tensor, of one shape everywhere, what it is on one process."""
        if self.size > 1:
            dist.broadcast(tensor, source)

    def failure(self, error: UserError) -> ChesslmError:
        """What to raise for a failure that every process has noticed: told by the first, silent on the others."""
        return error if self.is_first else ToldElsewhere(str(error))

    def device(self, device: torch.device) -> torch.device:
        """The device of a kind that is this process's own.

        Raises:
            InputError: more processes on this machine than CUDA devices.
        """
        if device.type != "cuda":
            return device
        if self.local_rank >= torch.cuda.device_count():
            raise InputError(
                f"process {self.local_rank} of this machine has no CUDA device (of {torch.cuda.device_count()}); "
                "start one process a device: torchrun --nproc-per-node"
            )
        return torch.device("cuda", self.local_rank)

    def _reduce(self, value: torch.Tensor, operation: dist.ReduceOp.RedOpType) -> torch.Tensor:
        if self.size > 1:
            dist.all_reduce(value, operation)
        return value

    def _broadcast(self, text: str, *, source: int) -> str:
        """A text of one process, on all; as bytes, because objects would travel as pickles."""
        content = torch.tensor(list(text.encode(errors="surrogateescape")), dtype=torch.uint8)
        length = torch.tensor(len(content))
        dist.broadcast(length, source)
        if self.rank != source:
            content = torch.zeros(int(length), dtype=torch.uint8)
        dist.broadcast(content, source)
        return bytes(content.tolist()).decode(errors="surrogateescape")


@contextmanager
def joined(processes: Processes | None = None, *, meeting: Path | None = None) -> Iterator[Processes]:
    """One of several processes, while it is connected to the others; alone if there are no others.

    Args:
        processes: who this one is; as torchrun's variables say if None, alone if there are none.
        meeting: a file through which they find each other, new and the same for all; torchrun's variables if None.

    Raises:
        ConfigError: torchrun's variables are no numbers.
        TrainingError, ToldElsewhere: no connection, or another process has ended while the block ran.
    """
    processes = processes or started_by_torchrun()
    if processes.size == 1:
        yield processes
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    rank, size = processes.rank, processes.size
    store = None if meeting is None else dist.FileStore(str(meeting), size)  # type: ignore[attr-defined]
    try:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except RuntimeError as error:
        said = f"process {rank} can't connect to the others: {error}; --processes 1 does without them"
        raise processes.failure(TrainingError(said)) from error
    try:
        yield processes
        dist.barrier()  # who tears down first would look to the others as if it had died
    except RuntimeError as error:
        if not _is_lost_peer(error):
            raise
        said = f"process {processes.rank}: another process of this run has ended; the same command goes on"
        raise processes.failure(TrainingError(f"{said} from the newest checkpoint")) from error
    finally:
        dist.destroy_process_group()
        # This only forgets the group: threads end with the last reference, which DDP holds in a cycle. One that lets
        # go of a tensor while Python shuts down would abort the process after all was done ("terminate called").
        gc.collect()


def started_by_torchrun() -> Processes:
    """Who this process is by torchrun's variables; the only one if there are none.

    Raises:
        ConfigError: they are no numbers.
    """
    if any(name not in os.environ for name in _VARIABLES):
        return Processes()
    try:
        return Processes(*(int(os.environ[name]) for name in _VARIABLES))
    except ValueError as error:
        said = ", ".join(f"{name}={os.environ[name]}" for name in _VARIABLES)
        raise ConfigError(f"torchrun's variables are no numbers: {said}") from error


def _is_lost_peer(error: RuntimeError) -> bool:
    # torch has no class of its own for a connection that gloo lost.
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()
