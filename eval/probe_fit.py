"""Linear probes: softmax regression of many questions at once, and ridge regression of a number.

Knows: how probes are trained, when they stop, and what they answer.
Doesn't know: chess, models, or where features come from.

All questions share one matrix product, but nothing else: each is a convex problem of its own. Features are divided by
their standard deviation; AdamW (Loshchilov & Hutter 2019) starts from zero with a falling learning rate, and a
question keeps the weights with which its validation answers were likeliest: stopping regularises each as it needs.
Alain & Bengio (2016) have the idea of linear probes, Hewitt & Liang (2019) why they need controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Weights (width, questions, classes) and biases (questions, classes).
Parameters = tuple[Tensor, Tensor]

# At the first step; falls linearly to zero. Adam moves every weight alike, so what a step does to an answer grows with
# the width: the rate is this over the width, but not above the largest.
LEARNING_RATE_TIMES_WIDTH = 0.5
MAX_LEARNING_RATE = 0.05
WEIGHT_DECAY = 0.1
BATCH_LEN = 128
MAX_STEPS = 400
STEPS_A_LOOK = 10  # steps between two looks at the validation examples
PATIENCE = 6  # looks without progress on any question before a group has seen enough
RIDGE_STRENGTHS = tuple(10.0**power for power in range(-2, 6))
# Features that hardly vary say nothing; divided by their deviation they would be noise.
MIN_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a probe sees and should answer.

    Args:
        features: float32, (examples, width).
        labels: group -> class numbers, int64, (examples, questions).
    """

    features: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Features minus their mean, divided by their standard deviation, both over the training examples, (width,)."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Scaling:
        """The scaling that these features ask for."""
        return cls(features.mean(0), features.std(0, correction=0).clamp_min(MIN_DEVIATION))

    def __call__(self, features: Tensor) -> Tensor:
        """Same shape in and out."""
        return (features - self.mean) / self.deviation


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxProbes:
    """A trained probe for each question of each group.

    Args:
        scaling: of the features.
        weights: group -> (width, questions, classes).
        biases: group -> (questions, classes).
    """

    scaling: Scaling
    weights: Mapping[str, Tensor]
    biases: Mapping[str, Tensor]

    def answers(self, features: Tensor) -> dict[str, Tensor]:
        """Group -> most probable class of each question, (examples, questions)."""
        scaled = self.scaling(features)
        return {
            group: (torch.tensordot(scaled, self.weights[group], 1) + self.biases[group]).argmax(2)
            for group in self.weights
        }


@dataclass(frozen=True, slots=True, eq=False)
class RidgeProbe:
    """A linear prediction of a number: features times `weights` (width,) plus `bias`."""

    scaling: Scaling
    weights: Tensor
    bias: Tensor

    def answers(self, features: Tensor) -> Tensor:
        """Predictions, (examples,)."""
        return self.scaling(features) @ self.weights + self.bias


def fit_softmax_probes(
    train: Examples, validation: Examples, num_classes: Mapping[str, int], *, seed: int
) -> SoftmaxProbes:
    """Train a probe for every question.

    Args:
        train: examples to learn from.
        validation: examples of other games, which say when to stop.
        num_classes: group -> classes of each of its questions.
        seed: of the order of the examples.
    """
    scaling = Scaling.of(train.features)
    features, validation_features = scaling(train.features), scaling(validation.features)
    width = features.shape[1]
    sizes = {group: (train.labels[group].shape[1], num_classes[group]) for group in num_classes}
    parameters = {
        group: (torch.zeros(width, *size, requires_grad=True), _log_shares(train.labels[group], size[1]))
        for group, size in sizes.items()
    }
    kept = {group: _Kept.of(parameters[group], validation_features, validation.labels[group]) for group in sizes}
    generator = torch.Generator().manual_seed(seed)
    rate = min(MAX_LEARNING_RATE, LEARNING_RATE_TIMES_WIDTH / width)
    optimisers = {group: torch.optim.AdamW(parameters[group], lr=rate, weight_decay=WEIGHT_DECAY) for group in sizes}
    for look in range(1, MAX_STEPS // STEPS_A_LOOK + 1):
        # A group that has got no better for a while is left alone.
        pending = [group for group in sizes if look - kept[group].look <= PATIENCE]
        if not pending:
            break
        for step in range((look - 1) * STEPS_A_LOOK, look * STEPS_A_LOOK):
            batch = torch.randint(len(features), (min(BATCH_LEN, len(features)),), generator=generator)
            seen = features[batch]
            for group in pending:
                optimisers[group].param_groups[0]["lr"] = rate * (1 - step / MAX_STEPS)
                loss = _loss(parameters[group], seen, train.labels[group][batch])
                optimisers[group].zero_grad()
                torch.autograd.backward(loss)
                optimisers[group].step()
        for group in pending:
            kept[group].update(parameters[group], validation_features, validation.labels[group], look)
    return SoftmaxProbes(
        scaling,
        {group: best.weights for group, best in kept.items()},
        {group: best.biases for group, best in kept.items()},
    )


def fit_ridge_probe(train: Tensor, targets: Tensor, validation: Tensor, validation_targets: Tensor) -> RidgeProbe:
    """The least-squares prediction, its weights shrunk as suits the validation examples best.

    Args:
        train: features, (examples, width).
        targets: numbers, (examples,).
        validation: features of other games, which choose the strength of the shrinking.
        validation_targets: their numbers.
    """
    scaling = Scaling.of(train)
    scaled, mean = scaling(train).double(), targets.double().mean()
    products, answers = scaled.T @ scaled, scaled.T @ (targets.double() - mean)
    probes = []
    for strength in RIDGE_STRENGTHS:
        shrunk = products + strength * torch.eye(len(products), dtype=torch.float64)
        probes.append(RidgeProbe(scaling, torch.linalg.solve(shrunk, answers).float(), mean.float()))
    errors = [float((probe.answers(validation) - validation_targets).square().sum()) for probe in probes]
    return probes[int(np.argmin(errors))]


@dataclass(slots=True, eq=False)
class _Kept:
    """The best so far of a group.

    Args:
        weights, biases: of each question, as in `SoftmaxProbes`.
        nats: its validation loss, (questions,).
        look: when one of them last got better.
    """

    weights: Tensor
    biases: Tensor
    nats: Tensor
    look: int

    @classmethod
    def of(cls, parameters: Parameters, features: Tensor, labels: Tensor) -> _Kept:
        """Before any step."""
        weights, biases = parameters
        nats = _nats(parameters, features, labels)
        return cls(weights.detach().clone(), biases.detach().clone(), nats, 0)

    def update(self, parameters: Parameters, features: Tensor, labels: Tensor, look: int) -> None:
        """Keep the questions that have got better."""
        nats = _nats(parameters, features, labels)
        is_better = nats < self.nats
        if is_better.any():
            weights, biases = parameters
            self.weights[:, is_better] = weights.detach()[:, is_better]
            self.biases[is_better] = biases.detach()[is_better]
            self.nats[is_better] = nats[is_better]
            self.look = look


def _log_shares(labels: Tensor, num_classes: int) -> Tensor:
    """Where a bias begins: what the training examples say without any feature, (questions, classes)."""
    counts = functional.one_hot(labels, num_classes).sum(0).float()
    # As if each class had been seen once more: none is impossible.
    return ((counts + 1) / (len(labels) + num_classes)).log().requires_grad_()


def _logits(parameters: Parameters, features: Tensor) -> Tensor:
    """(examples, questions, classes)."""
    weights, biases = parameters
    return (features @ weights.flatten(1)).view(len(features), *biases.shape) + biases


def _loss(parameters: Parameters, features: Tensor, labels: Tensor) -> Tensor:
    """Nats summed over questions, mean over examples: a question learns as fast beside others as alone."""
    logits = _logits(parameters, features)
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / len(features)


@torch.no_grad()
def _nats(parameters: Parameters, features: Tensor, labels: Tensor) -> Tensor:
    """Mean over examples, (questions,)."""
    logits = _logits(parameters, features)
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(0)
