"""Fakes with known probabilities give exactly the measures that METRICS section 1 says, computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import chess
import pytest

from chesslm.game import Game
from chesslm.inference import (
    Position,
    end_masses,
    first_choices,
    measure_games,
    measure_positions,
    move_probabilities,
)
from chesslm.notation import Notation
from chesslm.vocabulary import Vocabulary

E4, D4, NF3, NH3 = (chess.Move.from_uci(uci) for uci in ("e2e4", "d2d4", "g1f3", "g1h3"))

# After 1. the model writes e4 .3, d4 .1, a knight .2 (f3 .5, h3 .1, e5 .4), a result .1, a check mark .1,
# e5 (a square no pawn can reach) .15, and .05 for all else, which the other 290 tokens share.
FIRST_MOVE = {
    "<begin> 1.": {"e4": 0.3, "d4": 0.1, "N": 0.2, "1-0": 0.1, "+": 0.1, "e5": 0.15},
    "<begin> 1. N": {"f3": 0.5, "h3": 0.1, "e5": 0.4},
    "<begin>": {"1.": 0.75, "1/2-1/2": 0.2, "*": 0.05},
}


@pytest.fixture
def pgn(notations: dict[str, Notation]) -> Notation:
    return notations["pgn"]


def test_results_and_marks_leave_the_first_token_and_nothing_else(pgn: Notation, scripted: Callable) -> None:
    model = scripted(pgn.vocabulary, FIRST_MOVE)
    (found,) = move_probabilities(model, pgn, [chess.Board()])
    each = 0.05 / (len(pgn.vocabulary) - 6)
    # begin, end, pad, three more results and # go too.
    left = 1.0 - 0.1 - 0.1 - 7 * each
    p = {move: math.exp(logprob) for move, logprob in zip(found.moves, found.logprobs, strict=True)}
    assert p[E4] == pytest.approx(0.3 / left, rel=1e-5)
    assert p[NF3] == pytest.approx(0.2 / left * 0.5, rel=1e-5)
    assert p[NH3] == pytest.approx(0.2 / left * 0.1, rel=1e-5)
    pawn_moves_not_named = 14 * each / left
    knights = 0.2 / left * 0.6
    assert found.legal_mass == pytest.approx(0.4 / left + knights + pawn_moves_not_named, rel=1e-5)
    assert found.best == E4
    assert found.logprob_of(D4) == pytest.approx(math.log(0.1 / left), rel=1e-5)


def test_results_are_no_part_of_legality_inside_a_move(pgn: Notation, scripted: Callable) -> None:
    table = {"1.": {"N": 1.0}, "1. N": {"f3": 0.25, "1-0": 0.75}}
    (found,) = move_probabilities(scripted(pgn.vocabulary, table), pgn, [chess.Board()])
    assert found.legal_mass == pytest.approx(0.25, rel=1e-5)


def test_impossible_moves_have_probability_zero(pgn: Notation, scripted: Callable) -> None:
    table = {"1.": {"N": 1.0}, "1. N": {"e5": 1.0}}
    (found,) = move_probabilities(scripted(pgn.vocabulary, table), pgn, [chess.Board()])
    assert found.legal_mass == 0.0
    assert set(found.logprobs) == {-math.inf}


def test_the_end_mass_is_what_results_have_at_the_end_prompt(pgn: Notation, scripted: Callable) -> None:
    model = scripted(pgn.vocabulary, FIRST_MOVE)
    assert end_masses(model, pgn, [chess.Board()]) == pytest.approx([0.25], rel=1e-5)


def test_a_position_is_measured_as_computed_by_hand(pgn: Notation, scripted: Callable) -> None:
    model = scripted(pgn.vocabulary, FIRST_MOVE)
    game = Game("g", ("Nf3", "d5"), "1-0")
    (found,) = measure_positions(model, pgn, [Position(game, 0)])
    left = 0.8 - 7 * 0.05 / (len(pgn.vocabulary) - 6)
    assert found.move_logprob == pytest.approx(math.log(0.1 / left), rel=1e-5)
    assert found.end_mass == pytest.approx(0.25, rel=1e-5)
    assert (found.game_id, found.ply) == ("g", 0)
    assert (found.first_choice, found.first_choice_legal, found.error_kind) == ("e4", True, None)
    assert (found.move_match, found.free_move_match) == (False, False)
    assert found.first_choice_tolerant is True


@pytest.mark.parametrize(
    ("true_move", "after_it", "is_right"),
    [
        ("Bb5", {"a6": 0.6, "+": 0.4}, True),  # no mark is due, a move is likelier
        ("Bb5", {"a6": 0.4, "+": 0.6}, False),
        ("Bxf7+", {"+": 0.6, "K": 0.4}, True),
        ("Bxf7+", {"+": 0.4, "K": 0.6}, False),
        ("Bxf7+", {"#": 0.6, "+": 0.4}, False),
    ],
)
def test_a_mark_is_right_if_it_is_the_most_probable_token(
    pgn: Notation, scripted: Callable, true_move: str, after_it: dict[str, float], is_right: bool
) -> None:
    table = {"b5": after_it, "f7": after_it}
    game = Game("g", ("e4", "e5", "Bc4", "d6", true_move), "*")
    (found,) = measure_positions(scripted(pgn.vocabulary, table), pgn, [Position(game, 4)])
    assert found.mark_right is is_right


def test_every_word_of_a_mark_must_be_right(notations: dict[str, Notation], scripted: Callable) -> None:
    english = notations["english"]
    game = Game("g", ("e4", "e5", "Bc4", "d6", "Bxf7+"), "*")
    ids = english.encode_game(game).ids
    follow = [english.vocabulary.string_of(token) for token in ids[english.encode_game(game).spans[4][1] : -2]]
    assert len(follow) == 3  # with, check, full stop
    written = [english.vocabulary.string_of(token) for token in ids[:-2]]
    for wrong in (None, 0, 1, 2):
        table = {}
        for place, word in enumerate(follow):
            before = " ".join(written[: len(written) - len(follow) + place])
            table[before] = {word: 0.4 if place == wrong else 0.6, " White": 0.5 if place == wrong else 0.1}
        (found,) = measure_positions(scripted(english.vocabulary, table), english, [Position(game, 4)])
        assert found.mark_right is (wrong is None)


def test_a_first_choice_may_leave_the_legal_moves_and_go_on(pgn: Notation, scripted: Callable) -> None:
    # No queen move is legal at the start, so nothing of this is in the tree of legal moves.
    table = {"1.": {"Q": 0.9}, "1. Q": {"h": 0.9}, "1. Q h": {"4": 0.9}, "1. Q h 4": {"e1": 0.9}}
    boards = [chess.Board(), chess.Board()]
    boards[1].push_san("e4")
    table |= {"1. e4": {"e5": 1.0}}
    queen, pawn = first_choices(scripted(pgn.vocabulary, table), pgn, boards)
    assert (queen.text, queen.move, queen.tolerant_legal) == ("Qh4e1", None, False)
    assert queen.error_kind is not None
    assert (pawn.text, pawn.move, pawn.error_kind) == ("e5", chess.Move.from_uci("e7e5"), None)


def test_results_are_passed_over_in_a_first_choice_and_marks_only_at_its_beginning(
    pgn: Notation, scripted: Callable
) -> None:
    board = chess.Board()
    table = {"1.": {"1-0": 0.4, "+": 0.3, "N": 0.2}, "1. N": {"1-0": 0.6, "f3": 0.3}}
    (found,) = first_choices(scripted(pgn.vocabulary, table), pgn, [board])
    assert found.move == NF3
    table["1. N"] = {"1-0": 0.6, "+": 0.3, "f3": 0.1}
    (found,) = first_choices(scripted(pgn.vocabulary, table), pgn, [board])
    assert (found.text, found.error_kind) == ("N+", "unreadable")


def test_tolerant_reading_forgives_what_strict_reading_refuses(pgn: Notation, scripted: Callable) -> None:
    table = {"1.": {"N": 1.0}, "1. N": {"g": 1.0}, "1. N g": {"f3": 1.0}}
    (found,) = first_choices(scripted(pgn.vocabulary, table), pgn, [chess.Board()])
    assert (found.text, found.move, found.error_kind) == ("Ngf3", None, "needless disambiguation")
    assert found.tolerant_legal is True


def test_the_parts_of_a_games_text_are_told_apart(pgn: Notation, scripted: Callable) -> None:
    table = {
        "<begin>": {"1.": 0.5},
        "1.": {"f3": 0.25},
        "1. f3": {"e5": 0.5},
        "e5": {"2.": 0.125},
        "2.": {"g4": 0.5},
        "g4": {"Q": 0.5},
        "g4 Q": {"h4": 0.25},
        "h4": {"#": 0.0625},
        "#": {"0-1": 0.5},
        "0-1": {"<end>": 0.25},
    }
    game = Game("mate", ("f3", "e5", "g4", "Qh4#"), "0-1")
    (found,) = measure_games(scripted(pgn.vocabulary, table), pgn, [game])
    bit = math.log(2)
    assert (found.game_id, found.num_plies, found.num_tokens) == ("mate", 4, 10)
    assert found.move_nats_sum == pytest.approx(7 * bit, rel=1e-5)
    assert found.number_nats == pytest.approx(4 * bit, rel=1e-5)
    assert found.mark_nats == pytest.approx(4 * bit, rel=1e-5)
    assert found.result_nats == pytest.approx(3 * bit, rel=1e-5)
    assert found.text_nats == pytest.approx(18 * bit, rel=1e-5)


class TwoWordings:
    """A king and a rook on each wing: O-O is the beginning of O-O-O, Kd1 has two wordings, all else is written x."""

    name = "two wordings"
    vocabulary = Vocabulary(
        ("<b>", "<e>", "<p>", "1-0", "O-O", "-O", "K", "d1", "Kd1", *(f"x{n}" for n in range(40))),
        *("<b>", "<e>", "<p>"),
        results={"1-0": "1-0"},
        marks=(),
    )
    board = chess.Board("4k3/8/8/8/8/8/8/R3K2R w KQ - 0 1")

    def prompt(self, board: chess.Board) -> list[int]:
        return [0]

    def spellings(self, board: chess.Board, move: chess.Move) -> list[list[int]]:
        known = {"e1g1": [[4]], "e1c1": [[4, 5]], "e1d1": [[8], [6, 7]]}
        return known.get(move.uci(), [[9 + list(board.legal_moves).index(move)]])


def test_a_spelling_that_begins_another_is_meant_only_if_the_other_doesnt_go_on(scripted: Callable) -> None:
    notation = TwoWordings()
    table = {"<b>": {"O-O": 0.5, "K": 0.2, "Kd1": 0.1}, "<b> O-O": {"-O": 0.3}, "<b> K": {"d1": 0.5}}
    (found,) = move_probabilities(scripted(notation.vocabulary, table), notation, [notation.board])
    each = 0.2 / (len(notation.vocabulary) - 3)
    left = 1.0 - 4 * each
    p = {move.uci(): math.exp(logprob) for move, logprob in zip(found.moves, found.logprobs, strict=True)}
    assert p["e1g1"] == pytest.approx(0.5 / left * 0.7, rel=1e-5)
    assert p["e1c1"] == pytest.approx(0.5 / left * 0.3, rel=1e-5)
    assert p["e1d1"] == pytest.approx((0.1 + 0.2 * 0.5) / left, rel=1e-5)
    assert found.legal_mass == pytest.approx((0.7 + (len(found.moves) - 3) * each) / left, rel=1e-5)


def test_a_spelling_has_no_probability_where_a_longer_one_always_goes_on(scripted: Callable) -> None:
    notation = TwoWordings()
    table = {"<b>": {"O-O": 1.0}, "<b> O-O": {"-O": 1.0}}
    (found,) = move_probabilities(scripted(notation.vocabulary, table), notation, [notation.board])
    assert found.best.uci() == "e1c1"
    assert found.legal_mass == pytest.approx(1.0)
    assert found.logprob_of(chess.Move.from_uci("e1g1")) < -10
