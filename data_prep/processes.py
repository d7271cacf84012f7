"""A command as seen from outside: seconds, processor seconds, and the most memory that it and its children had at once.

Knows: processes and what the operating system says of them.
Doesn't know: what they do.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a command.

    Args:
        wall_s: seconds from its start to its end, the start of the interpreter included.
        cpu_s: processor seconds of it and all its children.
        peak_bytes: the largest sum of the proportional set sizes of it and its children, looked at every
            `LOOK_EVERY_S`; a shorter peak may be missed. Shared pages count once.
        code: exit code.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    code: int
    out: str
    err: str


def measure(command: Sequence[str], *, cwd: Path, keep_output: bool = True) -> Measured:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        cwd: its folder.
        keep_output: else what it writes to standard output goes nowhere.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before, began_s = os.times(), time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out if keep_output else subprocess.DEVNULL, stderr=err
        )
        watch = _MemoryWatch(process.pid)
        code = process.wait()
        wall_s = time.monotonic() - began_s
        peak = watch.stop()
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        out.seek(0)
        err.seek(0)
        texts = [file.read().decode(errors="replace") for file in (out, err)]
    return Measured(wall_s, cpu_s, peak, code, *texts)


class _MemoryWatch:
    """Adds up the memory of a process and its children again and again, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        self._end.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, memory_of(self._pid))
            if self._end.wait(LOOK_EVERY_S):
                return


def memory_of(pid: int) -> int:
    """Bytes that a process and its children have now; 0 if it has ended."""
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue  # it ended in between
    return total
