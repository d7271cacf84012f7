"""One move after each prompt, written token by token by any rule for the next token.

Knows: where a written move ends (the notation's grammar says so), and how rows of a batch are written in step.
Doesn't know: which rule chooses tokens (`retry` draws them, `completion` takes the most probable), or legality.

The reading stays as it was, so that the same prompts can be written after again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import chess
import numpy as np
import numpy.typing as npt
from torch import Tensor

from chesslm.move_scores import goes_on, is_over
from chesslm.notation import Notation
from chesslm.token_model import Reading
from chesslm.token_tree import chain

Floats = npt.NDArray[np.float64]
Choose = Callable[[int, bool, Floats], int]
"""(row, whether it is the first token, logits of all tokens) -> the token to write."""


def write_moves(
    reading: Reading, first: Tensor, notation: Notation, boards: Sequence[chess.Board], choose: Choose
) -> list[list[int]]:
    """The tokens that are written after each prompt, until the notation calls the move complete or impossible.

    Args:
        reading: of the prompts.
        first: logits of what follows each prompt, [prompts, vocabulary].
        notation: whose grammar ends a move.
        boards: the positions.
        choose: picks a token.
    """
    written: list[list[int]] = [[] for _ in boards]
    rows = list(range(len(boards)))
    rows_reading, logits = reading, first
    while True:
        going_on = []
        for place, (row, row_logits) in enumerate(zip(rows, logits.double().cpu().numpy(), strict=True)):
            token = choose(row, not written[row], row_logits)
            if goes_on(notation, boards[row], written[row], token):
                written[row].append(token)
                if not is_over(notation, boards[row], written[row]):
                    going_on.append(place)
        if not going_on:
            return written
        if len(going_on) < len(rows):
            rows_reading = rows_reading.select(going_on)
            rows = [rows[place] for place in going_on]
        fed = rows_reading.branch_logits([chain(written[row]) for row in rows])
        logits = fed[np.cumsum([len(written[row]) for row in rows]) - 1]
