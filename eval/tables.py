"""Results as tables for a terminal.

Knows: which numbers stand in which table, and how many digits they deserve.
Doesn't know: how anything was measured; it prints what the results file holds, which holds more (controls on subsets,
metrics by ply).

Names of models and files come from outside: they are shown as plain text, control characters replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from eval.metrics import METRICS
from eval.records import ALL, Estimate, MeasureRecord, ModelRecord, Results

# Error kinds have a table of their own, squares a picture.
ELSEWHERE = ("error_kind", "probe_square")
# Where a number, or its interval, would stand.
NOTHING = "–"
FORMATS = {
    "rate": ".4f",
    "nats": ".3f",
    "perplexity": ".4g",
    "tokens": ".2f",
    "plies": ".1f",
    "attempts": ".3f",
    "r2": ".4f",
}


def inert(text: str) -> Text:
    """Foreign text without markup and without control characters."""
    return Text("".join(character if character.isprintable() else "?" for character in text))


def empty_table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table that still lacks its rows: columns of words on the left, of numbers on the right."""
    table = Table(title=title, title_justify="left")
    for column in names:
        table.add_column(inert(column))
    for column in numbers:
        table.add_column(inert(column), justify="right")
    return table


def summary(results: Results) -> Text:
    """Which games were measured, and what was left out."""
    games = results.games
    where = f"{games.split} split of {games.source}" if games.split else games.source
    probe = results.probe
    num_positions = (
        games.chosen if probe is None else probe.train_positions + probe.validation_positions + probe.test_positions
    )
    how = "one a game" if probe is None else f"from {games.chosen:,} games"
    parts = [f"{num_positions:,} positions, {how}, of {games.games:,} games ({where}), seed {results.seed}"]
    if num_positions < results.positions_asked:
        parts.append(f"{results.positions_asked:,} were asked for")
    if games.left_out:
        parts.append(_left_out(games.left_out))
    if probe is not None:
        parts.append(
            f"probes: trained on {probe.train_games:,} games, stopped by {probe.validation_games:,}, "
            f"tested on {probe.test_games:,}"
        )
    if results.puzzles is not None:
        puzzles = results.puzzles
        parts.append(
            f"{puzzles.chosen:,} puzzles of {puzzles.puzzles:,} ({puzzles.source}), {puzzles.joined:,} of them after "
            "held-out games"
        )
        if puzzles.left_out:
            parts.append(_left_out(puzzles.left_out))
    if games.train_games is not None:
        parts.append(f"new: not in any of {games.train_games:,} train games")
    if results.suite is not None:
        suite = results.suite
        digests = f"positions {suite.positions_digest[:16]} of games {suite.games_digest[:16]}"
        parts.append(f"suite {suite.name}: {digests}, {sum(suite.sizes.values()):,} with its classes")
    if any(estimate.ends is None for estimate in (*results.measures, *results.differences)):
        parts.append(f"[{NOTHING}]: no interval, because of one game alone or games all alike")
    return inert("; ".join(parts) + ". Brackets: 95 % intervals.")


def _left_out(reasons: Mapping[str, int]) -> str:
    return "left out: " + ", ".join(f"{number:,} {reason}" for reason, number in reasons.items())


def tables(results: Results) -> Iterator[Table]:
    """All tables of a results file; empty ones are left out."""
    trained = [model for model in results.models if model.kind in ("trained", "player")]
    controls = [model for model in results.models if model not in trained]
    shown = [measure for measure in results.measures if measure.first_ply is None and measure.metric not in ELSEWHERE]
    candidates = (
        _measures("Models", shown, trained),
        _measures("Controls", [measure for measure in shown if measure.subset == ALL], controls),
        _differences(results, {model.label for model in trained}),
        _error_kinds(results, [model.label for model in trained]),
    )
    yield from (table for table in candidates if table.row_count)


def _measures(title: str, measures: Iterable[MeasureRecord], models: Sequence[ModelRecord]) -> Table:
    """A row a metric and subset, a column a model."""
    labels = [model.label for model in models]
    table = empty_table(title, ["metric", "positions"], ["n", *labels])
    rows: dict[tuple[str, str | None, str], dict[str, MeasureRecord]] = {}
    for measure in measures:
        if measure.model in labels:
            rows.setdefault((measure.metric, measure.detail, measure.subset), {})[measure.model] = measure
    previous = ""
    for (metric, _, subset), by_model in rows.items():
        if metric != previous:
            table.add_section()
        previous = metric
        some = next(iter(by_model.values()))
        cells = (_with_interval(by_model[label]) if label in by_model else "" for label in labels)
        table.add_row(_title(some), inert(subset), f"{some.n:,}", *cells)
    return table


def _differences(results: Results, trained: set[str]) -> Table:
    """Trained models with each other on every subset, with their controls on all positions."""
    table = empty_table("Paired differences", ["metric", "positions", "models"], ["difference", "excludes 0"])
    previous: tuple[str, str] | None = None
    for record in results.differences:
        if record.subset != ALL and not {record.model_a, record.model_b} <= trained:
            continue
        if (record.model_a, record.model_b) != previous:
            table.add_section()
        previous = (record.model_a, record.model_b)
        models = inert(f"{record.model_a} − {record.model_b}")
        sure = "yes" if record.excludes_zero else "no"
        table.add_row(_title(record), inert(record.subset), models, _with_interval(record, sign="+"), sure)
    return table


def _error_kinds(results: Results, labels: Sequence[str]) -> Table:
    table = empty_table("Illegal first choices by kind, share of all first choices", ["kind"], labels)
    kinds: dict[str, dict[str, MeasureRecord]] = {}
    for measure in results.measures:
        if measure.metric == "error_kind" and measure.detail is not None and measure.model in labels:
            kinds.setdefault(measure.detail, {})[measure.model] = measure
    for kind, by_model in kinds.items():
        if any(measure.value > 0 for measure in by_model.values()):
            cells = (_with_interval(by_model[label]) if label in by_model else "" for label in labels)
            table.add_row(inert(kind), *cells)
    return table


def _title(record: Estimate) -> Text:
    metric = METRICS.get(record.metric)
    title = metric.title if metric else record.metric
    return inert(f"{title}: {record.detail}" if record.detail else title)


def _with_interval(record: Estimate, *, sign: str = "") -> str:
    form = sign + FORMATS[record.unit]
    ends = NOTHING if record.ends is None else ", ".join(f"{end:{form}}" for end in record.ends)
    return f"{record.value:{form}} [{ends}]"
