"""Players made of a function, matches of them, and engines that misbehave on purpose."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import chess
import pytest

from chesslm import uci_player
from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.cli import main
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.files import write_json
from chesslm.notation.registry import default_notation
from chesslm.openings import Opening
from chesslm.player import ClosingPlayer, Decision
from eval.adjudication import Adjudicator
from eval.match import play_fixtures
from eval.match_game import Fixture, PlayedGame
from eval.match_seats import Contestant, Seats

ENGINE = Path(__file__).parent / "scripted_engine.py"

E4 = Opening("E4", ("e4", "e5"))


class FunctionPlayer(ClosingPlayer):
    """Plays what a function of the board says; remembers how many boards it was asked for at once."""

    def __init__(self, decide: Callable[[chess.Board], Decision]) -> None:
        self.name = "function"
        self.asked: list[int] = []
        self.is_closed = False
        self._decide = decide

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        self.asked.append(len(boards))
        return [self._decide(board) for board in boards]

    def close(self) -> None:
        self.is_closed = True


def first_legal(board: chess.Board) -> Decision:
    return Decision(min(board.legal_moves, key=chess.Move.uci))


@dataclass
class Match:
    """A match under test: add contestants, then play."""

    max_plies: int = 30
    adjudicator: Adjudicator = field(default_factory=lambda: Adjudicator(None))
    contestants: dict[str, Contestant] = field(default_factory=dict)
    pgns: dict[int, str] = field(default_factory=dict)

    def add(self, contestant: Contestant) -> None:
        self.contestants[contestant.label] = contestant

    def play(self, fixtures: Sequence[Fixture], kept: Sequence[int] = ()) -> list[PlayedGame]:
        """Games by number."""
        games: list[PlayedGame] = []

        def keep(game: PlayedGame, pgn: str) -> None:
            games.append(game)
            self.pgns[game.fixture.number] = pgn

        with Seats() as seats, self.adjudicator:
            play_fixtures(
                fixtures,
                self.contestants,
                seats=seats,
                adjudicator=self.adjudicator,
                max_plies=self.max_plies,
                kept=kept,
                on_game=keep,
            )
        return sorted(games, key=lambda game: game.fixture.number)


@pytest.fixture
def match() -> Match:
    """With one player, `legal`, that plays the first legal move by name."""
    match = Match()
    match.add(Contestant("legal", "legal", lambda cycle: FunctionPlayer(first_legal)))
    return match


@pytest.fixture
def no_stockfish(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without Stockfish."""
    monkeypatch.setattr(uci_player.shutil, "which", lambda name: None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `chesslm eval …`: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["eval", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="session")
def function_player() -> type[FunctionPlayer]:
    return FunctionPlayer


@pytest.fixture(scope="session")
def pair() -> Callable[..., list[Fixture]]:
    """The two games of a pair, after 1. e4 e5 or, with `opening`, after something else."""

    def make(first: str, second: str, opening: Opening = E4, *, number: int = 0) -> list[Fixture]:
        sides = ((first, second), (second, first))
        return [Fixture(number + i, number // 2, *both, opening, 0) for i, both in enumerate(sides)]

    return make


@dataclass(frozen=True)
class ScriptedEngine:
    """A program that plays legally until it misbehaves (see `scripted_engine.py`).

    Args:
        path: to start it.
        log: has a line with the process id of each start.
    """

    path: Path
    log: Path

    @property
    def num_started(self) -> int:
        return len(self._pids())

    def assert_all_ended(self) -> None:
        """A kill takes its time on a busy machine: wait a little."""
        patience = time.monotonic() + 5
        while (running := [pid for pid in self._pids() if _runs(pid)]) and time.monotonic() < patience:
            time.sleep(0.01)
        assert not running

    def _pids(self) -> list[int]:
        return [int(line) for line in self.log.read_text(encoding="utf-8").split()]


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[str, int], ScriptedEngine]:
    """Makes an engine of a mode that misbehaves from a ply on."""

    def make(mode: str, ply: int) -> ScriptedEngine:
        path, log = tmp_path / "engine", tmp_path / "pids.txt"
        words = " ".join(f"'{word}'" for word in (sys.executable, ENGINE, log, mode, ply))
        path.write_text(f"#!/bin/sh\nexec {words}\n", encoding="utf-8")
        path.chmod(0o755)
        return ScriptedEngine(path, log)

    return make


def _runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `long` and `short`: tiny untrained networks, one with a short context."""
    root = tmp_path_factory.mktemp("runs")
    notation = default_notation("pgn")
    for name, context_len in (("long", 700), ("short", 60)):
        config = TrainConfig(
            run=RunSection(out="unused", seed=1),
            data=TrainDataSection(games="unused", notation="pgn"),
            model=ModelSection(width=16, depth=1, heads=2, mlp_width=24, context_len=context_len),
            training=TrainingSection(steps=1, games_per_step=1),
        )
        checkpoint = write_checkpoint(
            root / name,
            state=TrainingState(step=3, games_seen=17, tokens_seen=1_900, train_s=2.5),
            config=config,
            notation=notation,
            games_digest="0" * 64,
            provenance={},
            weights=fresh_model(config.model, len(notation.vocabulary), seed=9).state_dict(),
            training={},
        )
        named = {"format": "chesslm-run/1", "final_checkpoint": str(checkpoint.relative_to(root / name))}
        write_json(root / name / "run.json", named)
    return root
