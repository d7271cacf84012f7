"""What an unfinished folder holds so far: a log of whole lines that says how to go on after a kill.

Knows: when the log of an earlier process may be trusted, and that a line is on disk before anybody relies on it.
Doesn't know: what the lines mean.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chesslm.errors import ChesslmError, OutputError
from chesslm.files import json_line, read_lines, write_bytes

JOURNAL = "journal.jsonl"
JOURNAL_FORMAT = "chesslm-journal/1"


class Journal:
    """The log of one unfinished folder.

    Args:
        folder: exists; no other process writes it.
        header: what the work depends on; entries of an earlier process count only if its header was the same.

    `entries` are those of the earlier process, in order, and what was appended since.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self._path = folder / JOURNAL
        self._header = header
        self.entries: list[dict[str, Any]] = []
        try:
            found, *entries = read_lines(self._path)
        except (ChesslmError, ValueError):  # none, or none that can be read
            return
        if found == header:
            self.entries = entries

    def keep(self, count: int) -> None:
        """Forget all but the first entries; from now on they are in the file, and what is appended comes behind them.

        Raises:
            OutputError: it can't be written.
        """
        del self.entries[count:]
        write_bytes(self._path, b"".join(map(json_line, [self._header, *self.entries])))

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry; it is on disk when this returns.

        Raises:
            OutputError: it can't be written.
        """
        try:
            with self._path.open("ab") as file:
                file.write(json_line(entry))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"can't write {self._path}: {error.strerror or error}") from error
        self.entries.append(entry)


def has_entries(folder: Path) -> bool:
    """Whether an unfinished folder has anything to go on from."""
    try:
        return (folder / JOURNAL).read_bytes().count(b"\n") > 1
    except OSError:
        return False
