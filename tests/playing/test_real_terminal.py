"""The command as a process: at a real (pseudo) terminal, through pipes, with Ctrl-C, Ctrl-D and a closed window."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "chesslm.cli", "play", "--model", "random"]
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Typist:
    """A person at a pseudo-terminal: types, and waits until something is said."""

    def __init__(self, terminal: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._terminal = terminal
        self.said = ""

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def wait_for(self, text: str, count: int = 1) -> None:
        deadline = time.monotonic() + 20
        while self.said.count(text) < count:
            assert time.monotonic() < deadline, f"{text!r} was never said; only {self.said!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                self.said += self._read()
        # readline prints its prompt a moment before it listens; a signal in between is only seen with the next key.
        time.sleep(0.2)

    def code(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline, f"it goes on; only {self.said!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                if not (more := self._read()):
                    return self.process.wait(timeout=20)
                self.said += more

    def hang_up(self) -> int:
        """Close the window."""
        os.close(self._terminal)
        self._terminal = -1
        return self.process.wait(timeout=20)

    def _read(self) -> str:
        try:
            return os.read(self._terminal, 65536).decode("utf-8", "replace")
        except OSError:  # Linux says EIO once the other side has gone.
            return ""

    def close(self) -> None:
        if self._terminal >= 0:
            os.close(self._terminal)
        self.process.kill()
        self.process.wait()


@contextmanager
def at_terminal(folder: Path, *options: str) -> Iterator[Typist]:
    mine, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(folder), "TERM": "dumb"}
    process = subprocess.Popen(
        [*COMMAND, *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
        # The pseudo-terminal must be the process's own, or Ctrl-C sends nobody a signal.
        preexec_fn=_own_terminal,
    )
    os.close(theirs)
    typist = Typist(mine, process)
    try:
        yield typist
    finally:
        typist.close()


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def games(folder: Path) -> list[dict[str, Any]]:
    path = folder / ".local/share/chesslm/games.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_ctrl_d_leaves_cleanly_and_the_game_is_in_the_ledger(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as person:
        person.wait_for("Your move> ")
        person.type(b"e4\n")
        person.wait_for("Your move> ", 2)
        person.type(CTRL_D)
        assert person.code() == 0
        assert "The game is unfinished. This takes it up again:" in person.said
        assert "Traceback" not in person.said
    assert [(game["typed"], game["termination"], game["moves"][0]) for game in games(tmp_path)] == [
        (True, "unfinished", "e2e4")
    ]


def test_ctrl_c_leaves_with_130_and_the_game_is_in_the_ledger(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as person:
        person.wait_for("Your move> ")
        person.type(b"e4\n")
        person.wait_for("Your move> ", 2)
        person.type(CTRL_C)
        assert person.code() == 130
        assert "The game is unfinished. This takes it up again:" in person.said
        assert "interrupted" in person.said
        assert "Traceback" not in person.said
    assert len(games(tmp_path)) == 1


@pytest.mark.parametrize("is_window_closed", [True, False])
def test_a_closed_window_and_a_termination_lose_no_game(is_window_closed: bool, tmp_path: Path) -> None:
    with at_terminal(tmp_path) as person:
        person.wait_for("Your move> ")
        person.type(b"e4\n")
        person.wait_for("Your move> ", 2)
        if is_window_closed:
            person.hang_up()
        else:
            person.process.send_signal(signal.SIGTERM)
            assert person.code() == 130
    assert [game["termination"] for game in games(tmp_path)] == ["unfinished"]


def test_without_a_ledger_nothing_is_written(tmp_path: Path) -> None:
    with at_terminal(tmp_path, "--no-ledger") as person:
        person.wait_for("Your move> ")
        person.type(b"e4\nresign\nquit\n")
        assert person.code() == 0
        assert "White" in person.said
    assert list(tmp_path.iterdir()) == []


def test_a_typed_game_counts_in_the_record(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as person:
        person.wait_for("Your move> ")
        person.type(b"e4\nresign\nquit\n")
        assert person.code() == 0
        assert "Recorded in" in person.said
    with at_terminal(tmp_path, "--record") as person:
        assert person.code() == 0
        assert "random  -        -         1      0     0       0" in person.said


@pytest.mark.parametrize(
    ("environment", "first_rank"),
    [({"PYTHONIOENCODING": "ascii"}, "r  n  b  q  k"), ({"PYTHONIOENCODING": "utf-8"}, "♜  ♞  ♝  ♛  ♚")],
)
def test_noise_on_a_pipe_is_answered_in_the_pipe_s_encoding(
    environment: dict[str, str], first_rank: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        COMMAND,
        input=bytes(range(1, 256)) + b"\n\xff\xfe\ne4\n",
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), **environment},
        timeout=60,
        check=False,
    )
    out = ended.stdout.decode(environment["PYTHONIOENCODING"])
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert first_rank in out
    assert "random played 1... " in out
    assert "\x1b" not in out
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_ends_the_game_quietly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"e4\n" * 5)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
