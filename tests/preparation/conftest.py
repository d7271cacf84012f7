"""What the preparation tests share: made-up games, and the command run in this process."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import chess
import pytest

from chesslm.cli import main
from data_prep import progress

Run = Callable[..., "Ran"]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `chesslm data …`; gives exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "120")

    def run_command(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main(["data", *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run_command


@pytest.fixture(autouse=True)
def no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command says must not depend on how busy the machine is; the tests of progress ask for lines."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", math.inf)


def random_game(number: int, num_plies: int) -> str:
    """A legal game of random moves in the dump's own format; the same for the same numbers."""
    generator = random.Random(number)
    board = chess.Board()
    words = []
    while len(words) < num_plies and (moves := list(board.legal_moves)):
        move = generator.choice(moves)
        comment = " { [%clk 0:01:00] }" if number % 3 == 0 else ""
        dots = f"{board.fullmove_number}. " if board.turn else f"{board.fullmove_number}... " if comment else ""
        words.append(f"{dots}{board.san(move)}{comment}")
        board.push(move)
    result = ("1-0", "0-1", "1/2-1/2")[number % 3]
    tags = {
        "Event": "Rated Blitz game" if number % 2 else "Casual Bullet game",
        "Site": f"https://lichess.org/{number:08d}",
        "White": f"player{number % 7}",
        "Black": f"player{number % 5}",
        "Result": result,
        "UTCDate": "2013.01.01",
        "WhiteElo": str(1000 + 37 * number % 1500),
        "BlackElo": "?" if number % 4 == 0 else str(1100 + 41 * number % 1500),
        "TimeControl": ("60+0", "180+2", "600+5", "-")[number % 4],
    }
    headers = "".join(f'[{name} "{value}"]\n' for name, value in tags.items())
    return f"{headers}\n{' '.join(words)} {result}\n\n"


@pytest.fixture(scope="session")
def games_text() -> bytes:
    """60 games of 2 to 40 plies, all different."""
    return "".join(random_game(number, 2 + number * 7 % 39) for number in range(60)).encode()


@pytest.fixture
def pgn(tmp_path: Path, games_text: bytes) -> Path:
    """`games_text` as a file."""
    path = tmp_path / "games.pgn"
    path.write_bytes(games_text)
    return path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, games_text: bytes) -> Path:
    """`games_text` prepared in two notations; not to be changed."""
    from data_prep.config import PrepareConfig
    from data_prep.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    (folder / "games.pgn").write_bytes(games_text)
    config = PrepareConfig.model_validate(
        {"data": {"workers": 1}, "split": {"test_per_10000": 2000, "val_per_10000": 2000}}
    )
    prepare([str(folder / "games.pgn")], folder / "out", ["pgn", "english"], config)
    return folder / "out"
