"""The beginning of a file that is being downloaded, and what it is the beginning of.

Knows: NAME.partial, NAME.partial.json beside it, the digest of what has arrived, and how a whole file gets its name.
Doesn't know: where bytes come from (`download_client`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chesslm.errors import InputError, OutputError, UserError
from chesslm.files import fsync_folder, read_json, write_json
from data_prep.download_client import RemoteFile
from data_prep.download_index import CHECKSUMS, Dump

PARTIAL_FORMAT = "chesslm-partial/1"
_READ_LEN = 1 << 20  # bytes that are digested at once


def partial_path(path: Path) -> Path:
    """Where the beginning of a file lies."""
    return path.with_name(f"{path.name}.partial")


class PartialFile:
    """The beginning of a file; only one process has it at a time. It stays where it can be of use to the next one.

    Args:
        path: the file's name once it is whole.

    Raises:
        OutputError: on entering, if another process downloads the same file.
        OSError: as the operating system says, from every method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = partial_path(path)
        self._about = self._data.with_name(f"{self._data.name}.json")
        self._digest = hashlib.sha256()
        self._len = 0
        self._is_known = False  # will it be known again which version this is the beginning of?

    def __enter__(self) -> Self:
        while True:
            self._file = os.fdopen(os.open(self._data, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._file.close()
                raise OutputError(f"{self.path} is being downloaded by another process") from error
            # Whoever had it may have finished it after it was opened here: then this is the whole file.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._file.fileno()), self._data.stat()):
                    return self
            self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and not (self._len and self._is_known):
            self._remove()  # nothing of it could be used
        self._file.close()

    def begin(self, remote: RemoteFile) -> int:
        """How many bytes of this very file are there; what was of another one is thrown away."""
        about: dict[str, Any] = {"format": PARTIAL_FORMAT, **asdict(remote)}
        size = os.fstat(self._file.fileno()).st_size
        self._is_known = remote.validator is not None
        if self._is_known and self._is_about(about) and (remote.size is None or size <= remote.size):
            self._file.seek(0)
            self._digest = hashlib.sha256()
            while piece := self._file.read(_READ_LEN):
                self._digest.update(piece)
            self._len = size
        else:
            self._clear()
            write_json(self._about, about)
        return self._len

    def write(self, place: int, piece: bytes) -> None:
        """Put the next bytes behind those that are there; `place` is their end, or 0 to begin anew."""
        if place != self._len:
            assert place == 0, f"bytes for {place}, but there are {self._len}"
            self._clear()
        self._file.write(piece)
        self._digest.update(piece)
        self._len += len(piece)

    def finish(self, dump: Dump) -> None:
        """Give the file its name, if its bytes are right; else remove it.

        Raises:
            InputError: they aren't.
        """
        found = self._digest.hexdigest()
        if dump.sha256 is not None and found != dump.sha256:
            self._remove()
            raise InputError(
                f"{dump.url}: wrong bytes, nothing kept: sha256 is {found[:16]}…, {CHECKSUMS} says {dump.sha256[:16]}…"
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._data.rename(self.path)
        self._about.unlink(missing_ok=True)
        fsync_folder(self.path.parent)

    def _is_about(self, about: dict[str, Any]) -> bool:
        try:
            return bool(read_json(self._about) == about)
        except UserError:
            return False

    def _clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._len = 0

    def _remove(self) -> None:
        self._data.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)
