"""Measures of data-set games equal what the board functions and the network say directly."""

from __future__ import annotations

import math

import chess
import pytest
import torch

from chesslm.errors import GameTooLong
from chesslm.game import Game
from chesslm.inference import (
    Position,
    end_masses,
    measure_games,
    measure_positions,
    moves_and_first_choices,
)
from chesslm.measures import question_about, replayed
from chesslm.model import Decoder
from chesslm.notation import EncodedGame, Notation


def positions_of(games: list[Game]) -> list[Position]:
    return [Position(game, ply) for game in games[:3] for ply in (0, 1, 17, len(game.san) - 1)]


def test_a_position_is_measured_as_its_board_is(notation: Notation, decoder: Decoder, games: list[Game]) -> None:
    positions = positions_of(games)
    boards, moves = zip(*(replayed(position) for position in positions), strict=True)
    found = measure_positions(decoder, notation, positions)
    ends = end_masses(decoder, notation, boards)
    said = moves_and_first_choices(decoder, notation, boards)
    for position, move, measure, end, (probabilities, choice) in zip(positions, moves, found, ends, said, strict=True):
        assert (measure.game_id, measure.ply) == (position.game.id, position.ply)
        assert measure.end_mass == pytest.approx(end, rel=1e-4)
        assert measure.legal_mass == pytest.approx(probabilities.legal_mass, rel=1e-4)
        assert measure.move_logprob == pytest.approx(probabilities.logprob_of(move), abs=1e-4)
        assert measure.move_match == (probabilities.best == move)
        assert measure.free_move_match == (choice.move == move)
        assert (measure.first_choice, measure.error_kind) == (choice.text, choice.error_kind)
        assert measure.first_choice_legal == (choice.move is not None)
        assert measure.first_choice_tolerant == choice.tolerant_legal


def test_questions_from_text_are_those_from_boards(notation: Notation, games: list[Game]) -> None:
    for position in positions_of(games):
        board, move = replayed(position)
        question = question_about(notation, position, board)
        assert question.prompt == notation.prompt(board)
        assert question.end_len == len(notation.end_prompt(board))
        assert question.prompt[: question.end_len] == notation.end_prompt(board)
        assert question.played == (notation.spell(board, move), notation.follow(board, move))


@torch.inference_mode()
def test_a_games_nats_are_its_teacher_forced_loss(notation: Notation, decoder: Decoder, games: list[Game]) -> None:
    some = [*games[:4], Game("short", ("e4",), "*"), Game("none", (), "1-0")]
    for game, measure in zip(some, measure_games(decoder, notation, some), strict=True):
        ids = notation.encode_game(game).ids
        logprobs = decoder(torch.tensor([ids[:-1]]))[0].double().log_softmax(1)
        nats = -logprobs[range(len(ids) - 1), ids[1:]]
        assert measure.text_nats == pytest.approx(nats.sum().item(), rel=1e-5)
        assert measure.result_nats == pytest.approx(nats[-2:].sum().item(), rel=1e-5)
        assert (measure.num_plies, measure.num_tokens) == (len(game.san), len(ids) - 1)


def test_plain_token_nats_differ_from_move_nats_only_by_the_first_softmax(
    notations: dict[str, Notation], make_decoder
) -> None:
    pgn = notations["pgn"]
    model = make_decoder(pgn)
    game = Game("g", ("e4",), "*")
    (whole,) = measure_games(model, pgn, [game])
    (position,) = measure_positions(model, pgn, [Position(game, 0)])
    with torch.inference_mode():
        logits = model(torch.tensor([pgn.prompt(chess.Board())]))[0, -1].double()
    removed = logits.softmax(0)[sorted(pgn.vocabulary.not_a_first_token_ids)].sum().item()
    assert whole.move_nats_sum == pytest.approx(-position.move_logprob - math.log(1 - removed), abs=1e-4)


def test_a_game_that_just_fits_is_measured_and_one_that_doesnt_is_too_long(
    notation: Notation, make_decoder, games: list[Game]
) -> None:
    game = games[0]
    num_tokens = len(notation.encode_game(game).ids)
    fits = make_decoder(notation, context_len=num_tokens)
    measure_games(fits, notation, [game])
    measure_positions(fits, notation, [Position(game, len(game.san) - 1)])
    with pytest.raises(GameTooLong, match="the model's context holds"):
        measure_games(make_decoder(notation, context_len=num_tokens - 1), notation, [game])


def test_a_ply_outside_its_game_is_refused(notation: Notation, decoder: Decoder) -> None:
    with pytest.raises(ValueError, match="game g has no ply 1"):
        measure_positions(decoder, notation, [Position(Game("g", ("e4",), "*"), 1)])


class ResultFirst:
    """Breaks the law: the result stands at the beginning, so no end prompt begins a prompt."""

    name = "result first"

    def encode_game(self, game: Game) -> EncodedGame:
        plies = list(range(10, 10 + len(game.san)))
        spans = [(ply + 2, ply + 3) for ply in range(len(game.san))]
        return EncodedGame([0, len(plies), *plies, 1, 2], spans)


def test_a_notation_that_breaks_the_law_is_found_out(decoder: Decoder) -> None:
    with pytest.raises(ValueError, match="the end prompt of game g at ply 1 doesn't begin its prompt"):
        measure_positions(decoder, ResultFirst(), [Position(Game("g", ("e4", "e5"), "*"), 1)])
