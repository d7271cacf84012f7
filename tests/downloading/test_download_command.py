"""`chesslm data download` as people call it: files, lists, and games straight from the network."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import chess
import pyarrow.parquet as pq
import pytest

from data_prep import download_stream
from data_prep.download_config import DownloadSection
from data_prep.download_index import Dump
from data_prep.download_stream import DumpPipe, first_games, unpacked
from data_prep.frames import pack_frame

FakeServer = Any
Run = Any
NAME = "lichess_db_standard_rated_2013-01.pgn.zst"
ONE = ("--set", "data.workers=1")


def game(number: int) -> bytes:
    """A game of random moves; the same for the same number."""
    generator, board, words = random.Random(number), chess.Board(), []
    for _ in range(40):
        move = generator.choice(list(board.legal_moves))
        words.append(f"{board.fullmove_number}. {board.san(move)}" if board.turn else board.san(move))
        board.push(move)
    headers = f'[Event "Rated Blitz game"]\n[Site "https://lichess.org/{number:08d}"]\n[Result "1-0"]\n\n'
    return f"{headers}{' '.join(words)} 1-0\n\n".encode()


@pytest.fixture(scope="module")
def text() -> bytes:
    return b"".join(map(game, range(60)))


@pytest.fixture(scope="module")
def packed(text: bytes) -> bytes:
    """Frames that end in the middle of games."""
    return b"".join(pack_frame(text[start : start + 1_500], level=3) for start in range(0, len(text), 1_500))


def games_of(folder: Path) -> list[dict[str, Any]]:
    manifest = json.loads((folder / "games" / "manifest.json").read_text())
    return [row for part in manifest["parts"] for row in pq.read_table(folder / "games" / part["file"]).to_pylist()]


def without_source(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "source"} for row in rows]


def test_files_are_downloaded_and_then_prepared(run: Run, server: FakeServer, tmp_path: Path, packed: bytes) -> None:
    server.add_dump(packed, games=60)
    ran = run("2013-01", "--out", tmp_path)
    assert ran.code == 0
    assert ran.out == (f"{tmp_path / NAME}: {len(packed):,} bytes ({len(packed):,} received), sha256 right, 60 games\n")
    assert "(was there)" in run("2013-01", "--out", tmp_path).out


def test_several_months_and_another_variant(run: Run, server: FakeServer, tmp_path: Path, packed: bytes) -> None:
    names = [f"lichess_db_chess960_rated_2014-0{month}.pgn.zst" for month in (1, 2, 3)]
    for name in names:
        server.add_dump(packed, name=name, variant="chess960")
    assert run("2014-03", "2014-01", "--variant", "chess960", "--out", tmp_path).code == 0
    assert {path.name for path in tmp_path.glob("*.zst")} == {names[0], names[2]}
    assert len((tmp_path / "counts.txt").read_text().splitlines()) == 2


def test_the_list_shows_months_games_and_sizes(run: Run, server: FakeServer, tmp_path: Path, packed: bytes) -> None:
    server.add_dump(packed, games=121_332)
    server.add_dump(packed, name=NAME.replace("01", "02"))
    server.files["/standard/counts.txt"] = f"{NAME} 121332\n".encode()
    server.files["/standard/sha256sums.txt"] = b""
    ran = run("--list", "--out", tmp_path)
    assert ran.code == 0
    (first, second) = (line.split("│") for line in ran.out.splitlines() if "lichess_db" in line)
    assert [cell.strip() for cell in first[1:-1]] == ["2013-01", "121,332", "0.00", NAME, "no", "no"]
    assert second[2].strip() == "?"
    assert not any(tmp_path.iterdir())
    assert NAME not in run("2013-02", "--list").out
    assert all(asked.method == "HEAD" for asked in server.asked if asked.path.endswith(".zst"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no month given"),
        (("2013-01", "--max-games", "5"), "--max-games goes with --stream"),
        (("2013-01", "--notation", "pgn"), "--notation goes with --stream"),
        (("2013-01", "2013-02", "--stream"), "--stream takes one month"),
        (("2013-01", "--list", "--stream"), "--stream takes one month"),
        (("1999-01",), "no dump of 1999-01; there are 2013-01 to 2013-01"),
        (("2013-01", "--variant", "nochess"), "is --variant nochess right?"),
        (("2013-01", "--set", "download.base_url=ftp://x"), "download.base_url"),
        (("2013-01", "--set", "download.colour=1"), "download.colour: unknown key"),
    ],
)
def test_a_users_mistake_is_one_line(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes, arguments: tuple[str, ...], said: str
) -> None:
    server.add_dump(packed)
    out = tmp_path / "out"
    settings = {"base_url": "ftp://x"} if "download.base_url=ftp://x" in arguments else {}
    ran = run(*arguments, "--out", out, **settings)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not out.exists()


def test_wrong_bytes_are_one_line(run: Run, server: FakeServer, tmp_path: Path, packed: bytes) -> None:
    path = server.add_dump(packed)
    server.files[path] = packed[:-1] + bytes([packed[-1] ^ 1])
    ran = run("2013-01", "--out", tmp_path)
    assert ran.code == 2
    assert "wrong bytes, nothing kept" in ran.err
    assert ran.err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_whole_dump_from_the_network_is_as_from_its_file(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes
) -> None:
    path = server.add_dump(packed, games=60)
    server.fail(path, cut_after=len(packed) // 3)
    server.has_ranges = False  # what has gone through the pipe must not go through it twice
    ran = run("2013-01", "--stream", "--out", tmp_path / "streamed", "--notation", "pgn", *ONE)
    assert ran.code == 0
    assert ran.out.endswith(f"prepared from {server.url}{path}: all of its games of 60\n")
    from chesslm.cli import main

    assert run("2013-01", "--out", tmp_path).code == 0
    file = str(tmp_path / NAME)
    assert main(["data", "prepare", file, "--out", str(tmp_path / "prepared"), "--notation", "pgn", *ONE]) == 0
    assert games_of(tmp_path / "streamed") == games_of(tmp_path / "prepared")
    streamed, prepared = (
        json.loads((tmp_path / folder / "games" / "manifest.json").read_text()) for folder in ("streamed", "prepared")
    )
    assert streamed["inputs"] == prepared["inputs"]
    assert streamed["games_digest"] == prepared["games_digest"]


def test_the_first_games_from_the_network_say_that_they_are_not_all(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes
) -> None:
    path = server.add_dump(packed, games=60)
    server.fail(path, cut_after=700)
    server.fail(path, cut_after=700)
    out = tmp_path / "streamed"
    arguments = ("2013-01", "--stream", "--max-games", 25, "--out", out, "--notation", "pgn", *ONE)
    ran = run(*arguments)
    assert ran.code == 0
    assert "only its first 25 games of 60" in ran.out
    assert [asked.range for asked in server.gets(path)] == [None, "bytes=700-", "bytes=1400-"]
    manifest = json.loads((out / "games" / "manifest.json").read_text())
    assert manifest["read"] == 25
    assert [entry["name"] for entry in manifest["inputs"]] == [NAME.replace(".pgn.zst", ".first-25.pgn.zst")]
    assert {row["source"] for row in games_of(out)} == {NAME.replace(".pgn.zst", ".first-25.pgn.zst")}
    assert [row["source_index"] for row in games_of(out)] == list(range(25))
    # The same again, cut elsewhere, is recognised as the same.
    server.fail(path, cut_after=900)
    assert run(*arguments).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"streamed"}


def test_more_games_than_there_are_is_all_of_them(run: Run, server: FakeServer, tmp_path: Path, packed: bytes) -> None:
    server.add_dump(packed, games=60)
    ran = run("2013-01", "--stream", "--max-games", 1_000, "--out", tmp_path / "all", "--notation", "pgn", *ONE)
    assert ran.code == 0
    assert ran.out.endswith("all of its games of 60\n")
    assert len(games_of(tmp_path / "all")) == 60


@pytest.mark.parametrize("max_games", [(), ("--max-games", 50)], ids=["whole", "first games"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 404}, "404 Not Found"),
        ({"status": 503}, "gave up after 4 attempts"),
        ({"cut_after": 100}, "gave up after 4 attempts"),
        ({"stall_after": 500}, "gave up after 4 attempts"),
    ],
    ids=["404", "503", "cuts", "stalls"],
)
def test_a_torn_stream_leaves_no_folder(
    run: Run,
    server: FakeServer,
    tmp_path: Path,
    packed: bytes,
    fault: dict[str, int],
    said: str,
    max_games: tuple[object, ...],
) -> None:
    path = server.add_dump(packed, games=60)
    server.fail(path, times=9, **fault)
    ran = run("2013-01", "--stream", *max_games, "--out", tmp_path / "out", "--notation", "pgn", *ONE)
    assert ran.code == 2
    assert f"{NAME}: " in ran.err.splitlines()[-1]
    assert said in ran.err.splitlines()[-1]
    assert all("trying again" in line for line in ran.err.splitlines()[:-1])
    assert not (tmp_path / "out").exists()


def test_a_stream_cut_between_two_frames_is_torn_too(run: Run, server: FakeServer, tmp_path: Path, text: bytes) -> None:
    first, second = pack_frame(text[:5_000], level=3), pack_frame(text[5_000:], level=3)
    path = server.add_dump(first + second)
    server.fail(path, cut_after=len(first))
    server.fail(path, times=9, cut_after=0)
    ran = run("2013-01", "--stream", "--out", tmp_path / "out", "--notation", "pgn", *ONE)
    assert ran.code == 2
    assert "gave up after 4 attempts" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_stream_with_wrong_bytes_leaves_no_folder(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes
) -> None:
    path = server.add_dump(packed)
    server.files[path] = packed + pack_frame(game(99), level=3)
    ran = run("2013-01", "--stream", "--out", tmp_path / "out", "--notation", "pgn", *ONE)
    assert ran.code == 2
    assert "wrong bytes: its sha256 isn't the one that sha256sums.txt has" in ran.err
    assert not (tmp_path / "out").exists()


def test_what_the_reader_says_names_the_address_and_no_pipe(run: Run, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(pack_frame(bytes(5_000), level=3))
    ran = run("2013-01", "--stream", "--out", tmp_path / "out", *ONE)
    assert ran.code == 2
    assert f"{server.url}{path}: binary data, not a PGN" in ran.err


def test_an_output_that_is_something_else_ends_the_download_at_once(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes
) -> None:
    server.add_dump(packed)
    (tmp_path / "mine").write_text("mine")
    ran = run("2013-01", "--stream", "--out", tmp_path, *ONE)
    assert ran.code == 2
    assert "exists" in ran.err
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}
    assert not [thread for thread in threading.enumerate() if "_fill" in thread.name]


def test_a_reader_that_goes_away_ends_the_thread(server: FakeServer) -> None:
    path = server.add_dump(bytes(3_000_000))
    dump = Dump(NAME, "2013-01", f"{server.url}{path}", None, None)
    with DumpPipe(DownloadSection(), dump, max_games=None) as pipe, pipe.path.open("rb") as reader:
        assert reader.read(10) == bytes(10)
    assert not pipe.path.parent.exists()


def test_a_server_that_cannot_say_which_version_it_has_cannot_be_continued(
    run: Run, server: FakeServer, tmp_path: Path, packed: bytes
) -> None:
    path = server.add_dump(packed)
    server.has_etags = server.has_dates = False
    server.fail(path, cut_after=2_000)
    ran = run("2013-01", "--stream", "--max-games", 50, "--out", tmp_path / "out", *ONE)
    assert ran.code == 2
    assert "cut at byte 2,000; the server has neither ETag nor date to go on by" in ran.err


def test_a_fault_of_ours_in_the_thread_is_not_lost(
    server: FakeServer, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(download_stream, "unpacked", broken)
    path = server.add_dump(packed)
    dump = Dump(NAME, "2013-01", f"{server.url}{path}", None, None)
    with (
        pytest.raises(RuntimeError, match="a bug"),
        DumpPipe(DownloadSection(), dump, max_games=1) as pipe,
        pipe.path.open("rb") as reader,
    ):
        reader.read()


def test_the_first_games_are_byte_for_byte_those_of_the_text(text: bytes) -> None:
    pieces = [text[start : start + 777] for start in range(0, len(text), 777)]
    for count in (1, 7, 60, 61):
        assert b"".join(first_games(pieces, count)) == b"".join(map(game, range(min(count, 60))))


def test_a_corrupt_dump_is_refused(packed: bytes) -> None:
    from chesslm.errors import InputError

    with pytest.raises(InputError, match="x: corrupt zstd data"):
        list(unpacked([packed[:5_00], b"garbage", packed[500:]], "x"))
    with pytest.raises(InputError, match="x: cut short"):
        list(unpacked([packed[:-1]], "x"))
