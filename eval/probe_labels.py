"""What a probe is asked about a position: facts of the board as class numbers, from python-chess.

Knows: each property's questions and classes, and which plies of a game are asked about.
Doesn't know: models, activations or how a probe is trained.

A position's labels are those of the board before the move. Pieces are numbered 0 for an empty square, then 1 … 6 for
White's pawn … king and 7 … 12 for Black's; relative to the mover, 1 … 6 are the mover's own (Nanda et al. 2023 found
that a network trained on Othello keeps "mine" and "yours" rather than colours). The board isn't turned round for that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import chess
import numpy as np
import numpy.typing as npt

from chesslm.game import Game
from eval.intervals import Floats

Labels = npt.NDArray[np.int64]

NUM_PIECE_CLASSES = 13
CASTLING_ROOKS = (chess.H1, chess.A1, chess.H8, chess.A8)
# Worth of a pawn, knight, bishop, rook and queen, in pawns.
WORTHS = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9}

NUM_CLASSES: dict[str, int] = {
    "probe_piece": NUM_PIECE_CLASSES,
    "probe_piece_relative": NUM_PIECE_CLASSES,
    "probe_turn": 2,
    "probe_castling": 2,
    "probe_check": 2,
}
"""Metric -> classes of each of its questions, for all that a softmax probe is asked."""


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """Labels of some positions.

    Args:
        classes: metric -> class numbers, (positions, questions): 64 squares from a1 to h8; one question for the side to
            move (0 is White) and for check; four castling rights (White's king side, queen side, Black's likewise).
        material: White's pieces minus Black's, in pawns, (positions,).
    """

    classes: dict[str, Labels]
    material: Floats

    def of(self, chosen: npt.NDArray[np.bool_]) -> BoardFacts:
        """The same of some of the positions."""
        return BoardFacts({name: labels[chosen] for name, labels in self.classes.items()}, self.material[chosen])


def random_plies(game: Game, count: int, seed: int) -> list[int]:
    """Some plies of a game, in order, all of them if there are no more; they depend on the seed and the moves alone.

    >>> random_plies(Game("a", ("e4", "e5", "Nf3", "Nc6", "Bb5"), "*"), count=3, seed=0)
    [0, 2, 4]
    """
    generator = random.Random(f"{seed}|{' '.join(game.san)}")
    return sorted(generator.sample(range(len(game.san)), min(count, len(game.san))))


def boards_before(game: Game, plies: Sequence[int]) -> list[chess.Board]:
    """The board before each of these plies (in order), without its move stack.

    Raises:
        ValueError: a SAN string is not a legal move (python-chess's own error, with the FEN).
    """
    board = chess.Board()
    boards = []
    played = 0
    for ply in plies:
        for san in game.san[played:ply]:
            board.push_san(san)
        played = ply
        boards.append(board.copy(stack=False))
    return boards


def facts(boards: Sequence[chess.Board]) -> BoardFacts:
    """Labels of positions.

    >>> found = facts([chess.Board()])
    >>> found.classes["probe_piece"][0, [chess.E1, chess.D8, chess.E4]].tolist(), found.material.tolist()
    ([6, 11, 0], [0.0])
    """
    pieces = np.array([_pieces(board) for board in boards], dtype=np.int64).reshape(len(boards), 64)
    turns = np.array([[board.turn == chess.BLACK] for board in boards], dtype=np.int64)
    # Black to move: its pieces become 1 … 6 and White's 7 … 12.
    swapped = np.where(pieces == 0, 0, (pieces + 5) % 12 + 1)
    classes = {
        "probe_piece": pieces,
        "probe_piece_relative": np.where(turns == 1, swapped, pieces),
        "probe_turn": turns,
        "probe_castling": np.array(
            [
                [bool(board.clean_castling_rights() & chess.BB_SQUARES[rook]) for rook in CASTLING_ROOKS]
                for board in boards
            ],
            dtype=np.int64,
        ),
        "probe_check": np.array([[board.is_check()] for board in boards], dtype=np.int64),
    }
    return BoardFacts(classes, np.array([_material(board) for board in boards], dtype=np.float64))


def _pieces(board: chess.Board) -> list[int]:
    numbers = [0] * 64
    for square, piece in board.piece_map().items():
        numbers[square] = piece.piece_type + (0 if piece.color == chess.WHITE else 6)
    return numbers


def _material(board: chess.Board) -> int:
    return sum(
        worth * (len(board.pieces(piece, chess.WHITE)) - len(board.pieces(piece, chess.BLACK)))
        for piece, worth in WORTHS.items()
    )
