"""METRICS section 5 for retry, cloze and completion: fake models whose truth is known, and intervals that cover it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import chess
import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from chesslm.game import Game
from chesslm.inference import Position
from chesslm.notation.registry import default_notation
from eval.aggregation import Aggregator, Quantity, mean_of
from eval.cloze import OTHER, PLAYED, Cloze, cloze_columns, cloze_positions, cloze_quantities, clozes_of
from eval.comparison import whole
from eval.completion import completed, side_of
from eval.contenders import Contender, FunctionModel
from eval.metrics import METRICS
from eval.retry import Turn, retry_quantities, take_turns, temperature_of

NUM_RUNS = 200
ContenderOf = Callable[..., Contender]
PGN = default_notation("pgn")


def assert_nominal(hits: dict[str, int]) -> None:
    low, high = binom.interval(0.999, NUM_RUNS, 0.95)
    wrong = {name: number / NUM_RUNS for name, number in hits.items() if not low <= number <= high}
    assert not wrong


def covers(quantity: Quantity, truth: float, *, seed: int) -> bool:
    aggregator = Aggregator(seed=seed, games_digest="0", commit=None)
    interval = aggregator.interval(quantity, whole("all", len(quantity.numerators)))
    return interval.low <= truth <= interval.high


def spoken(weights: dict[str, float]) -> FunctionModel:
    """Always the same few tokens, whatever stands before; their logits are given."""

    def next_logits(tokens: Sequence[int]) -> Tensor:
        logits = torch.full((len(PGN.vocabulary),), -1e9)
        for token, logit in weights.items():
            logits[PGN.vocabulary.id_of(token)] = logit
        return logits

    return FunctionModel(next_logits, context_len=500)


def quiet_openings() -> Iterator[Position]:
    """White's pawn stands on e2 and may go to e4, not to e5, wherever one other move of each side has been played."""
    for white in ("a3", "b3", "c3", "d3", "f3", "g3", "h3"):
        for black in "abcdefgh":
            for reply in (f"{black}6", f"{black}5"):
                yield Position(Game("", (white, reply, "e4"), "*"), 2)


def test_retry_finds_the_rates_of_a_model_that_errs_at_known_temperatures(contender_of: ContenderOf) -> None:
    logits = {"e4": 0.0, "e5": 0.25, "1-0": -0.4}
    contender = contender_of(spoken(logits), PGN)
    turns = [turn for seed in range(2) for turn in take_turns(contender, list(quiet_openings()), seed=seed)]

    def chances(attempt: int) -> dict[str, float]:
        weights = {token: math.exp(logit / temperature_of(attempt)) for token, logit in logits.items()}
        return {token: weight / sum(weights.values()) for token, weight in weights.items()}

    reached, failures, resigned, expected_first = 1.0, 0.0, 0.0, 1 - chances(0)["e5"]
    for attempt in range(5):
        of = chances(attempt)
        failures += reached * of["e5"]
        resigned += reached * of["1-0"]
        reached *= of["e5"]
    truth = {
        "retry_no_failure": expected_first,
        "retry_failures": failures,
        "retry_lost": reached,
        "retry_resigned": resigned,
    }
    for quantity in retry_quantities(turns):
        values = quantity.numerators
        error = values.std() / len(values) ** 0.5
        assert abs(values.mean() - truth[quantity.metric]) <= 3.3 * error + 1e-9


def test_intervals_of_retry_cover_the_truth_at_their_nominal_rate() -> None:
    """Attempts fail with probability 0.3, resign with 0.05."""
    generator = np.random.default_rng(1)
    fail, resign = 0.3, 0.05
    truth = {
        "retry_no_failure": 1 - fail,
        "retry_failures": sum(fail**k for k in range(1, 6)),
        "retry_lost": fail**5,
        "retry_resigned": resign * sum(fail**k for k in range(5)),
    }
    hits = dict.fromkeys(truth, 0)
    for run in range(NUM_RUNS):
        turns = []
        for draws in generator.random((300, 5)):
            place = next((k for k, draw in enumerate(draws) if draw >= fail), None)
            if place is None:
                turns.append(Turn(5, "lost"))
            else:
                turns.append(Turn(place, "resigned" if draws[place] >= 1 - resign else "move"))
        for quantity in retry_quantities(turns):
            hits[quantity.metric] += covers(quantity, truth[quantity.metric], seed=run)
    lost = hits.pop("retry_lost")
    assert_nominal(hits)
    # Less than one turn of 300: Wilson's interval can't be exact there, but it must cover.
    assert lost >= 0.9 * NUM_RUNS


def test_the_piece_cloze_of_a_model_that_likes_the_same_squares_everywhere_is_known(
    games: list[Game], contender_of: ContenderOf
) -> None:
    """Its favourite squares are a fixed order, so what it gets follows from the legal moves alone."""
    favour = np.random.default_rng(2).permutation(64)
    logits = {chess.square_name(square): float(-place) for place, square in enumerate(favour)}
    contender = contender_of(spoken({**logits, **dict.fromkeys("xNBRQK", 0.0)}), PGN)
    positions = cloze_positions(games[:25], "piece", (5, 50), seed=0)
    found = {
        (quantity.metric, quantity.detail): quantity.numerators.tolist()
        for quantity, _ in cloze_columns(contender, "piece", positions, seed=0)
    }
    for which in (PLAYED, OTHER):
        asked = [cloze for position in positions for cloze in clozes_of(position, "piece", seed=0)[1]]
        asked = [cloze for cloze in asked if cloze.which == which]
        assert found["piece_cloze_legal_move", which] == [favour[0] in cloze.good for cloze in asked]
        assert found["piece_cloze_r_precision", which] == [
            sum(square in cloze.good for square in favour[: len(cloze.good)]) / len(cloze.good) for cloze in asked
        ]
    assert found["piece_cloze_exact_move", PLAYED] == [
        favour[0] == _board(position).parse_san(position.game.san[position.ply]).to_square for position in positions
    ]


def _board(position: Position) -> chess.Board:
    board = chess.Board()
    for san in position.game.san[: position.ply]:
        board.push_san(san)
    return board


@pytest.fixture(scope="module")
def cloze_hits() -> dict[str, int]:
    """A model that knows nothing: any square is as good as another, so all three scores have known means."""
    generator = np.random.default_rng(3)
    num_good = 9
    truth = {"legal_move": num_good / 64, "r_precision": num_good / 64, "exact_move": 1 / 64}
    hits: dict[str, int] = {}
    for run in range(NUM_RUNS):
        asked = []
        for squares in generator.random((250, 64)):
            good = frozenset(map(int, generator.choice(64, num_good, replace=False)))
            asked.append((Cloze(PLAYED, "N", good, good, min(good)), squares))
        for quantity, _ in cloze_quantities("piece" if run % 2 else "square", PLAYED, asked):
            name = quantity.metric.partition("_cloze_")[2]
            hits[name] = hits.get(name, 0) + covers(quantity, truth[name], seed=run)
    return hits


def test_intervals_of_cloze_scores_cover_the_truth_at_their_nominal_rate(cloze_hits: dict[str, int]) -> None:
    assert_nominal(cloze_hits)


@pytest.mark.parametrize("legality", [0.5, 0.9, 0.99])
def test_completion_is_that_of_a_model_with_known_legality(
    legality: float, games: list[Game], designed: Callable[..., Any], contender_of: ContenderOf
) -> None:
    some = [game for game in games if 4 <= len(game.san) <= 16][:8]
    positions = [Position(game, ply) for game in some for ply in range(len(game.san))]
    model = designed(PGN, positions, salt="completion", legality=legality)
    truths = [
        all(
            model.truth(Position(game, ply)).first_choice_legal
            for ply in range(0 if side_of(game, 5) else 1, len(game.san), 2)
        )
        for game in some
    ]
    assert completed(contender_of(model, PGN), some, seed=5) == truths


def test_intervals_of_completion_cover_the_truth_at_their_nominal_rate() -> None:
    """Every ply of 40 is legal with 0.99."""
    generator, truth = np.random.default_rng(4), 0.99**40
    hits = 0
    for run in range(NUM_RUNS):
        whole_games = (generator.random((200, 40)) < 0.99).all(axis=1)
        hits += covers(mean_of("completion_legal", whole_games.astype(np.float64)), truth, seed=run)
    assert_nominal({"completion_legal": hits})


def test_every_metric_of_these_definitions_is_calibrated(cloze_hits: dict[str, int]) -> None:
    calibrated = {quantity.metric for quantity in retry_quantities([Turn(0, "move")])} | {"completion_legal"}
    calibrated |= {f"{kind}_cloze_{name}" for kind in ("square", "piece") for name in cloze_hits}
    defined = {m for m in METRICS if m.startswith(("retry_", "square_cloze_", "piece_cloze_", "completion_"))}
    assert calibrated == defined


def test_sides_are_drawn_by_a_fair_coin(games: list[Game]) -> None:
    sides = [side_of(game, seed) for game in games for seed in range(3)]
    assert abs(np.mean(sides) - 0.5) < 4 * 0.5 / len(sides) ** 0.5
    assert side_of(Game("", ("e4",), "*"), 0) == chess.WHITE
