from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from chesslm.files import one_writer
from chesslm.game_files import read_games
from data_prep import blocks, games_writer, prepare

Run = Callable[..., Any]
COMMAND = (sys.executable, "-m", "chesslm.cli", "data", "prepare")
ONE = ("--set", "data.workers=1")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_any_number_of_workers_and_any_packing_give_the_same_bytes(
    run: Run, tmp_path: Path, pgn: Path, games_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_LEN", 3_000)
    monkeypatch.setattr(prepare, "GAMES_A_PART", 25)
    monkeypatch.setattr(games_writer, "ROWS_A_GROUP", 10)
    for workers in (1, 2, 8):
        out = tmp_path / f"out{workers}"
        done = run("prepare", pgn, "--out", out, "--set", f"data.workers={workers}")
        assert (done.code, done.err) == (0, "")
    one, two, eight = (files_of(tmp_path / f"out{workers}") for workers in (1, 2, 8))
    assert one == two == eight
    assert {"games/part-00000.parquet", "games/part-00002.parquet", "tokens/pgn/train-00002.safetensors"} <= set(one)
    assert {"tokens/english/tokenizer.json", "tokens/english/vocabulary.json"} <= set(one)
    assert [len(pq.read_table(tmp_path / f"out1/games/part-0000{n}.parquet")) for n in range(3)] == [25, 25, 10]


def test_the_closing_table_and_the_manifest_account_for_every_game(run: Run, tmp_path: Path, games_text: bytes) -> None:
    path = tmp_path / "games.pgn"
    path.write_bytes(games_text + games_text + b'[White "x"]\n\n1. e4 e4 1-0\n')
    done = run("prepare", path, "--out", tmp_path / "out", "--notation", "pgn", *ONE)
    manifest = json.loads((tmp_path / "out/games/manifest.json").read_bytes())
    assert manifest["read"] == 121
    assert manifest["kept"] == manifest["games"] == 60
    assert manifest["dropped"] == {"illegal move": 1, "duplicate moves": 60}
    assert manifest["inputs"][0]["name"] == "games.pgn"
    assert manifest["config"]["filters"]["max_plies"] == 200
    assert set(manifest["versions"]) >= {"chesslm", "python", "chess", "pyarrow", "tokenizers"}
    for text in ("dropped: duplicate moves", "dropped: illegal move", "games read a second", "tokens a move"):
        assert text in done.out
    tokens = json.loads((tmp_path / "out/tokens/pgn/manifest.json").read_bytes())
    assert tokens["games_digest"] == manifest["games_digest"]
    assert sum(counts["games"] for counts in tokens["splits"].values()) == 60
    assert sum(counts["plies"] for counts in tokens["splits"].values()) == manifest["plies"]


def test_several_inputs_keep_their_order_and_their_names(run: Run, tmp_path: Path, games_text: bytes) -> None:
    middle = games_text.index(b"[Event", len(games_text) // 2)
    (tmp_path / "b.pgn.gz").write_bytes(gzip.compress(games_text[:middle], mtime=0))
    (tmp_path / "a.pgn.bz2").write_bytes(bz2.compress(games_text[middle:]))
    (tmp_path / "all.pgn.zst").write_bytes(zstandard.compress(games_text))
    assert run("prepare", tmp_path / "b.pgn.gz", tmp_path / "a.pgn.bz2", "--out", tmp_path / "two", *ONE).code == 0
    assert run("prepare", tmp_path / "all.pgn.zst", "--out", tmp_path / "one", *ONE).code == 0
    two, one = (list(read_games(tmp_path / name / "games")) for name in ("two", "one"))
    assert two == one
    sources = pq.read_table(tmp_path / "two/games/part-00000.parquet")["source"].to_pylist()
    assert list(dict.fromkeys(sources)) == ["b.pgn.gz", "a.pgn.bz2"]


def test_standard_input(run: Run, tmp_path: Path, games_text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for expected in ("kept", "already done"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(games_text)))
        done = run("prepare", "-", "--out", tmp_path / "out", "--notation", "pgn", *ONE)
        assert done.code == 0
        assert expected in done.out
    done = run("prepare", "-", "-", "--out", tmp_path / "other", *ONE)
    assert (done.code, done.err) == (2, "chesslm: standard input (-) can be read only once\n")


def test_an_existing_folder_of_the_same_inputs_goes_on(run: Run, tmp_path: Path, pgn: Path) -> None:
    out = tmp_path / "out"
    assert run("prepare", pgn, "--out", out, "--notation", "pgn", *ONE).code == 0
    before = files_of(out)
    done = run("prepare", pgn, "--out", out, "--notation", "pgn", "--set", "data.workers=2")
    assert (done.code, done.err) == (0, "")
    assert "already done" in done.out
    assert files_of(out) == before
    done = run("prepare", pgn, "--out", out, "--notation", "pgn", "--notation", "english", *ONE)
    assert done.code == 0
    after = files_of(out)
    assert after.items() >= before.items()
    assert "tokens/english/manifest.json" in after
    assert left_in(tmp_path) == {"games.pgn", "out"}
    assert left_in(out / "tokens") == {"pgn", "english"}


def test_an_existing_folder_of_anything_else_is_refused(run: Run, tmp_path: Path, pgn: Path) -> None:
    out = tmp_path / "out"
    assert run("prepare", pgn, "--out", out, "--notation", "pgn", *ONE).code == 0
    before = files_of(out)
    other = tmp_path / "other.pgn"
    other.write_bytes(pgn.read_bytes() + b"\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").touch()
    for arguments, message in (
        ((other, "--out", out), f"{out} exists and was made from other inputs; choose another --out"),
        ((pgn, pgn, "--out", out), f"{out} exists and was made from other inputs; choose another --out"),
        ((pgn, "--out", out, "--set", "filters.max_plies=20"), f"{out} exists and was made with other settings"),
        ((pgn, "--out", tmp_path / "folder"), f"{tmp_path / 'folder'} exists and is no folder made by"),
        ((pgn, "--out", other), f"{other} exists and is no folder made by"),
    ):
        done = run("prepare", *arguments, *ONE)
        assert done.code == 2
        assert done.err.startswith(f"chesslm: {message}")
        assert done.err.count("\n") == 1
    assert files_of(out) == before
    assert left_in(tmp_path / "folder") == {"precious"}


def test_an_empty_folder_may_be_filled(run: Run, tmp_path: Path, pgn: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run("prepare", pgn, "--out", tmp_path / "out", "--notation", "pgn", *ONE).code == 0
    assert left_in(tmp_path / "out") == {"games", "tokens", "lock"}


def bad_inputs() -> Iterator[tuple[str, bytes]]:
    games = b"".join(b'[White "%d"]\n\n1. e4 e5 1-0\n\n' % number for number in range(500))
    packed = zstandard.compress(games)
    yield "cut.pgn.zst", packed[: len(packed) // 2]
    yield "cut.pgn.gz", gzip.compress(games, mtime=0)[:-5]
    yield "cut.pgn.bz2", bz2.compress(games)[:-5]
    yield "text.pgn.zst", games
    yield "noise.pgn", random.Random(1).randbytes(100_000)
    yield "noise.pgn.zst", random.Random(2).randbytes(100_000)
    yield "empty.pgn", b""
    yield "blank.pgn", b"\n\n \n"
    yield "headers.pgn", b'[Event "a"]\n[Result "?"]\n\n[Event "b"]\n'
    yield "letter.pgn", b"Dear Sir,\n\nthere are no moves in here.\n"
    yield "list.pgn", b"\n\n".join(b'[White "%d"]' % number for number in range(2000))
    yield "dirty.pgn", b'[White "a"]\n\n1. e4 e4 1-0\n\n[White "b"]\n\n1-0\n'
    yield "missing.pgn", b""


@pytest.mark.parametrize(
    ("name", "content"), list(bad_inputs()), ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("is_second", [False, True], ids=["alone", "behind a good one"])
def test_bad_input_is_one_line_that_names_the_file_and_leaves_nothing(
    run: Run, tmp_path: Path, pgn: Path, name: str, content: bytes, is_second: bool
) -> None:
    bad = tmp_path / name
    if name != "missing.pgn":
        bad.write_bytes(content)
    if is_second and name == "dirty.pgn":
        return  # a dirty game is data
    inputs = [pgn, bad] if is_second else [bad]
    before = left_in(tmp_path)
    done = run("prepare", *inputs, "--out", tmp_path / "out", *ONE)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("chesslm: ")
    assert done.err.count("\n") == 1
    assert str(bad) in done.err
    assert left_in(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--notation", "klingon"], "--notation klingon: unknown; known: pgn, english"),
        (["--set", "filters.min_elo=3"], "filters.min_elo: unknown key"),
        (["--set", "filters.max_plies=long"], "filters.max_plies: "),
        (["--config", "/nowhere.toml"], "can't read /nowhere.toml"),
        (["--worker", "3"], "No such option"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it_and_leaves_nothing(
    run: Run, tmp_path: Path, pgn: Path, arguments: list[str], message: str
) -> None:
    done = run("prepare", pgn, "--out", tmp_path / "out", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert left_in(tmp_path) == {"games.pgn"}


def test_paths_need_not_be_utf8_but_that_of_the_folder_of_games(
    run: Run, tmp_path: Path, pgn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "g\udcff.pgn"
    pgn.rename(odd)
    monkeypatch.setattr(sys, "argv", ["chesslm", "data", "prepare", str(odd)])
    done = run("prepare", odd, "--out", tmp_path / "o\udcff", "--notation", "pgn", *ONE)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"chesslm: {tmp_path}/o?: the path of this folder must be UTF-8; choose another name\n"
    assert left_in(tmp_path) == {odd.name}
    assert run("prepare", odd, "--out", tmp_path / "out", "--notation", "pgn", *ONE).code == 0
    (tmp_path / "out").rename(tmp_path / "o\udcff")
    for command in ("stats", "verify"):
        done = run(command, tmp_path / "o\udcff")
        assert done.code == 2
        assert "the path of this folder must be UTF-8" in done.err
        assert done.err.count("\n") == 1


def test_settings_come_from_a_file_and_the_command_line_wins(run: Run, tmp_path: Path, pgn: Path) -> None:
    (tmp_path / "prepare.toml").write_text(
        "[data]\nworkers = 1\n[filters]\nmax_plies = 20\n"
        'time_classes = ["blitz", "rapid"]\n[split]\nval_per_10000 = 0\n'
    )
    done = run(
        "prepare", pgn, "--out", tmp_path / "out", "--notation", "pgn",
        "--config", tmp_path / "prepare.toml", "--set", "filters.max_plies=30",
    )  # fmt: skip
    assert done.code == 0
    manifest = json.loads((tmp_path / "out/games/manifest.json").read_bytes())
    assert manifest["config"]["filters"]["max_plies"] == 30
    assert manifest["config"]["filters"]["time_classes"] == ["blitz", "rapid"]
    assert manifest["splits"]["val"] == {"games": 0, "plies": 0}
    assert set(manifest["dropped"]) == {"time control class", "too many plies"}


def start_and_wait_for(out: Path, workers: int, games_text: bytes) -> subprocess.Popen[bytes]:
    """A process that has begun its games and waits for more on standard input."""
    process = subprocess.Popen(
        [*COMMAND, "-", "--out", str(out), "--notation", "pgn", "--set", f"data.workers={workers}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    # Enough for some blocks, so that the workers have been started.
    process.stdin.write(games_text * (3_000_000 // len(games_text)))
    process.stdin.flush()
    return process


def test_a_killed_process_leaves_nothing_behind_and_the_next_one_succeeds(
    run: Run, tmp_path: Path, games_text: bytes, pgn: Path
) -> None:
    out = tmp_path / "out"
    process = start_and_wait_for(out, 2, games_text)
    while not (tmp_path / ".out.partial" / "games").exists():
        assert process.poll() is None
        time.sleep(0.05)
    done = run("prepare", pgn, "--out", out, "--notation", "pgn", *ONE)
    assert done.code == 2
    assert "is being written by another process" in done.err
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    (tmp_path / ".out.partial" / "games" / "part-00000.parquet").write_bytes(b"half a part")
    assert run("prepare", pgn, "--out", out, "--notation", "pgn", *ONE).code == 0
    assert left_in(tmp_path) == {"games.pgn", "out"}
    assert run("prepare", pgn, "--out", tmp_path / "fresh", "--notation", "pgn", *ONE).code == 0
    assert files_of(out) == files_of(tmp_path / "fresh")


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_interrupted_process_says_so_and_leaves_nothing(tmp_path: Path, games_text: bytes, num_workers: int) -> None:
    process = start_and_wait_for(tmp_path / "out", num_workers, games_text)
    while not (tmp_path / ".out.partial" / "games").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == b"interrupted"
    assert b"Traceback" not in err
    assert left_in(tmp_path) == set()


def test_what_a_killed_process_left_of_a_notation_is_replaced(run: Run, tmp_path: Path, pgn: Path) -> None:
    assert run("prepare", pgn, "--out", tmp_path / "out", "--notation", "pgn", *ONE).code == 0
    hidden = tmp_path / "out/tokens/.english.partial"
    (hidden / "deeper").mkdir(parents=True)
    (hidden / "train-00000.safetensors").write_bytes(b"half a file")
    assert run("prepare", pgn, "--out", tmp_path / "out", "--notation", "english", *ONE).code == 0
    assert left_in(tmp_path / "out/tokens") == {"pgn", "english"}
    assert run("verify", tmp_path / "out", "--full", "--workers", 1).code == 0


def limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`chesslm data prepare` in a process that can't write files beyond `limit` bytes."""
    script = f"import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    script += "from chesslm.cli import main\nsys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", script, "data", "prepare", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False, env=environment,
    )  # fmt: skip


def test_no_room_for_the_games_leaves_nothing(tmp_path: Path, pgn: Path) -> None:
    done = limited(1000, pgn, "--out", tmp_path / "out", *ONE)
    assert done.returncode == 2
    assert done.stderr.startswith("chesslm: can't write ")
    assert "part-00000.parquet" in done.stderr
    assert done.stderr.count("\n") == 1
    assert left_in(tmp_path) == {"games.pgn"}


def test_no_room_for_the_tokens_keeps_the_games_and_a_rerun_goes_on(
    run: Run, tmp_path: Path, pgn: Path, prepared: Path
) -> None:
    limit = (prepared / "games/part-00000.parquet").stat().st_size + 2000
    assert limit < (prepared / "tokens/english/train-00000.safetensors").stat().st_size
    done = limited(limit, pgn, "--out", tmp_path / "out", "--notation", "english", *ONE)
    assert done.returncode == 2
    assert done.stderr.startswith("chesslm: can't write ")
    assert done.stderr.count("\n") == 1
    assert left_in(tmp_path) == {"games.pgn", "out"}
    assert left_in(tmp_path / "out/tokens") == set()
    before = files_of(tmp_path / "out/games")
    assert run("prepare", pgn, "--out", tmp_path / "out", "--notation", "english", *ONE).code == 0
    assert files_of(tmp_path / "out/games") == before
    assert run("verify", tmp_path / "out", "--workers", 1).code == 0


def test_only_one_process_writes_a_folder(run: Run, tmp_path: Path, pgn: Path) -> None:
    assert run("prepare", pgn, "--out", tmp_path / "out", "--notation", "pgn", *ONE).code == 0
    with one_writer(tmp_path / "out"):
        done = run("prepare", pgn, "--out", tmp_path / "out", "--notation", "english", *ONE)
    assert done.code == 2
    assert "is being written by another process" in done.err
