"""Who sits at the terminal board: other models, models against each other, players that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import chess.pgn
import pytest

from chesslm.errors import PlayerError
from chesslm.player import RandomPlayer

Sit = Callable[..., Any]


def games(path: str = "games.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def test_another_model_is_chosen_midway(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("e4", "model second", "Nf3")
        assert person.san == "e4 e5 Nf3 Nc6"
        assert "second (pgn, best legal move) sits down." in person.said
        await person.type("model third")
        assert "third can't be played: third: is no folder. model chooses another." in person.said
        await person.type("resign")

    first, second = scripted({1: "e5"}, name="first"), scripted({3: "Nc6"}, name="second")
    sit(scenario, {"first": first, "second": second})
    (line,) = games()
    assert (line["model"], line["changes"], line["result"]) == ("second", 1, "0-1")


def test_a_model_is_chosen_from_a_list(sit: Sit, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(person: Any) -> None:
        await person.press("ctrl+o")
        assert "Who plays against you?" in person.text
        await person.press("down", "enter")
        assert "second (pgn, best legal move) sits down." in person.said
        await person.type("watch")
        assert "Who plays in your place?" in person.text
        await person.press("end", "enter")
        await person.type("first")
        assert person.app.course.is_watched

    monkeypatch.setattr("play.board_app.list_models", lambda folders: [("first", "first"), ("second", "second")])
    players = {name: scripted({}, name=name) for name in ("first", "second")}
    sit(scenario, players, moves="1. f3 e5 2. g4 Qh4#")


def test_models_play_each_other(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        assert person.san == "f3 e5 g4 Qh4#"
        assert "black played 2... Qh4# (legal mass 90.0 %)" in " ".join(person.said.split())
        await person.type("undo", "resign", "draw", "hint", "e4")
        assert "There is no move of yours to take back." in person.said
        await person.type("new")
        assert person.san == "f3 e5 g4 Qh4#"
        assert "Nobody needs a hint." not in person.said

    players = {
        "black": scripted({1: "e5", 3: "Qh4"}, name="black"),
        "white": scripted({0: "f3", 2: "g4"}, name="white"),
    }
    app = sit(scenario, players, near="white")
    assert games() == []
    assert app.course.left == []


def test_models_that_play_each_other_stand_still_and_go_step_by_step(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("e4", "pause", "step", "speed 1")
        assert "Nothing to pause" in person.said
        assert "Nothing to step" in person.said
        person.app.course.is_paused = True
        await person.type("watch white", "speed 0", "speed x")
        assert "0 s between moves." in person.said
        assert "speed x: not a number." in person.said
        assert person.san == "e4 e5"
        await person.type("step")
        assert person.san == "e4 e5 Nf3"
        await person.type("resign", "draw", "hint", "d4")
        assert "You play neither side" in person.said
        assert "Nobody needs a hint." in person.said
        assert "Models play each other" in person.said
        await person.type("take black", "take green")
        assert person.app.course.table.near_colour == chess.BLACK
        assert "You play Black." in person.said
        assert "take needs white or black after it." in person.said
        await person.type("Nc6")
        assert person.san == "e4 e5 Nf3 Nc6 Bb5"
        await person.press("space")
        await person.type("watch nobody")
        assert "nobody can't be played" in person.said
        assert not person.app.course.is_watched
        await person.type("watch black")
        await person.press("space")
        assert "Going on." in person.said

    white = scripted({2: "Nf3", 4: "Bb5"}, name="white")
    black = scripted({1: "e5", 5: "a6"}, name="black", max_plies=12)
    app = sit(scenario, {"black": black, "white": white})
    assert app.course.session.ending is not None
    assert app.course.session.ending.termination == "game too long"


class Failing:
    """A player that can't be relied upon."""

    name = "failing"

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    def choose_many(self, boards: Any) -> Any:
        raise self._errors.pop(0)

    def close(self) -> None:
        pass


def test_a_model_that_fails_costs_a_line_and_no_game(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        await person.type("hint", "e4", "undo", "e4")
        assert "failing can't say: RuntimeError: out of ?memory." in person.said
        assert "failing can't move: the engine died. model chooses another" in person.said
        assert person.app.course.is_waiting
        await person.type("d4")
        assert person.san == "e4"
        assert person.app.focused.value == "d4"
        await person.type("model steady")
        assert person.san == "e4 e5"

    errors = [RuntimeError("out of \x1bmemory"), PlayerError("the engine died"), PlayerError("the engine died")]
    sit(scenario, {"failing": Failing(*errors), "steady": scripted({1: "e5"}, name="steady")})
    assert [game["moves"] for game in games()] == []


def test_a_model_that_cannot_be_loaded_leaves_the_board_standing(sit: Sit, scripted: Any) -> None:
    async def scenario(person: Any) -> None:
        assert "loading ..." in person.text
        assert "missing can't be played: missing: is no folder. model chooses another." in person.said
        await person.type("hint", "e4", "temperature 0.5", "model second")
        assert person.san == "e4 e5"
        assert "second (pgn, temperature 0.5, seed 0) sits down." in person.said

    class Missing(dict[str, Any]):
        def __contains__(self, name: object) -> bool:
            return name != "missing" and super().__contains__(name)

    sit(scenario, Missing({"missing": None, "second": scripted({1: "e5"}, name="second")}))


def test_a_player_without_probabilities_has_no_temperature(sit: Sit) -> None:
    async def scenario(person: Any) -> None:
        await person.type("model random", "temperature 1")
        assert "random draws from no probabilities" in person.said
        await person.type("e4", "hint")
        assert "it has no probabilities." in person.text

    app = sit(scenario, {"random": RandomPlayer()}, language=False)
    assert app.course.session.decisions[1] is not None
