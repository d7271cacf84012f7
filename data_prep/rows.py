"""A batch of raw games -> rows of the games folder, and a count of every reason.

Knows: the way of one game through filters and replay, and which header becomes which column. Runs in worker processes.
Doesn't know: other batches; duplicates are found where all batches meet (`prepare`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from chesslm.game import moves_digest, moves_hash, split_of
from chesslm.game_files import SCHEMA
from data_prep.config import PrepareConfig
from data_prep.filters import elo_of, header_reason, move_reason, settle_result
from data_prep.games import RawBytes, RawGame, parse_raw
from data_prep.replay import Rejected, Replayed, replay_many

DIGEST_LEN = 16  # bytes of a game's digest by which duplicates are known
BATCH_SCHEMA = SCHEMA.append(pa.field("digest", pa.binary(DIGEST_LEN), nullable=False))
CORRECTED_GAMES = "games with corrected SAN"
CORRECTED_PLIES = "plies with corrected SAN"
FILLED_RESULTS = "games whose result stood in one place only"
CORRECTIONS: tuple[str, ...] = (CORRECTED_GAMES, CORRECTED_PLIES, FILLED_RESULTS)
_MAX_TEXT_LEN = 64  # characters of a header that are kept in a column
_SITE_ID = re.compile(r"https?://(?:www\.)?lichess\.org/([A-Za-z0-9]{8})(?:[A-Za-z0-9]{4})?(?:[/#].*)?")


class RawBatch(NamedTuple):
    """Some games of one input, in order.

    Args:
        raws: the games.
        source: the input's name, as the rows have it.
    """

    raws: Sequence[RawBytes]
    source: str


@dataclass(frozen=True, slots=True)
class BatchRows:
    """What became of one batch.

    Args:
        rows: the kept games, of `BATCH_SCHEMA`, duplicates among them.
        num_corrected: corrected plies of each row.
        has_filled_result: for each row, whether its result stood in one place only.
        dropped: reason -> games.
        num_read: games in the batch.
    """

    rows: pa.RecordBatch
    num_corrected: list[int]
    has_filled_result: list[bool]
    dropped: Counter[str]
    num_read: int


def make_rows(batch: RawBatch, config: PrepareConfig) -> BatchRows:
    """Filter and replay a batch of games, in order."""
    dropped: Counter[str] = Counter()
    games: list[RawGame] = []
    for raw in map(parse_raw, batch.raws):
        reason = header_reason(raw, config.filters)
        if reason is None:
            games.append(raw)
        else:
            dropped[reason] += 1
    columns: dict[str, list[Any]] = {name: [] for name in BATCH_SCHEMA.names}
    num_corrected: list[int] = []
    has_filled_result: list[bool] = []
    for game, outcome in zip(games, replay_many([game.movetext for game in games]), strict=True):
        if isinstance(outcome, Rejected):
            dropped[outcome.reason] += 1
            continue
        in_headers = game.headers.get("Result", "").strip() or None
        result = settle_result(in_headers, outcome.result)
        reason = move_reason(outcome, result, config.filters)
        if reason is not None:
            dropped[reason] += 1
            continue
        for name, value in _row(game, outcome, str(result), batch.source, config).items():
            columns[name].append(value)
        num_corrected.append(outcome.num_corrected)
        has_filled_result.append(not in_headers == outcome.result == result)
    rows = pa.RecordBatch.from_pydict(columns, schema=BATCH_SCHEMA)
    return BatchRows(rows, num_corrected, has_filled_result, dropped, len(batch.raws))


def _row(game: RawGame, replayed: Replayed, result: str, source: str, config: PrepareConfig) -> dict[str, Any]:
    headers = game.headers
    digest = moves_digest(replayed.uci)
    hash64 = moves_hash(digest)
    site = _SITE_ID.fullmatch(headers.get("Site", "").strip())
    shares = config.split
    return {
        "id": site[1] if site else digest[:8].hex(),
        "san": replayed.san,
        "result": result,
        "split": split_of(hash64, test_per_10000=shares.test_per_10000, val_per_10000=shares.val_per_10000),
        "moves_hash": hash64,
        "white_elo": elo_of(headers, "WhiteElo"),
        "black_elo": elo_of(headers, "BlackElo"),
        "time_control": _text(headers, "TimeControl"),
        "date": _text(headers, "UTCDate") or _text(headers, "Date"),
        "source": source,
        "source_index": game.index,
        "digest": digest[:DIGEST_LEN],
    }


def _text(headers: dict[str, str], tag: str) -> str | None:
    """A header as it stands, however hostile; None if it is missing, empty or a question mark."""
    text = headers.get(tag, "").strip()[:_MAX_TEXT_LEN]
    return text if text not in ("", "?", "????.??.??") else None
