"""One function over many tasks at once, in threads or processes; results in the order of the tasks.

Knows: threads, processes, bounded work in flight, and how none of them outlives its parent.
Doesn't know: what the function does.

Threads are for functions that spend their time in compiled code, which releases the interpreter's lock: they start at
once, and nothing is copied to them or from them. Processes are for functions that spend it in Python.

Each process has a pipe of its own, of which nobody else holds an end: when a process dies, at whatever moment, its pipe
says so. (`concurrent.futures` shares one pipe among its processes, and waits for ever when one is killed while it
writes there.)
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeAlias, TypeVar

from chesslm.errors import OutputError

TaskType = TypeVar("TaskType")
ResultType = TypeVar("ResultType")
_IN_FLIGHT_A_WORKER = 2  # tasks; blocks of text are large
_AT_ONCE = 2  # tasks that a process has: one that it works at, one that lies ready
_KILLED = "a worker process was killed; is there enough memory? try --set data.workers=1"


def ordered_map_in_threads(
    function: Callable[[TaskType], ResultType], tasks: Iterable[TaskType], *, num_workers: int
) -> Iterator[ResultType]:
    """`map(function, tasks)`, computed by `num_workers` threads (in this one if 1), in constant memory.

    Args:
        function: may run in several threads at once.
        tasks: consumed only a little ahead of the results.
        num_workers: threads.

    Raises:
        Exception: whatever `function` or `tasks` raise.
    """
    if num_workers == 1:
        yield from map(function, tasks)
        return
    pool = ThreadPoolExecutor(num_workers)
    try:
        yield from _in_order(lambda task: pool.submit(function, task), tasks, num_workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
    waiting: _Queue = queue.SimpleQueue()
    workers = [_Worker(context, function, waiting) for _ in range(num_workers)]

    def submit(task: TaskType) -> Future[ResultType]:
        future: Future[ResultType] = Future()
        waiting.put((task, future))
        return future

    try:
        yield from _in_order(submit, tasks, num_workers)
    finally:
        for worker in workers:
            worker.stop()


def _in_order(
    submit: Callable[[TaskType], Future[ResultType]], tasks: Iterable[TaskType], num_workers: int
) -> Iterator[ResultType]:
    pending: deque[Future[ResultType]] = deque()
    for task in tasks:
        pending.append(submit(task))
        if len(pending) > num_workers * _IN_FLIGHT_A_WORKER:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


_Queue: TypeAlias = queue.SimpleQueue[tuple[Any, Future[Any]] | None]


class _Worker:
    """A process, and the thread that brings it tasks and takes its results.

    Args:
        context: starts the process.
        function: what it computes.
        waiting: where tasks and the futures of their results come from.
    """

    def __init__(self, context: SpawnContext, function: Callable[[Any], Any], waiting: _Queue) -> None:
        self._waiting = waiting
        self._connection, its_end = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_work, args=(function, its_end), daemon=True)
        self._process.start()
        its_end.close()  # now the process alone holds it
        threading.Thread(target=self._bring_tasks, daemon=True).start()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.terminate()
        self._process.join()
        self._waiting.put(None)  # for a thread that waits there

    def _bring_tasks(self) -> None:
        begun: deque[Future[Any]] = deque()
        while True:
            if len(begun) < _AT_ONCE:
                try:
                    item = self._waiting.get(block=not begun)
                except queue.Empty:
                    pass
                else:
                    if item is None:
                        return
                    self._send(*item, begun)
                    continue
            self._receive(begun)

    def _send(self, task: Any, future: Future[Any], begun: deque[Future[Any]]) -> None:
        try:
            self._connection.send(task)
        except OSError:
            future.set_exception(OutputError(_KILLED))
        except Exception as error:  # it can't be pickled
            future.set_exception(error)
        else:
            begun.append(future)

    def _receive(self, begun: deque[Future[Any]]) -> None:
        future = begun.popleft()
        try:
            is_result, content = self._connection.recv()
        except (EOFError, OSError):
            future.set_exception(OutputError(_KILLED))
        except Exception as error:  # it can't be unpickled
            future.set_exception(error)
        else:
            if is_result:
                future.set_result(content)
            else:
                future.set_exception(content)


def _work(function: Callable[[Any], Any], connection: Connection) -> None:
    """The life of a process: leave Ctrl-C to the parent, and end when the parent ends, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read_ahead, args=(connection, tasks), daemon=True).start()
    while True:
        task = tasks.get()
        try:
            answer = ForkingPickler.dumps((True, function(task)))
        except Exception as error:
            error.add_note("In a worker process:\n" + traceback.format_exc())
            answer = ForkingPickler.dumps((False, error))
        connection.send_bytes(answer)


def _read_ahead(connection: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    """Take tasks out of the pipe at once: a parent that waits to write there couldn't read results."""
    while True:
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)
