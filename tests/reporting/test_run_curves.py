"""What a report reads from run folders, and what it refuses there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chesslm.errors import FormatError
from eval.learning_curves import read_run_curve


def test_a_run_of_another_shape_is_named(run_folder: Callable[[Path], Path], tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    (run / "config.json").write_text("{}")
    with pytest.raises(FormatError, match="run"):
        read_run_curve(run)


@pytest.mark.parametrize(
    "change",
    [
        {"games": "abc"},
        {"n": 0},
        {"n": 2.5},
        {"first_choice_legal": 1.2},
        {"move_nats": -1.0},
        {"wall_s": float("inf")},
        {"tokens": 10**400},
        {"legal_mass": None},
    ],
)
def test_impossible_validations_are_named_in_one_line(
    change: dict[str, object], run_folder: Callable[[Path], Path], tmp_path: Path
) -> None:
    run = run_folder(tmp_path / "run")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines[1] |= change
    (run / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    with pytest.raises(FormatError, match=r"run: config\.json or metrics\.jsonl") as caught:
        read_run_curve(run)
    assert "\n" not in str(caught.value)


def test_curves_are_drawn_over_wall_time(run_folder: Callable[[Path], Path], tmp_path: Path) -> None:
    (_, *later) = read_run_curve(run_folder(tmp_path / "run")).points
    assert [point.wall_s for point in later] == [50 / 7, 100 / 7]
