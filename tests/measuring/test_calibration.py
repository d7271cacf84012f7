"""METRICS section 5: models with known truth, through the whole measuring path; every metric's interval covers it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from chesslm.game import Game
from chesslm.inference import GameMeasure, Position, PositionMeasure
from chesslm.notation.registry import default_notation
from chesslm.san import ERROR_KINDS
from eval.aggregation import Aggregator, Quantity, Subset
from eval.contenders import Contender, FunctionModel
from eval.free_running import ITALIAN_GAMES, SURVIVED_PLIES, FreeGame, free_running_records
from eval.legality import error_kinds, measured, quantities
from eval.likelihood import game_quantities, measured_games, move_quantities
from eval.metrics import METRICS, PROBES, TACTICS, TEXT_PARTS
from eval.positions import HeldOut
from eval.records import GamesRecord

NUM_RUNS = 200


def held_out(games: Sequence[Game], seed: int) -> HeldOut:
    """One position a game, each after other moves, since a designed model knows the one move played there."""
    generator = random.Random(seed)
    by_moves: dict[tuple[str, ...], Position] = {}
    for game in games:
        ply = generator.randrange(len(game.san))
        by_moves.setdefault(game.san[:ply], Position(game, ply))
    positions = tuple(by_moves.values())
    record = GamesRecord(
        source="test",
        kind="pgn",
        split=None,
        digest="0",
        games=len(games),
        chosen=len(positions),
        left_out={},
        train_games=None,
    )
    return HeldOut(positions, None, record)


def covers(quantity: Quantity, games: npt.NDArray[np.int64], truth: float, *, seed: int) -> bool:
    """Whether the interval of a sample of games (their indices) has the truth in it."""
    drawn = replace(quantity, numerators=quantity.numerators[games], denominators=quantity.denominators[games])
    interval = aggregator(seed, len(games)).interval(drawn, Subset("all", np.ones(len(games), dtype=bool)))
    return interval.low <= truth <= interval.high


@lru_cache(maxsize=2)
def aggregator(seed: int, num_games: int) -> Aggregator:
    """One for all metrics of a run, so that its resamples are drawn once."""
    return Aggregator(seed=seed, games_digest="0", commit=None)


@pytest.mark.parametrize(
    ("notation_name", "legality", "num"),
    [
        ("pgn", 0.5, 120),
        ("pgn", 0.9, 120),
        ("pgn", 0.99, 120),
        ("english_varied", 0.9, 80),
        ("uci_squares", 0.9, 80),
    ],
)
def test_position_metrics_are_those_of_a_model_with_known_truth(
    notation_name: str,
    legality: float,
    num: int,
    games: list[Game],
    designed: Callable[..., Any],
    contender_of: Callable[..., Contender],
) -> None:
    notation = default_notation(notation_name)
    sample = held_out(games[:num], seed=1)
    model = designed(notation, sample.positions, salt="a", legality=legality)
    contender = contender_of(model, notation)

    measures = measured(contender, sample.positions)

    writes_san = notation_name != "uci_squares"
    truths = [model.truth(position) for position in sample.positions]
    for measure, truth, position in zip(measures, truths, sample.positions, strict=True):
        assert (measure.game_id, measure.ply) == (position.game.id, position.ply)
        assert measure.first_choice_legal == truth.first_choice_legal
        assert measure.first_choice_tolerant == (truth.first_choice_legal if writes_san else None)
        assert measure.error_kind == (None if truth.first_choice_legal else "unreadable")
        assert measure.legal_mass == pytest.approx(truth.legal_mass, abs=1e-5)
        assert measure.end_mass == pytest.approx(truth.end_mass, abs=1e-5)
        assert measure.move_match == truth.move_match
        assert measure.free_move_match == truth.free_move_match
        assert -measure.move_logprob == pytest.approx(truth.move_nats, abs=1e-4)
        assert measure.mark_right == (truth.mark_right if notation.vocabulary.mark_ids else None)
    assert abs(np.mean([truth.first_choice_legal for truth in truths]) - legality) < 0.1


@pytest.mark.parametrize(("notation_name", "num"), [("pgn", 120), ("english_varied", 80)])
def test_intervals_of_what_is_measured_cover_the_designed_truth(
    notation_name: str,
    num: int,
    games: list[Game],
    designed: Callable[..., Any],
    contender_of: Callable[..., Contender],
) -> None:
    """Positions are a population of which samples are drawn; its truth comes from the design alone."""
    notation = default_notation(notation_name)
    sample = held_out(games[:num], seed=3)
    model = designed(notation, sample.positions, salt="b", legality=0.8)
    measures = measured(contender_of(model, notation), sample.positions)
    truths = [model.truth(position) for position in sample.positions]
    truth_columns = {
        ("first_choice_legal", None): [truth.first_choice_legal for truth in truths],
        ("first_choice_tolerant", None): [truth.first_choice_legal for truth in truths],
        ("legal_mass", None): [truth.legal_mass for truth in truths],
        ("end_mass", None): [truth.end_mass for truth in truths],
        ("move_match", None): [truth.move_match for truth in truths],
        ("free_move_match", None): [truth.free_move_match for truth in truths],
        ("mark_accuracy", None): [truth.mark_right for truth in truths],
        ("move_nats", None): [truth.move_nats for truth in truths],
        ("error_kind", "unreadable"): [not truth.first_choice_legal for truth in truths],
    }
    expected = {key: float(np.mean(column)) for key, column in truth_columns.items()}
    expected[("perplexity_per_move", None)] = math.exp(expected[("move_nats", None)])
    numbers = {(q.metric, q.detail): q for q in [*quantities(measures).values(), *error_kinds(measures)]}
    numbers[("perplexity_per_move", None)] = move_quantities(measures)[1]
    assert [detail for metric, detail in numbers if metric == "error_kind"] == list(ERROR_KINDS)
    hits = dict.fromkeys(expected, 0)
    generator = np.random.default_rng(4)
    for run in range(NUM_RUNS):
        drawn = generator.integers(0, len(truths), len(truths))
        for key, truth in expected.items():
            hits[key] += covers(numbers[key], drawn, truth, seed=run)
    assert_nominal(hits)


def test_wordings_of_a_move_are_added_up(
    games: list[Game], designed: Callable[..., Any], contender_of: Callable[..., Contender]
) -> None:
    """However a model spreads a move over its wordings, p(move) and legal mass are the same."""
    notation = default_notation("english_varied")
    sample = held_out(games[:30], seed=2)
    found = []
    for main_wording in (0.8, 0.75, 0.99):
        model = designed(notation, sample.positions, main_wording=main_wording, legality=1.0)
        measures = measured(contender_of(model, notation), sample.positions)
        found.append([(round(m.legal_mass, 5), round(m.move_logprob, 4)) for m in measures])
    assert found[0] == found[1] == found[2]


def unigram_model(vocabulary_len: int) -> tuple[FunctionModel, np.ndarray]:
    """Each token has a probability of its own, whatever stands before."""
    weights = np.random.default_rng(5).uniform(0.2, 1.0, vocabulary_len)
    nats = -np.log(weights / weights.sum())

    def next_logits(tokens: Sequence[int]) -> Tensor:
        return torch.from_numpy(-nats.astype(np.float32))

    return FunctionModel(next_logits, context_len=2_000), nats


@pytest.mark.parametrize("notation_name", ["pgn", "english", "uci_squares"])
def test_text_metrics_are_those_of_a_model_with_known_truth(
    notation_name: str, games: list[Game], contender_of: Callable[..., Contender]
) -> None:
    notation = default_notation(notation_name)
    model, nats = unigram_model(len(notation.vocabulary))
    some = held_out(games[:80], seed=1).games
    encoded = [notation.encode_game(game) for game in some]
    # Written down again from the definition: spans are moves, mark tokens outside are marks, the last two the result.
    parts = dict.fromkeys(TEXT_PARTS, 0.0)
    for game in encoded:
        inside = {place for start, end in game.spans for place in range(start, end)}
        for place, token in enumerate(game.ids[1:], start=1):
            if place >= len(game.ids) - 2:
                part = "result"
            elif place in inside:
                part = "moves"
            else:
                part = "marks" if token in notation.vocabulary.mark_ids else "numbers and separators"
            parts[part] += nats[token]
    plies = sum(len(game.san) for game in some)
    tokens = sum(len(game.ids) - 1 for game in encoded)
    expected = {
        ("text_nats_per_move", None): sum(parts.values()) / plies,
        ("tokens_per_move", None): (tokens + len(encoded)) / plies,
    }
    expected |= {("text_nats_per_move", part): total / plies for part, total in parts.items()}
    expected[("perplexity_per_token", None)] = math.exp(sum(parts.values()) / tokens)

    numbers = game_quantities(measured_games(contender_of(model, notation), held_out(games[:80], seed=1)))

    assert {(quantity.metric, quantity.detail) for quantity in numbers} == set(expected)
    for quantity in numbers:
        value = quantity.of_sums(quantity.numerators.sum(), quantity.denominators.sum())
        assert value == pytest.approx(expected[quantity.metric, quantity.detail], rel=1e-5)


def simulated_positions(generator: np.random.Generator, n: int, legality: float) -> list[PositionMeasure]:
    """Measures of a model that is right at random; its masses are skewed as those of a good model are."""
    blank = PositionMeasure("", 0, 0.0, 0.0, False, False, False, False, 0.0, "", None, False)
    is_legal = generator.random(n) < legality
    match, mark = generator.random(n) < 0.4, generator.random(n) < 0.8
    legal_mass = np.where(generator.random(n) < legality, 1.0, generator.beta(2, 2, n))
    end_mass = generator.beta(0.3, 5, n)
    nats = generator.gamma(1.5, 1.4, n)
    return [
        replace(
            blank,
            first_choice_legal=bool(is_legal[i]),
            first_choice_tolerant=bool(is_legal[i]),
            error_kind=None if is_legal[i] else ("path blocked" if i % 2 else "no such piece"),
            legal_mass=float(legal_mass[i]),
            end_mass=float(end_mass[i]),
            move_match=bool(match[i]),
            free_move_match=bool(match[i] and is_legal[i]),
            move_logprob=-float(nats[i]),
            mark_right=bool(mark[i]),
        )
        for i in range(n)
    ]


def simulated_games(generator: np.random.Generator, n: int) -> list[GameMeasure]:
    """Long games are foreseen better, so a ratio of sums isn't a mean of ratios."""
    plies = generator.integers(10, 161, n)
    found = []
    for index in range(n):
        num = int(plies[index])
        rate = 2.0 - num / 200
        noise = generator.normal(1.0, 0.2, 4)
        found.append(
            GameMeasure(
                game_id="",
                num_plies=num,
                num_tokens=int(num * 2.5 + generator.integers(0, num)),
                move_nats_sum=float(num * rate * noise[0]),
                number_nats=float(num * 0.3 * noise[1]),
                mark_nats=float(num * 0.1 * noise[2]),
                result_nats=float(3.0 * noise[3]),
            )
        )
    return found


Key = tuple[str, str | None]


def assert_nominal(hits: dict[Key, int], num_runs: int = NUM_RUNS) -> None:
    """As often as 95 % intervals should: within what so many fair runs give in 999 of 1,000 cases."""
    low, high = binom.interval(0.999, num_runs, 0.95)
    wrong = {key: number / num_runs for key, number in hits.items() if not low <= number <= high}
    assert not wrong


@cache
def position_coverage(legality: float, n: int, num_runs: int) -> dict[Key, int]:
    truth: dict[Key, float] = {
        ("first_choice_legal", None): legality,
        ("first_choice_tolerant", None): legality,
        ("legal_mass", None): legality + (1 - legality) * 0.5,
        ("end_mass", None): 0.3 / 5.3,
        ("move_match", None): 0.4,
        ("free_move_match", None): 0.4 * legality,
        ("move_nats", None): 1.5 * 1.4,
        ("perplexity_per_move", None): math.exp(1.5 * 1.4),
        ("mark_accuracy", None): 0.8,
        ("error_kind", "path blocked"): (1 - legality) / 2,
    }
    hits = dict.fromkeys(truth, 0)
    generator = np.random.default_rng(1)
    for run in range(num_runs):
        measures = simulated_positions(generator, n, legality)
        numbers = [*quantities(measures).values(), move_quantities(measures)[1], *error_kinds(measures)]
        for quantity in numbers:
            key = (quantity.metric, quantity.detail)
            if key in truth:
                hits[key] += covers(quantity, np.arange(n), truth[key], seed=run)
    return hits


# So many positions that about ten of them are wrong: with fewer, the bootstrap can't know how wrong they are.
@pytest.mark.parametrize(("legality", "n", "num_runs"), [(0.5, 200, 200), (0.9, 200, 200), (0.99, 1_000, 100)])
def test_intervals_of_position_metrics_cover_the_truth_at_their_nominal_rate(
    legality: float, n: int, num_runs: int
) -> None:
    assert_nominal(position_coverage(legality, n, num_runs), num_runs)


def test_intervals_of_text_metrics_cover_the_truth_at_their_nominal_rate() -> None:
    generator = np.random.default_rng(2)
    population = simulated_games(generator, 20_000)
    truth = {
        (quantity.metric, quantity.detail): float(
            quantity.of_sums(quantity.numerators.sum(), quantity.denominators.sum())
        )
        for quantity in game_quantities(population)
    }
    hits = dict.fromkeys(truth, 0)
    numbers = {(quantity.metric, quantity.detail): quantity for quantity in game_quantities(population)}
    for run in range(NUM_RUNS):
        drawn = generator.integers(0, len(population), 200)
        for key, quantity in numbers.items():
            hits[key] += covers(quantity, drawn, truth[key], seed=run)
    assert_nominal(hits)


def test_intervals_of_paired_differences_cover_the_truth_at_their_nominal_rate() -> None:
    """The second model errs where the first does and in one more case of twenty; its moves cost 0.1 nats more."""
    generator = np.random.default_rng(3)
    truth = {"first_choice_legal": 0.8 * 0.05, "move_nats": -0.1, "legal_mass": 0.0}
    hits: dict[Key, int] = {(metric, None): 0 for metric in truth}
    n = 200
    for run in range(NUM_RUNS):
        first = simulated_positions(generator, n, 0.8)
        second = [
            replace(
                measure,
                first_choice_legal=measure.first_choice_legal and bool(generator.random() > 0.05),
                move_logprob=measure.move_logprob - float(generator.exponential(0.1)),
                legal_mass=measure.legal_mass + float(generator.normal(0.0, 0.01)),
            )
            for measure in first
        ]
        one, other = quantities(first), quantities(second)
        subset = Subset("all", np.ones(n, dtype=bool))
        for metric, difference in truth.items():
            interval = aggregator(run, n).paired_interval(one[metric], other[metric], subset)
            hits[metric, None] += interval.low <= difference <= interval.high
    assert_nominal(hits)


@pytest.fixture(scope="module")
def free_running_coverage(contender_of: Callable[..., Contender]) -> dict[Key, int]:
    """Games that break with probability 0.03 at each ply, and end by the rules after 150; 0.6 of the others castle."""
    hazard, ends, n = 0.03, 150, 200
    truth: dict[Key, float] = {
        ("free_running_legal", None): (1 - hazard) ** ends,
        **{("free_running_survival", f"{k} plies"): (1 - hazard) ** min(k, ends) for k in SURVIVED_PLIES},
        ("first_illegal_ply", None): math.ceil(math.log(0.5) / math.log(1 - hazard)) - 1,
        ("book_castling", None): 0.6,
    }
    hits = dict.fromkeys(truth, 0)
    generator = np.random.default_rng(4)
    contender = contender_of(unigram_model(298)[0], default_notation("pgn"))
    for run in range(NUM_RUNS):
        legal = np.minimum(generator.geometric(hazard, n) - 1, ends)
        games = [FreeGame(int(plies), bool(plies < ends)) for plies in legal]
        castled = (generator.random(ITALIAN_GAMES) < 0.6).tolist()
        for record in free_running_records(aggregator(run, n), contender, games, castled):
            hits[record.metric, record.detail] += record.low <= truth[record.metric, record.detail] <= record.high
    return hits


def test_intervals_of_free_running_metrics_cover_the_truth_at_their_nominal_rate(
    free_running_coverage: dict[Key, int],
) -> None:
    hits = free_running_coverage
    # The median of whole plies, and shares of two games in 200, can only be covered more often than asked.
    low, high = binom.interval(0.999, NUM_RUNS, 0.95)
    assert all(number >= low for number in hits.values()), hits
    assert hits["book_castling", None] <= high


def test_every_published_metric_is_calibrated(free_running_coverage: dict[Key, int]) -> None:
    by_position = {metric for metric, _ in position_coverage(0.9, 200, 200)}
    by_game = {quantity.metric for quantity in game_quantities(simulated_games(np.random.default_rng(0), 3))}
    free_running = {metric for metric, _ in free_running_coverage}
    # The other definitions of legality, tactics and probes are calibrated beside their own tests.
    # What fewer bits change is a share of positions, counted in tests of its own.
    others = ("first_choice_changed", "lenient_move_changed", "retry_", "square_cloze_", "piece_cloze_", "completion_")
    elsewhere = {name for name in METRICS if name.startswith(others)}
    elsewhere |= TACTICS.keys() | PROBES.keys()
    assert by_position | by_game | free_running | elsewhere == set(METRICS)
