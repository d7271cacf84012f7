"""A games folder: Parquet parts of verified games, and a manifest.

Knows: the schema, the parts' names and order, how to read games back, and the folder's digest.
Doesn't know: where games come from (`data_prep`) or what is done with them.

Layout: `<folder>/part-00000.parquet …` (100,000 games a part, input order) and `<folder>/manifest.json`
(format `chesslm-games/1`, with at least `parts: [{file, games, sha256}]`, `games`, `games_digest`).
`--games DIR` takes this folder or the one above it (which has it as `games/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import digest_json, read_json, require_utf8
from chesslm.game import SPLITS, Game

GAMES_FORMAT = "chesslm-games/1"
GAMES_A_PART = 100_000
_GAME_COLUMNS = ("id", "san", "result", "split", "moves_hash")
_GAMES_A_BATCH, _HASHES_A_BATCH = 2_000, 100_000
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("san", pa.list_(pa.string()), nullable=False),
        pa.field("result", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("moves_hash", pa.uint64(), nullable=False),
        pa.field("white_elo", pa.int16()),
        pa.field("black_elo", pa.int16()),
        pa.field("time_control", pa.string()),
        pa.field("date", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_index", pa.int64(), nullable=False),
    ]
)

CLOCKS = pa.field("clock_s", pa.list_(pa.float32()), nullable=False)
EVALS = pa.field("eval_cp", pa.list_(pa.int32()), nullable=False)
# eval_cp of a mate in n moves is MATE_CP - n for White, n - MATE_CP for Black; other evaluations are cut to MAX_CP.
MATE_CP, MAX_CP = 100_000, 90_000


def games_schema(*, clocks: bool = False, evals: bool = False) -> pa.Schema:
    """The schema of a games folder; `SCHEMA` and what was asked for.

    Args:
        clocks: with clock_s, a number a ply: seconds that its player has left after it; null where there is none.
        evals: with eval_cp, a number a ply: centipawns after it for White, mates as `MATE_CP` says; null likewise.
    """
    return pa.schema([*SCHEMA, *[CLOCKS] * clocks, *[EVALS] * evals])


@dataclass(frozen=True, slots=True)
class GameRow:
    """A game of a split, with the hash that orders it."""

    game: Game
    moves_hash: int


def part_name(index: int) -> str:
    """File name of the part with this index."""
    return f"part-{index:05d}.parquet"


def games_digest(parts: Sequence[dict[str, Any]]) -> str:
    """sha256 (hex) over the sha256 of all parts in order: what "the same games" means."""
    return digest_json([part["sha256"] for part in parts])


def games_folder(path: Path) -> Path:
    """The games folder that a user meant: `path` itself, or its `games/`.

    Raises:
        InputError: neither has a manifest, or the path isn't UTF-8.
    """
    require_utf8(path)
    for folder in (path, path / "games"):
        if (folder / "manifest.json").is_file():
            return folder
    raise InputError(f"{path}: no games folder (no manifest.json); make one with `chesslm data prepare`")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a games folder.

    Raises:
        InputError: missing or not JSON.
        FormatError: it is the manifest of something else, or lacks a key that the format requires; names the key.
    """
    path = folder / "manifest.json"
    manifest = read_json(path)
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != GAMES_FORMAT:
        raise FormatError(f"{path}: expected {GAMES_FORMAT}, found {found!r}")
    _require(path, manifest, {"parts": list, "games": int, "games_digest": str})
    for index, part in enumerate(manifest["parts"]):
        _require(path, part, {"file": str, "games": int, "sha256": str}, inside=f"parts[{index}].")
    return dict(manifest)


def _require(path: Path, found: Any, kinds: dict[str, type], *, inside: str = "") -> None:
    for key, kind in kinds.items():
        if not isinstance(found, dict) or not isinstance(found.get(key), kind):
            raise FormatError(f"{path}: incomplete: no {inside}{key}, or not of type {kind.__name__}")


def read_games(folder: Path, split: str | None = None, *, batch_len: int = _GAMES_A_BATCH) -> Iterator[GameRow]:
    """The games of a split (all if None) in input order, in constant memory.

    Raises:
        InputError: a part is missing, cut short or not Parquet; names it.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split!r}")
    for batch in _batches(folder, _GAME_COLUMNS, batch_len):
        # Chosen before they become Python objects: val and test are small parts of large folders.
        yield from _rows(batch if split is None else batch.filter(pc.equal(batch.column("split"), split)))


def games_of_ids(folder: Path, ids: npt.NDArray[np.bytes_]) -> Iterator[tuple[Game, str]]:
    """The games with these ids and the split of each, in input order; memory holds one batch and the ids.

    Raises:
        InputError: a part is missing, cut short or not Parquet; names it.
    """
    wanted = pa.array(ids.astype(str), pa.string())
    for batch in _batches(folder, _GAME_COLUMNS, _GAMES_A_BATCH):
        found = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
        yield from ((Game(row["id"], tuple(row["san"]), row["result"]), row["split"]) for row in found.to_pylist())


def smallest_hash_games(folder: Path, split: str, count: int) -> list[Game]:
    """The `count` games of a split with the smallest moves hash, smallest first; fewer if there are fewer.

    Raises:
        InputError: a part is missing, cut short or not Parquet; names it.
    """
    smallest = np.empty(0, np.uint64)
    for batch in _batches(folder, ["split", "moves_hash"], _HASHES_A_BATCH):
        hashes = batch.column("moves_hash").to_numpy()[_is_equal(batch.column("split"), split)]
        smallest = np.sort(np.concatenate((smallest, hashes)))[:count]
    if not len(smallest):
        return []
    limit = pa.scalar(smallest[-1], pa.uint64())
    rows: list[GameRow] = []
    for batch in _batches(folder, _GAME_COLUMNS, _GAMES_A_BATCH):
        is_small = pc.less_equal(batch.column("moves_hash"), limit)
        rows += _rows(batch.filter(pc.and_(is_small, pc.equal(batch.column("split"), split))))
    rows.sort(key=lambda row: row.moves_hash)
    return [row.game for row in rows[:count]]


def _batches(folder: Path, columns: Sequence[str], batch_len: int) -> Iterator[pa.RecordBatch]:
    for part in read_manifest(folder)["parts"]:
        path = folder / part["file"]
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=batch_len, columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a readable Parquet part of games: {error}") from error


def _rows(batch: pa.RecordBatch) -> Iterator[GameRow]:
    for row in batch.to_pylist():
        yield GameRow(Game(row["id"], tuple(row["san"]), row["result"]), row["moves_hash"])


def _is_equal(column: pa.Array, value: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.equal(column, value).to_numpy(zero_copy_only=False)
    return found
