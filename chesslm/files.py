"""Files that are written whole, folders with one writer, and lines that are appended whole.

Knows: temporary name, fsync, rename; lock files; digests; torn last lines.
Doesn't know: what the files contain.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from chesslm.errors import InputError, OutputError

log = logging.getLogger(__name__)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file in the same folder, then fsync and rename it over `path`.

    A killed process leaves the old file or the new one, never half of one.

    Raises:
        OutputError: no room, no permission or another operating system error; names the file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        # Some writers (safetensors) replace the file by one that only its owner may read.
        temporary.chmod(mode)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        # Where the folder can't be reached, there is nothing to remove either, and the first error says why.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """`write_whole` for bytes at hand."""
    write_whole(path, lambda temporary: _put(temporary, content))


def write_json(path: Path, payload: Any) -> None:
    """`write_whole` for a JSON document, indented, keys in the order given."""
    write_bytes(path, _encoded(json.dumps(payload, indent=2, ensure_ascii=False)))


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        InputError: missing, unreadable or not JSON; names the file.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file: {error}") from error


def append_line(file: IO[bytes], payload: Any) -> None:
    """Append one JSON document as one whole line and flush it to the operating system."""
    file.write(json_line(payload))
    file.flush()


def json_line(payload: Any) -> bytes:
    """One JSON document as one whole line."""
    return _encoded(json.dumps(payload, ensure_ascii=False))


def read_lines(path: Path) -> Iterator[Any]:
    """The JSON documents of a log, one a line; a torn last line is dropped with a warning.

    Raises:
        InputError: missing, or a line other than the last is not JSON; names file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines):
                log.warning("%s: dropped a torn last line", path)
                return
            raise InputError(f"{path}, line {number}: not JSON") from error


def require_utf8(path: Path) -> None:
    """Refuse a folder whose files Arrow or safetensors couldn't open: Linux takes any bytes as a name, they don't.

    Raises:
        InputError: the path isn't UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: the path of this folder must be UTF-8; choose another name") from error


def sha256_file(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(payload: Any) -> str:
    """sha256 (hex) of a JSON document in canonical form: sorted keys, no spaces."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's `lock` file; the kernel releases it when the process ends, however it ends.

    Raises:
        OutputError: another process holds it, or the folder can't be written.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"can't write {path}: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(f"{folder} is being written by another process") from error
        yield


def _encoded(document: str) -> bytes:
    # File names need not be UTF-8; Python holds their other bytes as surrogates, which JSON can only write as \udcff.
    return (document + "\n").encode(errors="backslashreplace")


def _put(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)


def fsync_folder(folder: Path) -> None:
    """Make what was renamed into or out of a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
