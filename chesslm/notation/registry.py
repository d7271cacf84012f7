"""Loading a notation by name: the one line a new notation adds lives here.

Knows: which module makes which notation, and how a notation comes back from its resource files.
Doesn't know: how any notation works.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from importlib import resources as package_resources
from pathlib import Path
from typing import Protocol, cast

from chesslm.errors import ConfigError, FormatError
from chesslm.game import Game
from chesslm.notation.base import Notation

# name -> module; each module has `build(name, games)` and `load(name, resources, source)`.
NOTATION_MODULES: dict[str, str] = {
    "pgn": "chesslm.notation.pgn",
    "english": "chesslm.notation.english",
    "english_varied": "chesslm.notation.english",
    "char": "chesslm.notation.char",
    "uci_squares": "chesslm.notation.uci_squares",
}
RESOURCE_FILES = ("vocabulary.json", "tokenizer.json")


class _NotationModule(Protocol):
    @staticmethod
    def build(name: str, games: Iterable[Game]) -> Notation: ...

    @staticmethod
    def load(name: str, resources: Mapping[str, bytes], source: str) -> Notation: ...


def _module(name: str) -> _NotationModule:
    if name not in NOTATION_MODULES:
        raise ConfigError(f"unknown notation {name!r}; known: {', '.join(NOTATION_MODULES)}")
    return cast(_NotationModule, importlib.import_module(NOTATION_MODULES[name]))


def build_notation(name: str, games: Iterable[Game]) -> Notation:
    """A notation whose vocabulary is trained on `games` (ignored where the vocabulary is computed)."""
    return _module(name).build(name, games)


def load_notation(name: str, folder: Path) -> Notation:
    """A notation from the resource files in a folder of token files or a checkpoint.

    Raises:
        ConfigError: unknown name.
        FormatError: a resource file is missing or of another kind.
    """
    found = {file: (folder / file).read_bytes() for file in RESOURCE_FILES if (folder / file).is_file()}
    if "vocabulary.json" not in found:
        raise FormatError(f"{folder}: no vocabulary.json, so this is neither token files nor a checkpoint")
    return _module(name).load(name, found, str(folder))


def default_notation(name: str) -> Notation:
    """A notation with the vocabulary that ships with the package (trained on the embedded sample)."""
    module = _module(name)
    folder = package_resources.files("chesslm.notation") / "defaults" / name
    found = {file: (folder / file).read_bytes() for file in RESOURCE_FILES if (folder / file).is_file()}
    return module.load(name, found, f"default {name} vocabulary")
