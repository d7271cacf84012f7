"""The opponents that need no engine: what they take, what they leave, and that chance is seeded."""

from __future__ import annotations

import random

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.material_player import MaterialPlayer, RandomCapturePlayer, material_balance
from chesslm.openings import random_opening
from chesslm.player import choose

SEEDS = range(12)


def moves_of(depth: int, fen: str) -> set[str]:
    """What the player plays with any of some seeds."""
    return {choose(MaterialPlayer(depth, seed=seed), chess.Board(fen)).move.uci() for seed in SEEDS}


@pytest.mark.parametrize("depth", [1, 2])
def test_a_mate_comes_before_a_queen(depth: int) -> None:
    assert moves_of(depth, "6k1/5ppp/q7/8/8/8/8/R3R1K1 w - - 0 1") == {"e1e8"}


def test_depth_one_takes_a_guarded_pawn_with_its_queen_and_depth_two_does_not() -> None:
    fen = "4k3/2p5/3p4/8/8/8/3Q4/4K3 w - - 0 1"
    assert moves_of(1, fen) == {"d2d6"}
    assert "d2d6" not in moves_of(2, fen)


def test_depth_two_saves_its_queen() -> None:
    fen = "4k3/8/8/4p3/3Q4/8/8/4K3 w - - 0 1"
    assert moves_of(2, fen) == {"d4e5"}
    fen = "4k3/5p2/4p3/3Q4/8/8/8/4K3 w - - 0 1"
    board = chess.Board(fen)
    for move in moves_of(2, fen):
        board.push_uci(move)
        assert not any(board.piece_type_at(reply.to_square) == chess.QUEEN for reply in board.legal_moves)
        board.pop()


def test_depth_two_does_not_allow_a_mate_that_it_sees() -> None:
    # 1... Qh4 mates after any move of the g-pawn that opens the diagonal; f3 and g4 alone allow it.
    board = chess.Board()
    board.push_san("f3")
    board.push_san("e5")
    for seed in range(40):
        assert choose(MaterialPlayer(2, seed=seed), board).move.uci() != "g2g4"
    assert "g2g4" in {choose(MaterialPlayer(1, seed=seed), board).move.uci() for seed in range(400)}


def test_promotions_and_en_passant_count() -> None:
    assert moves_of(1, "8/P6k/8/8/8/8/8/K7 w - - 0 1") == {"a7a8q"}
    assert moves_of(1, "4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1") == {"e5d6"}
    # Whatever Black does, b2 promotes next; the king takes the pawn instead of the far knight's pawn.
    assert moves_of(2, "7k/8/8/8/8/8/1p6/2K4N w - - 0 1") == {"c1b2"}


def test_whoever_is_ahead_does_not_stalemate_and_whoever_is_behind_may() -> None:
    ahead = "7k/8/6K1/8/8/8/8/5Q2 w - - 0 1"
    assert "f1f7" not in moves_of(1, ahead)
    assert "f1f7" not in moves_of(2, ahead)


def test_where_every_move_allows_a_mate_one_is_played_nevertheless() -> None:
    # The rook mates on the back rank whatever White does.
    fen = "6k1/8/8/8/8/1r6/r7/7K w - - 0 1"
    assert moves_of(2, fen) <= {"h1g1"}


def test_random_captures_are_uniform_among_captures_and_other_moves_come_only_without_any() -> None:
    board = chess.Board("4k3/8/8/2p1p3/3P4/8/8/4K3 w - - 0 1")
    played = [choose(RandomCapturePlayer(seed=seed), board).move.uci() for seed in range(400)]
    assert set(played) == {"d4c5", "d4e5"}
    assert 160 < played.count("d4c5") < 240
    quiet = chess.Board()
    assert len({choose(RandomCapturePlayer(seed=seed), quiet).move for seed in range(100)}) > 12


def test_a_depth_beyond_two_is_refused() -> None:
    with pytest.raises(ValueError, match="depth 3"):
        MaterialPlayer(3)


def test_balance_is_counted_from_white() -> None:
    assert material_balance(chess.Board()) == 0
    assert material_balance(chess.Board("rnb1kbnr/pppppppp/8/8/8/8/PPPPPP2/RNBQKBNR w KQkq - 0 1")) == 7


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 60), st.sampled_from([1, 2]))
def test_choices_are_legal_and_follow_from_seed_and_game(seed: int, num_plies: int, depth: int) -> None:
    board = random_opening(num_plies, seed=seed)
    if not any(board.legal_moves):
        return
    before = board.fen()
    for player in (MaterialPlayer(depth, seed=seed), RandomCapturePlayer(seed=seed)):
        again = type(player)(depth, seed=seed) if isinstance(player, MaterialPlayer) else type(player)(seed=seed)
        random.random()
        move = choose(player, board).move
        assert move in board.legal_moves
        assert choose(again, board).move == move
    assert board.fen() == before


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_depth_two_plays_a_move_of_the_best_worst_case_or_avoids_a_mate(seed: int, num_plies: int) -> None:
    board = random_opening(num_plies, seed=seed)
    if not any(board.legal_moves):
        return
    move = choose(MaterialPlayer(2, seed=seed), board).move
    sign = 1 if board.turn == chess.WHITE else -1

    def worst(move: chess.Move) -> int:
        """Material for the mover after the reply that costs it most; mates and stalemates as found by searching all."""
        board.push(move)
        values = []
        for reply in list(board.legal_moves):
            board.push(reply)
            values.append(-1_000 if board.is_checkmate() else sign * material_balance(board))
            board.pop()
        if not values:
            ahead = sign * material_balance(board) > 0
            values = [1_000] if board.is_check() else [-1_000] if ahead else [sign * material_balance(board)]
        board.pop()
        # A capture can't be forced on anybody: a side may also leave things as they are.
        return min(values)

    assert worst(move) == max(worst(candidate) for candidate in list(board.legal_moves))
