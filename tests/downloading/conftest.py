"""A server of dumps that misbehaves as it is told, and clients that don't really wait."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from chesslm.cli import main
from data_prep import progress
from data_prep.download_client import Server
from data_prep.download_config import DownloadSection

MONTH = "2013-01"
NAME = f"lichess_db_standard_rated_{MONTH}.pgn.zst"


@dataclass(frozen=True)
class Fault:
    """What one GET of a file meets with; the next one that is told something else, or nothing."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # bytes, then the connection is closed
    stall_after: int | None = None  # bytes, then nothing more comes
    trickle_after: int | None = None  # bytes, then one at a time
    says_length: int | None = None  # what Content-Length claims
    chunked: bool = False  # no Content-Length: the answer ends with the connection
    sends: bytes | None = None  # other bytes than the file's
    first: Callable[[], None] | None = None  # done before the answer


class Asked(NamedTuple):
    method: str
    path: str
    range: str | None
    if_range: str | None


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what is tested here."""


class FakeServer:
    """Files by path under `url`, and what happens to whom asks for them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, deque[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.asked: list[Asked] = []
        self.has_ranges = True
        self.has_etags = True
        self.has_dates = True
        self.has_head = True
        self.closing = threading.Event()
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def add_dump(self, content: bytes, *, games: int = 3, name: str = NAME, variant: str = "standard") -> str:
        """A dump with its lines in the lists; the path it has."""
        path = f"/{variant}/{name}"
        self.files[path] = content
        for file, line in (
            ("list.txt", f"https://elsewhere.example/{variant}/{name}\n"),
            ("counts.txt", f"{name} {games}\n"),
            ("sha256sums.txt", f"{hashlib.sha256(content).hexdigest()}  {name}\n"),
        ):
            self.files[f"/{variant}/{file}"] = self.files.get(f"/{variant}/{file}", b"") + line.encode()
        return path

    def fail(self, path: str, *, times: int = 1, **fault: Any) -> None:
        """The next GETs of a file meet with a `Fault`."""
        self.faults.setdefault(path, deque()).extend([Fault(**fault)] * times)

    def always_fail(self, path: str, **fault: Any) -> None:
        """Every GET and HEAD of a file meets with a `Fault`."""
        self.always[path] = Fault(**fault)

    def gets(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "GET" and asked.path == path]

    def etag(self, path: str) -> str:
        return f'"{hashlib.sha256(self.files[path]).hexdigest()[:12]}"'

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            server.asked.append(Asked(self.command, self.path, self.headers["Range"], self.headers["If-Range"]))
            fault = server.always.get(self.path) or Fault()
            if self.command == "GET" and server.faults.get(self.path):
                fault = server.faults[self.path].popleft()
            if fault.first is not None and self.command == "GET":
                fault.first()
            content = fault.sends or server.files.get(self.path)
            if content is None or fault.status or (self.command == "HEAD" and not server.has_head):
                self.send_response(fault.status or (404 if content is None else 405))
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send(content, fault)

        def _send(self, content: bytes, fault: Fault) -> None:
            etag, date = server.etag(self.path), "Tue, 01 Jan 2013 00:00:00 GMT"
            start = 0
            is_same = self.headers["If-Range"] in (None, etag if server.has_etags else date)
            if server.has_ranges and self.headers["Range"] and is_same:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            if not fault.chunked:
                self.send_header("Content-Length", str(fault.says_length or len(content) - start))
            if server.has_etags:
                self.send_header("ETag", etag)
            if server.has_dates:
                self.send_header("Last-Modified", date)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            self.close_connection = fault != Fault()
            limits = [limit for limit in (fault.cut_after, fault.stall_after, fault.trickle_after) if limit is not None]
            end = start + limits[0] if limits else len(content)
            try:
                self.wfile.write(content[start:end])
                if fault.stall_after is not None:
                    self.wfile.flush()
                    server.closing.wait(30)
                if fault.trickle_after is not None:
                    for at in range(end, len(content)):
                        self.wfile.write(content[at : at + 1])
                        self.wfile.flush()
                        if server.closing.wait(0.01):
                            return
            except OSError:
                self.close_connection = True

    return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture(autouse=True)
def no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command says must not depend on how busy the machine is."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", math.inf)


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client would have waited, attempt by attempt."""
    return []


@pytest.fixture
def client(server: FakeServer, waits: list[float]) -> Iterator[Server]:
    """A client of the server that doesn't wait, and whose connections count as dead after a moment."""
    section = DownloadSection(base_url=server.url, timeout_s=0.3, retries=3)
    with Server(section, wait=waits.append, jitter=lambda: 0.5) as made:
        yield made


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `chesslm data download …` against the server, with short waits."""
    monkeypatch.setenv("COLUMNS", "140")

    def run_command(*arguments: object, **settings: object) -> Ran:
        values = {"base_url": server.url, "backoff_s": 0, "timeout_s": 0.3, "retries": 3, **settings}
        sets = [f"--set=download.{key}={value}" for key, value in values.items()]
        capsys.readouterr()
        code = main(["data", "download", *map(str, arguments), *sets])
        return Ran(code, *capsys.readouterr())

    return run_command
