"""Keys and values in pages of a few columns each, all rows of a page side by side: how the next-token step keeps them.

Knows: where a row's column lies, how storage grows, and the way from and to tensors `[B, K, S, D]`.
Doesn't know: which columns are in use or what they mean (`key_value_cache`), or attention (`step_attention`).

Whoever reads all rows' keys page by page reads memory from one end to the other, and what isn't in use yet lies at the
end, where the system gives no memory before something is written.

In bfloat16 the two halves of a head stand interleaved: numbers i and D/2 + i are one pair (`step_kernels.halves`).

Tensor key: L blocks · B rows · K key and value heads · D head size · N pages · P columns of a page · W numbers that
hold D (D, or D/2 pairs) · S columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Numbers = npt.NDArray[np.float32] | npt.NDArray[np.uint32]

COLUMNS_OF_A_PAGE = 16
# Pages that storage begins with beyond those in use.
_ROOM = 6


class PagedColumns:
    """Keys and values of all blocks; float32 or bfloat16, on the CPU, finite everywhere.

    Args:
        storage: `[L, 2, N, B, K, P, D]`, contiguous; keys, then values.
    """

    def __init__(self, storage: Tensor) -> None:
        self._storage = storage

    @classmethod
    def of(cls, blocks: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> PagedColumns:
        """Copies of each block's keys and values, `[B, K, S, D]`, with some room."""
        B, K, S, D = blocks[0][0].shape
        paged = cls(_zeros((len(blocks), 2, -(-S // COLUMNS_OF_A_PAGE) + _ROOM, B, K, COLUMNS_OF_A_PAGE, D), dtype))
        for block, pair in enumerate(blocks):
            for which, x_BKSD in enumerate(pair):
                ordered_BKSD = _interleaved(x_BKSD) if dtype == torch.bfloat16 else x_BKSD
                for page, start in enumerate(range(0, S, COLUMNS_OF_A_PAGE)):
                    columns_BKPD = ordered_BKSD[:, :, start : start + COLUMNS_OF_A_PAGE]
                    paged._storage[block, which, page, :, :, : columns_BKPD.shape[2]] = columns_BKPD
        return paged

    @property
    def dtype(self) -> torch.dtype:
        """In which numbers are kept."""
        return self._storage.dtype

    @property
    def num_bytes(self) -> int:
        """Memory set aside."""
        return self._storage.nbytes

    def make_room(self, num_columns: int) -> None:
        """Have pages for so many columns; storage doubles, so that each column is copied a constant number of times."""
        used = self._storage.shape[2]
        if num_columns > used * COLUMNS_OF_A_PAGE:
            shape = list(self._storage.shape)
            shape[2] = max(2 * used, -(-num_columns // COLUMNS_OF_A_PAGE))
            grown = _zeros(shape, self.dtype)
            grown[:, :, :used] = self._storage
            self._storage = grown

    def numbers(self) -> Numbers:
        """All pages, `[L, 2, N, B, K, P, W]`, keys, then values; float32, or uint32 that are pairs; not a copy."""
        if self.dtype == torch.float32:
            found: Numbers = self._storage.numpy()
        else:
            found = self._storage.view(torch.int32).numpy().view(np.uint32)
        return found

    def select(self, rows_B: Tensor) -> PagedColumns:
        """Copies of these rows."""
        return PagedColumns(self._storage[:, :, :, rows_B])

    def held(self, num_columns: int) -> list[tuple[Tensor, Tensor]]:
        """Each block's keys and values of the first columns, `[B, K, S, D]`, copies."""
        found = []
        for block_2NBKPD in self._storage:
            keys, values = (x.permute(1, 2, 0, 3, 4).flatten(2, 3)[:, :, :num_columns] for x in block_2NBKPD)
            found.append((_in_order(keys), _in_order(values)) if self.dtype == torch.bfloat16 else (keys, values))
        return found


def _zeros(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    # numpy's: of torch's, every page of memory is written at once, and numpy asks the system for large pages.
    if dtype == torch.bfloat16:
        return torch.from_numpy(np.zeros(shape, dtype=np.int16)).view(dtype)
    return torch.from_numpy(np.zeros(shape, dtype=np.float32))


def _interleaved(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:-1], 2, -1).transpose(-1, -2).flatten(-2)


def _in_order(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:-1], -1, 2).transpose(-1, -2).flatten(-2)
