"""Mates in one: found exactly, chosen once a game, and measured as a player with known habits plays them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace

import chess
import numpy as np
import pytest
from scipy.stats import binom

from chesslm.game import Game
from chesslm.inference import Position
from chesslm.measures import replayed
from eval.aggregation import Aggregator, Subset
from eval.contenders import Contender
from eval.positions import HeldOut
from eval.records import GamesRecord
from eval.study import Study
from eval.tactics import MateMeasure, TacticsStudy, mate_quantities, mate_subsets, measure_tactics, measured_mates
from eval.tactics_mates import NO_MATE, MateChooser, mates_in_one, mating_moves

NUM_RUNS = 200


def mates_by_trying_all(board: chess.Board) -> set[chess.Move]:
    found = set()
    for move in board.legal_moves:
        after = board.copy(stack=False)
        after.push(move)
        if after.is_checkmate():
            found.add(move)
    return found


@pytest.mark.parametrize(
    ("fen", "moves"),
    [
        ("6k1/5ppp/8/8/8/8/8/K2RR3 w - - 0 1", {"d1d8", "e1e8"}),
        ("k7/8/1K6/8/8/8/8/7R w - - 0 1", {"h1h8"}),
        # A promoted pawn, to a queen or a rook.
        ("6k1/3P1ppp/8/8/8/8/8/K7 w - - 0 1", {"d7d8q", "d7d8r"}),
        # A king that steps out of its rook's way.
        ("8/8/8/8/8/5k2/8/R3K3 b Q - 0 1", set()),
        ("R2K3k/8/8/8/8/3B4/8/6R1 w - - 0 1", {"d8c7", "d8d7", "d8e7"}),
        # Castling and en passant.
        ("2R5/8/3k4/8/4R3/8/8/R3K3 w Q - 0 1", {"a1d1", "e1c1"}),
        ("4RB2/5Q2/8/3pP3/8/4k3/3R4/4K3 w - d6 0 1", {"e5d6"}),
        ("R1R5/5k2/7Q/3pP3/2B4R/8/8/4K3 w - d6 0 1", {"c8c7", "a8a7", "h6f6", "e5d6"}),
    ],
)
def test_mating_moves_of_set_up_positions(fen: str, moves: set[str]) -> None:
    board = chess.Board(fen)
    found = mating_moves(board)
    assert len(found) == len(set(found))
    assert set(found) == mates_by_trying_all(board)
    assert {move.uci() for move in found} == moves


def test_mating_moves_of_random_positions_are_those_of_trying_every_move() -> None:
    generator = random.Random(0)
    num_mates = 0
    for _ in range(60):
        board = chess.Board()
        while not board.is_game_over() and board.ply() < 150:
            if generator.random() < 0.3:
                wanted = mates_by_trying_all(board)
                assert set(mating_moves(board)) == wanted, board.fen()
                num_mates += bool(wanted)
            board.push(generator.choice(list(board.legal_moves)))
    assert num_mates > 5


def test_a_game_tells_before_which_plies_its_player_could_mate() -> None:
    seen = ("e4", "e5", "Bc4", "a6", "Qf3", "a5", "Qxf7#")
    assert mates_in_one(Game("seen", seen, "1-0")) == [6]
    assert mates_in_one(Game("missed", (*seen[:-1], "h3", "b6", "h4", "Nf6"), "*")) == [6, 8]
    assert mates_in_one(Game("none", ("e4", "e5"), "*")) == []
    with pytest.raises(ValueError, match="illegal san"):
        mates_in_one(Game("bad", ("e4", "e4"), "*"))


def test_one_position_a_game_is_chosen_by_the_seed() -> None:
    game = Game("missed", ("e4", "e5", "Bc4", "a6", "Qf3", "a5", "h3", "b6", "h4", "Nf6"), "*")
    other_id = replace(game, id="another")
    chosen = {MateChooser(seed).ply(game) for seed in range(20)}
    assert chosen == {6, 8}
    assert all(MateChooser(seed).ply(game) == MateChooser(seed).ply(other_id) for seed in range(20))
    none = Game("none", ("e4", "e5"), "*")
    assert MateChooser(0).why_not(game) is None
    assert MateChooser(0).why_not(none) == NO_MATE
    with pytest.raises(ValueError, match="none"):
        MateChooser(0).ply(none)


def test_looking_for_mates_reports_progress() -> None:
    told: list[tuple[str, int, int | None]] = []
    chooser = MateChooser(0, lambda what, done, total: told.append((what, done, total)))
    replies = ("a6", "b6", "c6", "d6", "e6")
    for san in map(chess.Board().san, chess.Board().legal_moves):
        for reply in replies:
            assert chooser.why_not(Game("", (san, reply), "*")) == NO_MATE
    # Seen before: nothing to look for.
    chooser.why_not(Game("", ("e4", "e6"), "*"))
    assert told == [("looking for mates in one", 100, None)]


def held_out(games: list[Game]) -> HeldOut:
    chooser = MateChooser(0)
    positions = tuple(Position(game, chooser.ply(game)) for game in games)
    record = GamesRecord(
        source="test",
        kind="pgn",
        split=None,
        digest="0",
        games=len(games),
        chosen=len(games),
        left_out={},
        train_games=None,
    )
    return HeldOut(positions, None, record)


def mates_with_probability(share: float) -> Callable[[chess.Board], chess.Move]:
    """Chooses a mating move in this share of games, another legal move in the others, always alike."""

    def choose(board: chess.Board) -> chess.Move:
        text = " ".join(move.uci() for move in board.move_stack)
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        mates = mating_moves(board)
        if drawn < share:
            return mates[0]
        return next(move for move in board.legal_moves if move not in mates)

    return choose


def test_a_player_that_mates_with_a_known_probability_is_measured_exactly(
    games: list[Game], player_that: Callable[..., Contender]
) -> None:
    sample = held_out(games)
    choose = mates_with_probability(0.7)
    boards = [replayed(position)[0] for position in sample.positions]
    measures = measured_mates(player_that(choose, boards), sample)
    truths = [choose(board) in mating_moves(board) for board in boards]
    assert [measure.lenient for measure in measures] == truths
    assert [measure.first_choice for measure in measures] == truths
    assert [measure.mass for measure in measures] == pytest.approx([float(truth) for truth in truths], abs=1e-5)
    assert [measure.played for measure in measures] == [
        position.game.san[position.ply].endswith("#") for position in sample.positions
    ]
    assert 0.55 < np.mean(truths) < 0.85


def test_intervals_cover_the_truth_at_their_nominal_rate() -> None:
    generator = np.random.default_rng(5)
    truth, n = 0.3, 150
    hits = {"mate_in_one": 0, "mate_in_one_first_choice": 0, "mate_in_one_mass": 0, "mate_in_one_played": 0}
    for run in range(NUM_RUNS):
        aggregator = Aggregator(seed=run, games_digest="0", commit=None)
        drawn = generator.random((n, 3)) < truth
        measures = [
            MateMeasure(bool(a), bool(b), float(mass), bool(c))
            for (a, b, c), mass in zip(drawn, generator.beta(3, 7, n), strict=True)
        ]
        for quantity in mate_quantities(measures):
            interval = aggregator.interval(quantity, Subset("all", np.ones(n, dtype=bool)))
            hits[quantity.metric] += interval.low <= truth <= interval.high
    low, high = binom.interval(0.999, NUM_RUNS, 0.95)
    assert all(low <= number <= high for number in hits.values()), hits


def test_results_compare_players_in_pairs_and_with_the_players_of_the_games(
    games: list[Game], player_that: Callable[..., Contender]
) -> None:
    sample = held_out(games)
    boards = [replayed(position)[0] for position in sample.positions]
    players = tuple(
        player_that(mates_with_probability(share), boards, label=label)
        for label, share in (("good", 1.0), ("bad", 0.0))
    )
    results = measure_tactics(TacticsStudy(Study(players, sample, 0, len(games), None)))
    assert results.kind == "tactics"
    assert results.puzzles is None
    good, bad = (results.find("mate_in_one", label) for label in ("good", "bad"))
    assert good is not None
    assert bad is not None
    assert (good.value, bad.value, good.n) == (1.0, 0.0, len(games))
    assert good.low > 0.9
    assert "argmax over the legal moves" in good.policy
    played = results.find("mate_in_one_played", "good")
    assert played is not None
    mated = results.find("mate_in_one", "good", "the player mated")
    missed = results.find("mate_in_one", "good", "the player didn't")
    assert mated is not None
    assert missed is not None
    assert mated.n + missed.n == len(games)
    assert played.value == mated.n / len(games)
    assert results.find("mate_in_one_played", "good", "the player mated") is None
    difference = results.find_difference("mate_in_one", "good", "bad")
    assert difference is not None
    assert (difference.value, difference.excludes_zero) == (1.0, True)


def test_a_subset_without_positions_is_left_out() -> None:
    assert [subset.name for subset in mate_subsets(np.array([True, True]))] == ["all", "the player mated"]
