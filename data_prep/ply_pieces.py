"""Games straight from Arrow columns to tokens, where a notation writes each ply by its SAN and colour, or its squares.

Knows: that games have few different SANs (some ten thousand) and fewer different moves, so that each is written once
and then copied; that moves are known from replaying the SAN.
Doesn't know: any notation; what a ply is written with comes from `Notation.ply_piece` or `move_piece`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain
from typing import Any

import chess
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chesslm.notation import Notation
from chesslm.notation.base import PlyPiece
from chesslm.token_files import TokenFile
from data_prep.ply_moves import move_of, ply_moves
from data_prep.token_kernel import Pieces, Room, WriteTokens, write_tokens

_COLOURS = (True, False)


def writes_ply_by_ply(notation: Notation) -> bool:
    """Whether the notation writes each ply by its SAN and colour alone, or by its squares alone."""
    return _writes_by_san(notation) or notation.move_piece(chess.Move(chess.E2, chess.E4)) is not None


def _writes_by_san(notation: Notation) -> bool:
    return notation.ply_piece("e4", is_white=True) is not None


class PieceWriter:
    """Writes games of one notation, and remembers how it writes each ply; several threads may use it at once.

    Args:
        notation: one that `writes_ply_by_ply`.
        write: the kernel; tests pass the interpreted one.
    """

    def __init__(self, notation: Notation, write: WriteTokens = write_tokens) -> None:
        self._notation = notation
        self._write = write
        self._by_san = _writes_by_san(notation)
        self._learning = threading.Lock()  # held while new plies are written for the first time
        self._numbers: dict[str | int, int] = {}  # SAN, or code of a move -> its number
        self._pieces: list[tuple[int, ...]] = []
        self._spelling_lens: list[int] = []
        self._before: list[tuple[int, ...]] = []
        vocabulary = notation.vocabulary
        self._frame = np.array([vocabulary.begin_id, vocabulary.end_id], np.uint16)
        self._arrays = self._made()

    def encode(self, games: pa.Table, selections: Sequence[npt.NDArray[np.int64]]) -> list[TokenFile]:
        """Rows of a table as tokens, in their order; one content a selection.

        Args:
            games: one chunk, with the columns san (its strings as a dictionary), result and moves_hash.
            selections: i64[n], which of its rows.

        Raises:
            GameTooLong: a move number has no token.
            ValueError: a ply isn't SAN, or its game can't be replayed where that is needed.
        """
        lists = games["san"].combine_chunks()
        ply_offsets = lists.offsets.to_numpy().astype(np.int64)
        num_plies = np.diff(ply_offsets)
        keys, places = self._plies(lists)
        with self._learning:
            numbers = np.array([self._number(key) for key in keys], np.int64)
            self._reach(int(num_plies.max(initial=0)))
            arrays = self._arrays
            if (len(arrays.starts), len(arrays.before_starts)) != (len(self._pieces) + 1, len(self._before) + 1):
                arrays = self._arrays = self._made()
        longest = int(np.diff(arrays.starts).max(initial=0)) + int(np.diff(arrays.before_starts).max(initial=0))
        plies, results, hashes = numbers[places], self._results(games), games["moves_hash"]
        contents = []
        for rows in selections:
            total = int(num_plies[rows].sum())
            room = Room(
                tokens=np.empty(3 * len(rows) + longest * total, np.uint16),
                game_starts=np.empty(len(rows) + 1, np.int64),
                ply_starts=np.empty(total, np.int64),
                ply_ends=np.empty(total, np.int64),
                ply_game_starts=np.empty(len(rows) + 1, np.int64),
            )
            num_tokens = self._write(rows, ply_offsets, plies, results, self._frame, arrays, room)
            written = room._replace(tokens=room.tokens[:num_tokens].copy())
            contents.append(TokenFile(**written._asdict(), moves_hashes=hashes.to_numpy()[rows]))
        return contents

    def _results(self, games: pa.Table) -> npt.NDArray[np.uint16]:
        ids = self._notation.vocabulary.result_ids
        results = games["result"].combine_chunks().dictionary_encode()
        known = np.array([ids[result] for result in results.dictionary.to_pylist()], np.uint16)
        found: npt.NDArray[np.uint16] = known[results.indices.to_numpy()]
        return found

    def _plies(self, lists: pa.ListArray) -> tuple[Sequence[str | int], npt.NDArray[np.integer]]:
        """The different SANs or moves of games, and for each ply which of them it is."""
        if self._by_san:
            return lists.values.dictionary.to_pylist(), lists.values.indices.to_numpy()
        moves = ply_moves(lists)
        codes = np.flatnonzero(np.bincount(moves))
        return codes.tolist(), np.searchsorted(codes, moves)

    def _number(self, key: str | int) -> int:
        number = self._numbers.get(key)
        if number is None:
            pieces = [self._piece(key, is_white=is_white) for is_white in _COLOURS]
            number = self._numbers[key] = len(self._numbers)
            for piece in pieces:
                assert piece is not None, "this notation doesn't write ply by ply"
                self._pieces.append((*piece.spelling, *piece.follow))
                self._spelling_lens.append(len(piece.spelling))
        return number

    def _piece(self, key: str | int, *, is_white: bool) -> PlyPiece | None:
        if isinstance(key, str):
            return self._notation.ply_piece(key, is_white=is_white)
        return self._notation.move_piece(move_of(key))

    def _reach(self, num_plies: int) -> None:
        """Know what stands before each of so many plies."""
        while len(self._before) < num_plies:
            self._before.append(tuple(self._notation.before(len(self._before))))

    def _made(self) -> Pieces:
        return Pieces(*_joined(self._pieces), np.array(self._spelling_lens, np.int64), *_joined(self._before))


def _joined(pieces: list[tuple[int, ...]]) -> tuple[Any, Any]:
    """Ids one behind the other, and where each piece begins."""
    starts = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=starts[1:])
    return np.fromiter(chain.from_iterable(pieces), np.uint16, starts[-1]), starts
