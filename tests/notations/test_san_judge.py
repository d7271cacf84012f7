"""SAN is written like python-chess's and read strictly; every fault has its kind."""

from __future__ import annotations

import random

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import AmbiguousMove, IllegalMove, MoveTextError, UnreadableMove
from chesslm.san import ERROR_KINDS, core_san, judge, legal_sans, mark_after, parse, split_mark

START = chess.STARTING_FEN
TWO_KNIGHTS = "4k3/8/8/8/8/5N2/8/1N2K3 w - - 0 1"  # b1 and f3, both to d2
THREE_QUEENS = "4k3/8/8/8/Q6Q/8/8/K6Q w - - 0 1"  # a4, h4 and h1: Qh4e4 needs file and rank
PROMOTING = "3r1k2/4P3/8/8/8/8/8/4K3 w - - 0 1"  # e7 to e8 or d8
EN_PASSANT = "4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 2"
PINNED = "4k3/4r3/8/8/8/8/4N3/4K3 w - - 0 1"
CASTLING = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"

FAULTS = [
    (START, "", "unreadable"),
    (START, "hello", "unreadable"),
    (START, "e9", "unreadable"),
    (START, "0-0", "unreadable"),
    (START, "0-0-0", "unreadable"),
    (START, "e2-e4", "unreadable"),
    (START, "Pe4", "unreadable"),
    (START, "e4++", "unreadable"),
    (START, "nf3", "unreadable"),
    (START, "xd5", "unreadable"),
    (START, "e4\n", "unreadable"),
    (PROMOTING, "e8Q", "unreadable"),
    (PROMOTING, "e8=P", "unreadable"),
    (START, "--", "null move"),
    (START, "Z0", "null move"),
    (START, "0000", "null move"),
    (START, "@@@@", "null move"),
    (TWO_KNIGHTS, "Nd2", "ambiguous"),
    (TWO_KNIGHTS, "Nxd2", "ambiguous"),
    (THREE_QUEENS, "Qhe4", "ambiguous"),
    (THREE_QUEENS, "Q4e4", "ambiguous"),
    (START, "Ngf3", "needless disambiguation"),
    (START, "N1f3", "needless disambiguation"),
    (START, "Ng1f3", "needless disambiguation"),
    (START, "Ngxf3", "needless disambiguation"),
    (TWO_KNIGHTS, "N1d2", "needless disambiguation"),
    (TWO_KNIGHTS, "Nb1d2", "needless disambiguation"),
    (START, "ee4", "needless disambiguation"),
    (START, "e2e4", "needless disambiguation"),
    (EN_PASSANT, "e5xd6", "needless disambiguation"),
    (CASTLING, "Kee2", "needless disambiguation"),
    (START, "Nxf3", "wrong capture mark"),
    (START, "exe4", "wrong capture mark"),
    (EN_PASSANT, "ed6", "wrong capture mark"),
    (CASTLING, "Ra8", "wrong capture mark"),
    (PROMOTING, "ed8=Q", "wrong capture mark"),
    (PROMOTING, "e8", "promotion missing or impossible"),
    (PROMOTING, "e8=K", "promotion missing or impossible"),
    (PROMOTING, "exd8", "promotion missing or impossible"),
    (START, "e4=Q", "promotion missing or impossible"),
    (START, "Nf3=Q", "promotion missing or impossible"),
    (TWO_KNIGHTS, "Qd2", "no such piece"),
    (TWO_KNIGHTS, "Nad2", "no such piece"),
    (TWO_KNIGHTS, "e4", "no such piece"),
    (PROMOTING, "cxd8=Q", "no such piece"),
    (START, "Nd4", "piece doesn't move so"),
    (START, "e5", "piece doesn't move so"),
    (START, "exd3", "piece doesn't move so"),
    (START, "Kg1", "piece doesn't move so"),
    (START, "Bc5", "piece doesn't move so"),
    (CASTLING, "Kg1", "piece doesn't move so"),
    (CASTLING, "Rb2", "piece doesn't move so"),
    (START, "Bc4", "path blocked"),
    (START, "Ra3", "path blocked"),
    (START, "Qd4", "path blocked"),
    ("4k3/8/8/8/4p3/8/4P3/4K3 w - - 0 1", "e4", "path blocked"),
    ("4k3/8/8/8/8/4p3/4P3/4K3 w - - 0 1", "e4", "path blocked"),
    ("4k3/4p3/4P3/8/8/8/8/4K3 b - - 0 1", "e6", "path blocked"),
    ("4k3/4p3/8/4P3/8/8/8/4K3 b - - 0 1", "e5", "path blocked"),
    (START, "Ke2", "own piece on the square"),
    (START, "Nd2", "own piece on the square"),
    (START, "Qxd2", "own piece on the square"),
    ("4k3/8/8/8/3P4/4P3/8/4K3 w - - 0 1", "exd4", "own piece on the square"),
    (PINNED, "Nc3", "leaves the king in check"),
    (PROMOTING, "Kd1", "leaves the king in check"),
    ("8/8/8/K2pP2r/8/8/8/4k3 w - d6 0 2", "exd6", "leaves the king in check"),
    ("4k3/8/8/8/8/8/4r3/4K2B w - - 0 1", "Bd5", "leaves the king in check"),
    (START, "O-O", "castling not allowed"),
    (START, "O-O-O+", "castling not allowed"),
    ("4k3/8/8/8/8/8/8/R3K2R w - - 0 1", "O-O", "castling not allowed"),
    ("4kr2/8/8/8/8/8/8/4K2R w K - 0 1", "O-O", "castling not allowed"),
    ("4k3/8/8/8/8/8/4r3/4K2R w K - 0 1", "O-O", "castling not allowed"),
]


@pytest.mark.parametrize(("fen", "text", "kind"), FAULTS)
def test_a_text_that_is_no_move_has_its_kind(fen: str, text: str, kind: str) -> None:
    expected = {"unreadable": UnreadableMove, "ambiguous": AmbiguousMove}.get(kind, IllegalMove)
    with pytest.raises(expected) as caught:
        judge(chess.Board(fen), text)
    assert isinstance(caught.value, MoveTextError)
    assert (caught.value.kind, caught.value.text, caught.value.fen) == (kind, text, chess.Board(fen).fen())


def test_every_kind_but_the_english_one_is_among_the_examples() -> None:
    assert {kind for _, _, kind in FAULTS} == set(ERROR_KINDS) - {"wrong colour"}


@pytest.mark.parametrize(
    ("fen", "text", "uci"),
    [
        (TWO_KNIGHTS, "Nbd2", "b1d2"),
        (THREE_QUEENS, "Qh4e4", "h4e4"),
        (THREE_QUEENS, "Q1e4+", "h1e4"),
        (EN_PASSANT, "exd6", "e5d6"),
        (PROMOTING, "exd8=N", "e7d8n"),
        (PROMOTING, "e8=Q#", "e7e8q"),
        (CASTLING, "O-O", "e1g1"),
        (CASTLING, "O-O-O", "e1c1"),
        (CASTLING, "Rxa8+", "a1a8"),
    ],
)
def test_canonical_san_is_a_move_whatever_its_mark(fen: str, text: str, uci: str) -> None:
    assert judge(chess.Board(fen), text).uci() == uci


def test_the_ply_of_an_error_is_the_ply_of_the_board() -> None:
    board = chess.Board()
    board.push_san("e4")
    with pytest.raises(UnreadableMove) as caught:
        judge(board, "??")
    assert caught.value.ply == 1


def test_a_translation_is_shown_as_it_was_written() -> None:
    with pytest.raises(IllegalMove) as caught:
        judge(chess.Board(), "Ke2", written=" White moves king to e2")
    assert caught.value.text == " White moves king to e2"


def test_an_illegal_move_has_no_san() -> None:
    with pytest.raises(ValueError, match="e1e2 is not legal"):
        core_san(chess.Board(), chess.Move.from_uci("e1e2"))
    with pytest.raises(ValueError, match="0000 is not legal"):
        core_san(chess.Board(), chess.Move.null())


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32), start=st.sampled_from([START, THREE_QUEENS, CASTLING, PROMOTING, EN_PASSANT]))
def test_core_san_is_python_chess_san_without_its_mark(seed: int, start: str) -> None:
    board, generator = chess.Board(start), random.Random(seed)
    while not board.is_game_over() and len(board.move_stack) < 40:
        legal = legal_sans(board)
        assert list(legal.core_of) == list(board.legal_moves)
        for move, core in legal.core_of.items():
            san = board.san(move)
            assert split_mark(san)[0] == core == core_san(board, move)
            assert judge(board, san) == judge(board, core) == legal.move_of[core] == move
            parts = parse(san)
            assert parts is not None
            assert parts.core + parts.mark == san
        move = generator.choice(list(board.legal_moves))
        mark = split_mark(board.san(move))[1]
        board.push(move)
        assert mark_after(board) == mark


@settings(deadline=None, max_examples=150)
@given(text=st.from_regex(r"\A([NBRQK]?[a-h]?[1-8]?x?[a-h][1-8](=[NBRQK])?|O-O(-O)?|[-0Z@]{2,4}|.{0,4})[+#]?\Z"))
def test_judging_ends_with_a_canonical_move_or_a_kind(text: str) -> None:
    for fen in (START, THREE_QUEENS, PROMOTING, EN_PASSANT, CASTLING, PINNED):
        board = chess.Board(fen)
        legal = legal_sans(board).move_of
        core = split_mark(text)[0]
        if core in legal:
            assert judge(board, text) == legal[core]
        else:
            with pytest.raises(MoveTextError) as caught:
                judge(board, text)
            assert caught.value.kind in ERROR_KINDS
