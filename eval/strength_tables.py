"""Results of matches as tables for a terminal.

Knows: which numbers stand in which table; bounds, failures and adjudications are always shown.
Doesn't know: how anything was measured; it prints what the results hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from eval.strength_records import ControlRecord, PairingRecord, RatingRecord, SprtRecord, StrengthResults
from eval.tables import empty_table, inert


def summary(results: StrengthResults) -> Text:
    """What was played, under which rules."""
    policy = results.policy
    parts = [f"{results.games:,} games, {results.distinct_games:,} of them distinct, seed {results.seed}"]
    parts.append(f"temperature {policy.temperature:g}")
    adjudicated = sum(sum(pairing.adjudicated.values()) for pairing in results.pairings)
    parts.append(f"{adjudicated:,} adjudicated ({policy.adjudicator}; limit {policy.max_plies} plies)")
    if failures := sum(sum(pairing.failures.values()) for pairing in results.pairings):
        parts.append(f"{failures:,} lost because a player failed")
    if results.anchor is not None:
        parts.append(f"anchor: {results.anchor} = {results.anchor_elo:.0f}")
    if results.ladder is not None:
        parts.append(f"fitted together with {results.ladder.games:,} games of the ladder ({results.ladder.source})")
        if results.ladder.stockfish and policy.stockfish and results.ladder.stockfish != policy.stockfish:
            parts.append(f"the ladder was measured with {results.ladder.stockfish}, this is {policy.stockfish}")
    if results.left_out:
        parts.append(f"left out without Stockfish: {', '.join(results.left_out)}")
    return inert("; ".join(parts) + ". Brackets: 95 % intervals.")


def tables(results: StrengthResults) -> Iterator[Table]:
    """All tables of a results file; empty ones are left out."""
    candidates = (_ratings(results), _pairings(results), _endings(results), _controls(results), _sprt(results))
    yield from (table for table in candidates if table.row_count)


def rating_text(rating: RatingRecord) -> str:
    """A rating with its interval, or the bound that is known.

    >>> counts = {"games": 9, "wins": 0, "draws": 0, "losses": 9}
    >>> rating_text(RatingRecord(player="a", elo=None, low=None, high=812.4, bound="below", **counts))
    '< 812'
    """
    if rating.bound == "below" and rating.high is not None:
        return f"< {rating.high:.0f}"
    if rating.bound == "above" and rating.low is not None:
        return f"> {rating.low:.0f}"
    if rating.elo is None or rating.low is None or rating.high is None:
        return "?"
    return (
        f"{rating.elo:.0f}" if rating.bound == "anchor" else f"{rating.elo:.0f} [{rating.low:.0f}, {rating.high:.0f}]"
    )


def _ratings(results: StrengthResults) -> Table:
    table = empty_table("Ratings", ["player"], ["Elo", "games", "won", "drawn", "lost"])
    models = {player.label for player in results.players if player.kind == "model"}
    for rating in results.ratings:
        name = inert(rating.player)
        name.stylize("bold" if rating.player in models else "")
        elo = rating_text(rating) + (" (anchor)" if rating.bound == "anchor" else "")
        table.add_row(
            name, elo, *(f"{number:,}" for number in (rating.games, rating.wins, rating.draws, rating.losses))
        )
    return table


def _pairings(results: StrengthResults) -> Table:
    columns = ["games", "distinct", "won", "drawn", "lost", "score", "pairs 0 ½ 1 1½ 2", "LOS"]
    table = empty_table("Pairings, from the first player's side", ["first", "second"], columns)
    previous = ""
    for pairing in results.pairings:
        if results.kind == "strength" and pairing.second != previous:
            table.add_section()
        previous = pairing.second
        score = (pairing.wins + pairing.draws / 2) / pairing.games if pairing.games else 0.0
        table.add_row(
            inert(pairing.first),
            inert(pairing.second),
            *(f"{n:,}" for n in (pairing.games, pairing.distinct_games, pairing.wins, pairing.draws, pairing.losses)),
            f"{score:.3f}",
            " ".join(map(str, pairing.pentanomial)),
            "" if pairing.los is None else f"{pairing.los:.3f}",
        )
    return table


def _endings(results: StrengthResults) -> Table:
    """How games ended, by model and policy; of a ladder all together."""
    models = [player.label for player in results.players if player.kind == "model"]
    table = empty_table("How games ended", ["player"], ["ending", "games"])
    for label in models or ["all"]:
        own = [pairing for pairing in results.pairings if not models or label in (pairing.first, pairing.second)]
        for ending, games in ending_counts(own, label):
            table.add_row(inert(label), inert(ending), f"{games:,}")
        table.add_section()
    return table


def ending_counts(pairings: Sequence[PairingRecord], label: str) -> list[tuple[str, int]]:
    """How a player's games ended (of `all`: everybody's), the commonest ending first; adjudications in brackets."""
    counts: Counter[str] = Counter()
    for pairing in pairings:
        counts.update(pairing.reasons)
        for who, number in pairing.illegal_first_choices.items():
            counts["illegal first choice"] -= number
            counts["illegal first choice" if label in (who, "all") else f"illegal first choice of {who}"] += number
        for who, number in pairing.failures.items():
            counts["player failure"] -= number
            counts[f"player failure of {who}"] += number
        for by, number in pairing.adjudicated.items():
            counts[f"(adjudicated by {by})"] += number
    return sorted(((ending, games) for ending, games in counts.items() if games), key=lambda item: (-item[1], item[0]))


def control_cells(control: ControlRecord) -> tuple[str, str, str, str, str]:
    """What was played, games, distinct ones, score with its interval, whether it passed."""
    return (
        f"{control.kind}, temperature {control.temperature:g}",
        f"{control.games:,}",
        f"{control.distinct_games:,}",
        f"{control.score:.3f} [{control.low:.3f}, {control.high:.3f}]",
        "yes" if control.passed else "NO",
    )


def sprt_cells(test: SprtRecord) -> tuple[str, str, str, str]:
    """Hypotheses, pairs, log-likelihood ratio with its bounds, decision."""
    return (
        f"{test.elo0:g} or {test.elo1:g} Elo",
        f"{test.pairs:,} of at most {test.max_pairs:,}",
        f"{test.llr:.2f} in ({test.lower:.2f}, {test.upper:.2f})",
        {"elo0": f"{test.elo0:g} Elo", "elo1": f"{test.elo1:g} Elo"}.get(test.decision, test.decision),
    )


def _controls(results: StrengthResults) -> Table:
    table = empty_table("Controls", ["model", "against itself"], ["games", "distinct", "score", "passed"])
    for control in results.controls:
        table.add_row(inert(control.model), *control_cells(control))
    return table


def _sprt(results: StrengthResults) -> Table:
    columns = ["hypotheses", "pairs", "LLR", "decision"]
    table = empty_table("Sequential probability ratio test", ["first", "second"], columns)
    if results.sprt is not None:
        table.add_row(inert(results.sprt.first), inert(results.sprt.second), *sprt_cells(results.sprt))
    return table
