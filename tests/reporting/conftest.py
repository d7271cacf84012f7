"""Run folders as training leaves them, as far as a report reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def run_folder() -> Callable[[Path], Path]:
    """Makes a run folder with three validations."""

    def make(path: Path) -> Path:
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"config": {"data": {"notation": "pgn"}}}))
        lines = [
            {"kind": "train", "step": 1},
            *(
                {
                    "kind": "validation",
                    "games": games,
                    "tokens": games * 100,
                    "wall_s": games / 7,
                    "first_choice_legal": games / 200,
                    "legal_mass": games / 300,
                    "move_nats": 5 - games / 50,
                    "n": 40,
                }
                for games in (0, 50, 100)
            ),
        ]
        (path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
        return path

    return make
