"""Whole games through the real command and a real client; in full: `python -m benchmarks.uci_matches`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "opponent",
    [pytest.param("random"), pytest.param("stockfish", marks=pytest.mark.stockfish)],
)
def test_games_bring_no_illegal_move_crash_stall_or_process_that_stays(opponent: str, checkpoint: Path) -> None:
    other = {"random": "stockfish", "stockfish": "random"}[opponent]
    command = [sys.executable, "-m", "benchmarks.uci_matches", "--model", str(checkpoint), "--max-plies", "40"]
    games = [f"--against-{opponent}", "4", f"--against-{other}", "0", "--nodes", "20"]
    done = subprocess.run([*command, *games], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["games"], found["faults"]) == (4, [])
    # Forty tokens hold some ten plies of a game; what comes after is played at random.
    assert found["model moves"] > 0
    assert found["random moves"] > 0
