"""Hand-checked positions for each class of METRICS section 2.7, twenty and more a class, made up and reasoned out."""

from __future__ import annotations

import chess
import pytest

from eval.position_classes import CLASSES, GROUPS, classes_of, groups_of, phase_of, piece_moved

LETTERS = dict(zip("cdpeknq", CLASSES, strict=True))
"""c in check, d in double check, p pinned piece, e en passant, k can castle, n may not castle, q can promote."""

# All classes of a position by their letters, "-" for none: placement, side, castling, en passant.
TABLE = """
c  4k3/8/8/8/8/8/4r3/4K2B w - -|4k3/8/8/8/8/8/8/q3K3 w - -|4k3/8/8/8/8/3n4/8/4K3 w - -|4k3/8/8/8/8/8/3p4/4K3 w - -
c  4k3/8/8/8/1b6/8/8/4K3 w - -|4k3/8/8/8/1q6/8/8/4K3 w - -|4r1k1/8/8/8/8/8/8/4K3 w - -|6k1/8/8/8/8/8/8/r5K1 w - -
c  6k1/8/8/8/8/7n/8/6K1 w - -|6k1/8/8/8/8/8/5p2/6K1 w - -|7k/8/8/8/8/8/6q1/7K w - -|4k3/4R3/8/8/8/8/8/4K3 b - -
c  4k3/8/8/1B6/8/8/8/4K3 b - -|4k3/8/5N2/8/8/8/8/4K3 b - -|4k3/3P4/8/8/8/8/8/4K3 b - -|4k3/8/8/7Q/8/8/8/4K3 b - -
c  6k1/8/8/8/8/8/8/K5R1 b - -|k7/8/8/3B4/8/8/8/K7 b - -|k7/2N5/8/8/8/8/8/K7 b - -|4k3/1P6/8/8/8/8/4r3/4K3 w - -
cd 4k3/8/8/8/1b2r3/8/8/4K3 w - -|4r1k1/8/8/8/8/3n4/8/4K3 w - -|4r1k1/8/8/8/7b/8/8/4K3 w - -
cd 6k1/8/8/8/1b6/3n4/8/4K3 w - -|6k1/8/8/8/8/5n2/8/q3K3 w - -|6k1/8/8/8/7b/2n5/8/r3K3 w - -
cd 4q1k1/8/8/8/8/8/3p4/4K3 w - -|6k1/8/8/8/8/7n/8/r5K1 w - -|6k1/8/8/8/3b4/7n/8/6K1 w - -
cd 6rk/8/8/8/8/5n2/8/6K1 w - -|4k3/8/5N2/8/8/8/8/4R1K1 b - -|4k3/8/8/1B6/8/8/8/4R1K1 b - -
cd 4k3/8/3N4/7Q/8/8/8/6K1 b - -|4k3/3P4/8/8/8/8/8/4R1K1 b - -|k7/2N5/8/8/8/8/8/R5K1 b - -
cd k7/8/8/3B4/8/8/8/R5K1 b - -|k6R/8/1N6/8/8/8/8/6K1 b - -|7k/5N2/8/8/3B4/8/8/6K1 b - -
cd 7k/8/6N1/8/8/8/8/6KR b - -|3k4/8/2N5/8/8/8/8/3R2K1 b - -
p  4k3/4r3/8/8/8/8/4N3/4K3 w - -|4k3/8/8/8/7b/8/5B2/4K3 w - -|4k3/8/8/8/1b6/8/3N4/4K3 w - -
p  6k1/8/8/8/8/8/8/r2NK3 w - -|6k1/8/8/8/8/8/8/4KB1q w - -|4rk2/8/8/8/4P3/8/8/4K3 w - -
p  6k1/8/8/8/8/6b1/5P2/4K3 w - -|6k1/6r1/8/8/8/8/6Q1/6K1 w - -|6k1/8/8/8/3b4/4R3/8/6K1 w - -
p  7k/8/8/3q4/4N3/8/8/7K w - -|4r1k1/8/8/8/1b6/8/3NB3/4K3 w - -|4k3/4n3/8/8/8/8/4R3/4K3 b - -
p  4k3/3b4/8/1B6/8/8/8/4K3 b - -|4k3/5n2/8/7B/8/8/8/4K3 b - -|R2nk3/8/8/8/8/8/8/4K3 b - -
p  6k1/5p2/8/8/2B5/8/8/6K1 b - -|6k1/6p1/8/8/8/8/8/6RK b - -|k7/1q6/8/3B4/8/8/8/K7 b - -
p  k7/r7/8/8/8/8/8/R5K1 b - -|7k/6n1/8/8/8/8/1B6/6K1 b - -
e  4k3/8/8/3pP3/8/8/8/4K3 w - d6|4k3/8/8/4Pp2/8/8/8/4K3 w - f6|4k3/8/8/pP6/8/8/8/4K3 w - a6
e  4k3/8/8/Pp6/8/8/8/4K3 w - b6|4k3/8/8/2pP4/8/8/8/4K3 w - c6|4k3/8/8/3Pp3/8/8/8/4K3 w - e6
e  4k3/8/8/6pP/8/8/8/4K3 w - g6|4k3/8/8/6Pp/8/8/8/4K3 w - h6|4k3/8/8/2PpP3/8/8/8/4K3 w - d6
e  4k3/8/8/1PpP4/8/8/8/4K3 w - c6|4k3/8/8/8/3pP3/8/8/4K3 b - e3|4k3/8/8/8/4pP2/8/8/4K3 b - f3
e  4k3/8/8/8/pP6/8/8/4K3 b - b3|4k3/8/8/8/Pp6/8/8/4K3 b - a3|4k3/8/8/8/2pP4/8/8/4K3 b - d3
e  4k3/8/8/8/3Pp3/8/8/4K3 b - d3|4k3/8/8/8/6pP/8/8/4K3 b - h3|4k3/8/8/8/6Pp/8/8/4K3 b - g3
e  4k3/8/8/8/2pPp3/8/8/4K3 b - d3
ce 8/8/8/2k5/3Pp3/8/8/4K3 b - d3
k  4k3/8/8/8/8/8/8/4K2R w K -|4k3/8/8/8/8/8/8/R3K3 w Q -|4k3/8/8/8/8/8/8/R3K2R w KQ -
k  4k3/8/8/8/8/8/8/RN2K2R w KQ -|4k3/8/8/8/8/8/8/R3KB1R w KQ -|1r2k3/8/8/8/8/8/8/R3K3 w Q -
k  r3k3/8/8/8/8/8/8/R3K3 w Q -|4k2r/8/8/8/8/8/8/4K2R w K -|4k2r/8/8/8/8/8/8/4K3 b k -
k  r3k3/8/8/8/8/8/8/4K3 b q -|r3k2r/8/8/8/8/8/8/4K3 b kq -|r3kb1r/8/8/8/8/8/8/4K3 b kq -
k  rn2k2r/8/8/8/8/8/8/4K3 b kq -|r3k3/8/8/8/8/8/8/1R2K3 b q -
kn 4k3/8/8/8/8/8/8/R3K2R w K -|4k3/8/8/8/8/8/8/R3K2R w Q -|3rk3/8/8/8/8/8/8/R3K2R w KQ -
kn 4kr2/8/8/8/8/8/8/R3K2R w KQ -|r3k2r/8/8/8/8/8/8/3RK3 b kq -|r3k2r/8/8/8/8/8/8/5RK1 b kq -
kn r3k2r/8/8/8/8/8/8/2R1K3 b kq -
n  4k3/8/8/8/8/8/8/R3K2R w - -|4kr2/8/8/8/8/8/8/4K2R w K -|4k1r1/8/8/8/8/8/8/4K2R w K -
n  2r1k3/8/8/8/8/8/8/R3K3 w Q -|3rk3/8/8/8/8/8/8/R3K3 w Q -|4k3/8/8/8/8/8/8/4K2R w - -
n  4k3/8/8/8/8/8/8/R3K3 w - -|4k3/8/8/8/8/7n/8/4K2R w K -|4k3/8/8/8/2b5/8/8/4K2R w K -
n  4k3/8/8/8/8/8/6p1/4K2R w K -|4k3/8/8/8/8/1n6/8/R3K3 w Q -|r3k2r/8/8/8/8/8/8/4K3 b - -
n  4k2r/8/8/8/8/8/8/5RK1 b k -|4k2r/8/8/8/8/8/8/4K1R1 b k -|r3k3/8/8/8/8/8/8/2R1K3 b q -
n  r3k3/8/8/8/8/8/8/3RK3 b q -|4k2r/6P1/8/8/8/8/8/4K3 b k -
cn 4k3/8/8/8/8/8/4r3/4K2R w K -|4k3/8/8/8/7b/8/8/R3K3 w Q -|r3k2r/8/8/8/8/8/4R3/4K3 b kq -
q  8/4P1k1/8/8/8/8/8/4K3 w - -|3r2k1/4P3/8/8/8/8/8/4K3 w - -|8/P5k1/8/8/8/8/8/4K3 w - -
q  8/7P/8/8/1k6/8/8/4K3 w - -|r7/1P4k1/8/8/8/8/8/4K3 w - -|8/2PP2k1/8/8/8/8/8/4K3 w - -
q  3rr1k1/4P3/8/8/8/8/8/K7 w - -|6k1/1P6/8/8/8/8/8/4K3 w - -|7k/5P2/8/8/8/8/8/4K3 w - -
q  k7/7P/8/8/8/8/8/4K3 w - -|4k3/8/8/8/8/8/p5K1/8 b - -|4k3/8/8/8/8/8/1p4K1/R7 b - -
q  4k3/8/8/8/8/8/7p/K7 b - -|4k3/8/8/8/8/8/3p4/K7 b - -|4k3/8/8/8/8/8/2pp4/6K1 b - -
q  4k3/8/8/8/K7/8/6p1/8 b - -|4k3/8/8/8/K7/8/6p1/5NN1 b - -|1n2k3/P7/8/8/8/8/8/4K3 w - -
q  4k3/2P5/8/8/8/8/8/4K3 w - -|4k3/8/8/8/8/8/5p2/7K b - -
cq r3k3/1P6/8/8/8/8/8/K7 w - -
-  rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -|4k3/8/8/8/8/8/3K4/R6R w - -
-  4k3/8/8/8/8/8/8/RN2K1NR w - -|8/8/8/K2pP2r/8/8/8/4k3 w - d6|4k3/8/8/3pP3/8/8/8/4K3 w - -
-  8/4P1k1/8/8/8/8/8/4K3 b - -|4k3/8/8/8/K7/8/1p6/1N6 b - -|4r1k1/8/8/8/4P3/8/4N3/4K3 w - -
"""

ROWS = [
    (letters.strip().replace("-", ""), fen)
    for line in TABLE.strip().splitlines()
    for letters, fens in [(line[:2], line[3:])]
    for fen in fens.split("|")
]


@pytest.mark.parametrize("letter", LETTERS)
def test_every_class_has_twenty_hand_checked_positions(letter: str) -> None:
    assert len({fen for letters, fen in ROWS if letter in letters}) >= 20


def test_every_hand_checked_position_has_its_classes_and_no_other() -> None:
    expected = {fen: tuple(LETTERS[letter] for letter in LETTERS if letter in letters) for letters, fen in ROWS}
    assert len(expected) == len(ROWS)
    found = {fen: classes_of(chess.Board(fen)) for fen in expected}
    assert {fen: classes for fen, classes in found.items() if classes != expected[fen]} == {}


def test_colours_make_no_difference() -> None:
    for _, fen in ROWS:
        board = chess.Board(fen)
        assert classes_of(board.mirror()) == classes_of(board)


def test_the_table_agrees_with_what_python_chess_finds_in_other_ways() -> None:
    for letters, fen in ROWS:
        board = chess.Board(fen)
        assert board.is_valid(), fen
        moves = list(board.legal_moves)
        assert ("c" in letters) == board.is_check()
        assert ("d" in letters) == (len(board.checkers()) == 2)
        assert ("e" in letters) == any(board.is_en_passant(move) for move in moves)
        assert ("k" in letters) == any(board.is_castling(move) for move in moves)
        assert ("q" in letters) == any(move.promotion is not None for move in moves)
        # A pinned piece that is taken off the board leaves its king attacked by one more.
        assert ("p" in letters) == any(
            _without(board, square).checkers_mask() & ~board.checkers_mask()
            for square in chess.SquareSet(board.occupied_co[board.turn] & ~board.kings)
        )


def _without(board: chess.Board, square: chess.Square) -> chess.Board:
    other = board.copy(stack=False)
    other.remove_piece_at(square)
    return other


def test_only_some_classes_are_looked_for() -> None:
    board = chess.Board("r3k3/1P6/8/8/8/8/8/K7 w - -")
    assert classes_of(board, among=("can promote",)) == ("can promote",)
    assert classes_of(board, among=("pinned piece",)) == ()


def test_phases_are_told_by_pieces_and_plies() -> None:
    start = chess.Board()
    assert [phase_of(start, ply) for ply in (0, 19, 20, 90)] == ["opening", "opening", "middlegame", "middlegame"]
    six, seven = "rn2k3/pppppppp/8/8/8/8/PPPPPPPP/RNBQK3 w - - 0 1", "rnb1k3/8/8/8/8/8/8/RNBQK3 w - - 0 1"
    assert [phase_of(chess.Board(fen), 50) for fen in (six, seven)] == ["endgame", "middlegame"]
    assert phase_of(chess.Board(six), 5) == "endgame"


def test_castling_moves_the_king_and_groups_are_in_the_order_of_tables() -> None:
    board = chess.Board("4k3/8/8/8/8/8/8/R3K2R w K - 0 1")
    castling = chess.Move.from_uci("e1g1")
    assert piece_moved(board, castling) == "king"
    groups = groups_of(board, castling, 60)
    assert groups == ("class: can castle", "class: may not castle", "moved: king", "phase: endgame")
    assert sorted(groups, key=GROUPS.index) == list(groups)
    with pytest.raises(ValueError, match="e4e5 moves nothing"):
        piece_moved(board, chess.Move.from_uci("e4e5"))
