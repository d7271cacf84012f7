"""Kinds of positions: classes of METRICS section 2.7, the piece that was moved, and the phase of the game.

Knows: one definition each of a class, a piece and a phase, for a board whose side to move is "the mover".
Doesn't know: which positions are looked at (`positions`, `suite`) or how legal a model is in them (`legality`).

    >>> board = chess.Board("4k3/8/8/8/7b/8/8/R3K2R w KQ - 0 1")
    >>> classes_of(board), phase_of(board, ply=60)
    (('in check', 'may not castle'), 'endgame')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import chess

IN_CHECK = "in check"
DOUBLE_CHECK = "in double check"
PINNED_PIECE = "pinned piece"
EN_PASSANT = "can capture en passant"
CAN_CASTLE = "can castle"
MAY_NOT_CASTLE = "may not castle"
CAN_PROMOTE = "can promote"

CLASSES: dict[str, str] = {
    IN_CHECK: "the mover's king is attacked, by one piece or two",
    DOUBLE_CHECK: "two pieces attack the mover's king",
    PINNED_PIECE: "a piece or pawn of the mover stands between its king and an enemy rook, bishop or queen, alone",
    EN_PASSANT: "a capture en passant is legal",
    CAN_CASTLE: "castling is legal, on either side",
    MAY_NOT_CASTLE: (
        "king and a rook stand on their first squares with nothing between them, and castling with this rook is not "
        "legal: the right is gone, or the king is in check, would pass an attacked square or land on one"
    ),
    CAN_PROMOTE: "a promotion is legal",
}
"""Class -> what makes a position belong to it, in the order of METRICS section 2.7."""

PIECES: tuple[str, ...] = ("pawn", "knight", "bishop", "rook", "queen", "king")

OPENING, MIDDLEGAME, ENDGAME = "opening", "middlegame", "endgame"
PHASES: tuple[str, ...] = (OPENING, MIDDLEGAME, ENDGAME)
OPENING_PLIES = 20
ENDGAME_PIECES = 6
"""Endgame: at most so many knights, bishops, rooks and queens on the board, of both sides together; else the opening
is the first `OPENING_PLIES` plies and the middlegame the rest."""

GROUPS: tuple[str, ...] = (
    *(f"class: {name}" for name in CLASSES),
    *(f"moved: {name}" for name in PIECES),
    *(f"phase: {name}" for name in PHASES),
)
"""Names of the subsets, in the order of tables. A position is in one phase and one piece was moved; classes overlap."""

# Home squares of a rook, and the squares between it and its king.
_WINGS = {
    chess.WHITE: ((chess.H1, chess.BB_F1 | chess.BB_G1), (chess.A1, chess.BB_B1 | chess.BB_C1 | chess.BB_D1)),
    chess.BLACK: ((chess.H8, chess.BB_F8 | chess.BB_G8), (chess.A8, chess.BB_B8 | chess.BB_C8 | chess.BB_D8)),
}


def classes_of(board: chess.Board, among: Iterable[str] = CLASSES) -> tuple[str, ...]:
    """Those of the classes that a position belongs to, in the order given; most positions belong to none."""
    return tuple(name for name in among if _IS_IN[name](board))


def groups_of(board: chess.Board, move: chess.Move, ply: int) -> tuple[str, ...]:
    """Which of `GROUPS` a position `ply` plies after the start belongs to, in which `move` was played.

    >>> groups_of(chess.Board(), chess.Move.from_uci("g1f3"), 0)
    ('moved: knight', 'phase: opening')
    """
    classes = (f"class: {name}" for name in classes_of(board))
    return (*classes, f"moved: {piece_moved(board, move)}", f"phase: {phase_of(board, ply)}")


def piece_moved(board: chess.Board, move: chess.Move) -> str:
    """The name of the piece that a legal move moves; castling moves the king."""
    piece = board.piece_type_at(move.from_square)
    if piece is None:
        raise ValueError(f"{move.uci()} moves nothing in {board.fen()}")
    return PIECES[piece - 1]


def phase_of(board: chess.Board, ply: int) -> str:
    """The phase of a position `ply` plies after the start.

    >>> phase_of(chess.Board(), 0), phase_of(chess.Board(), 20)
    ('opening', 'middlegame')
    """
    pieces = board.knights | board.bishops | board.rooks | board.queens
    if chess.popcount(pieces) <= ENDGAME_PIECES:
        return ENDGAME
    return OPENING if ply < OPENING_PLIES else MIDDLEGAME


def _in_check(board: chess.Board) -> bool:
    return board.is_check()


def _in_double_check(board: chess.Board) -> bool:
    return chess.popcount(board.checkers_mask()) > 1


def _has_pinned_piece(board: chess.Board) -> bool:
    king = board.king(board.turn)
    if king is None:
        return False
    # A pinned piece stands on the king's rank, file or diagonals.
    lines = chess.BB_RANK_ATTACKS[king][0] | chess.BB_FILE_ATTACKS[king][0] | chess.BB_DIAG_ATTACKS[king][0]
    own = board.occupied_co[board.turn]
    return any(board.is_pinned(board.turn, square) for square in chess.scan_forward(own & lines))


def _can_capture_en_passant(board: chess.Board) -> bool:
    return board.has_legal_en_passant()


def _can_castle(board: chess.Board) -> bool:
    return any(board.generate_castling_moves())


def _may_not_castle(board: chess.Board) -> bool:
    king = chess.E1 if board.turn == chess.WHITE else chess.E8
    if board.king(board.turn) != king:
        return False
    rooks = board.rooks & board.occupied_co[board.turn]
    legal = {move.to_square for move in board.generate_castling_moves()}
    return any(
        rooks & chess.BB_SQUARES[rook]
        and not board.occupied & between
        and (king + 2 if rook > king else king - 2) not in legal
        for rook, between in _WINGS[board.turn]
    )


def _can_promote(board: chess.Board) -> bool:
    seventh = chess.BB_RANK_7 if board.turn == chess.WHITE else chess.BB_RANK_2
    pawns = board.pawns & board.occupied_co[board.turn] & seventh
    return bool(pawns) and any(board.generate_legal_moves(pawns))


_IS_IN: dict[str, Callable[[chess.Board], bool]] = {
    IN_CHECK: _in_check,
    DOUBLE_CHECK: _in_double_check,
    PINNED_PIECE: _has_pinned_piece,
    EN_PASSANT: _can_capture_en_passant,
    CAN_CASTLE: _can_castle,
    MAY_NOT_CASTLE: _may_not_castle,
    CAN_PROMOTE: _can_promote,
}
