"""Mates in one that real games offer: in which positions there is one, and which position of a game is asked about.

Knows: how mating moves are found without trying every legal move.
Doesn't know: models, or where games come from.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import chess

from chesslm.game import Game
from eval.positions import Progress, silent

GAMES_A_REPORT = 100
NO_MATE = "no position with a mate in one"


def mating_moves(board: chess.Board) -> list[chess.Move]:
    """The legal moves that checkmate, in python-chess's order a kind of piece.

    >>> sorted(move.uci() for move in mating_moves(chess.Board("6k1/5ppp/8/8/8/8/8/K2RR3 w - - 0 1")))
    ['d1d8', 'e1e8']
    """
    return [move for move in _possible_checks(board) if _mates(board, move)]


def mates_in_one(game: Game) -> list[int]:
    """The plies before which the mover could checkmate; the moves that were played need not have.

    Raises:
        ValueError: a SAN string is not a legal move (python-chess's own error, with the FEN).
    """
    board = chess.Board()
    plies = []
    for ply, san in enumerate(game.san):
        if any(_mates(board, move) for move in _possible_checks(board)):
            plies.append(ply)
        board.push_san(san)
    return plies


class MateChooser:
    """Chooses one position with a mate in one from each game; the choice depends on the seed and the moves alone.

    Args:
        seed: decides among the positions of a game.
        progress: told how many games have been looked through.
    """

    def __init__(self, seed: int, progress: Progress = silent) -> None:
        self._seed = seed
        self._progress = progress
        # A source is read more than once until enough games are found, and looking takes far longer than reading.
        self._plies: dict[tuple[str, ...], int | None] = {}

    def why_not(self, game: Game) -> str | None:
        """Why no position of the game can be asked about; None if one can."""
        return NO_MATE if self._chosen(game) is None else None

    def ply(self, game: Game) -> int:
        """The chosen ply of a game that has one.

        Raises:
            ValueError: it has none.
        """
        ply = self._chosen(game)
        if ply is None:
            raise ValueError(f"game {game.id}: {NO_MATE}")
        return ply

    def _chosen(self, game: Game) -> int | None:
        if game.san not in self._plies:
            plies = mates_in_one(game)
            generator = random.Random(f"{self._seed}|{' '.join(game.san)}")
            self._plies[game.san] = generator.choice(plies) if plies else None
            if len(self._plies) % GAMES_A_REPORT == 0:
                self._progress("looking for mates in one", len(self._plies), None)
        return self._plies[game.san]


def _possible_checks(board: chess.Board) -> Iterator[chess.Move]:
    """The legal moves that can give check: all that do, and few others."""
    king = board.king(not board.turn)
    # Games begin at the start position, so both kings are there.
    assert king is not None
    own = board.occupied_co[board.turn]
    lines = chess.BB_RANK_ATTACKS[king][chess.BB_RANK_MASKS[king] & board.occupied]
    lines |= chess.BB_FILE_ATTACKS[king][chess.BB_FILE_MASKS[king] & board.occupied]
    diagonals = chess.BB_DIAG_ATTACKS[king][chess.BB_DIAG_MASKS[king] & board.occupied]
    # What stands first on a line to the king may uncover a check from behind, wherever it goes.
    screens = (lines | diagonals) & own
    others = own & ~screens
    yield from board.generate_legal_moves(screens)
    yield from board.generate_legal_moves(others & board.knights, chess.BB_KNIGHT_ATTACKS[king])
    yield from board.generate_legal_moves(others & (board.bishops | board.queens), diagonals)
    yield from board.generate_legal_moves(others & board.rooks, lines)
    yield from board.generate_legal_moves(others & board.queens, lines & ~diagonals)
    # A promoted pawn checks as something else, and one taken en passant may have been a screen.
    last_ranks = chess.BB_RANK_1 | chess.BB_RANK_8
    en_passant = chess.BB_SQUARES[board.ep_square] if board.ep_square is not None else chess.BB_EMPTY
    targets = chess.BB_PAWN_ATTACKS[not board.turn][king] | last_ranks | en_passant
    yield from board.generate_legal_moves(others & board.pawns, targets)
    if not screens & board.kings:
        yield from board.generate_castling_moves()


def _mates(board: chess.Board, move: chess.Move) -> bool:
    board.push(move)
    is_mate = board.is_checkmate()
    board.pop()
    return is_mate
