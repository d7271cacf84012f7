"""What all tests share: Stockfish tests that say when they were left out, and quiet, repeatable torch."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread_a_worker() -> None:
    """Parallel test processes share the cores; more threads in each would only fight."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


def pytest_configure() -> None:
    # A suite that a script starts in the background ignores Ctrl-C, and would hand that on to the commands it tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-stockfish", action="store_true", help="fail instead of leaving out Stockfish tests")
    parser.addoption("--exhaustive", action="store_true", help="check every move where the suite checks a sample")


def _has_stockfish() -> bool:
    return shutil.which("stockfish") is not None or Path("/usr/games/stockfish").is_file()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _has_stockfish():
        return
    if config.getoption("--require-stockfish"):
        raise pytest.UsageError("--require-stockfish, but Stockfish is not installed (Debian package stockfish)")
    left_out = [item for item in items if item.get_closest_marker("stockfish")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _has_stockfish():
        terminalreporter.write_line("left out: the tests that need Stockfish (Debian package stockfish)")
