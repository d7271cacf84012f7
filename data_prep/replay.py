"""Replaying movetext: legal moves and canonical SAN, or a counted reason.

Knows: the outcomes, and the way in for one game. Many games go through `replay_block`, as arrays.
Doesn't know: the grammar and the rules (`replay_reference`; `replay_block` is its fast twin), headers, filters, files.

    >>> replay_movetext(b"1. e4 e5 2. Nf3 *").san
    ('e4', 'e5', 'Nf3')
"""

from __future__ import annotations

from data_prep.replay_outcome import ILLEGAL, UNREADABLE, Rejected, Replayed
from data_prep.replay_reference import replay_reference

__all__ = ["ILLEGAL", "UNREADABLE", "Rejected", "Replayed", "replay_movetext"]


def replay_movetext(movetext: bytes) -> Replayed | Rejected:
    """Replay one game from the start position with python-chess; never raises, whatever the bytes."""
    return replay_reference(movetext)
