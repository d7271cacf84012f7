"""Which of some positions occur in a train split, without replaying it.

Knows: what can be followed in canonical SAN without a board (pawns, kings, the number of captures), and how little is
left to replay when that has been compared.
Doesn't know: where the positions come from (`positions`).

A position is what decides the legal moves: placement, side to move, castling rights, a legal en passant capture (EPD).
python-chess replays about 1,200 games a second, so a train split of 240,000 games would take minutes. But pawns and
kings can be followed exactly in the text alone, and a game can only reach a position by passing through its pawn
structure: the text decides nearly all games, python-chess judges the rest, and memory holds only the positions that
are asked about. The answer is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import chess

from chesslm.game import Game

# White pawns, black pawns (bitboards), square of the white king, of the black king, captures so far.
Structure = tuple[int, int, int, int, int]
# Plies of a game's recent past that are compared with a target before python-chess is asked.
LOOK_BACK = 24
START: Structure = (chess.BB_RANK_2, chess.BB_RANK_7, chess.E1, chess.E8, 0)


def position_key(board: chess.Board) -> str:
    """What makes two positions the same: placement, side to move, castling rights, a legal en passant capture."""
    return board.epd()


@dataclass(frozen=True, slots=True)
class _Target:
    """A position that is looked for."""

    key: str
    turn: chess.Color
    structure: Structure
    pieces: frozenset[tuple[chess.Color, str, int]]


@dataclass(frozen=True, slots=True)
class _Step:
    """What a SAN says without a board; squares and files as python-chess numbers them.

    Args:
        piece: letter of the piece that stands on `square` afterwards, "P" for a pawn.
        moves_pawn: a pawn made the move, even if it became something else.
        square: where it goes (castling: the king).
        file: where a capturing pawn comes from.
        rook: where castling puts the rook.
    """

    piece: str
    moves_pawn: bool
    square: int
    is_capture: bool
    file: int
    rook: int | None


def occurring(keys: Iterable[str], games: Iterable[Game]) -> set[str]:
    """Those of the positions that some game passes through, its first and last position included.

    >>> fools_mate = Game("", ("f3", "e5", "g4", "Qh4#"), "0-1")
    >>> board = chess.Board()
    >>> _ = [board.push_san(san) for san in ("g4", "e5", "f3")]  # another order of the same moves
    >>> occurring([position_key(board)], [fools_mate]) == {position_key(board)}
    True
    """
    sought: dict[Structure, list[_Target]] = {}
    for key in set(keys):
        target = _target(key)
        sought.setdefault(target.structure, []).append(target)
    found: set[str] = set()
    for game in games:
        for target in _passes(game, sought):
            found.add(target.key)
            sought[target.structure].remove(target)
    return found


def _target(key: str) -> _Target:
    board, _ = chess.Board.from_epd(key)
    white_king, black_king = board.king(chess.WHITE), board.king(chess.BLACK)
    assert white_king is not None, key
    assert black_king is not None, key
    placed = board.piece_map()
    return _Target(
        key=key,
        turn=board.turn,
        structure=(
            board.pieces_mask(chess.PAWN, chess.WHITE),
            board.pieces_mask(chess.PAWN, chess.BLACK),
            white_king,
            black_king,
            32 - len(placed),
        ),
        pieces=frozenset((piece.color, piece.symbol().upper(), square) for square, piece in placed.items()),
    )


def _passes(game: Game, sought: dict[Structure, list[_Target]]) -> list[_Target]:
    """The targets that the game passes through."""
    structure = START
    here = sought.get(START, [])
    candidates = {0: [target for target in here if target.turn == chess.WHITE]} if here else {}
    previous: _Step | None = None
    for ply, san in enumerate(game.san):
        colour = ply % 2 == 0
        step = _step(san, colour)
        if step.moves_pawn or step.is_capture or step.piece == "K":
            structure = _after(structure, step, previous, colour)
            here = sought.get(structure, [])
        previous = step
        for target in here:
            arrived = target.turn != colour and (colour, step.piece, step.square) in target.pieces
            if arrived and _could_be(target, game.san, ply):
                candidates.setdefault(ply + 1, []).append(target)
    return _confirmed(game, candidates) if candidates else []


def _after(structure: Structure, step: _Step, previous: _Step | None, colour: chess.Color) -> Structure:
    """The structure after a step by `colour`; exact, as long as the game is legal."""
    white, black, white_king, black_king, captures = structure
    own, other = (white, black) if colour else (black, white)
    back = -8 if colour else 8
    square = step.square
    if step.is_capture:
        captures += 1
        taken = chess.BB_SQUARES[square]
        # En passant: the pawn has just passed over the square, so nothing else can have been taken on it.
        if (
            step.moves_pawn
            and previous is not None
            and previous.piece == "P"
            and previous.square == square + back
            and not previous.is_capture
        ):
            taken = chess.BB_SQUARES[square + back]
        other &= ~taken
    if step.moves_pawn:
        if step.is_capture:
            source = chess.square(step.file, chess.square_rank(square) + (-1 if colour else 1))
        else:
            source = square + back if own & chess.BB_SQUARES[square + back] else square + 2 * back
        own &= ~chess.BB_SQUARES[source]
        if step.piece == "P":
            own |= chess.BB_SQUARES[square]
    elif step.piece == "K":
        white_king, black_king = (square, black_king) if colour else (white_king, square)
    white, black = (own, other) if colour else (other, own)
    return (white, black, white_king, black_king, captures)


def _could_be(target: _Target, sans: Sequence[str], last_ply: int) -> bool:
    """False where a recent arrival contradicts the target: a piece stands where it went unless taken or moved on."""
    may_have_moved_on: set[tuple[chess.Color, str]] = set()
    entered: dict[chess.Color, set[int]] = {chess.WHITE: set(), chess.BLACK: set()}
    for ply in range(last_ply, max(-1, last_ply - LOOK_BACK), -1):
        colour = ply % 2 == 0
        step = _step(sans[ply], colour)
        arrivals = [(step.piece, step.square)] if step.rook is None else [("K", step.square), ("R", step.rook)]
        for piece, square in arrivals:
            stands = (colour, piece) not in may_have_moved_on and square not in entered[not colour]
            if stands and piece != "P" and (colour, piece, square) not in target.pieces:
                return False
            may_have_moved_on.add((colour, piece))
        entered[colour].add(step.square)
    return True


def _confirmed(game: Game, candidates: dict[int, list[_Target]]) -> list[_Target]:
    """The candidates (number of plies played -> targets) that the game really passes through."""
    board = chess.Board()
    passed: dict[str, _Target] = {}
    last = max(candidates)
    for num_plies in range(last + 1):
        if num_plies in candidates:
            key = position_key(board)
            passed.update((key, target) for target in candidates[num_plies] if target.key == key)
        if num_plies < last:
            board.push_san(game.san[num_plies])
    return list(passed.values())


@lru_cache(maxsize=65_536)
def _step(san: str, colour: chess.Color) -> _Step:
    text = san.rstrip("+#")
    if text.startswith("O-O"):
        rank = 0 if colour else 7
        king_file, rook_file = (6, 5) if text == "O-O" else (2, 3)
        return _Step("K", False, chess.square(king_file, rank), False, -1, chess.square(rook_file, rank))
    body, _, promotion = text.partition("=")
    is_pawn = body[0].islower()
    return _Step(
        piece=promotion or ("P" if is_pawn else body[0]),
        moves_pawn=is_pawn,
        square=chess.parse_square(body[-2:]),
        is_capture="x" in body,
        file=ord(body[0]) - ord("a") if is_pawn else -1,
        rook=None,
    )
