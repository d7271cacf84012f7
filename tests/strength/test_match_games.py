"""Games of a match: how they end, what they count, and what their PGN says."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import chess
import chess.pgn
import pytest

from chesslm.errors import GameTooLong, UnsupportedPosition
from chesslm.openings import Opening, book
from chesslm.player import Decision
from eval.adjudication import Verdict
from eval.match import BLOCK_LEN, blocks
from eval.match_game import Fixture, OpenGame, natural_end
from eval.match_schedule import Pairing, in_one_match, pairs_at_most, schedule, unpaired
from eval.match_seats import Contestant


def fixture(*san: str) -> Fixture:
    return Fixture(0, 0, "white", "black", Opening("some opening", san), 0)


def san_decision(board: chess.Board, san: str) -> Decision:
    return Decision(board.parse_san(san))


def test_a_mate_ends_a_game() -> None:
    game = OpenGame(fixture("f3", "e5", "g4"), 100)
    game.play(san_decision(game.board, "Qh4#"), strict=True)
    assert game.ended is not None
    assert (game.ended.result, game.ended.reason, game.ended.at_fault) == ("0-1", "checkmate", None)
    assert (game.ended.points_of("white"), game.ended.points_of("black"), game.ended.plies) == (0.0, 1.0, 4)


@pytest.mark.parametrize(
    ("fen", "end"),
    [
        ("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1", ("1/2-1/2", "stalemate")),
        ("7k/6Q1/6K1/8/8/8/8/8 b - - 0 1", ("1-0", "checkmate")),
        ("7k/8/6K1/8/8/8/8/8 w - - 0 1", ("1/2-1/2", "insufficient material")),
        ("7k/8/6K1/8/8/8/8/R7 w - - 100 90", ("1/2-1/2", "fifty moves")),
        ("7k/8/6K1/8/8/8/8/R7 w - - 99 90", None),
    ],
)
def test_the_rules_end_games(fen: str, end: tuple[str, str] | None) -> None:
    assert natural_end(chess.Board(fen)) == end


def test_a_third_repetition_is_claimed_at_once() -> None:
    game = OpenGame(fixture("Nf3", "Nf6", "Ng1", "Ng8", "Nf3", "Nf6", "Ng1"), 100)
    assert game.ended is None
    game.play(san_decision(game.board, "Ng8"), strict=False)
    assert game.ended is not None
    assert (game.ended.result, game.ended.reason) == ("1/2-1/2", "threefold repetition")


def test_a_strict_player_loses_at_its_first_illegal_choice_and_a_lenient_one_plays_on() -> None:
    move = chess.Move.from_uci("e2e4")
    wrong = Decision(move, first_choice="Ke3", legal_mass=0.5, candidates=((move, 0.25),), error_kind="path blocked")
    strict, lenient = OpenGame(fixture(), 100), OpenGame(fixture(), 100)
    strict.play(wrong, strict=True)
    lenient.play(wrong, strict=False)
    assert strict.ended is not None
    assert (strict.ended.result, strict.ended.reason, strict.ended.at_fault) == ("0-1", "illegal first choice", "white")
    assert "'Ke3' (path blocked)" in strict.ended.note
    assert "rules infraction" in strict.pgn()
    assert lenient.ended is None
    assert lenient.board.peek() == move


def test_a_strict_player_plays_its_first_choice_and_not_the_most_probable_move() -> None:
    best, first = chess.Move.from_uci("e2e4"), chess.Move.from_uci("d2d4")
    decision = Decision(best, first_choice="d4", first_choice_move=first, candidates=((best, 0.5), (first, 0.4)))
    for is_strict, expected in ((True, first), (False, best)):
        game = OpenGame(fixture(), 100)
        game.play(decision, strict=is_strict)
        assert game.board.peek() == expected


def test_an_illegal_move_is_a_failure_and_loses() -> None:
    game = OpenGame(fixture("e4"), 100)
    game.play(Decision(chess.Move.from_uci("e2e4")), strict=False)
    assert game.ended is not None
    assert (game.ended.result, game.ended.reason, game.ended.at_fault) == ("1-0", "player failure", "black")
    assert "played e2e4, which is illegal" in game.ended.note


def test_the_record_of_a_game_is_pgn_with_the_decision_behind_each_move() -> None:
    move = chess.Move.from_uci("e7e5")
    decision = Decision(move, first_choice="e{5}\n", legal_mass=0.98765, candidates=((move, 0.5),), error_kind="odd")
    game = OpenGame(Fixture(6, 3, 'a "model" \\ with\nodd letters', "black", Opening("King's", ("e4",)), 0), 3)
    game.play(decision, strict=False)
    game.play(san_decision(game.board, "Nf3"), strict=False)
    assert game.needs_verdict == "ply limit"
    game.give_up()
    game.adjudicate(Verdict("1-0", "material", "because"))
    text = game.pgn()
    assert text.endswith("\n\n")
    assert text.count("\n\n") == 2
    read = chess.pgn.read_game(io.StringIO(text))
    assert read is not None
    assert not read.errors
    assert [node.san() for node in read.mainline()] == ["e4", "e5", "Nf3"]
    assert read.headers["Round"] == "7"
    assert read.headers["White"] == "a 'model' / with odd letters"
    assert read.headers["Termination"] == "adjudication"
    assert read.headers["Result"] == "1-0"
    assert [node.comment for node in read.mainline()] == [
        "",
        "first e(5)  (odd), legal 0.9877, p 0.5000",
        "game too long: because",
    ]


def test_a_game_at_the_ply_limit_is_adjudicated_and_not_silently_a_draw(match: Any, pair: Callable[..., Any]) -> None:
    match.add(Contestant("other", "other", match.contestants["legal"].seat))
    match.max_plies = 12
    games = match.play(pair("legal", "other"))
    assert [(game.reason, game.adjudicated_by, game.plies) for game in games] == [("ply limit", "material", 12)] * 2
    assert all(game.note.startswith("material") for game in games)


@pytest.mark.parametrize("error", [GameTooLong, UnsupportedPosition])
def test_a_game_that_a_model_cannot_write_is_adjudicated_and_its_other_games_go_on(
    match: Any, pair: Callable[..., Any], function_player: Callable[..., Any], error: type[Exception]
) -> None:
    def decide(board: chess.Board) -> Decision:
        if board.ply() > 8 and board.move_stack[0].uci() == "e2e4":
            raise error("no room")
        return Decision(min(board.legal_moves, key=chess.Move.uci))

    match.max_plies = 14
    match.add(Contestant("model", "model", lambda cycle: function_player(decide), is_batched=True))
    games = match.play([*pair("model", "legal"), *pair("model", "legal", Opening("D4", ("d4", "d5")), number=2)])
    assert [game.reason for game in games] == ["game too long"] * 2 + ["ply limit"] * 2
    assert {game.adjudicated_by for game in games} == {"material"}


def test_two_policies_of_a_model_are_asked_in_one_batch(
    match: Any, pair: Callable[..., Any], function_player: Callable[..., Any]
) -> None:
    players = []

    def seat(cycle: int) -> Any:
        players.append(function_player(lambda board: Decision(min(board.legal_moves, key=chess.Move.uci))))
        return players[-1]

    match.add(Contestant("model lenient", "model", seat, is_batched=True))
    match.add(Contestant("model strict", "model", seat, is_batched=True, is_strict=True))
    match.play([*pair("model lenient", "legal"), *pair("model strict", "legal", number=2)])
    (player,) = players
    assert set(player.asked) == {4}
    assert player.is_closed


def test_a_match_that_goes_on_plays_unfinished_blocks_again_and_keeps_what_there_is(
    match: Any, function_player: Callable[..., Any]
) -> None:
    match.add(Contestant("other", "other", match.contestants["legal"].seat))
    match.max_plies = 14
    fixtures = list(schedule([Pairing("legal", "other", 40)], seed=1))
    assert [len(block) for block in blocks(fixtures)] == [BLOCK_LEN, 80 - BLOCK_LEN]
    whole = match.play(fixtures)
    assert [game.fixture.number for game in whole] == list(range(80))
    rest = match.play(fixtures, kept=range(70))
    assert [game.fixture.number for game in rest] == list(range(70, 80))
    assert rest == whole[70:]
    assert match.play(fixtures, kept=range(80)) == []


def test_a_block_begins_with_new_players(match: Any, function_player: Callable[..., Any]) -> None:
    players = []

    def seat(cycle: int) -> Any:
        players.append(function_player(lambda board: Decision(min(board.legal_moves, key=chess.Move.uci))))
        return players[-1]

    match.add(Contestant("model", "model", seat, is_batched=True))
    match.max_plies = 12
    match.play(list(schedule([Pairing("legal", "model", 40)], seed=1)))
    assert len(players) == 2
    assert all(player.is_closed for player in players)


def test_pairs_share_an_opening_and_colours_are_swapped() -> None:
    fixtures = list(schedule([Pairing("a", "b", 3), Pairing("a", "c", 2)], seed=5))
    assert [f.number for f in fixtures] == list(range(10))
    assert [f.pair for f in fixtures] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [(f.white, f.black) for f in fixtures[:2]] == [("a", "b"), ("b", "a")]
    assert all(first.opening == second.opening for first, second in zip(fixtures[::2], fixtures[1::2], strict=True))
    assert [f.opening for f in fixtures[6:]] == [f.opening for f in fixtures[:4]]
    assert len({f.opening for f in fixtures}) == 3
    assert list(schedule([Pairing("a", "b", 3)], seed=6)) != fixtures[:6]


def test_whoever_leaves_nothing_to_chance_plays_an_opening_once() -> None:
    assert pairs_at_most(500, both_deterministic=True) == len(book())
    cycles = [f.cycle for f in schedule([Pairing("a", "b", len(book()) + 1)], seed=0)]
    assert (cycles[0], cycles[-1]) == (0, 1)


def test_unpaired_games_have_openings_of_their_own_and_colours_take_turns() -> None:
    fixtures = list(unpaired("a", "b", 6, seed=0))
    assert len({f.opening for f in fixtures}) == 6
    assert [f.white for f in fixtures] == ["a", "b"] * 3
    assert len({f.pair for f in fixtures}) == 6


def test_several_series_make_one_match() -> None:
    joined = in_one_match(schedule([Pairing("a", "b", 2)], seed=0), unpaired("c", "d", 2, seed=0))
    assert [f.number for f in joined] == list(range(6))
    assert [f.pair for f in joined] == [0, 0, 1, 1, 2, 3]
