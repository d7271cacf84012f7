"""The training loop: from a configuration to a run folder, resumable at any step.

Knows: the order of events in a step, when to log, validate and checkpoint, and how a run is taken up again.
Doesn't know: how games become batches (`batches`), the update rule (`optimiser`), what is validated (`validation`), how
checkpoints are written (`checkpoint_files`), or how progress is shown (a `Watcher` does).

A step: gradient of each micro-batch, clipping, update; then, where due, a line of the log, a validation, and last a
checkpoint, so that a checkpoint never lacks what was measured at its step. A run that is killed anywhere goes on from
its newest checkpoint with the log cut back to it and ends, on a CPU with the same number of threads, with the same
bytes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from chesslm.batches import Place, Step, micro_batches
from chesslm.checkpoint_files import (
    CheckpointInfo,
    TrainingState,
    keep_newest,
    read_info,
    read_training,
    read_weights,
    write_checkpoint,
)
from chesslm.checkpoints import (
    RUN_FILE,
    RUN_FORMAT,
    copy_weights,
    final_checkpoint,
    latest_checkpoint,
)
from chesslm.config import TrainConfig
from chesslm.errors import FormatError, TrainingError
from chesslm.files import write_json
from chesslm.loss import autocast, summed_nats
from chesslm.metrics_log import MetricsLog
from chesslm.model import ParameterCounts
from chesslm.optimiser import Optimiser
from chesslm.provenance import provenance
from chesslm.run_folder import require_same_run, writing_run
from chesslm.training_inputs import RunData, RunParts

Outcome = Literal["finished", "interrupted", "already finished"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a call of `train` ended.

    Args:
        folder: of the run.
        outcome: trained to the end · stopped on request, can be resumed · there was nothing left to do.
        checkpoint: the newest checkpoint's folder.
    """

    folder: Path
    outcome: Outcome
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class RunOutline:
    """What a run is about to do: for showing.

    Args:
        counts: weights of the model.
        num_games: games in the train split, as chosen.
        steps: of the whole run.
        from_step: steps already done by earlier sessions.
        device: where it computes.
    """

    counts: ParameterCounts
    num_games: int
    steps: int
    from_step: int
    device: str


class Watcher:
    """Is told what happens; this one ignores it, commands show it."""

    def began(self, outline: RunOutline) -> None:
        """Everything is read and checked; the first step comes next."""

    def trained(self, state: TrainingState, loss_nats: float) -> None:
        """A step is done; the loss is the step's own mean over tokens."""

    def validating(self) -> None:
        """A validation begins."""

    def validated(self, line: dict[str, Any]) -> None:
        """A validation is done; the line of the log."""

    def saved(self, folder: Path) -> None:
        """A checkpoint is complete."""


def train(
    config: TrainConfig,
    *,
    command: Sequence[str],
    watcher: Watcher | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunResult:
    """Train a model, or go on with a run that was stopped.

    Sets torch's number of threads and the flushing of denormal numbers for the whole process.

    Args:
        config: the resolved configuration.
        command: the command line, for the checkpoints' provenance.
        watcher: is told what happens.
        should_stop: asked after each step; True means checkpoint now and return.

    Raises:
        UserError: the configuration, the data or the run folder can't be used (nothing is written then), there is no
            room on the disk, or the loss is no longer finite; the newest checkpoint is kept.
    """
    out = Path(config.run.out)
    data = RunData.open(config)
    require_same_run(out, data.identity)
    if (out / RUN_FILE).is_file():
        return RunResult(out, "already finished", out / final_checkpoint(out))
    prepare_torch(config)
    parts = RunParts.read(config, data, is_new=latest_checkpoint(out) is None)
    with writing_run(out, data.identity):
        return _Loop(out, config, data, parts, command, watcher or Watcher()).run(should_stop)


def prepare_torch(config: TrainConfig) -> None:
    """Process-wide settings: CPU threads, and denormal numbers as zero (they are slow and carry nothing here)."""
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    torch.set_flush_denormal(True)


class _Loop:
    """One session of a run: from its newest checkpoint to the end or to a request to stop."""

    def __init__(
        self, out: Path, config: TrainConfig, data: RunData, parts: RunParts, command: Sequence[str], watcher: Watcher
    ) -> None:
        self._out, self._config, self._data, self._parts, self._watcher = out, config, data, parts, watcher
        self._provenance = provenance(command)
        self._model = parts.model
        if config.training.compile:
            # Block by block: all blocks share one compiled function, which takes half a minute, not minutes.
            for block in self._model.blocks:
                block.compile(dynamic=True)
        self._optimiser = Optimiser(self._model, config.optimiser, steps=config.training.steps)
        self._checkpoint = latest_checkpoint(out)
        self._state = TrainingState() if self._checkpoint is None else self._resume(self._checkpoint)
        self._earlier_wall_s, self._began_s = self._state.wall_s, time.perf_counter()

    def _resume(self, folder: Path) -> TrainingState:
        info: CheckpointInfo = read_info(folder)
        identity = self._data.identity
        if info.config.digest() != identity.config.digest():
            raise FormatError(f"{folder}: written with another configuration than its run's config.json")
        copy_weights(self._model, read_weights(folder, info), source=str(folder))
        self._optimiser.load(read_training(folder), source=str(folder))
        return info.state

    def run(self, should_stop: Callable[[], bool]) -> RunResult:
        training, validation = self._config.training, self._config.validation
        keep_newest(self._out, training.keep_checkpoints)
        through_step = None if self._checkpoint is None else self._state.step
        with MetricsLog(self._out / "metrics.jsonl", through_step=through_step) as log:
            self._watcher.began(self._outline())
            if self._state.step == 0:
                self._validate(log)
            while self._state.step < training.steps:
                learning_rate, grad_norm = self._train_step()
                step, is_last, stopping = self._state.step, self._state.step == training.steps, should_stop()
                if is_last or step % training.log_every == 0:
                    self._log_training(log, learning_rate, grad_norm)
                if is_last or step % validation.every == 0:
                    self._validate(log)
                if is_last or stopping or step % training.checkpoint_every == 0:
                    self._save()
                if stopping and not is_last:
                    return RunResult(self._out, "interrupted", self._newest())
            return self._finish(log)

    def _outline(self) -> RunOutline:
        return RunOutline(
            counts=self._model.parameter_counts(),
            num_games=len(self._parts.games),
            steps=self._config.training.steps,
            from_step=self._state.step,
            device=str(self._parts.device),
        )

    def _train_step(self) -> tuple[float, float]:
        """One update; the learning rate and the gradient's norm before clipping."""
        began_s = time.perf_counter()
        state = self._state
        step = self._parts.plan.step(Place(state.step, state.games_seen, state.tokens_seen))
        nats = self._accumulate(step)
        grad_norm = float(self._optimiser.clip())
        if not math.isfinite(nats) or not math.isfinite(grad_norm):
            raise TrainingError(self._not_finite(step.after.step, nats, grad_norm))
        learning_rate = self._optimiser.step(state.step)
        took_s = time.perf_counter() - began_s
        self._state = replace(
            state,
            step=step.after.step,
            games_seen=step.after.games,
            tokens_seen=step.after.tokens,
            train_s=state.train_s + took_s,
            window_nats=state.window_nats + nats,
            window_tokens=state.window_tokens + step.num_tokens,
            window_s=state.window_s + took_s,
        )
        self._watcher.trained(self._state, nats / step.num_tokens)
        return learning_rate, grad_norm

    def _accumulate(self, step: Step) -> float:
        """Add the step's gradient up over its micro-batches; the summed nats of all its targets."""
        training = self._config.training
        total = torch.zeros((), dtype=torch.float64, device=self._parts.device)
        for batch in micro_batches(
            self._parts.games,
            step.games,
            tokens_per_micro_batch=training.tokens_per_micro_batch,
            pad_id=self._data.notation.vocabulary.pad_id,
        ):
            with autocast(self._parts.device, training.dtype):
                nats = summed_nats(self._model, batch.to(self._parts.device))
            torch.autograd.backward(nats / step.num_tokens)
            total += nats.detach()
        return float(total)

    def _not_finite(self, step: int, nats: float, grad_norm: float) -> str:
        kept = f"the newest checkpoint is {self._checkpoint}" if self._checkpoint else "there is no checkpoint yet"
        return (
            f"{self._out}: step {step} gave a loss of {nats} nats and a gradient norm of {grad_norm}; stopped, {kept}; "
            "a smaller optimiser.learning_rate or a longer optimiser.warmup_steps may help"
        )

    def _counters(self) -> dict[str, Any]:
        state = self._state
        return {
            "step": state.step,
            "games": state.games_seen,
            "tokens": state.tokens_seen,
            "train_s": round(state.train_s, 3),
            "wall_s": round(self._wall_s(), 3),
        }

    def _wall_s(self) -> float:
        return self._earlier_wall_s + time.perf_counter() - self._began_s

    def _log_training(self, log: MetricsLog, learning_rate: float, grad_norm: float) -> None:
        state = self._state
        log.append(
            {
                "kind": "train",
                **self._counters(),
                "loss_nats": state.window_nats / state.window_tokens,
                "learning_rate": learning_rate,
                "grad_norm": grad_norm,
                "tokens_per_s": round(state.window_tokens / state.window_s, 1),
            }
        )
        self._state = replace(state, window_nats=0.0, window_tokens=0, window_s=0.0)

    def _validate(self, log: MetricsLog) -> None:
        self._watcher.validating()
        self._model.eval()
        with torch.compiler.set_stance("force_eager"):  # other shapes, a cache and no gradients: nothing to compile for
            values = self._parts.validator.measure(self._model)
        self._model.train()
        line = {"kind": "validation", **self._counters(), **values}
        log.append(line)
        self._watcher.validated(line)

    def _save(self) -> None:
        self._state = replace(self._state, wall_s=self._wall_s())
        self._checkpoint = write_checkpoint(
            self._out,
            state=self._state,
            config=self._config,
            notation=self._data.notation,
            games_digest=self._data.identity.games_digest,
            provenance=self._provenance,
            weights=self._model.state_dict(),
            training=self._optimiser.tensors(),
        )
        keep_newest(self._out, self._config.training.keep_checkpoints)
        self._watcher.saved(self._checkpoint)

    def _newest(self) -> Path:
        assert self._checkpoint is not None
        return self._checkpoint

    def _finish(self, log: MetricsLog) -> RunResult:
        """Name the final checkpoint; a run that was killed just before this only has this left to do."""
        state, final = self._state, self._newest()
        write_json(
            self._out / RUN_FILE,
            {
                "format": RUN_FORMAT,
                "final_checkpoint": str(final.relative_to(self._out)),
                "steps": state.step,
                "games_seen": state.games_seen,
                "tokens_seen": state.tokens_seen,
                "epochs": self._parts.plan.epochs(Place(state.step, state.games_seen, state.tokens_seen)),
                "train_s": round(state.train_s, 3),
                "wall_s": round(state.wall_s, 3),
                "num_params": asdict(self._model.parameter_counts()),
                "validation": log.last("validation"),
            },
        )
        return RunResult(self._out, "finished", final)
