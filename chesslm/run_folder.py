"""The folder of a run: whose it is.

Knows: config.json, when a folder may be gone on with, and that one process writes it.
Doesn't know: checkpoints' contents (`checkpoint_files`) or the training loop (`training`).

A run whose learning rate never decays has no fixed end: `training.steps` may be raised, and the run goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chesslm.checkpoint_files import list_checkpoints
from chesslm.checkpoints import RUN_FILE
from chesslm.config import TrainConfig, validate
from chesslm.errors import ConfigError, FormatError, OutputError, TrainingError
from chesslm.files import one_writer, read_json, require_utf8, write_json

CONFIG_FORMAT = "chesslm-run-config/1"
CONFIG_FILE = "config.json"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What two runs must share to be the same run.

    Args:
        config: the whole resolved configuration.
        games_digest: of the games folder.
        vocabulary_fingerprint: of the token files.
    """

    config: TrainConfig
    games_digest: str
    vocabulary_fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {
            "format": CONFIG_FORMAT,
            "digest": self.config.digest(),
            "games_digest": self.games_digest,
            "vocabulary_fingerprint": self.vocabulary_fingerprint,
            "config": self.config.model_dump(mode="json"),
        }


def require_same_run(folder: Path, identity: RunIdentity) -> TrainConfig | None:
    """Refuse a folder that holds anything but this run or nothing; the configuration that it has now, if any.

    Raises:
        OutputError: another run (names the first key that differs), or files that no run made.
        FormatError: its config.json is of another kind.
        InputError: its path isn't UTF-8.
    """
    require_utf8(folder)
    path = folder / CONFIG_FILE
    if not path.is_file():
        strangers = sorted(
            entry.name for entry in _entries(folder) if entry.name != "lock" and not entry.name.startswith(".")
        )
        if strangers:
            raise OutputError(f"{folder} exists and is no run (it holds {strangers[0]}); choose another run.out")
        return None
    found = read_json(path)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind != CONFIG_FORMAT:
        raise FormatError(f"{path}: expected {CONFIG_FORMAT}, found {kind!r}")
    try:
        # Settings that are newer than the run get their defaults: they are what it was trained with.
        stored = validate(TrainConfig, found.get("config"), source=str(path))
    except ConfigError as error:
        raise FormatError(f"{path}: no configuration of a run in it ({error})") from error
    own = replace(identity, config=_as_begun(stored, identity.config)).to_json()
    found["config"] = stored.model_dump(mode="json")
    # Where the run is written decides nothing: a moved folder is the same run.
    own["config"]["run"]["out"] = found["config"]["run"]["out"]
    difference = next(_differences(own, found), None)
    if difference is not None:
        raise OutputError(f"{folder} holds another run: {difference}; choose another run.out")
    return stored


def goes_on(stored: TrainConfig, own: TrainConfig) -> bool:
    """Whether what was trained with one configuration is a beginning of a run with another, or the same run."""
    return _as_begun(stored, own).digest() == stored.digest()


def _as_begun(stored: TrainConfig, own: TrainConfig) -> TrainConfig:
    """A run's configuration as it was before its steps were raised, which only a rate that never decays allows."""
    if own.optimiser.decay_share or own.training.steps < stored.training.steps:
        return own
    return own.model_copy(update={"training": own.training.model_copy(update={"steps": stored.training.steps})})


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"can't use {folder} as run.out: {error.strerror or error}") from error


def _differences(own: Any, found: Any, key: str = "") -> Iterator[str]:
    """Where two JSON documents differ, configuration first, digests (which only repeat it) never."""
    if isinstance(own, dict) and isinstance(found, dict):
        names = [*own, *(name for name in found if name not in own)]
        for name in sorted(names, key=lambda name: name != "config"):
            if name != "digest":
                inner = name if key in ("", "config") else f"{key}.{name}"
                yield from _differences(own.get(name), found.get(name), inner)
    elif own != found:
        yield f"{key} is {found!r} there, {own!r} here"


@contextmanager
def writing_run(folder: Path, identity: RunIdentity) -> Iterator[None]:
    """Hold a run's folder as its one writer; it has its `config.json` while the block runs.

    If the block fails before the first checkpoint, a folder that wasn't there before is gone again, so that the command
    can be given with a setting mended. If the loss isn't finite any more it stays: its log tells when that was.

    Raises:
        OutputError: another process holds it, it holds something else, or it can't be written.
    """
    was_there = folder.exists()
    with one_writer(folder):
        # Only now can nobody else put another run there.
        stored = require_same_run(folder, identity)
        is_new = not was_there and stored is None
        try:
            if stored is None or stored.training.steps != identity.config.training.steps:
                (folder / RUN_FILE).unlink(missing_ok=True)  # first: no file may name an end that is none
                write_json(folder / CONFIG_FILE, identity.to_json())
            yield
        except Exception as error:
            if is_new and not isinstance(error, TrainingError) and not list_checkpoints(folder):
                shutil.rmtree(folder, ignore_errors=True)
            raise
