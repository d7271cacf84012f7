"""Clocks and evaluations of kept games as Arrow columns, where they are asked for.

Knows: which columns there are.
Doesn't know: how comments are read (`annotation_kernel`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chesslm.game_files import CLOCKS, EVALS
from data_prep.config import ColumnsSection
from data_prep.replay_block import ReplayedBlock


def annotation_columns(
    replayed: ReplayedBlock, kept: npt.NDArray[np.int64], wanted: ColumnsSection
) -> dict[str, pa.Array]:
    """The columns `clock_s` and `eval_cp` of the kept games, those that are wanted; a list of numbers a game.

    Args:
        replayed: a block's games.
        kept: i64[k], which of them are kept.
        wanted: which columns.
    """
    if not (wanted.clocks or wanted.evals):
        return {}
    from data_prep.annotation_kernel import read_comments

    num_plies = len(replayed.moves)
    clocks, evals = np.zeros(num_plies, np.float32), np.zeros(num_plies, np.int32)
    has_clock, has_eval = np.zeros(num_plies, np.bool_), np.zeros(num_plies, np.bool_)
    text = np.frombuffer(replayed.text, np.uint8)
    text.flags.writeable = False  # numba compiles once more for each kind of array: always the same kind
    offsets = replayed.ply_offsets.astype(np.int64)
    read_comments(text, replayed.word_ends, offsets, replayed.ends, clocks, evals, has_clock, has_eval)
    columns: dict[str, tuple[Any, ...]] = {
        CLOCKS.name: (wanted.clocks, clocks, has_clock),
        EVALS.name: (wanted.evals, evals, has_eval),
    }
    rows = pa.array(kept)
    return {
        name: pa.ListArray.from_arrays(pa.array(replayed.ply_offsets), pa.array(values, mask=~is_there)).take(rows)
        for name, (is_wanted, values, is_there) in columns.items()
        if is_wanted
    }
