"""A match whose process is killed, and one whose engine fails, as a user meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.match_log import GAMES_FILE, read_pgn_records
from eval.strength_records import read_strength

Run = Callable[..., tuple[int, str, str]]


def num_games(folder: Path) -> int:
    path = folder / GAMES_FILE
    return len(read_pgn_records(path.read_bytes())[0]) if path.is_file() else 0


def test_a_killed_match_goes_on_to_the_same_end_and_leaves_no_engine(
    run: Run, scripted: Callable[..., Any], tmp_path: Path
) -> None:
    # Games of random movers differ in length, so some have ended while others are being played.
    engine = scripted("good", 0)
    options = ["--rungs", "random,stockfish@5,material-1", "--anchor", "random", "--anchor-elo", "0"]
    options += ["--games-per-pair", "6", "--plies", "40", "--stockfish", str(engine.path)]
    whole, resumed, folder = tmp_path / "whole.json", tmp_path / "resumed.json", tmp_path / "match"
    assert run("ladder", *options, "--json", whole)[0] == 0

    command = [sys.executable, "-m", "chesslm.cli", "eval", "ladder", *options, "--out", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    patience = time.monotonic() + 60
    while num_games(folder) < 1 and process.poll() is None and time.monotonic() < patience:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert num_games(folder) >= 1
    engine.assert_all_ended()

    assert run("ladder", *options, "--out", folder, "--json", resumed)[0] == 0
    unlike = {"command", "commit"}
    assert read_strength(resumed).model_dump(exclude=unlike) == read_strength(whole).model_dump(exclude=unlike)
    engine.assert_all_ended()


@pytest.mark.usefixtures("no_stockfish")
def test_lost_engines_are_counted_and_shown(run: Run, scripted: Callable[..., Any], tmp_path: Path) -> None:
    engine = scripted("dies", 12)
    out = tmp_path / "ladder.json"
    options = ("--rungs", "material-1,stockfish@5", "--anchor", "material-1", "--games-per-pair", 16, "--plies", 30)
    code, said, err = run("ladder", *options, "--stockfish", engine.path, "--json", out)
    assert (code, err) == (0, "")
    (pairing,) = read_strength(out).pairings
    num_failed = pairing.failures["stockfish@5"]
    assert 0 < num_failed < 16
    assert pairing.reasons["player failure"] == num_failed
    assert "player failure of stockfish@5" in said
    assert f"{num_failed} lost because a player failed" in said
    engine.assert_all_ended()
