"""One function over many tasks in several processes, results in the order of the tasks.

Knows: processes, bounded work in flight, and how none of them outlives its parent.
Doesn't know: what the function does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from chesslm.errors import OutputError

TaskType = TypeVar("TaskType")
ResultType = TypeVar("ResultType")
_IN_FLIGHT_A_WORKER = 3


def ordered_map(
    function: Callable[[TaskType], ResultType], tasks: Iterable[TaskType], *, num_workers: int
) -> Iterator[ResultType]:
    """`map(function, tasks)`, computed by `num_workers` processes (in this one if 1), in constant memory.

    Args:
        function: what a fresh process can import; its tasks and results are pickled.
        tasks: consumed only a little ahead of the results.
        num_workers: processes.

    Raises:
        OutputError: a process was killed (out of memory, most likely).
        Exception: whatever `function` or `tasks` raise.
    """
    if num_workers == 1:
        yield from map(function, tasks)
        return
    # Spawned, not forked: a fork copies locks of other threads (progress display, Arrow) in whatever state they are.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_begin_worker)
    pending: deque[Future[ResultType]] = deque()
    try:
        for task in tasks:
            pending.append(executor.submit(function, task))
            if len(pending) > num_workers * _IN_FLIGHT_A_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise OutputError("a worker process was killed; is there enough memory? try --set data.workers=1") from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent ends, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
