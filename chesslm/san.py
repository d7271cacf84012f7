"""Standard algebraic notation: written quickly, read strictly.

Knows: the grammar of SAN, the canonical SAN of all legal moves of a position, and why a text is no move
(the error kinds of METRICS section 2.8).
Doesn't know: tokens, or any notation but SAN. Standard chess only, no variants.

The *core* of a SAN text is the text without its check or mate mark. Marks follow from the move, so they are never
judged. Strict means: only the canonical core is a move. `Nbd2` where `Nd2` is enough, `Nxf3` onto an empty square, `e8`
without its piece, `0-0` and `--` are errors, although python-chess's `parse_san` takes most of them.

    >>> board = chess.Board()
    >>> judge(board, "Nf3").uci(), core_san(board, chess.Move.from_uci("e2e4"))
    ('g1f3', 'e4')
    >>> judge(board, "Nd4")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chesslm.errors.IllegalMove: 'Nd4' is no move (piece doesn't move so) at ply 0 in rnbqkbnr/...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import chess

from chesslm.errors import AmbiguousMove, IllegalMove, MoveTextError, UnreadableMove

UNREADABLE = "unreadable"
WRONG_COLOUR = "wrong colour"
NULL_MOVE = "null move"
AMBIGUOUS = "ambiguous"
NEEDLESS_DISAMBIGUATION = "needless disambiguation"
WRONG_CAPTURE_MARK = "wrong capture mark"
WRONG_PROMOTION = "promotion missing or impossible"
NO_SUCH_PIECE = "no such piece"
MOVES_OTHERWISE = "piece doesn't move so"
PATH_BLOCKED = "path blocked"
OWN_PIECE = "own piece on the square"
KING_IN_CHECK = "leaves the king in check"
CASTLING_NOT_ALLOWED = "castling not allowed"

# In the order of METRICS section 2.8: a text gets the first kind that applies.
ERROR_KINDS: tuple[str, ...] = (
    UNREADABLE,
    WRONG_COLOUR,
    NULL_MOVE,
    AMBIGUOUS,
    NEEDLESS_DISAMBIGUATION,
    WRONG_CAPTURE_MARK,
    WRONG_PROMOTION,
    NO_SUCH_PIECE,
    MOVES_OTHERWISE,
    PATH_BLOCKED,
    OWN_PIECE,
    KING_IN_CHECK,
    CASTLING_NOT_ALLOWED,
)

NULL_TEXTS = frozenset({"--", "Z0", "0000", "@@@@"})
KINGSIDE = "O-O"
QUEENSIDE = "O-O-O"

_LETTERS = " PNBRQK"  # index = python-chess's piece type; a pawn's letter is never written
_OFFICER = r"(?P<piece>[NBRQK])(?P<file>[a-h])?(?P<rank>[1-8])?(?P<x>x)?"
# A pawn's capture names its file; a pawn's file alone may stand before a move that forgot its x.
_PAWN = r"(?:(?P<pawn_file>[a-h])(?P<pawn_rank>[1-8])?(?P<pawn_x>x)?)?"
_SAN = re.compile(
    rf"(?:(?P<castling>O-O(?:-O)?)|(?:{_OFFICER}|{_PAWN})(?P<to>[a-h][1-8])(?:=(?P<promotion>[NBRQK]))?)(?P<mark>[+#])?"
)


@dataclass(frozen=True, slots=True)
class SanParts:
    """What a SAN text says, part by part.

    Args:
        piece: python-chess piece type; a king for castling.
        from_file: 0 (a) … 7 (h), or None.
        from_rank: 0 (rank 1) … 7 (rank 8), or None.
        is_capture: whether an x is written.
        to_square: destination square, None for castling.
        promotion: piece type after `=`, or None.
        castling: `O-O`, `O-O-O` or the empty string.
        mark: `+`, `#` or the empty string.
    """

    piece: chess.PieceType
    from_file: int | None = None
    from_rank: int | None = None
    is_capture: bool = False
    to_square: chess.Square | None = None
    promotion: chess.PieceType | None = None
    castling: str = ""
    mark: str = ""

    @property
    def core(self) -> str:
        """The SAN text of these parts, without the mark."""
        if self.to_square is None:
            return self.castling
        return "".join(
            (
                "" if self.piece == chess.PAWN else _LETTERS[self.piece],
                "" if self.from_file is None else chess.FILE_NAMES[self.from_file],
                "" if self.from_rank is None else chess.RANK_NAMES[self.from_rank],
                "x" if self.is_capture else "",
                chess.SQUARE_NAMES[self.to_square],
                "" if self.promotion is None else "=" + _LETTERS[self.promotion],
            )
        )


def parse(text: str) -> SanParts | None:
    """The parts of a SAN text, legal anywhere or not; None if it isn't SAN (null moves and `0-0` aren't).

    >>> parse("exd8=Q+").core
    'exd8=Q'
    """
    match = _SAN.fullmatch(text)
    if match is None:
        return None
    mark = match["mark"] or ""
    if match["castling"]:
        return SanParts(chess.KING, castling=match["castling"], mark=mark)
    file, rank = match["file"] or match["pawn_file"], match["rank"] or match["pawn_rank"]
    return SanParts(
        piece=_LETTERS.index(match["piece"]) if match["piece"] else chess.PAWN,
        from_file=chess.FILE_NAMES.index(file) if file else None,
        from_rank=chess.RANK_NAMES.index(rank) if rank else None,
        is_capture=bool(match["x"] or match["pawn_x"]),
        to_square=chess.parse_square(match["to"]),
        promotion=_LETTERS.index(match["promotion"]) if match["promotion"] else None,
        mark=mark,
    )


def split_mark(san: str) -> tuple[str, str]:
    """Core and mark of a SAN text.

    >>> split_mark("Qxf7#"), split_mark("e4")
    (('Qxf7', '#'), ('e4', ''))
    """
    return (san[:-1], san[-1]) if san[-1:] in ("+", "#") else (san, "")


def mark_after(board: chess.Board) -> str:
    """The mark of the move that led to this position: `#`, `+` or the empty string."""
    if not board.is_check():
        return ""
    return "+" if any(board.generate_legal_moves()) else "#"


@dataclass(frozen=True, slots=True)
class LegalSans:
    """The canonical core SAN of every legal move of one position, both ways. Shared between callers: read only."""

    core_of: Mapping[chess.Move, str]
    move_of: Mapping[str, chess.Move]


_CACHE_LEN = 1_024
_cache: dict[tuple[int | bool | None, ...], LegalSans] = {}


def legal_sans(board: chess.Board) -> LegalSans:
    """The core SAN of all legal moves at once; remembered for the last thousand positions or so.

    Equal to `board.san(move)` without its mark for every legal move, and several times faster: `board.san` looks for
    rivals anew for each move, and makes the move to see whether it checks.
    """
    key = (
        board.pawns,
        board.knights,
        board.bishops,
        board.rooks,
        board.queens,
        board.kings,
        board.occupied_co[chess.WHITE],
        board.turn,
        board.castling_rights,
        board.ep_square,
        board.chess960,
    )
    found = _cache.get(key)
    if found is None:
        core_of = _core_sans(board)
        found = LegalSans(core_of, {core: move for move, core in core_of.items()})
        if len(_cache) >= _CACHE_LEN:
            _cache.clear()
        _cache[key] = found
    return found


def _core_sans(board: chess.Board) -> dict[chess.Move, str]:
    moves = list(board.generate_legal_moves())
    origins: dict[int, int] = {}  # destination and piece type -> mask of the squares such pieces can come from
    keys = []
    for move in moves:
        key = move.to_square << 3 | (board.piece_type_at(move.from_square) or 0)
        origins[key] = origins.get(key, 0) | 1 << move.from_square
        keys.append(key)
    return {
        move: _core(board, move, key & 7, origins[key] & ~(1 << move.from_square))
        for move, key in zip(moves, keys, strict=True)
    }


def _core(board: chess.Board, move: chess.Move, piece: chess.PieceType, others: chess.Bitboard) -> str:
    """Core SAN; `others` is the mask of the other pieces of this type that could legally go there."""
    start, to = move.from_square, move.to_square
    name = chess.SQUARE_NAMES[to]
    if piece == chess.PAWN:
        # Captures change the file; en passant is the one that finds the square empty.
        text = name if (start ^ to) & 7 == 0 else f"{chess.FILE_NAMES[start & 7]}x{name}"
        return f"{text}={_LETTERS[move.promotion]}" if move.promotion else text
    if piece == chess.KING and board.is_castling(move):
        return KINGSIDE if to & 7 > start & 7 else QUEENSIDE
    origin = ""
    if others:
        # The shortest that tells it from the others; the file where file and rank both would.
        has_file = bool(others & chess.BB_RANKS[start >> 3]) or not others & chess.BB_FILES[start & 7]
        has_rank = bool(others & chess.BB_FILES[start & 7])
        origin = (chess.FILE_NAMES[start & 7] if has_file else "") + (chess.RANK_NAMES[start >> 3] if has_rank else "")
    capture = "x" if board.occupied_co[not board.turn] >> to & 1 else ""
    return f"{_LETTERS[piece]}{origin}{capture}{name}"


def core_san(board: chess.Board, move: chess.Move) -> str:
    """The canonical core SAN of one legal move; `legal_sans` is quicker for all of them.

    Raises:
        ValueError: the move isn't legal here.
    """
    piece = board.piece_type_at(move.from_square)
    if piece is None or not board.is_legal(move):
        raise ValueError(f"{move.uci()} is not legal in {board.fen()}")
    others = 0
    if piece not in (chess.PAWN, chess.KING):
        rivals = board.pieces_mask(piece, board.turn) & board.attackers_mask(board.turn, move.to_square)
        rivals &= ~chess.BB_SQUARES[move.from_square]
        if rivals:
            to_mask = chess.BB_SQUARES[move.to_square]
            others = sum(1 << rival.from_square for rival in board.generate_legal_moves(rivals, to_mask))
    return _core(board, move, piece, others)


def judge(board: chess.Board, text: str, *, written: str | None = None) -> chess.Move:
    """The legal move whose canonical core SAN is `text`; a check or mate mark at its end is not judged.

    Where the SAN is a translation, `written` is what was written; errors show it.

    The kind of a fault is the first in `ERROR_KINDS` that applies. Four kinds say that a legal move was written
    wrongly: some legal move of this piece (from the file or rank given, if any) goes to this square; `ambiguous` means
    that several pieces could, `needless disambiguation` that the origin written isn't the canonical one, and so on for
    the capture mark and the promotion. Where there is no such legal move, the later kinds say why. A pawn move that
    names no file is a push. Castling that isn't legal, for whatever reason, is `castling not allowed`.

    Raises:
        UnreadableMove: not SAN.
        AmbiguousMove: several pieces could go there.
        IllegalMove: any other kind.
    """
    move = legal_sans(board).move_of.get(split_mark(text)[0])
    if move is not None:
        return move
    raise fault(board, written or text, _kind(board, text))


def fault(board: chess.Board, text: str, kind: str) -> MoveTextError:
    """The exception for a text that is no move here for a reason of this kind."""
    error = {UNREADABLE: UnreadableMove, AMBIGUOUS: AmbiguousMove}.get(kind, IllegalMove)
    return error(text, fen=board.fen(), ply=board.ply(), kind=kind)


def _kind(board: chess.Board, text: str) -> str:
    if text in NULL_TEXTS:
        return NULL_MOVE
    parts = parse(text)
    if parts is None:
        return UNREADABLE
    if parts.to_square is None:
        return CASTLING_NOT_ALLOWED
    origin = _origin_mask(board, parts)
    meant = [
        move
        for move in board.generate_legal_moves(origin, chess.BB_SQUARES[parts.to_square])
        if not board.is_castling(move)
    ]
    if not meant:
        return _chess_fault(board, parts, parts.to_square, origin)
    if len({move.from_square for move in meant}) > 1:
        return AMBIGUOUS
    return _writing_fault(parts, parse(legal_sans(board).core_of[meant[0]]))


def _origin_mask(board: chess.Board, parts: SanParts) -> chess.Bitboard:
    """Where the mover's pieces stand that the text can mean."""
    mask = board.pieces_mask(parts.piece, board.turn)
    file = parts.from_file
    if parts.piece == chess.PAWN and file is None and parts.to_square is not None:
        file = chess.square_file(parts.to_square)
    if file is not None:
        mask &= chess.BB_FILES[file]
    if parts.from_rank is not None:
        mask &= chess.BB_RANKS[parts.from_rank]
    return mask


def _writing_fault(written: SanParts, canonical: SanParts | None) -> str:
    assert canonical is not None, "our own SAN can be read"
    if written.piece == chess.PAWN:
        # The file belongs to a pawn's capture: with an x (or where a capture is meant) the mark is what is wrong.
        says_file = written.from_file is not None and not (written.is_capture or canonical.is_capture)
        is_needless = says_file or written.from_rank is not None
    else:
        is_needless = (written.from_file, written.from_rank) != (canonical.from_file, canonical.from_rank)
    if is_needless:
        return NEEDLESS_DISAMBIGUATION
    return WRONG_CAPTURE_MARK if written.is_capture != canonical.is_capture else WRONG_PROMOTION


def _chess_fault(board: chess.Board, parts: SanParts, to: chess.Square, origin: chess.Bitboard) -> str:
    if not origin:
        return NO_SUCH_PIECE
    reaching = [start for start in chess.scan_forward(origin) if _moves_so(board, parts.piece, start, to)]
    if not reaching:
        return MOVES_OTHERWISE
    is_own = bool(board.occupied_co[board.turn] & chess.BB_SQUARES[to])
    is_enemy = bool(board.occupied_co[not board.turn] & chess.BB_SQUARES[to])

    def is_clear(start: chess.Square) -> bool:
        is_push = parts.piece == chess.PAWN and chess.square_file(start) == chess.square_file(to)
        return not (chess.between(start, to) & board.occupied or (is_push and is_enemy))

    if not any(is_clear(start) for start in reaching):
        return PATH_BLOCKED
    return OWN_PIECE if is_own else KING_IN_CHECK


def square_fault(board: chess.Board, start: chess.Square, to: chess.Square) -> str:
    """Why the mover has no legal move from one square to another: one of the last kinds of `ERROR_KINDS`."""
    piece = board.piece_type_at(start)
    if piece is None or not board.occupied_co[board.turn] & chess.BB_SQUARES[start]:
        return NO_SUCH_PIECE
    return _chess_fault(board, SanParts(piece), to, chess.BB_SQUARES[start])


def _moves_so(board: chess.Board, piece: chess.PieceType, start: chess.Square, to: chess.Square) -> bool:
    """Whether such a piece goes from `start` to `to` where nothing stands between (castling is written otherwise)."""
    files = abs(chess.square_file(to) - chess.square_file(start))
    ranks = abs(chess.square_rank(to) - chess.square_rank(start))
    if piece == chess.PAWN:
        forward = chess.square_rank(to) - chess.square_rank(start)
        if board.turn == chess.BLACK:
            forward = -forward
        if files == 0:
            is_at_home = chess.square_rank(start) == (1 if board.turn == chess.WHITE else 6)
            return forward == 1 or (forward == 2 and is_at_home)
        has_target = bool(board.occupied & chess.BB_SQUARES[to]) or to == board.ep_square
        return files == forward == 1 and has_target
    is_straight = (files == 0) != (ranks == 0)
    is_diagonal = files == ranks != 0
    return {
        chess.KNIGHT: sorted((files, ranks)) == [1, 2],
        chess.BISHOP: is_diagonal,
        chess.ROOK: is_straight,
        chess.QUEEN: is_straight or is_diagonal,
        chess.KING: max(files, ranks) == 1,
    }[piece]
