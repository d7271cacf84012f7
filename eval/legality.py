"""`eval legality`: how often models break the rules, and how well they foresee the moves that were played.

Knows: METRICS sections 1, 2.1 and 2.8: how per-position measures become metrics on subsets, by ply and by error kind.
Doesn't know: how a position is measured (`chesslm.measures`), chosen (`positions`), or how intervals come about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chesslm.inference import PositionMeasure, measure_positions
from chesslm.san import ERROR_KINDS
from eval.aggregation import Quantity, Subset, mean_of
from eval.contenders import Contender, pairs
from eval.free_running import measure_free_running
from eval.metrics import METRICS
from eval.positions import HeldOut, Progress, silent
from eval.records import AFTER_PLY_10, ALL, DifferenceRecord, MeasureRecord, Results
from eval.study import Study

# Positions between two reports of progress; long and short games apart, so that little of a batch is padding.
CHUNK_LEN = 256

PLIES_A_BUCKET = 10
LAST_BUCKET = 100
BY_PLY_METRICS = ("first_choice_legal", "legal_mass", "move_nats")
MATCHES = ("move_match", "free_move_match")


def measured(contender: Contender, held_out: HeldOut, progress: Progress = silent) -> list[PositionMeasure]:
    """Measures of all positions, in their order."""
    positions = held_out.positions
    order = sorted(range(len(positions)), key=lambda index: positions[index].ply)
    found: dict[int, PositionMeasure] = {}
    for start in range(0, len(order), CHUNK_LEN):
        progress(contender.label, start, len(order))
        chunk = order[start : start + CHUNK_LEN]
        measures = measure_positions(contender.model, contender.notation, [positions[index] for index in chunk])
        found.update(zip(chunk, measures, strict=True))
    progress(contender.label, len(order), len(order))
    return [found[index] for index in range(len(positions))]


def quantities(measures: Sequence[PositionMeasure]) -> dict[str, Quantity]:
    """Metric -> its numbers a position; without `first_choice_tolerant` where the notation isn't SAN-like."""
    columns: dict[str, list[float]] = {
        "first_choice_legal": [m.first_choice_legal for m in measures],
        "legal_mass": [m.legal_mass for m in measures],
        "end_mass": [m.end_mass for m in measures],
        "move_match": [m.move_match for m in measures],
        "free_move_match": [m.free_move_match for m in measures],
        "move_nats": [-m.move_logprob for m in measures],
        "mark_accuracy": [m.mark_right for m in measures],
    }
    tolerant = [m.first_choice_tolerant for m in measures if m.first_choice_tolerant is not None]
    if len(tolerant) == len(measures):
        columns["first_choice_tolerant"] = [float(is_legal) for is_legal in tolerant]
    return {metric: mean_of(metric, np.array(values, dtype=np.float64)) for metric, values in columns.items()}


def error_kinds(measures: Sequence[PositionMeasure]) -> list[Quantity]:
    """Each kind's share of all first choices, in the order of METRICS section 2.8."""
    return [
        mean_of("error_kind", np.array([m.error_kind == kind for m in measures], dtype=np.float64), detail=kind)
        for kind in ERROR_KINDS
    ]


def plies_subsets(held_out: HeldOut) -> list[Subset]:
    """Positions by ply, ten plies each, the last without an end; empty ones left out."""
    plies = np.array([position.ply for position in held_out.positions])
    found = []
    for first in range(0, LAST_BUCKET + 1, PLIES_A_BUCKET):
        last = first + PLIES_A_BUCKET - 1 if first < LAST_BUCKET else None
        mask = (plies >= first) & (plies <= last) if last is not None else plies >= first
        if mask.any():
            name = f"plies {first}-{last}" if last is not None else f"plies {first}+"
            found.append(Subset(name, mask, first, last))
    return found


def measure_legality(study: Study, progress: Progress = silent, *, num_free_games: int = 0) -> Results:
    """Everything that `eval legality` reports.

    Args:
        study: models and positions.
        progress: told about long work.
        num_free_games: games that each trained model writes on its own; none if 0.

    Raises:
        InputError: a model's numbers aren't finite; names it.
    """
    aggregator = study.aggregator()
    by_label = {c.label: measured(c, study.held_out, progress) for c in study.contenders}
    numbers = {label: quantities(measures) for label, measures in by_label.items()}
    subsets = [Subset(name, mask) for name, mask in study.held_out.subsets().items()]
    measures: list[MeasureRecord] = []
    for contender in study.contenders:
        own = numbers[contender.label]
        measures += [aggregator.measure(contender, own[metric], subset) for metric, subset in _table(own, subsets)]
        everything = Subset(ALL, study.held_out.subsets()[ALL])
        measures += [aggregator.measure(contender, kind, everything) for kind in error_kinds(by_label[contender.label])]
        measures += [
            aggregator.measure(contender, own[metric], subset)
            for subset in plies_subsets(study.held_out)
            for metric in BY_PLY_METRICS
        ]
    differences: list[DifferenceRecord] = []
    for one, other in pairs(study.contenders):
        shared = {metric: q for metric, q in numbers[one.label].items() if metric in numbers[other.label]}
        differences += [
            aggregator.difference((one, other), (shared[metric], numbers[other.label][metric]), subset)
            for metric, subset in _table(shared, subsets)
        ]
    if num_free_games:
        measures += measure_free_running(aggregator, study.contenders, num_games=num_free_games, progress=progress)
    return study.results("legality", measures, differences)


def _table(numbers: Mapping[str, Quantity], subsets: Sequence[Subset]) -> Iterator[tuple[str, Subset]]:
    """Which metrics are shown on which subsets; without the first ten plies only matches are (METRICS section 1)."""
    for metric in METRICS:
        for subset in subsets:
            if metric in numbers and (subset.name != AFTER_PLY_10 or metric in MATCHES):
                yield metric, subset
