"""Where something was made: versions, commit, command, machine. Written into checkpoints.

Knows: how to ask the interpreter, the installed packages, the source tree's git folder and /proc.
Doesn't know: what was made.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chesslm

PACKAGES = ("torch", "numpy", "safetensors", "chess", "tokenizers")


def provenance(command: Sequence[str]) -> dict[str, Any]:
    """JSON-able facts about this process: `versions`, `commit` (`source_commit`), `command`, `cpu`.

    Args:
        command: the command line as the user wrote it.
    """
    versions = {name: version(name) for name in PACKAGES}
    return {
        "versions": {"chesslm": chesslm.__version__, "python": platform.python_version(), **versions},
        "commit": source_commit(),
        "command": list(command),
        "cpu": cpu_name(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }


def source_commit(root: Path | None = None) -> str | None:
    """The commit checked out in the source tree; None if this is no source tree.

    With `-dirty` behind it if a tracked file differs from the commit: the commit alone would not bring the code back.

    Args:
        root: the folder that would hold `.git`; that of this package if None.
    """
    root = root or Path(chesslm.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changes else commit


def _git(root: Path, *arguments: str) -> str:
    # Without locks: who only looks must not get in the way of somebody who commits.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=True)
    return done.stdout.strip()


def cpu_name() -> str:
    """The processor's name as the kernel gives it, or what the platform module knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.processor() or platform.machine()
