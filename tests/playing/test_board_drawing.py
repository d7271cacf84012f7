"""The drawn board and its panels: sizes, squares under the mouse, rooms that are never exceeded."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path

import chess
import pytest

from chesslm.notation.registry import build_notation
from chesslm.player import Decision
from play.background import Background
from play.board_drawing import SIZES, Look, Marks, draw_board, square_at
from play.board_panels import mind_lines, move_columns, page_lines
from play.board_text import ASCII, FILLED, Glyphs
from play.model_list import list_models
from play.session import GameSession
from play.writing import Piece, written_pieces


def played(num_plies: int, seed: int) -> chess.Board:
    board, generator = chess.Board(), random.Random(seed)
    while len(board.move_stack) < num_plies and not board.is_game_over():
        board.push(generator.choice(list(board.legal_moves)))
    return board


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_drawing_has_its_size_and_every_square_is_found_in_it(size: int, is_ascii: bool) -> None:
    glyphs = ASCII if is_ascii else FILLED
    for white_below in (True, False):
        look = Look(glyphs, size, white_below=white_below, has_drawn_marks=is_ascii)
        lines = draw_board(played(30, size), look).plain.split("\n")
        assert [len(line) for line in lines] == [look.width] * look.height
        places = [(column, row) for row in range(look.height) for column in range(look.width)]
        found = [square_at(column, row, look) for column, row in places]
        assert {square for square in found if square is not None} == set(chess.SQUARES)
        for square in chess.SQUARES:
            assert found.count(square) >= look.columns * size
        corner = chess.A8 if white_below else chess.H1
        assert square_at(2, 0, look) == corner
        assert square_at(0, 0, look) is None
        assert square_at(look.width, 0, look) is None


def test_marks_are_drawn_where_colours_cannot_be_seen() -> None:
    board = chess.Board()
    for san in ("e4", "e5", "Qh5", "Ke7", "Qxe5"):
        board.push_san(san)
    marks = Marks(frozenset({chess.H5, chess.E5}), chess.E7, chess.A2, frozenset({chess.A3, chess.D7}))
    lines = draw_board(board, Look(ASCII, 1, has_drawn_marks=True), marks).plain.split("\n")
    assert lines[1] == "7  p  p  p xpx!k! p  p  p "
    assert lines[3].rstrip() == "5             [Q]      [ ]"
    assert lines[5].rstrip() == "3  *"
    assert lines[6].startswith("2 <P>")


@pytest.mark.parametrize("glyphs", [ASCII, FILLED], ids=["ascii", "unicode"])
def test_panels_keep_within_their_rooms(glyphs: Glyphs) -> None:
    board = played(90, 7)
    session = GameSession({chess.WHITE: None, chess.BLACK: None}, start=board)
    notation = build_notation("pgn", [])
    pieces = written_pieces(notation, board, [None] * len(board.move_stack))
    legal = tuple((move, 1.5 / (n + 2)) for n, move in enumerate(chess.Board().legal_moves))
    decision = Decision(legal[-1][0], "White captures with the knight from file b on d2", None, 1.0, legal)
    for width in (20, 44, 69):
        for height in (1, 6, 13):
            drawn = [
                move_columns(session, len(board.move_stack), glyphs, max(22, width), height),
                page_lines(pieces, glyphs, width, height),
            ]
            if width > 30:
                drawn.append(mind_lines(chess.Board(), decision, glyphs, width, height, record="9 of 10"))
            for text in drawn:
                lines = text.plain.split("\n")
                assert len(lines) <= height
                assert max(len(line.rstrip()) for line in lines) <= max(22, width)


def test_the_moves_that_are_shown_hold_the_one_that_is_looked_at() -> None:
    board = played(120, 3)
    session = GameSession({chess.WHITE: None, chess.BLACK: None}, start=board)
    for shown in (1, 60, len(board.move_stack)):
        text = move_columns(session, shown, FILLED, 44, 5)
        assert session.san[shown - 1] in text.plain
        assert f"{(shown - 1) // 2 + 1}. " in text.plain


def test_a_drawn_move_is_shown_even_where_it_was_improbable() -> None:
    board = chess.Board()
    legal = tuple((move, 0.04) for move in board.legal_moves)
    text = mind_lines(board, Decision(legal[-1][0], "x", legal[0][0], 0.8, legal), ASCII, 40, 6).plain
    assert f"> {board.san(legal[-1][0])}" in text
    assert "first choice x, legal" in text


def test_sentences_run_on_and_commands_of_a_terminal_are_no_tokens() -> None:
    pieces = [
        Piece(" White", "person", 0),
        Piece(" moves", "person", 0),
        Piece("Ke2", "wanted", 1),
        Piece(".", "frame", 2),
    ]
    assert page_lines(pieces, ASCII, 40, 1).plain == " White moves !Ke2! ."
    board = played(4, 1)
    decision = Decision(board.peek(), first_choice="\x1b[2J", first_choice_move=None)
    written = written_pieces(build_notation("pgn", []), board, [None, None, None, decision])
    assert all(piece.text.isprintable() for piece in written)
    assert written_pieces(build_notation("pgn", []), chess.Board("4k3/8/8/8/8/8/8/4K3 w - - 0 1"), []) == []


def test_what_runs_in_the_background_waits_its_turn_and_hands_on_errors() -> None:
    began, may_end = threading.Event(), threading.Event()

    def wait() -> str:
        began.set()
        may_end.wait(20)
        return "first"

    def fail() -> None:
        raise ValueError("second")

    async def scenario() -> list[object]:
        background = Background()
        first = asyncio.create_task(background.run(wait))
        await asyncio.sleep(0)
        dropped = asyncio.create_task(background.run(fail))
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, began.wait, 20)
        dropped.cancel()
        await asyncio.sleep(0)
        may_end.set()
        results: list[object] = [await first]
        with pytest.raises(ValueError, match="second"):
            await background.run(fail)
        background.close(patience_s=20)
        return results

    assert asyncio.run(scenario()) == ["first"]


def test_models_are_listed_from_folders_that_may_be_missing_or_odd(tmp_path: Path) -> None:
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").write_text("")
    listed = list_models([tmp_path, tmp_path / "missing", tmp_path / "file"])
    assert listed[-1] == ("random", "random  (any legal move)")
    assert all(name for name, _ in listed)
