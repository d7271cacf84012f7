"""Rows of kept games -> the parts of a games folder, the counts of its manifest, and a journal to go on from.

Knows: duplicates, parts, totals by split and by reason, and what of an earlier process's work can be used.
Doesn't know: where rows come from, or when the folder is whole (`prepare`).

An entry of the journal names a part that is on disk, and the state before the block that completed it: who goes on
makes that block again, and leaves out those of its rows that the part has already.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chesslm.files import sha256_file, write_whole
from chesslm.game import SPLITS
from chesslm.game_files import GAMES_FORMAT, games_digest, part_name
from data_prep.filters import DUPLICATE, REASONS
from data_prep.journal import Journal
from data_prep.rows import CORRECTED_GAMES, CORRECTED_PLIES, CORRECTIONS, FILLED_RESULTS, BlockRows
from data_prep.seen import STATEMENT, SeenGames

ROWS_A_GROUP = 10_000  # games that are read and encoded at once
_UNIQUE = ("id", "moves_hash", "source_index")  # columns whose values don't recur
_PLY_COLUMNS = ("san", "clock_s", "eval_cp")


@dataclass(slots=True)
class Tally:
    """Counts over the blocks so far.

    Args:
        block: how many blocks have been added; the next one's number.
        read: games read, of all inputs.
        kept: games kept.
        dropped: reason -> games.
        corrections: name -> games or plies.
    """

    block: int = 0
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    corrections: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able twin that doesn't change any more."""
        return {
            "block": self.block,
            "read": self.read,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "corrections": dict(self.corrections),
        }

    @classmethod
    def from_json(cls, payload: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        counters = {name: Counter(payload[name]) for name in ("dropped", "corrections")}
        return cls(**{**payload, **counters})


class GamesWriter:
    """Takes blocks in input order and writes parts; the bytes depend on the games alone.

    Args:
        folder: exists; has the parts that the journal names.
        journal: of the folder.
        keep_duplicates: keep games with the same moves as an earlier one.
        games_a_part: games a part.

    A part is written while the next rows are taken; use as a context manager, which waits for it.
    """

    def __init__(self, folder: Path, journal: Journal, *, keep_duplicates: bool, games_a_part: int) -> None:
        self._folder = folder
        self._journal = journal
        self._games_a_part = games_a_part
        self._seen: SeenGames | None = None if keep_duplicates else SeenGames()
        self._waiting: list[pa.RecordBatch] = []
        self._num_waiting = 0
        self._parts: list[dict[str, Any]] = []  # all that were begun; whole once they are in the journal
        self._writing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1)
        self._num_skipped = 0  # rows of the next block that are in a part already
        self.tally = Tally()
        self.mark: dict[str, Any] = {}
        self._go_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(wait=True)

    @property
    def dropped(self) -> dict[str, int]:
        """Reason -> games, in the order in which reasons are judged; only those that occurred."""
        return {reason: self.tally.dropped[reason] for reason in REASONS if self.tally.dropped[reason]}

    def add(self, block: BlockRows, mark: dict[str, Any]) -> None:
        """Take the next block.

        Args:
            block: its source_index as the folder shall have it.
            mark: where the block begins, JSON-able; `mark` gives it back to who goes on.

        Raises:
            OutputError: a part can't be written.
        """
        before = self.tally.to_json() | {"mark": mark}
        rows = block.rows
        is_new = np.ones(len(rows), np.bool_)
        if self._seen is not None:
            is_new = self._seen.add(rows.column("moves_hash").to_numpy())
            rows = rows if is_new.all() else rows.filter(pa.array(is_new))
        tally = self.tally
        tally.block += 1
        tally.read += block.num_read
        tally.kept += len(rows)
        tally.dropped.update(block.dropped)
        tally.dropped[DUPLICATE] += len(block.rows) - len(rows)
        assert tally.kept + tally.dropped.total() == tally.read, "a game was neither kept nor counted as dropped"
        num_corrected = block.num_corrected[is_new]
        tally.corrections[CORRECTED_GAMES] += int((num_corrected > 0).sum())
        tally.corrections[CORRECTED_PLIES] += int(num_corrected.sum())
        tally.corrections[FILLED_RESULTS] += int(block.has_filled_result[is_new].sum())
        self._waiting.append(rows.slice(self._num_skipped))
        self._num_waiting += len(self._waiting[-1])
        self._num_skipped = 0
        while self._num_waiting >= self._games_a_part:
            self._write_part(before)

    def finish(self) -> dict[str, Any]:
        """Write the last part; the manifest's fields about games and reasons.

        Raises:
            OutputError: a part can't be written.
        """
        if self._num_waiting:
            self._write_part(None)
        self._wait()
        tally, parts = self.tally, self._parts
        splits = {
            split: {key: sum(part["splits"][split][key] for part in parts) for key in ("games", "plies")}
            for split in SPLITS
        }
        entries = [{key: part[key] for key in ("file", "games", "sha256")} for part in parts]
        return {
            "format": GAMES_FORMAT,
            "games": tally.kept,
            "games_digest": games_digest(entries),
            "plies": sum(counts["plies"] for counts in splits.values()),
            "splits": splits,
            "read": tally.read,
            "kept": tally.kept,
            "dropped": self.dropped,
            "corrections": {name: tally.corrections[name] for name in CORRECTIONS},
            "duplicates": None if self._seen is None else STATEMENT,
            "parts": entries,
        }

    def _go_on(self) -> None:
        """Take over what an earlier process has on disk, as far as it is whole."""
        num_whole = 0
        for entry in self._journal.entries:
            path = self._folder / entry["part"]["file"]
            if not path.is_file() or sha256_file(path) != entry["part"]["sha256"]:
                break
            num_whole += 1
        self._journal.keep(num_whole)
        self._parts = [entry["part"] for entry in self._journal.entries]
        known = {part["file"] for part in self._parts}
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()
        if not self._parts:
            return
        state = dict(self._journal.entries[-1]["before"])
        self.mark = state.pop("mark")
        self.tally = Tally.from_json(state)
        self._num_skipped = sum(part["games"] for part in self._parts) - self.tally.kept
        num_left = self.tally.kept
        for part in self._parts if self._seen is not None else ():
            hashes = pq.read_table(self._folder / part["file"], columns=["moves_hash"])["moves_hash"].to_numpy()
            assert self._seen is not None
            self._seen.add(hashes[:num_left])
            num_left -= len(hashes[:num_left])

    def _write_part(self, before: dict[str, Any] | None) -> None:
        waiting = pa.Table.from_batches(self._waiting)
        table, rest = waiting.slice(0, self._games_a_part), waiting.slice(self._games_a_part)
        self._waiting, self._num_waiting = rest.to_batches(), len(rest)
        part: dict[str, Any] = {"file": part_name(len(self._parts)), "games": len(table)}
        self._parts.append(part)
        self._wait()
        self._writing = self._thread.submit(self._write, part, table, before)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, part: dict[str, Any], table: pa.Table, before: dict[str, Any] | None) -> None:
        # One chunk a column: the bytes of a part must not depend on how games came in blocks.
        whole = table.combine_chunks()
        path = self._folder / part["file"]
        write_whole(path, lambda temporary: _write_parquet(whole, temporary))
        part["sha256"] = sha256_file(path)
        plies = pc.list_value_length(whole["san"])
        part["splits"] = {}
        for split in SPLITS:
            mask = pc.equal(whole["split"], split)
            games = {"games": pc.sum(mask).as_py(), "plies": pc.sum(plies.filter(mask)).as_py() or 0}
            part["splits"][split] = games
        if before is not None:
            self._journal.append({"part": part, "before": before})


def _write_parquet(table: pa.Table, path: Path) -> None:
    columns = [name for name in table.schema.names if name not in _UNIQUE and name not in _PLY_COLUMNS]
    ply_columns = [f"{name}.list.element" for name in _PLY_COLUMNS if name in table.schema.names]
    # Statistics of plies would cost a third of the time and tell nobody anything.
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=columns + ply_columns,
        write_statistics=[name for name in table.schema.names if name not in _PLY_COLUMNS],
        row_group_size=ROWS_A_GROUP,
    )
