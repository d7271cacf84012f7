"""Weaker players made of stronger ones: now and then a random move, or not always the best line.

Knows: when a weakened player errs, and what it plays then; both follow from a seed and the game so far.
Doesn't know: how strong any of this is (`eval strength` measures that).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import chess

from chesslm.player import ClosingPlayer, Decision, Player, RandomPlayer
from chesslm.uci_player import EngineLine, UciPlayer

FULL_SKILL = 20
NUM_SKILL_LINES = 4
_LARGEST_SPREAD = 100  # centipawns: a pawn


class SometimesRandom(ClosingPlayer):
    """Plays a uniformly random legal move with a fixed probability, else what another player plays.

    Args:
        player: plays the other moves; is closed with this one.
        share: probability of a random move, in [0, 1].
        seed: decides, together with the game so far, where random moves stand and which they are.
    """

    def __init__(self, player: Player, share: float, *, seed: int = 0) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share of random moves {share} is outside [0, 1]")
        self.name = f"{player.name} random={share:g}"
        self._player = player
        self._share = share
        self._seed = seed
        self._random = RandomPlayer(seed=seed)

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """A random move or the inner player's, which is asked once, for all boards that need it.

        Raises:
            PlayerError, GameTooLong, UnsupportedPosition: the inner player's.
        """
        is_random = [game_generator("random", self._seed, board).random() < self._share for board in boards]
        asked = iter(
            self._player.choose_many([board for board, erring in zip(boards, is_random, strict=True) if not erring])
        )
        return [
            self._random.choose_many([board])[0] if erring else next(asked)
            for board, erring in zip(boards, is_random, strict=True)
        ]

    def close(self) -> None:
        """Close the inner player."""
        self._player.close()


class SkillPlayer(ClosingPlayer):
    """An engine that picks among its best lines by Stockfish's own skill rule, with our seed.

    Stockfish's `Skill Level` draws from a generator that it seeds with the clock, so its games can't be repeated.

    Args:
        engine: gives the lines; is closed with this player.
        level: 0 (weakest) to 20 (always the best line).
        seed: decides, together with the game so far, among the lines.
    """

    def __init__(self, engine: UciPlayer, level: int, *, seed: int = 0) -> None:
        if not 0 <= level <= FULL_SKILL:
            raise ValueError(f"skill level {level} is outside [0, {FULL_SKILL}]")
        self.name = f"{engine.name} skill={level}"
        self._engine = engine
        self._level = level
        self._seed = seed

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """One of the engine's best moves for each board.

        Raises:
            PlayerError: the engine's.
        """
        return [Decision(self._choose(board)) for board in boards]

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def _choose(self, board: chess.Board) -> chess.Move:
        lines = self._engine.best_lines(board, num_lines_for(self._level))
        return pick_by_skill(lines, self._level, game_generator("skill", self._seed, board)).move


def num_lines_for(level: int) -> int:
    """How many of the engine's best lines a skill level chooses from."""
    return 1 if level == FULL_SKILL else NUM_SKILL_LINES


def pick_by_skill(lines: Sequence[EngineLine], level: int, generator: random.Random) -> EngineLine:
    """One of the best lines, best first, by the rule of Stockfish's `Skill::pick_best` (search.cpp, Stockfish 15).

    Each line's value is raised by a fixed part that makes up for most of what it lacks, and by a random part of at
    most a pawn; both grow as the level falls. The highest wins. Heinz van Saanen's idea, in centipawns here.

    >>> lines = [EngineLine(chess.Move.from_uci("e2e4"), 40), EngineLine(chess.Move.from_uci("f2f3"), -60)]
    >>> pick_by_skill(lines, 20, random.Random(0)).move.uci()
    'e2e4'
    """
    if level == FULL_SKILL:
        return lines[0]
    top = lines[0].centipawns
    spread = min(top - lines[-1].centipawns, _LARGEST_SPREAD)
    weakness = 120 - 2 * level
    pushed = [
        line.centipawns + (weakness * (top - line.centipawns) + spread * generator.randrange(weakness)) / 128
        for line in lines
    ]
    return lines[pushed.index(max(pushed))]


def game_generator(purpose: str, seed: int, board: chess.Board) -> random.Random:
    """A random generator that follows from a purpose, a seed and the game so far, and from nothing else."""
    moves = " ".join(move.uci() for move in board.move_stack)
    return random.Random(f"{purpose}|{seed}|{board.root().fen()}|{moves}")
