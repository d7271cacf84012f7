"""The UCI player against scripted engines that behave, lie, hang and die; and against Stockfish."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import chess
import pytest

from chesslm.errors import MissingToolError, PlayerError
from chesslm.player import choose
from chesslm.uci_player import MATE_CENTIPAWNS, UciPlayer, find_stockfish

FAKE = Path(__file__).parent / "fake_engine.py"


def fake(log: Path, mode: str) -> list[str]:
    return [sys.executable, "-S", "-E", str(FAKE), str(log), mode]


def heard(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


def num_running(log: Path) -> int:
    """How many processes have the log's path among their words: the engine, and what it started."""
    num = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            num += os.fsencode(log) in path.read_bytes().split(b"\0")
    return num


def assert_no_process_left(log: Path) -> None:
    """A kill takes its time on a busy machine: wait a little."""
    patience = time.monotonic() + 5
    while num_running(log) and time.monotonic() < patience:
        time.sleep(0.01)
    assert num_running(log) == 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "heard.txt"


def test_an_engine_that_behaves_is_asked_for_each_board(log: Path) -> None:
    with UciPlayer(fake(log, "good"), nodes=50) as player:
        assert player.name == "Fake 1.0"
        assert num_running(log) == 1
        decisions = player.choose_many([chess.Board(), chess.Board()])
    assert [decision.move.uci() for decision in decisions] == ["e2e4", "e2e4"]
    assert heard(log).count("go nodes 50") == 2
    assert_no_process_left(log)


def test_the_engine_gets_the_whole_game_and_starts_afresh_for_each_move(log: Path) -> None:
    board = chess.Board()
    for san in ("Nf3", "Nf6", "Ng1", "Ng8"):
        board.push_san(san)
    with UciPlayer(fake(log, "good"), depth=3) as player:
        assert choose(player, board).move == chess.Move.from_uci("e2e4")
        choose(player, board)
    assert heard(log).count("ucinewgame") == 2
    assert heard(log).count("position startpos moves g1f3 g8f6 f3g1 f6g8") == 2
    assert "go depth 3" in heard(log)


def test_a_game_from_a_set_up_position_is_sent_with_its_fen(log: Path) -> None:
    board = chess.Board("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1")
    with UciPlayer(fake(log, "good"), nodes=1) as player:
        choose(player, board)
    assert "position fen 4k3/8/8/8/8/8/4P3/4K3 w - - 0 1" in heard(log)


def test_options_are_set_once_and_the_name_can_be_given(log: Path) -> None:
    with UciPlayer(fake(log, "good"), nodes=1, options={"Hash": 2}, name="opponent") as player:
        assert player.name == "opponent"
        player.choose_many([chess.Board(), chess.Board()])
    assert heard(log).count("setoption name Hash value 2") == 1


@pytest.mark.parametrize("as_command", [shlex.join, list])
def test_a_command_is_a_line_or_words(as_command: Callable[[list[str]], str | list[str]], log: Path) -> None:
    with UciPlayer(as_command(fake(log, "good")), nodes=1) as player:
        assert choose(player, chess.Board()).move.uci() == "e2e4"


def test_best_lines_have_values_for_the_side_to_move_with_mates_as_large_numbers(log: Path) -> None:
    with UciPlayer(fake(log, "good"), nodes=1) as player:
        lines = player.best_lines(chess.Board(), 1, nodes=77)
    assert [(line.move.uci(), line.centipawns) for line in lines] == [("e2e4", 31), ("f2f3", 3 - MATE_CENTIPAWNS)]
    assert "go nodes 77" in heard(log)


@pytest.mark.parametrize("mode", ["dies", "lies", "babbles", "gives up"])
def test_an_engine_that_fails_at_its_move_is_named_and_ended(mode: str, log: Path) -> None:
    player = UciPlayer(fake(log, mode), nodes=1)
    with pytest.raises(PlayerError, match=Path(sys.executable).name):
        choose(player, chess.Board())
    assert_no_process_left(log)
    with pytest.raises(PlayerError, match="has been closed"):
        choose(player, chess.Board())


def test_an_engine_without_lines_is_refused(log: Path) -> None:
    with (
        UciPlayer(fake(log, "says nothing of lines"), nodes=1) as player,
        pytest.raises(PlayerError, match="gave no move in rnbq"),
    ):
        player.best_lines(chess.Board(), 1)
    assert_no_process_left(log)


@pytest.mark.parametrize(
    ("mode", "told"),
    [("lies", "illegal uci: 'e2e5'"), ("lies after good lines", "illegal uci: 'e2e5'"), ("babbles", "hello")],
)
def test_an_analysis_that_ends_in_a_lie_is_ended_at_once_and_says_why(mode: str, told: str, log: Path) -> None:
    with UciPlayer(fake(log, mode), nodes=1) as player:
        with pytest.raises(PlayerError, match=f"failed: .*{told}"):
            player.best_lines(chess.Board(), 1)
        assert_no_process_left(log)


def test_an_engine_that_hangs_is_ended_when_its_time_is_up(log: Path) -> None:
    with UciPlayer(fake(log, "hangs"), nodes=1, timeout_s=0.4) as player:
        with pytest.raises(PlayerError, match=r"gave no answer within 0\.4 s"):
            choose(player, chess.Board())
        assert_no_process_left(log)


def test_what_a_hanging_engine_started_is_ended_with_it(log: Path) -> None:
    with UciPlayer(fake(log, "hangs with a child"), nodes=1, timeout_s=0.4) as player:
        assert num_running(log) == 2
        with pytest.raises(PlayerError, match="gave no answer"):
            choose(player, chess.Board())
        assert_no_process_left(log)


def test_an_engine_without_a_handshake_is_ended(log: Path) -> None:
    with pytest.raises(PlayerError, match=r"gave no UCI handshake within 0\.3 s"):
        UciPlayer(fake(log, "silent"), nodes=1, start_timeout_s=0.3)
    assert_no_process_left(log)


def test_an_engine_that_ends_at_once_is_refused(log: Path) -> None:
    with pytest.raises(PlayerError, match="ended before it was ready"):
        UciPlayer(fake(log, "gone at once"), nodes=1)
    assert_no_process_left(log)


def test_an_unknown_option_is_refused_by_name_and_leaves_no_process(log: Path) -> None:
    with pytest.raises(PlayerError, match="Skill"):
        UciPlayer(fake(log, "good"), nodes=1, options={"Skill Level": 3})
    assert_no_process_left(log)


def test_a_missing_engine_is_refused_by_name() -> None:
    with pytest.raises(PlayerError, match=r"can't start engine /no/such/engine: No such file"):
        UciPlayer(Path("/no/such/engine"), nodes=1)


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(PlayerError, match="empty command"):
        UciPlayer("  ", nodes=1)


def test_a_command_line_with_an_open_quote_is_refused() -> None:
    with pytest.raises(PlayerError, match="No closing quotation"):
        UciPlayer("engine 'of mine", nodes=1)


def test_an_engine_without_a_limit_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="limit"):
        UciPlayer("engine")


def test_closing_twice_is_harmless(log: Path) -> None:
    player = UciPlayer(fake(log, "good"), nodes=1)
    player.close()
    player.close()
    assert_no_process_left(log)


def test_an_interrupt_while_the_engine_thinks_ends_it(log: Path) -> None:
    player = UciPlayer(fake(log, "hangs"), nodes=1)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), 2))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        choose(player, chess.Board())
    assert_no_process_left(log)


def test_a_failing_engine_logs_no_second_line(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    player = UciPlayer(fake(log, "dies"), nodes=1)
    with caplog.at_level(logging.WARNING), pytest.raises(PlayerError):
        choose(player, chess.Board())
    assert caplog.records == []


def test_stockfish_is_found_on_the_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "stockfish"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_stockfish() == own


def test_a_machine_without_stockfish_is_told_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingToolError, match="Debian package stockfish"):
        find_stockfish()


@pytest.mark.stockfish
def test_stockfish_mates_in_one_and_plays_the_same_move_in_the_same_game() -> None:
    mate = chess.Board("6k1/5ppp/8/8/8/8/5PPP/R5K1 w - - 0 1")
    middle = chess.Board()
    for san in ("e4", "e5", "Nf3", "Nc6", "Bc4", "Nf6", "d3", "Be7"):
        middle.push_san(san)
    with UciPlayer(find_stockfish(), nodes=300, options={"Hash": 1, "Threads": 1}) as player:
        assert "Stockfish" in player.name
        assert choose(player, mate).move == chess.Move.from_uci("a1a8")
        first = choose(player, middle)
        lines = player.best_lines(middle, 3)
        assert 1 <= len(lines) <= 3
        choose(player, mate)
        assert choose(player, middle) == first
        assert player.best_lines(middle, 3) == lines
