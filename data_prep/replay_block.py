"""Many games at once, as arrays: the fast path as the rest of data preparation sees it.

Knows: how to hand movetexts to the kernel, and how to make outcomes or Arrow columns of the arrays that it fills.
Doesn't know: the grammar and the rules (`replay_kernel`), headers, filters, files.

    >>> block = replay_block([b"1. e4 e5 2. Nf3+ 1/2-1/2", b"1. e4 e4"])
    >>> block.status.tolist(), block.san_lists().to_pylist()
    ([0, 12], [['e4', 'e5', 'Nf3'], []])
    >>> block.rejection(1).reason
    'illegal move'
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import chess
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_prep.replay_board import BOARD_LEN, GAME_LEN
from data_prep.replay_kernel import MIN_PLY_LEN, SAN_LEN, UCI_LEN, Columns, Replay, replay_games
from data_prep.replay_outcome import Problem, Rejected, Replayed, rejected

RESULTS: tuple[str | None, ...] = (None, "1-0", "0-1", "1/2-1/2", "*")
MAX_BLOCK_LEN = 1 << 28  # bytes of movetext; far below what 32-bit offsets of SAN allow


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedBlock:
    """The outcomes of n games with p plies, as arrays. A rejected game has no plies, no UCI and result 0.

    Args:
        text: the bytes that hold the movetexts.
        starts: i64[n], where each movetext begins in `text`.
        ends: i64[n], where it ends.
        status: u8[n], 0 for a replayed game, else the `Problem` that stopped it; `Problem(s).reason` is its reason.
        failed_at: i64[n], where in `text` the token begins that stopped it.
        results: u8[n], index into `RESULTS` of the result as the movetext has it.
        num_corrected: i32[n], plies whose written SAN isn't the canonical one.
        ply_offsets: i32[n + 1], the first ply of each game.
        moves: u16[p], from | to << 6 | promotion << 12; squares and promotion as python-chess counts them, 0 for none.
        word_ends: i64[p], the offset in `text` behind the word that each ply was read from.
        san: u8[s], the plies' canonical SAN, without separators.
        san_offsets: i32[p + 1], the first byte of each ply in `san`.
        uci: u8[u], each game's UCI moves, joined by single spaces, nothing between games.
        uci_offsets: i32[n + 1], the first byte of each game in `uci`.
    """

    text: memoryview
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]
    failed_at: npt.NDArray[np.int64]
    results: npt.NDArray[np.uint8]
    num_corrected: npt.NDArray[np.int32]
    ply_offsets: npt.NDArray[np.int32]
    moves: npt.NDArray[np.uint16]
    word_ends: npt.NDArray[np.int64]
    san: npt.NDArray[np.uint8]
    san_offsets: npt.NDArray[np.int32]
    uci: npt.NDArray[np.uint8]
    uci_offsets: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.status)

    def san_lists(self) -> pa.ListArray:
        """Canonical SAN as an Arrow list<str>, a row a game (empty for rejected games), without copying."""
        plies = pa.StringArray.from_buffers(len(self.moves), pa.py_buffer(self.san_offsets), pa.py_buffer(self.san))
        return pa.ListArray.from_arrays(pa.array(self.ply_offsets), plies)

    def digests(self) -> list[bytes]:
        """`chesslm.game.moves_digest` of each game's moves (for a rejected game: of no moves)."""
        uci, ends = memoryview(self.uci.data), self.uci_offsets.tolist()
        return [hashlib.sha256(uci[start:end]).digest() for start, end in pairwise(ends)]

    def rejection(self, row: int) -> Rejected:
        """Why a game was rejected, in words."""
        start, failed_at = int(self.starts[row]), int(self.failed_at[row])
        movetext = bytes(self.text[start : int(self.ends[row])])
        # What stands before the token that stopped it is a movetext without fault, which leads to the position;
        # unless that token is inside a variation: then what stands before the variation is.
        before = replay_block([movetext[: failed_at - start]])
        if before.status[0]:
            before = replay_block([movetext[: int(before.failed_at[0])]])
        board = chess.Board()
        for uci in before.uci.tobytes().decode("ascii").split():
            board.push_uci(uci)
        return rejected(Problem(int(self.status[row])), movetext, failed_at - start, board)

    def outcomes(self) -> list[Replayed | Rejected]:
        """Every game as `replay.replay_movetext` gives it."""
        text, cuts = self.san.tobytes().decode("ascii"), self.san_offsets.tolist()
        san = [text[start:end] for start, end in pairwise(cuts)]
        uci, plies, uci_cuts = self.uci.tobytes().decode("ascii"), self.ply_offsets.tolist(), self.uci_offsets.tolist()
        rows = zip(self.status.tolist(), self.results.tolist(), self.num_corrected.tolist(), strict=True)
        return [
            self.rejection(row)
            if status
            else Replayed(
                tuple(uci[uci_cuts[row] : uci_cuts[row + 1]].split()),
                tuple(san[plies[row] : plies[row + 1]]),
                RESULTS[result],
                num_corrected,
            )
            for row, (status, result, num_corrected) in enumerate(rows)
        ]


def replay_block(movetexts: Sequence[bytes]) -> ReplayedBlock:
    """Replay the games of a list; see `replay_spans`."""
    ends = np.cumsum(np.fromiter(map(len, movetexts), np.int64, len(movetexts)))
    starts = np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1]))
    return replay_spans(b"".join(movetexts), starts, ends)


def replay_spans(
    text: bytes | memoryview,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    *,
    replay: Replay = replay_games,
) -> ReplayedBlock:
    """Replay the movetexts text[starts[i]:ends[i]] from the start position, without a Python object for any of them.

    A process's first call takes 0.3 s; the very first after an installation about 10 s of a core, while numba compiles.
    The kernel releases the interpreter's lock, so threads run in parallel.

    Args:
        text: the bytes that hold the movetexts, with anything between them.
        starts: i64[n], first byte of each.
        ends: i64[n], byte behind the last of each.
        replay: the kernel; tests pass the interpreted one.

    Raises:
        ValueError: the spans aren't inside the text, or are longer together than `MAX_BLOCK_LEN`.
    """
    total_len = int((ends - starts).sum())
    if len(starts) != len(ends) or (starts < 0).any() or (ends < starts).any() or (ends > len(text)).any():
        raise ValueError(f"the spans of {len(starts)} movetexts don't lie inside a text of {len(text)} bytes")
    if total_len > MAX_BLOCK_LEN:
        raise ValueError(f"{total_len} bytes of movetext in one block; at most {MAX_BLOCK_LEN} are possible")
    num_games, max_plies = len(starts), (total_len + len(starts)) // MIN_PLY_LEN
    columns = Columns(
        status=np.empty(num_games, np.uint8),
        failed_at=np.empty(num_games, np.int64),
        results=np.empty(num_games, np.uint8),
        num_corrected=np.empty(num_games, np.int32),
        ply_offsets=np.empty(num_games + 1, np.int32),
        moves=np.empty(max_plies, np.uint16),
        word_ends=np.empty(max_plies, np.int64),
        san=np.empty(SAN_LEN * max_plies, np.uint8),
        san_offsets=np.empty(max_plies + 1, np.int32),
        uci=np.empty(UCI_LEN * max_plies, np.uint8),
        uci_offsets=np.empty(num_games + 1, np.int32),
    )
    totals = np.zeros(3, np.int64)
    data = np.frombuffer(text, np.uint8)
    data.flags.writeable = False  # numba compiles once more for each kind of array: always the same kind
    starts, ends = np.array(starts, np.int64), np.array(ends, np.int64)
    replay(data, starts, ends, columns, np.empty(BOARD_LEN, np.uint8), np.empty(GAME_LEN, np.int64), totals)
    num_plies, san_len, uci_len = totals.tolist()
    written = columns._replace(
        moves=columns.moves[:num_plies],
        word_ends=columns.word_ends[:num_plies],
        san=columns.san[:san_len],
        san_offsets=columns.san_offsets[: num_plies + 1],
        uci=columns.uci[:uci_len],
    )
    return ReplayedBlock(memoryview(text), starts, ends, *written)
