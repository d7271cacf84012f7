"""The report's tables and sentences, as texts in rows.

Knows: which numbers stand in which table, how they are written, and what follows from their intervals.
Doesn't know: how numbers were measured, or how a table looks on a page (the templates).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eval.metrics import METRICS, Unit
from eval.records import AFTER_PLY_10, AFTER_PLY_20, ALL, NEW, DifferenceRecord, Estimate
from eval.report_inputs import ReportInputs
from eval.tables import NOTHING, inert

TABLE_METRICS = (
    "first_choice_legal",
    "first_choice_tolerant",
    "legal_mass",
    "move_match",
    "free_move_match",
    "move_nats",
    "perplexity_per_move",
    "mark_accuracy",
    "end_mass",
    "text_nats_per_move",
    "perplexity_per_token",
    "tokens_per_move",
)
CONTROL_METRICS = ("first_choice_legal", "legal_mass", "move_nats")
# Those that the terminal's line on a control has room for.
VERDICT_METRICS = CONTROL_METRICS[:2]
NO_INTERVAL = f"[{NOTHING}]"
# Classes, moved pieces, phases and what other definitions of legality look at have tables of their own.
SUBSETS = (ALL, NEW, AFTER_PLY_10, AFTER_PLY_20)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results: a metric (or a part of one) on a subset.

    Args:
        title: the metric's.
        detail: the part; None for the metric itself.
        subset: of the positions.
        n: positions or games; smallest and largest where the models differ.
        better: an arrow, or nothing.
        cells: one a model or player (`ReportInputs.columns`).
        difference: of the first two trained models.
        is_decided: the difference's interval excludes 0.
    """

    title: str
    detail: str | None
    subset: str
    n: str
    better: str
    cells: tuple[str, ...]
    difference: str
    is_decided: bool


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A trained model against one of its controls, on all positions."""

    title: str
    better: str
    model: str
    control: str
    model_cell: str
    control_cell: str
    difference: str
    n: str
    excludes_zero: bool


@dataclass(frozen=True, slots=True)
class KindRow:
    """An error kind's share of all first choices, a cell a model or player."""

    kind: str
    n: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric in the report is, as its records say."""

    name: str
    title: str
    version: int
    policy: str


def in_words(estimate: Estimate, *, signed: bool = False) -> str:
    """A value with its interval: `81.2 % [79.4, 82.9]`; differences carry their sign and rates become points.

    `0.62 [–]` has no interval.
    """
    scale, digits = _scale(estimate.unit)
    numbers = [scale * x for x in (estimate.value, *(estimate.ends or ()))]
    # Perplexities of models that learned nothing have many digits, none of which says anything.
    form = ".3g" if estimate.unit == "perplexity" and abs(numbers[0]) >= 1_000 else f".{digits}f"
    value, *ends = (f"{x:{'+' if signed else ''}{form}}" for x in numbers)
    unit = "" if estimate.unit != "rate" else " points" if signed else " %"
    return f"{value}{unit} [{', '.join(ends) or NOTHING}]".replace("-", "−")


def result_rows(inputs: ReportInputs) -> list[Row]:
    """The models side by side: all positions first, then the large subsets; parts below their metric."""
    # (metric, subset) -> the metric itself (None), then its parts.
    details: dict[tuple[str, str], dict[str | None, None]] = {}
    for measure in inputs.measures():
        details.setdefault((measure.metric, measure.subset), {})[measure.detail] = None
    return [
        row
        for subset in SUBSETS
        for metric in TABLE_METRICS
        for detail in details.get((metric, subset), {})
        if (row := result_row(inputs, metric, subset, detail))
    ]


def control_rows(inputs: ReportInputs) -> list[ControlRow]:
    """Each trained model minus each of its controls (it has one of a kind, so the kind names it), metric by metric."""
    kinds = {model.label: model.kind for model in inputs.models}
    return [
        ControlRow(
            title=METRICS[record.metric].title,
            better=_arrow(record.metric),
            model=record.model_a,
            control=kinds[record.model_b],
            model_cell=cell_of(inputs.find(record.metric, record.model_a)),
            control_cell=cell_of(inputs.find(record.metric, record.model_b)),
            difference=in_words(record, signed=True),
            n=f"{record.n:,}",
            excludes_zero=record.excludes_zero,
        )
        for metric in CONTROL_METRICS
        for record in _control_differences(inputs, metric)
    ]


def kind_rows(inputs: ReportInputs) -> list[KindRow]:
    """What illegal first choices were, in the order of the results file (METRICS section 2.8)."""
    kinds = dict.fromkeys(m.detail for m in inputs.measures() if m.metric == "error_kind" and m.detail)
    rows = []
    for kind in kinds:
        found = [inputs.find("error_kind", label, detail=kind) for label in inputs.columns]
        if kind and any(found):
            rows.append(KindRow(kind, _n(found), tuple(cell_of(estimate) for estimate in found)))
    return rows


def definitions(inputs: ReportInputs) -> list[Definition]:
    """The metrics of the results with the version and the policy that they were measured with."""
    found = {measure.metric: measure for measure in inputs.measures()}
    return [
        Definition(name, METRICS[name].title, found[name].version, found[name].policy)
        for name in METRICS
        if name in found
    ]


def summary(inputs: ReportInputs) -> list[str]:
    """What the comparison says, in sentences that follow from the intervals alone."""
    sentences: list[str] = []
    if len(inputs.trained) < 2:
        return sentences
    first, second = inputs.trained[:2]
    for metric in ("first_choice_legal", "legal_mass", "move_nats"):
        difference = inputs.find_difference(metric, first, second)
        a, b = inputs.find(metric, first), inputs.find(metric, second)
        if difference is None or a is None or b is None:
            continue
        definition = METRICS[metric]
        if difference.excludes_zero:
            is_first = (difference.value > 0) == (definition.better == "higher")
            verdict = f"{first if is_first else second} is better"
        else:
            why = "there is no interval" if difference.ends is None else "the interval includes 0"
            verdict = f"{why}: no difference is shown"
        sentences.append(
            f"{definition.title}: {first} {in_words(a)}, {second} {in_words(b)}; "
            f"paired difference {in_words(difference, signed=True)} (n = {difference.n:,}): {verdict}."
        )
    return sentences


def plain_table(inputs: ReportInputs, rows: Sequence[Row]) -> str:
    """The rows on all positions as aligned text for a terminal, then a line a control."""
    columns = [inert(label).plain for label in inputs.columns]
    has_pair = len(inputs.trained) >= 2
    table = [["", *columns, *([f"{columns[0]} − {columns[1]}"] if has_pair else []), "n"]]
    for row in rows:
        if row.subset == ALL:
            name = inert(f"  {row.detail}" if row.detail else f"{row.title} {row.better}".rstrip()).plain
            table.append([name, *row.cells, *([row.difference] if has_pair else []), row.n])
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    note = "value [95 % interval]; differences are paired, over the same games; ↑ higher is better, ↓ lower is better"
    if any(NO_INTERVAL in cell for line in table for cell in line):
        note += f"; {NO_INTERVAL}: one game alone, or games all alike, give none"
    return "\n".join([*lines, *_control_lines(inputs), note, ""])


def _control_lines(inputs: ReportInputs) -> Iterator[str]:
    """`pgn − untrained: first choice legal +50.1 points […]; legal mass …`."""
    kinds = {model.label: model.kind for model in inputs.models}
    verdicts: dict[tuple[str, str], list[str]] = {}
    for metric in VERDICT_METRICS:
        for record in _control_differences(inputs, metric):
            verdict = f"{METRICS[metric].title} {in_words(record, signed=True)}"
            verdicts.setdefault((record.model_a, record.model_b), []).append(verdict)
    for (model, control), said in verdicts.items():
        yield f"{inert(model).plain} − {kinds[control]}: {'; '.join(said)}"


def _control_differences(inputs: ReportInputs, metric: str) -> Iterator[DifferenceRecord]:
    controls = [model.label for model in inputs.models if model.kind != "trained"]
    for label in inputs.trained:
        for control in controls:
            record = inputs.find_difference(metric, label, control)
            if record is not None:
                yield record


def result_row(inputs: ReportInputs, metric: str, subset: str, detail: str | None) -> Row | None:
    """A metric (or a part of one) of all models on a subset; None where none has it."""
    trained = inputs.trained
    found = [inputs.find(metric, label, subset, detail) for label in inputs.columns]
    if not any(found):
        return None
    has_pair = len(trained) >= 2
    difference = inputs.find_difference(metric, trained[0], trained[1], subset, detail) if has_pair else None
    return Row(
        title=METRICS[metric].title,
        detail=detail,
        subset=subset,
        n=_n(found),
        better=_arrow(metric),
        cells=tuple(cell_of(estimate) for estimate in found),
        difference=NOTHING if difference is None else in_words(difference, signed=True),
        is_decided=difference is not None and difference.excludes_zero,
    )


def _n(found: Iterable[Estimate | None]) -> str:
    return range_of([estimate.n for estimate in found if estimate])


def range_of(sizes: Sequence[int]) -> str:
    """Smallest and largest number where they differ; ValueError if there is none.

    >>> range_of([400, 1_400]), range_of([60, 60])
    ('400–1,400', '60')
    """
    return f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,}–{max(sizes):,}"


def cell_of(estimate: Estimate | None) -> str:
    """A value with its interval, or a dash."""
    return NOTHING if estimate is None else in_words(estimate)


def _arrow(metric: str) -> str:
    return {"higher": "↑", "lower": "↓", None: ""}[METRICS[metric].better]


def _scale(unit: Unit) -> tuple[float, int]:
    return {
        "rate": (100.0, 1),
        "nats": (1.0, 3),
        "perplexity": (1.0, 2),
        "tokens": (1.0, 2),
        "plies": (1.0, 1),
        "attempts": (1.0, 3),
        "r2": (1.0, 3),
    }[unit]
