"""Manifests: what a prepared folder was made from, with which settings and versions.

Knows: inputs by digest, versions, commit, and whether an existing folder belongs to the same inputs and settings.
Doesn't know: how games or tokens are written.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import chesslm
from chesslm.errors import InputError, OutputError
from chesslm.game_files import read_manifest
from chesslm.provenance import source_commit
from data_prep.config import PrepareConfig
from data_prep.decompress import TextInput
from data_prep.sidecars import SUMS, expected_games, expected_sha256

_PACKAGES = ("chess", "numba", "numpy", "pyarrow", "tokenizers", "zstandard")


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One input as a manifest records it.

    Args:
        name: the file's name without its folder.
        size: bytes, as they lie on disk.
        sha256: of these bytes, hex.
        games: games read from it, kept or not.
        expected_games: how many there should be, if a file beside it says so (`sidecars`).
    """

    name: str
    size: int
    sha256: str
    games: int | None = None
    expected_games: int | None = None

    @property
    def warning(self) -> str | None:
        """What is wrong with the number of games; None if nothing is known to be."""
        if self.expected_games is None or self.games is None or self.games == self.expected_games:
            return None
        name = "".join(character if character.isprintable() else "?" for character in self.name)
        return f"{name}: {self.games:,} games were read, but there should be {self.expected_games:,}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-able twin."""
        return asdict(self)


def record_of(source: TextInput, games: int | None = None) -> InputRecord:
    """The record of an input that has been read to its end, and the number of its games."""
    return InputRecord(source.name, source.num_bytes, source.sha256, games, expected_games(source.path))


def check_sha256(source: TextInput) -> None:
    """Make sure that an input that has been read to its end is what the sha256sums.txt beside it says, if there is one.

    Raises:
        InputError: it isn't.
    """
    expected = expected_sha256(source.path)
    if expected is not None and expected != source.sha256:
        raise InputError(
            f"{source.path}: its sha256 is {source.sha256[:12]}…, but {SUMS} beside it says {expected[:12]}…: "
            "it is damaged, cut short or another file"
        )


def versions() -> dict[str, str]:
    """Versions of everything that could change a byte of the result."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"chesslm": chesslm.__version__, "python": platform.python_version(), **packages}


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The commit of the source tree that this process runs from; None if there is none."""
    return source_commit()


def provenance() -> dict[str, Any]:
    """The fields that every manifest ends with."""
    return {"versions": versions(), "commit": commit()}


def check_same(games_folder: Path, records: Sequence[InputRecord], config: PrepareConfig) -> None:
    """Make sure that an existing games folder was made from these inputs with these settings.

    Raises:
        OutputError: it wasn't; says which differs.
    """
    manifest = read_manifest(games_folder)
    found = [entry.get("sha256") for entry in manifest.get("inputs", ())]
    if found != [record.sha256 for record in records]:
        raise OutputError(f"{games_folder.parent} exists and was made from other inputs; choose another --out")
    if _settings(manifest) != config.deciding_values():
        raise OutputError(f"{games_folder.parent} exists and was made with other settings; choose another --out")


def _settings(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The settings of a manifest; those that came up since it was written have their defaults."""
    try:
        return PrepareConfig.model_validate(manifest.get("config")).deciding_values()
    except ValidationError:
        return None
