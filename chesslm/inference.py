"""What a model says about games and positions: the functions that players, evaluation and validation call.

Knows: how to put boards to a model; the one place from which inference is imported.
Doesn't know: how probabilities are computed (`move_scores`), how games from a data set are measured (`measures`), how
text is sampled (`sampling`), or how numbers are aggregated (`eval`).

Every `model` may be a `Decoder` or anything else that is a `TokenModel`. p(move) is METRICS section 1's: given that a
move comes next, over all wordings of the move.
"""

from __future__ import annotations

from collections.abc import Sequence

import chess

from chesslm.first_choice import FirstChoice, judge_first_choice
from chesslm.measures import (
    AnsweredPosition,
    GameMeasure,
    Position,
    PositionMeasure,
    answered_positions,
    measure_games,
    measure_positions,
)
from chesslm.model import Decoder
from chesslm.move_scores import MoveProbabilities, Question, ask, end_masses_after
from chesslm.notation import Notation
from chesslm.sampling import sample_text
from chesslm.token_model import TokenModel, as_token_model

__all__ = [
    "AnsweredPosition",
    "FirstChoice",
    "GameMeasure",
    "MoveProbabilities",
    "Position",
    "PositionMeasure",
    "TokenModel",
    "answered_positions",
    "end_masses",
    "first_choices",
    "measure_games",
    "measure_positions",
    "move_probabilities",
    "moves_and_first_choices",
    "sample_text",
]


def move_probabilities(
    model: TokenModel | Decoder, notation: Notation, boards: Sequence[chess.Board]
) -> list[MoveProbabilities]:
    """P of every legal move in each position; the boards' move stacks are their games.

    Raises:
        GameTooLong: a game leaves no room in the model's context, or has no token for its move number.
        UnsupportedPosition: a game didn't begin at the start position.
    """
    answers = ask(as_token_model(model), notation, _questions(notation, boards), with_first_choice=False)
    return [answer.probabilities for answer in answers]


def first_choices(model: TokenModel | Decoder, notation: Notation, boards: Sequence[chess.Board]) -> list[FirstChoice]:
    """The greedy, unmasked choice in each position; raises as `move_probabilities` does."""
    return [choice for _, choice in moves_and_first_choices(model, notation, boards)]


def moves_and_first_choices(
    model: TokenModel | Decoder, notation: Notation, boards: Sequence[chess.Board]
) -> list[tuple[MoveProbabilities, FirstChoice]]:
    """Both of the above from one reading of each game; raises as `move_probabilities` does."""
    answers = ask(as_token_model(model), notation, _questions(notation, boards), with_first_choice=True)
    return [
        (answer.probabilities, judge_first_choice(notation, board, answer.first_choice))
        for board, answer in zip(boards, answers, strict=True)
    ]


def end_masses(model: TokenModel | Decoder, notation: Notation, boards: Sequence[chess.Board]) -> list[float]:
    """Probability that a result is written instead of a move in each position; raises as `move_probabilities` does."""
    prompts = [notation.end_prompt(board) for board in boards]
    return end_masses_after(as_token_model(model), notation.vocabulary, prompts)


def _questions(notation: Notation, boards: Sequence[chess.Board]) -> list[Question]:
    return [Question(board, notation.prompt(board)) for board in boards]
