"""A causal language model of Hugging Face's, trained by others on games as text, as a model that can be measured.

Knows: how a user names one (`hf:FOLDER_OR_ID?text=pgn`), where it says how it writes games, which of its files are read
(JSON and safetensors, nothing that runs), and who it is.
Doesn't know: how text becomes tokens (`notation.text_notation`), or how the network is asked (`hugging_face_model`).

Needs the optional package `transformers`.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import torch
from pydantic import ValidationError
from tokenizers import Tokenizer
from torch import nn

from chesslm.checkpoints import pick_device
from chesslm.errors import FormatError, InputError, MissingToolError
from chesslm.files import sha256_file
from chesslm.hugging_face_model import ROOM_FOR_BRANCHES, HuggingFaceTokenModel
from chesslm.model import ParameterCounts
from chesslm.notation.text_notation import TextNotation
from chesslm.notation.text_template import TextTemplate

PREFIX = "hf:"
TEMPLATE_FILE = "chesslm.toml"
_FILES = ["*.json", "*.safetensors", TEMPLATE_FILE]
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
# Networks without a limit of their own (state spaces, relative positions).
_UNLIMITED_CONTEXT_LEN = 4_096


@dataclass(frozen=True)
class HuggingFaceModel:
    """A foreign model with everything that says what it is.

    Args:
        model: answers.
        notation: how it writes games.
        network: what answers for `model`.
        name: what to call it in tables: the folder's name or the id on the hub, and how it was asked.
        digest: sha256 (hex) over the names and the sha256 of its weights' files.
        counts: of its weights.
    """

    model: HuggingFaceTokenModel
    notation: TextNotation
    network: nn.Module
    name: str
    digest: str
    counts: ParameterCounts


def is_hugging_face(name: str | Path) -> bool:
    """Whether a user means a model of Hugging Face's."""
    return str(name).startswith(PREFIX)


def load_hugging_face(name: str, *, device: str = "auto") -> HuggingFaceModel:
    """A foreign model, ready to be asked.

    Args:
        name: `hf:` and a folder or an id on the hub, `?` and how it writes games (the keys of `TextTemplate`, `&`
            between them) where no `chesslm.toml` beside the weights says so.
        device: auto, cpu or cuda.

    Raises:
        MissingToolError: `transformers` isn't installed.
        InputError: no such model, or files that are missing or can't be read.
        FormatError: no way to write games is named; weights, tokenizer and template don't belong together.
    """
    transformers = _transformers()
    where, _, options = name.removeprefix(PREFIX).partition("?")
    folder = _folder(where)
    template = _template(folder, options, name)
    tokeniser = _tokeniser(folder)
    with _one_line(f"{PREFIX}{where}"):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    network = _network(transformers, folder, f"{PREFIX}{where}")
    text_config = config.get_text_config()
    num_ids = int(network.get_output_embeddings().weight.shape[0])
    notation = TextNotation(
        tokeniser,
        template,
        num_ids=num_ids,
        begin_id=_begin_id(tokeniser, template, text_config, name),
        end_id=_known(text_config.eos_token_id, num_ids),
        source=f"{PREFIX}{where}",
    )
    return HuggingFaceModel(
        model=HuggingFaceTokenModel(network.to(pick_device(device)), context_len=_context_len(text_config, where)),
        notation=notation,
        network=network,
        name=(Path(where).resolve().name if Path(where).is_dir() else where) + (f"?{options}" if options else ""),
        digest=_digest(folder),
        counts=_counts(network),
    )


def untrained_hugging_face(loaded: HuggingFaceModel, *, seed: int = 0) -> HuggingFaceModel:
    """The control: the same network with weights as `transformers` draws them before training."""
    transformers = _transformers()
    old: Any = loaded.network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = transformers.AutoModelForCausalLM.from_config(old.config).float().eval().to(old.device)
    return replace(
        loaded,
        model=HuggingFaceTokenModel(network, context_len=loaded.model.context_len),
        network=network,
        name=f"{loaded.name} untrained",
        digest=f"untrained:{loaded.digest}",
    )


def _transformers() -> Any:
    try:
        transformers: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingToolError(
            "models of Hugging Face's need the package transformers: pip install 'chesslm[hf]'"
        ) from error
    # Failures are told by exceptions, on one line; progress is ours to show.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _folder(where: str) -> Path:
    """The folder of a model: as named, or downloaded from the hub (without anything that could run)."""
    folder = Path(where)
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(where) or folder.parent.is_dir():
        raise InputError(f"{PREFIX}{where}: is no folder, nor an id on the hub like owner/model")
    hub: Any = importlib.import_module("huggingface_hub")
    with _one_line(f"{PREFIX}{where}: can't be had from the hub"):
        return Path(hub.snapshot_download(where, allow_patterns=_FILES))


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Whatever a foreign library raises about foreign files, as one line about them."""
    try:
        yield
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        raise InputError(f"{what}: {first or type(error).__name__}") from error


def _template(folder: Path, options: str, name: str) -> TextTemplate:
    found: dict[str, Any] = {}
    path = folder / TEMPLATE_FILE
    if path.is_file():
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {error}") from error
    try:
        found |= _options(options)
        if "text" not in found:
            ways = "pgn, pgn-tight, san or uci"
            raise FormatError(f"{name}: say how it writes games: ?text= one of {ways}, or text = in {path}")
        return TextTemplate.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FormatError(f"{name}: {key}: {first['msg']}") from error
    except ValueError as error:
        raise FormatError(f"{name}: can't read {options!r}: {error}") from error


def _options(options: str) -> Mapping[str, Any]:
    pairs = parse_qsl(options, keep_blank_values=True, strict_parsing=True) if options else []
    truth = {"true": True, "false": False}
    return {key: truth.get(value, value) if key == "marks" else value for key, value in pairs}


def _tokeniser(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"{path}: not there; only fast tokenizers can be used (save_pretrained writes the file)")
    with _one_line(str(path)):
        return Tokenizer.from_file(str(path))


def _network(transformers: Any, folder: Path, what: str) -> Any:
    with _one_line(what):
        network, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    lacking = [*sorted(report["missing_keys"]), *(str(key) for key in report.get("mismatched_keys", ()))]
    if lacking:
        raise FormatError(f"{what}: its weights lack {lacking[0]}, or have it in another shape")
    return network.eval()


def _begin_id(tokeniser: Tokenizer, template: TextTemplate, config: Any, name: str) -> int | None:
    if template.begin == "":
        return None
    if template.begin is not None:
        found = tokeniser.token_to_id(template.begin)
        if found is None:
            raise FormatError(f"{name}: begin: its tokenizer has no token {template.begin!r}")
        return int(found)
    with_special = tokeniser.encode("e4").ids
    if with_special[:1] != tokeniser.encode("e4", add_special_tokens=False).ids[:1]:
        return int(with_special[0])
    return _known(config.bos_token_id, tokeniser.get_vocab_size())


def _known(token: Any, num_ids: int) -> int | None:
    """A configuration's token, if it is one (some name several, or ones that the vocabulary lacks)."""
    first = token[0] if isinstance(token, list) and token else token
    return first if isinstance(first, int) and 0 <= first < num_ids else None


def _context_len(config: Any, where: str) -> int:
    longest = getattr(config, "max_position_embeddings", None) or _UNLIMITED_CONTEXT_LEN
    window = getattr(config, "sliding_window", None)
    context_len = min(longest, window or longest) - ROOM_FOR_BRANCHES
    if context_len < 1:
        raise FormatError(f"{PREFIX}{where}: its context of {longest} tokens leaves no room for games")
    return int(context_len)


def _digest(folder: Path) -> str:
    lines = [f"{path.name} {sha256_file(path)}\n" for path in sorted(folder.glob("*.safetensors"))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _counts(network: Any) -> ParameterCounts:
    embedding = network.get_input_embeddings().weight
    head = network.get_output_embeddings().weight
    own_head = 0 if head is embedding else head.numel()
    total = sum(parameter.numel() for parameter in network.parameters())
    return ParameterCounts(trunk=total - embedding.numel() - own_head, embedding=embedding.numel(), head=own_head)
