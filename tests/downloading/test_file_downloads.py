"""Downloads: resumed, checked, whole or not at all, whatever the server does."""

from __future__ import annotations

import fcntl
import json
import random
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from chesslm.errors import InputError, OutputError
from data_prep import download_client
from data_prep.download import download
from data_prep.download_client import Server
from data_prep.download_index import read_index
from data_prep.download_partial import partial_path

FakeServer = Any
CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
NAME = "lichess_db_standard_rated_2013-01.pgn.zst"


def get(client: Server, server: FakeServer, folder: Path) -> int:
    """Download the server's dumps into a folder; how many bytes came over the network."""
    dumps = read_index(client, server.url, "standard")
    return sum(done.received for done in download(client, dumps, folder))


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


LISTS = {"counts.txt", "sha256sums.txt"}


def test_a_dump_arrives_with_its_lines_of_the_lists(client: Server, server: FakeServer, tmp_path: Path) -> None:
    server.add_dump(CONTENT, games=7)
    assert get(client, server, tmp_path / "new") == len(CONTENT)
    assert left_in(tmp_path / "new") == {NAME, *LISTS}
    assert (tmp_path / "new" / NAME).read_bytes() == CONTENT
    assert (tmp_path / "new" / "counts.txt").read_text() == f"{NAME} 7\n"
    assert (tmp_path / "new" / "sha256sums.txt").read_bytes() == server.files["/standard/sha256sums.txt"]


def test_a_dump_that_is_there_is_not_downloaded_again(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    get(client, server, tmp_path)
    assert get(client, server, tmp_path) == 0
    assert len(server.gets(path)) == 1
    assert (tmp_path / "counts.txt").read_text() == f"{NAME} 3\n"


def test_the_lists_keep_the_lines_of_other_files(client: Server, server: FakeServer, tmp_path: Path) -> None:
    server.add_dump(CONTENT)
    (tmp_path / "counts.txt").write_text(f"other.pgn.zst 5\n{NAME} 99\n")
    get(client, server, tmp_path)
    assert (tmp_path / "counts.txt").read_text() == f"other.pgn.zst 5\n{NAME} 3\n"


@pytest.mark.parametrize("has_etags", [True, False], ids=["etag", "date"])
def test_a_connection_that_is_cut_is_taken_up_where_it_was(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], has_etags: bool
) -> None:
    path = server.add_dump(CONTENT)
    server.has_etags = has_etags
    server.fail(path, cut_after=100_000)
    server.fail(path, cut_after=50_000)
    assert get(client, server, tmp_path) == len(CONTENT)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [asked.range for asked in server.gets(path)] == [None, "bytes=100000-", "bytes=150000-"]
    assert {asked.if_range for asked in server.gets(path)[1:]} == {
        server.etag(path) if has_etags else "Tue, 01 Jan 2013 00:00:00 GMT"
    }
    assert waits == [0.75, 1.5]


@pytest.mark.parametrize(
    "fault", [{"stall_after": 1_000}, {"trickle_after": 1_000}, {"cut_after": 0}], ids=["stall", "trickle", "nothing"]
)
def test_a_connection_that_dies_slowly_is_given_up_and_taken_up(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], fault: dict[str, int]
) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, **fault)
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(server.gets(path)) == 2
    assert waits == [0.75]


def test_a_server_without_ranges_begins_anew(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.has_ranges = False
    server.fail(path, cut_after=100_000)
    assert get(client, server, tmp_path) == len(CONTENT) + 100_000
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_where_nothing_tells_versions_apart_every_attempt_begins_anew(
    client: Server, server: FakeServer, tmp_path: Path
) -> None:
    path = server.add_dump(CONTENT)
    server.has_etags = server.has_dates = False
    server.fail(path, cut_after=100_000)
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [asked.range for asked in server.gets(path)] == [None, None]


def test_what_was_downloaded_before_is_not_downloaded_again(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, times=4, cut_after=50_000)
    with pytest.raises(InputError, match=r"peer closed connection .*; gave up after 4 attempts"):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == {f"{NAME}.partial", f"{NAME}.partial.json"}
    assert get(client, server, tmp_path) == 100_000
    assert left_in(tmp_path) == {NAME, *LISTS}
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_attempts_that_get_on_are_not_counted(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_client, "PROGRESS_LEN", 20_000)
    path = server.add_dump(CONTENT)
    server.fail(path, times=10, cut_after=25_000)
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert waits == [0.75] * 10


@pytest.mark.parametrize("fault", [{"cut_after": 100_000}, {}], ids=["before it was resumed", "while it was described"])
def test_a_file_that_changed_is_never_continued(
    client: Server, server: FakeServer, tmp_path: Path, fault: dict[str, Any]
) -> None:
    path = server.add_dump(OTHER)
    server.files[path] = CONTENT
    if fault:
        server.fail(path, **fault)
    server.fail(path, first=lambda: server.files.update({path: OTHER}))
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == OTHER


def test_a_partial_file_of_another_version_is_thrown_away(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(OTHER)
    server.files[path] = CONTENT
    server.fail(path, times=4, cut_after=50_000)
    with pytest.raises(InputError):
        get(client, server, tmp_path)
    server.files[path] = OTHER
    assert get(client, server, tmp_path) == len(OTHER)
    assert (tmp_path / NAME).read_bytes() == OTHER


def test_a_file_that_became_shorter_than_what_is_there_begins_anew(
    client: Server, server: FakeServer, tmp_path: Path
) -> None:
    path = server.add_dump(CONTENT[:90_000])
    server.files[path] = CONTENT
    server.has_etags = False  # the date stays the same: only the size tells
    server.fail(path, cut_after=100_000)
    server.fail(path, first=lambda: server.files.update({path: CONTENT[:90_000]}))
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT[:90_000]


def test_a_file_that_changes_all_the_time_is_one_line(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    versions = iter([OTHER, CONTENT] * 5)
    server.fail(path, times=9, first=lambda: server.files.update({path: next(versions)}))
    with pytest.raises(InputError, match="changed on the server"):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


def test_wrong_bytes_never_get_the_name(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(OTHER)
    server.files[path] = CONTENT
    with pytest.raises(InputError, match=rf"{NAME}: wrong bytes, nothing kept"):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(("says", "message"), [(400_000, "now 400,000 bytes"), (200_000, "now 200,000 bytes")])
def test_an_answer_of_another_length_than_described_is_one_line(
    client: Server, server: FakeServer, tmp_path: Path, says: int, message: str
) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, times=9, says_length=says)
    with pytest.raises(InputError, match=message):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


def test_a_file_longer_than_described_is_one_line(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.has_etags = server.has_dates = False
    server.fail(path, times=9, chunked=True, sends=CONTENT + OTHER)
    with pytest.raises(InputError, match="sends more than the 300,000 bytes that it should have"):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


def test_an_answer_without_a_length_that_ends_early_is_taken_up(
    client: Server, server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, chunked=True, cut_after=1_000)
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert "the connection ended at byte 1,000 of 300,000; trying again in 1 s" in caplog.text


def test_a_length_that_nobody_knows_is_checked_by_the_digest(
    client: Server, server: FakeServer, tmp_path: Path
) -> None:
    path = server.add_dump(CONTENT)
    server.always_fail(path, chunked=True, cut_after=1_000)
    with pytest.raises(InputError, match="wrong bytes"):
        get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


def test_a_range_that_was_not_asked_for_is_refused(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, cut_after=1_000)
    server.fail(path, status=206, headers={"Content-Range": "bytes 5-299999/300000"})
    with pytest.raises(InputError, match="asked for the bytes from 1,000 on, was given 'bytes 5-299999/300000'"):
        get(client, server, tmp_path)


def test_another_file_of_that_name_is_left_alone(client: Server, server: FakeServer, tmp_path: Path) -> None:
    server.add_dump(CONTENT)
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(OutputError, match="isn't the official file"):
        get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"


def test_room_on_the_disk_is_looked_at_first(
    client: Server, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.add_dump(CONTENT)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, (1 << 26) + 299_999))
    with pytest.raises(OutputError, match=r"no room: 0\.0 GB more are needed"):
        get(client, server, tmp_path)
    assert server.gets(path) == []
    # What is there already needs no room.
    partial_path(tmp_path / NAME).write_bytes(CONTENT[:1])
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_disk_that_fills_up_is_one_line_and_nothing_is_lost(
    client: Server, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_prep.download_partial import PartialFile

    def no_room(self: object, place: int, piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    server.add_dump(CONTENT)
    with monkeypatch.context() as full:
        full.setattr(PartialFile, "write", no_room)
        with pytest.raises(OutputError, match=rf"can't write {tmp_path}: No space left on device"):
            get(client, server, tmp_path)
    assert left_in(tmp_path) == set()


def test_two_processes_never_write_the_same_file(client: Server, server: FakeServer, tmp_path: Path) -> None:
    server.add_dump(CONTENT)
    with partial_path(tmp_path / NAME).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=f"{NAME} is being downloaded by another process"):
            get(client, server, tmp_path)
    get(client, server, tmp_path)


def test_a_partial_file_about_which_nothing_is_known_is_begun_anew(
    client: Server, server: FakeServer, tmp_path: Path
) -> None:
    server.add_dump(CONTENT)
    partial = partial_path(tmp_path / NAME)
    partial.write_bytes(OTHER[:1_000])
    partial.with_name(f"{partial.name}.json").write_text(json.dumps({"format": "something else"}))
    assert get(client, server, tmp_path) == len(CONTENT)


def test_a_file_without_an_official_checksum_is_taken_only_on_request(
    client: Server, server: FakeServer, tmp_path: Path
) -> None:
    server.add_dump(CONTENT)
    del server.files["/standard/sha256sums.txt"]
    dumps = read_index(client, server.url, "standard")
    with pytest.raises(InputError, match=r"sha256sums\.txt doesn't have it"):
        download(client, dumps, tmp_path)
    download(client, dumps, tmp_path, require_checksum=False)
    assert left_in(tmp_path) == {NAME, "counts.txt"}
