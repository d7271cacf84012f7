"""Kinds of positions: classes of METRICS section 2.7, the piece that was moved, and the phase of the game.

Knows: one definition each of a class, a piece and a phase, for a board whose side to move is "the mover".
Doesn't know: which positions are looked at (`positions`, `suite`) or how legal a model is in them (`legality`).

    >>> board = chess.Board("4k3/8/8/8/7b/8/8/R3K2R w KQ - 0 1")
    >>> classes_of(board), phase_of(board, ply=60)
    (('in check', 'may not castle'), 'endgame')
"""

from __future__ import annotations

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


def classes_of(board: chess.Board) -> tuple[str, ...]:
    """The classes that a position belongs to, in the order of `CLASSES`; most belong to none."""
    own = board.occupied_co[board.turn]
    king = board.king(board.turn)
    if king is None:
        return ()
    num_checkers = chess.popcount(board.checkers_mask())
    castlings = [move.to_square for move in board.generate_castling_moves()]
    is_in = {
        IN_CHECK: num_checkers > 0,
        DOUBLE_CHECK: num_checkers > 1,
        PINNED_PIECE: any(board.is_pinned(board.turn, square) for square in chess.scan_forward(own & _lines(king))),
        EN_PASSANT: board.has_legal_en_passant(),
        CAN_CASTLE: bool(castlings),
        MAY_NOT_CASTLE: _may_not_castle(board, king, castlings),
        CAN_PROMOTE: _can_promote(board),
    }
    return tuple(name for name in CLASSES if is_in[name])


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


def _lines(king: chess.Square) -> chess.Bitboard:
    """The squares on the king's rank, file and diagonals: a pinned piece stands on one of them."""
    return chess.BB_RANK_ATTACKS[king][0] | chess.BB_FILE_ATTACKS[king][0] | chess.BB_DIAG_ATTACKS[king][0]


def _may_not_castle(board: chess.Board, king: chess.Square, castlings: list[chess.Square]) -> bool:
    home = chess.E1 if board.turn == chess.WHITE else chess.E8
    rooks = board.rooks & board.occupied_co[board.turn]
    if king != home:
        return False
    return any(
        rooks & chess.BB_SQUARES[rook]
        and not board.occupied & between
        and (king + 2 if rook > king else king - 2) not in castlings
        for rook, between in _WINGS[board.turn]
    )


def _can_promote(board: chess.Board) -> bool:
    seventh = chess.BB_RANK_7 if board.turn == chess.WHITE else chess.BB_RANK_2
    pawns = board.pawns & board.occupied_co[board.turn] & seventh
    return bool(pawns) and any(board.generate_legal_moves(pawns))
