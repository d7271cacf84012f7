"""The fast path's arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import numba
import numpy as np
import pytest

from chesslm.game import moves_digest
from data_prep import replay_block, replay_kernel
from data_prep.replay import Replayed, replay_movetext
from data_prep.replay_block import RESULTS
from data_prep.replay_outcome import Problem

MOVETEXTS = [
    b"1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Bxc6 dxc6 5. 0-0 1-0",
    b"1. e4 e4",
    b"",
    b"1. a4 b5 2. axb5 a6 3. bxa6 Nc6 4. a7 Nb8 5. axb8=N 1/2-1/2",
    b"1. e4 {",
    b"1. f3 e5 2. g4 Qh4 *",
]


@pytest.fixture
def block() -> replay_block.ReplayedBlock:
    return replay_block.replay_block(MOVETEXTS)


def test_the_arrays_say_what_the_outcomes_say(block: replay_block.ReplayedBlock) -> None:
    outcomes = block.outcomes()
    assert outcomes == [replay_movetext(movetext) for movetext in MOVETEXTS]
    assert len(block) == len(MOVETEXTS)
    assert block.san_lists().to_pylist() == [list(getattr(outcome, "san", ())) for outcome in outcomes]
    assert block.digests() == [moves_digest(getattr(outcome, "uci", ())) for outcome in outcomes]
    assert [RESULTS[index] for index in block.results] == [getattr(outcome, "result", None) for outcome in outcomes]
    assert block.num_corrected.tolist() == [1, 0, 0, 0, 0, 1]
    reasons = [None if status == 0 else Problem(status).reason for status in block.status]
    assert reasons == [getattr(outcome, "reason", None) for outcome in outcomes]


def test_moves_are_packed_into_sixteen_bits(block: replay_block.ReplayedBlock) -> None:
    uci = [uci for outcome in block.outcomes() if isinstance(outcome, Replayed) for uci in outcome.uci]
    moves = [chess.Move(move & 63, move >> 6 & 63, move >> 12 or None) for move in block.moves.tolist()]
    assert [move.uci() for move in moves] == uci
    assert block.ply_offsets.tolist() == [0, 9, 9, 9, 18, 18, 22]


def test_each_ply_says_where_its_word_ends(block: replay_block.ReplayedBlock) -> None:
    text = bytes(block.text)
    last_words = [text[:end].rsplit(b" ", 1)[1] for end in block.word_ends.tolist()]
    assert b" ".join(last_words[:9]) == b"e4 e5 Nf3 Nc6 Bb5 a6 Bxc6 dxc6 0-0"
    assert last_words[-1] == b"Qh4"


def test_spans_may_lie_anywhere_in_a_text() -> None:
    text = b'[Site "?"]\n\n1. e4 e5 *\n\n[Site "!"]\n\n1. d4 d5 0-1\n'
    starts = np.array([text.index(b"1. d4"), text.index(b"1. e4")])
    ends = np.array([len(text), text.index(b"*") + 1])
    for buffer in (text, memoryview(text), memoryview(bytearray(text))):
        replayed = replay_block.replay_spans(buffer, starts, ends)
        assert replayed.san_lists().to_pylist() == [["d4", "d5"], ["e4", "e5"]]
    damaged = replay_block.replay_spans(text, starts, ends + np.array([0, 8]))
    assert damaged.rejection(1) == replay_movetext(b"1. e4 e5 *\n\n[Site ")


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2), (0, 9)])
def test_spans_outside_the_text_are_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="the spans of 1 movetexts don't lie inside a text of 5 bytes"):
        replay_block.replay_spans(b"1. e4", np.array([start]), np.array([end]))


def test_a_block_beyond_its_offsets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_block, "MAX_BLOCK_LEN", 4)
    with pytest.raises(ValueError, match="5 bytes of movetext in one block; at most 4 are possible"):
        replay_block.replay_block([b"1. e4"])


def test_no_games_make_an_empty_block() -> None:
    block = replay_block.replay_block([])
    assert (len(block), block.outcomes(), block.digests(), block.san_lists().to_pylist()) == (0, [], [], [])


def test_the_longest_moves_of_the_shortest_spelling_fit() -> None:
    """Every ply of this game is spelled in two bytes, so the room that is reckoned for it is the least."""
    movetext = b"e4 e5 " + b"f3 f6 g3 g6 h3 h6 a3 a6 b3 b6 c3 c6 d3 d6"
    (outcome,) = replay_block.replay_block([movetext]).outcomes()
    assert outcome == replay_movetext(movetext)
    assert isinstance(outcome, Replayed)
    assert len(outcome.san) == 16


def test_the_kernel_does_without_a_cache_where_none_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def njit(**options: Any) -> Callable[[Any], Any]:
        asked.append(options)
        if "cache" in options:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    compiled, interpreted = replay_kernel._entry(0)
    assert compiled is interpreted
    assert ["cache" in options for options in asked] == [True, False]


def test_the_cache_key_covers_every_source_of_the_kernel() -> None:
    """numba would go on with old code if only a module beside the entry point's own had changed."""
    sources = {Path(module.__file__ or "").name for name, module in sys.modules.items() if name in KERNEL_MODULES}
    assert sources == set(replay_kernel.SOURCES)


KERNEL_MODULES = {f"data_prep.replay_{name}" for name in ("board", "words", "kernel", "outcome")}
