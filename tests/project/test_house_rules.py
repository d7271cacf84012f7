"""Rules of the house that a machine can check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("chesslm", "data_prep", "eval", "play")
MODULES = sorted(path for room in (*ROOMS, "benchmarks", "fuzz", "tests") for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_room_is_a_junk_drawer() -> None:
    assert not {"utils.py", "helpers.py", "common.py", "misc.py"} & {path.name for path in MODULES}


@pytest.mark.parametrize(
    "module", ["chesslm", "chesslm.cli", "data_prep.cli", "eval.cli", "play.cli", "chesslm.train_cli"]
)
def test_a_command_is_found_without_importing_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_the_sample_is_small_enough_to_ship() -> None:
    assert (ROOT / "data_prep" / "sample" / "sample.pgn.zst").stat().st_size < 3_000_000
