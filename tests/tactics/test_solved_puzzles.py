"""Puzzles played: what is right, what ends one, and how outcomes become rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import chess
import numpy as np
import pytest
from scipy.stats import binom

from eval.aggregation import Aggregator
from eval.contenders import Contender
from eval.puzzles import Puzzle
from eval.tactics_puzzles import PuzzleOutcome, puzzle_quantities, puzzle_subsets, solve_puzzles

NUM_RUNS = 200

# 1. e4 e5 2. Bc4 Nc6 3. Qh5 g6 4. Qf3 Nd4: White takes on f7 at once, which mates, or begins with another move.
BEFORE = ("e4", "e5", "Bc4", "Nc6", "Qh5", "g6", "Qf3", "Nd4")


def puzzle_of(*moves: str, before: Sequence[str] = BEFORE, rating: int = 1500, themes: str = "") -> Puzzle:
    line = tuple(chess.Move.from_uci(move) for move in moves)
    return Puzzle("id", "game", tuple(before), line, rating, tuple(themes.split()))


def play(puzzle: Puzzle, chosen: Sequence[str], player_that: Callable[..., Contender]) -> PuzzleOutcome:
    """Of a player that makes these moves, one after the other."""
    boards, moves = [], {}
    board = chess.Board()
    for san in puzzle.before:
        board.push_san(san)
    for number, uci in enumerate(chosen):
        boards.append(board.copy())
        moves[board.fen()] = chess.Move.from_uci(uci)
        board.push_uci(uci)
        if 2 * number + 1 < len(puzzle.line):
            board.push(puzzle.line[2 * number + 1])
    contender = player_that(lambda board: moves[board.fen()], boards)
    return solve_puzzles(contender, [puzzle])[0]


def test_a_puzzle_is_solved_by_all_its_moves(player_that: Callable[..., Contender]) -> None:
    puzzle = puzzle_of("f3d1", "d7d6", "c2c3")
    assert play(puzzle, ["f3d1", "c2c3"], player_that) == PuzzleOutcome(2, is_solved=True)
    assert play(puzzle, ["f3d1", "d2d3"], player_that) == PuzzleOutcome(1, is_solved=False)
    assert play(puzzle, ["d2d3"], player_that) == PuzzleOutcome(0, is_solved=False)


def test_any_mate_is_right(player_that: Callable[..., Contender]) -> None:
    assert play(puzzle_of("c4f7"), ["f3f7"], player_that) == PuzzleOutcome(1, is_solved=True)
    assert play(puzzle_of("f3d1", "d7d6", "c2c3"), ["f3f7"], player_that) == PuzzleOutcome(1, is_solved=True)
    assert play(puzzle_of("f3f7"), ["c4f7"], player_that) == PuzzleOutcome(0, is_solved=False)


def test_puzzles_of_all_lengths_are_played_together(player_that: Callable[..., Contender]) -> None:
    long = puzzle_of("f3d1", "d7d6", "c2c3")
    short = puzzle_of("f3f7", before=("e4", "e5", "Bc4", "Nc6", "Qf3", "h6"))
    moves = {"f3d1": long, "f3f7": short}
    boards, answers = [], {}
    for uci, puzzle in moves.items():
        board = chess.Board()
        for san in puzzle.before:
            board.push_san(san)
        boards.append(board)
        answers[board.fen()] = chess.Move.from_uci(uci)
    later = boards[0].copy()
    later.push_uci("f3d1")
    later.push_uci("d7d6")
    answers[later.fen()] = chess.Move.from_uci("a2a3")
    contender = player_that(lambda board: answers[board.fen()], [*boards, later])
    told: list[int] = []
    outcomes = solve_puzzles(contender, [long, short, long], lambda _what, done, _total: told.append(done))
    wrong_at_the_second = PuzzleOutcome(1, is_solved=False)
    assert outcomes == [wrong_at_the_second, PuzzleOutcome(1, is_solved=True), wrong_at_the_second]
    assert told == [1, 3]
    assert solve_puzzles(contender, []) == []


def test_rates_stand_by_rating_band_and_by_theme() -> None:
    puzzles = [
        puzzle_of("f3f7", rating=rating, themes=themes)
        for rating, themes in ((1199, "mate short"), (1200, "mate"), (1399, "fork"), (2400, "mate"))
    ]
    subsets = puzzle_subsets(puzzles)
    assert [(subset.name, int(subset.mask.sum())) for subset in subsets] == [
        ("all", 4),
        ("rating 1000-1199", 1),
        ("rating 1200-1399", 2),
        ("rating 2400-2599", 1),
        ("theme mate", 3),
        ("theme fork", 1),
        ("theme short", 1),
    ]
    outcomes = [PuzzleOutcome(1, True), PuzzleOutcome(1, False), PuzzleOutcome(0, False), PuzzleOutcome(2, True)]
    solved, first = puzzle_quantities(outcomes)
    aggregator = Aggregator(seed=0, games_digest="0", commit=None)
    values = [aggregator.interval(solved, subset).value for subset in subsets]
    assert values == pytest.approx([0.5, 1.0, 0.0, 1.0, 2 / 3, 0.0, 1.0])
    assert aggregator.interval(first, subsets[0]).value == 0.75


def test_intervals_cover_a_known_solving_rate_at_their_nominal_rate() -> None:
    """A solver that finds each of two moves with probability 0.6."""
    generator = np.random.default_rng(2)
    puzzles = [puzzle_of("f3d1", "d7d6", "c2c3")] * 120
    (everything, *_) = puzzle_subsets(puzzles)
    truth = {"puzzle_solved": 0.36, "puzzle_first_move": 0.6}
    hits = dict.fromkeys(truth, 0)
    for run in range(NUM_RUNS):
        aggregator = Aggregator(seed=run, games_digest="0", commit=None)
        finds = generator.random((len(puzzles), 2)) < 0.6
        outcomes = [PuzzleOutcome(int(a) + int(a and b), bool(a and b)) for a, b in finds]
        for quantity in puzzle_quantities(outcomes):
            interval = aggregator.interval(quantity, everything)
            hits[quantity.metric] += interval.low <= truth[quantity.metric] <= interval.high
    low, high = binom.interval(0.999, NUM_RUNS, 0.95)
    assert all(low <= number <= high for number in hits.values()), hits
