"""Results as tables for a terminal.

Knows: which numbers stand in which table, and how many digits they deserve.
Doesn't know: how anything was measured; it prints what the results file holds.

Names of models and files come from outside: they are shown as plain text, control characters replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from eval.metrics import METRICS, Unit
from eval.records import Estimate, MeasureRecord, Results

DIGITS: dict[Unit, int] = {"rate": 4, "nats": 3, "perplexity": 3, "tokens": 2}


def inert(text: str) -> Text:
    """Foreign text without markup and without control characters."""
    return Text("".join(character if character.isprintable() else "?" for character in text))


def summary(results: Results) -> Text:
    """Which games were measured, and what was left out."""
    games = results.games
    where = f"{games.split} split of {games.source}" if games.split else games.source
    parts = [f"{games.chosen:,} positions, one a game, of {games.games:,} games ({where}), seed {results.seed}"]
    if games.chosen < results.positions_asked:
        parts.append(f"{results.positions_asked:,} were asked for")
    if games.left_out:
        parts.append("left out: " + ", ".join(f"{number:,} {reason}" for reason, number in games.left_out.items()))
    if games.train_games is not None:
        parts.append(f"new: not among the positions of {games.train_games:,} train games")
    return inert("; ".join(parts))


def tables(results: Results) -> Iterator[Table]:
    """All tables of a results file; empty ones are left out."""
    for table in (_measures(results), _differences(results), _error_kinds(results)):
        if table.row_count:
            yield table


def _measures(results: Results) -> Table:
    """One block a metric and subset, the models under each other."""
    table = _table("Measures", "metric", "positions", "model", "value", "95 % interval", "n")
    blocks: dict[tuple[str, str | None, str], list[MeasureRecord]] = {}
    for measure in results.measures:
        if measure.first_ply is None and measure.metric != "error_kind":
            blocks.setdefault((measure.metric, measure.detail, measure.subset), []).append(measure)
    for block in blocks.values():
        table.add_section()
        for measure in block:
            table.add_row(*_named(measure), inert(measure.model), *_numbers(measure), f"{measure.n:,}")
    return table


def _differences(results: Results) -> Table:
    table = _table("Paired differences", "metric", "positions", "models", "difference", "95 % interval", "not 0")
    for record in results.differences:
        models = inert(f"{record.model_a} − {record.model_b}")
        table.add_row(*_named(record), models, *_numbers(record, signed=True), "yes" if record.excludes_zero else "")
    return table


def _error_kinds(results: Results) -> Table:
    labels = [model.label for model in results.models]
    table = _table("Illegal first choices by kind, share of all first choices", "kind", *labels, first_number=1)
    kinds: dict[str, dict[str, MeasureRecord]] = {}
    for measure in results.measures:
        if measure.metric == "error_kind" and measure.detail is not None:
            kinds.setdefault(measure.detail, {})[measure.model] = measure
    for kind, by_model in kinds.items():
        if any(measure.value > 0 for measure in by_model.values()):
            table.add_row(
                kind,
                *(_number(by_model[label], by_model[label].value) if label in by_model else "" for label in labels),
            )
    return table


def _table(title: str, *columns: str, first_number: int = 3) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(inert(column), justify="right" if index >= first_number else "left")
    return table


def _named(record: Estimate) -> tuple[Text, Text]:
    metric = METRICS.get(record.metric)
    title = metric.title if metric else record.metric
    return inert(f"{title}: {record.detail}" if record.detail else title), inert(record.subset)


def _numbers(record: Estimate, *, signed: bool = False) -> tuple[str, str]:
    low, high = _number(record, record.low, signed=signed), _number(record, record.high, signed=signed)
    return _number(record, record.value, signed=signed), f"[{low}, {high}]"


def _number(record: Estimate, value: float, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.{DIGITS[record.unit]}f}"
