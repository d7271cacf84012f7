"""`eval legality`: how often models break the rules, and how well they foresee the moves that were played.

Knows: METRICS sections 1, 2.1, 2.7 and 2.8: how per-position measures become metrics on subsets, by ply and by error
kind, and which of the other definitions of legality are asked for.
Doesn't know: how a position is measured (`chesslm.measures`), chosen (`positions`), or how intervals come about; the
other definitions are modules of their own (`retry`, `cloze`, `completion`, `free_running`, `random_positions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chesslm.errors import InputError
from chesslm.inference import AnsweredPosition, Position, PositionMeasure, answered_positions
from chesslm.san import ERROR_KINDS
from eval.aggregation import Aggregator, Quantity, Subset, mean_of
from eval.cloze import measure_cloze
from eval.comparison import Column, Compared, compared, whole
from eval.completion import measure_completion
from eval.contenders import Contender, fits_all
from eval.free_running import measure_free_running
from eval.metrics import METRICS
from eval.players import PlayerEntrant, decision_error_kinds, decision_quantities, decisions
from eval.positions import HeldOut, Progress, silent
from eval.random_positions import RANDOM_PLIES, random_positions
from eval.records import AFTER_PLY_10, ALL, Results
from eval.retry import measure_retry
from eval.study import Study

# Positions between two reports of progress; long and short games apart, so that little of a batch is padding.
CHUNK_LEN = 256

PLIES_A_BUCKET = 10
LAST_BUCKET = 100
# What is shown by ply, class, moved piece and phase.
IN_PARTS = ("first_choice_legal", "legal_mass", "move_nats")
MATCHES = ("move_match", "free_move_match")
OUT_OF_DISTRIBUTION = ("first_choice_legal", "legal_mass")

Told = Callable[[Contender, str, Sequence[Position], Sequence[AnsweredPosition]], None]
"""Told what a model said about some positions, as soon as it has said it; which positions these are stands before."""


def nobody(
    _contender: Contender, _what: str, _positions: Sequence[Position], _answers: Sequence[AnsweredPosition]
) -> None:
    """Nobody is told."""


def measured(
    contender: Contender,
    positions: Sequence[Position],
    progress: Progress = silent,
    *,
    what: str = ALL,
    tell: Told = nobody,
) -> list[PositionMeasure]:
    """Measures of all positions, in their order.

    Args:
        contender: is asked.
        positions: what about.
        progress: told about long work.
        what: which positions these are; in words, for whoever is told.
        tell: told what was said.
    """
    title = contender.label if what == ALL else f"{contender.label}, {what}"
    order = sorted(range(len(positions)), key=lambda index: positions[index].ply)
    found: dict[int, PositionMeasure] = {}
    for start in range(0, len(order), CHUNK_LEN):
        progress(title, start, len(order))
        chunk = order[start : start + CHUNK_LEN]
        asked = [positions[index] for index in chunk]
        answers = answered_positions(contender.model, contender.notation, asked)
        tell(contender, what, asked, answers)
        found.update(zip(chunk, (answer.measure for answer in answers), strict=True))
    progress(title, len(order), len(order))
    return [found[index] for index in range(len(positions))]


def quantities(measures: Sequence[PositionMeasure]) -> dict[str, Quantity]:
    """Metric -> its numbers a position; without those that the notation doesn't admit (`PositionMeasure`: None)."""
    columns: dict[str, list[float | None]] = {
        "first_choice_legal": [m.first_choice_legal for m in measures],
        "legal_mass": [m.legal_mass for m in measures],
        "end_mass": [m.end_mass for m in measures],
        "move_match": [m.move_match for m in measures],
        "free_move_match": [m.free_move_match for m in measures],
        "move_nats": [-m.move_logprob for m in measures],
        "mark_accuracy": [m.mark_right for m in measures],
        "first_choice_tolerant": [m.first_choice_tolerant for m in measures],
    }
    return {
        metric: mean_of(metric, np.array(values, dtype=np.float64))
        for metric, values in columns.items()
        if None not in values
    }


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


def position_columns(held_out: HeldOut, numbers: Mapping[str, Quantity], kinds: Sequence[Quantity]) -> list[Column]:
    """Metrics of the held-out positions, and shares of error kinds, on every subset that tables show."""
    subsets = [Subset(name, mask) for name, mask in held_out.subsets().items()]
    groups = tuple(Subset(name, mask) for name, mask in held_out.groups.items())
    everything = (Subset(ALL, held_out.subsets()[ALL]),)
    in_parts = [metric for metric in IN_PARTS if metric in numbers]
    return [
        *(Column(numbers[metric], tuple(_shown(metric, subsets))) for metric in METRICS if metric in numbers),
        *(Column(numbers[metric], groups) for metric in in_parts),
        *(Column(kind, everything, is_paired=False) for kind in kinds),
        *(Column(numbers[metric], (part,), is_paired=False) for part in plies_subsets(held_out) for metric in in_parts),
    ]


@dataclass(frozen=True)
class Extent:
    """What is measured beside first choice and legal mass; nothing by default.

    Args:
        with_retry: retry, on the same positions.
        with_cloze: square and piece cloze, where the notation admits them, in the same games.
        completion_games: held-out games whose every ply on one side is asked for.
        free_games: games that each trained model writes on its own.
        random_games: positions after 10, and after 20, random plies.
    """

    with_retry: bool = False
    with_cloze: bool = False
    completion_games: int = 0
    free_games: int = 0
    random_games: int = 0


def measure_legality(
    study: Study, progress: Progress = silent, *, extent: Extent = Extent(), tell: Told = nobody
) -> Results:
    """Everything that `eval legality` reports.

    Args:
        study: models and positions.
        progress: told about long work.
        extent: what is measured beside first choice and legal mass.
        tell: told what every model said about the held-out positions.

    Raises:
        InputError: a model's numbers aren't finite; names it.
    """
    aggregator = study.aggregator()
    contenders, held_out, seed = study.contenders, study.held_out, study.seed
    entrants: list[Contender | PlayerEntrant] = [*contenders, *study.players]
    columns = {}
    for entrant in entrants:
        answers = _asked(entrant, held_out.positions, progress, ALL, tell)
        columns[entrant.label] = position_columns(held_out, *answers)
    found = compared(aggregator, entrants, columns)
    for name, positions in study.suite.classes.items() if study.suite else ():
        found += _elsewhere(aggregator, entrants, positions, f"suite class: {name}", IN_PARTS, progress, tell)
    if extent.with_retry:
        found += measure_retry(aggregator, contenders, held_out, seed=seed, progress=progress)
    if extent.with_cloze:
        found += measure_cloze(aggregator, contenders, held_out.games, seed=seed, progress=progress)
    if extent.completion_games:
        games = held_out.games[: extent.completion_games]
        found += measure_completion(aggregator, contenders, games, seed=seed, progress=progress)
    if extent.free_games:
        found += measure_free_running(aggregator, contenders, num_games=extent.free_games, progress=progress)
    for num_plies, subset in RANDOM_PLIES.items() if extent.random_games else ():
        drawn = _written_by_all(contenders, random_positions(extent.random_games, num_plies, seed=seed))
        found += _elsewhere(aggregator, entrants, drawn, subset, OUT_OF_DISTRIBUTION, progress)
    return study.results("legality", found.measures, found.differences)


def _written_by_all(contenders: Sequence[Contender], positions: Sequence[Position]) -> list[Position]:
    """The positions whose moves every vocabulary has tokens for: the same ones for all.

    Raises:
        InputError: there is none.
    """
    why_not = fits_all(contenders)
    found = [position for position in positions if why_not(position.game) is None]
    if not found:
        raise InputError(f"--random-plies: none of {len(positions)} random games can be put to all models whole")
    return found


def _elsewhere(
    aggregator: Aggregator,
    entrants: Sequence[Contender | PlayerEntrant],
    positions: Sequence[Position],
    subset: str,
    metrics: Sequence[str],
    progress: Progress,
    tell: Told = nobody,
) -> Compared:
    """Some metrics on positions that are no part of the held-out sample."""
    everything = (whole(subset, len(positions)),)
    columns = {}
    for entrant in entrants:
        numbers, _ = _asked(entrant, positions, progress, subset, tell)
        columns[entrant.label] = [Column(numbers[metric], everything) for metric in metrics if metric in numbers]
    return compared(aggregator, entrants, columns)


def _asked(
    entrant: Contender | PlayerEntrant, positions: Sequence[Position], progress: Progress, what: str, tell: Told
) -> tuple[dict[str, Quantity], list[Quantity]]:
    """Metrics, and shares of error kinds; a player gives those that its decisions hold."""
    if isinstance(entrant, PlayerEntrant):
        found = decisions(entrant, positions, progress)
        return decision_quantities(positions, found), decision_error_kinds(found)
    measures = measured(entrant, positions, progress, what=what, tell=tell)
    return quantities(measures), error_kinds(measures)


def _shown(metric: str, subsets: Sequence[Subset]) -> Iterator[Subset]:
    """The subsets a metric is shown on; without the first ten plies only matches are (METRICS section 1)."""
    yield from (subset for subset in subsets if subset.name != AFTER_PLY_10 or metric in MATCHES)
