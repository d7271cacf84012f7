"""Inputs -> blocks of games with their places, from the first byte or from where an earlier process was.

Knows: which input and byte a block is from, how many games stand before it, and how to know an input again.
Doesn't know: what becomes of the games (`rows`, `games_writer`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chesslm.errors import InputError
from data_prep.blocks import cut_blocks
from data_prep.decompress import TextInput
from data_prep.manifest import InputRecord, check_sha256, record_of
from data_prep.rows import BlockRows, SourceBlock

MAX_SECTIONS = 500  # sections without any game, after which a text is taken for something else


class SourceReader:
    """Reads inputs one after the other.

    Args:
        sources: not read yet.
        mark: of the block to begin with, as `placed` gave it; empty to begin at the beginning.
    """

    def __init__(self, sources: Sequence[TextInput], mark: dict[str, Any]) -> None:
        self._sources = sources
        self._first = mark
        self._marks: deque[dict[str, Any]] = deque()  # of the blocks that were read and not yet placed
        self._num_games = [0] * len(sources)
        self._num_games[: len(mark.get("games", ()))] = mark.get("games", ())
        self._current = mark.get("source", 0)  # the input of the last block that was placed
        self._has_game = bool(mark.get("has_game", False))

    def blocks(self) -> Iterator[SourceBlock]:
        """The blocks of all inputs; an input's sha256 is checked at its end.

        Raises:
            InputError: an input is corrupt, or isn't what it was when an earlier process began.
        """
        for number, source in enumerate(self._sources):
            if number < self._first.get("source", 0):
                source.read_to_the_end()
                if source.sha256 != self._first["sha256s"][number]:
                    raise _changed(source)
            else:
                yield from self._blocks_of(number, source)
            check_sha256(source)

    def _blocks_of(self, number: int, source: TextInput) -> Iterator[SourceBlock]:
        first = self._first if number == self._first.get("source") else {}
        offset = first.get("offset", 0)
        has_block = False
        for block in cut_blocks(_behind(_unchanged(source, first), offset), offset=offset):
            has_block = True
            read = {"num_bytes": source.num_bytes, "sha256": source.sha256}
            sha256s = [done.sha256 for done in self._sources[:number]]
            self._marks.append({"source": number, "offset": block.offset, **read, "sha256s": sha256s})
            yield SourceBlock(block, source.name)
        if first and not has_block:
            raise _changed(source)

    def placed(self, rows: BlockRows) -> tuple[BlockRows, dict[str, Any]]:
        """The rows of the next block with their places in its input, and the block's mark.

        Raises:
            InputError: an input has no game, or none among its first sections; names it.
        """
        mark = self._marks.popleft()
        number = mark["source"]
        if number != self._current:
            self.check_last()
            self._current, self._has_game = number, False
        num_before = self._num_games[number]
        mark |= {"games": self._num_games[: number + 1], "has_game": self._has_game}
        if not self._has_game:
            num_sections = num_before + (rows.num_read if rows.first_game is None else rows.first_game)
            if num_sections >= MAX_SECTIONS:
                path = self._sources[number].path
                raise InputError(f"{path}: no game among its first {MAX_SECTIONS} sections; is it a PGN?")
            self._has_game = rows.first_game is not None
        self._num_games[number] += rows.num_read
        place = rows.rows.schema.get_field_index("source_index")
        indices = pc.add(rows.rows.column(place), num_before)
        columns = [indices if index == place else column for index, column in enumerate(rows.rows.columns)]
        return replace(rows, rows=pa.RecordBatch.from_arrays(columns, schema=rows.rows.schema)), mark

    def check_last(self) -> None:
        """All blocks of the current input have been placed.

        Raises:
            InputError: it has no game.
        """
        if not self._has_game:
            raise InputError(f"{self._sources[self._current].path}: no game in it")

    def records(self) -> list[InputRecord]:
        """What the manifest says of the inputs, once all have been read and placed."""
        return [record_of(source, games) for source, games in zip(self._sources, self._num_games, strict=True)]


def _unchanged(source: TextInput, mark: dict[str, Any]) -> Iterator[bytes]:
    """An input's text, compared with what an earlier process had read of it when it made a mark.

    That process may have read further ahead than this one does from the mark on, so what is compared is the place in
    the input where it was, whenever this one comes by.

    Raises:
        InputError: the input is another one; names it.
    """

    def is_known() -> bool:
        if source.num_bytes < mark["num_bytes"]:
            return False
        if (source.num_bytes, source.sha256) != (mark["num_bytes"], mark["sha256"]):
            raise _changed(source)
        return True

    compared = not mark
    for piece in source.blocks():
        compared = compared or is_known()
        yield piece
    if not compared and not is_known():
        raise _changed(source)


def _behind(pieces: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """What stands behind the first `offset` bytes of a text."""
    for piece in pieces:
        if offset < len(piece):
            yield piece[offset:] if offset else piece
        offset = max(0, offset - len(piece))


def _changed(source: TextInput) -> InputError:
    return InputError(
        f"{source.path}: has changed since an interrupted run read it; what that run left is removed, so run this again"
    )
