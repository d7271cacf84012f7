"""Models that come with the package: which there are, and how a trained one becomes one of them.

Knows: the layout of `chesslm/models/<name>/`, half precision, and the model card.
Doesn't know: how a model is loaded (`checkpoints`) or measured; what was measured is read from result files.

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
    CheckpointInfo,
    read_info,
    read_weights,
    write_tensors,
)
from chesslm.checkpoints import SHIPPED_FOLDER, ancestors, find_checkpoint, load_checkpoint_notation, shipped_models
from chesslm.errors import FormatError, OutputError
from chesslm.files import read_json, sha256_file, write_bytes, write_json

CARD_FILE = "README.md"
# Absolute paths of the machine that trained: their last part says enough.
_FOLDERS = re.compile(r"(?:/[^\s/=\"']+)+/(?=[^\s/=\"']+)")


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
            config=info.config.model_copy(
                update={
                    "run": info.config.run.model_copy(update={"out": without_folders(info.config.run.out)}),
                    "data": info.config.data.model_copy(update={"games": without_folders(info.config.data.games)}),
                }
            ),
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


def card(name: str, info: CheckpointInfo, num_params: int, results: Sequence[Mapping[str, Any]]) -> str:
    """The model card, Markdown.

    Args:
        name: of the model.
        info: of the checkpoint that is shipped.
        num_params: all weights.
        results: contents of results files with numbers of this model.
    """
    state, config, provenance = info.state, info.config, info.provenance
    section = config.model
    lines = [
        f"# {name}",
        "",
        f"A decoder Transformer that writes chess games in the notation `{config.data.notation}`. It was trained from "
        "scratch by next-token prediction on real games alone: no rules, no engine, no other text.",
        "",
        f"- **Shape**: {num_params:,} weights; width {section.width}, depth {section.depth}, {section.heads} heads, "
        f"SwiGLU {section.mlp_width}, context {section.context_len} tokens; float16 in the file.",
        f"- **Training**: {state.games_seen:,} games ({state.tokens_seen:,} tokens, repetitions counted), "
        f"{state.step:,} steps, {state.train_s / 3600:.1f} hours on {provenance.get('cpu', 'an unknown processor')}.",
        f"- **Data**: `{config.data.games}`, games digest `{info.games_digest[:16]}`; games are never cut, and its "
        "test and val splits were not trained on.",
        *_started_from(info),
        f"- **Command**: `{' '.join(map(str, provenance.get('command', ())))}` {_at_commit(provenance)}; "
        "the whole configuration is in `checkpoint.json`.",
        "- **Limits**: it knows no position, only the game so far, from the start position on; where it writes a move "
        "that isn't legal, players either take the most probable legal one (lenient) or lose (strict).",
        "- **Licence**: GPL-3.0-or-later, as the package.",
        "",
        "## Measured",
        "",
    ]
    if not results:
        return "\n".join([*lines, "Nothing yet.", ""])
    lines += [
        f"These weights (`{info.model_sha256[:16]}`) on held-out games, with 95 % intervals.",
        "",
        "| games | metric | subset | value | interval | n |",
        "|---|---|---|---|---|---|",
    ]
    for found in results:
        games = f"{Path(str(found['games']['source'])).name} ({found['games']['split'] or 'all'})"
        for measure in _of_model(found, info.model_sha256):
            if measure["detail"] is None and measure["first_ply"] is None:
                value, low, high = (_shown(measure[key], str(measure["unit"])) for key in ("value", "low", "high"))
                lines.append(
                    f"| {games} | {measure['metric']} | {measure['subset']} | {value} | {low} – {high} "
                    f"| {measure['n']:,} |"
                )
    return "\n".join([*lines, ""])


def _at_commit(provenance: Mapping[str, Any]) -> str:
    commit = provenance.get("commit")
    return f"at commit `{commit}`" if commit else "outside a git checkout, so at no recorded commit"


def _started_from(info: CheckpointInfo) -> list[str]:
    """Lines on the weights that the run began with, and the sum of all that was seen; none for a run of its own."""
    before = ancestors(info)
    if not before:
        return []
    named = "; ".join(
        f"`{each['model']}` (`{each['model_sha256'][:16]}`): {each['games_seen']:,} games, {each['tokens_seen']:,} "
        f"tokens, {each['train_s'] / 3600:.1f} hours"
        for each in before
    )
    games, tokens, train_s = (
        getattr(info.state, key) + sum(each[key] for each in before) for key in ("games_seen", "tokens_seen", "train_s")
    )
    return [
        f"- **Began with the weights of** {named}. "
        f"In all {games:,} games, {tokens:,} tokens, {train_s / 3600:.1f} hours."
    ]


def _shown(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == "rate" else f"{value:.3f}"


def _of_model(results: Mapping[str, Any], digest: str) -> list[dict[str, Any]]:
    return [measure for measure in results["measures"] if measure["checkpoint_digest"] == digest]


def _read_results(path: Path, digest: str) -> Mapping[str, Any]:
    found = read_json(path)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind != "chesslm-results/1":
        raise FormatError(f"{path}: expected chesslm-results/1, found {kind!r}")
    if not _of_model(found, digest):
        raise FormatError(f"{path}: has no numbers of the model with the weights {digest[:12]}…")
    results: Mapping[str, Any] = found
    return results
