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

import chesslm
from chesslm.errors import OutputError
from chesslm.game_files import read_manifest
from chesslm.provenance import source_commit
from data_prep.config import PrepareConfig
from data_prep.decompress import TextInput

_PACKAGES = ("chess", "pyarrow", "tokenizers", "zstandard")


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One input as a manifest records it.

    Args:
        name: the file's name without its folder.
        size: bytes, as they lie on disk.
        sha256: of these bytes, hex.
    """

    name: str
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """A JSON-able twin."""
        return asdict(self)


def record_of(source: TextInput) -> InputRecord:
    """The record of an input that has been read to its end."""
    return InputRecord(source.name, source.num_bytes, source.sha256)


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
    if manifest.get("config") != config.deciding_values():
        raise OutputError(f"{games_folder.parent} exists and was made with other settings; choose another --out")
