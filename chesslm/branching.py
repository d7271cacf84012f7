"""The decay branch from a stable checkpoint: one long run at a constant rate, many ends.

Knows: what a run and the run that it branches from must share, and where on their schedules they may part.
Doesn't know: how a checkpoint is taken up (`training`).

A run with `optimiser.decay_share = 0` has no fixed end. From any of its checkpoints a branch takes weights, optimiser
state and place in the data, goes on to its own `training.steps` and decays over the last of them (Hägele et al. 2024).
While both rates are constant the branch makes the same steps as its stem, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chesslm.checkpoint_files import CheckpointInfo, read_info
from chesslm.checkpoints import find_checkpoint
from chesslm.config import TrainConfig
from chesslm.errors import ConfigError
from chesslm.run_folder import RunIdentity

# Whatever else differs (steps, decay, pieces, device, validation) changes no step before the decay but by rounding.
_SHARED: dict[str, Any] = {
    "run": {"seed"},
    "data": {"notation", "max_games"},
    "model": True,
    "optimiser": True,
    "training": {"games_per_step", "tokens_per_step"},
}


def open_branch(name_or_path: str, identity: RunIdentity) -> Path:
    """The checkpoint that a new run branches from.

    Args:
        name_or_path: `run.branch_from`.
        identity: of the new run.

    Raises:
        InputError, FormatError: no such checkpoint, or files of another kind.
        ConfigError: it is of other games or another vocabulary, a setting that must be equal isn't (names the first),
            or one of the two schedules decays before they part.
    """
    folder = find_checkpoint(name_or_path)
    info = read_info(folder)
    difference = next(_differences(info, identity), None)
    if difference is not None:
        raise ConfigError(f"run.branch_from {name_or_path}: {difference}")
    own, done = identity.config, info.state.step
    if own.training.steps <= done:
        raise ConfigError(
            f"training.steps is {own.training.steps}, but run.branch_from {name_or_path} has {done} steps already"
        )
    for config, whose in ((info.config, "its run's"), (own, "this run's")):
        begin = decay_begin(config)
        if done > begin:
            raise ConfigError(
                f"run.branch_from {name_or_path}: it has {done} steps, but {whose} decay begins after {begin}"
            )
    return folder


def decay_begin(config: TrainConfig) -> int:
    """Steps before the learning rate falls."""
    steps = config.training.steps
    # The first step of the decay still has the whole rate (`optimiser.schedule`).
    return min(steps, steps - round(steps * config.optimiser.decay_share) + 1)


def _differences(info: CheckpointInfo, identity: RunIdentity) -> Iterator[str]:
    for name, there, here in (
        ("games_digest", info.games_digest, identity.games_digest),
        ("vocabulary", info.vocabulary_fingerprint, identity.vocabulary_fingerprint),
    ):
        if there != here:
            yield f"{name} is {there[:12]} there, {here[:12]} here"
    stem, own = _shared(info.config), _shared(identity.config)
    for section, values in own.items():
        for key, here in values.items():
            if stem[section][key] != here:
                yield f"{section}.{key} is {stem[section][key]!r} there, {here!r} here"


def _shared(config: TrainConfig) -> dict[str, dict[str, Any]]:
    return config.model_dump(mode="json", include=_SHARED, exclude={"optimiser": {"decay_share"}})
