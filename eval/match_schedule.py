"""Which games are played: pairs from one opening with colours swapped.

Knows: the book's order by seed, and how many pairs two players may have from it.
Doesn't know: players (only their labels) or how games are played.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from chesslm.openings import book, choose_openings
from eval.match_game import Fixture


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two contestants and how many pairs of games they play.

    Args:
        first, second: labels; `first` has White in the first game of each pair.
        num_pairs: how many.
    """

    first: str
    second: str
    num_pairs: int


def pairs_at_most(wanted: int, *, both_deterministic: bool) -> int:
    """How many pairs two players may have: one an opening if neither leaves anything to chance.

    >>> pairs_at_most(1_000, both_deterministic=False)
    1000
    """
    return min(wanted, len(book())) if both_deterministic else wanted


def schedule(pairings: Sequence[Pairing], *, seed: int) -> Iterator[Fixture]:
    """The games of all pairings, one pairing after the other, all from the same openings in the same order."""
    number = 0
    pair = 0
    for pairing in pairings:
        for index, opening in enumerate(choose_openings(pairing.num_pairs, seed=seed)):
            cycle = index // len(book())
            for white, black in ((pairing.first, pairing.second), (pairing.second, pairing.first)):
                yield Fixture(number, pair, white, black, opening, cycle)
                number += 1
            pair += 1


def unpaired(first: str, second: str, num_games: int, *, seed: int) -> Iterator[Fixture]:
    """Games of different openings, colours taking turns: for players that must not meet from one opening twice."""
    for number, opening in enumerate(choose_openings(num_games, seed=seed)):
        white, black = (first, second) if number % 2 == 0 else (second, first)
        yield Fixture(number, number, white, black, opening, number // len(book()))


def in_one_match(*series: Iterable[Fixture]) -> list[Fixture]:
    """Several series one after the other, games and pairs numbered anew."""
    joined: list[Fixture] = []
    next_pair = 0
    for fixtures in series:
        begin = next_pair
        for fixture in fixtures:
            joined.append(replace(fixture, number=len(joined), pair=begin + fixture.pair))
            next_pair = max(next_pair, begin + fixture.pair + 1)
    return joined
