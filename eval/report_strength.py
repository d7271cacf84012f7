"""The report's tables of matches: ratings, pairings, endings, controls and sequential tests, as texts in rows.

Knows: which numbers stand in which table, and which ratings the ladder's figure shows.
Doesn't know: how anything was measured, or how a table looks on a page (the templates).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eval.ladder_table import load_ladder
from eval.report_inputs import ReportInputs
from eval.strength_records import PairingRecord, PlayerRecord, RatingRecord, StrengthResults
from eval.strength_tables import control_cells, ending_counts, rating_text, sprt_cells
from eval.tables import NOTHING


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts.

    Args:
        title: over it.
        head: names of the columns.
        rows: as many cells each.
        note: below it, or nothing.
        is_folded: long, and only looked at by who wants to know.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class LadderMark:
    """A player on the ladder's figure.

    Args:
        rating: with interval or bound.
        model: label of the model's record; None for a rung.
        policy: of a model; None for a rung.
    """

    rating: RatingRecord
    model: str | None
    policy: str | None


def ladder_marks(inputs: ReportInputs) -> list[LadderMark]:
    """Every rated player once, strongest first; rungs as the first file has them, which is fitted with its models."""
    marks: dict[str, LadderMark] = {}
    for results in _rated(inputs):
        players = {player.label: player for player in results.players}
        for rating in results.ratings:
            player = players.get(rating.player)
            model = player.model if player else None
            marks.setdefault(rating.player, LadderMark(rating, model, player.policy if player else None))
    return sorted(marks.values(), key=lambda mark: -_place(mark.rating))


def strength_tables(inputs: ReportInputs) -> list[TextTable]:
    """All tables of matches; empty ones are left out."""
    tables = (_ratings(inputs), _endings(inputs), _controls(inputs), _sprt(inputs), _pairings(inputs))
    return [table for table in tables if table.rows]


def strength_notes(inputs: ReportInputs) -> list[str]:
    """The rules of each file's matches, in a sentence or two."""
    return list(dict.fromkeys(_note(results) for results in inputs.strengths))


def model_ratings(inputs: ReportInputs) -> Iterator[tuple[StrengthResults, PlayerRecord, RatingRecord]]:
    """Every model in every policy that was rated, its rating and the matches behind it, in the order of the files."""
    for results in inputs.strengths:
        for player in results.players:
            rating = results.rating(player.label) if player.kind == "model" else None
            if rating is not None:
                yield results, player, rating


def _rated(inputs: ReportInputs) -> list[StrengthResults]:
    """Files with ratings, those with models first."""
    return sorted((s for s in inputs.strengths if s.ratings), key=lambda results: results.kind != "strength")


def _place(rating: RatingRecord) -> float:
    """Where a rating stands on the scale; a bound stands at its value."""
    known = (rating.elo, rating.high, rating.low)
    return next((value for value in known if value is not None), 0.0)


def _ratings(inputs: ReportInputs) -> TextTable:
    rows = []
    for results, player, rating in model_ratings(inputs):
        games = [pairing for pairing in results.pairings if player.label in (pairing.first, pairing.second)]
        rows.append(
            (
                player.model or player.label,
                player.policy or NOTHING,
                _minus(rating_text(rating)),
                f"{rating.games:,}",
                f"{rating.wins:,} / {rating.draws:,} / {rating.losses:,}",
                " ".join(map(str, _pentanomial(games, player.label))),
                f"{sum(pairing.distinct_games for pairing in games):,}",
                f"{sum(pairing.illegal_first_choices.get(player.label, 0) for pairing in games):,}",
                f"{sum(sum(pairing.adjudicated.values()) for pairing in games):,}",
                f"{sum(pairing.failures.get(player.label, 0) for pairing in games):,}",
            )
        )
    return TextTable(
        "Ratings",
        (
            "model",
            "policy",
            "Elo [95 %]",
            "games",
            "won / drawn / lost",
            "pairs 0 ½ 1 1½ 2",
            "distinct",
            "lost by an illegal move",
            "adjudicated",
            "failed",
        ),
        tuple(rows),
        "“< E” and “> E” are one-sided bounds, where all games were lost or won. Pairs: two games of one opening, "
        "colours swapped, by the model’s points. Lenient plays the most probable legal move, strict its first choice.",
    )


def _pentanomial(pairings: Iterable[PairingRecord], label: str) -> list[int]:
    """Pairs in which a player made 0, 0.5, 1, 1.5 and 2 points."""
    sums = [0] * 5
    for pairing in pairings:
        counts = pairing.pentanomial if label == pairing.first else reversed(pairing.pentanomial)
        sums = [total + count for total, count in zip(sums, counts, strict=True)]
    return sums


def _pairings(inputs: ReportInputs) -> TextTable:
    rows = tuple(
        (
            pairing.first,
            pairing.second,
            f"{pairing.games:,}",
            f"{pairing.distinct_games:,}",
            f"{pairing.wins:,} / {pairing.draws:,} / {pairing.losses:,}",
            f"{(pairing.wins + pairing.draws / 2) / pairing.games:.3f}" if pairing.games else NOTHING,
            " ".join(map(str, pairing.pentanomial)),
            NOTHING if pairing.los is None else f"{pairing.los:.3f}",
            f"{sum(pairing.adjudicated.values()):,}",
            f"{pairing.mean_plies:.0f}",
        )
        for results in inputs.strengths
        for pairing in results.pairings
    )
    head = ("first", "second", "games", "distinct", "won / drawn / lost", "score", "pairs 0 ½ 1 1½ 2", "LOS")
    return TextTable("Pairings", (*head, "adjudicated", "mean plies"), rows, "From the first player’s side.", True)


def _endings(inputs: ReportInputs) -> TextTable:
    """How games ended: a row an ending, a column a model and policy (a ladder's in one)."""
    columns: dict[str, dict[str, int]] = {}
    for results in inputs.strengths:
        models = [player.label for player in results.players if player.kind == "model"]
        for label in models or ["all"]:
            own = [pairing for pairing in results.pairings if not models or label in (pairing.first, pairing.second)]
            columns[label if models else "the ladder’s games"] = dict(ending_counts(own, label))
    # Adjudications last: they say more about games that stand above them.
    endings = sorted(
        dict.fromkeys(ending for counts in columns.values() for ending in counts), key=lambda name: name.startswith("(")
    )
    rows = tuple((ending, *(f"{columns[label].get(ending, 0):,}" for label in columns)) for ending in endings)
    return TextTable("How games ended", ("ending", *columns), rows)


def _controls(inputs: ReportInputs) -> TextTable:
    rows = tuple(
        (control.model, *control_cells(control)) for results in inputs.strengths for control in results.controls
    )
    note = "A model against itself must come out level: 0.5 in each pair without chance, 0.5 in the interval with it."
    return TextTable("Controls", ("model", "against itself", "games", "distinct", "score", "passed"), rows, note)


def _sprt(inputs: ReportInputs) -> TextTable:
    rows = []
    for results in inputs.strengths:
        if (test := results.sprt) is not None:
            hypotheses, pairs, ratio, decision = sprt_cells(test)
            temperature = f"{results.policy.temperature:g}"
            rows.append((test.first, test.second, hypotheses, temperature, pairs, _minus(ratio), decision))
    head = ("first", "second", "hypotheses", "temperature", "pairs", "log-likelihood ratio", "decision")
    return TextTable("Sequential probability ratio tests", head, tuple(rows))


def _note(results: StrengthResults) -> str:
    policy = results.policy
    parts = [f"{results.games:,} games, {results.distinct_games:,} of them distinct, seed {results.seed}"]
    parts.append(f"temperature {policy.temperature:g}, at most {policy.max_plies} plies")
    parts.append(f"adjudicated by {policy.adjudicator}; openings: {policy.openings}")
    if results.anchor is not None and results.anchor_elo is not None:
        parts.append(f"anchor {results.anchor} = {results.anchor_elo:.0f}")
    if results.ladder is not None:
        is_shipped = results.ladder.digest == load_ladder().digest
        which = "the shipped one" if is_shipped else results.ladder.source
        parts.append(f"fitted with the {results.ladder.games:,} games of the ladder ({which})")
    if results.left_out:
        parts.append(f"without Stockfish these rungs were left out: {', '.join(results.left_out)}")
    return "; ".join([*parts, f"games digest {results.games_digest[:16]}"])


def _minus(text: str) -> str:
    return text.replace("-", "−")
