"""`metrics.jsonl`: one line for each stretch of training and each validation.

Knows: that lines are whole, and that a resumed run first forgets what it will write again.
Doesn't know: what is measured.

    {"kind": "train", "step", "games", "tokens", "train_s", "wall_s", "loss_nats", "learning_rate", "grad_norm",
     "tokens_per_s"}
    {"kind": "validation", "step", "games", "tokens", "train_s", "wall_s", "n", "first_choice_legal", "legal_mass",
     "move_nats", "move_match", "end_mass", "num_loss_games", "val_loss_nats", "text_nats_per_move"}

`loss_nats` is the mean over all tokens since the line before, `grad_norm` the last step's before clipping; `train_s`
counts steps alone, `wall_s` the whole training loop, both summed over resumes; `tokens_per_s` is over `train_s`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chesslm.errors import FormatError, OutputError
from chesslm.files import append_line, json_line, read_lines, write_bytes


class MetricsLog:
    """The log of one run, open for appending.

    Args:
        path: of the file; made if it isn't there.
        through_step: lines of later steps are cut away: the run will write them again.

    Raises:
        InputError: the file is there and not a log.
        FormatError: a line has no step.
        OutputError: it can't be written.
    """

    def __init__(self, path: Path, *, through_step: int | None) -> None:
        self._path = path
        lines = list(read_lines(path)) if path.is_file() else []
        try:
            kept = [line for line in lines if through_step is not None and line["step"] <= through_step]
            self._last = {str(line["kind"]): dict(line) for line in kept}
        except (KeyError, TypeError) as error:
            raise FormatError(f"{path}: a line without kind or step") from error
        write_bytes(path, b"".join(map(json_line, kept)))
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise OutputError(f"can't write {path}: {error.strerror or error}") from error

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; it is with the operating system when this returns.

        Raises:
            OutputError: no room, or another operating system error.
        """
        try:
            append_line(self._file, line)
        except OSError as error:
            raise OutputError(f"can't write {self._path}: {error.strerror or error}") from error
        self._last[str(line["kind"])] = line

    def sync(self) -> None:
        """Have all lines on the disk: before a checkpoint that counts on them.

        Raises:
            OutputError: an operating system error.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"can't write {self._path}: {error.strerror or error}") from error

    def last(self, kind: str) -> dict[str, Any] | None:
        """The newest line of a kind, None if there is none."""
        return self._last.get(kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What couldn't be written has been reported by `append`; closing would only try it again.
        with suppress(OSError):
            self._file.close()
