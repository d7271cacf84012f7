"""What a training run will take: weights, memory, operations, hours; before any of it is spent.

Knows: how these follow from a configuration and from the games (the token files' own lengths where they are there).
Doesn't know: how it is shown (`train_estimate_display`), rates of cards (`hardware`).

Memory of a process, in bytes: 4 a weight, 4 a gradient, 8 a weight of AdamW (two moments) and 4 of Muon (one), all
three divided by the processes with `training.parallel = "fsdp"`. For each token of a micro-batch 12 V for logits and
their gradients and, a block, 56 C + 16 F in float32 or 46 C + 10 F in bfloat16 (C width, F mlp_width, V vocabulary).
The figures of a block were counted with torch's saved tensors, without torch.compile, which keeps less; a test counts
them again. They are those of a card: on a CPU there is no padding, but attention keeps its weights, 4 or 2 bytes a head
and column seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from chesslm.batches import MicroBatch
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, TrainConfig
from chesslm.errors import ConfigError
from chesslm.flops import Flops, training_flops
from chesslm.game import Game
from chesslm.hardware import Hardware
from chesslm.local_processes import run_in_processes, useful_processes
from chesslm.loss import autocast, summed_nats
from chesslm.model import ParameterCounts
from chesslm.notation import Notation
from chesslm.notation.registry import default_notation
from chesslm.optimiser import Optimiser
from chesslm.processes import Processes
from chesslm.token_games import read_token_games
from chesslm.training import prepare_torch
from chesslm.training_inputs import RunData

# Share of a card's peak that small models reach in training; between what eager code and tuned code are known for.
ASSUMED_UTILISATION = 0.3
# Where no games are given: plies of an online game, and the standard deviation of lengths over their mean.
ASSUMED_PLIES = 70
ASSUMED_SPREAD = 0.42
# Kasparov against Topalov, Wijk aan Zee 1999: what a ply costs in tokens.
_GAME = (
    "e4 d6 d4 Nf6 Nc3 g6 Be3 Bg7 Qd2 c6 f3 b5 Nge2 Nbd7 Bh6 Bxh6 Qxh6 Bb7 a3 e5 O-O-O Qe7 Kb1 a6 Nc1 O-O-O Nb3 exd4 "
    "Rxd4 c5 Rd1 Nb6 g3 Kb8 Na5 Ba8 Bh3 d5 Qf4+ Ka7 Rhe1 d4 Nd5 Nbxd5 exd5 Qd6 Rxd4 cxd4 Re7+ Kb6 Qxd4+ Kxa5 b4+ Ka4 "
    "Qc3 Qxd5 Ra7 Bb7 Rxb7 Qc4 Qxf6 Kxa3 Qxa6+ Kxb4 c3+ Kxc3 Qa1+ Kd2 Qb2+ Kd1 Bf1 Rd2 Rd7 Rxd7 Bxc4 bxc4 Qxh8 Rd3 Qa8 "
    "c3 Qa4+ Ke1 f4 f5 Kc1 Rd2 Qa7"
)
_MEASURED_TOKENS = 2_048
_MEASURED_S = 10.0


@dataclass(frozen=True, slots=True)
class GamesToTrainOn:
    """What the estimate stands on.

    Args:
        num_games: in the train split, as chosen.
        tokens_per_game: mean number of predicted tokens.
        squared_tokens_per_game: mean of its square.
        vocabulary_len: tokens.
        source: where these come from, in words.
    """

    num_games: int
    tokens_per_game: float
    squared_tokens_per_game: float
    vocabulary_len: int
    source: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in one process, as the module docstring counts them."""

    weights: float
    gradients: float
    optimiser: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimiser + self.activations


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes, hours apart.

    Args:
        counts: weights.
        games: what it stands on.
        num_tokens: predicted in all steps.
        epochs: passes over the games.
        flops: of all steps.
        memory: of one process, training alone.
    """

    counts: ParameterCounts
    games: GamesToTrainOn
    num_tokens: float
    epochs: float
    flops: Flops
    memory: Memory


def games_to_train_on(
    config: TrainConfig, *, num_games: int | None = None, tokens_per_game: float | None = None
) -> GamesToTrainOn:
    """The games of a configuration's data folder; what is told about them where there is no such folder.

    Args:
        config: the resolved configuration.
        num_games: train games, as told; counts where the folder doesn't exist.
        tokens_per_game: predicted tokens of a game, likewise.

    Raises:
        ConfigError: no folder, and nothing told.
        UserError: the folder can't be read.
    """
    if Path(config.data.games).is_dir():
        data = RunData.open(config)
        identity = data.identity
        games = read_token_games(
            data.tokens_folder,
            "train",
            fingerprint=identity.vocabulary_fingerprint,
            games_digest=identity.games_digest,
            max_games=config.data.max_games,
            or_fewer=True,
        )
        targets = (games.lens - 1).astype(np.float64)
        return GamesToTrainOn(
            len(games),
            float(targets.mean()),
            float((targets**2).mean()),
            len(data.notation.vocabulary),
            f"the token files in {data.tokens_folder}",
        )
    if num_games is None:
        raise ConfigError(f"{config.data.games}: no such folder; say with --games how many train games there will be")
    notation = default_notation(config.data.notation)
    told = "as told"
    if tokens_per_game is None:
        tokens_per_game = ASSUMED_PLIES * _tokens_per_ply(notation)
        told = f"assumed: {ASSUMED_PLIES} plies a game"
    return GamesToTrainOn(
        min(num_games, config.data.max_games or num_games),
        tokens_per_game,
        tokens_per_game**2 * (1 + ASSUMED_SPREAD**2),
        len(notation.vocabulary),
        f"{told}; the default {notation.name} vocabulary",
    )


def _tokens_per_ply(notation: Notation) -> float:
    san = tuple(_GAME.split())
    return (len(notation.encode_game(Game("example", san, "1-0")).ids) - 1) / len(san)


def estimate(config: TrainConfig, games: GamesToTrainOn, *, num_processes: int = 1) -> Estimate:
    """Everything that follows from a configuration and its games.

    Args:
        config: the resolved configuration.
        games: from `games_to_train_on`.
        num_processes: share weights and optimiser state under `fsdp`.
    """
    training = config.training
    counts = fresh_model_counts(config.model, games.vocabulary_len)
    games_per_step = training.games_per_step or (training.tokens_per_step or 0) / games.tokens_per_game
    num_games = training.steps * games_per_step
    return Estimate(
        counts=counts,
        games=games,
        num_tokens=num_games * games.tokens_per_game,
        epochs=num_games / games.num_games,
        flops=training_flops(
            config.model,
            games.vocabulary_len,
            tokens=num_games * games.tokens_per_game,
            squared_tokens=num_games * games.squared_tokens_per_game,
        ),
        memory=_memory(config, counts, games, num_processes if training.parallel == "fsdp" else 1),
    )


def fresh_model_counts(model: ModelSection, vocabulary_len: int) -> ParameterCounts:
    """Weights of a model, counted without making them."""
    with torch.device("meta"):
        return fresh_model(model, vocabulary_len, seed=0).parameter_counts()


def _memory(config: TrainConfig, counts: ParameterCounts, games: GamesToTrainOn, num_shares: int) -> Memory:
    weights = 4.0 * counts.total / num_shares
    # All of the trunk but its norms' gains is Muon's; those are too few to tell.
    muon = counts.trunk if config.optimiser.muon_learning_rate is not None else 0
    return Memory(
        weights=weights,
        gradients=weights,
        optimiser=(8.0 * (counts.total - muon) + 4.0 * muon) / num_shares,
        activations=config.training.tokens_per_micro_batch * activation_bytes_per_token(config, games.vocabulary_len),
    )


def activation_bytes_per_token(config: TrainConfig, vocabulary_len: int) -> float:
    """What one token of a micro-batch, padding included, keeps on a card until its gradient is there.

    Args:
        config: shape and dtype.
        vocabulary_len: tokens.
    """
    model = config.model
    if config.training.dtype == "float32":
        block = 56.0 * model.width + 16.0 * model.mlp_width
    else:
        block = 46.0 * model.width + 10.0 * model.mlp_width
    return model.depth * block + 12.0 * vocabulary_len


def card_seconds(config: TrainConfig, needed: Estimate, hardware: Hardware, *, count: int) -> float:
    """Time of a run on these many cards, at the assumed share of their peak."""
    return needed.flops.total / (hardware.flops(config.training.dtype) * ASSUMED_UTILISATION * count)


def cpu_tokens_per_s(config: TrainConfig, games: GamesToTrainOn) -> float:
    """Tokens a second of this CPU, measured in as many processes as would train: games of mean length, random tokens.

    Each does a first pass, forward and backward, which isn't counted, then passes for ten seconds (at least one); the
    update is timed once and spread over a step's tokens. Without torch.compile, without reading, logging, validating
    and exchanging gradients.
    """
    config = config.model_copy(update={"training": config.training.model_copy(update={"device": "cpu"})})
    work = partial(_tokens_per_s, config, games, seconds=_MEASURED_S)
    return run_in_processes(useful_processes(config), work, first=lambda group: work(processes=group))


def _tokens_per_s(config: TrainConfig, games: GamesToTrainOn, *, seconds: float, processes: Processes) -> float:
    """Of all processes together."""
    prepare_torch(config)
    row_len = max(1, min(round(games.tokens_per_game), config.model.context_len))
    rows = max(1, min(_MEASURED_TOKENS, config.training.tokens_per_micro_batch) // row_len)
    model = fresh_model(config.model, games.vocabulary_len, seed=0)
    optimiser = Optimiser(model, config.optimiser, steps=config.training.steps)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(games.vocabulary_len, (1, rows * row_len), generator=generator)
    batch = MicroBatch(tokens, tokens[0], lens_G=torch.full((rows,), row_len))

    def one_pass() -> float:
        began_s = time.perf_counter()
        with autocast(torch.device("cpu"), config.training.dtype):
            nats = summed_nats(model, batch)
        torch.autograd.backward(nats / (rows * row_len))
        return time.perf_counter() - began_s

    one_pass()
    took = [one_pass()]
    while sum(took) < seconds:
        took.append(one_pass())
    began_s = time.perf_counter()
    optimiser.clip()
    optimiser.step(0)
    update_s = time.perf_counter() - began_s
    step_tokens = config.training.tokens_per_step or (config.training.games_per_step or 1) * games.tokens_per_game
    # Each has its share of a step's tokens. Muon's work is shared, too; AdamW's isn't.
    own_tokens = step_tokens if config.optimiser.muon_learning_rate is not None else step_tokens / processes.size
    return processes.sum(1.0 / (min(took) / (rows * row_len) + update_s / own_tokens))
