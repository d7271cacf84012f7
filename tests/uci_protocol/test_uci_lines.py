"""What lines of the protocol say, right and wrong ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import InputError
from play.uci_options import MAX_SEED, Settings
from play.uci_protocol import Debug, Go, Position, SetOption, Word, info_string, parse

KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("uci", Word.UCI),
        ("  isready\t", Word.IS_READY),
        ("joho debug on", Debug(True)),
        ("debug off", Debug(False)),
        ("register later", Word.REGISTER),
        ("quit", Word.QUIT),
        ("setoption name Clear Hash", SetOption("Clear Hash", None)),
        ("setoption name Model value /my runs/a  b", SetOption("Model", "/my runs/a  b")),
        ("setoption name Model value", SetOption("Model", None)),
        ("setoption name  Top   P  value x value y", SetOption("Top P", "x value y")),
        ("go", Go()),
        ("go infinite searchmoves e2e4 d2d4 depth 5", Go(("e2e4", "d2d4"), is_infinite=True)),
        ("go searchmoves a7a8Q nonsense ponder", Go(("a7a8q",), is_pondering=True)),
        ("go wtime -5 btime abc winc 99999999999999999999999", Go()),
        ("position startpos", Position()),
        ("position startpos moves e2e4 e7e5", Position(None, ("e2e4", "e7e5"))),
        (f"position fen {KIWIPETE} moves e1g1", Position(KIWIPETE, ("e1g1",))),
        ("", None),
        ("   ", None),
        ("perft 5", None),
        ("setoption", None),
        ("setoption name", None),
        ("setoption name value 3", SetOption("value 3", None)),
        ("setoptionname x", None),
    ],
)
def test_a_line_says_what_the_protocol_says_it_does(line: str, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("position", "needs startpos or fen"),
        ("position fen", "needs startpos or fen"),
        ("position moves e2e4", "needs startpos or fen"),
        ("position fen rubbish", "no FEN"),
        ("position fen 8/8/8/8/8/8/8/8 w - - 0 1", "no position of a game of chess"),
        ("position fen kk6/8/8/8/8/8/8/K7 w - - 0 1", "no position of a game of chess"),
        ("position startpos moves e2e5", "move 1, e2e5, is illegal in rnbq"),
        ("position startpos moves e2e4 e7e5 hello", "move 3, hello, is illegal"),
        ("position startpos moves e2e4 0000", "move 2 is a null move"),
        ("position startpos moves \x1b[2J", r"move 1, \?\[2J, is illegal"),
    ],
)
def test_a_bad_position_is_no_board(line: str, reason: str) -> None:
    position = parse(line)
    assert isinstance(position, Position)
    with pytest.raises(InputError, match=reason):
        position.board()


def test_a_position_has_its_whole_game() -> None:
    position = parse("position startpos moves e2e4 e7e5 e1e2")
    assert isinstance(position, Position)
    assert [move.uci() for move in position.board().move_stack] == ["e2e4", "e7e5", "e1e2"]


@pytest.mark.parametrize("word", ["e1g1", "e1h1", "E1G1"])
def test_castling_is_the_same_move_however_it_is_written(word: str) -> None:
    board = Position(KIWIPETE, (word,)).board()
    assert board.piece_at(chess.G1) == chess.Piece.from_symbol("K")


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), num_plies=st.integers(0, 60), cut=st.integers(0, 60))
def test_a_position_that_goes_on_from_another_equals_one_from_its_start(seed: int, num_plies: int, cut: int) -> None:
    generator = random.Random(seed)
    board = chess.Board()
    for _ in range(num_plies):
        if board.is_game_over():
            break
        board.push(generator.choice(list(board.legal_moves)))
    moves = tuple(move.uci() for move in board.move_stack)
    before = Position(None, moves[:cut])
    earlier = before.board()
    kept = earlier.fen()
    for position in (Position(None, moves), Position(None, moves[: cut // 2]), Position(KIWIPETE, ())):
        found = position.board((before, earlier))
        assert (found.fen(), found.move_stack) == (position.board().fen(), position.board().move_stack)
    assert earlier.fen() == kept


@settings(deadline=None, max_examples=300)
@given(line=st.text(max_size=80))
def test_any_text_is_a_command_or_nothing(line: str) -> None:
    position = parse(line)
    if isinstance(position, Position):
        with pytest.raises(InputError):
            position.board()


def test_malformed_lines_are_commands_or_nothing(malformed: Callable[[random.Random], str]) -> None:
    generator = random.Random(5)
    for _ in range(2_000):
        command = parse(malformed(generator))
        if not isinstance(command, SetOption):
            continue
        told: list[str]
        try:
            told = Settings().with_option(command.name, command.value).declared()
        except InputError as error:
            told = [info_string(str(error))]
        assert not any("\n" in line for line in told)


def test_an_info_string_is_one_line_without_control_characters() -> None:
    assert info_string("a\nbestmove e2e4\r\x1b[2J") == "info string a bestmove e2e4 ?[2J"


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("Model", "runs/pgn", "model", "runs/pgn"),
        ("model", "<empty>", "model", None),
        ("Model", None, "model", None),
        ("TEMPERATURE", "0.7", "temperature", 0.7),
        ("TopP", "0.95", "top_p", 0.95),
        ("TopK", "40", "top_k", 40),
        ("MultiPV", "5", "multi_pv", 5),
        ("Policy", "Strict", "policy", "strict"),
        ("Seed", str(MAX_SEED), "seed", MAX_SEED),
        ("Threads", "2", "threads", 2),
    ],
)
def test_an_option_is_set(name: str, value: str | None, field: str, expected: object) -> None:
    changed = Settings(model="before").with_option(name, value)
    assert getattr(changed, field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Hash", "16"),
        ("Temperature", "-1"),
        ("Temperature", "nan"),
        ("Temperature", "inf"),
        ("Temperature", ""),
        ("TopP", "0"),
        ("TopP", "1.1"),
        ("TopP", "nan"),
        ("TopK", "-1"),
        ("MultiPV", "0"),
        ("MultiPV", "219"),
        ("MultiPV", "9" * 5_000),
        ("Policy", "kind"),
        ("Seed", "1.5"),
        ("Threads", "0"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        Settings().with_option(name, value)


def test_options_are_declared_with_what_is_set_as_defaults() -> None:
    declared = Settings(model="runs/pgn", temperature=0.5, multi_pv=2, policy="strict").declared()
    assert "option name Model type string default runs/pgn" in declared
    assert "option name Temperature type string default 0.5" in declared
    assert "option name MultiPV type spin default 2 min 1 max 218" in declared
    assert "option name Policy type combo default strict var lenient var strict" in declared
    assert Settings().declared()[0] == "option name Model type string default <empty>"
