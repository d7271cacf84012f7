"""Models that come with the package: which there are, and how a trained one becomes one of them.

Knows: the layout of `chesslm/models/<name>/`, and half precision.
Doesn't know: how a model is loaded (`checkpoints`) or measured, or what its card says (`model_card`).

Layout: a checkpoint without the optimiser's state, its weights in float16, and `README.md`, the model card.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from chesslm.checkpoint_files import (
    INFO_FILE,
    MODEL_FILE,
    WEIGHTS_FORMAT,
    read_info,
    read_weights,
    write_tensors,
)
from chesslm.checkpoints import SHIPPED_FOLDER, ancestors, find_checkpoint, load_checkpoint_notation, shipped_models
from chesslm.config import TrainConfig, validate
from chesslm.errors import FormatError, OutputError
from chesslm.files import read_json, sha256_file, write_bytes, write_json
from chesslm.model_card import RESULTS_FORMAT, STRENGTH_FORMAT, card, has_numbers_of

CARD_FILE = "README.md"
# Absolute paths of the machine that trained: their last part says enough.
_FOLDERS = re.compile(r"(?<![^\s=\"':])(?:/[^\s/=\"']+)+/(?=[^\s/=\"']+)")


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """What a list of models shows of one.

    Args:
        name: as `--model` takes it.
        notation: the registry's name.
        num_params: all weights.
        games_seen, tokens_seen: in training, repetitions and those of the weights that it began with counted.
        num_bytes: of its weights' file.
    """

    name: str
    notation: str
    num_params: int
    games_seen: int
    tokens_seen: int
    num_bytes: int


def list_shipped() -> list[ShippedModel]:
    """The shipped models, by name.

    Raises:
        InputError, FormatError: one of them can't be read.
    """
    found = []
    for name in shipped_models():
        folder = SHIPPED_FOLDER / name
        info = read_info(folder)
        num_params = sum(tensor.numel() for tensor in read_weights(folder, info).values())
        before = ancestors(info)
        found.append(
            ShippedModel(
                name,
                info.config.data.notation,
                num_params,
                info.state.games_seen + sum(each["games_seen"] for each in before),
                info.state.tokens_seen + sum(each["tokens_seen"] for each in before),
                (folder / MODEL_FILE).stat().st_size,
            )
        )
    return found


def export(name_or_path: str, out: Path) -> Path:
    """Write a trained model as one that can be shipped; its card has no numbers yet (`write_card`).

    Args:
        name_or_path: checkpoint, run folder or shipped name.
        out: folder to be made; its name is the model's.

    Raises:
        InputError, FormatError: the model can't be used.
        OutputError: `out` exists, or can't be written.
    """
    source = find_checkpoint(name_or_path)
    info = read_info(source)
    notation = load_checkpoint_notation(source, info)
    weights = {name: tensor.to(torch.float16) for name, tensor in read_weights(source, info).items()}
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise FormatError(f"{source}: has weights that half precision can't hold")
    if out.exists():
        raise OutputError(f"{out} exists already")
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_tensors(temporary / MODEL_FILE, weights, WEIGHTS_FORMAT)
        for file, content in notation.resources().items():
            write_bytes(temporary / file, content)
        shipped = replace(
            info,
            model_sha256=sha256_file(temporary / MODEL_FILE),
            config=validate(TrainConfig, _without_folders(info.config.model_dump()), source=str(source)),
            provenance=_without_folders(info.provenance),
        )
        write_json(temporary / INFO_FILE, shipped.to_json())
        write_card(temporary, (), name=out.name)
        temporary.rename(out)
    except OSError as error:
        raise OutputError(f"can't write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def write_card(folder: Path, measured: Sequence[Path], *, name: str | None = None) -> Path:
    """Write the card of a shipped model anew.

    Args:
        folder: of the model, as `export` made it.
        measured: results files (`--json` of `chesslm eval`) whose numbers of exactly these weights the card shows.
        name: of the model; the folder's if absent.

    Raises:
        InputError, FormatError: the folder or a results file can't be used.
        OutputError: the card can't be written.
    """
    info = read_info(folder)
    num_params = sum(tensor.numel() for tensor in read_weights(folder, info).values())
    results = [_read_results(path, info.model_sha256) for path in measured]
    path = folder / CARD_FILE
    write_bytes(path, card(name or folder.resolve().name, info, num_params, results).encode())
    return path


def without_folders(text: str) -> str:
    """A text whose absolute paths keep only their last part.

    >>> without_folders("--set data.games=/home/me/data/otb steps=3")
    '--set data.games=otb steps=3'
    """
    return _FOLDERS.sub("", text)


def _without_folders(value: Any) -> Any:
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, Mapping):
        return {key: _without_folders(content) for key, content in value.items()}
    if isinstance(value, list):
        return [_without_folders(content) for content in value]
    return value


def _read_results(path: Path, digest: str) -> Mapping[str, Any]:
    found = read_json(path)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind not in (RESULTS_FORMAT, STRENGTH_FORMAT):
        raise FormatError(f"{path}: expected {RESULTS_FORMAT} or {STRENGTH_FORMAT}, found {kind!r}")
    if not has_numbers_of(found, digest):
        raise FormatError(f"{path}: has no numbers of the model with the weights {digest[:12]}…")
    results: Mapping[str, Any] = found
    return results
