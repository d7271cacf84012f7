"""What a training run tells whoever watches it.

Knows: the events of a run, in order.
Doesn't know: how they are shown (`training_display`) or when they come (`training`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chesslm.checkpoint_files import TrainingState
from chesslm.model import ParameterCounts
from chesslm.peak_memory import PeakMemory


@dataclass(frozen=True, slots=True)
class RunOutline:
    """What a run is about to do: for showing.

    Args:
        counts: weights of the model.
        num_games: games in the train split, as chosen.
        steps: of the whole run.
        from_step: steps already done by earlier sessions.
        device: where it computes.
        num_processes: that train together.
    """

    counts: ParameterCounts
    num_games: int
    steps: int
    from_step: int
    device: str
    num_processes: int = 1


class Watcher:
    """Is told what happens; this one ignores it, commands show it."""

    def began(self, outline: RunOutline) -> None:
        """Everything is read and checked; the first step comes next."""

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        """A step is done; the loss is the step's own mean over tokens."""

    def validating(self) -> None:
        """A validation begins."""

    def validated(self, line: dict[str, Any]) -> None:
        """A validation is done; the line of the log."""

    def saved(self, folder: Path) -> None:
        """A checkpoint is complete."""

    def ended(self, peak: PeakMemory) -> None:
        """The session is over, the run finished or not; the most memory that one of its processes has needed."""
