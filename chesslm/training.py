"""The training loop: from a configuration to a run folder, resumable at any step.

Knows: when to log, validate and checkpoint, how a run is taken up again or branches from another.
Doesn't know: what a step does (`training_step`), how games become batches (`batches`), what is validated
(`validation`), how checkpoints are written (`checkpoint_files`), or how progress is shown (a `Watcher` does).

After a step: where due, a line of the log, a validation, and last a checkpoint, so that a checkpoint never lacks what
was measured at its step. A run that is killed anywhere goes on from its newest checkpoint with the log cut back to it
and ends, on a CPU with the same number of threads and processes, with the same bytes.

Several processes make the same steps as one. Every process runs this loop; the first alone writes, validates and tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from chesslm.batches import Place
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
    ancestors,
    copy_weights,
    final_checkpoint,
    latest_checkpoint,
)
from chesslm.config import TrainConfig
from chesslm.errors import FormatError, TrainingError
from chesslm.files import write_json
from chesslm.metrics_log import MetricsLog
from chesslm.peak_memory import PeakMemory, peak_memory
from chesslm.processes import Processes
from chesslm.provenance import provenance
from chesslm.run_folder import RunIdentity, goes_on, require_same_run, writing_run
from chesslm.training_inputs import RunData, RunParts
from chesslm.training_step import StepDone, Trainer
from chesslm.training_watcher import RunOutline, Watcher

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


def train(
    config: TrainConfig,
    *,
    command: Sequence[str],
    watcher: Watcher | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    processes: Processes | None = None,
) -> RunResult:
    """Train a model, or go on with a run that was stopped.

    Sets torch's number of threads and the flushing of denormal numbers for the whole process.

    Args:
        config: the resolved configuration.
        command: the command line, for the checkpoints' provenance.
        watcher: is told what happens.
        should_stop: asked after each step; True means checkpoint now and return. One process is enough to stop all.
        processes: that train together, all with the same arguments; this one alone if None.

    Raises:
        UserError: the configuration, the data or the run folder can't be used (nothing is written then), there is no
            room on the disk, or the loss is no longer finite; the newest checkpoint is kept.
        ToldElsewhere: another process raised the UserError.
    """
    processes = processes or Processes()
    out = Path(config.run.out)
    data = processes.together(lambda: RunData.open(config))
    finished = processes.on_first(lambda: _finished(out, data.identity))
    if finished:
        return RunResult(out, "already finished", Path(finished))
    prepare_torch(config)
    is_new = processes.on_first(lambda: str(latest_checkpoint(out) or "")) == ""
    parts = processes.together(lambda: RunParts.read(config, data, is_new=is_new, processes=processes))
    with ExitStack() as stack:
        processes.on_first(lambda: str(stack.enter_context(writing_run(out, data.identity))))
        loop = stack.enter_context(closing(_Loop(out, config, data, parts, command, watcher or Watcher(), processes)))
        return loop.run(should_stop)


def _finished(out: Path, identity: RunIdentity) -> str:
    """The final checkpoint of a run that has all its steps, "" if it hasn't; raises as `require_same_run`."""
    stored = require_same_run(out, identity)
    steps = identity.config.training.steps
    if stored is None or stored.training.steps != steps or not (out / RUN_FILE).is_file():
        return ""
    return str(out / final_checkpoint(out))


def dry_run(
    config: TrainConfig, *, steps: int, watcher: Watcher | None = None, processes: Processes | None = None
) -> PeakMemory:
    """Do the first steps of a run and write nothing: that it fits and learns can be seen before the hours are spent.

    The data and the configuration are read and checked as `train` does it, and every step is a real one. What isn't
    looked at: what `run.out` holds already, the state of a run that `run.branch_from` names, validation; and fewer
    games than `data.max_games` will do.

    Raises:
        UserError: as `train`.
    """
    processes, watcher = processes or Processes(), watcher or Watcher()
    data = processes.together(lambda: RunData.open(config))
    prepare_torch(config)
    parts = processes.together(lambda: RunParts.read(config, data, is_new=True, processes=processes, fewer_games=True))
    state = TrainingState()
    watcher.began(_outline(parts, steps=steps, from_step=0, processes=processes))
    with closing(_trainer(config, data, parts, processes)) as trainer:
        for _ in range(steps):
            try:
                done = trainer.step(_place(state))
            except TrainingError as error:
                raise processes.failure(error) from error
            state = _after(state, done)
            watcher.trained(state, done.nats / done.num_tokens)
    return _largest(peak_memory(parts.device), processes)


def prepare_torch(config: TrainConfig) -> None:
    """Process-wide settings: CPU threads, and denormal numbers as zero (they are slow and carry nothing here)."""
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    torch.set_flush_denormal(True)


@contextmanager
def tensor_float_32(device: torch.device, allowed: bool) -> Iterator[None]:
    """While the block runs, float32 products on a CUDA device may or may not round their factors to TF32."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if allowed else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _trainer(config: TrainConfig, data: RunData, parts: RunParts, processes: Processes) -> Trainer:
    if parts.device.type == "cuda":
        torch.cuda.set_device(parts.device)
    return Trainer(
        config,
        parts.model,
        games=parts.games,
        plan=parts.plan,
        pad_id=data.notation.vocabulary.pad_id,
        processes=processes,
    )


def _outline(parts: RunParts, *, steps: int, from_step: int, processes: Processes) -> RunOutline:
    return RunOutline(
        counts=parts.model.parameter_counts(),
        num_games=len(parts.games),
        steps=steps,
        from_step=from_step,
        device=str(parts.device),
        num_processes=processes.size,
    )


def _place(state: TrainingState) -> Place:
    return Place(state.step, state.games_seen, state.tokens_seen)


def _after(state: TrainingState, done: StepDone) -> TrainingState:
    return replace(
        state,
        step=done.after.step,
        games_seen=done.after.games,
        tokens_seen=done.after.tokens,
        train_s=state.train_s + done.took_s,
        window_nats=state.window_nats + done.nats,
        window_tokens=state.window_tokens + done.num_tokens,
        window_s=state.window_s + done.took_s,
    )


def _largest(peak: PeakMemory, processes: Processes) -> PeakMemory:
    device_bytes = None if peak.device_bytes is None else processes.max(peak.device_bytes)
    return PeakMemory(processes.max(peak.process_bytes), device_bytes)


class _Loop:
    """One session of a run: from its newest checkpoint to the end or to a request to stop."""

    def __init__(
        self,
        out: Path,
        config: TrainConfig,
        data: RunData,
        parts: RunParts,
        command: Sequence[str],
        watcher: Watcher,
        processes: Processes,
    ) -> None:
        self._out, self._config, self._data, self._parts = out, config, data, parts
        self._watcher, self._processes = watcher, processes
        self._provenance = {**provenance(command), "ancestors": parts.ancestors}
        self._counts = parts.model.parameter_counts()
        found = processes.on_first(lambda: str(latest_checkpoint(out) or ""))
        self._checkpoint = Path(found) if found else None
        source = self._checkpoint or parts.branch
        self._state, training = processes.together(lambda: self._take_up(source))
        self._trainer = _trainer(config, data, parts, processes)
        if training is not None:
            processes.together(lambda: self._trainer.load_state(training, source=str(source)))
        self._earlier_wall_s, self._began_s = self._state.wall_s, time.perf_counter()

    def _take_up(self, folder: Path | None) -> tuple[TrainingState, dict[str, torch.Tensor] | None]:
        """Give the model the weights of a checkpoint, if there is one to go on from; its state and the optimiser's."""
        if folder is None:
            return TrainingState(), None
        info: CheckpointInfo = read_info(folder)
        if folder == self._checkpoint and not goes_on(info.config, self._config):
            raise FormatError(f"{folder}: written with another configuration than its run's config.json")
        copy_weights(self._parts.model, read_weights(folder, info), source=str(folder))
        self._provenance["ancestors"] = ancestors(info)
        return info.state, read_training(folder)

    def close(self) -> None:
        """End what reads ahead."""
        self._trainer.close()

    def run(self, should_stop: Callable[[], bool]) -> RunResult:
        training, validation = self._config.training, self._config.validation
        with ExitStack() as stack:
            log = self._open_log(stack)
            self._watcher.began(
                _outline(self._parts, steps=training.steps, from_step=self._state.step, processes=self._processes)
            )
            if self._checkpoint is None:
                self._validate(log)
            while self._state.step < training.steps:
                done = self._train_step()
                step, is_last = self._state.step, self._state.step == training.steps
                stopping = self._processes.any(should_stop())
                if is_last or step % training.log_every == 0:
                    self._log_training(log, done)
                if is_last or step % validation.every == 0:
                    self._validate(log)
                if is_last or stopping or step % training.checkpoint_every == 0:
                    self._save(log)
                if stopping and not is_last:
                    self._watcher.ended(self._peak())
                    return RunResult(self._out, "interrupted", self._newest())
            return self._finish(log)

    def _open_log(self, stack: ExitStack) -> MetricsLog | None:
        """The log, on the first process; what is older than the newest checkpoint allows is cut away."""
        if not self._processes.is_first:
            return None
        keep_newest(self._out, self._config.training.keep_checkpoints)
        through_step = None if self._checkpoint is None else self._state.step
        return stack.enter_context(MetricsLog(self._out / "metrics.jsonl", through_step=through_step))

    def _train_step(self) -> StepDone:
        try:
            with tensor_float_32(self._parts.device, allowed=True):
                done = self._trainer.step(_place(self._state))
        except TrainingError as error:
            kept = f"the newest checkpoint is {self._checkpoint}" if self._checkpoint else "there is no checkpoint yet"
            advice = (
                "a smaller optimiser.learning_rate or a longer optimiser.warmup_steps may help, and another run.out"
            )
            told = TrainingError(f"{self._out}: {error}; stopped, {kept}; {advice}")
            raise self._processes.failure(told) from error
        self._state = _after(self._state, done)
        self._watcher.trained(self._state, done.nats / done.num_tokens)
        return done

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

    def _log_training(self, log: MetricsLog | None, done: StepDone) -> None:
        state = self._state
        if log is not None:
            log.append(
                {
                    "kind": "train",
                    **self._counters(),
                    "loss_nats": state.window_nats / state.window_tokens,
                    "learning_rate": done.learning_rate,
                    "grad_norm": done.grad_norm,
                    "tokens_per_s": round(state.window_tokens / state.window_s, 1),
                }
            )
        self._state = replace(state, window_nats=0.0, window_tokens=0, window_s=0.0)

    def _validate(self, log: MetricsLog | None) -> None:
        """Measure on the first process; the others go on to where they next need it, and wait there."""
        model = self._trainer.whole_model()
        if log is None:
            return
        self._watcher.validating()
        model.eval()
        # Other shapes, a cache and no gradients: nothing to compile for.
        with torch.compiler.set_stance("force_eager"), tensor_float_32(self._parts.device, allowed=False):
            values = self._parts.validator.measure(model)
        model.train()
        line = {"kind": "validation", **self._counters(), **values}
        log.append(line)
        self._watcher.validated(line)

    def _save(self, log: MetricsLog | None) -> None:
        if log is not None:
            log.sync()
        self._state = replace(self._state, wall_s=self._wall_s())
        weights, training = self._trainer.weights(), self._trainer.state()
        self._checkpoint = Path(self._processes.on_first(lambda: str(self._write(weights, training))))
        self._watcher.saved(self._checkpoint)

    def _write(self, weights: dict[str, torch.Tensor], training: dict[str, torch.Tensor]) -> Path:
        checkpoint = write_checkpoint(
            self._out,
            state=self._state,
            config=self._config,
            notation=self._data.notation,
            games_digest=self._data.identity.games_digest,
            provenance=self._provenance,
            weights=weights,
            training=training,
        )
        keep_newest(self._out, self._config.training.keep_checkpoints)
        return checkpoint

    def _newest(self) -> Path:
        assert self._checkpoint is not None
        return self._checkpoint

    def _finish(self, log: MetricsLog | None) -> RunResult:
        """Name the final checkpoint; a run that was killed just before this only has this left to do."""
        state, final, peak = self._state, self._newest(), self._peak()
        if log is not None:
            write_json(
                self._out / RUN_FILE,
                {
                    "format": RUN_FORMAT,
                    "final_checkpoint": str(final.relative_to(self._out)),
                    "steps": state.step,
                    "games_seen": state.games_seen,
                    "tokens_seen": state.tokens_seen,
                    "epochs": self._parts.plan.epochs(_place(state)),
                    "train_s": round(state.train_s, 3),
                    "wall_s": round(state.wall_s, 3),
                    "num_params": asdict(self._counts),
                    "num_processes": self._processes.size,
                    "peak_memory": asdict(peak),
                    "validation": log.last("validation"),
                },
            )
        self._watcher.ended(peak)
        return RunResult(self._out, "finished", final)

    def _peak(self) -> PeakMemory:
        return _largest(peak_memory(self._parts.device), self._processes)
