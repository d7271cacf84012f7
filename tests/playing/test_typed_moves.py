"""Reading what a person types: generous where it is clear, useful where it isn't."""

from __future__ import annotations

import random

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from play.entry import read_entry

TWO_KNIGHTS = "4k3/8/8/8/8/5N2/8/1N2K3 w - - 0 1"
PROMOTION = "3rk3/4P3/8/8/8/8/8/4K3 w - - 0 1"
CASTLING = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"
BISHOP_OR_PAWN = "4k3/8/8/8/8/2n5/1P1B4/4K3 w - - 0 1"
PINNED = "4k3/8/8/4r3/8/8/4N3/4K3 w - - 0 1"
IN_CHECK = "4k3/8/8/8/8/4r3/P7/4K3 w - - 0 1"


@pytest.mark.parametrize(
    ("fen", "text", "uci"),
    [
        (chess.STARTING_FEN, "e4", "e2e4"),
        (chess.STARTING_FEN, "  e2 e4 ", "e2e4"),
        (chess.STARTING_FEN, "e2-e4", "e2e4"),
        (chess.STARTING_FEN, "Pe4", "e2e4"),
        (chess.STARTING_FEN, "nf3", "g1f3"),
        (chess.STARTING_FEN, "Ng1-f3!?", "g1f3"),
        (chess.STARTING_FEN, "NF3+", "g1f3"),
        (TWO_KNIGHTS, "Nbd2", "b1d2"),
        (TWO_KNIGHTS, "N3d2", "f3d2"),
        (PROMOTION, "exd8=N", "e7d8n"),
        (PROMOTION, "ed8q", "e7d8q"),
        (PROMOTION, "e7d8Q", "e7d8q"),
        (CASTLING, "O-O", "e1g1"),
        (CASTLING, "0-0-0", "e1c1"),
        (CASTLING, "o-o", "e1g1"),
        (CASTLING, "e1g1", "e1g1"),
        (BISHOP_OR_PAWN, "bxc3", "b2c3"),
        (BISHOP_OR_PAWN, "Bxc3", "d2c3"),
        ("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 2", "exd6 e.p.", "e5d6"),
    ],
)
def test_a_clear_writing_is_taken(fen: str, text: str, uci: str) -> None:
    assert read_entry(chess.Board(fen), text).move == chess.Move.from_uci(uci)


@pytest.mark.parametrize(
    ("fen", "text", "complaint"),
    [
        (TWO_KNIGHTS, "Nd2", '"Nd2" could be more than one move: Nbd2 or Nfd2'),
        (BISHOP_OR_PAWN, "BXC3", '"BXC3" could be more than one move: Bxc3 or bxc3'),
        (PROMOTION, "exd8", '"exd8" needs a piece: exd8=B, exd8=N, exd8=Q+ or exd8=R+'),
        (chess.STARTING_FEN, "hello", '"hello" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
        (chess.STARTING_FEN, "--", '"--" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
        (chess.STARTING_FEN, "0000", '"0000" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
        (chess.STARTING_FEN, "O-O", "castling kingside is not legal here"),
        (chess.STARTING_FEN, "0-0-0", "castling queenside is not legal here"),
        (chess.STARTING_FEN, "Bc4", "no bishop of White's can go to c4"),
        (chess.STARTING_FEN, "e5", "no pawn of White's can go to e5"),
        (chess.STARTING_FEN, "f3g5", "there is nothing on f3"),
        (chess.STARTING_FEN, "e7e5", "there is no piece of White's on e7"),
        (chess.STARTING_FEN, "g1g3", "the knight on g1 can't go to g3; possible: Nf3, Nh3"),
        (BISHOP_OR_PAWN, "c3", "no pawn of White's can go to c3; possible: Bxc3, bxc3"),
        (BISHOP_OR_PAWN, "Qd1", "White has no queen"),
        (PINNED, "Nc3", '"Nc3" would leave the king in check'),
        (IN_CHECK, "a4", '"a4" does nothing about the check'),
        (CASTLING, "Kg1", "no king of White's can go to g1; possible: Kd1, Kd2, Ke2, Kf1, Kf2, O-O, O-O-O"),
    ],
)
def test_an_unclear_writing_gets_a_useful_answer(fen: str, text: str, complaint: str) -> None:
    entry = read_entry(chess.Board(fen), text)
    assert entry.move is None
    assert entry.complaint == complaint


def test_a_long_list_of_moves_is_cut() -> None:
    complaint = read_entry(chess.Board("7k/8/8/8/3Q4/8/8/K7 w - - 0 1"), "Qh2").complaint
    assert complaint.endswith("possible: Qa4, Qa7, Qb2+, Qb4, Qb6, Qc3+, Qc4, Qc5, ...")


def test_the_candidates_of_an_ambiguous_writing_are_moves() -> None:
    entry = read_entry(chess.Board(TWO_KNIGHTS), "Nd2")
    assert [move.uci() for move in entry.candidates] == ["b1d2", "f3d2"]


def test_hostile_text_comes_back_inert() -> None:
    complaint = read_entry(chess.Board(), "\x1b]0;owned\x07[red]" + "x" * 500).complaint
    assert complaint.isprintable()
    assert len(complaint) < 120


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_every_legal_move_is_read_from_its_san_and_its_uci(seed: int) -> None:
    generator, board = random.Random(seed), chess.Board()
    for _ in range(generator.randrange(120)):
        if board.is_game_over():
            break
        board.push(generator.choice(sorted(board.legal_moves, key=chess.Move.uci)))
    for move in board.legal_moves:
        assert read_entry(board, board.san(move)).move == move
        assert read_entry(board, move.uci()).move == move


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=12))
def test_any_text_is_a_legal_move_or_a_complaint(text: str) -> None:
    board = chess.Board()
    entry = read_entry(board, text)
    assert (entry.move in board.legal_moves) if entry.move else entry.complaint
