"""Keys and values of the tokens that a decoder has been fed.

Knows: how to append to them, to take some rows of them, to bring pieces of several together, and to forget their end.
Doesn't know: attention (`model`), or which tokens they belong to.

Tensor key: B rows of a batch · K key and value heads · T tokens fed now · S columns fed so far · D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chesslm.paged_columns import PagedColumns

# Columns that a new cache has room for beyond those it begins with: a few tokens and a position's tree of moves.
_ROOM = 96


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive columns `[start, stop)` of one row of a cache that has been fed; may be empty."""

    cache: KeyValueCache
    row: int
    start: int
    stop: int

    def __len__(self) -> int:
        """Columns."""
        return self.stop - self.start

    def of(self, buffers: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Its part of a block's keys and values, `[K, S, D]` each."""
        keys_BKSD, values_BKSD = buffers
        return keys_BKSD[self.row, :, self.start : self.stop], values_BKSD[self.row, :, self.start : self.stop]


class KeyValueCache:
    """Keys and values of the tokens already fed, for every block.

    A column is a token that was fed, in that order; whether a row may look at it, and which position it has, is for
    the caller to say (`mask_BTS`, `positions_BT`), so rows of different lengths share columns.
    Storage grows by doubling, so that feeding token by token copies each column a constant number of times. While the
    next-token step feeds it, everything is in pages (`paged_columns`); whoever else asks has it brought back.
    """

    def __init__(self, num_blocks: int) -> None:
        self._buffers: list[tuple[Tensor, Tensor] | None] = [None] * num_blocks
        self._num_columns = [0] * num_blocks
        self._paged: PagedColumns | None = None

    def __len__(self) -> int:
        """Columns held, in every row."""
        return self._num_columns[-1]

    def append(self, block: int, keys_BKTD: Tensor, values_BKTD: Tensor) -> tuple[Tensor, Tensor]:
        """Add new columns to a block; all its keys and values, `[B, K, S, D]` each (views, don't write to them)."""
        self._bring_back()
        start = self._num_columns[block]
        stop = start + keys_BKTD.shape[2]
        buffers = self._buffers[block]
        if buffers is None:
            buffers = (keys_BKTD, values_BKTD)
        else:
            if stop > buffers[0].shape[2]:
                buffers = (_grown(buffers[0], start, stop), _grown(buffers[1], start, stop))
            buffers[0][:, :, start:stop] = keys_BKTD
            buffers[1][:, :, start:stop] = values_BKTD
        self._buffers[block] = buffers
        self._num_columns[block] = stop
        # The network computes in the precision of what is new; the storage may hold fewer bits.
        return buffers[0][:, :, :stop].to(keys_BKTD.dtype), buffers[1][:, :, :stop].to(keys_BKTD.dtype)

    def select(self, rows_B: Tensor) -> KeyValueCache:
        """A new cache that holds copies of these rows (int64 indices, repeats allowed)."""
        chosen = KeyValueCache(len(self._buffers))
        chosen._num_columns = list(self._num_columns)
        if self._paged is not None:
            chosen._paged = self._paged.select(rows_B)
            return chosen
        for block, buffers in enumerate(self._buffers):
            if buffers is not None:
                stop = self._num_columns[block]
                chosen._buffers[block] = (buffers[0][rows_B, :, :stop], buffers[1][rows_B, :, :stop])
        return chosen

    @classmethod
    def right_aligned(cls, stretches: Sequence[Stretch]) -> KeyValueCache:
        """A new cache with a row for each stretch, copied, all ending at its last column; what is before them is 0.

        All come from caches of the same network.
        """
        num_columns = max(len(stretch) for stretch in stretches)
        joined = cls(len(stretches[0].cache._buffers))
        joined._num_columns = [num_columns] * len(joined._buffers)
        for block in range(len(joined._buffers)):
            pairs = [stretch.of(stretch.cache._held(block)) for stretch in stretches]
            joined._buffers[block] = (
                right_aligned([keys_KSD for keys_KSD, _ in pairs], num_columns, room=_ROOM),
                right_aligned([values_KSD for _, values_KSD in pairs], num_columns, room=_ROOM),
            )
        return joined

    def open_column(self, dtype: torch.dtype = torch.float32) -> PagedColumns:
        """Add a column to every block, for the caller to fill; all pages.

        Args:
            dtype: from now on everything is stored in this.

        Raises:
            ValueError: nothing has been fed yet.
        """
        if self._paged is None or self._paged.dtype != dtype:
            pairs = [self._held(block) for block in range(len(self._buffers))]
            stops = zip(pairs, self._num_columns, strict=True)
            self._paged = PagedColumns.of([(keys[:, :, :n], values[:, :, :n]) for (keys, values), n in stops], dtype)
            self._buffers = [None] * len(self._buffers)
        self._num_columns = [len(self) + 1] * len(self._buffers)
        self._paged.make_room(len(self))
        return self._paged

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        in_pages = 0 if self._paged is None else self._paged.num_bytes
        return in_pages + sum(buffer.nbytes for pair in self._buffers if pair is not None for buffer in pair)

    def _held(self, block: int) -> tuple[Tensor, Tensor]:
        self._bring_back()
        buffers = self._buffers[block]
        if buffers is None:
            raise ValueError("nothing has been fed yet")
        return buffers

    def _bring_back(self) -> None:
        """Have tensors instead of pages."""
        if self._paged is not None:
            self._buffers = list(self._paged.held(len(self)))
            self._paged = None

    def cut(self, num_columns: int) -> None:
        """Forget all columns from `num_columns` on.

        Raises:
            ValueError: there are fewer columns than that.
        """
        if not 0 <= num_columns <= len(self):
            raise ValueError(f"can't cut {len(self)} columns to {num_columns}")
        self._num_columns = [num_columns] * len(self._num_columns)


def _grown(buffer_BKSD: Tensor, used: int, needed: int) -> Tensor:
    rows, heads, capacity, size = buffer_BKSD.shape
    grown = buffer_BKSD.new_empty(rows, heads, max(needed, 2 * capacity), size)
    grown[:, :, :used] = buffer_BKSD[:, :, :used]
    return grown


def right_aligned(pieces: Sequence[Tensor], num_columns: int, *, room: int = 0) -> Tensor:
    """Pieces `[…, S, D]` of different S in one tensor `[B, …, num_columns + room, D]`, each ending at `num_columns`.

    The rest is 0, not whatever stood in memory: a NaN would get through any mask.
    """
    *lead, _, size = pieces[0].shape
    joined = pieces[0].new_zeros(len(pieces), *lead, num_columns + room, size)
    for row, piece in enumerate(pieces):
        joined[row, ..., num_columns - piece.shape[-2] : num_columns, :] = piece
    return joined
