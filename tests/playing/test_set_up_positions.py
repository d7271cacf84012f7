"""Games that begin at a set-up position, through the real command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import chess.pgn
import pytest

from chesslm.notation.registry import build_notation
from play import cli as play_cli
from play import opponent as play_opponent

Run = Callable[..., Any]


LONE_KINGS = "4k3/8/8/8/8/8/4P3/4K3 b - - 3 40"


def test_a_set_up_position_is_played_by_who_can_and_recorded_nowhere(run: Run) -> None:
    options = ["--model", "random", "--fen", LONE_KINGS, "--colour", "black", "--ledger", "games.jsonl"]
    played = run(
        *options, lines=["Kd7", "moves", f"fen {chess.STARTING_FEN}", "fen nonsense", "fen 8/8 w - - 0 1", "quit"]
    )
    assert "The game begins at a set-up position, so no ledger records it.\nYou play Black.\n" in played.out
    assert "40... Kd7\n" in played.out
    assert f"--colour black --fen '{LONE_KINGS}' --moves '40... Kd7 41. " in played.out
    assert "fen: no FEN: " in played.out
    assert not Path("games.jsonl").exists()
    again = run(*options, "--moves", "40... Kd7 41. e4", lines=["moves"])
    assert "Going on after 2 plies.\n" in again.out
    assert "40... Kd7 41. e4\n" in again.out


def test_a_model_that_reads_games_from_their_beginning_refuses_a_set_up_position(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opponent = play_opponent.Opponent(scripted({}), language=build_notation("pgn", []))
    monkeypatch.setattr(play_cli, "open_opponent", lambda name, policy: opponent)
    played = run(lines=[f"fen {LONE_KINGS}", "quit"])
    assert "scripted can't play from there (pgn): the game began at" in played.out
    assert "You play White.\n" in played.out
    refused = run("--fen", LONE_KINGS)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert refused.err.startswith("chesslm: --fen: scripted can't play from there (pgn)")
