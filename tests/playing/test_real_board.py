"""The board as a process at a real (pseudo) terminal: however it is left, no game is lost."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "chesslm.cli", "play", "--model", "random", "--colour", "white"]
CTRL_C, CTRL_Q = b"\x03", b"\x11"


class Window:
    """A terminal window of 80 x 24 with the board in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            COMMAND,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "TERM": "xterm-256color", **environment},
            start_new_session=True,
            # The pseudo-terminal must be the process's own, or it hears of no closed window.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.said = ""

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.said:
            assert time.monotonic() < deadline, f"{text!r} was never said; only {self.said[-2000:]!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                self.said += os.read(self._terminal, 65536).decode("utf-8", "replace")

    def code(self) -> int:
        """Read to the end and return the exit code."""
        while True:
            try:
                self.said += os.read(self._terminal, 65536).decode("utf-8", "replace")
            except OSError:  # Linux says EIO once the other side has gone.
                return self.process.wait(timeout=60)

    def close(self) -> None:
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


def _terminated(window: Window) -> int:
    window.process.send_signal(signal.SIGTERM)
    return window.code()


def _interrupted(window: Window) -> int:
    window.type(CTRL_C)
    return window.code()


def _left(window: Window) -> int:
    window.type(CTRL_Q)
    return window.code()


@pytest.mark.parametrize(("leave", "code"), [(_left, 0), (_interrupted, 130), (_terminated, 130)])
def test_a_game_that_is_left_is_recorded_and_can_be_taken_up_again(
    leave: Callable[[Window], int], code: int, tmp_path: Path
) -> None:
    window = Window(tmp_path, {})
    try:
        window.wait_for("sits down")
        window.type(b"e4\r")
        window.wait_for("random played")
        assert leave(window) == code
    finally:
        window.close()
        window.process.kill()
        window.process.wait()
    assert "Recorded" in window.said
    assert "chesslm play --model random --colour white --moves '1. e4 " in window.said
    assert "Traceback" not in window.said
    (line,) = (tmp_path / ".local/share/chesslm/games.jsonl").read_text().splitlines()
    assert (json.loads(line)["moves"][0], json.loads(line)["typed"]) == ("e2e4", True)


def test_a_closed_window_loses_no_game_and_an_ascii_locale_sees_ascii(tmp_path: Path) -> None:
    window = Window(tmp_path, {"LC_ALL": "C"})
    try:
        window.wait_for("sits down")
        window.type(b"e4\r")
        window.wait_for("random played")
        assert window.said.isascii()
        window.close()
        window.process.wait(timeout=60)
    finally:
        window.process.kill()
        window.process.wait()
    (line,) = (tmp_path / ".local/share/chesslm/games.jsonl").read_text().splitlines()
    assert json.loads(line)["termination"] == "unfinished"
