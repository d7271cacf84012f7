"""What all tests share: Stockfish tests that say when they were left out, and quiet, repeatable torch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-stockfish", action="store_true", help="fail instead of leaving out Stockfish tests")


def _has_stockfish() -> bool:
    return shutil.which("stockfish") is not None or Path("/usr/games/stockfish").is_file()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _has_stockfish():
        return
    if config.getoption("--require-stockfish"):
        raise pytest.UsageError("--require-stockfish, but Stockfish is not installed (Debian package stockfish)")
    kept, left_out = [], []
    for item in items:
        (left_out if item.get_closest_marker("stockfish") else kept).append(item)
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


LEFT_OUT = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"left out: {count} tests that need Stockfish (Debian package stockfish)")
