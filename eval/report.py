"""The report: one self-contained HTML page and its Markdown twin, from run folders and results files.

Knows: which inputs belong together, what the page says in which order, and how numbers are written.
Doesn't know: how anything was measured (`legality`, `likelihood`), drawn (`figures`) or written (`sample_games`).

Everything in the page comes from files that name what they are; texts from outside are escaped by Jinja.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chess
import chess.svg
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import chesslm
from chesslm.errors import InputError
from chesslm.files import write_bytes
from eval.figures import colour_of, learning_curves, legality_by_ply
from eval.learning_curves import RunCurve, read_run_curve
from eval.metrics import METRICS, Unit
from eval.records import ALL, DifferenceRecord, Estimate, ModelRecord, Results, read_results
from eval.sample_games import SampleGame

TABLE_METRICS = (
    "first_choice_legal",
    "first_choice_tolerant",
    "legal_mass",
    "move_match",
    "free_move_match",
    "move_nats",
    "mark_accuracy",
    "end_mass",
    "text_nats_per_move",
    "perplexity_per_token",
    "tokens_per_move",
)


@dataclass(frozen=True)
class ReportInputs:
    """What the user named: run folders and results files, already read."""

    curves: tuple[RunCurve, ...]
    results: tuple[Results, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a metric on a subset, a cell a model, and the differences of the trained models."""

    title: str
    subset: str
    unit: str
    better: str
    cells: tuple[str, ...]
    difference: str
    is_decided: bool


def read_inputs(paths: Sequence[Path]) -> ReportInputs:
    """Read run folders and results files, in any order.

    Raises:
        InputError: a path is neither; names it.
        FormatError: a file is of another format; names it.
    """
    curves, results = [], []
    for path in paths:
        if path.is_dir() and (path / "metrics.jsonl").is_file():
            curves.append(read_run_curve(path))
        elif path.is_file():
            results.append(read_results(path))
        else:
            raise InputError(f"{path}: neither a run folder (with metrics.jsonl) nor a results file")
    return ReportInputs(tuple(curves), tuple(results))


def write_report(out: Path, inputs: ReportInputs, samples: Sequence[tuple[str, Sequence[SampleGame]]]) -> None:
    """Write `index.html`, `report.md`, `table.txt` and `figures/*.svg` into a folder, each file whole.

    Raises:
        OutputError: no room or no permission; names the file.
    """
    models = _models(inputs.results)
    trained = [model.label for model in models if model.kind == "trained"]
    rows = _rows(inputs.results, [model.label for model in models], trained)
    figures = _figures(inputs, trained)
    context: dict[str, Any] = {
        "title": "Chess in two languages" if len(trained) == 2 else "Chess language models",
        "models": models,
        "trained": trained,
        "colours": {label: colour_of(index) for index, label in enumerate(trained)},
        "pair": trained[:2] if len(trained) >= 2 else None,
        "rows": rows,
        "results": inputs.results,
        "figures": figures,
        "samples": [(label, [(game, Markup(_board(game))) for game in games]) for label, games in samples],
        "error_kinds": _error_kinds(inputs.results, trained),
        "metrics": [(name, METRICS[name]) for name in TABLE_METRICS if any(name == m for m in _measured(inputs))],
        "version": chesslm.__version__,
        "summary": _summary(inputs.results, trained),
    }
    for name, svg in figures.items():
        write_bytes(out / "figures" / f"{name}.svg", svg.encode())
    write_bytes(out / "index.html", _render("report.html", context).encode())
    write_bytes(out / "report.md", _render("report.md", context).encode())
    write_bytes(out / "table.txt", _plain_table(rows, [model.label for model in models], trained).encode())


def _render(template: str, context: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("eval"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["cell"] = _markdown_cell
    environment.filters["svg"] = Markup
    return environment.get_template(template).render(context)


def _markdown_cell(value: Any) -> str:
    """Text that stays text inside a Markdown table."""
    text = " ".join(str(value).split())
    for character in "\\`*_{}[]|#":
        text = text.replace(character, "\\" + character)
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _models(results: Sequence[Results]) -> list[ModelRecord]:
    models: dict[str, ModelRecord] = {}
    for result in results:
        for model in result.models:
            models.setdefault(model.label, model)
    return list(models.values())


def _measured(inputs: ReportInputs) -> set[str]:
    return {measure.metric for result in inputs.results for measure in result.measures}


def _rows(results: Sequence[Results], labels: Sequence[str], trained: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    seen: set[tuple[str, str]] = set()
    for result in results:
        subsets = list(dict.fromkeys(m.subset for m in result.measures if m.first_ply is None))
        for subset in sorted(subsets, key=lambda name: name != ALL):
            for metric in TABLE_METRICS:
                found = [result.find(metric, label, subset) for label in labels]
                if not any(found) or (metric, subset) in seen:
                    continue
                seen.add((metric, subset))
                difference = (
                    result.find_difference(metric, trained[0], trained[1], subset) if len(trained) >= 2 else None
                )
                rows.append(_row(metric, subset, found, difference))
    return rows


def _row(metric: str, subset: str, found: Sequence[Estimate | None], difference: DifferenceRecord | None) -> Row:
    definition = METRICS[metric]
    better = {"higher": "↑", "lower": "↓", None: ""}[definition.better]
    return Row(
        title=definition.title,
        subset=subset,
        unit=definition.unit,
        better=better,
        cells=tuple("–" if estimate is None else in_words(estimate) for estimate in found),
        difference="–" if difference is None else in_words(difference, signed=True),
        is_decided=difference is not None and difference.excludes_zero,
    )


def in_words(estimate: Estimate, *, signed: bool = False) -> str:
    """A value with its interval: `81.2 % [79.4, 82.9]`; differences carry their sign and rates become points."""
    scale, digits = _scale(estimate.unit)
    sign = "+" if signed else ""
    value, low, high = (f"{scale * x:{sign}.{digits}f}" for x in (estimate.value, estimate.low, estimate.high))
    unit = "" if estimate.unit != "rate" else " points" if signed else " %"
    return f"{value}{unit} [{low}, {high}]".replace("-", "−")


def _scale(unit: Unit) -> tuple[float, int]:
    return {"rate": (100.0, 1), "nats": (1.0, 3), "perplexity": (1.0, 2), "tokens": (1.0, 2)}[unit]


def _summary(results: Sequence[Results], trained: Sequence[str]) -> list[str]:
    """What the comparison says, in sentences that follow from the intervals alone."""
    sentences: list[str] = []
    if len(trained) < 2:
        return sentences
    first, second = trained[:2]
    for metric in ("first_choice_legal", "legal_mass", "move_nats"):
        for result in results:
            difference = result.find_difference(metric, first, second)
            a, b = result.find(metric, first), result.find(metric, second)
            if difference is None or a is None or b is None:
                continue
            definition = METRICS[metric]
            if difference.excludes_zero:
                is_first = (difference.value > 0) == (definition.better == "higher")
                verdict = f"{first if is_first else second} is better"
            else:
                verdict = "the interval includes 0: no difference is shown"
            sentences.append(
                f"{definition.title}: {first} {in_words(a)}, {second} {in_words(b)}; "
                f"paired difference {in_words(difference, signed=True)} (n = {difference.n}): {verdict}."
            )
            break
    return sentences


def _error_kinds(results: Sequence[Results], trained: Sequence[str]) -> list[tuple[str, list[str]]]:
    kinds: dict[str, list[str]] = {}
    for result in results:
        for measure in result.measures:
            if measure.metric == "error_kind" and measure.detail and measure.subset == ALL and measure.model in trained:
                cells = kinds.setdefault(measure.detail, ["–"] * len(trained))
                cells[trained.index(measure.model)] = in_words(measure)
    return list(kinds.items())


def _figures(inputs: ReportInputs, trained: Sequence[str]) -> dict[str, str]:
    figures = {}
    curves = [curve for curve in inputs.curves if curve.points]
    if curves:
        figures["learning_curves"] = learning_curves(curves, labels_of(curves, inputs.results))
    for result in inputs.results:
        series = [(label, list(result.by_ply("first_choice_legal", label))) for label in trained]
        if any(measures for _, measures in series):
            figures["legality_by_ply"] = legality_by_ply(series)
    return figures


def labels_of(curves: Sequence[RunCurve], results: Sequence[Results]) -> list[str]:
    """The label the results give a run, so that tables and curves agree; else its folder's name."""
    by_source = {Path(m.source).resolve(): m.label for r in results for m in r.models if m.kind == "trained"}
    return [by_source.get(curve.folder.resolve(), curve.folder.resolve().name) for curve in curves]


def _board(game: SampleGame) -> str:
    board = chess.BaseBoard(game.board_fen)
    last = chess.Move.from_uci(game.last_move) if game.last_move else None
    return chess.svg.board(board, size=180, lastmove=last, coordinates=False)


def _plain_table(rows: Sequence[Row], labels: Sequence[str], trained: Sequence[str]) -> str:
    """The rows on all positions as aligned text, for a terminal."""
    head = ["", *labels] + ([f"{trained[0]} − {trained[1]}"] if len(trained) >= 2 else [])
    table = [head]
    for row in rows:
        if row.subset == ALL:
            cells = [f"{row.title} {row.better}".strip(), *row.cells]
            table.append(cells + ([row.difference] if len(trained) >= 2 else []))
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    note = "value [95 % interval]; differences are paired, over the same games; ↑ higher is better, ↓ lower is better"
    return "\n".join([*lines, note, ""])
