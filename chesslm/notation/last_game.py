"""The moves of games in SAN, for notations that write more of a move than SAN says.

Knows: how to replay SAN, and that games which begin like the last one need not be replayed from the start.
Doesn't know: how moves are written.

    >>> last = LastGame()
    >>> [move.uci() for move in last.moves(("e4", "e5", "Ke2"))]
    ['e2e4', 'e7e5', 'e1e2']
    >>> [move.uci() for move in last.moves(("e4",))]
    ['e2e4']
"""

from __future__ import annotations

from collections.abc import Sequence

import chess

from chesslm.san import parse


class LastGame:
    """Replays games, and remembers the last: a game is often asked for ply by ply, or again."""

    def __init__(self) -> None:
        self._sans: list[str] = []
        self._moves: list[chess.Move] = []
        self._board = chess.Board()

    def moves(self, sans: Sequence[str]) -> list[chess.Move]:
        """The moves of a game from the start position.

        Raises:
            ValueError: a ply isn't SAN, or not legal.
        """
        sans = list(sans)
        if sans[: len(self._sans)] != self._sans and self._sans[: len(sans)] != sans:
            self._sans, self._moves, self._board = [], [], chess.Board()
        for san in sans[len(self._sans) :]:
            if parse(san) is None:
                raise ValueError(f"{san!r} is not SAN")
            self._moves.append(self._board.push_san(san))
            self._sans.append(san)
        return self._moves[: len(sans)]
