"""Results files: one JSON document a `.json` file, or one a line of a `.jsonl` file that grows.

Knows: how a document is written whole or appended durably, how either kind of file is read, and where a document
says what it is.
Doesn't know: what the documents say (`records`, `strength_records`).
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chesslm.errors import OutputError
from chesslm.files import fsync_folder, json_line, read_json, read_lines, write_json

log = logging.getLogger(__name__)

# How the first line of every file of ours begins.
_BEGINNING = b'{"format": "chesslm-'


def is_lines(path: Path) -> bool:
    """Whether a file of this name holds a document a line, so that it is appended to."""
    return path.suffix.lower() == ".jsonl"


def write_document(path: Path, payload: Any) -> None:
    """Write a document: a `.jsonl` file gets one more line, any other file is written whole.

    Raises:
        OutputError: no room, no permission; names the file, which is as it was before.
    """
    if is_lines(path):
        append_document(path, payload)
    else:
        write_json(path, payload)


def require_results_lines(path: Path) -> None:
    """Refuse to append to a file that holds something else.

    Raises:
        OutputError: its first line isn't a document of ours, or it can't be read.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(len(_BEGINNING))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"can't read {path}: {error.strerror or error}") from error
    if not _BEGINNING.startswith(begins):
        raise OutputError(f"{path}: exists already and holds no results, so nothing is appended")


def append_document(path: Path, payload: Any) -> None:
    """Append one whole line; it is on disk when this returns, and a torn last line before it is gone.

    Several processes may append to one file: each waits for the other.

    Raises:
        OutputError: as `write_document`; or the file holds something else.
    """
    require_results_lines(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            start = _whole_length(file, path)
            file.truncate(start)
            try:
                file.write(_missing_end(file, start) + json_line(payload))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                # Closing would try to write the rest again; what is there of it goes.
                os.ftruncate(file.fileno(), start)
                raise
        fsync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"can't write {path}: {error.strerror or error}") from error


def read_documents(path: Path) -> Iterator[tuple[str, Any]]:
    """The documents of a file, each with words for messages that say where it stands.

    A torn last line of a `.jsonl` file is dropped with a warning.

    Raises:
        InputError: missing, unreadable or not JSON; names file and line.
    """
    if is_lines(path):
        for number, document in enumerate(read_lines(path), start=1):
            yield f"{path}, result {number}", document
    else:
        yield str(path), read_json(path)


def format_of(document: Any) -> Any:
    """The format that a document says it has; for one that can't say, its type.

    >>> format_of({"format": "chesslm-results/1"}), format_of([])
    ('chesslm-results/1', 'list')
    """
    return document.get("format") if isinstance(document, dict) else type(document).__name__


def _whole_length(file: IO[bytes], path: Path) -> int:
    """Bytes up to the end of the last whole document."""
    file.seek(0)
    content = file.read()
    last = content[content.rfind(b"\n") + 1 :]
    if not last:
        return len(content)
    try:
        json.loads(last)
    except ValueError:
        log.warning("%s: dropped a torn last line", path)
        return len(content) - len(last)
    return len(content)


def _missing_end(file: IO[bytes], length: int) -> bytes:
    """The end of a line that somebody's editor has left out."""
    file.seek(max(0, length - 1))
    return b"\n" if length and file.read(1) != b"\n" else b""
