"""Players that know material and nothing else: one takes at random, one counts a ply or two ahead.

Knows: the opponents that need no engine; their choices follow from a seed and the game so far.
Doesn't know: where pieces stand well, repetitions, or how strong any of this is (`eval ladder` measures that).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import chess

from chesslm.mixed_player import game_generator
from chesslm.player import ClosingPlayer, Decision

PAWNS_WORTH = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}


def material_balance(board: chess.Board) -> int:
    """White's material minus Black's, in pawns (1, 3, 3, 5, 9).

    >>> material_balance(chess.Board("4k3/8/8/8/8/8/P7/R3K3 w Q - 0 1"))
    6
    """
    return sum(
        worth * (len(board.pieces(piece, chess.WHITE)) - len(board.pieces(piece, chess.BLACK)))
        for piece, worth in PAWNS_WORTH.items()
    )


class RandomCapturePlayer(ClosingPlayer):
    """Plays a uniformly random capture if there is one, else a uniformly random legal move.

    Args:
        seed: decides, together with the game so far, which.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.name = "random capture"
        self._seed = seed

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """A capture or another legal move for each board."""
        return [Decision(self._choose(board)) for board in boards]

    def _choose(self, board: chess.Board) -> chess.Move:
        moves = list(board.generate_legal_captures()) or list(board.legal_moves)
        return game_generator("random capture", self._seed, board).choice(sorted(moves, key=chess.Move.uci))


class MaterialPlayer(ClosingPlayer):
    """Plays a move that leads to the most material, whichever of the best ones chance takes.

    It mates where it can, and stalemates nobody while it is ahead. With depth 1 it looks at its own move only; with
    depth 2 it also expects the reply that costs it most, mate above all.

    Args:
        depth: plies it looks ahead, 1 or 2.
        seed: decides, together with the game so far, among equally good moves.

    Raises:
        ValueError: another depth.
    """

    def __init__(self, depth: int, *, seed: int = 0) -> None:
        if depth not in (1, 2):
            raise ValueError(f"depth {depth} is neither 1 nor 2")
        self.name = f"material depth={depth}"
        self._depth = depth
        self._seed = seed

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """One of the best moves by material for each board."""
        return [Decision(self._choose(board)) for board in boards]

    def _choose(self, board: chess.Board) -> chess.Move:
        generator = game_generator("material", self._seed, board)
        board = board.copy(stack=False)
        moves = sorted(board.legal_moves, key=chess.Move.uci)
        mates = _mates(board, moves)
        if mates:
            return generator.choice(mates)
        values: dict[int, list[chess.Move]] = {}
        for move in moves:
            values.setdefault(self._value(board, move), []).append(move)
        best = [values[value] for value in sorted(values, reverse=True)]
        # Only now the tests that cost time: as a rule the first move passes them.
        for group in best:
            for move in generator.sample(group, len(group)):
                if self._is_sound(board, move):
                    return move
        return generator.choice(best[0])

    def _value(self, board: chess.Board, move: chess.Move) -> int:
        """What the move wins, in pawns, less what the costliest reply takes if that is looked at."""
        gain = _gain(board, move)
        if self._depth == 1:
            return gain
        board.push(move)
        cost = max((_gain(board, reply) for reply in _winning_replies(board)), default=0)
        board.pop()
        return gain - cost

    def _is_sound(self, board: chess.Board, move: chess.Move) -> bool:
        """Whether a move is no stalemate by the side that is ahead, and, with depth 2, allows no mate."""
        board.push(move)
        replies = list(board.generate_legal_moves())
        lead = material_balance(board) if board.turn == chess.BLACK else -material_balance(board)
        is_sound = bool(replies or lead <= 0) and not (self._depth > 1 and _mates(board, replies))
        board.pop()
        return is_sound


def _mates(board: chess.Board, moves: Iterable[chess.Move]) -> list[chess.Move]:
    """Those of the legal moves that mate."""
    return [move for move in moves if board.gives_check(move) and _is_mate(board, move)]


def _is_mate(board: chess.Board, check: chess.Move) -> bool:
    board.push(check)
    is_mate = not any(board.generate_legal_moves())
    board.pop()
    return is_mate


def _winning_replies(board: chess.Board) -> Iterator[chess.Move]:
    """Legal captures and promotions."""
    yield from board.generate_legal_captures()
    last_rank = chess.BB_RANK_8 if board.turn == chess.WHITE else chess.BB_RANK_1
    yield from board.generate_legal_moves(board.pawns, last_rank & ~board.occupied)


def _gain(board: chess.Board, move: chess.Move) -> int:
    """Material that a legal move wins for its side at once, in pawns."""
    taken = board.piece_type_at(move.to_square)
    gain = PAWNS_WORTH[taken] if taken else int(board.is_en_passant(move))
    return gain + PAWNS_WORTH[move.promotion] - PAWNS_WORTH[chess.PAWN] if move.promotion else gain
