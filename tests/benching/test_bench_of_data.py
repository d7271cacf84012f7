"""The data benchmark: processes as seen from outside, medians, ratios, and peers that aren't there."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import typer

from benchmarks import bench_data, data_peers
from benchmarks.bench_data import Peer, main, markdown, peers, run
from chesslm.game import Game
from data_prep.dump_generator import DumpStyle, write_dump
from data_prep.processes import measure, memory_of

GAMES = [Game(str(number), ("e4", "e5", "Nf3", "Nc6")[: 2 + number % 3], "1-0") for number in range(12)]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "made.pgn.zst"
    write_dump(path, GAMES, 12, DumpStyle(level=1))
    return path


def saying(code: str) -> Callable[[Path, Path], Sequence[str]]:
    return lambda file, scratch: [sys.executable, "-S", "-E", "-c", code]


def test_a_process_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "data = bytearray(60_000_000); input()"
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE)\n"
        "data = bytearray(50_000_000); time.sleep(1.5); child.communicate(b'\\n'); print('done')"
    )
    measured = measure([sys.executable, "-c", code], cwd=tmp_path)
    assert (measured.code, measured.out) == (0, "done\n")
    assert measured.peak_bytes > 100_000_000
    assert measured.wall_s > 1
    assert measured.cpu_s > 0


def test_a_failure_is_measured_too(tmp_path: Path) -> None:
    measured = measure([sys.executable, "-c", "import sys; sys.exit('no')"], cwd=tmp_path, keep_output=False)
    assert (measured.code, measured.out, measured.err) == (1, "", "no\n")
    assert memory_of(2**22 + 1) == 0  # no process has such a number


def test_rows_have_medians_and_ratios_and_say_what_is_missing(tmp_path: Path, dump: Path) -> None:
    chosen = [
        Peer("ours-pgn", "ours", saying("print('{\"games\": 12}')")),
        Peer("slow", "slow", saying("import time; time.sleep(0.5); print('{\"games\": 5}')"), most_games=5),
        Peer("silent", "silent", saying("pass")),
        Peer("extract", "extract", saying("import sys; sys.stderr.write('12 games matched out of 12.')")),
        Peer("wrong", "wrong", saying("print('{\"games\": 11}')")),
        Peer("broken", "broken", saying("import sys; sys.exit('a traceback\\nlast line')")),
        Peer("absent", "absent", saying(""), missing="not installed (package x)"),
    ]
    rows = {row.name: row for row in run(dump, 12, chosen, repeats=2, scratch=tmp_path)}
    assert rows["ours-pgn"].ratio == 1
    assert len(rows["ours-pgn"].runs_s) == 2
    assert rows["slow"].games == 5
    assert rows["slow"].mb_per_s is None
    assert rows["slow"].wall_s >= 0.5
    assert rows["silent"].games == rows["extract"].games == 12
    assert rows["wrong"].problem == "read 11 games of 12"
    assert rows["broken"].problem == "failed: last line"
    assert rows["absent"].problem == "not installed (package x)"
    assert [path.name for path in tmp_path.iterdir()] == [dump.name]


@pytest.mark.parametrize("name", ["ours-games", "ours-pgn", "ours-pgn-unique", "ours-english", "read-game"])
def test_peers_count_the_games_that_they_read(
    name: str, dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(sys, "argv", ["data_peers", name, str(dump), str(scratch)])
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})  # one process: this one
    data_peers.main()
    assert json.loads(capsys.readouterr().out) == {"games": 12}


def test_the_table_has_a_line_a_peer(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        Peer("ours-pgn", "ours", saying("print('{\"games\": 12}')")),
        Peer("absent", "absent", saying(""), missing="not installed (package x)"),
        Peer("left-out", "left out", saying("")),
    ]
    monkeypatch.setattr(bench_data, "peers", lambda: rows)
    monkeypatch.setattr(bench_data, "getloadavg", lambda: (9.0, 0.0, 0.0))
    monkeypatch.setattr(bench_data, "SAMPLE", dump)
    out = tmp_path / "out"
    main(out=out, file=None, games=12, source=dump, seed=1, repeats=1, peer=["ours-pgn", "absent"])
    table = (out / "bench_data.md").read_text()
    assert capsys.readouterr().out == table
    assert "**The machine had other work (load average 9.0).**" in table
    assert "| absent | not installed (package x) | | | | | |" in table
    assert "left out" not in table
    record = json.loads((out / "bench_data.json").read_text())
    assert record["made_with_seed"] == 1
    assert markdown(record) == table
    with pytest.raises(typer.BadParameter, match="no peer nobody; known: ours-pgn, absent, left-out"):
        main(out=out, file=dump, games=12, source=dump, seed=1, repeats=1, peer=["nobody"])


def test_a_source_that_is_no_pgn_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        main(out=tmp_path, file=None, games=12, source=tmp_path / "nowhere.pgn", seed=1, repeats=1, peer=None)
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(bench_data, "find_spec", lambda name: None)
    missing = {peer.name: peer.missing for peer in peers()}
    assert missing["zstd"] == missing["pgn-extract"] == "not installed (Debian package zstd)"
    assert missing["compiled-reader"] == "not installed (PyPI rust-pgn-reader-python-binding)"
    assert missing["ours-pgn"] is None
