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

import pyarrow as pa
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import digest_json, read_json
from chesslm.game import SPLITS, Game

GAMES_FORMAT = "chesslm-games/1"
GAMES_A_PART = 100_000
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
        InputError: neither has a manifest.
    """
    for folder in (path, path / "games"):
        if (folder / "manifest.json").is_file():
            return folder
    raise InputError(f"{path}: no games folder (no manifest.json); make one with `chesslm data prepare`")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a games folder.

    Raises:
        FormatError: it is the manifest of something else.
    """
    manifest = read_json(folder / "manifest.json")
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != GAMES_FORMAT:
        raise FormatError(f"{folder / 'manifest.json'}: expected {GAMES_FORMAT}, found {found!r}")
    return dict(manifest)


def read_games(folder: Path, split: str | None = None, *, batch_len: int = 2_000) -> Iterator[GameRow]:
    """The games of a split (all if None) in input order, in constant memory.

    Raises:
        InputError: a part is missing, cut short or not Parquet; names it.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split!r}")
    for part in read_manifest(folder)["parts"]:
        path = folder / part["file"]
        try:
            with pq.ParquetFile(path) as file:
                columns = ["id", "san", "result", "split", "moves_hash"]
                for batch in file.iter_batches(batch_size=batch_len, columns=columns):
                    for row in batch.to_pylist():
                        if split is None or row["split"] == split:
                            game = Game(row["id"], tuple(row["san"]), row["result"])
                            yield GameRow(game, row["moves_hash"])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a readable Parquet part of games: {error}") from error


def smallest_hash_games(folder: Path, split: str, count: int) -> list[Game]:
    """The `count` games of a split with the smallest moves hash, smallest first; fewer if there are fewer."""
    hashes: list[int] = sorted(row.moves_hash for row in read_games(folder, split))[:count]
    if not hashes:
        return []
    limit = hashes[-1]
    rows = [row for row in read_games(folder, split) if row.moves_hash <= limit]
    rows.sort(key=lambda row: row.moves_hash)
    return [row.game for row in rows[:count]]
