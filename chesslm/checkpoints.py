"""From a name or a path to a model that can be used.

Knows: what users may name (a checkpoint, a run, a shipped model), how weights are drawn, loaded and compared.
Doesn't know: the files of a checkpoint (`checkpoint_files`) or how a run goes on (`training`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import chesslm
from chesslm.checkpoint_files import INFO_FILE, CheckpointInfo, list_checkpoints, read_info, read_weights
from chesslm.config import ModelSection, TrainConfig
from chesslm.errors import FormatError, InputError
from chesslm.files import read_json
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.notation.registry import load_notation

RUN_FORMAT = "chesslm-run/1"
RUN_FILE = "run.json"
SHIPPED_FOLDER = Path(chesslm.__file__).resolve().parent / "models"


@dataclass(frozen=True)
class LoadedModel:
    """A model with everything that says what it is.

    Args:
        model: the network, ready for inference, on its device.
        notation: with the vocabulary that the weights belong to.
        config: the whole configuration of its run.
        name: what to call it in tables: a shipped name, a run's folder name, or run/checkpoint.
        digest: sha256 (hex) of `model.safetensors`; of an untrained control, of the model that it is the control of,
            with `untrained:` before it.
        step, games_seen, tokens_seen: how long it was trained.
        train_seconds: time spent in training steps, validations not counted.
        provenance: versions, commit, command, machine of its training.
    """

    model: Decoder
    notation: Notation
    config: TrainConfig
    name: str
    digest: str
    step: int
    games_seen: int
    tokens_seen: int
    train_seconds: float
    provenance: Mapping[str, Any]


def pick_device(device: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means here.

    Raises:
        InputError: CUDA was asked for by name and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds no CUDA device; use cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def fresh_model(config: ModelSection, vocabulary_len: int, seed: int) -> Decoder:
    """A model with freshly drawn weights, the same for the same seed; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Decoder(config, vocabulary_len)


def shipped_models() -> list[str]:
    """Names of the models that come with the package; may be empty."""
    return sorted(path.parent.name for path in SHIPPED_FOLDER.glob(f"*/{INFO_FILE}"))


def latest_checkpoint(run_folder: Path) -> Path | None:
    """The newest checkpoint of a run, None before the first."""
    checkpoints = list_checkpoints(run_folder)
    return checkpoints[-1] if checkpoints else None


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The checkpoint folder that a user meant: a folder comes before a shipped name.

    A run folder means its final checkpoint, or the newest while it is training.

    Raises:
        InputError: neither a folder with a model nor a shipped name; lists these.
        FormatError: the folder's run.json is of another kind.
    """
    folder = Path(name_or_path)
    if (folder / INFO_FILE).is_file():
        return folder
    if (folder / RUN_FILE).is_file():
        return folder / final_checkpoint(folder)
    newest = latest_checkpoint(folder)
    if newest is not None:
        return newest
    if str(name_or_path) in shipped_models():
        return SHIPPED_FOLDER / str(name_or_path)
    shipped = ", ".join(shipped_models()) or "none"
    what = "holds no checkpoint" if folder.is_dir() else "is no folder"
    raise InputError(f"{name_or_path}: {what}, and no model of that name is shipped (shipped: {shipped})")


def final_checkpoint(run_folder: Path) -> str:
    """The final checkpoint that a finished run names, relative to its folder."""
    path = run_folder / RUN_FILE
    found = read_json(path)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind != RUN_FORMAT:
        raise FormatError(f"{path}: expected {RUN_FORMAT}, found {kind!r}")
    return str(found.get("final_checkpoint", ""))


def load_model(name_or_path: str | Path, *, device: str = "auto") -> LoadedModel:
    """A trained model, ready for inference.

    Args:
        name_or_path: a checkpoint folder, a run folder or a shipped name.
        device: auto, cpu or cuda.

    Raises:
        InputError: no such model, a file that is missing or cut short.
        FormatError: files of another format or vocabulary, or weights that don't fit the configuration.
    """
    folder = find_checkpoint(name_or_path)
    info = read_info(folder)
    notation = load_checkpoint_notation(folder, info)
    # Seed 0: every weight is overwritten.
    model = fresh_model(info.config.model, len(notation.vocabulary), seed=0)
    copy_weights(model, read_weights(folder, info), source=str(folder))
    return LoadedModel(
        model=model.to(pick_device(device)).eval(),
        notation=notation,
        config=info.config,
        name=_name(folder),
        digest=info.model_sha256,
        step=info.state.step,
        games_seen=info.state.games_seen,
        tokens_seen=info.state.tokens_seen,
        train_seconds=info.state.train_s,
        provenance=info.provenance,
    )


def _name(folder: Path) -> str:
    folder = folder.resolve()
    if folder.parent.name != "checkpoints":
        return folder.name
    run = folder.parents[1]
    is_final = (run / RUN_FILE).is_file() and run / final_checkpoint(run) == folder
    return run.name if is_final else f"{run.name}/{folder.name}"


def load_checkpoint_notation(folder: Path, info: CheckpointInfo) -> Notation:
    """The notation of a checkpoint.

    Raises:
        FormatError: its vocabulary file is not the one that the weights belong to; names both.
    """
    notation = load_notation(info.config.data.notation, folder)
    found = notation.vocabulary.fingerprint
    if found != info.vocabulary_fingerprint:
        raise FormatError(
            f"{folder}: its vocabulary is {found[:12]}, but its weights belong to {info.vocabulary_fingerprint[:12]}"
        )
    return notation


def copy_weights(model: Decoder, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Give a model these weights.

    Raises:
        FormatError: names or shapes differ; names `source` and the first tensor that differs.
    """
    own = model.state_dict()
    for name in [*own, *weights]:
        here, there = _shape(own, name), _shape(weights, name)
        if here != there:
            raise FormatError(f"{source}: weight {name} is {there}, but the model's is {here}")
    model.load_state_dict(dict(weights))


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return f"{tuple(weights[name].shape)} {weights[name].dtype}" if name in weights else "missing"


def initialise_from(model: Decoder, notation: Notation, name_or_path: str) -> list[dict[str, Any]]:
    """Start from the weights of another model of the same shape and vocabulary; nothing else is taken from it.

    Returns:
        What those weights had seen, for `provenance["ancestors"]`: the other model's ancestors, then itself.

    Raises:
        InputError, FormatError: as `load_model`; and a vocabulary or a shape that differs, naming both sides.
    """
    folder = find_checkpoint(name_or_path)
    info = read_info(folder)
    own = notation.vocabulary.fingerprint
    if info.vocabulary_fingerprint != own:
        raise FormatError(
            f"run.init_from {name_or_path}: its vocabulary is {info.vocabulary_fingerprint[:12]} "
            f"({info.config.data.notation}), but the token files' is {own[:12]} ({notation.name})"
        )
    copy_weights(model, read_weights(folder, info), source=f"run.init_from {name_or_path}")
    seen = {"games_seen": info.state.games_seen, "tokens_seen": info.state.tokens_seen, "train_s": info.state.train_s}
    return [*ancestors(info), {"model": name_or_path, "model_sha256": info.model_sha256, **seen}]


def ancestors(info: CheckpointInfo) -> list[dict[str, Any]]:
    """Whose weights a run began with, the oldest first: `{model, model_sha256, games_seen, tokens_seen, train_s}`."""
    return list(info.provenance.get("ancestors", ()))


def untrained(loaded: LoadedModel) -> LoadedModel:
    """The control: the same model with the weights that its seed draws before any training."""
    device = loaded.model.embedding.weight.device
    model = fresh_model(loaded.config.model, len(loaded.notation.vocabulary), loaded.config.run.seed)
    return replace(
        loaded,
        model=model.to(device).eval(),
        name=f"{loaded.name} untrained",
        digest=f"untrained:{loaded.digest}",
        step=0,
        games_seen=0,
        tokens_seen=0,
        train_seconds=0.0,
    )
