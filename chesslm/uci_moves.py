"""Moves as UCI writes them (start square, end square, promotion), read strictly.

Knows: the grammar, the text of a legal move, and why a text is no move (the error kinds of METRICS section 2.8).
Doesn't know: tokens. Castling is the king's move of two squares. Standard chess only.

    >>> judge_uci(chess.Board(), "e2e4").uci()
    'e2e4'
    >>> judge_uci(chess.Board(), "e2e5")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chesslm.errors.IllegalMove: 'e2e5' is no move (piece doesn't move so) at ply 0 in rnbqkbnr/...
"""

from __future__ import annotations

import chess
import regex

from chesslm.san import CASTLING_NOT_ALLOWED, NULL_MOVE, NULL_TEXTS, UNREADABLE, WRONG_PROMOTION, fault, square_fault

# A pawn on the last rank needs its piece; whether a pawn moves there shows only on the board.
UCI_MOVE = regex.compile(r"[a-h](?:7[a-h]8|2[a-h]1)[nbrq]?|[a-h][1-8][a-h][1-8]")


def uci_of(board: chess.Board, move: chess.Move) -> str:
    """The text of a legal move; ValueError for an illegal one."""
    if not board.is_legal(move):
        raise ValueError(f"{move.uci()} is not legal in {board.fen()}")
    return board.uci(move, chess960=False)  # python-chess also takes castling as the king taking its rook


def judge_uci(board: chess.Board, text: str) -> chess.Move:
    """The legal move whose text this is.

    Raises:
        UnreadableMove: not of the grammar, or a start that is the end.
        IllegalMove: any other kind.
    """
    if text in NULL_TEXTS:
        raise fault(board, text, NULL_MOVE)
    if UCI_MOVE.fullmatch(text) is None or text[:2] == text[2:4]:
        raise fault(board, text, UNREADABLE)
    move = chess.Move.from_uci(text)
    # The king may not take its rook here.
    if board.is_legal(move) and not (board.is_castling(move) and board.occupied >> move.to_square & 1):
        return move
    raise fault(board, text, _kind(board, move))


def _kind(board: chess.Board, move: chess.Move) -> str:
    start, to = move.from_square, move.to_square
    # python-chess finds castling by the rook's square, too.
    found = board.generate_legal_moves(chess.BB_SQUARES[start], chess.BB_SQUARES[to])
    if any(legal.to_square == to for legal in found):
        return WRONG_PROMOTION
    is_kings_home = start == (chess.E1 if board.turn == chess.WHITE else chess.E8)
    is_two_squares = chess.square_rank(to) == chess.square_rank(start) and chess.square_distance(start, to) == 2
    if is_kings_home and is_two_squares and board.kings & board.occupied_co[board.turn] & chess.BB_SQUARES[start]:
        return CASTLING_NOT_ALLOWED
    return square_fault(board, start, to)
