"""Machine code that is kept belongs to the sources that it was made of, those of other files, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CALLED = """
from chesslm.step_kernels import compiled

@compiled
def times(x):
    return x * {factor}
"""
_CALLING = """
import called
from called import times
from chesslm.step_kernels import compiled_and_kept

@compiled_and_kept(called.__file__)
def twice(x):
    return times(x) + times(x)

print(twice(1.0), sum(twice.stats.cache_hits.values()))
"""


def result(folder: Path) -> str:
    command = [sys.executable, "-B", "calling.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_machine_code_is_kept_until_a_file_that_it_calls_changes(tmp_path: Path) -> None:
    (tmp_path / "calling.py").write_text(_CALLING)
    (tmp_path / "called.py").write_text(_CALLED.format(factor=3.0))
    assert (result(tmp_path), result(tmp_path)) == ("6.0 0", "6.0 1")
    (tmp_path / "called.py").write_text(_CALLED.format(factor=5.0))
    assert result(tmp_path) == "10.0 0"
