"""How the plies of a board were written: a tree of plies that all boards of the same game share.

Knows: how to walk a board's move stack, writing only the plies that no board before it had.
Doesn't know: how a ply is written; the notation hands that in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import chess

from chesslm.errors import UnsupportedPosition
from chesslm.san import core_san, mark_after

# The text of a legal move without its mark; ValueError for an illegal one.
Core = Callable[[chess.Board, chess.Move], str]
# (ply, core, mark, cores before) -> ids of the whole ply, number to full stop
WritePly = Callable[[int, str, str, str], Sequence[int]]

_START = chess.Board()
_MAX_PLIES = 50_000


@dataclass(slots=True)
class _Ply:
    ids: Sequence[int]
    core: str
    after: dict[int, _Ply] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """The plies of a board so far: their ids, and their cores, each followed by a space. Read only."""

    ids: list[int]
    cores: str


class History:
    """Remembers written plies.

    Args:
        write: writes one ply.
        core: the text of a move that `write` is given.
    """

    def __init__(self, write: WritePly, core: Core = core_san) -> None:
        self._write = write
        self._core = core
        self._root = _Ply((), "")
        self._num_plies = 0
        self._last_moves: list[chess.Move] = []
        self._last = Written([], "")

    def of(self, board: chess.Board) -> Written:
        """All plies on the board's move stack.

        Raises:
            UnsupportedPosition: the stack doesn't begin at the start position, or has an illegal or a null move.
            GameTooLong: from `write`.
        """
        root = board.root()
        if root != _START:
            raise UnsupportedPosition(f"the game began at {root.fen()}, not at the start position")
        if board.move_stack != self._last_moves:
            moves = list(board.move_stack)
            self._last, self._last_moves = self._walk(moves), moves
        return self._last

    def _walk(self, moves: Sequence[chess.Move]) -> Written:
        if self._num_plies > _MAX_PLIES:
            self._root.after.clear()
            self._num_plies = 0
        node, known = self._root, 0
        ids, cores = list[int](), ""
        for move in moves:
            child = node.after.get(_key(move))
            if child is None:
                break
            node, known = child, known + 1
            ids.extend(child.ids)
            cores += f"{child.core} "
        board = chess.Board()
        for move in moves[:known] if known < len(moves) else ():
            board.push(move)
        for ply in range(known, len(moves)):
            move = moves[ply]
            try:
                core = self._core(board, move)
            except ValueError as error:
                raise UnsupportedPosition(f"ply {ply} of the game is no legal move: {error}") from error
            board.push(move)
            child = _Ply(self._write(ply, core, mark_after(board), cores), core)
            node.after[_key(move)] = child
            self._num_plies += 1
            node = child
            ids.extend(child.ids)
            cores += f"{core} "
        return Written(ids, cores)


def _key(move: chess.Move) -> int:
    return move.from_square | move.to_square << 6 | (move.promotion or 0) << 12
