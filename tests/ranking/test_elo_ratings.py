"""Joint ratings: known values, laws, and players that have but a bound or nothing in common."""

from __future__ import annotations

import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from chesslm.errors import InputError
from eval.elo import (
    PairOutcome,
    Rating,
    elo_difference,
    expected_score,
    likelihood_of_superiority,
    pentanomial,
    rate,
)

POINTS = (0.0, 0.5, 1.0)


def match(a: str, b: str, wins: int, draws: int, losses: int) -> list[PairOutcome]:
    """Games of `a`, in pairs as they come."""
    points = [1.0] * wins + [0.5] * draws + [0.0] * losses
    return [PairOutcome(a, b, (one, other)) for one, other in zip(points[::2], points[1::2], strict=True)]


def rated(outcomes: list[PairOutcome], anchor: str, anchor_elo: float = 0.0) -> dict[str, Rating]:
    return {rating.player: rating for rating in rate(outcomes, anchor=anchor, anchor_elo=anchor_elo)}


@st.composite
def leagues(draw: st.DrawFn) -> list[PairOutcome]:
    """Every two of three to five players meet, and each pair of players scored against each other."""
    players = "abcde"[: draw(st.integers(3, 5))]
    outcomes = []
    for a, b in itertools.combinations(players, 2):
        pairs = draw(st.lists(st.tuples(st.sampled_from(POINTS), st.sampled_from(POINTS)), min_size=1, max_size=6))
        outcomes += [PairOutcome(a, b, pair) for pair in [(1.0, 0.0), *pairs]]
    return outcomes


@pytest.mark.parametrize(
    ("wins", "draws", "losses", "elo"), [(431, 114, 455, -8.34), (989, 11, 0, 902.90), (500, 0, 500, 0.0)]
)
def test_known_results_have_known_ratings(wins: int, draws: int, losses: int, elo: float) -> None:
    assert elo_difference((wins + draws / 2) / 1_000) == pytest.approx(elo, abs=0.005)
    rating = rated(match("a", "b", wins, draws, losses), "b")["a"]
    assert rating.elo == pytest.approx(elo, abs=0.005)
    assert (rating.games, rating.wins, rating.draws, rating.losses) == (1_000, wins, draws, losses)
    assert rating.bound == "interval"
    assert rating.low is not None
    assert rating.high is not None
    assert rating.low < elo < rating.high


def test_likelihood_of_superiority_is_the_published_one() -> None:
    assert likelihood_of_superiority(431, 114, 455) == pytest.approx(0.2100, abs=0.00005)
    assert likelihood_of_superiority(0, 10, 0) == 0.5
    assert likelihood_of_superiority(455, 0, 431) == pytest.approx(1 - 0.2100, abs=0.00005)


def test_scores_and_differences_are_each_others_inverse() -> None:
    for elo in (-900.0, -8.34, 0.0, 250.0):
        assert elo_difference(expected_score(elo)) == pytest.approx(elo)
    assert elo_difference(1.0) == math.inf


def test_pentanomial_counts_are_a_players_own() -> None:
    outcomes = [
        PairOutcome("a", "b", (1.0, 0.0)),
        PairOutcome("b", "a", (0.5, 1.0)),
        PairOutcome("a", "c", (1.0, 1.0)),
        PairOutcome("b", "c", (1.0, 1.0)),
    ]
    assert pentanomial(outcomes, "a") == (0, 1, 1, 0, 1)
    assert pentanomial(outcomes, "b") == (0, 0, 1, 1, 1)


def test_a_joint_fit_satisfies_the_likelihood_equations() -> None:
    """At the maximum everybody scored just as many points as is expected of them (Zermelo)."""
    outcomes = match("a", "b", 30, 10, 20) + match("b", "c", 44, 2, 4) + match("a", "c", 18, 1, 1)
    ratings = rated(outcomes, "b", 1_500.0)
    for player in "abc":
        expected = scored = 0.0
        for outcome in outcomes:
            if player in (outcome.player_a, outcome.player_b):
                other = outcome.player_b if player == outcome.player_a else outcome.player_a
                own, others = ratings[player].elo, ratings[other].elo
                assert own is not None
                assert others is not None
                expected += 2 * expected_score(own - others)
                scored += sum(outcome.points_a) if player == outcome.player_a else 2 - sum(outcome.points_a)
        assert scored == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(leagues(), st.randoms(use_true_random=False))
def test_neither_order_nor_sides_of_outcomes_matter(outcomes: list[PairOutcome], random: Random) -> None:
    shuffled = list(outcomes)
    random.shuffle(shuffled)
    turned = [PairOutcome(o.player_b, o.player_a, (1 - o.points_a[0], 1 - o.points_a[1])) for o in shuffled]
    assert rate(turned, anchor="a") == rate(outcomes, anchor="a")


@settings(deadline=None, max_examples=25)
@given(leagues(), st.floats(-2_000, 2_000))
def test_the_anchors_elo_shifts_everything(outcomes: list[PairOutcome], shift: float) -> None:
    ratings, shifted = rated(outcomes, "a"), rated(outcomes, "a", shift)
    assert shifted["a"].elo == shift
    for player, rating in ratings.items():
        for one, other in (
            (rating.low, shifted[player].low),
            (rating.elo, shifted[player].elo),
            (rating.high, shifted[player].high),
        ):
            assert one is not None
            assert other == pytest.approx(one + shift, abs=1e-3)


@settings(deadline=None, max_examples=25)
@given(leagues())
def test_turned_results_turn_the_ratings(outcomes: list[PairOutcome]) -> None:
    turned = [PairOutcome(o.player_b, o.player_a, o.points_a) for o in outcomes]
    there, back = rated(outcomes, "a"), rated(turned, "a")
    for player, rating in there.items():
        mirrored = back[player]
        assert rating.low is not None
        assert rating.elo is not None
        assert rating.high is not None
        assert rating.low <= rating.elo <= rating.high
        assert mirrored.elo == pytest.approx(-rating.elo, abs=1e-3)
        assert mirrored.low == pytest.approx(-rating.high, abs=1e-3)
        assert mirrored.high == pytest.approx(-rating.low, abs=1e-3)


@settings(deadline=None, max_examples=25)
@given(leagues())
def test_distance_does_not_depend_on_the_anchor(outcomes: list[PairOutcome]) -> None:
    from_a, from_b = rated(outcomes, "a"), rated(outcomes, "b")
    assert from_b["a"].elo == pytest.approx(-np.float64(from_a["b"].elo), abs=1e-3)
    assert from_b["a"].low == pytest.approx(-np.float64(from_a["b"].high), abs=1e-2)
    assert from_b["a"].high == pytest.approx(-np.float64(from_a["b"].low), abs=1e-2)


@pytest.mark.parametrize("num_games", [2, 20, 100])
def test_all_lost_is_bounded_by_clopper_and_pearson(num_games: int) -> None:
    bound = elo_difference(float(binomtest(0, num_games).proportion_ci(0.95, method="exact").high))
    weak = rated(match("weak", "strong", 0, 0, num_games), "strong", 800.0)["weak"]
    assert (weak.elo, weak.low, weak.bound) == (None, None, "below")
    assert weak.high == pytest.approx(800 + bound, abs=0.01)
    strong = rated(match("weak", "strong", 0, 0, num_games), "weak", 800.0)["strong"]
    assert (strong.elo, strong.high, strong.bound) == (None, None, "above")
    assert strong.low == pytest.approx(800 - bound, abs=0.01)


def test_a_bound_allows_for_opponents_whose_strength_is_uncertain() -> None:
    few = rated(match("b", "a", 3, 0, 3) + match("c", "b", 0, 0, 100), "a")["c"]
    many = rated(match("b", "a", 300, 0, 300) + match("c", "b", 0, 0, 100), "a")["c"]
    alone = rated(match("c", "b", 0, 0, 100), "b")["c"]
    assert few.high is not None
    assert many.high is not None
    assert alone.high is not None
    assert few.high > many.high + 50
    assert many.high == pytest.approx(alone.high, abs=15)


def test_a_group_that_lost_everything_is_bounded_and_the_rest_is_rated_without_it() -> None:
    upper = match("a", "b", 30, 10, 20)
    lower = match("y", "z", 10, 5, 5)
    ratings = rated(upper + lower + match("y", "b", 0, 0, 20), "a")
    assert ratings["b"] == Rating(
        "b", *(getattr(rated(upper, "a")["b"], name) for name in ("elo", "low", "high", "bound")), 80, 40, 10, 30
    )
    for player in "yz":
        assert ratings[player].bound == "below"
        assert ratings[player].elo is None
        assert ratings[player].low is None
    y, z, b = ratings["y"], ratings["z"], ratings["b"]
    assert y.high is not None
    assert z.high is not None
    assert b.elo is not None
    assert y.high < b.elo
    # How far z is from y is uncertain, and that comes on top of what bounds y.
    assert z.high - y.high > elo_difference(0.5 - (10 - 5) / 40)
    assert list(ratings)[:2] == ["a", "b"]


def test_players_that_only_beat_the_same_others_are_unknown_to_each_other() -> None:
    ratings = rated(match("a", "c", 4, 0, 0) + match("b", "c", 4, 0, 0), "a")
    assert ratings["b"].bound == "unknown"
    assert (ratings["b"].elo, ratings["b"].low, ratings["b"].high) == (None, None, None)
    assert ratings["c"].bound == "below"
    assert list(ratings) == ["a", "c", "b"]


def test_the_strongest_come_first() -> None:
    outcomes = match("b", "a", 6, 2, 2) + match("c", "b", 10, 0, 0) + match("d", "a", 0, 0, 10)
    assert [rating.player for rating in rate(outcomes, anchor="a")] == ["c", "b", "a", "d"]


def test_players_without_games_that_lead_to_the_anchor_are_named() -> None:
    with pytest.raises(InputError, match=r"from a, the anchor, to x, y"):
        rate(match("a", "b", 1, 0, 1) + match("x", "y", 1, 0, 1), anchor="a")
    with pytest.raises(InputError, match=r"from nobody, the anchor, to a, b"):
        rate(match("a", "b", 1, 0, 1), anchor="nobody")


def test_outcomes_that_no_pair_can_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"a against b: a game brings no 0\.25 points"):
        rate([PairOutcome("a", "b", (0.25, 1.0))], anchor="a")
    with pytest.raises(InputError, match="a against itself"):
        rate([PairOutcome("a", "a", (1.0, 0.0))], anchor="a")


def test_an_anchor_without_opponents_is_rated_alone() -> None:
    assert rate([], anchor="a", anchor_elo=5.0) == [Rating("a", 5.0, 5.0, 5.0, "anchor", 0, 0, 0, 0)]


def test_a_ladder_of_lopsided_matches_is_fitted() -> None:
    """Thirteen rungs, each of which loses all games but one in a hundred."""
    outcomes = [
        outcome
        for weaker, stronger in itertools.pairwise(f"p{i:02d}" for i in range(14))
        for outcome in match(stronger, weaker, 99, 0, 1)
    ]
    ratings = rated(outcomes, "p00")
    top = ratings["p13"]
    assert top.elo == pytest.approx(13 * elo_difference(0.99), rel=1e-6)
    assert top.low is not None
    assert top.high is not None
    assert top.low < top.elo < top.high
