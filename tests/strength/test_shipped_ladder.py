"""The ladder that is shipped: what the bars ask of it, and that its ratings follow from its games."""

from __future__ import annotations

import itertools
import math

import pytest

from chesslm.openings import book
from eval.ladder_table import ANCHOR, ANCHOR_ELO, LADDER, Ladder, load_ladder
from eval.match_schedule import Pairing
from eval.rungs import parse_rungs
from eval.strength import unknown_to
from eval.strength_ladder import ladder_pairings
from eval.strength_ratings import Scale, outcomes_of, rated
from eval.strength_records import RatingRecord
from eval.strength_tables import rating_text


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return load_ladder()


def interval(rating: RatingRecord) -> tuple[float, float]:
    assert rating.low is not None
    assert rating.high is not None
    return rating.low, rating.high


def test_it_says_where_it_comes_from(ladder: Ladder) -> None:
    results = ladder.results
    assert results.command[:3] == ("chesslm", "eval", "ladder")
    assert results.commit is not None
    assert "dirty" not in results.commit
    assert results.policy.stockfish is not None
    assert results.policy.stockfish.startswith("Stockfish ")
    assert (results.anchor, results.anchor_elo) == (ANCHOR, ANCHOR_ELO)
    assert ladder.source == "shipped"


def test_it_is_of_the_rungs_of_this_version(ladder: Ladder) -> None:
    results = ladder.results
    assert [player.label for player in results.players] == list(LADDER)
    assert unknown_to(ladder, parse_rungs(LADDER)) == []
    expected = ladder_pairings(parse_rungs(LADDER), 100)
    assert [Pairing(p.first, p.second, p.games // 2) for p in results.pairings] == expected
    assert results.policy.openings.startswith(f"{len(book())} lines")


def test_neighbours_played_a_hundred_games_and_nobody_failed(ladder: Ladder) -> None:
    games = {(pairing.first, pairing.second): pairing.games for pairing in ladder.results.pairings}
    assert all(games[neighbours] >= 100 for neighbours in itertools.pairwise(LADDER))
    assert not any(pairing.failures for pairing in ladder.results.pairings)
    assert ladder.results.distinct_games > 0.95 * ladder.results.games


def test_ratings_rise_with_the_rungs_wherever_intervals_are_apart(ladder: Ladder) -> None:
    ratings = [ladder.results.rating(name) for name in LADDER]
    for weaker, stronger in itertools.combinations(ratings, 2):
        assert weaker is not None
        assert stronger is not None
        assert interval(weaker)[0] <= interval(stronger)[1]


def test_steps_are_small_enough_and_the_range_is_wide_enough(ladder: Ladder) -> None:
    elos = sorted(rating.elo for rating in ladder.results.ratings if rating.elo is not None)
    assert len(elos) == len(LADDER) >= 10
    assert max(high - low for low, high in itertools.pairwise(elos)) < 260
    assert elos[0] < 300
    assert elos[-1] > 2000


def test_ratings_follow_from_the_games(ladder: Ladder) -> None:
    again = rated(ladder.results.pairings, Scale(ANCHOR, ANCHOR_ELO, None))
    assert [rating.player for rating in again] == [rating.player for rating in ladder.results.ratings]
    for here, there in zip(again, ladder.results.ratings, strict=True):
        assert here.elo is not None
        assert there.elo is not None
        assert math.isclose(here.elo, there.elo, abs_tol=0.1)
    assert sum(len(outcomes_of(pairing)) for pairing in ladder.results.pairings) * 2 == ladder.results.games


def test_a_bound_is_shown_as_a_bound() -> None:
    counts = {"player": "a", "games": 4, "wins": 0, "draws": 0, "losses": 0}
    assert rating_text(RatingRecord(elo=None, low=700.2, high=None, bound="above", **counts)) == "> 700"
    assert rating_text(RatingRecord(elo=None, low=None, high=None, bound="unknown", **counts)) == "?"
    assert rating_text(RatingRecord(elo=7.0, low=1.0, high=9.0, bound="interval", **counts)) == "7 [1, 9]"
    assert rating_text(RatingRecord(elo=7.0, low=7.0, high=7.0, bound="anchor", **counts)) == "7"
