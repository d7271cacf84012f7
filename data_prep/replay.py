"""Replaying movetext: legal moves and canonical SAN, or a counted reason.

Knows: the outcomes, the ways in (one game or many), and when the fast path pays.
Doesn't know: the grammar and the rules (`replay_reference`; `replay_block` is its fast twin), headers, filters, files.

    >>> replay_movetext(b"1. e4 e5 2. Nf3 *").san
    ('e4', 'e5', 'Nf3')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data_prep.replay_outcome import ILLEGAL, UNREADABLE, Rejected, Replayed
from data_prep.replay_reference import replay_reference

__all__ = ["ILLEGAL", "UNREADABLE", "Rejected", "Replayed", "replay_many", "replay_movetext"]

FAST_FROM = 500  # games: loading the fast path takes about as long as python-chess takes for so many
CHUNK_LEN = 1 << 24  # bytes of movetext that the fast path gets at a time; bounds its memory


def replay_movetext(movetext: bytes) -> Replayed | Rejected:
    """Replay one game from the start position with python-chess; never raises, whatever the bytes."""
    return replay_reference(movetext)


class ManyReplays:
    """Replays lists of games, at first by the reference, from the `fast_from`-th game on by the fast path.

    The outcomes are the same; the fast path is about a hundred times as fast, but numba must be loaded for it (and its
    code compiled, once an installation).

    Args:
        fast_from: games, over all calls.
    """

    def __init__(self, fast_from: int = FAST_FROM) -> None:
        self._fast_from = fast_from
        self._num_games = 0

    def __call__(self, movetexts: Sequence[bytes]) -> list[Replayed | Rejected]:
        """Replay the games in order; never raises, whatever the bytes."""
        self._num_games += len(movetexts)
        if self._num_games < self._fast_from:
            return [replay_reference(movetext) for movetext in movetexts]
        from data_prep.replay_block import replay_block

        return [outcome for chunk in _chunks(movetexts) for outcome in replay_block(chunk).outcomes()]


def _chunks(movetexts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The movetexts in stretches of at most `CHUNK_LEN` bytes, or of one game."""
    begin, chunk_len = 0, 0
    for i, movetext in enumerate(movetexts):
        if i > begin and chunk_len + len(movetext) > CHUNK_LEN:
            yield movetexts[begin:i]
            begin, chunk_len = i, 0
        chunk_len += len(movetext)
    if begin < len(movetexts):
        yield movetexts[begin:]


replay_many = ManyReplays()
"""The process's own `ManyReplays`. Where arrays will do, `replay_block.replay_spans` is faster still."""
