"""`eval probe`: what can be read off a model's activations about the board, layer by layer.

Knows: which games train, stop and test the probes; how answers become accuracies, and which layer is the best.
Doesn't know: how activations are read (`probe_activations`), what is asked (`probe_labels`), how probes are trained
(`probe_fit`), or how intervals come about.

Each model is compared with its own untrained network, whose activations hold whatever the tokens alone say, and with
the commonest class of the train games, which needs no activations at all. Intervals are over test games; that other
train games would give somewhat other probes isn't in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chesslm.errors import InputError
from chesslm.model import Decoder
from chesslm.provenance import source_commit
from eval.aggregation import Aggregator, Quantity, Subset
from eval.contenders import Contender, fits_all, load_contenders, pairs
from eval.intervals import Floats
from eval.metrics import PROBES
from eval.positions import HeldOut, Mask, Progress, hold_out, silent
from eval.probe_activations import residual_streams
from eval.probe_fit import Examples, fit_ridge_probe, fit_softmax_probes
from eval.probe_labels import NUM_CLASSES, BoardFacts, Labels, boards_before, facts, random_plies
from eval.records import ALL, DifferenceRecord, MeasureRecord, ProbeRecord, Results
from eval.study import Study

POSITIONS_A_GAME = 5
# Tenths of the games.
TRAIN_TENTHS, VALIDATION_TENTHS = 7, 1
MIN_GAMES = 10

BEST_LAYER, MAJORITY = "best layer", "majority class"
"""A probe's `detail`, where it isn't `layer_name`'s or a square."""

NUM_SQUARES = 64


@dataclass(frozen=True, slots=True, eq=False)
class ProbeData:
    """The positions that probes are about.

    Args:
        plies: for each game of the study those that are asked about.
        game_of: position -> index of its game, (positions,).
        facts: labels of all positions.
        train, validation, test: which positions, by game, (positions,).
    """

    plies: tuple[tuple[int, ...], ...]
    game_of: npt.NDArray[np.int64]
    facts: BoardFacts
    train: Mask
    validation: Mask
    test: Mask

    def per_test_game(self, values: Floats) -> Floats:
        """Sums of numbers of the test positions over each test game."""
        games, places = np.unique(self.game_of[self.test], return_inverse=True)
        return np.bincount(places, weights=values, minlength=len(games)).astype(np.float64)

    def num_games(self, positions: Mask) -> int:
        """Of some positions, the number of games."""
        return len(np.unique(self.game_of[positions]))


@dataclass(frozen=True, slots=True, eq=False)
class LayerScore:
    """What probes of one layer achieved.

    Args:
        on_test: metric -> its numbers a test game.
        on_validation: metric -> accuracy or R² on the validation games, by which the best layer is chosen.
        squares: for each square whether the test positions' piece was right, (test positions, 64).
    """

    on_test: dict[str, Quantity]
    on_validation: dict[str, float]
    squares: npt.NDArray[np.bool_]


def layer_name(layer: int) -> str:
    """A layer as a measure's `detail`: 0 is the embedding."""
    return f"layer {layer}"


def prepare_probe(
    models: Sequence[str],
    games: Path,
    *,
    positions: int,
    seed: int,
    split: str | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> Study:
    """Load the models with their untrained controls, and choose the games.

    Args:
        models: names or paths, as `chesslm.checkpoints.load_model` takes them.
        games: a games folder or a PGN file.
        positions: how many, `POSITIONS_A_GAME` from each game; fewer if there are fewer games or they are short.
        seed: decides games, plies, the probes' training and resamples.
        split: of a games folder; test if None.
        device: auto, cpu or cuda.
        progress: told about long work.

    Raises:
        InputError, FormatError: a model or the games can't be used, or they are too few; names it.
    """
    loaded = load_contenders(models, device=device, with_controls=True, seed=seed)
    # Uniformly random tokens have no layers.
    contenders = [contender for contender in loaded if contender.record.kind != "uniform"]
    num_games = -(-positions // POSITIONS_A_GAME)
    held_out = hold_out(
        games, count=num_games, seed=seed, split=split, fits=fits_all(contenders), with_new=False, progress=progress
    )
    if len(held_out.games) < MIN_GAMES:
        raise InputError(
            f"{games}: probes need {MIN_GAMES} games that can be used, to train, stop and test on; "
            f"--positions {positions} at {POSITIONS_A_GAME} a game gives {len(held_out.games)}"
        )
    return Study(tuple(contenders), held_out, seed, positions, source_commit())


def probe_data(held_out: HeldOut, *, seed: int) -> ProbeData:
    """Choose plies, label their positions, and share the games out; they are in random order already.

    Raises:
        InputError: a game isn't legal; names it.
    """
    plies = tuple(tuple(random_plies(game, POSITIONS_A_GAME, seed)) for game in held_out.games)
    boards: list[chess.Board] = []
    for game, wanted in zip(held_out.games, plies, strict=True):
        try:
            boards += boards_before(game, wanted)
        except ValueError as error:
            raise InputError(f"{held_out.record.source}: game {game.id} isn't legal: {error}") from error
    game_of = np.repeat(np.arange(len(plies)), [len(wanted) for wanted in plies])
    tenths = game_of * 10 // len(plies)
    return ProbeData(
        plies=plies,
        game_of=game_of,
        facts=facts(boards),
        train=tenths < TRAIN_TENTHS,
        validation=(tenths >= TRAIN_TENTHS) & (tenths < TRAIN_TENTHS + VALIDATION_TENTHS),
        test=tenths >= TRAIN_TENTHS + VALIDATION_TENTHS,
    )


def activations(contender: Contender, held_out: HeldOut, data: ProbeData, progress: Progress = silent) -> Tensor:
    """A model's residual streams at the last token before each position's move, (layers, positions, width).

    Raises:
        InputError: the model isn't a network of ours.
    """
    if not isinstance(contender.model, Decoder):
        raise InputError(f"model {contender.label}: its layers can't be read, so it can't be probed")
    texts, places = [], []
    for game, wanted in zip(held_out.games, data.plies, strict=True):
        # By the notation's law, what stands before a ply's spelling is its prompt.
        written = contender.notation.encode_game(game)
        places.append([written.spans[ply][0] - 1 for ply in wanted])
        texts.append(written.ids[: places[-1][-1] + 1])
    return residual_streams(
        contender.model,
        texts,
        places,
        told=lambda done: progress(f"{contender.label}, activations", done, len(texts)),
    )


def probe_layer(features: Tensor, data: ProbeData, *, seed: int) -> LayerScore:
    """Train all probes on one layer and test them.

    Args:
        features: (positions, width), float32.
        data: the positions.
        seed: of the probes' training.
    """

    def examples(chosen: Mask) -> Examples:
        labels = {name: torch.from_numpy(values[chosen]) for name, values in data.facts.classes.items()}
        return Examples(features[torch.from_numpy(chosen)], labels)

    train, validation, test = (examples(chosen) for chosen in (data.train, data.validation, data.test))
    material = torch.from_numpy(data.facts.material).float()
    probes = fit_softmax_probes(train, validation, NUM_CLASSES, seed=seed)
    ridge = fit_ridge_probe(
        train.features,
        material[torch.from_numpy(data.train)],
        validation.features,
        material[torch.from_numpy(data.validation)],
    )

    def score(seen: Examples) -> dict[str, tuple[Floats, Floats]]:
        answers = {name: found.numpy() for name, found in probes.answers(seen.features).items()}
        chosen = data.validation if seen is validation else data.test
        explained = _explained(ridge.answers(seen.features).double().numpy(), data, chosen)
        return {**_shares(answers, data.facts.of(chosen)), "probe_material": explained}

    on_test, on_validation = score(test), score(validation)
    pieces = probes.answers(test.features)["probe_piece"].numpy()
    return LayerScore(
        on_test={metric: _quantity(metric, *sums, data) for metric, sums in on_test.items()},
        on_validation={metric: float(hits.sum() / asked.sum()) for metric, (hits, asked) in on_validation.items()},
        squares=pieces == data.facts.classes["probe_piece"][data.test],
    )


def majority(data: ProbeData) -> dict[str, Quantity]:
    """What the commonest class of the train positions, question by question, achieves on the test positions."""
    truth = data.facts.of(data.test)
    answers = {
        name: np.broadcast_to(_commonest(labels[data.train], NUM_CLASSES[name]), truth.classes[name].shape)
        for name, labels in data.facts.classes.items()
    }
    return {metric: _quantity(metric, *sums, data) for metric, sums in _shares(answers, truth).items()}


def measure_probe(study: Study, progress: Progress = silent) -> Results:
    """Everything that `eval probe` reports.

    Raises:
        InputError: a model's numbers aren't finite, or it can't be probed; names it.
    """
    data = probe_data(study.held_out, seed=study.seed)
    aggregator = study.aggregator()
    everything = Subset(ALL, np.ones(data.num_games(data.test), dtype=np.bool_))
    baseline = majority(data)
    measures: list[MeasureRecord] = []
    best_quantities: dict[str, dict[str, Quantity]] = {}
    best_layers: dict[str, dict[str, int]] = {}
    for contender in study.contenders:
        scores = _layer_scores(contender, study, data, progress)
        layers = best_layers[contender.label] = {
            metric: max(range(len(scores)), key=lambda layer: scores[layer].on_validation[metric])
            for metric in PROBES
            if metric in scores[0].on_test
        }
        best = best_quantities[contender.label] = {
            metric: _named(scores[layer].on_test[metric], BEST_LAYER) for metric, layer in layers.items()
        }
        for metric in layers:
            by_layer = [_named(score.on_test[metric], layer_name(layer)) for layer, score in enumerate(scores)]
            known = [_named(baseline[metric], MAJORITY)] if metric in baseline else []
            measures += [aggregator.measure(contender, one, everything) for one in [*by_layer, best[metric], *known]]
        measures += _square_measures(aggregator, contender, scores[layers["probe_piece"]], data, everything)
    differences: list[DifferenceRecord] = [
        aggregator.difference((one, other), (quantity, best_quantities[other.label][metric]), everything)
        for one, other in pairs(study.contenders)
        for metric, quantity in best_quantities[one.label].items()
    ]
    record = ProbeRecord(
        train_games=data.num_games(data.train),
        validation_games=data.num_games(data.validation),
        test_games=data.num_games(data.test),
        train_positions=int(data.train.sum()),
        validation_positions=int(data.validation.sum()),
        test_positions=int(data.test.sum()),
        best_layers=best_layers,
    )
    return study.results("probe", measures, differences).model_copy(update={"probe": record})


def _layer_scores(contender: Contender, study: Study, data: ProbeData, progress: Progress) -> list[LayerScore]:
    streams = activations(contender, study.held_out, data, progress)
    if not torch.isfinite(streams).all():
        raise InputError(f"model {contender.label}: its activations aren't finite numbers (did its training diverge?)")
    scores = []
    for layer, features in enumerate(streams):
        progress(f"{contender.label}, probes", layer, len(streams))
        scores.append(probe_layer(features, data, seed=study.seed))
    progress(f"{contender.label}, probes", len(streams), len(streams))
    return scores


def _shares(answers: dict[str, Labels], truth: BoardFacts) -> dict[str, tuple[Floats, Floats]]:
    """Metric -> right answers and questions of each position."""
    sums = {}
    for metric, labels in truth.classes.items():
        right = answers[metric] == labels
        sums[metric] = (right.sum(1).astype(np.float64), np.full(len(labels), float(labels.shape[1])))
    pieces = truth.classes["probe_piece"]
    right = (answers["probe_piece"] == pieces) & (pieces > 0)
    sums["probe_occupied"] = (right.sum(1).astype(np.float64), (pieces > 0).sum(1).astype(np.float64))
    return sums


def _explained(predicted: Floats, data: ProbeData, chosen: Mask) -> tuple[Floats, Floats]:
    """Explained and whole squared deviation of each position's material from the mean of the train positions."""
    truth = data.facts.material[chosen]
    whole = (truth - data.facts.material[data.train].mean()) ** 2
    return whole - (truth - predicted) ** 2, whole


def _quantity(metric: str, hits: Floats, asked: Floats, data: ProbeData) -> Quantity:
    return Quantity(metric, data.per_test_game(hits), data.per_test_game(asked))


def _named(quantity: Quantity, detail: str) -> Quantity:
    return Quantity(quantity.metric, quantity.numerators, quantity.denominators, detail)


def _commonest(labels: Labels, num_classes: int) -> Labels:
    """Of each question the class with the most examples, (questions,)."""
    return np.array([np.bincount(column, minlength=num_classes).argmax() for column in labels.T], dtype=np.int64)


def _square_measures(
    aggregator: Aggregator, contender: Contender, score: LayerScore, data: ProbeData, everything: Subset
) -> list[MeasureRecord]:
    ones = data.per_test_game(np.ones(len(score.squares)))
    return [
        aggregator.measure(
            contender,
            Quantity(
                "probe_square",
                data.per_test_game(score.squares[:, square].astype(np.float64)),
                ones,
                chess.square_name(square),
            ),
            everything,
        )
        for square in range(NUM_SQUARES)
    ]
