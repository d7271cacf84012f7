"""Linear probes on features whose information is known: METRICS section 5 for `eval probe`."""

from __future__ import annotations

from dataclasses import dataclass

import chess
import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from chesslm.game import Game
from chesslm.inference import Position
from eval.aggregation import Aggregator, Quantity, Subset
from eval.metrics import PROBES
from eval.positions import HeldOut
from eval.probe import LayerScore, ProbeData, majority, probe_data, probe_layer
from eval.probe_fit import Examples, fit_ridge_probe, fit_softmax_probes
from eval.probe_labels import NUM_CLASSES
from eval.records import ALL, GamesRecord

WIDTH = 7
NUM_RUNS = 200


@dataclass(frozen=True)
class Task:
    """Examples with a bit that a direction of the features decides, up to flips, and one that they don't know."""

    train: Examples
    validation: Examples
    test: Examples


def task(flips: float, *, seed: int = 0, num_train: int = 1500, num_test: int = 2000) -> Task:
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(WIDTH, generator=generator)

    def examples(num: int) -> Examples:
        features = torch.randn(num, WIDTH, generator=generator) * torch.tensor([100.0, 1.0, 0.01, 1, 1, 1, 1]) + 5
        scaled = (features - 5) / torch.tensor([100.0, 1.0, 0.01, 1, 1, 1, 1])
        bit = (scaled @ direction > 0) ^ (torch.rand(num, generator=generator) < flips)
        # Three classes, of which 0 is the commonest (60 %), whatever the features.
        unknown = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), num, replacement=True, generator=generator)
        return Examples(features, {"bit": bit.long()[:, None], "unknown": unknown[:, None]})

    return Task(examples(num_train), examples(300), examples(num_test))


def accuracies(made: Task, *, seed: int = 0) -> dict[str, float]:
    probes = fit_softmax_probes(made.train, made.validation, {"bit": 2, "unknown": 3}, seed=seed)
    answers = probes.answers(made.test.features)
    return {name: float((answers[name] == labels).float().mean()) for name, labels in made.test.labels.items()}


def test_a_bit_that_a_direction_decides_is_read_and_noise_is_not() -> None:
    found = accuracies(task(flips=0.0))
    assert found["bit"] > 0.98
    # The best that can be said of noise is its commonest class.
    assert found["unknown"] == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("flips", [0.1, 0.3])
def test_a_noisy_bit_is_read_as_often_as_its_noise_allows(flips: float) -> None:
    assert accuracies(task(flips))["bit"] == pytest.approx(1 - flips, abs=0.03)


def test_shuffled_labels_give_the_baseline() -> None:
    made = task(flips=0.0)
    generator = torch.Generator().manual_seed(1)

    def shuffled(examples: Examples) -> Examples:
        order = torch.randperm(len(examples.features), generator=generator)
        return Examples(examples.features, {name: labels[order] for name, labels in examples.labels.items()})

    found = accuracies(Task(shuffled(made.train), shuffled(made.validation), made.test))
    assert found["bit"] == pytest.approx(0.5, abs=0.05)
    assert found["unknown"] == pytest.approx(0.6, abs=0.03)


def test_training_is_repeatable_and_a_constant_feature_does_no_harm() -> None:
    made = task(flips=0.1, num_train=300, num_test=100)
    assert accuracies(made, seed=4) == accuracies(made, seed=4)
    constant = torch.full((300, 1), 3.0)
    wider = Examples(torch.cat((made.train.features, constant), 1), made.train.labels)
    probes = fit_softmax_probes(
        wider,
        Examples(torch.cat((made.validation.features, constant), 1), made.validation.labels),
        {"bit": 2},
        seed=0,
    )
    answers = probes.answers(torch.cat((made.test.features, constant[:100]), 1))["bit"]
    assert float((answers == made.test.labels["bit"]).float().mean()) > 0.8


def test_a_number_is_predicted_as_well_as_its_noise_allows() -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(3000, WIDTH, generator=generator)
    signal = features @ torch.full((WIDTH,), 1 / WIDTH**0.5) * 3**0.5 + 2
    numbers = signal + torch.randn(3000, generator=generator)  # three quarters of the variance are signal
    probe = fit_ridge_probe(features[:1000], numbers[:1000], features[1000:1300], numbers[1000:1300])
    errors = (probe.answers(features[1300:]) - numbers[1300:]).square().mean()
    assert 1 - float(errors / numbers[1300:].var()) == pytest.approx(0.75, abs=0.03)
    noise = torch.randn(3000, generator=generator)
    probe = fit_ridge_probe(features[:1000], noise[:1000], features[1000:1300], noise[1000:1300])
    errors = (probe.answers(features[1300:]) - noise[1300:]).square().mean()
    assert 1 - float(errors / noise[1300:].var()) == pytest.approx(0, abs=0.03)


@pytest.fixture(scope="module")
def data(games: list[Game]) -> ProbeData:
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
    return probe_data(HeldOut(tuple(Position(game, 0) for game in games), None, record), seed=0)


TOLD_SQUARES = (chess.E2, chess.D4, chess.A7, chess.G8)


def telling(data: ProbeData) -> Tensor:
    """Features that say what a probe is asked, each fact in directions of its own; of the pieces those on 4 squares."""
    classes = dict(data.facts.classes)
    classes["probe_piece"] = classes["probe_piece"][:, list(TOLD_SQUARES)]
    del classes["probe_piece_relative"]
    parts = [np.eye(NUM_CLASSES[name])[labels].reshape(len(labels), -1) for name, labels in classes.items()]
    return torch.from_numpy(np.concatenate([*parts, data.facts.material[:, None]], axis=1)).float()


@pytest.fixture(scope="module")
def told(data: ProbeData) -> LayerScore:
    return probe_layer(telling(data), data, seed=0)


@pytest.fixture(scope="module")
def silent_layer(data: ProbeData) -> LayerScore:
    generator = torch.Generator().manual_seed(0)
    return probe_layer(torch.randn(len(data.game_of), WIDTH, generator=generator), data, seed=0)


def ratio(quantity: Quantity) -> float:
    return float(quantity.numerators.sum() / quantity.denominators.sum())


def test_games_are_shared_out_whole(data: ProbeData) -> None:
    assert (data.train ^ data.validation ^ data.test).all()
    assert not (data.train & data.test).any()
    shares = [set(data.game_of[part].tolist()) for part in (data.train, data.validation, data.test)]
    assert [len(share) for share in shares] == [42, 6, 12]
    assert len(set.union(*shares)) == 60
    assert [data.num_games(part) for part in (data.train, data.validation, data.test)] == [42, 6, 12]


def test_every_property_is_read_from_features_that_have_it(told: LayerScore, data: ProbeData) -> None:
    baseline = majority(data)
    assert told.on_test.keys() | {"probe_square"} == PROBES.keys()
    assert baseline.keys() == told.on_test.keys() - {"probe_material"}
    assert ratio(told.on_test["probe_turn"]) == 1.0
    assert ratio(told.on_test["probe_castling"]) > ratio(baseline["probe_castling"]) + 0.1
    assert ratio(told.on_test["probe_material"]) > 0.9
    pieces = data.facts.classes["probe_piece"]
    guesses = [np.bincount(pieces[data.train, square]).argmax() for square in TOLD_SQUARES]
    guessed = (pieces[data.test][:, TOLD_SQUARES] == guesses).mean()
    assert told.squares[:, TOLD_SQUARES].mean() > guessed + 0.5 * (1 - guessed)
    assert told.squares.shape == (data.test.sum(), 64)
    assert told.squares.mean() == pytest.approx(ratio(told.on_test["probe_piece"]))
    assert all(len(quantity.numerators) == 12 for quantity in told.on_test.values())


def test_noise_is_worth_no_more_than_the_commonest_class(silent_layer: LayerScore, data: ProbeData) -> None:
    for metric, quantity in majority(data).items():
        # Three standard deviations of a coin: a few test games may suit the one guess better than the other.
        luck = 3 * (0.25 / quantity.denominators.sum()) ** 0.5
        assert ratio(silent_layer.on_test[metric]) < ratio(quantity) + 0.03 + luck
    assert ratio(silent_layer.on_test["probe_material"]) < 0.1


def test_the_commonest_class_is_chosen_on_train_games_alone(data: ProbeData) -> None:
    pieces = data.facts.classes["probe_piece"]
    right = 0
    for square in range(64):
        commonest = np.bincount(pieces[data.train, square]).argmax()
        right += int((pieces[data.test, square] == commonest).sum())
    assert ratio(majority(data)["probe_piece"]) == right / (64 * data.test.sum())


def test_intervals_cover_a_known_accuracy_at_their_nominal_rate() -> None:
    """Games of which some are easier: the positions of a game aren't independent, games are."""
    generator = np.random.default_rng(6)
    num_games, asked, truth = 120, 5 * 64.0, 0.8
    hits = 0
    for run in range(NUM_RUNS):
        right = generator.binomial(int(asked), generator.beta(16, 4, num_games)).astype(np.float64)
        quantity = Quantity("probe_piece", right, np.full(num_games, asked), "layer 1")
        aggregator = Aggregator(seed=run, games_digest="0", commit=None)
        interval = aggregator.interval(quantity, Subset(ALL, np.ones(num_games, dtype=bool)))
        hits += interval.low <= truth <= interval.high
    low, high = binom.interval(0.999, NUM_RUNS, 0.95)
    assert low <= hits <= high
