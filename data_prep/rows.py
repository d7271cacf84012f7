"""A block of games -> rows of the games folder, and a count of every reason. Runs in worker threads.

Knows: the way of a block through filters and replay, and which header becomes which column.
Doesn't know: other blocks; duplicates are found where all blocks meet (`games_writer`).

All games of a block go through each step together, as arrays; no step makes a Python object for a ply.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chesslm.game import SPLITS, split_of
from chesslm.game_files import games_schema
from data_prep.annotations import annotation_columns
from data_prep.blocks import GameBlock
from data_prep.config import PrepareConfig, SplitSection
from data_prep.filters import CODES, REASONS, elo_of, header_reasons, move_reasons, settle_result
from data_prep.headers import BlockGames, TagColumn, read_block
from data_prep.replay_block import RESULTS, ReplayedBlock, replay_spans
from data_prep.replay_outcome import Problem

CORRECTED_GAMES = "games with corrected SAN"
CORRECTED_PLIES = "plies with corrected SAN"
FILLED_RESULTS = "games whose result stood in one place only"
CORRECTIONS: tuple[str, ...] = (CORRECTED_GAMES, CORRECTED_PLIES, FILLED_RESULTS)
_MAX_TEXT_LEN = 64  # characters of a header that are kept in a column
_SITE_ID = re.compile(r"\s*https?://(?:www\.)?lichess\.org/([A-Za-z0-9]{8})(?:[A-Za-z0-9]{4})?(?:[/#].*)?\s*")
_MOVE_OR_RESULT = re.compile(rb"[a-h][1-8]|O-O|0-0|1-0|0-1|1/2-1/2|\*")
_NUM_BUCKETS = 10_000  # of `split_of`
_STATUS_CODES = np.array([0, *(CODES[problem.reason] for problem in Problem)], np.uint8)


class SourceBlock(NamedTuple):
    """A block and where it is from.

    Args:
        block: whole games.
        source: the input's name, as the rows have it.
    """

    block: GameBlock
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class BlockRows:
    """What became of one block.

    Args:
        rows: the kept games, duplicates among them; of `games_schema`, source_index counted from the block's begin.
        num_corrected: i32[k], corrected plies of each row.
        has_filled_result: bool[k], whether its result stood in one place only.
        dropped: reason -> games.
        num_read: games in the block.
        first_game: how many sections of the block stand before the first with a move or a result; None if all do.
    """

    rows: pa.RecordBatch
    num_corrected: npt.NDArray[np.int32]
    has_filled_result: npt.NDArray[np.bool_]
    dropped: Counter[str]
    num_read: int
    first_game: int | None


class _Settled(NamedTuple):
    """The results of games: what they are, None where they contradict each other; whether one place lacks it."""

    results: npt.NDArray[np.object_]
    is_filled: npt.NDArray[np.bool_]


def make_rows(source: SourceBlock, config: PrepareConfig) -> BlockRows:
    """Filter and replay the games of a block, in order."""
    games = read_block(source.block)
    reasons = header_reasons(games, config.filters, has_evals=config.columns.evals)
    replayed_rows = np.flatnonzero(reasons == 0)
    replayed = replay_spans(games.text, games.movetexts[replayed_rows], games.ends[replayed_rows])
    reasons[replayed_rows] = _STATUS_CODES[replayed.status]
    settled = _settle(games["Result"], replayed_rows, replayed.results)
    by_moves = move_reasons(np.diff(replayed.ply_offsets), settled.results, config.filters)
    reasons[replayed_rows] = np.where(reasons[replayed_rows], reasons[replayed_rows], by_moves)
    kept = np.flatnonzero(reasons[replayed_rows] == 0)
    columns = _columns(games, replayed_rows[kept], replayed, kept, settled.results[kept], source.source, config)
    schema = games_schema(clocks=config.columns.clocks, evals=config.columns.evals)
    counts = np.bincount(reasons, minlength=len(REASONS) + 1).tolist()
    return BlockRows(
        rows=pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema),
        num_corrected=replayed.num_corrected[kept],
        has_filled_result=settled.is_filled[kept],
        dropped=Counter({reason: counts[code] for reason, code in CODES.items() if counts[code]}),
        num_read=len(games),
        first_game=_first_game(games),
    )


def _settle(in_headers: TagColumn, rows: npt.NDArray[np.int64], in_movetexts: npt.NDArray[np.uint8]) -> _Settled:
    values = [*(value.strip() or None for value in in_headers.values), None]
    pairs = [(settle_result(value, result), value, result) for value in values for result in RESULTS]
    results = np.array([settled for settled, _, _ in pairs], dtype=object)
    is_filled = np.array([not value == result == settled for settled, value, result in pairs])
    codes = in_headers.codes[rows].astype(np.int64) % len(values) * len(RESULTS) + in_movetexts  # -1 is the last value
    return _Settled(results[codes], is_filled[codes])


def _columns(
    games: BlockGames,
    rows: npt.NDArray[np.int64],
    replayed: ReplayedBlock,
    kept: npt.NDArray[np.int64],
    results: npt.NDArray[np.object_],
    source: str,
    config: PrepareConfig,
) -> dict[str, pa.Array]:
    """The columns of the kept games.

    Args:
        games: the block's games.
        rows: i64[k], which of them are kept.
        replayed: those that were replayed.
        kept: i64[k], which of these are kept.
        results: of the kept games.
        source: the input's name.
        config: the settings.
    """
    digests = _digests(replayed, kept)
    hashes = np.frombuffer(b"".join(digests), ">u8")[::4].astype(np.uint64)
    buckets = (hashes % np.uint64(_NUM_BUCKETS)).astype(np.int64)
    san = replayed.san_lists()
    columns = {
        "id": pa.array(_ids(games["Site"], rows, digests), pa.string()),
        "san": _taken(san, kept),
        "result": pa.array(results, pa.string()),
        "split": pa.array(SPLITS).take(pa.array(_splits(config.split)[buckets])),
        "moves_hash": pa.array(hashes),
        "white_elo": _elos(games["WhiteElo"], rows),
        "black_elo": _elos(games["BlackElo"], rows),
        "time_control": games["TimeControl"].text(_text, rows),
        "date": games["UTCDate"].text(_text, rows).fill_null(games["Date"].text(_text, rows)),
        "source": pa.repeat(pa.scalar(source, pa.string()), len(rows)),
        "source_index": pa.array(rows),
    }
    return columns | annotation_columns(replayed, kept, config.columns)


def _taken(lists: pa.ListArray, rows: npt.NDArray[np.int64]) -> pa.ListArray:
    """Some rows of lists, in order. Most games are kept, so whole runs are copied; `take` goes string by string."""
    if len(rows) == len(lists):
        return lists
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    lens = np.diff(starts, append=len(rows))
    runs = [lists.slice(row, length) for row, length in zip(rows[starts].tolist(), lens.tolist(), strict=True)]
    return pa.concat_arrays(runs) if runs else lists.slice(0, 0)


def _digests(replayed: ReplayedBlock, kept: npt.NDArray[np.int64]) -> list[bytes]:
    """`chesslm.game.moves_digest` of the kept games."""
    uci, sha256 = memoryview(replayed.uci.data), hashlib.sha256
    starts, ends = replayed.uci_offsets[kept].tolist(), replayed.uci_offsets[kept + 1].tolist()
    return [sha256(uci[start:end]).digest() for start, end in zip(starts, ends, strict=True)]


def _ids(sites: TagColumn, rows: npt.NDArray[np.int64], digests: Sequence[bytes]) -> list[str]:
    codes, values = sites.codes[rows].tolist(), [*sites.values, ""]
    match = _SITE_ID.fullmatch
    return [
        site[1] if (site := match(values[code])) else digest[:8].hex()
        for code, digest in zip(codes, digests, strict=True)
    ]


def _elos(column: TagColumn, rows: npt.NDArray[np.int64]) -> pa.Array:
    elos = column.map(lambda text: elo_of(text) or 0, 0, np.int16)[rows]
    return pa.array(elos, mask=elos == 0)


def _text(value: str) -> str | None:
    """A header as it stands, however hostile; None if it is empty or a question mark."""
    text = value.strip()[:_MAX_TEXT_LEN]
    return text if text not in ("", "?", "????.??.??") else None


@lru_cache(maxsize=1)
def _splits(shares: SplitSection) -> npt.NDArray[np.int8]:
    """The index of its split in `SPLITS`, for every hash modulo 10,000."""
    names = [
        split_of(bucket, test_per_10000=shares.test_per_10000, val_per_10000=shares.val_per_10000)
        for bucket in range(_NUM_BUCKETS)
    ]
    return np.array([SPLITS.index(name) for name in names], np.int8)


def _first_game(games: BlockGames) -> int | None:
    spans = zip(games.movetexts.tolist(), games.ends.tolist(), strict=True)
    return next((row for row, (start, end) in enumerate(spans) if _MOVE_OR_RESULT.search(games.text, start, end)), None)
