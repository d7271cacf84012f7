"""The engine between its commands: one answer to each `go`, when it may be sent, and never for another position."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import chess
import pytest

from chesslm.errors import InputError
from play.uci_options import Settings

Talk = Any
Thinker = Any


def test_uci_introduces_the_engine_and_its_options(talk: Talk) -> None:
    talk.tell("uci")
    lines = talk.until("uciok")
    assert lines[0].startswith("id name chesslm ")
    assert lines[0].endswith(" scripted")
    assert lines[1].startswith("id author ")
    names = [line.split()[2] for line in lines if line.startswith("option")]
    assert names == ["Model", "Temperature", "TopP", "TopK", "MultiPV", "Policy", "Seed", "Threads"]


def test_the_thinker_prepares_while_nothing_is_asked_yet(talk: Talk, thinker: Thinker) -> None:
    talk.tell("uci", "isready")
    talk.until("readyok")
    assert [settings.model for settings in thinker.prepared] == ["scripted", "scripted"]


def test_a_position_is_answered_with_one_move(talk: Talk, thinker: Thinker) -> None:
    assert talk.ask("position startpos moves e2e4", "go movetime 100") == ["info string thought", "bestmove a7a5"]
    assert thinker.asked[0][0] == chess.Board("rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1").fen()
    assert talk.is_silent()


def test_without_a_position_the_game_begins(talk: Talk) -> None:
    assert talk.ask("go")[-1] == "bestmove a2a3"


def test_a_new_game_begins_at_the_start(talk: Talk, thinker: Thinker) -> None:
    talk.ask("position startpos moves e2e4", "go")
    talk.ask("ucinewgame", "go")
    assert thinker.asked[-1][0] == chess.STARTING_FEN


def test_searchmoves_are_what_is_chosen_among(talk: Talk, thinker: Thinker) -> None:
    assert talk.ask("go searchmoves g1f3 e7e5 d2d4")[-1] == "bestmove d2d4"
    assert thinker.asked[-1][1] == ("d2d4", "g1f3")
    # Nothing legal among them restricts nothing: some answer is owed.
    assert talk.ask("go searchmoves e7e5")[-1] == "bestmove a2a3"


@pytest.mark.parametrize("go", ["go infinite", "go ponder wtime 100 btime 100"])
@pytest.mark.parametrize("order", ["thought first", "stopped first"])
def test_a_held_answer_waits_for_stop(talk: Talk, thinker: Thinker, go: str, order: str) -> None:
    if order == "stopped first":
        thinker.may_think.clear()
    talk.tell(go)
    if order == "thought first":
        assert talk.until("info string thought") == ["info string thought"]
        assert talk.is_silent()
        assert talk.ask("stop") == ["bestmove a2a3"]
    else:
        lines = talk.ask("stop")
        assert lines[0].startswith("info string random move: the model had not answered")
        assert chess.Move.from_uci(lines[-1].split()[1]) in chess.Board().legal_moves
        thinker.may_think.set()
    # What the model thinks too late is not said.
    assert talk.is_silent()


def test_ponderhit_lets_the_answer_out_when_it_is_there(talk: Talk, thinker: Thinker) -> None:
    talk.tell("go ponder")
    talk.until("info string thought")
    assert talk.ask("ponderhit") == ["bestmove a2a3"]
    thinker.may_think.clear()
    talk.tell("go ponder", "ponderhit")
    thinker.may_think.set()
    assert talk.until("bestmove") == ["info string thought", "bestmove a2a3"]
    assert talk.is_silent()


def test_isready_is_answered_during_a_search(talk: Talk, thinker: Thinker) -> None:
    thinker.may_think.clear()
    talk.tell("go", "isready")
    assert talk.until("readyok") == ["readyok"]
    thinker.may_think.set()
    assert talk.until("bestmove")[-1] == "bestmove a2a3"


def test_stop_ponderhit_and_register_mean_nothing_without_a_search(talk: Talk) -> None:
    talk.tell("stop", "ponderhit", "register later", "hello", "")
    assert talk.is_silent()
    talk.ask("go")
    talk.tell("stop", "ponderhit")
    assert talk.is_silent()


def test_each_go_has_its_answer_even_where_a_client_doesnt_wait(talk: Talk) -> None:
    talk.tell("go infinite", "position startpos moves e2e4", "go", "position startpos moves d2d4 d7d5", "go")
    moves = [talk.until("bestmove")[-1] for _ in range(3)]
    assert moves == ["bestmove a2a3", "bestmove a7a5", "bestmove a2a3"]


@pytest.mark.parametrize(
    "position",
    ["position startpos moves e2e5", "position fen nonsense", "position", "position fen 8/8/8/8/8/8/8/8 w - - 0 1"],
)
def test_a_bad_position_is_never_answered_with_a_move_of_the_one_before(talk: Talk, position: str) -> None:
    talk.ask("position startpos moves d2d4", "go")
    talk.tell(position)
    lines = talk.ask("go")
    assert lines[0].startswith("info string ")
    assert lines[-2].startswith("info string no move: ")
    assert lines[-1] == "bestmove 0000"
    assert talk.ask("position startpos", "go")[-1] == "bestmove a2a3"


@pytest.mark.parametrize("go", ["go", "go infinite"])
def test_a_finished_game_has_no_move(talk: Talk, go: str) -> None:
    talk.tell("position startpos moves f2f3 e7e5 g2g4 d8h4", go)
    if go != "go":
        assert talk.until("info string no move") == ["info string no move: the game is over"]
        talk.tell("stop")
    assert talk.until("bestmove")[-1] == "bestmove 0000"


def test_options_reach_the_thinker_and_mistakes_are_told(talk: Talk, thinker: Thinker) -> None:
    talk.tell("setoption name MultiPV value 4", "setoption name Hash value 64", "setoption name Seed value x")
    assert talk.said.get(timeout=300) == (
        "info string there is no option Hash; there are Model, Temperature, TopP, TopK, MultiPV, Policy, Seed, Threads"
    )
    assert talk.said.get(timeout=300) == "info string option Seed: 'x' is not from 0 to 2147483647"
    talk.ask("go")
    assert thinker.asked[-1][2] == Settings(model="scripted", multi_pv=4)


def test_debug_tells_what_was_not_understood(talk: Talk) -> None:
    talk.tell("debug on", "hello", "", "debug off", "hello again")
    assert talk.until("info string not understood") == ["info string not understood: hello"]
    assert talk.is_silent()


def test_a_model_chosen_later_that_cant_be_loaded_is_told_and_gives_no_move(talk: Talk, thinker: Thinker) -> None:
    thinker.fault = InputError("nowhere: is no folder")
    talk.tell("setoption name Model value nowhere", "isready")
    assert talk.until("readyok") == ["info string error: nowhere: is no folder", "readyok"]
    assert talk.ask("go") == ["info string no move: nowhere: is no folder", "bestmove 0000"]
    assert talk.failures.empty()
    thinker.fault = None
    assert talk.ask("setoption name Model value scripted", "go")[-1] == "bestmove a2a3"


@pytest.mark.parametrize("line", ["isready", "go"])
def test_a_model_of_the_command_line_that_cant_be_loaded_ends_the_engine(
    talk: Talk, thinker: Thinker, line: str
) -> None:
    thinker.fault = InputError("scripted: is no folder")
    talk.tell("uci", line)
    assert str(talk.failures.get(timeout=300)) == "scripted: is no folder"


def test_a_bug_in_the_thinker_is_not_hidden(talk: Talk, thinker: Thinker) -> None:
    thinker.fault = ZeroDivisionError("bug")
    talk.tell("go")
    assert isinstance(talk.failures.get(timeout=300), ZeroDivisionError)


def test_quit_ends_and_the_end_of_input_lets_answers_out_first(talk: Talk) -> None:
    assert not talk.engine.tell("quit")
    talk.tell("go infinite")
    talk.engine.end_of_input()
    assert talk.until("bestmove")[-1] == "bestmove a2a3"


def test_a_closing_engine_says_whether_it_still_thinks(talk: Talk, thinker: Thinker) -> None:
    thinker.may_think.clear()
    talk.tell("go")
    assert thinker.is_asked.wait(300)
    assert not talk.engine.close(within_s=0.01)
    thinker.may_think.set()
    assert talk.engine.close()


def test_malformed_lines_bring_no_failure_and_the_engine_still_answers(
    talk: Talk, malformed: Callable[[random.Random], str], request: pytest.FixtureRequest
) -> None:
    generator = random.Random(11)
    for number in range(50_000 if request.config.getoption("--exhaustive") else 3_000):
        talk.tell(malformed(generator))
        if number % 100 == 0:
            talk.tell("stop", "isready")
            talk.until("readyok")
            while not talk.said.empty():
                talk.said.get()
            assert talk.failures.empty()
    talk.tell("stop", "debug off")
    assert talk.ask("position startpos", "go")[-1].startswith("bestmove ")
