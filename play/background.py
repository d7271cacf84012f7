"""One thread for everything that may take long, so that the interface never waits.

Knows: how to run calls one after another in another thread and give their results to an event loop.
Doesn't know: what the calls do.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")
_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Background:
    """Calls wait for each other, because no model promises to think about two games at once.

    The thread is a daemon: a call that never returns keeps nobody from leaving.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="chesslm-thinking", daemon=True)
        self._thread.start()

    async def run(self, call: Callable[[], Result]) -> Result:
        """What the call returns or raises. A call that nobody awaits any longer when its turn comes is left out."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._jobs.put((call, loop, future))
        return await future

    def close(self, *, patience_s: float) -> None:
        """Take no more calls, and wait a while for the one in progress."""
        self._jobs.put(None)
        self._thread.join(patience_s)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, loop, future = job
            if future.cancelled():
                continue
            try:
                result, error = call(), None
            except Exception as raised:
                result, error = None, raised
            # The loop may have ended meanwhile: then nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
