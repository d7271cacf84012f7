"""One step of training: batches read ahead, gradients added up, clipping, update.

Knows: what happens between two places in the data, on one process or on several.
Doesn't know: when to log, validate and save (`training`), which games a step has (`batches`), how processes share
weights and gradients (`parallel`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from chesslm.batches import MicroBatch, Place, Plan, Step, deal, empty_batch, micro_batches
from chesslm.config import TrainConfig
from chesslm.errors import TrainingError
from chesslm.model import Decoder
from chesslm.optimiser import Optimiser
from chesslm.parallel import Learner, sharded_alike, whole, whole_tensor
from chesslm.processes import Processes
from chesslm.token_games import TokenGames


@dataclass(frozen=True, slots=True)
class Share:
    """What one process computes in a step.

    Args:
        step: of all processes together.
        batches: this process's, longest games first.
    """

    step: Step
    batches: list[MicroBatch]


class ReadAhead:
    """Reads the share of the step that comes next while the device works on this one.

    Args:
        read: the share of the step that follows a place; called in a thread of its own.
    """

    def __init__(self, read: Callable[[Place], Share]) -> None:
        self._read = read
        self._thread = ThreadPoolExecutor(1, "read-ahead")
        self._ready: tuple[Place, Future[Share]] | None = None

    def after(self, place: Place) -> Share:
        """The share of the step that follows a place."""
        if self._ready is None or self._ready[0] != place:
            self._ready = place, self._thread.submit(self._read, place)
        share = self._ready[1].result()
        following = share.step.after
        self._ready = following, self._thread.submit(self._read, following)
        return share

    def close(self) -> None:
        """End the thread; what it was reading is forgotten."""
        self._thread.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class StepDone:
    """What a step was.

    Args:
        after: the place in the data now.
        num_tokens: tokens predicted, on all processes.
        nats: sum of their losses.
        grad_norm: of the step's gradient before clipping.
        learning_rate: AdamW's in this step.
        took_s: seconds, reading included.
    """

    after: Place
    num_tokens: int
    nats: float
    grad_norm: float
    learning_rate: float
    took_s: float


class Trainer:
    """Trains a model step by step.

    Args:
        config: the resolved configuration.
        model: on its device, with the weights to start from, the same on every process.
        games: the train games.
        plan: which of them each step takes.
        pad_id: fills rows.
        processes: that train together.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Decoder,
        *,
        games: TokenGames,
        plan: Plan,
        pad_id: int,
        processes: Processes,
    ) -> None:
        training = config.training
        self._games, self._plan, self._pad_id, self._processes = games, plan, pad_id, processes
        self._tokens_per_micro_batch = training.tokens_per_micro_batch
        self._device = model.embedding.weight.device
        self._model = model
        if training.compile:
            # Block by block: all blocks share one compiled function, which takes half a minute, not minutes.
            for block in model.blocks:
                block.compile(dynamic=True)
        self._learner = Learner(model, processes, kind=training.parallel, dtype=training.dtype)
        replicas = processes if training.parallel == "ddp" else None
        self._optimiser = Optimiser(model, config.optimiser, steps=training.steps, replicas=replicas)
        self._shares = ReadAhead(self._read)

    def _read(self, place: Place) -> Share:
        step = self._plan.step(place)
        own = step.games[deal(self._games.lens[step.games], self._processes.size)[self._processes.rank]]
        batches = micro_batches(
            self._games,
            own,
            tokens_per_micro_batch=self._tokens_per_micro_batch,
            pad_id=None if self._device.type == "cpu" else self._pad_id,
        )
        return Share(step, [batch.pinned() if self._device.type == "cuda" else batch for batch in batches])

    def step(self, place: Place) -> StepDone:
        """One update of the weights, the one that follows a place.

        Raises:
            TrainingError: loss or gradient is no longer finite; the weights are as they were.
            UserError: the games can't be read.
        """
        began_s = time.perf_counter()
        share = self._shares.after(place)
        step = share.step
        # Sharded weights are gathered by all processes or none, so all compute equally often.
        count = self._processes.max(len(share.batches))
        batches = [*share.batches, *[empty_batch(self._pad_id)] * (count - len(share.batches))]
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for number, batch in enumerate(batches, start=1):
            total += self._learner.backward(batch.to(self._device), num_tokens=step.num_tokens, is_last=number == count)
        nats = self._processes.sum(float(total))
        grad_norm = float(whole_tensor(self._optimiser.clip()))
        if not math.isfinite(nats) or not math.isfinite(grad_norm):
            raise TrainingError(f"step {step.after.step} gave a loss of {nats} nats and a gradient norm of {grad_norm}")
        learning_rate = self._optimiser.step(place.step)
        return StepDone(step.after, step.num_tokens, nats, grad_norm, learning_rate, time.perf_counter() - began_s)

    def weights(self) -> dict[str, Tensor]:
        """The model's weights, whole; on all processes or none."""
        return whole(self._model.state_dict())

    def state(self) -> dict[str, Tensor]:
        """The optimiser's state, whole; on all processes or none."""
        return whole(self._optimiser.tensors())

    def load_state(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Take up what `state` gave; raises FormatError as `Optimiser.load`."""
        self._optimiser.load(sharded_alike(tensors, dict(self._model.named_parameters())), source=source)

    def whole_model(self) -> Decoder:
        """The model for reading, whole; on all processes or none."""
        return self._learner.whole_model()

    def close(self) -> None:
        """End what reads ahead."""
        self._shares.close()
