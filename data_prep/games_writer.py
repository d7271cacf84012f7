"""Rows of kept games -> the parts of a games folder, and the counts of its manifest.

Knows: duplicates, parts, totals by split and by reason.
Doesn't know: where rows come from, or when the folder is whole (`prepare`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chesslm.files import sha256_file, write_whole
from chesslm.game import SPLITS
from chesslm.game_files import GAMES_FORMAT, games_digest, part_name
from data_prep.filters import DUPLICATE, REASONS
from data_prep.rows import CORRECTED_GAMES, CORRECTED_PLIES, CORRECTIONS, FILLED_RESULTS, BatchRows

ROWS_A_GROUP = 10_000  # games that are read and encoded at once


class GamesWriter:
    """Takes batches in input order and writes parts; the bytes depend on the games alone.

    Args:
        folder: exists, and has no parts yet.
        keep_duplicates: keep games with the same moves as an earlier one.
        games_a_part: games a part.
    """

    def __init__(self, folder: Path, *, keep_duplicates: bool, games_a_part: int) -> None:
        self._folder = folder
        self._games_a_part = games_a_part
        self._seen: set[bytes] | None = None if keep_duplicates else set()
        self._waiting: list[pa.RecordBatch] = []
        self._num_waiting = 0
        self._parts: list[dict[str, Any]] = []
        self._splits = {split: {"games": 0, "plies": 0} for split in SPLITS}
        self._corrections: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self.num_read = 0
        self.num_kept = 0

    @property
    def dropped(self) -> dict[str, int]:
        """Reason -> games, in the order in which reasons are judged; only those that occurred."""
        known = {reason: self._dropped[reason] for reason in REASONS if self._dropped[reason]}
        return known | {reason: n for reason, n in sorted(self._dropped.items()) if n and reason not in known}

    def add(self, batch: BatchRows) -> None:
        """Take the next batch.

        Raises:
            OutputError: a part can't be written.
        """
        kept = self._new_rows(batch)
        self.num_read += batch.num_read
        self.num_kept += len(kept)
        self._dropped.update(batch.dropped)
        self._dropped[DUPLICATE] += len(batch.rows) - len(kept)
        assert self.num_kept + self._dropped.total() == self.num_read, "a game was neither kept nor counted as dropped"
        self._corrections[CORRECTED_GAMES] += sum(batch.num_corrected[index] > 0 for index in kept)
        self._corrections[CORRECTED_PLIES] += sum(batch.num_corrected[index] for index in kept)
        self._corrections[FILLED_RESULTS] += sum(batch.has_filled_result[index] for index in kept)
        rows = batch.rows.drop_columns(["digest"])
        self._waiting.append(rows if len(kept) == len(rows) else rows.take(pa.array(kept, pa.int64())))
        self._num_waiting += len(kept)
        while self._num_waiting >= self._games_a_part:
            self._write_part()

    def finish(self) -> dict[str, Any]:
        """Write the last part; the manifest's fields about games and reasons."""
        if self._num_waiting:
            self._write_part()
        return {
            "format": GAMES_FORMAT,
            "games": self.num_kept,
            "games_digest": games_digest(self._parts),
            "plies": sum(counts["plies"] for counts in self._splits.values()),
            "splits": self._splits,
            "read": self.num_read,
            "kept": self.num_kept,
            "dropped": self.dropped,
            "corrections": {name: self._corrections[name] for name in CORRECTIONS},
            "parts": self._parts,
        }

    def _new_rows(self, batch: BatchRows) -> list[int]:
        seen = self._seen
        if seen is None:
            return list(range(len(batch.rows)))
        kept = []
        for index, digest in enumerate(batch.rows.column("digest").to_pylist()):
            if digest not in seen:
                seen.add(digest)
                kept.append(index)
        return kept

    def _write_part(self) -> None:
        # One chunk a column: the bytes of a part must not depend on how games came in batches.
        waiting = pa.Table.from_batches(self._waiting)
        table = waiting.slice(0, self._games_a_part).combine_chunks()
        rest = waiting.slice(self._games_a_part)
        self._waiting, self._num_waiting = rest.to_batches(), len(rest)
        path = self._folder / part_name(len(self._parts))
        write_whole(
            path, lambda temporary: pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS_A_GROUP)
        )
        self._parts.append({"file": path.name, "games": len(table), "sha256": sha256_file(path)})
        plies = pc.list_value_length(table["san"])
        for split, counts in self._splits.items():
            mask = pc.equal(table["split"], split)
            counts["games"] += pc.sum(mask).as_py()
            counts["plies"] += pc.sum(plies.filter(mask)).as_py() or 0
