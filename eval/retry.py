"""Retry: up to five attempts at a move, ever bolder, as chess_gpt_eval lets its players have (METRICS section 2.2).

Knows: the temperatures, what counts as a failed attempt, as a lost turn and as a resignation.
Doesn't know: how a move is written token by token (`written_moves`) or read (`Notation`).

The prompt has the move number, as theirs has; from there on nothing is removed from the softmax. An attempt is judged
strictly here, as everything else is (chess_gpt_eval lets python-chess read it, which forgives more).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import chess
import numpy as np

from chesslm.errors import MoveTextError
from chesslm.inference import Position
from chesslm.measures import question_about, replayed
from chesslm.move_scores import check_fits
from chesslm.notation import Notation
from chesslm.sampling import drawn, reshaped
from chesslm.token_model import as_token_model, batches_by_length, tokens_per_batch
from eval.aggregation import Aggregator, Quantity, Subset, mean_of
from eval.comparison import Column, Compared, compared
from eval.contenders import Contender
from eval.metrics import RETRY_ATTEMPTS
from eval.positions import HeldOut, Progress, silent
from eval.records import AFTER_PLY_10
from eval.written_moves import Floats, write_moves

# Room left for a written move when prompts are put into batches.
_TYPICAL_MOVE_LEN = 8

Ending = Literal["move", "lost", "resigned"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one turn.

    Args:
        num_failures: failed attempts, 0 to `RETRY_ATTEMPTS`.
        ending: a legal move was written · all attempts failed · a result was written.
    """

    num_failures: int
    ending: Ending


def temperature_of(attempt: int) -> float:
    """Of the attempts 0 … 4.

    >>> [round(temperature_of(attempt), 3) for attempt in range(5)]
    [0.001, 0.201, 0.401, 0.5, 0.5]
    """
    return min(attempt / RETRY_ATTEMPTS + 0.001, 0.5)


def take_turns(
    contender: Contender, positions: Sequence[Position], *, seed: int, progress: Progress = silent
) -> list[Turn]:
    """A turn in each position, in order. A draw depends on seed, game and attempt alone.

    Raises:
        GameTooLong: a game up to its position leaves no room in the model's context.
    """
    model, notation = as_token_model(contender.model), contender.notation
    boards = [replayed(position)[0] for position in positions]
    prompts = [
        question_about(notation, position, board).prompt for position, board in zip(positions, boards, strict=True)
    ]
    for prompt in prompts:
        check_fits(model, prompt)
    turns: dict[int, Turn] = {}
    lengths, room = [len(prompt) for prompt in prompts], tokens_per_batch(len(notation.vocabulary))
    for batch in batches_by_length(lengths, extra=_TYPICAL_MOVE_LEN, tokens=room):
        progress(f"{contender.label}, retry", len(turns), len(positions))
        reading = model.read([prompts[index] for index in batch])
        first = reading.logits(range(len(batch)), [lengths[index] - 1 for index in batch])
        rows = list(range(len(batch)))
        for attempt in range(RETRY_ATTEMPTS):
            generators = [_generator(seed, positions[batch[row]], attempt) for row in rows]

            def draw(
                place: int,
                _is_first: bool,
                logits: Floats,
                temperature: float = temperature_of(attempt),
                generators: Sequence[random.Random] = generators,
            ) -> int:
                weights = reshaped(logits, temperature=temperature, top_k=None, top_p=None)
                return drawn(weights, generators[place].random())

            pending = reading if len(rows) == len(batch) else reading.select(rows)
            texts = write_moves(pending, first[rows], notation, [boards[batch[row]] for row in rows], draw)
            failed = []
            for row, text in zip(rows, texts, strict=True):
                ending = _ending(notation, boards[batch[row]], text)
                if ending is not None:
                    turns[batch[row]] = Turn(attempt, ending)
                else:
                    failed.append(row)
            rows = failed
            if not rows:
                break
        turns.update({batch[row]: Turn(RETRY_ATTEMPTS, "lost") for row in rows})
    progress(f"{contender.label}, retry", len(positions), len(positions))
    return [turns[index] for index in range(len(positions))]


def retry_quantities(turns: Sequence[Turn]) -> list[Quantity]:
    """The metrics of turns, one number a turn."""

    def column(metric: str, values: Sequence[float]) -> Quantity:
        return mean_of(metric, np.array(values, dtype=np.float64))

    return [
        column("retry_no_failure", [turn.num_failures == 0 for turn in turns]),
        column("retry_failures", [turn.num_failures for turn in turns]),
        column("retry_lost", [turn.ending == "lost" for turn in turns]),
        column("retry_resigned", [turn.ending == "resigned" for turn in turns]),
    ]


def measure_retry(
    aggregator: Aggregator,
    contenders: Sequence[Contender],
    held_out: HeldOut,
    *,
    seed: int,
    progress: Progress = silent,
) -> Compared:
    """Let every model take a turn in every held-out position."""
    subsets = tuple(Subset(name, mask) for name, mask in held_out.subsets().items() if name != AFTER_PLY_10)
    columns = {
        contender.label: [
            Column(quantity, subsets)
            for quantity in retry_quantities(take_turns(contender, held_out.positions, seed=seed, progress=progress))
        ]
        for contender in contenders
    }
    return compared(aggregator, contenders, columns)


def _generator(seed: int, position: Position, attempt: int) -> random.Random:
    moves = " ".join(position.game.san[: position.ply])
    return random.Random(f"retry|{seed}|{attempt}|{moves}")


def _ending(notation: Notation, board: chess.Board, ids: Sequence[int]) -> Ending | None:
    """How an attempt ends the turn; None if it failed."""
    if ids[0] in notation.vocabulary.result_ids.values():
        return "resigned"
    try:
        notation.read(board, ids)
    except MoveTextError:
        return None
    return "move"
