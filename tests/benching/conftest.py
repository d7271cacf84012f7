"""The benchmarks are run from the repository's root, where they lie; no installed package holds them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
