"""The compiled tokeniser: the tokens of many games from the pieces that their plies are written with.

Knows: the order that all notations share: begin, what stands before a ply, its spelling, what follows it, result, end.
Doesn't know: any notation; the pieces are handed in (`ply_pieces`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data_prep.compiled import compile_kernel, sources_stamp

Ids = npt.NDArray[np.uint16]
Longs = npt.NDArray[np.int64]

SOURCES = ("token_kernel.py",)


class Pieces(NamedTuple):
    """Ids by what they write. A ply's is 2 * the number of its SAN or move + 1 for Black, 0 for White.

    Args:
        ids: u16, spelling and follow of every piece.
        starts: i64[m + 1], where each piece begins in `ids`.
        spelling_lens: i64[m], how many of its ids are the spelling.
        before_ids: u16, what stands before the plies of a game.
        before_starts: i64[l + 1], where that of each ply begins.
    """

    ids: Ids
    starts: Longs
    spelling_lens: Longs
    before_ids: Ids
    before_starts: Longs


class Room(NamedTuple):
    """What the kernel fills, for n games with p plies.

    Args:
        tokens: u16, with room for the longest pieces.
        game_starts: i64[n + 1].
        ply_starts: i64[p].
        ply_ends: i64[p].
        ply_game_starts: i64[n + 1].
    """

    tokens: Ids
    game_starts: Longs
    ply_starts: Longs
    ply_ends: Longs
    ply_game_starts: Longs


class WriteTokens(Protocol):
    """The entry point, compiled on its first call."""

    def __call__(
        self, rows: Longs, ply_offsets: Longs, plies: Longs, results: Ids, frame: Ids, pieces: Pieces, room: Room
    ) -> int:
        """Writes some of many games.

        Args:
            rows: i64[n], which games.
            ply_offsets: i64[m + 1], the first ply of each of the many.
            plies: i64[plies of all], the number of each ply's SAN or move.
            results: u16[m], the id of each game's result.
            frame: u16[2], the ids that begin and end a game.
            pieces: of all plies that occur.
            room: filled.

        Returns:
            how many tokens were written.
        """
        ...


def _entry(stamp: int) -> tuple[WriteTokens, WriteTokens]:
    """The entry point, compiled and interpreted."""

    def write(
        rows: Longs, ply_offsets: Longs, plies: Longs, results: Ids, frame: Ids, pieces: Pieces, room: Room
    ) -> int:
        _stamp = stamp  # numba's cache on disk is keyed by what a closure holds: see `sources_stamp`
        tokens, place, ply = room.tokens, 0, 0
        room.game_starts[0] = room.ply_game_starts[0] = 0
        for game in range(len(rows)):
            first, last = ply_offsets[rows[game]], ply_offsets[rows[game] + 1]
            tokens[place] = frame[0]
            place += 1
            for number in range(last - first):
                for i in range(pieces.before_starts[number], pieces.before_starts[number + 1]):
                    tokens[place] = pieces.before_ids[i]
                    place += 1
                piece = 2 * plies[first + number] + (number & 1)
                room.ply_starts[ply] = place
                room.ply_ends[ply] = place + pieces.spelling_lens[piece]
                ply += 1
                for i in range(pieces.starts[piece], pieces.starts[piece + 1]):
                    tokens[place] = pieces.ids[i]
                    place += 1
            tokens[place] = results[rows[game]]
            tokens[place + 1] = frame[1]
            place += 2
            room.game_starts[game + 1] = place
            room.ply_game_starts[game + 1] = ply
        return place

    return compile_kernel(write), write


write_tokens, write_tokens_interpreted = _entry(sources_stamp(*SOURCES))
