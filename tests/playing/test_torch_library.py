"""Torch's library is opened without torch being imported."""

import subprocess
import sys

import pytest

from play import torch_loading

ASKS = """
import sys
from pathlib import Path
from play.torch_loading import open_torch_library

def is_open():
    return "libtorch_cpu.so" in Path("/proc/self/maps").read_text()

print(is_open())
open_torch_library()
print(is_open(), "torch" in sys.modules)
import torch
open_torch_library()
print(float(torch.ones(3).sum()))
"""


def test_the_library_is_open_before_torch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["False", "True", "False", "3.0"], "")


def test_another_layout_of_torch_is_left_to_its_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_loading, "_LIBRARY", "nothing.so")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    torch_loading.open_torch_library()
