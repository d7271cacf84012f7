"""The file of engine-made games: frames, order, whole or not at all; and the command."""

from __future__ import annotations

import io
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard

from chesslm.cli import main
from chesslm.errors import OutputError, PlayerError
from chesslm.uci_player import find_stockfish
from data_prep.selfplay import SelfplayGame
from data_prep.selfplay_file import SelfplaySeries, play_series, write_frames, write_selfplay

FAKE = Path(__file__).parent / "fake_engine.py"


def fake_stockfish(folder: Path, mode: str) -> Path:
    """An executable that behaves as `fake_engine.py` does in a mode."""
    script = folder / "stockfish"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -S -E {FAKE} {folder / 'heard.txt'} '{mode}'\n")
    script.chmod(0o755)
    return script


def frames_of(content: bytes) -> list[bytes]:
    """The unpacked frames, each of which must follow a skippable frame with its length."""
    frames = []
    while content:
        magic, size, frame_len = struct.unpack("<III", content[:12])
        assert (magic, size) == (0x184D2A50, 4)
        frames.append(zstandard.ZstdDecompressor().decompress(content[12 : 12 + frame_len]))
        content = content[12 + frame_len :]
    return frames


def ignore(game: SelfplayGame) -> None:
    """Count nothing."""


def test_text_is_written_as_frames_that_pzstd_would_write() -> None:
    texts = [b"game %d\n" % number for number in range(6_000)]
    file = io.BytesIO()
    write_frames(file, texts, frame_len=20_011)
    frames = frames_of(file.getvalue())
    assert [len(frame) for frame in frames[:-1]] == [20_011] * (len(frames) - 1)
    assert len(frames) == 3
    assert not frames[0].endswith(b"\n")
    assert b"".join(frames) == b"".join(texts)
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.getvalue()), read_across_frames=True)
    assert reader.read() == b"".join(texts)


def test_no_text_is_no_frame() -> None:
    file = io.BytesIO()
    write_frames(file, [])
    assert file.getvalue() == b""


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "games.pgn.zst"
    out.write_bytes(b"dear")
    with pytest.raises(OutputError, match=r"games\.pgn\.zst exists already"):
        write_selfplay(out, SelfplaySeries(Path("/no/engine"), 1, 1), num_workers=1, on_game=ignore)
    assert out.read_bytes() == b"dear"


def test_another_ending_of_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must end in \.pgn\.zst"):
        write_selfplay(tmp_path / "games.pgn", SelfplaySeries(Path("/no/engine"), 1, 1), num_workers=1, on_game=ignore)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_engine_that_dies_leaves_no_file(num_workers: int, tmp_path: Path) -> None:
    series = SelfplaySeries(fake_stockfish(tmp_path, "dies"), 3, 1)
    out = tmp_path / "made" / "games.pgn.zst"
    with pytest.raises(PlayerError, match="stockfish failed"):
        write_selfplay(out, series, num_workers=num_workers, on_game=ignore)
    assert list(out.parent.iterdir()) == []


def test_a_worker_that_is_killed_ends_the_series(tmp_path: Path) -> None:
    series = SelfplaySeries(fake_stockfish(tmp_path, "hangs"), 2, 1)
    heard = tmp_path / "heard.txt"
    # The worker is the parent of the engine that notes its pid.
    watcher = subprocess.Popen([sys.executable, "-S", "-E", "-c", KILL_PARENT_OF_ENGINE, str(heard)])
    with pytest.raises(PlayerError, match="has died"):
        list(play_series(series, 2))
    assert watcher.wait(10) == 0


KILL_PARENT_OF_ENGINE = """
import os, sys, time
while True:
    try:
        lines = open(sys.argv[1]).read().splitlines()
    except OSError:
        lines = []
    if any(line.startswith("go") for line in lines):
        pid = next(line.split()[1] for line in lines if line.startswith("pid "))
        parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
        os.kill(int(parent), 9)
        break
    time.sleep(0.05)
"""


@pytest.mark.stockfish
def test_four_games_are_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    contents = []
    for num_workers in (1, 2):
        out = tmp_path / f"{num_workers}.pgn.zst"
        seen: list[int] = []
        series = SelfplaySeries(find_stockfish(), 4, 7)
        write_selfplay(out, series, num_workers=num_workers, on_game=lambda game, seen=seen: seen.append(game.index))
        assert seen == [0, 1, 2, 3]
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]
    assert b"".join(frames_of(contents[0])).count(b"[Event ") == 4


@pytest.mark.stockfish
def test_the_command_writes_the_file_and_says_how_games_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "games.pgn.zst"
    arguments = ["data", "selfplay", "--out", str(out), "--games", "2", "--seed", "3", "--workers", "1"]
    assert main(arguments) == 0
    assert "2 games" in capsys.readouterr().out
    assert b"".join(frames_of(out.read_bytes())).count(b"[Event ") == 2
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"chesslm: {out} exists already"


@pytest.mark.stockfish
def test_an_interrupted_command_leaves_neither_file_nor_process(tmp_path: Path) -> None:
    out = tmp_path / "games.pgn.zst"
    arguments = ["data", "selfplay", "--out", str(out), "--games", "5000", "--workers", "2"]
    command = [sys.executable, "-m", "chesslm.cli", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            patience = time.monotonic() + 30
            while list((started := descendants(process.pid)).values()).count("stockfish") < 2:
                assert time.monotonic() < patience
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted")
    assert list(tmp_path.iterdir()) == []
    patience = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def descendants(pid: int) -> dict[int, str]:
    """Process ids and names of `pid` and everything under it."""
    parents: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                before, _, after = (folder / "stat").read_text().rpartition(")")
            except OSError:  # it ended meanwhile
                continue
            parents[int(folder.name)] = (int(after.split()[1]), before.partition("(")[2])
    found = {pid: parents[pid][1]} if pid in parents else {}
    while more := {child: name for child, (parent, name) in parents.items() if parent in found and child not in found}:
        found |= more
    return found
