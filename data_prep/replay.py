"""Replaying movetext: legal moves and canonical SAN, or a counted reason.

Knows: the outcomes, the ways in (one game or many), and when the fast path pays.
Doesn't know: the grammar and the rules (`replay_reference`; `replay_block` is its fast twin), headers, filters, files.

    >>> replay_movetext(b"1. e4 e5 2. Nf3 *").san
    ('e4', 'e5', 'Nf3')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from data_prep.replay_outcome import ILLEGAL, UNREADABLE, Rejected, Replayed
from data_prep.replay_reference import replay_reference

__all__ = ["FAST_FROM", "ILLEGAL", "UNREADABLE", "Rejected", "Replayed", "replay_many", "replay_movetext"]

FAST_FROM = 500
"""Games from which on `replay_many` loads the fast path: loading it takes as long as python-chess takes for so many."""

CHUNK_LEN = 1 << 24  # bytes of movetext that the fast path gets at a time; bounds memory


def replay_movetext(movetext: bytes) -> Replayed | Rejected:
    """Replay one game from the start position with python-chess; never raises, whatever the bytes."""
    return replay_reference(movetext)


def replay_many(movetexts: Sequence[bytes]) -> list[Replayed | Rejected]:
    """Replay many games, in order, with the same outcomes as `replay_movetext`.

    From `FAST_FROM` games in one call on (once loaded: always), numba's compiled code does it, about a hundred times as
    fast. Where arrays are enough, `replay_block.replay_spans` is twice as fast again: it makes no Python objects.
    """
    if len(movetexts) < FAST_FROM and not _is_fast_loaded():
        return [replay_reference(movetext) for movetext in movetexts]
    return [outcome for chunk in _chunks(movetexts) for outcome in _replay_fast(chunk)]


def _replay_fast(movetexts: Sequence[bytes]) -> list[Replayed | Rejected]:
    _load_fast()
    from data_prep.replay_block import replay_block

    return replay_block(movetexts).outcomes()


@cache
def _load_fast() -> None:
    """Imports numba, which small inputs needn't wait for."""
    import data_prep.replay_block  # noqa: F401


def _is_fast_loaded() -> bool:
    return _load_fast.cache_info().currsize > 0


def _chunks(movetexts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The movetexts in stretches of at most `CHUNK_LEN` bytes, or of one game."""
    begin, chunk_len = 0, 0
    for i, movetext in enumerate(movetexts):
        if chunk_len and chunk_len + len(movetext) > CHUNK_LEN:
            yield movetexts[begin:i]
            begin, chunk_len = i, 0
        chunk_len += len(movetext)
    if begin < len(movetexts):
        yield movetexts[begin:]
