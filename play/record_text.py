"""The tally of a ledger as a table for people.

Knows: the table's columns.
Doesn't know: which games count (`ledger` does).
"""

from __future__ import annotations

from collections.abc import Sequence

from play.inert_text import inert
from play.ledger import Tally

RULE = (
    "A game counts if a person typed it at a terminal, from the start position,",
    "without hints, take-backs or changed seats, to its end. Others were helped,",
    "changed, begun from given moves, piped, or left without a result.",
)


def tally_lines(tallies: Sequence[Tally]) -> list[str]:
    """A table with one line a model, weights and policy, seen from the model's side, and what counts."""
    rows: list[tuple[str, ...]] = [("model", "weights", "policy", "won", "drawn", "lost", "others")]
    rows += [
        (
            inert(tally.model, limit=24),
            "-" if tally.digest is None else inert(tally.digest, limit=64)[:8],
            "-" if tally.policy is None else tally.policy.text,
            *(str(count) for count in (tally.won, tally.drawn, tally.lost, tally.others)),
        )
        for tally in tallies
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [*table, "", *RULE]
