"""Positions that no game leads to: after uniformly random legal plies from the start (METRICS section 2.9).

Knows: how random games are drawn, and that they follow from a seed alone.
Doesn't know: models or metrics.
"""

from __future__ import annotations

import random

import chess

from chesslm.game import Game
from chesslm.inference import Position

RANDOM_PLIES: dict[int, str] = {10: "after 10 random plies", 20: "after 20 random plies"}
"""Plies -> the subset's name."""


def random_positions(num: int, num_plies: int, *, seed: int) -> list[Position]:
    """Positions after so many uniformly random legal plies, each of another game; one more random ply is "played".

    A game that ends sooner is drawn again. More positions contain fewer of the same seed.

    >>> first, second = random_positions(2, 10, seed=0)
    >>> first.ply, len(first.game.san), first.game.san != second.game.san
    (10, 11, True)
    """
    return [_random_position(f"random plies|{seed}|{num_plies}|{index}", num_plies) for index in range(num)]


def _random_position(text: str, num_plies: int) -> Position:
    generator = random.Random(text)
    while True:
        board = chess.Board()
        sans: list[str] = []
        while len(sans) <= num_plies and (moves := list(board.legal_moves)):
            # By their names, so that the draw doesn't hang on the order in which python-chess finds moves.
            move = generator.choice(sorted(moves, key=chess.Move.uci))
            sans.append(board.san(move))
            board.push(move)
        if len(sans) > num_plies:
            return Position(Game(text, tuple(sans), "*"), num_plies)
