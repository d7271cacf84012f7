"""Dumps onto the disk: resumed where they were cut, checked, and under their name only when they are right.

Knows: the order of the steps, room on the disk, files that are there already, the lists beside the files.
Doesn't know: HTTP (`download_client`), which dumps there are (`download_index`), how a file grows (`download_partial`).

counts.txt and sha256sums.txt beside the dumps get the official lines of those that are there, for `chesslm data
prepare` to compare with what it reads.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import InputError, OutputError
from chesslm.files import sha256_file, write_bytes
from data_prep.download_client import FileChanged, RemoteFile, Server
from data_prep.download_index import CHECKSUMS, COUNTS, Dump
from data_prep.download_partial import PartialFile, partial_path
from data_prep.progress import ProgressLine

SPARE_LEN = 1 << 26  # bytes that a download leaves free on the disk
_MEGA = 1_000_000
_MAX_VERSIONS = 3  # of a file that changes while it is downloaded


@dataclass(frozen=True, slots=True)
class Downloaded:
    """One dump that is there now.

    Args:
        path: the file.
        size: bytes.
        received: bytes that came over the network for it now; 0 if it was there already.
    """

    path: Path
    size: int
    received: int


def download(server: Server, dumps: Sequence[Dump], folder: Path, *, require_checksum: bool = True) -> list[Downloaded]:
    """Download dumps one after the other; those that are there and right are left alone.

    Args:
        server: where they come from.
        dumps: which.
        folder: where to; made if it isn't there.
        require_checksum: refuse dumps without an official checksum, before any is downloaded.

    Raises:
        InputError: a dump can't be had, or its bytes are wrong.
        OutputError: no room, no permission, or a file of that name is another one.
    """
    for dump in dumps:
        if require_checksum and dump.sha256 is None:
            raise InputError(f"{dump.url}: {CHECKSUMS} doesn't have it (to take it: download.require_checksum=false)")
    with _writing(folder):
        missing = [dump for dump in dumps if not (folder / dump.name).exists()]
        remotes = {dump.name: server.describe(dump.url) for dump in missing}
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, remotes)
        return [_download(server, dump, folder, remotes.get(dump.name)) for dump in dumps]


def _download(server: Server, dump: Dump, folder: Path, remote: RemoteFile | None) -> Downloaded:
    path = folder / dump.name
    received = 0
    if remote is None:
        if dump.sha256 is not None and sha256_file(path) != dump.sha256:
            raise OutputError(f"{path} exists and isn't the official file (its sha256 differs); move it away")
    else:
        with PartialFile(path) as partial:
            received = _fetch(server, partial, remote)
            partial.finish(dump)
    with _alone(folder):
        if dump.games is not None:
            _note(folder / COUNTS, dump.name, f"{dump.name} {dump.games}")
        if dump.sha256 is not None:
            _note(folder / CHECKSUMS, dump.name, f"{dump.sha256}  {dump.name}")
    return Downloaded(path, path.stat().st_size, received)


def _fetch(server: Server, partial: PartialFile, remote: RemoteFile) -> int:
    """Complete a file; returns how many bytes were received for it."""
    received = 0
    for version in range(1, _MAX_VERSIONS + 1):
        begin, before = partial.begin(remote), received
        title = f"{partial.path.name} from byte {begin:,}" if begin else partial.path.name
        total = None if remote.size is None else remote.size - begin
        try:
            with ProgressLine(title, total, unit="MB") as progress:
                for place, piece in server.read(remote, begin):
                    partial.write(place, piece)
                    received += len(piece)
                    progress.show(received - before, (received - before) // _MEGA)
            return received
        except FileChanged:
            if version == _MAX_VERSIONS:
                raise
            remote = server.describe(remote.url)
    raise AssertionError("the last change of the file is raised")


def _check_room(folder: Path, remotes: dict[str, RemoteFile]) -> None:
    needed = 0
    for name, remote in remotes.items():
        partial = partial_path(folder / name)
        have = partial.stat().st_size if partial.exists() else 0
        needed += max((remote.size or 0) - have, 0)
    free = shutil.disk_usage(folder).free
    if needed + SPARE_LEN > free:
        raise OutputError(
            f"{folder}: no room: {needed / 1e9:,.1f} GB more are needed, and {SPARE_LEN / 1e9:,.1f} GB to spare; "
            f"{free / 1e9:,.1f} GB are free"
        )


def _note(path: Path, name: str, line: str) -> None:
    """Write a file's line into a list; the other files' lines stay as they are."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    others = [other for other in lines if name.encode() not in other.split()]
    if len(others) + 1 != len(lines) or line.encode() not in lines:
        write_bytes(path, b"".join(other + b"\n" for other in [*others, line.encode()]))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Other downloads into the same folder wait for the block's end."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"can't write {error.filename or folder}: {error.strerror or error}") from error
