r"""A block of text -> its games: where each stands, and the values of the tags that anybody asks for.

Knows: which tags those are, and how the compiled scan and the splitter share a block.
Doesn't know: what the tags decide (`filters`) or become (`rows`).

A value is looked at once for all games that have it: `TagColumn.map`.

    >>> text = b'[White "A"]\n[Result "*"]\n\n1. e4 *\n\n[Result "1-0"]\n\n1. d4 1-0\n'
    >>> block = read_block(GameBlock(text, 0, len(text)))
    >>> block.starts.tolist(), block["Result"].map(len, 0).tolist(), block["FEN"].map(len, -1).tolist()
    ([0, 35], [1, 3], [-1, -1])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.blocks import GameBlock
from data_prep.games import MAX_GAME_LEN, RawBytes, Splitter, parse_raw
from data_prep.scan_kernel import Scan, copy_spans, scan_games

TAGS = (
    "Event",
    "Site",
    "Result",
    "WhiteElo",
    "BlackElo",
    "TimeControl",
    "UTCDate",
    "Date",
    "Variant",
    "FEN",
    "SetUp",
    "WhiteTitle",
    "BlackTitle",
)
_ROOM = 512  # games that are scanned at a time
_NAME_LENS = np.array([len(tag) for tag in TAGS])
_NAMES = np.array([list(tag.encode().ljust(max(_NAME_LENS), b"\0")) for tag in TAGS], np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class TagColumn:
    """One tag of all games of a block.

    Args:
        codes: i32[n], which of the values each game has; -1 where it hasn't the tag.
        values: the values that occur, each once or a few times; hostile text.
    """

    codes: npt.NDArray[np.int32]
    values: list[str]

    def map(self, function: Callable[[str], Any], missing: Any, kind: Any = None) -> npt.NDArray[Any]:
        """`function` of each game's value, `missing` where there is none; as an array of `kind`."""
        results = [*map(function, self.values), missing]
        return np.array(results, dtype=kind)[self.codes]

    def text(self, function: Callable[[str], str | None], rows: npt.NDArray[np.int64]) -> pa.Array:
        """`function` of some games' values as an Arrow column of strings, null where there is none."""
        texts = pa.array([*map(function, self.values), None], pa.string())
        codes = self.codes[rows]
        return texts.take(pa.array(np.where(codes < 0, len(self.values), codes)))


@dataclass(frozen=True, slots=True, eq=False)
class BlockGames:
    """The n games of a block, their moves not read yet.

    Args:
        text: the block's bytes, NULs replaced by spaces.
        starts: i64[n], where each game begins in `text`.
        movetexts: i64[n], where its movetext begins.
        ends: i64[n], where it ends; only as much as `games.MAX_GAME_LEN` of it is in the text, if it is too long.
        is_too_long: bool[n].
        columns: tag -> its values.
    """

    text: bytes
    starts: npt.NDArray[np.int64]
    movetexts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    is_too_long: npt.NDArray[np.bool_]
    columns: dict[str, TagColumn]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, tag: str) -> TagColumn:
        return self.columns[tag]


def read_block(block: GameBlock, *, scan: Scan = scan_games) -> BlockGames:
    """The games of a block.

    Args:
        block: whole games.
        scan: the kernel; tests pass the interpreted one.
    """
    text = np.frombuffer(block.text, np.uint8)
    odd: dict[int, RawBytes] = {}  # row -> game
    borders = [np.empty((0, 3), np.int64)]
    spans = [np.empty((2, 0, len(TAGS)), np.int64)]  # of the usual games' values
    num_games = begin = 0
    raws = iter(block.raws or ())
    while begin < len(text):
        count = 0
        if block.raws is None:
            games, values = np.empty((_ROOM, 3), np.int64), np.empty((2, _ROOM, len(TAGS)), np.int64)
            count, begin = scan(text, begin, _NAMES, _NAME_LENS, games, values[0], values[1])
            borders.append(games[:count])
            spans.append(values[:, :count])
            num_games += count
        if begin == len(text) or count == _ROOM:
            continue
        raw = next(raws, None) if block.raws is not None else Splitter(iter(()), block.text, begin).next_game(0, begin)
        assert raw is not None, "a text that isn't empty has a game"
        odd[num_games] = raw
        end = begin + (raw.num_bytes if block.raws is None else len(raw.content))
        borders.append(np.array([[begin, begin + raw.headers_len, end]]))
        begin, num_games = end, num_games + 1
    starts, ends = np.concatenate(spans, axis=1)
    is_usual = np.ones(num_games, np.bool_)
    is_usual[list(odd)] = False
    is_too_long = np.zeros(num_games, np.bool_)
    is_too_long[list(odd)] = [raw.num_bytes > MAX_GAME_LEN for raw in odd.values()]
    headers = {row: parse_raw(raw).headers for row, raw in odd.items()}
    columns = {
        tag: _column(text, starts[:, index], ends[:, index], is_usual, headers, tag) for index, tag in enumerate(TAGS)
    }
    begins, movetexts, stops = np.concatenate(borders).T.copy()
    # Files that were cut out of disks have NULs between words; they are no part of any.
    return BlockGames(block.text.replace(b"\0", b" "), begins, movetexts, stops, is_too_long, columns)


def _column(
    text: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    is_usual: npt.NDArray[np.bool_],
    odd: dict[int, dict[str, str]],
    tag: str,
) -> TagColumn:
    codes = np.full(len(is_usual), -1, np.int32)
    usual = _strings(text, starts, ends).dictionary_encode()
    codes[is_usual] = pc.fill_null(usual.indices, -1).to_numpy()
    values: list[str] = usual.dictionary.to_pylist()
    for row, headers in odd.items():
        if tag in headers:
            codes[row] = len(values)
            values.append(headers[tag])
    return TagColumn(codes, values)


def _strings(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> pa.Array:
    """The spans of a text as Arrow strings, null where the start is negative."""
    is_there = starts >= 0
    lens = np.where(is_there, ends - starts, 0)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lens))).astype(np.int32)
    content = np.empty(offsets[-1], np.uint8)
    copy_spans(text, np.ascontiguousarray(starts), np.ascontiguousarray(ends), content)
    null_mask = pa.array(is_there).buffers()[1]
    return pa.Array.from_buffers(pa.string(), len(starts), [null_mask, pa.py_buffer(offsets), pa.py_buffer(content)])
