"""Who has won a game that can't go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import pytest

from chesslm.uci_player import find_stockfish
from eval.adjudication import Adjudicator

THREE_PAWNS_UP = "4k3/8/8/8/8/8/PPP5/4K3 b - - 0 1"
TWO_PAWNS_UP = "4k3/8/8/8/8/8/PP6/4K3 b - - 0 1"
BLACK_IS_UP = "3qk3/8/8/8/8/8/PP6/4K3 w - - 0 1"


@pytest.mark.parametrize(("fen", "result"), [(THREE_PAWNS_UP, "1-0"), (TWO_PAWNS_UP, "1/2-1/2"), (BLACK_IS_UP, "0-1")])
def test_without_an_engine_three_pawns_win(fen: str, result: str) -> None:
    with Adjudicator(None) as adjudicator:
        assert adjudicator.policy == "material, 3 pawns or more win, else a draw"
        verdict = adjudicator.judge(chess.Board(fen))
    assert (verdict.result, verdict.by) == (result, "material")
    assert verdict.text.startswith("material: ")


@pytest.mark.parametrize(("mode", "why"), [("dies", "died unexpectedly"), ("lies", "illegal uci: 'a1h8'")])
def test_an_engine_that_fails_twice_leaves_it_to_material_and_the_verdict_says_why(
    mode: str, why: str, scripted: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    engine = scripted(mode, 0)
    board = chess.Board()
    board.push_san("e4")
    with caplog.at_level(logging.WARNING), Adjudicator(engine.path, nodes=10) as adjudicator:
        verdict = adjudicator.judge(board)
    assert verdict.by == "material"
    assert verdict.text.startswith("material: +0 pawns for White (the adjudicator failed: ")
    assert why in verdict.text
    assert engine.num_started == 2
    assert caplog.text.count("the adjudicator failed") == 2
    engine.assert_all_ended()


def test_an_engine_that_hangs_is_ended_and_leaves_it_to_material(scripted: Callable[..., Any]) -> None:
    engine = scripted("hangs", 0)
    board = chess.Board()
    board.push_san("e4")
    with Adjudicator(engine.path, nodes=10, timeout_s=1) as adjudicator:
        verdict = adjudicator.judge(board)
    assert verdict.by == "material"
    assert "gave no answer within 1 s" in verdict.text
    engine.assert_all_ended()


def test_an_engine_that_lied_is_asked_again_about_the_next_game(scripted: Callable[..., Any]) -> None:
    engine = scripted("lies", 3)
    boards = [chess.Board(), chess.Board()]
    for board, moves in zip(boards, (("e4", "e5", "Nf3"), ("d4",)), strict=True):
        for san in moves:
            board.push_san(san)
    with Adjudicator(engine.path, nodes=10) as adjudicator:
        assert [adjudicator.judge(board).by for board in boards] == ["material", "stockfish"]
    assert engine.num_started == 3
    engine.assert_all_ended()


def test_an_engine_that_is_missing_leaves_it_to_material(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Adjudicator(Path("/nowhere/engine")) as adjudicator:
        assert adjudicator.judge(chess.Board(THREE_PAWNS_UP)).by == "material"


@pytest.mark.stockfish
def test_stockfish_sees_what_material_does_not() -> None:
    # Black to move loses the queen's ending: both kings' pawns are equal, White's is about to queen.
    board = chess.Board("8/P7/8/8/8/6k1/6p1/6K1 w - - 0 1")
    with Adjudicator(find_stockfish(), nodes=20_000) as adjudicator:
        assert adjudicator.policy == "Stockfish at 20,000 nodes, 300 centipawns or more win, else a draw"
        verdict = adjudicator.judge(board)
        mirrored = adjudicator.judge(board.mirror())
    assert (verdict.result, mirrored.result) == ("1-0", "0-1")
    assert verdict.by == mirrored.by == "stockfish"
    assert "centipawns for White" in verdict.text
