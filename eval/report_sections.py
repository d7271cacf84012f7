"""The report's tables of legality by definition and by kind of position, of tactics, and of probes.

Knows: which numbers stand together, in which order, and how their rows are called.
Doesn't know: how numbers are written (`report_tables`), measured, or how a table looks on a page (the templates).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eval.metrics import METRICS, PROBES
from eval.position_classes import GROUPS
from eval.probe import BEST_LAYER, MAJORITY
from eval.random_positions import RANDOM_PLIES
from eval.records import ALL, MATED, MISSED
from eval.report_inputs import ReportInputs
from eval.report_tables import Row, cell_of, in_words, result_row
from eval.tables import NOTHING

FIRST_CHOICE = ("first_choice_legal", "first_choice_tolerant", "legal_mass")
# Name of a definition -> its metrics; METRICS section 2 in its order.
DEFINITIONS: dict[str, tuple[str, ...]] = {
    "Retry": ("retry_no_failure", "retry_failures", "retry_lost", "retry_resigned"),
    "Square cloze": ("square_cloze_legal_move", "square_cloze_r_precision", "square_cloze_exact_move"),
    "Piece cloze": ("piece_cloze_legal_move", "piece_cloze_r_precision", "piece_cloze_exact_move"),
    "Completion, teacher-forced": ("completion_legal",),
    "Completion, free-running": ("free_running_legal", "first_illegal_ply", "free_running_survival", "book_castling"),
}
IN_PARTS = ("first_choice_legal", "legal_mass")
MATES = ("mate_in_one", "mate_in_one_first_choice", "mate_in_one_mass", "mate_in_one_played")
SUITE_CLASS = "suite class: "
RATING, THEME = "rating ", "theme "


@dataclass(frozen=True, slots=True)
class Section:
    """Some rows of a table under a heading of their own.

    Args:
        title: the heading.
        note: how it was measured, or nothing.
        rows: never empty.
    """

    title: str
    note: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """What can be read off one model about one property of the board, at its best layer."""

    title: str
    model: str
    layer: str
    model_cell: str
    control_cell: str
    difference: str
    guess_cell: str
    n: str
    is_decided: bool


def definition_sections(inputs: ReportInputs) -> list[Section]:
    """Legality in every definition that was measured, each under its policy."""
    found = _found(inputs)
    sections = [*_by_policy(inputs, "First choice and legal mass", [(m, ALL, None) for m in FIRST_CHOICE], found)]
    for title, metrics in DEFINITIONS.items():
        keys = [key for metric in metrics for key in found if key[0] == metric]
        sections += _by_policy(inputs, title, keys, found)
    random = [(metric, subset, None) for subset in RANDOM_PLIES.values() for metric in FIRST_CHOICE]
    return [*sections, *_by_policy(inputs, "Out of distribution", random, found)]


def part_sections(inputs: ReportInputs) -> list[Section]:
    """First choice and legal mass by class, by the piece that was moved and by phase, then on a suite's classes."""
    found = _found(inputs)
    suite = dict.fromkeys(subset for _, subset, _ in found if subset.startswith(SUITE_CLASS))
    keys = {metric: [(metric, subset, None) for subset in (*GROUPS, *suite)] for metric in IN_PARTS}
    sections = (_section(inputs, METRICS[metric].title, "", keys[metric], found) for metric in IN_PARTS)
    return [section for section in sections if section]


def tactics_sections(inputs: ReportInputs) -> list[Section]:
    """Mates in one, then puzzles: all, by rating, by theme."""
    found = _found(inputs)
    mates = [(metric, subset, None) for metric in MATES for subset in (ALL, MATED, MISSED)]
    puzzles = [(metric, ALL, None) for metric in ("puzzle_solved", "puzzle_first_move")]
    solved = [key for key in found if key[0] == "puzzle_solved"]
    by_rating = sorted((key for key in solved if key[1].startswith(RATING)), key=lambda key: _first_rating(key[1]))
    by_theme = [key for key in solved if key[1].startswith(THEME)]
    return [
        *_by_policy(inputs, "Mate in one", mates, found),
        *_by_policy(inputs, "Puzzles, after the real game", puzzles, found),
        *_by_policy(inputs, "Puzzles by rating", by_rating, found),
        *_by_policy(inputs, "Puzzles by theme", by_theme, found),
    ]


def probe_rows(inputs: ReportInputs) -> list[ProbeRow]:
    """Every property of the board at each model's best layer, beside its untrained control and the commonest class."""
    rows = []
    for metric in PROBES:
        for results in inputs.of_kind("probe"):
            controls = {model.source: model.label for model in results.models if model.kind == "untrained"}
            for model in results.models:
                best = results.find(metric, model.label, detail=BEST_LAYER)
                if model.kind != "trained" or best is None or results.probe is None:
                    continue
                control = controls.get(model.source, "")
                difference = results.find_difference(metric, model.label, control, detail=BEST_LAYER)
                layer = results.probe.best_layers[model.label][metric]
                rows.append(
                    ProbeRow(
                        title=METRICS[metric].title.removeprefix("probe, "),
                        model=model.label,
                        layer=f"after block {layer}" if layer else "embedding",
                        model_cell=in_words(best),
                        control_cell=cell_of(results.find(metric, control, detail=BEST_LAYER)),
                        difference=NOTHING if difference is None else in_words(difference, signed=True),
                        guess_cell=cell_of(results.find(metric, model.label, detail=MAJORITY)),
                        n=f"{best.n:,}",
                        is_decided=difference is not None and difference.excludes_zero,
                    )
                )
    return rows


_Key = tuple[str, str, str | None]
"""Metric, subset, detail."""


def _found(inputs: ReportInputs) -> dict[_Key, str]:
    """What was measured -> the policy, in the order of the files."""
    columns = set(inputs.columns)
    return {
        (measure.metric, measure.subset, measure.detail): measure.policy
        for measure in inputs.measures()
        if measure.model in columns
    }


def _by_policy(inputs: ReportInputs, title: str, keys: Iterable[_Key], found: dict[_Key, str]) -> Iterator[Section]:
    """A section for every policy among the keys that were measured, in their order."""
    policies: dict[str, list[_Key]] = {}
    for key in keys:
        if key in found:
            policies.setdefault(found[key], []).append(key)
    for policy, own in policies.items():
        section = _section(inputs, title, policy, own, found)
        if section:
            yield section


def _section(
    inputs: ReportInputs, title: str, note: str, keys: Sequence[_Key], found: dict[_Key, str]
) -> Section | None:
    rows = tuple(row for key in keys if key in found and (row := result_row(inputs, *key)))
    return Section(title, note, rows) if rows else None


def _first_rating(subset: str) -> int:
    first = subset.removeprefix(RATING).partition("-")[0]
    return int(first) if first.isdecimal() else 0
