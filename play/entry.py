"""A move as a person types it: SAN or UCI, generously read, and a useful answer where it is no move.

Knows: which writings of a legal move are taken, and why a writing fits none or several.
Doesn't know: commands, files, or the strict reading of what a model wrote (`chesslm.notation`).

Every legal move is written in every accepted way and compared with what was typed, so nothing is ever guessed: a
writing that fits two moves is ambiguous, by construction. Captures, check marks and glyphs may be left out or wrong,
small letters do where no pawn move is meant, and castling may be written with letters or zeros.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import chess

from play.inert_text import inert

_ZEROS_FOR_CASTLING = re.compile(r"[0oO]-?[0oO](-?[0oO])?$")
_SHAPE = re.compile(r"([KQRBNPkqrbnp])?([a-h])?([1-8])?([a-h][1-8])([QRBNKqrbnk])?$")
_UCI_SHAPE = re.compile(r"([a-h][1-8])([a-h][1-8])[qrbnQRBN]?$")
_SHOWN_MOVES = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """What a typed text is.

    Args:
        move: the one legal move that it writes, else None.
        complaint: why it is no move, in a sentence; empty where it is one.
        candidates: the moves it could have meant, in SAN order.
        is_promotion: whether it lacks nothing but the piece that a pawn becomes.
    """

    move: chess.Move | None
    complaint: str = ""
    candidates: tuple[chess.Move, ...] = ()
    is_promotion: bool = False


def read_entry(board: chess.Board, text: str) -> Entry:
    """What `text` means in this position.

    >>> board = chess.Board()
    >>> read_entry(board, "nf3").move == read_entry(board, "g1f3").move == chess.Move.from_uci("g1f3")
    True
    >>> read_entry(board, "Nd2").complaint
    "no knight of White's can go to d2; possible: Na3, Nc3, Nf3, Nh3"
    """
    typed = _normalised(text)
    # The letter's case matters first: "bxc3" is the pawn's, "Bxc3" the bishop's; only then may it be sloppy.
    for fold in (str, str.lower):
        fits = [move for move in board.legal_moves if fold(typed) in {fold(way) for way in _writings(board, move)}]
        if len(fits) == 1:
            return Entry(fits[0])
        if fits:
            return _several(board, text, fits)
    return _none(board, text, typed)


def _normalised(text: str) -> str:
    bare = "".join(text.split())
    bare = re.sub(r"(e\.p\.|ep)$", "", bare.rstrip("+#!?")).rstrip("+#!?")
    if _ZEROS_FOR_CASTLING.match(bare):
        return "O" * len(re.sub("-", "", bare))
    return re.sub(r"[-xX:=()/]", "", bare)


def _writings(board: chess.Board, move: chess.Move) -> set[str]:
    if board.is_castling(move):
        return {"OO" if board.is_kingside_castling(move) else "OOO", move.uci(), f"K{move.uci()}"}
    start, end = chess.square_name(move.from_square), chess.square_name(move.to_square)
    letter = _piece_at(board, move.from_square).symbol().upper().replace("P", "")
    # A pawn's capture names its file, as SAN does: "d5" never means exd5.
    origins = (start[0], start) if not letter and board.is_capture(move) else ("", start[0], start[1], start)
    ways = {f"{letter}{origin}{end}" for origin in origins} | {f"{start}{end}"}
    if not letter:
        ways |= {f"P{way}" for way in ways}
    if move.promotion is None:
        return ways
    # Without a piece the text fits all four promotions: ambiguous, and the answer lists them.
    symbol = chess.piece_symbol(move.promotion)
    return ways | {f"{way}{written}" for way in ways for written in (symbol, symbol.upper())}


def _several(board: chess.Board, text: str, fits: list[chess.Move]) -> Entry:
    fits = sorted(fits, key=board.san)
    names = [board.san(move) for move in fits]
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    is_promotion = len({(move.from_square, move.to_square) for move in fits}) == 1
    what = "needs a piece" if is_promotion else "could be more than one move"
    return Entry(None, f'"{inert(text, limit=20)}" {what}: {listed}', tuple(fits), is_promotion)


def _none(board: chess.Board, text: str, typed: str) -> Entry:
    shown = inert(text, limit=40)
    if typed in ("OO", "OOO"):
        return Entry(None, f"castling {'kingside' if typed == 'OO' else 'queenside'} is not legal here")
    uci, shape = _UCI_SHAPE.match(typed), _SHAPE.match(typed)
    if shape is None:
        return Entry(None, f'"{shown}" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4')
    if _exposes_king(board, typed):
        why = "does nothing about the check" if board.is_check() else "would leave the king in check"
        return Entry(None, f'"{shown}" {why}')
    if uci is not None:
        return _no_way_from(board, uci[1], uci[2])
    piece = chess.PIECE_SYMBOLS.index((shape[1] or "p").lower())
    return _no_way_for(board, piece, shape[4])


def _exposes_king(board: chess.Board, typed: str) -> bool:
    illegal = [move for move in board.pseudo_legal_moves if not board.is_legal(move)]
    return any(typed in _writings(board, move) for move in illegal)


def _no_way_from(board: chess.Board, start: str, end: str) -> Entry:
    square = chess.parse_square(start)
    piece = board.piece_at(square)
    if piece is None or piece.color != board.turn:
        whose = "nothing" if piece is None else f"no piece of {_side(board)}'s"
        return Entry(None, f"there is {whose} on {start}")
    moves = [move for move in board.legal_moves if move.from_square == square]
    return _instead(board, f"the {_name(piece.piece_type)} on {start} can't go to {end}", moves)


def _no_way_for(board: chess.Board, piece: chess.PieceType, end: str) -> Entry:
    if not board.pieces(piece, board.turn):
        return Entry(None, f"{_side(board)} has no {_name(piece)}")
    complaint = f"no {_name(piece)} of {_side(board)}'s can go to {end}"
    if piece == chess.PAWN:
        # The likeliest slip is a forgotten piece letter or capturing file: what can go there says more.
        return _instead(
            board, complaint, [move for move in board.legal_moves if chess.square_name(move.to_square) == end]
        )
    return _instead(
        board, complaint, [move for move in board.legal_moves if _piece_at(board, move.from_square).piece_type == piece]
    )


def _instead(board: chess.Board, complaint: str, moves: list[chess.Move]) -> Entry:
    if not moves:
        return Entry(None, complaint)
    moves = sorted(moves, key=board.san)
    more = ", ..." if len(moves) > _SHOWN_MOVES else ""
    listed = ", ".join(board.san(move) for move in moves[:_SHOWN_MOVES])
    return Entry(None, f"{complaint}; possible: {listed}{more}", tuple(moves))


def _piece_at(board: chess.Board, square: chess.Square) -> chess.Piece:
    piece = board.piece_at(square)
    assert piece is not None, "a legal move starts on a piece"
    return piece


def _name(piece: chess.PieceType) -> str:
    return chess.piece_name(piece)


def _side(board: chess.Board) -> str:
    return "White" if board.turn == chess.WHITE else "Black"
