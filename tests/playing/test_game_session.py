"""The session: turns, undo and redo, endings, and what is recorded; no terminal anywhere."""

from __future__ import annotations

import io
import random
from typing import Any

import chess
import chess.pgn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import GameTooLong
from chesslm.player import Decision, RandomPlayer
from play.endings import Ending, board_ending, claimable_draw, material_balance, takes_draw
from play.opponent import Opponent, Policy
from play.session import GameSession, MindRecord

POLICY = Policy(temperature=0.7, top_p=0.9, seed=3)


def against(player: Any, *, person: chess.Color = chess.WHITE, moves: str = "") -> GameSession:
    start = chess.Board()
    for san in moves.split():
        start.push_san(san)
    return GameSession({person: None, not person: Opponent(player, POLICY, "d1" * 32, "pgn")}, start=start)


def play(session: GameSession, *sans: str) -> None:
    for san in sans:
        session.play(session.board.parse_san(san))
        if session.ending is None:
            session.reply()


def test_moves_alternate_and_decisions_are_kept(scripted: Any) -> None:
    session = against(scripted({1: "e5", 3: "!Ke3 Nc6"}))
    play(session, "e4", "Nf3")
    assert session.san == ["e4", "e5", "Nf3", "Nc6"]
    assert session.last_decision is not None
    assert session.last_decision.first_choice == "Ke3"
    assert session.mind(chess.BLACK) == MindRecord(num_moves=2, num_legal=1, legal_mass=pytest.approx(0.9))
    assert session.mind(chess.WHITE) == MindRecord(0, 0, None)


def test_only_somebody_else_in_a_seat_is_a_change(scripted: Any) -> None:
    session = against(scripted({1: "e5"}))
    play(session, "e4")
    session.sit(chess.BLACK, session.seats[chess.BLACK])
    session.sit(chess.WHITE, None)
    assert not session.is_helped
    session.sit(chess.BLACK, Opponent(scripted({3: "Nc6"}), POLICY, "d2" * 32, "pgn"))
    assert session.is_helped


def test_nobody_moves_out_of_turn_or_illegally(scripted: Any) -> None:
    session = against(scripted({}), person=chess.BLACK)
    with pytest.raises(ValueError, match="a person can't play e7e5"):
        session.play(chess.Move.from_uci("e7e5"))
    session.reply()
    with pytest.raises(ValueError, match="no model is to move"):
        session.reply()
    with pytest.raises(ValueError, match="can't play e7e4"):
        session.play(chess.Move.from_uci("e7e4"))


def test_thinking_changes_nothing_until_it_is_accepted(scripted: Any) -> None:
    session = against(scripted({0: "d4"}), person=chess.BLACK)
    decision = session.thinking()()
    assert session.board.ply() == 0
    session.accept(decision)
    assert session.san == ["d4"]
    with pytest.raises(ValueError, match="no model is to move"):
        session.accept(Decision(chess.Move.from_uci("e2e4")))


def test_undo_takes_a_pair_back_and_redo_brings_its_thoughts_again(scripted: Any) -> None:
    session = against(scripted({1: "e5", 3: "Nc6"}))
    play(session, "e4", "Nf3")
    thought = session.last_decision
    assert (session.undo(), session.san, session.mover) == (2, ["e4", "e5"], None)
    assert (session.undo(), session.undo(), session.san) == (2, 0, [])
    assert (session.redo(), session.redo(), session.redo()) == (2, 2, 0)
    assert session.last_decision is thought
    assert session.is_helped


def test_a_new_move_forgets_what_was_taken_back(scripted: Any) -> None:
    session = against(scripted({}))
    play(session, "e4")
    session.undo()
    play(session, "d4")
    assert session.redo() == 0


def test_as_black_the_first_undo_leaves_the_model_s_first_move(scripted: Any) -> None:
    session = against(scripted({0: "e4", 2: "Nf3"}), person=chess.BLACK)
    session.reply()
    assert session.undo() == 0
    assert not session.is_helped
    play(session, "e5")
    assert (session.undo(), session.san) == (2, ["e4"])


def test_a_hint_is_the_model_s_view_of_the_person_s_position(scripted: Any) -> None:
    player = scripted({})
    session = against(player)
    assert session.hint().candidates[0][1] == 0.5
    assert player.asked == [chess.STARTING_FEN]
    assert session.is_helped
    session.resign()
    with pytest.raises(ValueError, match="nobody to ask"):
        session.hint()


def test_mate_ends_the_game_and_undo_reopens_it(scripted: Any) -> None:
    session = against(scripted({1: "e5", 3: "Qh4#"}))
    play(session, "f3", "g4")
    assert session.ending == Ending("0-1", "checkmate")
    assert session.ending.text == "Black wins by checkmate (0-1)"
    session.undo()
    assert session.ending is None
    session.redo()
    assert session.ending == Ending("0-1", "checkmate")


def test_a_game_too_long_for_the_model_ends_without_a_result(scripted: Any) -> None:
    session = against(scripted({}, max_plies=3))
    play(session, "e4", "d4")
    assert session.ending == Ending("*", "game too long")
    assert session.ending.text == "No result: game too long (*)"
    assert session.undo() == 1
    with pytest.raises(GameTooLong):
        against(scripted({}, max_plies=0)).hint()


def test_resignation_loses_for_the_person(scripted: Any) -> None:
    white, black = against(scripted({})), against(scripted({}), person=chess.BLACK)
    black.reply()
    white.resign()
    black.resign()
    assert (white.ending, black.ending) == (Ending("0-1", "resignation"), Ending("1-0", "resignation"))


@pytest.mark.parametrize(
    ("fen", "colour", "is_taken"),
    [
        ("4k3/8/8/8/8/8/4P3/4K3 w - - 0 19", chess.BLACK, False),
        ("4k3/8/8/8/8/8/4P3/4K3 w - - 0 20", chess.BLACK, True),
        ("4k3/4p3/8/8/8/8/4P3/4K3 w - - 0 20", chess.BLACK, True),
        ("4k3/4p3/8/8/8/8/8/4K3 w - - 0 20", chess.BLACK, False),
    ],
)
def test_a_model_takes_a_draw_by_the_stated_rule(fen: str, colour: chess.Color, is_taken: bool) -> None:
    assert takes_draw(chess.Board(fen), colour) == is_taken


def test_material_is_counted_in_pawns() -> None:
    assert material_balance(chess.Board("4k3/8/8/8/8/8/8/QRBNPK2 w - - 0 1"), chess.WHITE) == 9 + 5 + 3 + 3 + 1


def test_an_agreed_draw_ends_the_game(scripted: Any) -> None:
    session = against(scripted({}))
    assert not session.offer_draw()
    assert session.ending is None
    session.board.fullmove_number = 30
    assert session.offer_draw()
    assert session.ending is not None
    assert session.ending.text == "A draw by agreement (1/2-1/2)"


def test_a_third_repetition_can_be_claimed_and_a_fifth_ends_the_game(scripted: Any) -> None:
    back_and_forth = {ply: "Nf6" if ply % 4 == 1 else "Ng8" for ply in range(1, 30, 2)}
    session = against(scripted(back_and_forth))
    play(session, "Nf3", "Ng1")
    assert not session.claim_draw()
    play(session, "Nf3", "Ng1")
    assert claimable_draw(session.board) == Ending("1/2-1/2", "threefold repetition")
    play(session, "Nf3", "Ng1", "Nf3", "Ng1")
    assert session.ending == Ending("1/2-1/2", "fivefold repetition")
    session.undo()
    assert session.claim_draw()
    assert session.ending == Ending("1/2-1/2", "threefold repetition")


@pytest.mark.parametrize(
    ("fen", "ending"),
    [
        ("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1", Ending("1/2-1/2", "stalemate")),
        ("7k/8/6K1/8/8/8/8/8 b - - 0 1", Ending("1/2-1/2", "insufficient material")),
        ("7k/8/6K1/8/8/8/8/R7 b - - 150 100", Ending("1/2-1/2", "seventy-five moves")),
        ("R6k/8/6K1/8/8/8/8/8 b - - 0 1", Ending("1-0", "checkmate")),
        ("7k/8/6K1/8/8/8/8/R7 b - - 100 100", None),
    ],
)
def test_endings_by_the_rules(fen: str, ending: Ending | None) -> None:
    assert board_ending(chess.Board(fen)) == ending


def test_fifty_moves_can_be_claimed() -> None:
    board = chess.Board("7k/8/6K1/8/8/8/8/R7 b - - 100 100")
    assert claimable_draw(board) == Ending("1/2-1/2", "fifty moves")


def test_pgn_says_who_played_and_what_was_wanted(scripted: Any) -> None:
    session = against(scripted({1: "!Ke7} e5", 3: "Qh4#"}, name='the "best"\n\x1b[31m\\model'))
    play(session, "f3", "g4")
    game = chess.pgn.read_game(io.StringIO(session.pgn()))
    assert game is not None
    assert dict(game.headers) | {"Date": ""} == {
        "Event": "chesslm play",
        "Site": "?",
        "Date": "",
        "Round": "?",
        "White": "Person",
        "Black": "the 'best' ?[31m/model",
        "Result": "0-1",
        "TimeControl": "-",
        "Termination": "normal; checkmate",
        "WhiteType": "human",
        "BlackType": "program",
        "BlackDetails": "pgn, temperature 0.7, top-p 0.9, seed 3",
        "BlackDigest": "d1" * 32,
    }
    assert [node.comment for node in game.mainline()] == ["", "wanted Ke7)", "", ""]
    assert [move.uci() for move in game.mainline_moves()] == [move.uci() for move in session.board.move_stack]


def test_a_ledger_line_has_the_whole_game(scripted: Any) -> None:
    session = against(scripted({3: "e5", 5: "Qh4#"}), moves="a3 a6")
    play(session, "f3")
    session.hint()
    session.undo()
    session.redo()
    play(session, "g4")
    entry = session.ledger_entry(typed=True)
    assert entry is not None
    assert entry.model_dump(exclude={"date", "version"}) == {
        "format": "chesslm-people/1",
        "model": "scripted",
        "digest": "d1" * 32,
        "notation": "pgn",
        "policy": {"temperature": 0.7, "top_k": None, "top_p": 0.9, "seed": 3},
        "person": "white",
        "typed": True,
        "moves": ("a2a3", "a7a6", "f2f3", "e7e5", "g2g4", "d8h4"),
        "given_plies": 2,
        "result": "0-1",
        "termination": "checkmate",
        "hints": 1,
        "undos": 1,
        "changes": 0,
    }


def test_a_game_the_person_never_moved_in_is_no_entry(scripted: Any) -> None:
    assert against(scripted({}), moves="e4 e5").ledger_entry(typed=True) is None
    assert GameSession({chess.WHITE: None, chess.BLACK: None}).ledger_entry(typed=True) is None


def test_given_moves_that_were_taken_back_and_replaced_are_given_no_more(scripted: Any) -> None:
    session = against(scripted({1: "e5"}), moves="d4 d5 c4 e6")
    session.undo()
    session.undo()
    play(session, "e4")
    entry = session.ledger_entry(typed=True)
    assert entry is not None
    assert entry.given_plies == 0


def test_models_can_play_each_other() -> None:
    session = GameSession({chess.WHITE: Opponent(RandomPlayer()), chess.BLACK: Opponent(RandomPlayer(seed=1))})
    while session.ending is None:
        assert session.reply() is not None
    assert session.undo() == 0
    assert session.person is None


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_undo_and_redo_lose_nothing(seed: int) -> None:
    generator = random.Random(seed)
    person = generator.choice(chess.COLORS)
    session = GameSession({person: None, not person: Opponent(RandomPlayer(seed=seed))})
    for _ in range(generator.randrange(1, 25)):
        if session.ending is None and session.mover is not None:
            session.reply()
        if session.ending is None:
            session.play(generator.choice(sorted(session.board.legal_moves, key=chess.Move.uci)))
    before, ending = session.board.fen(), session.ending
    steps = []
    while count := session.undo():
        steps.append(count)
        assert session.mover is None
    assert sum(session.redo() for _ in steps) == sum(steps)
    assert (session.board.fen(), session.ending) == (before, ending)
