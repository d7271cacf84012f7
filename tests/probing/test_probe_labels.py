"""What probes are asked: facts of the board, checked by hand, and the plies that are chosen."""

from __future__ import annotations

import chess
import numpy as np
import pytest

from chesslm.game import Game
from eval.probe_labels import boards_before, facts, random_plies


def test_pieces_have_numbers_by_colour_and_relative_to_the_mover() -> None:
    white, black = chess.Board(), chess.Board()
    black.push_san("e4")
    found = facts([white, black])
    pieces, relative = found.classes["probe_piece"], found.classes["probe_piece_relative"]
    assert pieces[0, :8].tolist() == [4, 2, 3, 5, 6, 3, 2, 4]
    assert pieces[0, 56:].tolist() == [10, 8, 9, 11, 12, 9, 8, 10]
    assert pieces[1, [chess.E2, chess.E4, chess.E7, chess.E5]].tolist() == [0, 1, 7, 0]
    assert (relative[0] == pieces[0]).all()
    # Black to move: its own pieces are 1 … 6 now, White's 7 … 12, where they stand.
    assert relative[1, 56:].tolist() == [4, 2, 3, 5, 6, 3, 2, 4]
    assert relative[1, :8].tolist() == [10, 8, 9, 11, 12, 9, 8, 10]
    assert relative[1, [chess.E2, chess.E4, chess.E7]].tolist() == [0, 7, 1]


def test_turn_check_castling_rights_and_material() -> None:
    boards = [
        chess.Board(),
        chess.Board("4k2r/8/8/8/8/8/4r3/R3K3 w Qk - 0 1"),
        chess.Board("4k3/8/8/1B6/8/8/8/4K2Q b - - 0 1"),
        # Rights without a rook are none.
        chess.Board("4k3/8/8/8/8/8/8/4K3 w KQkq - 0 1"),
    ]
    found = facts(boards)
    assert found.classes["probe_turn"].tolist() == [[0], [0], [1], [0]]
    assert found.classes["probe_check"].tolist() == [[0], [1], [1], [0]]
    assert found.classes["probe_castling"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found.material.tolist() == [0, 5 - 10, 12, 0]


def test_some_positions_can_be_taken_out() -> None:
    boards = [chess.Board(), chess.Board("4k3/8/8/8/8/8/8/4K2Q b - - 0 1")]
    part = facts(boards).of(np.array([False, True]))
    assert part.material.tolist() == [9]
    assert part.classes["probe_turn"].tolist() == [[1]]


def test_plies_are_distinct_and_belong_to_the_moves(games: list[Game]) -> None:
    for game in games[:10]:
        plies = random_plies(game, 5, seed=1)
        assert plies == sorted(set(plies))
        assert len(plies) == min(5, len(game.san))
        assert all(0 <= ply < len(game.san) for ply in plies)
        assert plies == random_plies(Game("another id", game.san, "1-0"), 5, seed=1)
    assert random_plies(games[0], 100, seed=0) == list(range(len(games[0].san)))
    assert len({tuple(random_plies(games[1], 2, seed)) for seed in range(9)}) > 1


def test_boards_are_those_before_the_plies() -> None:
    game = Game("", ("e4", "e5", "Nf3", "Nc6"), "*")
    start, third = boards_before(game, [0, 2])
    assert start.fen() == chess.STARTING_FEN
    assert third.fen() == "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2"
    with pytest.raises(ValueError, match="illegal san"):
        boards_before(Game("", ("e4", "e4", "e5"), "*"), [2])
