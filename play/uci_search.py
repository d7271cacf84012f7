"""One search at a time, in a thread of its own, whose answer goes out exactly once and only when it may.

Knows: when `bestmove` may be sent, and how soon it must be.
Doesn't know: what a position is worth (`uci_thinker`) or what the protocol calls things (`uci_engine`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from play.uci_protocol import best_move
from play.uci_thinker import Thought

# `stop` is to be answered within 100 ms, whatever the model is doing.
STOP_PATIENCE_S = 0.02

Say = Callable[[Sequence[str]], None]


class Search:
    """The answer to one `go`.

    Args:
        say: sends lines, all at once.
        fallback: what to play if the answer isn't there when it has to be.
        is_held: the answer waits for `release` or `stop` (infinite, ponder).
    """

    def __init__(self, say: Say, fallback: Callable[[], Thought], *, is_held: bool) -> None:
        self._say = say
        self._fallback = fallback
        self._is_held = is_held
        self._thought: Thought | None = None
        self._lock = threading.Lock()
        self._is_thought = threading.Event()
        self._is_answered = threading.Event()

    @property
    def is_answered(self) -> bool:
        """Whether `bestmove` has been sent."""
        return self._is_answered.is_set()

    def finish(self, thought: Thought) -> None:
        """The answer is found: sent at once; or only its info lines, if the move has to wait; or nothing, if late."""
        with self._lock:
            if self.is_answered or self._thought is not None:
                return
            self._thought = thought
            self._is_thought.set()
            if self._is_held:
                self._say(thought.lines)
            else:
                self._answer(thought.lines, thought)

    def release(self) -> None:
        """The answer may be sent as soon as it is there (`ponderhit`)."""
        with self._lock:
            self._is_held = False
            if self._thought is not None and not self.is_answered:
                self._answer((), self._thought)

    def stop(self) -> None:
        """The answer must be sent now; if none turns up in the next moments, the fallback is."""
        self.release()
        if not self._is_thought.wait(STOP_PATIENCE_S):
            self.finish(self._fallback())

    def _answer(self, lines: Sequence[str], thought: Thought) -> None:
        self._is_answered.set()
        self._say((*lines, best_move(thought.move)))


class Worker:
    """A thread that does one thing after the other.

    Args:
        failed: told what a task raised.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_closing = threading.Event()
        # Not a daemon: an interpreter that ends while a thread is inside torch may crash.
        self._thread = threading.Thread(target=self._work, name="search", daemon=False)
        self._thread.start()

    def do(self, task: Callable[[], None]) -> None:
        """Have it done after everything before."""
        self._tasks.put(task)

    def close(self, *, is_finishing: bool = False, within_s: float | None = None) -> bool:
        """Wait for the thread's end: after the present task, or after all where `is_finishing`; whether it came."""
        if not is_finishing:
            self._is_closing.set()
        self._tasks.put(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._is_closing.is_set():
                continue
            try:
                task()
            except BaseException as error:  # whoever reads the commands has to raise it
                self._failed(error)
