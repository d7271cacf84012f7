"""Numbers of several entrants on the same positions: a record each, and paired differences.

Knows: who is compared with whom, and that only the same metric on the same subset can be.
Doesn't know: where the numbers come from, or how a record is made (`aggregation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.aggregation import Aggregator, Quantity, Subset
from eval.contenders import Entrant, pairs
from eval.records import DifferenceRecord, MeasureRecord


@dataclass(frozen=True, slots=True)
class Column:
    """A metric's numbers, one a position (or game), and where they are taken.

    Args:
        quantity: the numbers; the same positions in the same order for every entrant.
        subsets: each gets a record.
        is_paired: pairs of entrants are compared, too.
    """

    quantity: Quantity
    subsets: tuple[Subset, ...]
    is_paired: bool = True


@dataclass(frozen=True, slots=True)
class Compared:
    """Records of everybody, and of every pair that is compared."""

    measures: tuple[MeasureRecord, ...] = ()
    differences: tuple[DifferenceRecord, ...] = ()

    def __add__(self, other: Compared) -> Compared:
        return Compared((*self.measures, *other.measures), (*self.differences, *other.differences))


def whole(name: str, num: int, first_ply: int | None = None, last_ply: int | None = None) -> Subset:
    """The subset that is all of `num` positions."""
    return Subset(name, np.ones(num, dtype=np.bool_), first_ply, last_ply)


def compared(
    aggregator: Aggregator,
    entrants: Sequence[Entrant],
    columns: Mapping[str, Sequence[Column]],
) -> Compared:
    """All records of one kind of measurement.

    Args:
        aggregator: makes records.
        entrants: in the order of the table.
        columns: label -> columns; an entrant that can't be asked has none, or lacks some.

    Raises:
        InputError: an entrant's numbers aren't finite; names it.
    """
    measures = [
        aggregator.measure(entrant, column.quantity, subset)
        for entrant in entrants
        for column in columns.get(entrant.label, ())
        for subset in column.subsets
    ]
    differences: list[DifferenceRecord] = []
    for one, other in pairs(entrants):
        theirs = {(c.quantity.metric, c.quantity.detail): c.quantity for c in columns.get(other.label, ())}
        differences += [
            aggregator.difference((one, other), (column.quantity, shared), subset)
            for column in columns.get(one.label, ())
            if column.is_paired and (shared := theirs.get((column.quantity.metric, column.quantity.detail))) is not None
            for subset in column.subsets
        ]
    return Compared(tuple(measures), tuple(differences))
