"""What a run folder tells the report: its name, its configuration, and validations against games, tokens and time.

Knows: the lines of `metrics.jsonl` that a report needs.
Doesn't know: how they were measured (`chesslm.training`) or how they are drawn (`figures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chesslm.errors import FormatError
from chesslm.files import read_json, read_lines


@dataclass(frozen=True, slots=True)
class ValidationPoint:
    """One validation during training: rates in [0, 1], nats a move, seconds of training."""

    games: int
    tokens: int
    train_s: float
    first_choice_legal: float
    legal_mass: float
    move_nats: float
    num_positions: int


@dataclass(frozen=True, slots=True)
class RunCurve:
    """A run and its validations, earliest first."""

    folder: Path
    notation: str
    points: tuple[ValidationPoint, ...]


def read_run_curve(folder: Path) -> RunCurve:
    """The validations of a run folder.

    Raises:
        InputError: no run folder, or its files can't be read.
        FormatError: a validation line lacks a value; names file and key.
    """
    config = read_json(folder / "config.json")
    path = folder / "metrics.jsonl"
    try:
        notation = str(config["config"]["data"]["notation"])
        lines = [line for line in read_lines(path) if line["kind"] == "validation"]
        return RunCurve(folder, notation, tuple(_point(line) for line in lines))
    except (KeyError, TypeError) as error:
        raise FormatError(f"{folder}: config.json or metrics.jsonl is not a run's: {error}") from error


def _point(line: dict[str, Any]) -> ValidationPoint:
    return ValidationPoint(
        games=int(line["games"]),
        tokens=int(line["tokens"]),
        train_s=float(line["train_s"]),
        first_choice_legal=float(line["first_choice_legal"]),
        legal_mass=float(line["legal_mass"]),
        move_nats=float(line["move_nats"]),
        num_positions=int(line["n"]),
    )
