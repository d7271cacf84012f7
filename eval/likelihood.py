"""`eval likelihood`: how well models foresee whole games, in nats, perplexities and tokens a move.

Knows: METRICS section 1's losses: of whole texts with their parts, and of moves whatever the notation.
Doesn't know: how games and positions are measured (`chesslm.measures`) or chosen (`positions`), or about intervals.

`text_nats_per_move` pays for wording too, so it compares models of one notation; `move_nats` compares notations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chesslm.inference import GameMeasure, PositionMeasure, measure_games
from eval.aggregation import Quantity, Subset, mean_of
from eval.comparison import Column, compared
from eval.contenders import Contender
from eval.intervals import Floats
from eval.legality import measured
from eval.legality import quantities as position_quantities
from eval.metrics import TEXT_PARTS
from eval.positions import HeldOut, Progress, silent
from eval.records import AFTER_PLY_10, ALL, Results
from eval.study import Study

# Games between two reports of progress.
CHUNK_LEN = 64


def measured_games(contender: Contender, held_out: HeldOut, progress: Progress = silent) -> list[GameMeasure]:
    """Measures of all games, in their order."""
    games = held_out.games
    order = sorted(range(len(games)), key=lambda index: len(games[index].san))
    found: dict[int, GameMeasure] = {}
    for start in range(0, len(order), CHUNK_LEN):
        progress(f"{contender.label}, whole games", start, len(order))
        chunk = order[start : start + CHUNK_LEN]
        measures = measure_games(contender.model, contender.notation, [games[index] for index in chunk])
        found.update(zip(chunk, measures, strict=True))
    progress(f"{contender.label}, whole games", len(order), len(order))
    return [found[index] for index in range(len(games))]


def game_quantities(measures: Sequence[GameMeasure]) -> list[Quantity]:
    """The metrics of whole games: sums over games divided by their plies or predicted tokens."""

    def column(values: Sequence[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    plies = column([m.num_plies for m in measures])
    predicted = column([m.num_tokens for m in measures])
    nats = column([m.text_nats for m in measures])
    parts = (
        column([m.move_nats_sum for m in measures]),
        column([m.number_nats for m in measures]),
        column([m.mark_nats for m in measures]),
        column([m.result_nats for m in measures]),
    )
    return [
        Quantity("text_nats_per_move", nats, plies),
        *(Quantity("text_nats_per_move", part, plies, name) for name, part in zip(TEXT_PARTS, parts, strict=True)),
        Quantity("perplexity_per_token", nats, predicted, is_exponential=True),
        # All tokens, as in the manifests of token files: with the begin token, though nobody predicts it.
        Quantity("tokens_per_move", predicted + 1, plies),
    ]


def move_quantities(measures: Sequence[PositionMeasure]) -> list[Quantity]:
    """The loss of moves at the positions, and its exponential."""
    nats = position_quantities(measures)["move_nats"]
    return [nats, mean_of("perplexity_per_move", nats.numerators, is_exponential=True)]


def measure_likelihood(study: Study, progress: Progress = silent) -> Results:
    """Everything that `eval likelihood` reports.

    Raises:
        InputError: a model's numbers aren't finite; names it.
    """
    held_out = study.held_out
    subsets = tuple(Subset(name, mask) for name, mask in held_out.subsets().items() if name != AFTER_PLY_10)
    # Whole games have no ply of their own, so they are only measured on all.
    everything = tuple(subset for subset in subsets if subset.name == ALL)
    columns = {
        contender.label: [
            *(Column(one, everything) for one in game_quantities(measured_games(contender, held_out, progress))),
            *(Column(one, subsets) for one in move_quantities(measured(contender, held_out.positions, progress))),
        ]
        for contender in study.contenders
    }
    found = compared(study.aggregator(), study.contenders, columns)
    return study.results("likelihood", found.measures, found.differences)
