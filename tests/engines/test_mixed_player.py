"""Weakened players: what errs, how often, and that it follows from the seed and the game alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import chess
import pytest

from chesslm.mixed_player import FULL_SKILL, SkillPlayer, SometimesRandom, num_lines_for, pick_by_skill
from chesslm.player import ClosingPlayer, Decision, choose
from chesslm.uci_player import EngineLine, UciPlayer, find_stockfish


class FirstMovePlayer(ClosingPlayer):
    """Plays the first legal move by its UCI text; counts its questions."""

    name = "first"

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.is_closed = False

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        self.asked.append(len(boards))
        return [Decision(min(board.legal_moves, key=chess.Move.uci)) for board in boards]

    def close(self) -> None:
        self.is_closed = True


def boards_after_random_plies(count: int) -> list[chess.Board]:
    generator = random.Random(5)
    boards = []
    for _ in range(count):
        board = chess.Board()
        for _ in range(6):
            board.push(generator.choice(list(board.legal_moves)))
        boards.append(board)
    return boards


def lines(*centipawns: int) -> list[EngineLine]:
    moves = list(chess.Board().legal_moves)
    return [EngineLine(move, value) for move, value in zip(moves, centipawns, strict=False)]


def test_the_share_of_random_moves_is_kept() -> None:
    boards = boards_after_random_plies(600)
    inner = FirstMovePlayer()
    player = SometimesRandom(inner, 0.3, seed=1)
    player.choose_many(boards)
    [num_asked] = inner.asked
    assert 600 - num_asked == pytest.approx(180, abs=45)  # four standard deviations
    assert player.name == "first random=0.3"


def test_random_moves_follow_from_the_game_not_from_the_batch() -> None:
    boards = boards_after_random_plies(40)
    player = SometimesRandom(FirstMovePlayer(), 0.5, seed=2)
    together = player.choose_many(boards)
    assert together == [choose(player, board) for board in reversed(boards)][::-1]
    assert all(decision.move in board.legal_moves for decision, board in zip(together, boards, strict=True))
    assert together != SometimesRandom(FirstMovePlayer(), 0.5, seed=3).choose_many(boards)


def test_no_share_leaves_the_player_as_it_is_and_a_full_share_nothing_of_it() -> None:
    boards = boards_after_random_plies(30)
    inner = FirstMovePlayer()
    assert SometimesRandom(inner, 0.0).choose_many(boards) == FirstMovePlayer().choose_many(boards)
    SometimesRandom(inner, 1.0).choose_many(boards)
    assert inner.asked == [30, 0]


def test_closing_a_weakened_player_closes_the_inner_one() -> None:
    inner = FirstMovePlayer()
    with SometimesRandom(inner, 0.5):
        pass
    assert inner.is_closed


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_the_unit_interval_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        SometimesRandom(FirstMovePlayer(), share)


def test_full_skill_takes_the_best_line_and_needs_no_other() -> None:
    assert pick_by_skill(lines(10, 5, 0), FULL_SKILL, random.Random(0)).centipawns == 10
    assert num_lines_for(FULL_SKILL) == 1
    assert num_lines_for(0) > 1


def test_lower_skill_takes_the_best_line_less_often_but_never_overlooks_a_mate() -> None:
    def shares(level: int, *values: int) -> Counter[int]:
        generator = random.Random(7)
        return Counter(pick_by_skill(lines(*values), level, generator).centipawns for _ in range(400))

    close_values = (50, 30, 10, -40)
    best = [shares(level, *close_values)[50] for level in (0, 10, 19)]
    assert best == sorted(best)
    assert best[0] < best[-1]
    assert shares(0, 10_000, 300, 200, 100) == {10_000: 400}
    assert shares(0, 20) == {20: 400}


def test_a_skill_outside_the_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="skill level 21"):
        SkillPlayer(None, 21)  # type: ignore[arg-type]  # refused before the engine is looked at


@pytest.mark.stockfish
def test_a_skilled_stockfish_repeats_itself_and_differs_by_seed() -> None:
    boards = boards_after_random_plies(12)
    options = {"Threads": 1, "Hash": 1}
    with SkillPlayer(UciPlayer(find_stockfish(), nodes=200, options=options), 0, seed=1) as player:
        assert player.name.endswith("skill=0")
        first = player.choose_many(boards)
        assert first == player.choose_many(boards)
    with SkillPlayer(UciPlayer(find_stockfish(), nodes=200, options=options), 0, seed=2) as player:
        assert first != player.choose_many(boards)
