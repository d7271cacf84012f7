"""Which games came before: a set of 64-bit fingerprints in bounded memory, asked and filled a block at a time.

Knows: how many bytes a game takes, and how likely two different games are to be taken for the same.
Doesn't know: what the fingerprints are of.

The fingerprint is the first 64 bits of the sha256 of a game's moves (the column moves_hash). Of n different games, a
further one is taken for a duplicate with probability n / 2^64; the expected number of games lost so among n is
n^2 / 2^65: three in ten thousand folders of 100 million games.

    >>> seen = SeenGames()
    >>> seen.add(np.array([7, 8, 7], np.uint64)).tolist(), seen.add(np.array([8, 9], np.uint64)).tolist()
    ([True, True, False], [False, True])
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_NUM_TABLES: Final = 64  # grow one by one, so that the copy made then is small
_FIRST_LEN: Final = 256  # slots of a new table
_MAX_LOAD: Final = 0.75
_GROWTH: Final = 1.5
_EMPTY: Final = np.uint64(0)
STATEMENT: Final = {
    "method": "64-bit fingerprints (moves_hash) in a hash set, exact beside equal fingerprints",
    "bytes_per_game": "11 to 16",
    "false_positive_rate": "n / 2^64 for a game after n different ones; n^2 / 2^65 games expected among n",
}


class SeenGames:
    """An open-addressing hash set: 64 tables by the fingerprint's first bits, linear probing, 8 bytes a slot."""

    def __init__(self) -> None:
        self._tables = [np.zeros(_FIRST_LEN, np.uint64) for _ in range(_NUM_TABLES)]
        self._counts = [0] * _NUM_TABLES

    def __len__(self) -> int:
        return sum(self._counts)

    @property
    def num_bytes(self) -> int:
        """Memory of the tables."""
        return sum(table.nbytes for table in self._tables)

    def add(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Add fingerprints; bool[n], whether each wasn't there before, neither in the set nor earlier in the array."""
        is_new = np.zeros(len(hashes), np.bool_)
        keys, firsts = np.unique(hashes, return_index=True)
        keys[keys == _EMPTY] = 1  # zero marks an empty slot
        cuts = np.searchsorted(keys >> np.uint64(58), np.arange(_NUM_TABLES + 1))
        for index in np.flatnonzero(np.diff(cuts)).tolist():
            part = slice(cuts[index], cuts[index + 1])
            is_new[firsts[part]] = self._add_to(index, keys[part])
        return is_new

    def _add_to(self, index: int, keys: Hashes) -> npt.NDArray[np.bool_]:
        table = self._tables[index]
        if self._counts[index] + len(keys) > _MAX_LOAD * len(table):
            old = table[table != _EMPTY]
            table = np.zeros(int(_GROWTH * max(len(table), (len(old) + len(keys)) / _MAX_LOAD)), np.uint64)
            self._tables[index] = table
            _insert(table, old)
        is_new = _insert(table, keys)
        self._counts[index] += int(is_new.sum())
        return is_new


def _insert(table: Hashes, keys: Hashes) -> npt.NDArray[np.bool_]:
    """Put different keys into a table that has room for them; which weren't there."""
    is_new = np.zeros(len(keys), np.bool_)
    waiting: npt.NDArray[Any] = np.arange(len(keys))
    slots = (keys * np.uint64(0x9E3779B97F4A7C15) % np.uint64(len(table))).astype(np.int64)
    while len(waiting):
        wanted = keys[waiting]
        is_free = table[slots] == _EMPTY
        table[slots[is_free]] = wanted[is_free]  # of several that want the same slot the last gets it
        has_place = table[slots] == wanted
        is_new[waiting[is_free & has_place]] = True
        waiting, slots = waiting[~has_place], (slots[~has_place] + 1) % len(table)
    return is_new
