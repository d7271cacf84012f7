"""Downloads from servers that are busy, refuse, redirect, or aren't there."""

from __future__ import annotations

import random
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from chesslm.errors import ConfigError, InputError
from data_prep.download import download
from data_prep.download_client import Server
from data_prep.download_config import DownloadSection
from data_prep.download_index import read_index

FakeServer = Any


CONTENT = random.Random(1).randbytes(300_000)


NAME = "lichess_db_standard_rated_2013-01.pgn.zst"


def get(client: Server, server: FakeServer, folder: Path) -> int:
    """Download the server's dumps into a folder; how many bytes came over the network."""
    dumps = read_index(client, server.url, "standard")
    return sum(done.received for done in download(client, dumps, folder))


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], status: int
) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, times=2, status=status)
    get(client, server, tmp_path)
    assert waits == [0.75, 1.5]


@pytest.mark.parametrize(("asked", "least", "most"), [("7", 7, 7), (None, 25, 60), ("soon", 0.75, 0.75)])
def test_a_server_that_says_when_is_not_asked_before(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], asked: str | None, least: float, most: float
) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, status=503, headers={"Retry-After": asked or formatdate(time.time() + 30, usegmt=True)})
    get(client, server, tmp_path)
    (waited,) = waits
    assert least <= waited <= most


def test_a_server_that_asks_for_too_long_a_wait_is_one_line(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.fail(path, status=429, headers={"Retry-After": "86400"})
    with pytest.raises(InputError, match=r"429 Too Many Requests; it asks to wait 86,400 s"):
        get(client, server, tmp_path)


def test_a_busy_server_is_given_up_in_the_end(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float]
) -> None:
    path = server.add_dump(CONTENT)
    server.always_fail(path, status=503)
    with pytest.raises(InputError, match=r"503 Service Unavailable; gave up after 4 attempts"):
        get(client, server, tmp_path)
    assert waits == [0.75, 1.5, 3.0]
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(("status", "said"), [(404, "404 Not Found"), (403, "403 Forbidden"), (410, "410 Gone")])
def test_a_refusal_is_final(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], status: int, said: str
) -> None:
    path = server.add_dump(CONTENT)
    server.always_fail(path, status=status)
    with pytest.raises(InputError, match=f"{NAME}: the server answers {said}"):
        get(client, server, tmp_path)
    assert waits == []
    assert left_in(tmp_path) == set()


def test_a_server_without_head_is_asked_by_get(client: Server, server: FakeServer, tmp_path: Path) -> None:
    server.add_dump(CONTENT)
    server.has_head = False
    assert get(client, server, tmp_path) == len(CONTENT)


def test_a_redirect_is_followed(client: Server, server: FakeServer, tmp_path: Path) -> None:
    path = server.add_dump(CONTENT)
    server.files["/moved"] = CONTENT
    server.always_fail(path, status=302, headers={"Location": "/moved"})
    get(client, server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("location", "said"), [("ftp://elsewhere.example/x", "unsupported protocol"), ("/around", "[Rr]edirect")]
)
def test_a_redirect_to_nowhere_is_final(
    client: Server, server: FakeServer, tmp_path: Path, waits: list[float], location: str, said: str
) -> None:
    path = server.add_dump(CONTENT)
    server.always_fail(path, status=302, headers={"Location": location})
    server.always_fail("/around", status=302, headers={"Location": "/around"})
    with pytest.raises(InputError, match=said):
        get(client, server, tmp_path)
    assert waits == []


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, server: FakeServer, waits: list[float]) -> None:
    section = DownloadSection(base_url="http://127.0.0.1:1", retries=1)
    with (
        Server(section, wait=waits.append) as client,
        pytest.raises(InputError, match=r"list\.txt: .*refused.*; gave up after 2 attempts"),
    ):
        read_index(client, section.base_url, "standard")
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ca_file": "/nowhere.pem"}, "download.ca_file: can't use /nowhere.pem"),
        ({"proxy": "http://host:port"}, "download.proxy"),
    ],
)
def test_a_client_that_cannot_be_made_names_the_key(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Server(DownloadSection(**settings))  # type: ignore[arg-type]


def test_nothing_comes_from_the_environment(
    client: Server, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.add_dump(CONTENT)
    with Server(DownloadSection(base_url=server.url, retries=0)) as plain:
        assert get(plain, server, tmp_path) == len(CONTENT)
