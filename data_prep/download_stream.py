"""A dump straight from the network into a named pipe that `prepare` reads as if it were the file.

Knows: the pipe, the thread that fills it, where the first games of a dump end, and how a reader learns of a failure.
Doesn't know: HTTP (`download_client`), or what the reader does.

A whole dump goes through the pipe as it is, and its checksum is compared at the end. Of the first games of a dump there
is no official checksum: the pipe is named after their number (`….first-20000.pgn.zst`), so that every manifest and
every row say what they are of, and their text is packed anew, the same bytes however the network cut it.

A reader must never take the end of a torn download for the end of the file: after a failure the pipe ends inside a
frame, which every reader of zstd refuses.
"""

from __future__ import annotations

import errno
import hashlib
import os
import select
import tempfile
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from chesslm.errors import InputError, UserError
from data_prep.decompress import MAX_WINDOW_LEN, PIECE_LEN
from data_prep.download_client import Server
from data_prep.download_config import DownloadSection
from data_prep.download_index import CHECKSUMS, COUNTS, Dump
from data_prep.frames import pack_frame
from data_prep.games import split_games

_SUFFIX = ".pgn.zst"
_TEXT_A_FRAME = 1 << 20  # bytes
_LEVEL = 1  # of compression: the pipe is short
_TORN = pack_frame(b"torn", level=_LEVEL)[:-1]
_LOOK_EVERY_S = 0.05  # at whether to stop
_END_S = 5.0  # what the thread gets to end; it may be waiting for the server


class _Stopped(Exception):
    """Nobody wants the rest."""


class DumpPipe:
    """A dump, or its first games, as a named pipe that can be read once.

    Args:
        section: the server.
        dump: which dump.
        max_games: how many of its games; all if None.

    Attributes:
        path: the pipe, once entered.

    Raises:
        InputError: on leaving, if the dump couldn't be had whole, whatever the reader said of it.
    """

    def __init__(self, section: DownloadSection, dump: Dump, *, max_games: int | None) -> None:
        self._section = section
        self._dump = dump
        self._max_games = max_games
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._folder: tempfile.TemporaryDirectory[str]
        self.path: Path

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="chesslm-")
        folder, dump = Path(self._folder.name), self._dump
        if self._max_games is None:
            self.path = folder / dump.name
            # The official lines, as they lie beside a downloaded file.
            if dump.games is not None:
                (folder / COUNTS).write_text(f"{dump.name} {dump.games}\n", encoding="utf-8")
            if dump.sha256 is not None:
                (folder / CHECKSUMS).write_text(f"{dump.sha256}  {dump.name}\n", encoding="utf-8")
        else:
            self.path = folder / f"{dump.name.removesuffix(_SUFFIX)}.first-{self._max_games}{_SUFFIX}"
        os.mkfifo(self.path)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_END_S)
        self._folder.cleanup()
        if self._error is not None and (error is None or isinstance(error, UserError)):
            raise self._error from error
        if isinstance(error, UserError) and self._folder.name in str(error):
            raise type(error)(str(error).replace(str(self.path), self._dump.url)) from error

    def _fill(self) -> None:
        try:
            with _PipeWriter(self.path, self._stop) as pipe, Server(self._section, wait=self._pause) as server:
                try:
                    for content in self._contents(server):
                        pipe.write(content)
                except UserError as error:
                    self._error = error
                    pipe.write(_TORN)
        except _Stopped:
            pass
        except Exception as error:  # shown by whoever leaves the pipe, not by a thread that nobody hears
            self._error = error

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped

    def _contents(self, server: Server) -> Iterator[bytes]:
        packed = _in_order(server, self._dump)
        if self._max_games is None:
            digest = hashlib.sha256()
            for piece in packed:
                digest.update(piece)
                yield piece
            if self._dump.sha256 is not None and digest.hexdigest() != self._dump.sha256:
                raise InputError(f"{self._dump.url}: wrong bytes: its sha256 isn't the one that {CHECKSUMS} has")
        else:
            yield from _frames(first_games(unpacked(packed, self._dump.url), self._max_games))


def first_games(texts: Iterable[bytes], max_games: int) -> Iterator[bytes]:
    """The text of the first games, game by game, byte by byte as it was."""
    pending = bytearray()

    def seen() -> Iterator[bytes]:
        for text in texts:
            pending.extend(text)
            yield text

    for raw in islice(split_games(seen()), max_games):
        yield bytes(pending[: raw.num_bytes])
        del pending[: raw.num_bytes]


def unpacked(pieces: Iterable[bytes], url: str) -> Iterator[bytes]:
    """The text of a dump.

    Raises:
        InputError: corrupt or cut short; names the address.
    """
    decoder: zstandard.ZstdDecompressionObj | None = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), PIECE_LEN):
                rest = piece[start : start + PIECE_LEN]
                while rest:
                    if decoder is None:
                        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_LEN).decompressobj()
                    if text := decoder.decompress(rest):
                        yield text
                    rest = decoder.unused_data if decoder.eof else b""
                    decoder = None if decoder.eof else decoder
    except zstandard.ZstdError as error:
        raise InputError(f"{url}: corrupt zstd data: {error}") from error
    if decoder is not None:
        raise InputError(f"{url}: cut short: its last zstd frame doesn't end")


def _in_order(server: Server, dump: Dump) -> Iterator[bytes]:
    """The bytes of a file, each once, also where the server could only begin anew."""
    remote = server.describe(dump.url)
    num_done = 0
    for place, piece in server.read(remote):
        if place < num_done and remote.validator is None:
            raise InputError(f"{dump.url}: cut at byte {num_done:,}; the server has neither ETag nor date to go on by")
        fresh = piece[num_done - place :] if num_done > place else piece
        if fresh:
            yield fresh
            num_done += len(fresh)


def _frames(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Text as zstd frames that depend on the text alone."""
    pending = bytearray()
    for text in texts:
        pending += text
        while len(pending) >= _TEXT_A_FRAME:
            yield pack_frame(bytes(pending[:_TEXT_A_FRAME]), level=_LEVEL)
            del pending[:_TEXT_A_FRAME]
    if pending:
        yield pack_frame(bytes(pending), level=_LEVEL)


class _PipeWriter:
    """The writing end of a named pipe, that can be stopped while it waits for a reader.

    Raises:
        _Stopped: from every method, when nobody reads or wants the rest.
    """

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._path = path
        self._stop = stop

    def __enter__(self) -> Self:
        while not self._stop.is_set():
            try:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:  # no reader yet
                    raise
                self._stop.wait(_LOOK_EVERY_S)
            else:
                return self
        raise _Stopped

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def write(self, content: bytes) -> None:
        """Write all of it, as the reader takes it."""
        rest = memoryview(content)
        while rest:
            if self._stop.is_set():
                raise _Stopped
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], _LOOK_EVERY_S)
            except BrokenPipeError as error:
                raise _Stopped from error
