"""The models that a person may choose from: runs in given folders, shipped models, the random player.

Knows: where models are looked for, and what a line of the list says.
Doesn't know: how a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chesslm.errors import UserError
from play.inert_text import inert
from play.opponent import RANDOM

USUAL_FOLDERS = (Path("runs"), Path("demo/runs"))


def list_models(folders: Iterable[Path]) -> list[tuple[str, str]]:
    """What names each model, and a line about it; a folder is looked into, not below its runs.

    Imports torch, so it may take seconds.
    """
    from chesslm.checkpoint_files import read_info
    from chesslm.checkpoints import SHIPPED_FOLDER, find_checkpoint, shipped_models

    named = [(name, SHIPPED_FOLDER / name) for name in shipped_models()]
    runs = {run.resolve(): run for folder in folders for run in [folder, *sorted(_folders_in(folder))]}
    listed = []
    for name, path in [*named, *((str(run), run) for run in runs.values())]:
        try:
            info = read_info(find_checkpoint(path))
        except (UserError, OSError):
            continue  # no run, or one that has no checkpoint yet
        about = f"{info.config.data.notation}, {info.state.games_seen:,} games seen"
        listed.append((name, f"{inert(name, limit=44)}  ({about})"))
    return [*listed, (RANDOM, "random  (any legal move)")]


def _folders_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []
