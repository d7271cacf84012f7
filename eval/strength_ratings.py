"""From games to results: what is counted of each pairing, and the joint fit with the ladder's own games.

Knows: pairs of games, counts, ratings on the ladder's scale, the record of a whole match.
Doesn't know: the fit itself (`elo`), or how games were played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import chesslm
from chesslm.files import digest_json
from chesslm.provenance import source_commit
from eval.elo import PairOutcome, Rating, likelihood_of_superiority, pentanomial, rate
from eval.ladder_table import Ladder
from eval.match_game import PlayedGame
from eval.match_schedule import Pairing
from eval.records import ModelRecord
from eval.strength_match import Rules
from eval.strength_records import (
    ControlRecord,
    Kind,
    LadderUse,
    PairGroup,
    PairingRecord,
    PlayerRecord,
    PolicyRecord,
    RatingRecord,
    SprtRecord,
    StrengthResults,
)


@dataclass(frozen=True, slots=True)
class Scale:
    """On which ratings stand.

    Args:
        anchor: label of the player whose rating is fixed.
        anchor_elo: at this number.
        ladder: whose games take part in the fit; None while the ladder itself is measured.
    """

    anchor: str
    anchor_elo: float
    ladder: Ladder | None

    @classmethod
    def of(cls, ladder: Ladder) -> Scale:
        """A measured ladder's own scale."""
        results = ladder.results
        assert results.anchor is not None
        assert results.anchor_elo is not None
        return cls(results.anchor, results.anchor_elo, ladder)


def strength_results(
    kind: Kind,
    rules: Rules,
    policy: PolicyRecord,
    *,
    command: Sequence[str],
    scale: Scale | None,
    players: Sequence[PlayerRecord],
    left_out: Sequence[str],
    pairings: Sequence[Pairing],
    games: Iterable[PlayedGame],
    models: Sequence[ModelRecord] = (),
    controls: Sequence[ControlRecord] = (),
    sprt: SprtRecord | None = None,
) -> StrengthResults:
    """The record of a match; rated if it has a scale."""
    games = sorted(games, key=lambda game: game.fixture.number)
    records = [summed_up(pairing, games) for pairing in pairings]
    return StrengthResults(
        kind=kind,
        chesslm_version=chesslm.__version__,
        commit=source_commit(),
        command=tuple(command),
        seed=rules.seed,
        policy=policy,
        anchor=scale.anchor if scale else None,
        anchor_elo=scale.anchor_elo if scale else None,
        ladder=_use_of(scale.ladder) if scale and scale.ladder else None,
        models=tuple(models),
        players=tuple(players),
        left_out=tuple(left_out),
        ratings=rated(records, scale) if scale else (),
        pairings=tuple(records),
        controls=tuple(controls),
        sprt=sprt,
        games=len(games),
        distinct_games=len({game.moves_digest for game in games}),
        games_digest=digest_json(
            [[game.fixture.number, game.result, game.reason, game.moves_digest] for game in games]
        ),
    )


def summed_up(pairing: Pairing, games: Sequence[PlayedGame]) -> PairingRecord:
    """All games of two players, from the first one's side; `games` may hold others, too."""
    first, second = pairing.first, pairing.second
    own = [game for game in games if {game.fixture.white, game.fixture.black} == {first, second}]
    points = [game.points_of(first) for game in own]
    groups = Counter(_pairs(first, own))
    outcomes = [PairOutcome(first, second, pair) for pair in groups.elements()]
    wins, draws, losses = (points.count(value) for value in (1.0, 0.5, 0.0))
    no_fives: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    return PairingRecord(
        first=first,
        second=second,
        games=len(own),
        wins=wins,
        draws=draws,
        losses=losses,
        pentanomial=_five(pentanomial(outcomes, first)) if outcomes else no_fives,
        pairs=tuple(PairGroup(first_game=a, second_game=b, pairs=n) for (a, b), n in sorted(groups.items())),
        los=likelihood_of_superiority(wins, draws, losses) if wins + losses else None,
        distinct_games=len({game.moves_digest for game in own}),
        mean_plies=sum(game.plies for game in own) / max(1, len(own)),
        reasons=_counted(game.reason for game in own),
        adjudicated=_counted(game.adjudicated_by for game in own if game.adjudicated_by),
        illegal_first_choices=_faults(own, "illegal first choice"),
        failures=_faults(own, "player failure"),
    )


def outcomes_of(pairing: PairingRecord) -> list[PairOutcome]:
    """The pairs of a pairing, one each."""
    return [
        PairOutcome(pairing.first, pairing.second, (group.first_game, group.second_game))
        for group in pairing.pairs
        for _ in range(group.pairs)
    ]


def rated(pairings: Sequence[PairingRecord], scale: Scale) -> tuple[RatingRecord, ...]:
    """Everybody who played here or on the ladder, fitted together, strongest first."""
    before = scale.ladder.results.pairings if scale.ladder else ()
    outcomes = [outcome for pairing in (*before, *pairings) for outcome in outcomes_of(pairing)]
    ratings = rate(outcomes, anchor=scale.anchor, anchor_elo=scale.anchor_elo)
    return tuple(_rating_record(rating) for rating in ratings)


def _rating_record(rating: Rating) -> RatingRecord:
    return RatingRecord(
        player=rating.player,
        elo=rating.elo,
        low=rating.low,
        high=rating.high,
        bound=rating.bound,
        games=rating.games,
        wins=rating.wins,
        draws=rating.draws,
        losses=rating.losses,
    )


def _use_of(ladder: Ladder) -> LadderUse:
    results = ladder.results
    return LadderUse(
        source=ladder.source,
        digest=ladder.digest,
        commit=results.commit,
        stockfish=results.policy.stockfish,
        games=results.games,
    )


def _pairs(first: str, games: Sequence[PlayedGame]) -> list[tuple[float, float]]:
    """Points of the first player in each whole pair: with White, with Black."""
    by_pair: dict[int, list[PlayedGame]] = {}
    for game in games:
        by_pair.setdefault(game.fixture.pair, []).append(game)
    pairs = []
    for pair in by_pair.values():
        with_white, with_black = sorted(pair, key=lambda game: game.fixture.white != first)
        pairs.append((with_white.points_of(first), with_black.points_of(first)))
    return pairs


def _faults(games: Sequence[PlayedGame], reason: str) -> dict[str, int]:
    return _counted(game.at_fault for game in games if game.reason == reason and game.at_fault)


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    return {str(value): number for value, number in sorted(Counter(values).items(), key=lambda item: str(item[0]))}


def _five(counts: Sequence[int]) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = (int(count) for count in counts)
    return a, b, c, d, e
