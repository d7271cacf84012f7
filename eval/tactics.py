"""`eval tactics`: mates in one that held-out games offer, and Lichess puzzles after their real games.

Knows: METRICS section 3's tactics: which numbers stand on which subsets.
Doesn't know: how mates are found (`tactics_mates`), puzzles joined (`puzzles`) or played (`tactics_puzzles`), or how
intervals come about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chesslm.inference import Position, moves_and_first_choices
from chesslm.measures import replayed
from chesslm.provenance import source_commit
from eval.aggregation import Quantity, Subset, mean_of
from eval.comparison import Column, Compared, compared
from eval.contenders import Contender, fits_all, load_contenders
from eval.positions import HeldOut, Mask, Progress, hold_out, silent
from eval.puzzles import Puzzle, join_puzzles
from eval.records import ALL, MATED, MISSED, PuzzlesRecord, Results
from eval.study import Study
from eval.tactics_mates import MateChooser, mating_moves
from eval.tactics_puzzles import puzzle_quantities, puzzle_subsets, solve_puzzles

# Positions between two reports of progress.
CHUNK_LEN = 256


@dataclass(frozen=True, slots=True)
class MateMeasure:
    """What became of one position with a mate in one.

    Args:
        lenient: the most probable legal move mates.
        first_choice: what the model wrote by itself mates.
        mass: probability of all mating moves together.
        played: the move of the game mates.
    """

    lenient: bool
    first_choice: bool
    mass: float
    played: bool


@dataclass(frozen=True)
class TacticsStudy:
    """A study whose positions have a mate in one each, and the puzzles beside them.

    Args:
        study: models and positions.
        puzzles: joined with held-out games; empty if none were asked for.
        puzzles_record: where they come from; None likewise.
    """

    study: Study
    puzzles: tuple[Puzzle, ...] = ()
    puzzles_record: PuzzlesRecord | None = None


def prepare_tactics(
    models: Sequence[str],
    games: Path,
    *,
    positions: int,
    seed: int,
    puzzles: Path | None = None,
    split: str | None = None,
    device: str = "auto",
    with_controls: bool = False,
    progress: Progress = silent,
) -> TacticsStudy:
    """Load the models, look for mates in one, and join the puzzles.

    Args:
        models: names or paths, as `chesslm.checkpoints.load_model` takes them.
        games: a games folder or a PGN file.
        positions: how many mates in one, each from another game, and how many puzzles; fewer if there are fewer.
        seed: decides games, plies, puzzles, resamples and the uniform controls.
        puzzles: Lichess's puzzle file; None to do without.
        split: of a games folder; test if None.
        device: auto, cpu or cuda.
        with_controls: measure untrained weights and uniformly random tokens, too.
        progress: told about long work.

    Raises:
        InputError, FormatError: a model, the games or the puzzles can't be used; names it.
    """
    contenders = load_contenders(models, device=device, with_controls=with_controls, seed=seed)
    fits = fits_all(contenders)
    # The puzzle file first: a mistake in it shows before the long search for mates.
    joined = (
        join_puzzles(puzzles, games, count=positions, seed=seed, split=split, fits=fits, progress=progress)
        if puzzles
        else None
    )
    chooser = MateChooser(seed, progress)
    found = hold_out(
        games,
        count=positions,
        seed=seed,
        split=split,
        fits=lambda game: fits(game) or chooser.why_not(game),
        with_new=False,
        progress=progress,
    )
    positions_with_mates = tuple(Position(game, chooser.ply(game)) for game in found.games)
    held_out = HeldOut(positions_with_mates, None, found.record)
    study = Study(tuple(contenders), held_out, seed, positions, source_commit())
    return TacticsStudy(study, tuple(joined[0]), joined[1]) if joined else TacticsStudy(study)


def measured_mates(contender: Contender, held_out: HeldOut, progress: Progress = silent) -> list[MateMeasure]:
    """Measures of all positions, in their order."""
    positions = held_out.positions
    order = sorted(range(len(positions)), key=lambda index: positions[index].ply)
    found: dict[int, MateMeasure] = {}
    for start in range(0, len(order), CHUNK_LEN):
        progress(f"{contender.label}, mates in one", start, len(order))
        chunk = order[start : start + CHUNK_LEN]
        asked = [replayed(positions[index]) for index in chunk]
        answers = moves_and_first_choices(contender.model, contender.notation, [board for board, _ in asked])
        for index, (board, played), (probabilities, choice) in zip(chunk, asked, answers, strict=True):
            mates = mating_moves(board)
            found[index] = MateMeasure(
                lenient=probabilities.best in mates,
                first_choice=choice.move in mates,
                mass=float(np.exp([probabilities.logprob_of(move) for move in mates]).sum()),
                played=played in mates,
            )
    progress(f"{contender.label}, mates in one", len(order), len(order))
    return [found[index] for index in range(len(positions))]


def mate_quantities(measures: Sequence[MateMeasure]) -> list[Quantity]:
    """Metric by metric, one number a position."""
    columns = {
        "mate_in_one": [m.lenient for m in measures],
        "mate_in_one_first_choice": [m.first_choice for m in measures],
        "mate_in_one_mass": [m.mass for m in measures],
        "mate_in_one_played": [m.played for m in measures],
    }
    return [mean_of(metric, np.array(values, dtype=np.float64)) for metric, values in columns.items()]


def mate_subsets(played: Mask) -> list[Subset]:
    """All positions, those in which the player mated, too, and those in which the player didn't; none empty."""
    masks = {ALL: np.ones(len(played), dtype=np.bool_), MATED: played, MISSED: ~played}
    return [Subset(name, mask) for name, mask in masks.items() if mask.any()]


def measure_tactics(tactics: TacticsStudy, progress: Progress = silent) -> Results:
    """Everything that `eval tactics` reports.

    Raises:
        InputError: a model's numbers aren't finite; names it.
    """
    study = tactics.study
    mates = {c.label: measured_mates(c, study.held_out, progress) for c in study.contenders}
    # What the players did is the same whoever is asked.
    played = np.array([measure.played for measure in next(iter(mates.values()))])
    tables = [({label: mate_quantities(measures) for label, measures in mates.items()}, mate_subsets(played))]
    if tactics.puzzles:
        outcomes = {c.label: solve_puzzles(c, tactics.puzzles, progress) for c in study.contenders}
        numbers = {label: puzzle_quantities(found) for label, found in outcomes.items()}
        tables.append((numbers, puzzle_subsets(tactics.puzzles)))
    found = Compared()
    for numbers, subsets in tables:
        columns = {label: [_column(one, subsets) for one in quantities] for label, quantities in numbers.items()}
        found += compared(study.aggregator(), study.contenders, columns)
    results = study.results("tactics", found.measures, found.differences)
    return results.model_copy(update={"puzzles": tactics.puzzles_record})


def _column(quantity: Quantity, subsets: Sequence[Subset]) -> Column:
    """Where a metric stands; what the players did is the same for every model, so there is nothing to compare."""
    reported = tuple(subset for subset in subsets if _is_reported(quantity, subset))
    return Column(quantity, reported, is_paired=quantity.metric != "mate_in_one_played")


def _is_reported(quantity: Quantity, subset: Subset) -> bool:
    """What the players did isn't measured on subsets that are made by it, nor first moves by band and theme."""
    return subset.name == ALL or quantity.metric not in ("mate_in_one_played", "puzzle_first_move")
