"""Elo from pairs of games: a joint fit of everybody, with intervals, and bounds where only bounds are possible.

Knows: what pairs of games say about strength, and in which form it is told.
Doesn't know: how games are played or kept; the likelihood itself (`elo_fit`), or how ends are found (`elo_intervals`).

An Elo difference d stands for an expected score of 1/(1+10^(-d/400)) a game. docs/strength-statistics.md has the model,
the intervals and what simulations say of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit, ndtr

from chesslm.errors import InputError
from eval.elo_fit import NATURAL, leads_to, maximise
from eval.elo_intervals import MatchUp, outer_bounds, tied_intervals
from eval.intervals import Floats

Bound = Literal["interval", "below", "above", "anchor", "unknown"]


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """Two games between the same players: from one opening, colours swapped, or two independent ones.

    Args:
        player_a, player_b: labels.
        points_a: of `player_a` in each game: 0, 0.5 or 1.
    """

    player_a: str
    player_b: str
    points_a: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rating:
    """A player's strength.

    Args:
        player: label.
        elo: None where the likelihood grows for ever: against those that the anchor is tied to by points both ways,
            the player (or its group) won everything, or lost everything.
        low, high: ends of the 95 % interval; of a one-sided bound only one is set; both are the value of an anchor.
        bound: interval · below: its strength is at most `high` · above: at least `low` (97.5 % each) · anchor: given ·
            unknown: games say nothing, neither from above nor from below.
        games, wins, draws, losses: all of its games.
    """

    player: str
    elo: float | None
    low: float | None
    high: float | None
    bound: Bound
    games: int
    wins: int
    draws: int
    losses: int


def elo_difference(score: float) -> float:
    """The Elo difference at which a score, in (0, 1), is expected; infinite at 0 and 1.

    >>> round(elo_difference((431 + 114 / 2) / 1000), 2)
    -8.34
    """
    return float(logit(score)) / NATURAL


def expected_score(elo_difference: float) -> float:
    """The score a game that is expected of a player who is so much stronger.

    >>> expected_score(0.0), round(expected_score(400.0), 4)
    (0.5, 0.9091)
    """
    return float(expit(elo_difference * NATURAL))


def likelihood_of_superiority(wins: int, draws: int, losses: int) -> float:
    """LOS: how sure it is that a player is the stronger of two, by the normal approximation; draws don't matter.

    >>> round(likelihood_of_superiority(431, 114, 455), 4)
    0.21
    """
    del draws  # of the signature that everybody expects: they move the score and its spread alike
    if wins + losses == 0:
        return 0.5
    return float(ndtr((wins - losses) / math.sqrt(wins + losses)))


def pentanomial(outcomes: Iterable[PairOutcome], player: str) -> tuple[int, int, int, int, int]:
    """How many of a player's pairs brought it 0, 0.5, 1, 1.5 and 2 points.

    >>> pentanomial([PairOutcome("a", "b", (1, 0.5)), PairOutcome("b", "a", (0, 0))], "a")
    (0, 0, 0, 1, 1)
    """
    counts = [0, 0, 0, 0, 0]
    for outcome in outcomes:
        if player in (outcome.player_a, outcome.player_b):
            points = sum(outcome.points_a)
            counts[round(2 * (points if player == outcome.player_a else 2 - points))] += 1
    return counts[0], counts[1], counts[2], counts[3], counts[4]


def rate(outcomes: Iterable[PairOutcome], *, anchor: str, anchor_elo: float = 0.0) -> list[Rating]:
    """Everybody's strength on one scale, the strongest first. Nothing in it is random.

    Args:
        outcomes: in any order.
        anchor: the player whose Elo is given.
        anchor_elo: that Elo.

    Raises:
        InputError: no games lead from the anchor to a player, or points that no game brings; names the player.
    """
    outcomes = list(outcomes)
    players = sorted({player for outcome in outcomes for player in (outcome.player_a, outcome.player_b)} | {anchor})
    index = {player: i for i, player in enumerate(players)}
    match_ups = _match_ups(outcomes, index)
    origin = index[anchor]
    points = np.zeros((len(players), len(players)))
    for match_up in match_ups:
        match_up.add_to(points)
    _check_connected(points, players, origin)

    leads = leads_to(points)
    tied = leads[:, origin] & leads[origin]
    # Results between groups have nothing to say inside of them: with the groups infinitely far apart they are certain.
    fitted = maximise(
        points * np.outer(tied, tied), np.zeros(len(players)), ~tied | (np.arange(len(players)) == origin)
    )
    ends = tied_intervals(points, match_ups, fitted, tied, origin)
    bounds = outer_bounds(points, fitted, leads, origin)

    def elo(natural: float) -> float:
        return anchor_elo + float(natural) / NATURAL

    ratings = []
    for i, (player, results) in enumerate(_results(outcomes, players).items()):
        value, low, high = None, None, None
        bound: Bound = "unknown"
        if i == origin:
            value, low, high, bound = anchor_elo, anchor_elo, anchor_elo, "anchor"
        elif tied[i]:
            value, low, high, bound = elo(fitted[i]), elo(ends[0, i]), elo(ends[1, i]), "interval"
        elif leads[origin, i]:
            high, bound = elo(bounds[i]), "below"
        elif leads[i, origin]:
            low, bound = elo(bounds[i]), "above"
        wins, draws, losses = (results[points] for points in (1.0, 0.5, 0.0))
        ratings.append(Rating(player, value, low, high, bound, wins + draws + losses, wins, draws, losses))
    return sorted(ratings, key=_strongest_first)


def _match_ups(outcomes: Sequence[PairOutcome], index: dict[str, int]) -> list[MatchUp]:
    counts: dict[tuple[int, int], Floats] = {}
    for outcome in outcomes:
        for points in outcome.points_a:
            if points not in (0, 0.5, 1):
                raise InputError(f"{outcome.player_a} against {outcome.player_b}: a game brings no {points} points")
        if outcome.player_a == outcome.player_b:
            raise InputError(f"{outcome.player_a} against itself says nothing about strength")
        a, b = index[outcome.player_a], index[outcome.player_b]
        half_points = round(2 * sum(outcome.points_a))
        row = counts.setdefault((min(a, b), max(a, b)), np.zeros(5))
        row[half_points if a < b else 4 - half_points] += 1
    return [MatchUp(*players, row) for players, row in sorted(counts.items())]


def _check_connected(points: Floats, players: Sequence[str], origin: int) -> None:
    apart = ~leads_to(points + points.T)[origin]
    if apart.any():
        names = ", ".join(player for player, is_apart in zip(players, apart, strict=True) if is_apart)
        raise InputError(f"no games lead from {players[origin]}, the anchor, to {names}: no common scale")


def _results(outcomes: Sequence[PairOutcome], players: Sequence[str]) -> dict[str, Counter[float]]:
    """How many games brought each player so many points."""
    results: dict[str, Counter[float]] = {player: Counter() for player in players}
    for outcome in outcomes:
        results[outcome.player_a].update(outcome.points_a)
        results[outcome.player_b].update(1 - points for points in outcome.points_a)
    return results


def _strongest_first(rating: Rating) -> tuple[int, float, str]:
    value = next((end for end in (rating.elo, rating.low, rating.high) if end is not None), 0.0)
    return {"above": 0, "below": 2, "unknown": 3}.get(rating.bound, 1), -value, rating.player
