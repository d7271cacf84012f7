"""Puzzles put to a model that has read the real game before them.

Knows: Lichess's rule of a solved puzzle, and how outcomes become rates by rating band and theme.
Doesn't know: where puzzles come from (`puzzles`), how moves get their probabilities (`chesslm.inference`), or
intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess
import numpy as np

from chesslm.inference import move_probabilities
from eval.aggregation import Quantity, Subset, mean_of
from eval.contenders import Contender
from eval.positions import Progress, silent
from eval.puzzles import Puzzle
from eval.records import ALL

RATING_BAND = 200
# Boards asked about at once, between two reports of progress.
CHUNK_LEN = 128


@dataclass(frozen=True, slots=True)
class PuzzleOutcome:
    """How far a model came.

    Args:
        num_right: the player's moves that were right before the first wrong one.
        is_solved: every move of the player's was right.
    """

    num_right: int
    is_solved: bool


def solve_puzzles(contender: Contender, puzzles: Sequence[Puzzle], progress: Progress = silent) -> list[PuzzleOutcome]:
    """Let a model play every puzzle by its most probable legal moves, until its first wrong one.

    Right is the solution's move; a move that checkmates is right whatever the solution says, and ends the puzzle.

    Raises:
        GameTooLong: a game leaves no room in the model's context.
    """
    boards = [_board(puzzle) for puzzle in puzzles]
    outcomes: dict[int, PuzzleOutcome] = {}
    # Those that go on, and the player's move (counted from 0) that is due in all of them.
    going_on, due = list(range(len(puzzles))), 0
    while going_on:
        still: list[int] = []
        for start in range(0, len(going_on), CHUNK_LEN):
            chunk = going_on[start : start + CHUNK_LEN]
            answers = move_probabilities(contender.model, contender.notation, [boards[index] for index in chunk])
            for index, answer in zip(chunk, answers, strict=True):
                outcome = _after(boards[index], puzzles[index], due, answer.best)
                if outcome is None:
                    still.append(index)
                else:
                    outcomes[index] = outcome
            progress(f"{contender.label}, puzzles", len(outcomes), len(puzzles))
        going_on, due = still, due + 1
    return [outcomes[index] for index in range(len(puzzles))]


def puzzle_quantities(outcomes: Sequence[PuzzleOutcome]) -> list[Quantity]:
    """Metric by metric, one number a puzzle."""
    solved = np.array([outcome.is_solved for outcome in outcomes], dtype=np.float64)
    first = np.array([outcome.num_right > 0 for outcome in outcomes], dtype=np.float64)
    return [mean_of("puzzle_solved", solved), mean_of("puzzle_first_move", first)]


def puzzle_subsets(puzzles: Sequence[Puzzle]) -> list[Subset]:
    """All, then by rating, then by theme, the commonest theme first; none of them empty."""
    found = [Subset(ALL, np.ones(len(puzzles), dtype=np.bool_))]
    bands = np.array([puzzle.rating // RATING_BAND for puzzle in puzzles])
    for band in sorted(set(bands.tolist())):
        first = band * RATING_BAND
        found.append(Subset(f"rating {first}-{first + RATING_BAND - 1}", bands == band))
    themes = {theme for puzzle in puzzles for theme in puzzle.themes}
    masks = {theme: np.array([theme in puzzle.themes for puzzle in puzzles]) for theme in themes}
    for theme in sorted(themes, key=lambda theme: (-int(masks[theme].sum()), theme)):
        found.append(Subset(f"theme {theme}", masks[theme]))
    return found


def _board(puzzle: Puzzle) -> chess.Board:
    board = chess.Board()
    for san in puzzle.before:
        board.push_san(san)
    return board


def _after(board: chess.Board, puzzle: Puzzle, due: int, move: chess.Move) -> PuzzleOutcome | None:
    """What became of the puzzle; None if it goes on, and then the reply stands on the board."""
    is_right = move == puzzle.line[2 * due]
    board.push(move)
    if board.is_checkmate():
        return PuzzleOutcome(due + 1, is_solved=True)
    if not is_right:
        return PuzzleOutcome(due, is_solved=False)
    if 2 * due + 1 >= len(puzzle.line):
        return PuzzleOutcome(due + 1, is_solved=True)
    board.push(puzzle.line[2 * due + 1])
    return None
