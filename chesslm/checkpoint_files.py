"""The files of one checkpoint: written whole, read with every doubt checked.

Knows: the layout and metadata of a checkpoint folder; that a folder is written under a temporary name and renamed;
which checkpoints of a run are kept.
Doesn't know: how a checkpoint becomes a usable model (`checkpoints`) or a run that goes on (`training`).

Layout of `<run>/checkpoints/step_00001000/`:

    model.safetensors      the weights, nothing else; its sha256 is the checkpoint's digest
    training.safetensors   the optimiser's state (not in a shipped model)
    checkpoint.json        format chesslm-checkpoint/1: place in the data, times, config, digests, provenance
    vocabulary.json, …     what the notation needs to be loaded again

A folder of this name is complete: nothing is ever added to it or changed in it. No pickle is read or written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from chesslm.config import TrainConfig, validate
from chesslm.errors import ConfigError, FormatError, InputError, OutputError
from chesslm.files import fsync_folder, read_json, sha256_file, write_bytes, write_json, write_whole
from chesslm.notation import Notation

CHECKPOINT_FORMAT = "chesslm-checkpoint/1"
WEIGHTS_FORMAT = "chesslm-weights/1"
TRAINING_FORMAT = "chesslm-training/1"
MODEL_FILE, TRAINING_FILE, INFO_FILE = "model.safetensors", "training.safetensors", "checkpoint.json"
_STEP_FOLDERS = "step_*"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where a run stands, apart from weights and optimiser.

    Args:
        step: optimiser steps done.
        games_seen: games trained on, those of earlier epochs included.
        tokens_seen: tokens predicted in training.
        train_s: seconds spent in steps: data, forward, backward, optimiser.
        wall_s: seconds of the training loop with validations and checkpoints; both add up over resumes.
        window_nats, window_tokens, window_s: sum of losses, tokens and seconds since the last line of the log.
    """

    step: int = 0
    games_seen: int = 0
    tokens_seen: int = 0
    train_s: float = 0.0
    wall_s: float = 0.0
    window_nats: float = 0.0
    window_tokens: int = 0
    window_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What `checkpoint.json` says.

    Args:
        state: where the run stood.
        config: the whole resolved configuration.
        vocabulary_fingerprint: of the vocabulary that the weights belong to.
        games_digest: of the games folder that was trained on.
        model_sha256: of `model.safetensors`.
        provenance: versions, commit, command, machine.
    """

    state: TrainingState
    config: TrainConfig
    vocabulary_fingerprint: str
    games_digest: str
    model_sha256: str
    provenance: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able twin that `read_info` reads back."""
        return {
            "format": CHECKPOINT_FORMAT,
            **asdict(self.state),
            "config_digest": self.config.digest(),
            "config": self.config.model_dump(mode="json"),
            "vocabulary_fingerprint": self.vocabulary_fingerprint,
            "games_digest": self.games_digest,
            "model_sha256": self.model_sha256,
            "provenance": dict(self.provenance),
        }


def read_info(folder: Path) -> CheckpointInfo:
    """What a checkpoint says about itself.

    Raises:
        InputError: no `checkpoint.json`, or not JSON.
        FormatError: of another format or version, or without a value that it must have.
    """
    path = folder / INFO_FILE
    found = read_json(path)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind != CHECKPOINT_FORMAT:
        raise FormatError(f"{path}: expected {CHECKPOINT_FORMAT}, found {kind!r}")
    try:
        return CheckpointInfo(
            state=TrainingState(**{name: found[name] for name in TrainingState.__dataclass_fields__}),
            config=validate(TrainConfig, found["config"], source=str(path)),
            vocabulary_fingerprint=str(found["vocabulary_fingerprint"]),
            games_digest=str(found["games_digest"]),
            model_sha256=str(found["model_sha256"]),
            provenance=dict(found["provenance"]),
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise FormatError(f"{path}: not a usable checkpoint: {error}") from error


def checkpoint_name(step: int) -> str:
    """Folder name of the checkpoint after these many steps."""
    return f"step_{step:08d}"


def list_checkpoints(run_folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; may be empty."""
    return sorted(path for path in (run_folder / "checkpoints").glob(_STEP_FOLDERS) if path.is_dir())


def write_checkpoint(
    run_folder: Path,
    *,
    state: TrainingState,
    config: TrainConfig,
    notation: Notation,
    games_digest: str,
    provenance: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    training: Mapping[str, Tensor],
) -> Path:
    """Write one checkpoint of a run and return its folder; a killed process leaves all of it or nothing.

    Raises:
        OutputError: no room or another operating system error; earlier checkpoints are untouched.
    """
    folder = run_folder / "checkpoints" / checkpoint_name(state.step)
    temporary = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_tensors(temporary / MODEL_FILE, weights, WEIGHTS_FORMAT)
        write_tensors(temporary / TRAINING_FILE, training, TRAINING_FORMAT)
        for name, content in notation.resources().items():
            write_bytes(temporary / name, content)
        info = CheckpointInfo(
            state=state,
            config=config,
            vocabulary_fingerprint=notation.vocabulary.fingerprint,
            games_digest=games_digest,
            model_sha256=sha256_file(temporary / MODEL_FILE),
            provenance=provenance,
        )
        write_json(temporary / INFO_FILE, info.to_json())
        temporary.rename(folder)
        fsync_folder(folder.parent)
    except OSError as error:
        raise OutputError(f"can't write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def write_tensors(path: Path, tensors: Mapping[str, Tensor], kind: str) -> None:
    """Write named tensors whole; equal tensors make equal bytes.

    Raises:
        OSError: no room, or another error of the operating system.
    """
    content = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}

    def write(temporary: Path) -> None:
        try:
            # One key only: safetensors writes several in no fixed order, and equal weights shall be equal bytes.
            save_file(content, temporary, metadata={"format": kind})
        except SafetensorError as error:
            raise OSError(str(error)) from error

    write_whole(path, write)


def keep_newest(run_folder: Path, count: int) -> None:
    """Remove all checkpoints of a run but the newest, and what killed writers left behind.

    Raises:
        OutputError: one can't be removed.
    """
    for folder in list_checkpoints(run_folder)[:-count]:
        # Renamed first: a folder with a checkpoint's name is never half there.
        doomed = folder.with_name(f".{folder.name}.old")
        try:
            folder.rename(doomed)
        except OSError as error:
            raise OutputError(f"can't remove {folder}: {error.strerror or error}") from error
    for leftover in (run_folder / "checkpoints").glob(".step_*"):
        shutil.rmtree(leftover, ignore_errors=True)


def read_weights(folder: Path, info: CheckpointInfo) -> dict[str, Tensor]:
    """The weights of a checkpoint, on the CPU, in float32 (a shipped model's file holds float16).

    Raises:
        InputError: the file is missing, cut short, or not the one that `checkpoint.json` names by its sha256.
    """
    path = folder / MODEL_FILE
    tensors = _read_tensors(path, WEIGHTS_FORMAT)
    found = sha256_file(path)
    if found != info.model_sha256:
        raise InputError(f"{path}: its sha256 is {found[:12]}…, but {INFO_FILE} names {info.model_sha256[:12]}…")
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}


def read_training(folder: Path) -> dict[str, Tensor]:
    """The optimiser's state of a checkpoint, on the CPU; raises as `read_weights` does."""
    return _read_tensors(folder / TRAINING_FILE, TRAINING_FORMAT)


def _read_tensors(path: Path, kind: str) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            found = (file.metadata() or {}).get("format")
            if found != kind:
                raise FormatError(f"{path}: expected {kind}, found {found!r}")
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a readable file of tensors: {error}") from error
