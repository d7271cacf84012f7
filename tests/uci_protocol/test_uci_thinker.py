"""What a real model's answer is made of: policies, lines for people and GUIs, games it can't go on with."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import chess
import pytest
import torch

from chesslm.errors import UserError
from chesslm.inference import moves_and_first_choices
from chesslm.model_player import load_player
from chesslm.player import Decision
from play import uci_thinker
from play.uci_options import Settings
from play.uci_thinker import ModelThinker


@pytest.fixture
def settings(checkpoint: Path) -> Settings:
    return Settings(model=str(checkpoint))


@pytest.fixture
def board() -> chess.Board:
    board = chess.Board()
    for san in ("e4", "e5", "Nf3"):
        board.push_san(san)
    return board


def deciding(decision: Callable[[chess.Board], Decision], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every model decide so."""
    monkeypatch.setattr("chesslm.model_player.ModelPlayer.choose_among", lambda self, board, moves: decision(board))


def test_an_answer_is_the_players_own_with_what_it_thought(settings: Settings, board: chess.Board) -> None:
    thought = ModelThinker().think(board, list(board.legal_moves), replace(settings, multi_pv=3))
    with load_player(settings.model or "") as player:
        decision = player.choose_many([board])[0]
        ((_, choice),) = moves_and_first_choices(player._model, player.notation, [board])
    assert thought.move == decision.move
    written = choice.text if choice.move is not None else f"{choice.text} (illegal)"
    assert thought.lines[0] == f"info string legal_mass {decision.legal_mass:.4f} first_choice {written}"
    best = [move for move, _ in decision.candidates[:3]]
    shares = " ".join(f"{move.uci()} {share:.4f}" for move, share in decision.candidates[:3])
    assert thought.lines[1] == f"info string probabilities {shares}"
    for rank, (move, line) in enumerate(zip(best, thought.lines[2:], strict=True), start=1):
        assert line.startswith(f"info depth 1 seldepth 1 multipv {rank} nodes 1 time ")
        assert line.endswith(f" pv {move.uci()}")


def test_the_played_move_is_the_first_line_even_if_it_isnt_the_most_probable(
    settings: Settings, board: chess.Board
) -> None:
    drawn = replace(settings, temperature=5.0, multi_pv=2)
    thoughts = [ModelThinker().think(board, list(board.legal_moves), replace(drawn, seed=seed)) for seed in range(4)]
    assert len({thought.move for thought in thoughts}) > 1
    for thought in thoughts:
        assert thought.move is not None
        assert thought.lines[2].endswith(f"pv {thought.move.uci()}")
        assert not thought.lines[3].endswith(f"pv {thought.move.uci()}")


def test_only_allowed_moves_are_chosen_and_told(settings: Settings, board: chess.Board) -> None:
    allowed = [board.parse_san("a5"), board.parse_san("h5")]
    thought = ModelThinker().think(board, allowed, replace(settings, multi_pv=9))
    assert thought.move in allowed
    assert len(thought.lines) == 2 + 2


def test_strict_plays_a_legal_first_choice_and_gives_up_at_an_illegal_one(
    settings: Settings, board: chess.Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    legal = list(board.legal_moves)
    best, first = legal[0], legal[1]
    strict = replace(settings, policy="strict")
    candidates = ((best, 0.5), (first, 0.25))
    deciding(lambda board: Decision(best, "a6", first, 0.75, candidates), monkeypatch)
    assert ModelThinker().think(board, legal, settings).move == best
    assert ModelThinker().think(board, legal, strict).move == first
    # What the client leaves out is no fault of the model's.
    assert ModelThinker().think(board, [best], strict).move == best
    deciding(lambda board: Decision(best, "Ke2\x1b", None, 0.75, candidates), monkeypatch)
    thought = ModelThinker().think(board, legal, strict)
    assert thought.move is None
    assert thought.lines[0] == "info string legal_mass 0.7500 first_choice Ke2? (illegal)"
    assert thought.lines[1] == f"info string strict: gives up, since its first choice is illegal in {board.fen()}"
    lenient = ModelThinker().think(board, legal, settings)
    assert lenient.move == best
    assert "(illegal)" in lenient.lines[0]


def test_scores_are_told_only_where_the_rules_are_certain(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    mating = chess.Board()
    for san in ("f3", "e5", "g4"):
        mating.push_san(san)
    mate = mating.parse_san("Qh4#")
    deciding(lambda board: Decision(mate, "Qh4", mate, 0.5, ((mate, 0.5),)), monkeypatch)
    assert "score mate 1" in ModelThinker().think(mating, [mate], settings).lines[-1]
    last_pawn = chess.Board("8/8/8/8/8/k7/1P6/K7 b - - 0 1")
    take = last_pawn.parse_san("Kxb2") if last_pawn.is_legal(chess.Move.from_uci("a3b2")) else None
    drawing = chess.Board("8/8/8/8/8/k7/1p6/K7 w - - 0 1") if take is None else last_pawn
    for board in (drawing, chess.Board("7k/8/5KQ1/8/8/8/8/8 w - - 0 1")):
        for move in board.legal_moves:
            score = uci_thinker._certain_score(board, move)
            after = board.copy()
            after.push(move)
            expected = "mate 1" if after.is_checkmate() else "cp 0" if after.is_game_over() else None
            assert score == expected


def test_a_game_beyond_the_context_is_played_on_at_random_and_says_so(settings: Settings) -> None:
    board = chess.Board()
    generator = random.Random(1)
    while len(board.move_stack) < 40:
        board.push(generator.choice(list(board.legal_moves)))
    legal = list(board.legal_moves)
    thought = ModelThinker().think(board, legal, settings)
    assert thought.move in legal
    assert thought.lines[0].startswith("info string random move: the game has ")
    assert thought == ModelThinker().think(board, legal, settings)
    others = {ModelThinker().think(board, legal, replace(settings, seed=seed)).move for seed in range(1, 6)}
    assert len(others | {thought.move}) > 1


def test_a_game_from_another_position_has_no_move_and_says_why(settings: Settings) -> None:
    board = chess.Board("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1")
    thought = ModelThinker().think(board, list(board.legal_moves), settings)
    assert thought.move is None
    assert thought.lines == (f"info string no move: the game began at {board.fen()}, not at the start position",)


def test_the_random_player_plays_from_any_position_without_a_model() -> None:
    thinker = ModelThinker()
    settings = Settings(model="random", seed=3)
    thinker.prepare(settings)
    board = chess.Board("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1")
    allowed = list(board.legal_moves)[:2]
    thought = thinker.think(board, allowed, settings)
    assert thought.move in allowed
    assert thought.lines[-1].endswith(f"pv {thought.move}")


def test_a_model_is_loaded_once_and_again_when_another_is_chosen(
    settings: Settings, checkpoint: Path, board: chess.Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = uci_thinker._load
    monkeypatch.setattr(uci_thinker, "_load", lambda name: loads.append(name) or load(name))
    thinker = ModelThinker()
    for _ in range(2):
        thinker.prepare(settings)
        thinker.think(board, list(board.legal_moves), replace(settings, temperature=1.0))
    assert loads == [str(checkpoint)]
    with pytest.raises(UserError):
        thinker.prepare(replace(settings, model=str(checkpoint / "nothing")))
    thinker.prepare(settings)
    assert len(loads) == 3


@pytest.mark.parametrize("name", ["nowhere", "x" * 5_000, "null\0byte", "\ud800"])
def test_a_name_that_no_model_has_is_a_users_mistake(name: str) -> None:
    with pytest.raises(UserError):
        ModelThinker().prepare(Settings(model=name))


def test_threads_are_torchs(settings: Settings, board: chess.Board) -> None:
    before = torch.get_num_threads()
    thinker = ModelThinker()
    try:
        for threads in (2, 1):
            thinker.think(board, list(board.legal_moves), replace(settings, threads=threads))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
