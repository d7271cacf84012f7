"""How far a long command has come: a bar on a terminal, a plain line now and then elsewhere. All of it on stderr.

Knows: rates and time left.
Doesn't know: what is counted.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


class ProgressLine:
    """Shows work done on stderr while the block runs.

    Args:
        title: what is being done.
        total: units of work in all (bytes, games), None if unknown.
        unit: what `num_games` counts in the rate, in the plural.
    """

    def __init__(self, title: str, total: int | None, unit: str = "games") -> None:
        self._title, self._total, self._unit = title, total, unit
        self._began_s = self._shown_s = time.monotonic()
        self._task: TaskID | None = None
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[counted]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._total, counted="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since this was made."""
        return time.monotonic() - self._began_s

    def show(self, done: int, num_games: int) -> None:
        """`done` of `total` units are done, which makes `num_games` games."""
        counted = f"{num_games:,} {self._unit}, {num_games / max(self.elapsed_s, 1e-9):,.0f}/s"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, counted=counted)
        elif time.monotonic() - self._shown_s >= LINE_EVERY_S:
            self._shown_s = time.monotonic()
            line = f"{self._title}: {counted}{self._left(done)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _left(self, done: int) -> str:
        if not self._total or not done:
            return ""
        left_s = self.elapsed_s * max(self._total - done, 0) / done
        return f", {left_s:,.0f} s left"
