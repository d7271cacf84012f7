"""The real command, seen by a real client and by rude ones."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import chess
import chess.engine
import pytest

COMMAND = [sys.executable, "-m", "chesslm.cli", "uci"]
# Importing torch alone takes seconds, and minutes on a machine that others keep busy.
PATIENCE_S = 300


@pytest.fixture
def engine(checkpoint: Path) -> Iterator[chess.engine.SimpleEngine]:
    command = [*COMMAND, "--model", str(checkpoint)]
    running = chess.engine.SimpleEngine.popen_uci(command, timeout=PATIENCE_S)
    yield running
    running.quit()
    assert running.returncode.result(PATIENCE_S) == 0


def answers(*options: str, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *options], input=lines, capture_output=True, timeout=PATIENCE_S, check=False)


def start(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )


def say(process: subprocess.Popen[bytes], line: str, *, until: str) -> list[str]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n".encode())
    lines: list[str] = []
    while not lines or not lines[-1].startswith(until):
        lines.append(process.stdout.readline().decode())
        assert lines[-1], "the engine ended"
    return lines


def test_a_client_plays_analyses_and_configures(engine: chess.engine.SimpleEngine) -> None:
    assert engine.id["name"].startswith("chesslm ")
    engine.configure({"Temperature": 0.5, "TopP": 0.9, "TopK": 20, "Seed": 4, "Policy": "lenient", "Threads": 1})
    board = chess.Board()
    for limit in (
        chess.engine.Limit(time=0.1),
        chess.engine.Limit(depth=2),
        chess.engine.Limit(nodes=10),
        chess.engine.Limit(mate=1),
        chess.engine.Limit(white_clock=9, black_clock=9, white_inc=1, black_inc=1, remaining_moves=5),
    ):
        played = engine.play(board, limit, info=chess.engine.INFO_ALL)
        assert played.move in board.legal_moves
        assert played.info["pv"] == [played.move]
        board.push(played.move)
    lines = engine.analyse(board, chess.engine.Limit(depth=1), multipv=3)
    assert len({line["pv"][0] for line in lines}) == 3
    wanted = [board.parse_uci(move.uci()) for move in list(board.legal_moves)[:2]]
    assert engine.play(board, chess.engine.Limit(depth=1), root_moves=wanted).move in wanted
    with engine.analysis(board) as analysis:
        assert analysis.get()["string"]
        analysis.stop()
        best = analysis.wait()
        assert best.move in board.legal_moves
    engine.ping()


def test_a_client_may_take_moves_back_and_begin_again(engine: chess.engine.SimpleEngine) -> None:
    generator = random.Random(3)
    for game in range(2):
        board = chess.Board()
        for _ in range(8):
            played = engine.play(board, chess.engine.Limit(depth=1), game=game)
            assert played.move in board.legal_moves
            board.push(played.move)
            board.push(generator.choice(list(board.legal_moves)))
        board.pop()
        board.pop()
        assert engine.play(board, chess.engine.Limit(depth=1), game=game).move in board.legal_moves


def test_uciok_comes_before_torch_is_imported() -> None:
    code = "import sys, play.uci_cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S, check=False).returncode == 0


def test_the_end_of_input_is_quit_but_what_was_asked_is_answered(checkpoint: Path) -> None:
    done = answers("--model", str(checkpoint), lines=b"uci\nposition startpos moves e2e4\r\ngo infinite")
    assert (done.returncode, done.stderr) == (0, b"")
    move = done.stdout.decode().splitlines()[-1].removeprefix("bestmove ")
    assert chess.Board("rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1").is_legal(chess.Move.from_uci(move))


@pytest.mark.parametrize(
    "lines", [b"", b"quit\n", b"uci\nquit\n", b"uci\nisready\nquit\n", b"uci\ngo infinite\nquit\n"]
)
def test_it_ends_at_quit_whatever_it_was_doing(lines: bytes, checkpoint: Path) -> None:
    done = answers("--model", str(checkpoint), lines=lines)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("order", ["isready", "go"])
def test_a_model_that_isnt_there_is_one_line_and_2(order: str, tmp_path: Path) -> None:
    done = answers("--model", str(tmp_path / "none"), lines=f"uci\n{order}\n".encode())
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert str(tmp_path / "none").encode() in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--temperature", "nan"), "--temperature"),
        (("--temperature", "-1"), "--temperature"),
        (("--top-p", "0"), "--top-p"),
        (("--policy", "kind"), "--policy"),
        (("--multipv", "0"), "--multipv"),
        (("--model", " "), "--model"),
    ],
)
def test_a_bad_option_is_one_line_and_2(options: tuple[str, ...], said: str) -> None:
    done = answers(*options, lines=b"uci\n")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert said.encode() in done.stderr


def test_ctrl_c_is_130() -> None:
    with start("--model", "random") as process:
        say(process, "uci", until="uciok")
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert complaint == b"interrupted\n"


@pytest.mark.parametrize("line", ["uci", "go"])
def test_a_client_that_goes_away_is_no_failure(line: str) -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "--model", "random"], stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        os.close(reading)
        _, complaint = process.communicate(f"{line}\nisready\n".encode(), timeout=PATIENCE_S)
    assert (process.returncode, complaint) == (0, b"")


def test_a_line_that_never_ends_and_bytes_that_are_no_text_are_survived() -> None:
    done = answers("--model", "random", lines=b"x" * 3_000_000 + b"\n\xff\xfe\x00go\n\xc3\nisready\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"readyok\n", b"")


def test_malformed_lines_through_a_pipe_leave_no_trace(
    malformed: Callable[[random.Random], str], request: pytest.FixtureRequest, checkpoint: Path
) -> None:
    is_exhaustive = request.config.getoption("--exhaustive")
    generator = random.Random(21)
    with start("--model", str(checkpoint) if is_exhaustive else "random") as process:
        assert process.stdin is not None
        for _ in range(500 if is_exhaustive else 20):
            lines = [malformed(generator) for _ in range(100)]
            # A model chosen by accident would only be slow; what can't be encoded comes as it is.
            block = "".join(f"{line}\n" for line in lines if "Model" not in line).encode(errors="surrogatepass")
            process.stdin.write(block + bytes(generator.randrange(256) for _ in range(20)).replace(b"\n", b""))
            say(process, "\nstop\nisready", until="readyok")
        say(process, "debug off\nposition startpos\ngo\nstop", until="bestmove")
        process.stdin.write(b"quit\n")
        _, complaint = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, complaint) == (0, b"")
