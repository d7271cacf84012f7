"""Whole games at the terminal board, by keys, by typed lines and by mouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import chess.pgn
import pytest

Sit = Callable[..., Any]
# Black walks into a mate on h5; White's a-pawn promotes on the way.
PROMOTION_AND_MATE = {1: "b5", 3: "!Ke6 a6", 5: "f6", 7: "g5", 9: "Ra6", 11: "Ra5"}


def games(path: str = "games.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


async def play_a_whole_game(person: Any, enter: Callable[..., Any]) -> None:
    await enter("a5")
    assert "No pawn of White's can go to a5" in person.said
    await enter("hint")
    assert "In your place scripted would play a3." in person.said
    assert person.app.course.hint is not None
    await enter("a4", "d4")
    await person.press("ctrl+z")
    await person.press("ctrl+y")
    await enter("undo", "axb5")
    assert person.san == "a4 b5 axb5 a6"
    await enter("bxa6", "a7", "axb8")
    assert "The pawn becomes" in person.text
    await person.press("n")
    assert person.san.endswith("axb8=N Ra6")
    await enter("e4", "Qh5", "save won.pgn", "save won.pgn")
    assert "White wins by checkmate (1-0)." in person.said
    assert "scripted: 5 of its 6 first choices were legal" in person.said
    assert "won.pgn exists and is not overwritten; choose another name." in person.said


def check_the_whole_game() -> None:
    with Path("won.pgn").open() as file:
        game = chess.pgn.read_game(file)
    assert game is not None
    assert game.end().board().is_checkmate()
    assert "wanted Ke6" in Path("won.pgn").read_text()
    (line,) = games()
    assert (line["result"], line["termination"], line["hints"], line["undos"]) == ("1-0", "checkmate", 1, 2)
    assert line["typed"]


def test_a_game_by_keystrokes_alone(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.key_in("a5")
        assert "No pawn of White's can go to a5" in person.said
        await person.press("ctrl+t")
        assert "In your place scripted would play Ra2." in person.said
        await person.key_in("h3")
        await person.press("ctrl+z")
        await person.press("ctrl+y")
        await person.press("f2")
        await person.key_in("axb8")
        assert "The pawn becomes" in person.text
        await person.press("n")
        await person.key_in("e4", "Qh5")
        assert person.san.endswith("axb8=N Ra6 e4 Ra5 Qh5#")
        assert person.app.size == (80, 24)
        assert "Game over>" in person.text
        assert "Qh5#" in person.text
        await person.press("ctrl+s")
        await person.key_in("w.pgn")
        await person.press("ctrl+q")

    given = "1. a4 b5 2. axb5 a6 3. bxa6 f6 4. a7 g5"
    app = sit(scenario, scripted(PROMOTION_AND_MATE), moves=given)
    assert app.return_code == 0
    assert "Qh5# 1-0" in Path("w.pgn").read_text()
    assert [(game["hints"], game["undos"], game["given_plies"]) for game in games()] == [(1, 2, 8)]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (44, 14)])
def test_a_whole_game_in_ascii_and_in_every_size(size: tuple[int, int], sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        assert person.text.isascii()
        await play_a_whole_game(person, person.type)
        assert person.text.isascii()
        await person.press("f1")
        assert "Help" in person.text
        assert person.text.isascii()
        await person.press("escape", "f8")
        assert person.text.isascii()

    sit(scenario, scripted(PROMOTION_AND_MATE), size=size, ascii_only=True)
    check_the_whole_game()


def test_the_screen_shows_board_mind_moves_and_page(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("a4", "axb5")
        screen = person.text
        assert "What scripted thought at 2..." in screen
        assert "! it wanted Ke6: illegal" in screen
        assert "legal mass   90.0 %  ####" in screen
        assert "1. a4      b5" in screen
        assert "2. axb5    a6!" in screen
        assert "<begin> 1. a4 b5 2. a x b5 !Ke6! a6" in screen
        assert "8  r   n   b   q   k   b   n   r" in screen
        assert "[p]" in screen
        assert "> White you" in screen
        assert "p +1" in screen

    sit(scenario, scripted(PROMOTION_AND_MATE), ascii_only=True)


def test_typing_shows_completions_and_tab_takes_what_they_agree_on(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.press("N", "tab")
        assert "Na3  Nc3  Nf3  Nh3" in person.text
        assert person.app.view.marks().targets == {chess.A3, chess.C3, chess.F3, chess.H3}
        await person.press("f", "tab")
        assert person.app.focused.value == "Nf3"
        await person.press("enter")
        assert person.san.startswith("Nf3 ")
        await person.press("t", "e", "m", "right")
        assert person.app.focused.value == "temperature"
        await person.press("escape", "up")
        assert person.app.focused.value == "Nf3"
        await person.press("down", "z", "tab")
        assert person.app.focused.value == "z"

    sit(scenario, scripted({}))


def test_a_game_is_played_with_the_mouse(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.click("a2")
        assert person.app.view.marks().targets == {chess.A3, chess.A4}
        await person.click("a2")
        assert person.app.view.picked is None
        await person.click("e7", "h2", "a2", "a4", "a4", "b5", "b5", "a6", "a6", "a7", "a7", "b8")
        assert "The pawn becomes" in person.text
        await person.press("escape")
        assert person.san.endswith("a7 g5")
        await person.click("a7", "b8")
        await person.press("down", "enter")
        assert person.san.endswith("axb8=R Ra6")
        await person.press("pageup")
        await person.click("e2")
        assert person.app.view.is_present
        await person.type("flip")
        await person.click("e2", "e4")
        assert person.san.endswith("e4 Ra5")

    sit(scenario, scripted(PROMOTION_AND_MATE))


def test_a_set_up_position_is_refused_clearly_where_the_notation_cannot_write_it(sit: Sit, scripted: Any) -> None:
    fen = "fen 4k3/8/8/8/8/8/4P3/4K3 b - - 3 40"

    async def refused(person: Any) -> None:
        await person.type("fen nonsense", fen)
        assert "fen: no FEN: " in person.said
        assert "scripted can't play from there (pgn): the game began at 4k3/8/8" in person.said
        assert person.app.course.session.is_from_start

    async def played(person: Any) -> None:
        await person.type(fen)
        assert "The game begins at a set-up position, so no ledger records it." in person.said
        assert person.san == "Kd7"
        assert " 40. ...     Kd7" in person.text
        assert "This player reads and writes no tokens." in person.text
        await person.type("e4")
        assert " 41. e4 " in person.text
        await person.press("ctrl+q")

    sit(refused, scripted({}))
    app = sit(played, scripted({0: "Kd7"}), language=False)
    assert games() == []
    assert "--fen '4k3/8/8/8/8/8/4P3/4K3 b - - 3 40' --moves '40... Kd7 41. e4 " in app.course.left[-1]


def test_a_game_goes_on_in_every_size_of_terminal(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        sizes = {(120, 40): 3, (200, 60): 5, (60, 24): 1, (30, 10): 1, (10, 4): 1, (80, 24): 2, (140, 48): 4}
        for (width, height), size in sizes.items():
            await person.pilot.resize_terminal(width, height)
            await person.settle()
            assert person.app.view.look.size == size
            assert max(len(line) for line in person.screen) <= width
            assert len(person.screen) <= height
            await person.type("a3" if len(person.san) == 0 else "h3", "undo")
        assert "The mind of" in person.text
        assert "Your move>" in person.text

    sit(scenario, scripted({}))


def test_how_moves_are_drawn_can_be_changed_at_any_time(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("top-k 5", "temperature x", "temperature -1", "e4")
        assert "top-k and top-p choose what is drawn from, so they need a temperature above 0." in person.said
        assert "temperature x: not a number." in person.said
        assert "temperature -1.0: not a finite number of 0 or more." in person.said
        await person.type("temperature 0.7", "top-k 5", "top-p 0.9", "top-k 1.5", "top-p 2")
        assert "From here on: temperature 0.7, top-k 5, top-p 0.9, seed 0." in person.said
        assert "(A game in which a seat changes hands counts for nobody.)" in person.said
        assert "top-k 1.5: not a whole number." in person.said
        assert "top-p 2: not in (0, 1]." in person.said
        await person.type("top-k off", "d4")
        assert "(T 0.7)" in person.text
        await person.type("temperature 0")
        assert "From here on: best legal move." in person.said
        await person.type("resign")

    sit(scenario, scripted({1: "e5", 3: "exd4"}))
    assert [(game["changes"], game["policy"]["top_p"]) for game in games()] == [(5, None)]


def test_sides_are_changed_and_games_begun_ended_and_loaded(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("swap")
        assert person.san == "e4"
        assert person.app.course.table.near_colour == chess.BLACK
        await person.type("e5", "draw", "take white", "new purple", "new black", "e5")
        assert "declines: the model takes a draw from move 20 on" in person.said
        assert "new takes white, black or random after it, or nothing." in person.said
        await person.type("resign", "resign", "d5", "redo", "undo", "new white")
        assert "White wins by resignation (1-0)." in person.said
        assert "The game is over: new starts another" in person.said
        assert "There is nothing to play again." in person.said
        Path("hostile.pgn").write_text('[White "\x1b[2J[bold]Ann[/bold]"]\n\n1. d4 d5 2. c4 *\n')
        await person.type("load hostile.pgn")
        assert "Going on after 3 plies of ?[2J[bold]Ann[/bold] - ?." in person.said
        await person.type("load none.pgn", "start 1. e4 Ke3", "start 1. f3 e5 2. g4", "undo now", "save")
        assert "can't read none.pgn: No such file or directory." in person.said
        assert 'start: "Ke3" at ply 2' in person.said
        assert "undo takes nothing after it." in person.said
        assert "A new PGN file" in person.text
        await person.press("escape")
        assert "Black wins by checkmate" in person.said or person.app.course.session.ending is None

    sit(scenario, scripted({0: "e4", 2: "Nf3", 3: "e6"}))
    assert [game["termination"] for game in games()] == ["unfinished", "resignation"]


def test_earlier_positions_are_looked_at_and_the_menu_leads_everywhere(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("back", "e4", "d4")
        await person.press("pageup", "pageup", "pageup")
        assert len(person.app.view.board.move_stack) == 1
        assert not person.app.view.can_move
        assert "The mind of" in person.text
        await person.press("pagedown")
        assert "thought at 1..." in person.text
        await person.press("escape")
        assert person.app.view.is_present
        await person.type("flip")
        assert person.screen[1].startswith("1  ♜")
        await person.press("ctrl+p", "enter")
        assert person.san == "e4 e5"
        await person.type("reveal on", "reveal maybe")
        assert "reveal needs on or off after it." in person.said
        await person.press("question_mark")
        assert "What the model shows" in person.text
        await person.press("q")
        await person.type("speed")
        assert "how long models wait" in person.text
        await person.type("")
        await person.press("space")
        assert person.san == "e4 e5"

    sit(scenario, scripted({1: "e5", 3: "exd4"}))


def test_tokens_appear_one_after_another(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        person.app.view.set_revealing(True)
        person.app.course.play(chess.Move.from_uci("e2e4"))
        await person.settle()
        view = person.app.view
        while view.reveal_next():
            pass
        assert view.page(80, 2).plain.rstrip() == "<begin> 1. e4 ✗Ke6✗ N c6"
        view.turn_page()
        assert not view.reveal_next()
        view._num_known_plies -= 1
        view.turn_page()
        assert view.page(80, 2).plain.rstrip() == "<begin> 1. e4"
        assert view.reveal_next()
        assert view.page(80, 2).plain.rstrip() == "<begin> 1. e4 ✗Ke6✗"

    sit(scenario, scripted({1: "!Ke6 Nc6"}))


def test_a_game_that_is_left_is_recorded_and_its_command_is_kept(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("e4")
        await person.press("ctrl+c")

    app = sit(scenario, scripted({1: "e5"}))
    assert app.is_interrupted
    assert app.course.left == ["chesslm play --model scripted --colour white --moves '1. e4 e5'"]
    assert app.course.parting == [f"Recorded in {Path('games.jsonl').resolve()}."]
    assert [game["termination"] for game in games()] == ["unfinished"]
