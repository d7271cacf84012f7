"""What a run folder tells the report: its name, its configuration, and validations against games, tokens and time.

Knows: the lines of `metrics.jsonl` that a report needs.
Doesn't know: how they were measured (`chesslm.training`) or how they are drawn (`figures`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chesslm.errors import FormatError
from chesslm.files import read_json, read_lines

# Sums of probabilities may miss 1, and losses 0, by so much.
ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class ValidationPoint:
    """One validation during training: rates in [0, 1], nats a move, seconds of the whole training loop so far."""

    games: int
    tokens: int
    wall_s: float
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
        FormatError: a validation line lacks a value or has an impossible one; names file and key.
    """
    config = read_json(folder / "config.json")
    path = folder / "metrics.jsonl"
    try:
        notation = str(config["config"]["data"]["notation"])
        lines = [line for line in read_lines(path) if line["kind"] == "validation"]
        return RunCurve(folder, notation, tuple(_point(line) for line in lines))
    except KeyError as error:
        raise FormatError(f"{folder}: config.json or metrics.jsonl is not a run's: no {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{folder}: config.json or metrics.jsonl is not a run's: {error}") from error


def _number(line: dict[str, Any], key: str) -> float:
    value = line[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is {value!r}, not a finite number")
    return float(value)


def _not_negative(line: dict[str, Any], key: str) -> float:
    value = _number(line, key)
    if value < -ROUNDING:
        raise ValueError(f"{key} is {value}, below 0")
    return value


def _rate(line: dict[str, Any], key: str) -> float:
    value = _number(line, key)
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise ValueError(f"{key} is {value}, not between 0 and 1")
    return min(max(value, 0.0), 1.0)


def _count(line: dict[str, Any], key: str) -> int:
    value = _number(line, key)
    if value < 1 or value != int(value):
        raise ValueError(f"{key} is {value}, not a number of positions")
    return int(value)


def _point(line: dict[str, Any]) -> ValidationPoint:
    return ValidationPoint(
        games=int(_not_negative(line, "games")),
        tokens=int(_not_negative(line, "tokens")),
        wall_s=_not_negative(line, "wall_s"),
        first_choice_legal=_rate(line, "first_choice_legal"),
        legal_mass=_rate(line, "legal_mass"),
        move_nats=_not_negative(line, "move_nats"),
        num_positions=_count(line, "n"),
    )
