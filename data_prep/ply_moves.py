"""The moves of games whose SAN is at hand, for notations that write squares.

Knows: how lists of SAN become movetext for the compiled replay, and the code of a move.
Doesn't know: notations; where the games are from.
"""

from __future__ import annotations

import chess
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.replay_block import replay_spans


def ply_moves(sans: pa.ListArray) -> npt.NDArray[np.uint16]:
    """The move of every ply, as `ReplayedBlock.moves` has them, games one behind the other.

    Args:
        sans: a game a row, its strings as a dictionary.

    Raises:
        ValueError: a game isn't legal from the start position.

    >>> strings = pa.array(["e4", "e5", "f4", "exf4"]).dictionary_encode()
    >>> [move_of(code).uci() for code in ply_moves(pa.ListArray.from_arrays(pa.array([0, 4], pa.int32()), strings))]
    ['e2e4', 'e7e5', 'f2f4', 'e5f4']
    """
    strings = pa.ListArray.from_arrays(sans.offsets, sans.values.dictionary_decode())
    texts = pc.binary_join(strings, " ")
    _, offsets, data = texts.buffers()
    cuts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    block = replay_spans(memoryview(data or b""), cuts[:-1], cuts[1:])
    is_wrong = (block.status != 0) | (np.diff(block.ply_offsets) != np.diff(sans.offsets.to_numpy()))
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        why = block.rejection(row).detail if block.status[row] else f"not moves alone: {texts[row].as_py()[:40]!r}"
        raise ValueError(f"game {row} of a row group: {why}")
    return block.moves


def move_of(code: int) -> chess.Move:
    """The move of a code: from | to << 6 | promotion << 12.

    >>> move_of(chess.E7 | chess.E8 << 6 | chess.QUEEN << 12).uci()
    'e7e8q'
    """
    return chess.Move(code & 63, code >> 6 & 63, code >> 12 or None)
