"""Replaying movetext: legal moves and canonical SAN, or a counted reason.

Knows: the outcomes and the two ways in, one game or many.
Doesn't know: the grammar and the rules (`replay_reference`), headers, filters, files.

    >>> replay_movetext(b"1. e4 e5 2. Nf3 *").san
    ('e4', 'e5', 'Nf3')
"""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.replay_outcome import ILLEGAL, UNREADABLE, Rejected, Replayed
from data_prep.replay_reference import replay_reference

__all__ = ["ILLEGAL", "UNREADABLE", "Rejected", "Replayed", "replay_many", "replay_movetext"]


def replay_movetext(movetext: bytes) -> Replayed | Rejected:
    """Replay one game from the start position; never raises, whatever the bytes."""
    return replay_reference(movetext)


def replay_many(movetexts: Sequence[bytes]) -> list[Replayed | Rejected]:
    """Replay many games, in order; the same outcomes as `replay_movetext` for each."""
    return [replay_reference(movetext) for movetext in movetexts]
