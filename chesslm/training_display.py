"""What a person sees of a training run: a bar on a terminal, a line now and then elsewhere. All of it on stderr.

Knows: rates over the last steps, time left, how a validation reads in words.
Doesn't know: the training loop, which tells it what happens through the `Watcher` methods.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from chesslm.checkpoint_files import TrainingState
from chesslm.peak_memory import PeakMemory
from chesslm.training_watcher import RunOutline, Watcher

LINE_EVERY_S = 15.0
_RECENT_STEPS = 30


class Rates:
    """Tokens, games and steps a second over the last steps, validations and checkpoints not counted."""

    def __init__(self) -> None:
        self._recent: deque[TrainingState] = deque(maxlen=_RECENT_STEPS)

    def add(self, state: TrainingState) -> None:
        """Count a step."""
        self._recent.append(state)

    def text(self, steps: int) -> str:
        """As people read it, with a comma before it; empty until two steps are counted.

        Args:
            steps: of the whole run.
        """
        first, last = self._recent[0], self._recent[-1]
        took_s = last.train_s - first.train_s
        if took_s <= 0:
            return ""
        tokens, games = last.tokens_seen - first.tokens_seen, last.games_seen - first.games_seen
        left_s = (steps - last.step) * took_s / (last.step - first.step)
        return f", {tokens / took_s:,.0f} tokens/s, {games / took_s:,.1f} games/s, {duration(left_s)} left"


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(59), duration(61), duration(3_700)
    ('59 s', '1:01 min', '1:01 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3_600}:{whole % 3_600 // 60:02d} h"


class RunDisplay(Watcher):
    """Shows a run while the block runs.

    Args:
        console: where to; a bar if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rates = Rates()
        self._steps = 0
        self._shown_s = time.monotonic()
        self._bar: Progress | None = None

    def began(self, outline: RunOutline) -> None:
        """One line about the run, and the bar."""
        counts = outline.counts
        self._steps = outline.steps
        resumed = f", goes on after step {outline.from_step:,}" if outline.from_step else ""
        several = f" in each of {outline.num_processes} processes" if outline.num_processes > 1 else ""
        self._say(
            f"{counts.total:,} weights (trunk {counts.trunk:,}, embedding {counts.embedding:,}, head {counts.head:,}), "
            f"{outline.num_games:,} games, {outline.steps:,} steps on {outline.device}{several}{resumed}"
        )
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[told]}"),
                console=self._console,
            )
            self._bar.start()
            self._bar.add_task("training", total=outline.steps, completed=outline.from_step, told="")

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        """Move the bar, or say a line if the last is some time ago."""
        self._rates.add(state)
        told = f"loss {loss_nats:.3f}{self._rates.text(self._steps)}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=state.step, told=told)
        elif time.monotonic() - self._shown_s >= LINE_EVERY_S:
            self._shown_s = time.monotonic()
            self._say(f"step {state.step:,} of {self._steps:,}: {told}")

    def validating(self) -> None:
        """Say on the bar why it stands still."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], told="validating")

    def validated(self, line: dict[str, Any]) -> None:
        """One line with the metrics."""
        self._say(
            f"validation at step {line['step']:,}: first choice legal {line['first_choice_legal']:.1%}, "
            f"legal mass {line['legal_mass']:.1%}, {line['move_nats']:.3f} nats a move, "
            f"move match {line['move_match']:.1%} (n = {line['n']:,}); "
            f"loss {line['val_loss_nats']:.3f} nats a token, {line['text_nats_per_move']:.3f} a move"
        )

    def saved(self, folder: Path) -> None:
        """Checkpoints are only told where there is no bar to disturb."""
        if self._bar is None:
            self._say(f"checkpoint {folder}")

    def ended(self, peak: PeakMemory) -> None:
        """One line."""
        self._say(f"peak memory {peak.text()}")

    def close(self) -> None:
        """Take the bar away; harmless to call twice."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
