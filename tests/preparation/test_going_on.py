"""Killed, interrupted or out of room at any moment and started again, `prepare` ends with the same bytes."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chesslm.files import read_lines
from data_prep import blocks, decompress, manifest, prepare
from data_prep.journal import JOURNAL, Journal

Run = Callable[..., Any]
ARGUMENTS = ("--notation", "pgn", "--notation", "english_varied", "--set", "data.workers=1")
KEEP = ("--set", "filters.keep_duplicates=true")
# Every durable step ends with an fsync: who is killed at each of them is killed between all steps.
KILLED = """
import os, signal, sys
from data_prep import blocks, manifest, prepare
manifest.commit = lambda: None
blocks.BLOCK_LEN, prepare.GAMES_A_PART = 3_000, 8
left, fsync = int(sys.argv.pop(1)), os.fsync
def counting(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = counting
from chesslm.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def small_blocks_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_LEN", 3_000)
    monkeypatch.setattr(prepare, "GAMES_A_PART", 8)
    monkeypatch.setattr(manifest, "commit", lambda: None)  # somebody may commit between two runs


@pytest.fixture
def twice(tmp_path: Path, games_text: bytes) -> Path:
    """Games of which some are duplicates of earlier ones and some can't be used."""
    path = tmp_path / "twice.pgn"
    middle = games_text.index(b"[Event", len(games_text) // 2)
    path.write_bytes(games_text[middle:] + b'[White "x"]\n\n1. e4 e4 1-0\n\n' + games_text)
    return path


@pytest.fixture
def whole(run: Run, tmp_path: Path, twice: Path) -> dict[str, bytes]:
    """What an undisturbed process makes."""
    assert run("prepare", twice, "--out", tmp_path / "whole", *ARGUMENTS).code == 0
    return files_of(tmp_path / "whole")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failing_fsync(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    left = [number]
    fsync = os.fsync

    def counting(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counting)


def entries_in(folder: Path) -> int:
    path = folder / JOURNAL
    return len(list(read_lines(path))) - 1 if path.exists() else 0


@pytest.mark.parametrize("moments", [(9, 4), (23, 3, 7), (40,)], ids=str)
def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    run: Run, tmp_path: Path, twice: Path, whole: dict[str, bytes], moments: tuple[int, ...]
) -> None:
    out = tmp_path / "out"
    left = 0
    for moment in moments:
        command = [sys.executable, "-c", KILLED, str(moment), "data", "prepare", str(twice), "--out", str(out)]
        assert subprocess.run([*command, *ARGUMENTS], check=False).returncode == -signal.SIGKILL
        left += entries_in(tmp_path / ".out.partial") + sum(map(entries_in, (out / "tokens").glob(".*.partial")))
    assert left > 0, "nothing to go on from, so nothing is tested"
    assert run("prepare", twice, "--out", out, *ARGUMENTS).code == 0
    assert files_of(out) == whole


@pytest.mark.parametrize("kind", ["interrupted", "no room"])
def test_interrupted_or_without_room_it_keeps_what_is_whole_and_goes_on(
    run: Run, tmp_path: Path, twice: Path, whole: dict[str, bytes], kind: str
) -> None:
    out = tmp_path / "out"
    for number in range(12, 70, 12):
        with pytest.MonkeyPatch.context() as patch:
            error = KeyboardInterrupt() if kind == "interrupted" else OSError(errno.ENOSPC, "No space left on device")
            failing_fsync(patch, number, error)
            done = run("prepare", twice, "--out", out, *ARGUMENTS)
        if done.code == 0:
            break
        assert done.code == (130 if kind == "interrupted" else 2)
        assert done.err.count("\n") == 1
        assert kind == "interrupted" or "No space left on device" in done.err
    assert run("prepare", twice, "--out", out, *ARGUMENTS).code == 0
    assert files_of(out) == whole


@pytest.fixture
def unfinished(run: Run, tmp_path: Path, twice: Path, whole: dict[str, bytes]) -> Iterator[Path]:
    """The hidden folder of an interrupted process, with three parts."""
    with pytest.MonkeyPatch.context() as patch:
        failing_fsync(patch, 12, KeyboardInterrupt())
        assert run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS).code == 130
    assert entries_in(tmp_path / ".out.partial") == 3
    return tmp_path / ".out.partial"


@pytest.mark.parametrize("damage", ["part", "missing part", "journal", "torn journal", "old version"])
def test_only_what_is_whole_is_trusted(
    run: Run, tmp_path: Path, twice: Path, whole: dict[str, bytes], unfinished: Path, damage: str
) -> None:
    part, journal = unfinished / "games/part-00001.parquet", unfinished / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    if damage == "part":
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    elif damage == "missing part":
        part.unlink()
    elif damage == "journal":
        journal.write_bytes(b"rubbish\n" + b"".join(lines[1:]))
    elif damage == "torn journal":
        journal.write_bytes(b"".join(lines)[:-9])
    else:
        journal.write_bytes(lines[0].replace(b'"python"', b'"snake"') + b"".join(lines[1:]))
    (unfinished / "games/.part-00009.parquet.1.tmp").write_bytes(b"left over")
    assert run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS).code == 0
    assert files_of(tmp_path / "out") == whole


def test_it_goes_on_and_does_not_begin_anew(run: Run, tmp_path: Path, twice: Path, unfinished: Path) -> None:
    before = (unfinished / "games/part-00000.parquet").stat().st_ino
    assert run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS).code == 0
    assert (tmp_path / "out/games/part-00000.parquet").stat().st_ino == before


def test_other_settings_begin_anew(run: Run, tmp_path: Path, twice: Path, unfinished: Path) -> None:
    settings = (*ARGUMENTS, "--set", "filters.max_plies=30")
    assert run("prepare", twice, "--out", tmp_path / "out", *settings).code == 0
    assert run("prepare", twice, "--out", tmp_path / "fresh", *settings).code == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "fresh")


def test_an_input_that_has_changed_is_one_line_and_the_next_run_succeeds(
    run: Run, tmp_path: Path, twice: Path, unfinished: Path
) -> None:
    twice.write_bytes(twice.read_bytes().replace(b"player1", b"player2"))
    done = run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS)
    assert done.code == 2
    assert done.err.startswith(f"chesslm: {twice}: has changed since an interrupted run read it")
    assert not unfinished.exists()
    assert run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS).code == 0


def test_a_comment_that_never_ends_was_read_far_ahead_and_yet_the_input_is_known_again(
    run: Run, tmp_path: Path, games_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompress, "BLOCK_LEN", 500)
    monkeypatch.setattr(decompress, "PIECE_LEN", 250)
    games_text = re.sub(rb"\{[^}]*\}", b"", games_text)  # nothing closes it
    path = tmp_path / "open.pgn"
    path.write_bytes(games_text + b'\n[White "x"]\n\n1. e4 { e5 1-0\n\n' + games_text * 3)
    assert run("prepare", path, "--out", tmp_path / "whole", *ARGUMENTS, *KEEP).code == 0
    going_on = 0
    for moment in range(3, 60, 3):
        out = tmp_path / f"out-{moment}"
        with pytest.MonkeyPatch.context() as patch:
            failing_fsync(patch, moment, KeyboardInterrupt())
            if run("prepare", path, "--out", out, *ARGUMENTS, *KEEP).code == 0:
                break
        going_on += entries_in(tmp_path / f".{out.name}.partial")
        done = run("prepare", path, "--out", out, *ARGUMENTS, *KEEP)
        assert (done.code, "has changed" in done.err) == (0, False)
        assert files_of(out) == files_of(tmp_path / "whole")
    assert going_on > 0


def test_what_cannot_get_its_name_is_kept(
    run: Run, tmp_path: Path, twice: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def busy(self: Path, target: Path) -> Path:
        if target == tmp_path / "out":
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", busy)
        done = run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS)
    assert (done.code, "Device or resource busy" in done.err) == (2, True)
    before = (tmp_path / ".out.partial/games/part-00000.parquet").stat().st_ino
    assert run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS).code == 0
    assert (tmp_path / "out/games/part-00000.parquet").stat().st_ino == before
    assert files_of(tmp_path / "out") == whole


def test_a_mount_point_is_refused_before_any_work(
    run: Run, tmp_path: Path, twice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path / "out")
    done = run("prepare", twice, "--out", tmp_path / "out", *ARGUMENTS)
    assert (done.code, "is a mount point" in done.err, done.err.count("\n")) == (2, True, 1)
    assert not (tmp_path / ".out.partial").exists()


@pytest.mark.parametrize("is_changed", [False, True])
def test_several_inputs_and_standard_input_go_on(
    run: Run, tmp_path: Path, twice: Path, games_text: bytes, monkeypatch: pytest.MonkeyPatch, is_changed: bool
) -> None:
    def prepared(name: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(twice.read_bytes())))
        return run("prepare", first, "-", "--out", tmp_path / name, *ARGUMENTS, "--set", "filters.min_plies=1")

    first = tmp_path / "first.pgn"
    first.write_bytes(games_text[: games_text.index(b"[Event", 4_000)])
    assert prepared("whole").code == 0
    with pytest.MonkeyPatch.context() as patch:
        failing_fsync(patch, 24, KeyboardInterrupt())
        assert prepared("out").code == 130
    last = list(read_lines(tmp_path / ".out.partial" / JOURNAL))[-1]
    assert last["before"]["mark"]["source"] == 1
    if is_changed:
        first.write_bytes(first.read_bytes().replace(b"player1", b"player2"))
        assert "first.pgn: has changed" in prepared("out").err
    assert prepared("out").code == 0
    if not is_changed:
        assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_journal_is_one_header_and_whole_entries(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {"a": 1})
    assert journal.entries == []
    journal.keep(0)
    journal.append({"n": 0})
    journal.append({"n": 1})
    assert json.loads((tmp_path / JOURNAL).read_bytes().splitlines()[0]) == {"a": 1}
    assert Journal(tmp_path, {"a": 2}).entries == []
    again = Journal(tmp_path, {"a": 1})
    assert again.entries == [{"n": 0}, {"n": 1}]
    again.keep(1)
    assert Journal(tmp_path, {"a": 1}).entries == [{"n": 0}]
