"""Engines that crash, hang, lie or are missing cost the game, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chess
import pytest

from chesslm.errors import MissingToolError
from chesslm.openings import Opening
from chesslm.player import Decision
from chesslm.uci_player import UciPlayer
from eval.match_seats import MAX_FAILED_STARTS, Contestant
from eval.rungs import parse_rung

D4 = Opening("D4", ("d4", "d5"))


@pytest.mark.parametrize(
    ("mode", "told"), [("dies", "failed"), ("hangs", "gave no answer within"), ("lies", "illegal")]
)
def test_an_engine_that_misbehaves_loses_that_game_and_plays_the_others(
    mode: str, told: str, match: Any, pair: Callable[..., Any], scripted: Callable[..., Any]
) -> None:
    engine = scripted(mode, 8)
    match.max_plies = 14
    timeout_s = 2.0 if mode == "hangs" else 60.0

    def seat(cycle: int) -> UciPlayer:
        return UciPlayer(engine.path, nodes=1, timeout_s=timeout_s)

    match.add(Contestant("engine", "engine", seat))
    games = match.play([*pair("engine", "legal"), *pair("engine", "legal", D4, number=2)])
    assert [game.reason for game in games] == ["player failure"] * 2 + ["ply limit"] * 2
    assert [game.at_fault for game in games] == ["engine", "engine", None, None]
    assert [game.points_of("engine") for game in games[:2]] == [0.0, 0.0]
    assert told in games[0].note
    assert "emergency" in match.pgns[0]
    # Started anew after each failure, and gone at the end.
    assert engine.num_started == 3
    engine.assert_all_ended()


def test_an_engine_that_is_missing_loses_and_is_not_tried_for_ever(match: Any, pair: Callable[..., Any]) -> None:
    starts = []

    def seat(cycle: int) -> UciPlayer:
        starts.append(cycle)
        return UciPlayer("/nowhere/engine", nodes=1)

    match.add(Contestant("missing", "missing", seat))
    fixtures = [game for number in range(0, 10, 2) for game in pair("missing", "legal", number=number)]
    games = match.play(fixtures)
    assert {game.reason for game in games} == {"player failure"}
    assert {game.at_fault for game in games} == {"missing"}
    assert len(starts) == MAX_FAILED_STARTS
    assert "can't start engine /nowhere/engine" in match.pgns[0]
    assert any("3 times in a row" in pgn for pgn in match.pgns.values())


def test_a_rung_without_its_stockfish_loses(match: Any, pair: Callable[..., Any]) -> None:
    def seat(cycle: int) -> Any:
        return parse_rung("stockfish@5").seat(seed=cycle, stockfish=None, timeout_s=1)

    with pytest.raises(MissingToolError):
        seat(0)
    match.add(Contestant("rung", "rung", seat))
    games = match.play(pair("rung", "legal"))
    assert [game.at_fault for game in games] == ["rung", "rung"]


def test_a_player_that_lies_without_an_engine_loses_too(
    match: Any, pair: Callable[..., Any], function_player: Callable[..., Any]
) -> None:
    lie = Decision(chess.Move.from_uci("a1h8"))
    match.add(Contestant("liar", "liar", lambda cycle: function_player(lambda board: lie), is_batched=True))
    games = match.play(pair("liar", "legal"))
    assert [(game.reason, game.at_fault) for game in games] == [("player failure", "liar")] * 2


def test_ctrl_c_leaves_no_engine_behind(
    match: Any, pair: Callable[..., Any], scripted: Callable[..., Any], function_player: Callable[..., Any]
) -> None:
    engine = scripted("good", 0)

    def interrupt(board: Any) -> Any:
        raise KeyboardInterrupt

    match.add(Contestant("engine", "engine", lambda cycle: UciPlayer(engine.path, nodes=1)))
    match.add(Contestant("person", "person", lambda cycle: function_player(interrupt)))
    with pytest.raises(KeyboardInterrupt):
        match.play(pair("engine", "person"))
    assert engine.num_started == 1
    engine.assert_all_ended()
