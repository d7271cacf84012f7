"""The kernel against python-chess in positions that games seldom reach: every move, legal or not, and its SAN."""

from __future__ import annotations

import chess
import numpy as np
import pytest

from data_prep import replay_board as rules
from data_prep.replay_outcome import Problem
from data_prep.replay_words import read_move, write_san

POSITIONS = [
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",  # "Kiwipete" of the perft suites
    "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1",
    "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8",
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1",
    "8/8/8/KPp4r/8/8/8/7k w - c6 0 2",  # en passant would open the rank: both pawns leave it
    "8/8/8/8/k2Pp2Q/8/8/3K4 b - d3 0 1",  # the same for Black
    "8/8/1b6/2pP4/8/4K3/8/7k w - c6 0 1",  # en passant closes the diagonal … or would, from another square
    "4k3/8/8/3pP3/8/8/8/B3K2b w - d6 0 1",
    "8/5k2/8/2pP4/1K6/8/8/8 w - c6 0 1",  # the pawn that checks can be taken en passant
    "8/8/8/1k6/2Pp4/8/8/6K1 b - c3 0 1",
    "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1",
    "r3k2r/8/8/8/4r3/8/8/R3K2R w KQkq - 0 1",  # in check: no castling
    "r3k2r/8/8/8/5r2/8/8/R3K2R w KQkq - 0 1",  # through check on one side only
    "r3k2r/8/8/8/1r6/8/8/R3K2R w KQkq - 0 1",  # b1 may be attacked
    "4k3/8/8/8/8/8/6p1/4K2R w K - 0 1",
    "5k2/8/8/8/8/8/8/4K2R w K - 0 1",  # castling that checks
    "r3k3/8/8/8/8/8/8/2RK1R2 b q - 0 1",
    "3k4/R7/8/8/8/8/8/R3K3 w Q - 0 1",
    "R6R/8/8/8/8/1k6/8/R3K2R w KQ - 0 1",  # rooks to tell apart by file and by rank
    "Q2Q4/8/8/8/Q7/7k/8/4K3 w - - 0 1",  # queens to tell apart by both
    "k7/8/2N1N3/1N3N2/8/1N3N2/2N1N3/7K w - - 0 1",  # eight knights for d4
    "4k3/4r3/8/8/4R3/8/4K3/R6R w - - 0 1",  # a pinned rook is no rival
    "4k3/8/4r3/8/4N3/2N5/4K3/8 w - - 0 1",
    "3q1rk1/4P3/8/8/8/8/8/4K3 w - - 0 1",  # promotions, also with check and by taking
    "6k1/5ppp/8/8/8/8/3p4/R4K1R b - - 0 1",
    "7k/5K2/8/8/8/8/6P1/6R1 w - - 0 1",
    "6rk/6pp/8/6N1/8/8/8/K7 w - - 0 1",  # smothered mate
    "4k3/8/8/8/8/4q3/4N3/4K3 w - - 0 1",
    "k7/8/8/8/3b4/8/5n2/7K w - - 0 1",
    "4k3/8/5n2/8/8/8/4r3/4K3 w - - 0 1",
    "4k3/8/8/8/7b/8/4r3/4K3 w - - 0 1",  # double check
    "5bnr/4pkpp/5p2/8/2B5/8/8/4K3 b - - 0 1",
    "R5k1/5ppp/8/8/8/8/1q6/6K1 b - - 0 1",  # only by standing in between
    "R5k1/5p1p/6p1/8/8/8/4r3/6K1 b - - 0 1",
    "3r2k1/8/8/8/8/8/3P4/3K4 w - - 0 1",
    "8/8/8/3k4/8/3P4/2P1P3/3K4 b - - 0 1",
    "8/8/8/8/k6q/8/3P4/6K1 w - - 0 1",  # a double step may close a line
    "4K3/8/8/8/8/8/8/4k3 b - - 0 1",
    "4K2R/8/8/8/8/8/8/4k2r b - - 0 1",  # kings on each other's squares don't castle
]


def arrays_of(board: chess.Board) -> tuple[rules.Bytes, rules.Longs]:
    """The position as the kernel has it."""
    squares, game = np.empty(rules.BOARD_LEN, np.uint8), np.zeros(rules.GAME_LEN, np.int64)
    rules.begin_game(squares, game)
    for square in chess.SQUARES:
        piece = board.piece_at(square)
        squares[at(square)] = 0 if piece is None else piece.piece_type + (0 if piece.color else 8)
    sides = [(chess.WHITE, True), (chess.WHITE, False), (chess.BLACK, True), (chess.BLACK, False)]
    has_right = [
        board.has_kingside_castling_rights(side) if is_short else board.has_queenside_castling_rights(side)
        for side, is_short in sides
    ]
    game[rules.CASTLING] = sum(1 << i for i, right in enumerate(has_right) if right)
    game[rules.EN_PASSANT] = 0 if board.ep_square is None else at(board.ep_square)
    game[rules.WHITE_KING] = at(king_of(board, chess.WHITE))
    game[rules.BLACK_KING] = at(king_of(board, chess.BLACK))
    game[rules.IN_CHECK] = board.is_check()
    return squares, game


def at(square: chess.Square) -> int:
    return rules.A1 + 16 * chess.square_rank(square) + chess.square_file(square)


def king_of(board: chess.Board, colour: chess.Color) -> chess.Square:
    king = board.king(colour)
    assert king is not None
    return king


def played(board: chess.Board, text: str) -> tuple[int, str, chess.Board]:
    """The problem, or 0 with the SAN that the kernel writes and the position that it reaches."""
    squares, game = arrays_of(board)
    colour = 0 if board.turn else 8
    data = np.frombuffer(text.encode("ascii"), np.uint8)
    problem = read_move(data, 0, len(data), squares, game, colour)
    if problem:
        return problem, "", board
    out = np.zeros(16, np.uint8)
    san = out[: write_san(out, 0, squares, game)].tobytes().decode("ascii")
    rules.make_move(squares, game, colour)
    mark = ("+" if rules.has_reply(squares, game, colour ^ 8) else "#") if game[rules.IN_CHECK] else ""
    reached = chess.Board(None)
    for square in chess.SQUARES:
        code = int(squares[at(square)])
        if code:
            reached.set_piece_at(square, chess.Piece(code & 7, code < 8))
    reached.turn = not board.turn
    for i, square in enumerate((chess.H1, chess.A1, chess.H8, chess.A8)):
        if game[rules.CASTLING] & 1 << i:
            reached.castling_rights |= chess.BB_SQUARES[square]
    return 0, san + mark, reached


@pytest.mark.parametrize("fen", POSITIONS)
def test_every_move_of_a_rare_position_is_judged_and_written_as_python_chess_does(fen: str) -> None:
    board = chess.Board(fen)
    assert board.is_valid(), board.status()
    legal = list(board.legal_moves)
    for move in legal:
        san = board.san(move)
        after = board.copy()
        after.push(move)
        for text in (san, move.uci(), board.lan(move)):
            assert played(board, text)[:2] == (0, san)
            reached = played(board, text)[2]
            assert (reached.board_fen(), reached.castling_rights) == (after.board_fen(), after.castling_rights)
    for move in set(board.pseudo_legal_moves) - set(legal):
        assert played(board, move.uci())[0] == Problem.NO_LEGAL_MOVE
    for text in ("O-O", "O-O-O"):
        try:
            expected = (0, board.san(board.parse_san(text)))
        except chess.IllegalMoveError:
            expected = (int(Problem.NO_LEGAL_MOVE), "")
        assert played(board, text)[:2] == expected


@pytest.mark.parametrize("fen", POSITIONS)
def test_short_spellings_mean_what_they_mean_to_python_chess(fen: str) -> None:
    board = chess.Board(fen)
    for piece in ("", *"NBRQK"):
        for square in chess.SQUARE_NAMES:
            text = piece + square
            try:
                expected = (0, board.san(board.parse_san(text)))
            except chess.AmbiguousMoveError:
                expected = (int(Problem.AMBIGUOUS), "")
            except chess.IllegalMoveError:
                expected = (int(Problem.NO_LEGAL_MOVE), "")
            assert played(board, text)[:2] == expected, text
