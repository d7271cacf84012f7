"""The per-position and per-game measures of METRICS sections 1, 2.1 and 2.8, for evaluation and for validation.

Knows: how a game from a data set becomes questions to a model, and how answers become measures.
Doesn't know: sampling of positions, means and intervals (`eval`).

Prompts come from the notation's textual writing of the game, so the only board work is one replay a position.

Tensor key: N predicted tokens · V vocabulary.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import chess
import torch
from torch.nn import functional

from chesslm.first_choice import FirstChoice, judge_first_choice
from chesslm.game import Game
from chesslm.model import Decoder
from chesslm.move_scores import Answer, MoveProbabilities, Question, ask, check_fits
from chesslm.notation import EncodedGame, Notation
from chesslm.token_model import TokenModel, as_token_model, batches_by_length, tokens_per_batch


@dataclass(frozen=True, slots=True)
class Position:
    """The position before ply `ply` (0 … last) of a game; the game's move there is the true one."""

    game: Game
    ply: int


@dataclass(frozen=True, slots=True)
class PositionMeasure:
    """What METRICS section 1 says of one position.

    Args:
        game_id: the game's id.
        ply: index of the ply that is due.
        end_mass: probability of a result at the end prompt; None where the vocabulary has no results.
        legal_mass: sum of p over the legal moves.
        first_choice_legal: the greedy choice is a spelling of a legal move.
        first_choice_tolerant: python-chess's reader makes a legal move of it; None where the notation isn't SAN-like.
        move_match: the most probable legal move is the true one.
        free_move_match: the first choice is the true move.
        move_logprob: ln p of the true move.
        first_choice: the greedy choice as text.
        error_kind: why it is no legal move, one of METRICS section 2.8's kinds; None for a legal one.
        mark_right: the check or mate mark (or none) is written rightly after the true move; None where the vocabulary
            has no marks.
    """

    game_id: str
    ply: int
    end_mass: float | None
    legal_mass: float
    first_choice_legal: bool
    first_choice_tolerant: bool | None
    move_match: bool
    free_move_match: bool
    move_logprob: float
    first_choice: str
    error_kind: str | None
    mark_right: bool | None


@dataclass(frozen=True, slots=True)
class AnsweredPosition:
    """A position with all that a model said about it.

    Args:
        board: the position, with its move stack.
        true_move: the game's.
        probabilities: p of every legal move.
        first_choice: the greedy choice, judged.
        measure: what follows from these.
    """

    board: chess.Board
    true_move: chess.Move
    probabilities: MoveProbabilities
    first_choice: FirstChoice
    measure: PositionMeasure


@dataclass(frozen=True, slots=True)
class GameMeasure:
    """Minus the log-probability of a game's tokens (teacher-forced, plain softmax), in parts, in nats.

    Args:
        game_id: the game's id.
        num_plies: plies of the game.
        num_tokens: predicted tokens: all but the begin token.
        move_nats_sum: tokens inside spellings.
        number_nats: move numbers, full stops and other separators.
        mark_nats: check and mate marks or words.
        result_nats: the result and the end token; 0 where the vocabulary has no results.
    """

    game_id: str
    num_plies: int
    num_tokens: int
    move_nats_sum: float
    number_nats: float
    mark_nats: float
    result_nats: float

    @property
    def text_nats(self) -> float:
        """The whole game: the sum of the parts."""
        return self.move_nats_sum + self.number_nats + self.mark_nats + self.result_nats


def measure_positions(
    model: TokenModel | Decoder, notation: Notation, positions: Sequence[Position]
) -> list[PositionMeasure]:
    """Measures of each position, in order; one reading of each game gives all of them.

    Raises:
        GameTooLong: a game up to its position leaves no room in the context, or has no token for its move number.
        ValueError: a game isn't legal, or a ply lies outside its game.
    """
    return [found.measure for found in answered_positions(model, notation, positions)]


def answered_positions(
    model: TokenModel | Decoder, notation: Notation, positions: Sequence[Position]
) -> list[AnsweredPosition]:
    """As `measure_positions`, with what the measures were made from; raises as that does."""
    boards_and_moves = [replayed(position) for position in positions]
    questions = [
        question_about(notation, position, board)
        for position, (board, _) in zip(positions, boards_and_moves, strict=True)
    ]
    answers = ask(as_token_model(model), notation, questions, with_first_choice=True)
    return [
        _measured(notation, position, board, true_move, answer)
        for position, (board, true_move), answer in zip(positions, boards_and_moves, answers, strict=True)
    ]


def measure_games(model: TokenModel | Decoder, notation: Notation, games: Sequence[Game]) -> list[GameMeasure]:
    """Measures of each whole game, in order.

    Raises:
        GameTooLong: a game doesn't fit into the context, or has no token for a move number.
    """
    tokens = as_token_model(model)
    encoded = [_predicted(notation, notation.encode_game(game)) for game in games]
    for written in encoded:
        check_fits(tokens, written.ids[:-1])
    measures: dict[int, GameMeasure] = {}
    room = tokens_per_batch(len(notation.vocabulary))
    for batch in batches_by_length([len(written.ids) for written in encoded], extra=0, tokens=room):
        all_nats = _token_nats(tokens, [encoded[index].ids for index in batch])
        for index, nats in zip(batch, all_nats, strict=True):
            measures[index] = _parts(notation, games[index], encoded[index], nats)
    return [measures[index] for index in range(len(games))]


def replayed(position: Position) -> tuple[chess.Board, chess.Move]:
    """The board of a position, with its move stack, and the true move; ValueError if there is none or it is illegal."""
    game, ply = position.game, position.ply
    if not 0 <= ply < len(game.san):
        raise ValueError(f"game {game.id} has no ply {ply}")
    board = chess.Board()
    for san in game.san[:ply]:
        board.push_san(san)
    return board, board.parse_san(game.san[ply])


def question_about(notation: Notation, position: Position, board: chess.Board) -> Question:
    """All questions of `PositionMeasure` in one, from text alone; raises as `Notation.encode_game` does."""
    # By the notation's law the prompt is what `encode_game` writes before the ply; result and end are one token each.
    game, ply = position.game, position.ply
    before = notation.encode_game(replace(game, san=game.san[:ply])).ids[:-2]
    written = notation.encode_game(replace(game, san=game.san[: ply + 1]))
    start, end = written.spans[ply]
    prompt = written.ids[:start]
    if prompt[: len(before)] != before:
        raise ValueError(f"{notation.name}: the end prompt of game {game.id} at ply {ply} doesn't begin its prompt")
    end_len = len(before) if notation.vocabulary.result_ids else None
    return Question(board, prompt, end_len=end_len, played=(written.ids[start:end], written.ids[end:-2]))


def _measured(
    notation: Notation, position: Position, board: chess.Board, true_move: chess.Move, answer: Answer
) -> AnsweredPosition:
    choice = judge_first_choice(notation, board, answer.first_choice)
    probabilities = answer.probabilities
    measure = PositionMeasure(
        game_id=position.game.id,
        ply=position.ply,
        end_mass=answer.end_mass,
        legal_mass=probabilities.legal_mass,
        first_choice_legal=choice.move is not None,
        first_choice_tolerant=choice.tolerant_legal,
        move_match=probabilities.best == true_move,
        free_move_match=choice.move == true_move,
        move_logprob=probabilities.logprob_of(true_move),
        first_choice=choice.text,
        error_kind=choice.error_kind,
        # Where no mark has a token of its own, none can be written wrongly.
        mark_right=answer.mark_right if notation.vocabulary.mark_ids else None,
    )
    return AnsweredPosition(board, true_move, probabilities, choice, measure)


def _token_nats(model: TokenModel, texts: Sequence[list[int]]) -> list[list[float]]:
    """-ln p of every token but the first of each text."""
    reading = model.read([ids[:-1] for ids in texts])
    lengths = [len(ids) - 1 for ids in texts]
    rows = [row for row, length in enumerate(lengths) for _ in range(length)]
    columns = [column for length in lengths for column in range(length)]
    targets = [token for ids in texts for token in ids[1:]]
    logits_NV = reading.logits(rows, columns)
    targets_N = torch.tensor(targets, dtype=torch.int64, device=logits_NV.device)
    nats = functional.cross_entropy(logits_NV, targets_N, reduction="none").tolist()
    ends = list(itertools.accumulate(lengths))
    return [nats[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _predicted(notation: Notation, written: EncodedGame) -> EncodedGame:
    """What a model can be asked about: without result and end, where its vocabulary has no results."""
    return written if notation.vocabulary.result_ids else replace(written, ids=written.ids[:-2])


def _parts(notation: Notation, game: Game, written: EncodedGame, nats: Sequence[float]) -> GameMeasure:
    """Sort the nats of tokens 1 … n - 1; the last two tokens are the result and the end, where there are results."""
    num_tokens = len(written.ids)
    kinds = ["number"] * num_tokens
    if notation.vocabulary.result_ids:
        kinds[-2:] = ["result"] * 2
    for place, token in enumerate(written.ids):
        if token in notation.vocabulary.mark_ids:
            kinds[place] = "mark"
    for start, end in written.spans:
        kinds[start:end] = ["move"] * (end - start)
    sums = {
        kind: math.fsum(nat for nat, of in zip(nats, kinds[1:], strict=True) if of == kind)
        for kind in ("move", "number", "mark", "result")
    }
    return GameMeasure(
        game_id=game.id,
        num_plies=len(game.san),
        num_tokens=num_tokens - 1,
        move_nats_sum=sums["move"],
        number_nats=sums["number"],
        mark_nats=sums["mark"],
        result_nats=sums["result"],
    )
