"""A thinker that does as it is told, an engine whose lines are caught, a small checkpoint, and malformed lines."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import chess
import pytest

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.notation.registry import default_notation
from play.uci_engine import Engine
from play.uci_options import Settings
from play.uci_protocol import info_string
from play.uci_thinker import Thought

PATIENCE_S = 300.0


class ScriptedThinker:
    """Plays the first allowed move in UCI order, once `may_think` is set; raises `fault` if there is one."""

    def __init__(self) -> None:
        self.may_think = threading.Event()
        self.may_think.set()
        self.is_asked = threading.Event()
        self.fault: Exception | None = None
        self.asked: list[tuple[str, tuple[str, ...], Settings]] = []
        self.prepared: list[Settings] = []

    def prepare(self, settings: Settings) -> None:
        self.prepared.append(settings)
        if self.fault is not None:
            raise self.fault

    def think(self, board: chess.Board, allowed: Collection[chess.Move], settings: Settings) -> Thought:
        names = tuple(sorted(move.uci() for move in allowed))
        self.asked.append((board.fen(), names, settings))
        self.is_asked.set()
        if not self.may_think.wait(PATIENCE_S):
            raise TimeoutError("nobody let the thinker think")
        if self.fault is not None:
            raise self.fault
        return Thought((info_string("thought"),), chess.Move.from_uci(names[0]))


class Talk:
    """An engine and what it has said."""

    def __init__(self, thinker: ScriptedThinker, settings: Settings) -> None:
        self.thinker = thinker
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        self.engine = Engine(self._say, thinker, settings, failed=self.failures.put)

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.said.put(line)

    def tell(self, *lines: str) -> None:
        for line in lines:
            assert self.engine.tell(line)

    def until(self, start: str) -> list[str]:
        """All lines up to the first that begins so."""
        lines = []
        while not lines or not lines[-1].startswith(start):
            lines.append(self.said.get(timeout=PATIENCE_S))
        return lines

    def ask(self, *lines: str) -> list[str]:
        """Tell lines; what is said up to `bestmove`."""
        self.tell(*lines)
        return self.until("bestmove")

    def is_silent(self) -> bool:
        """Whether nothing more was said before the engine was ready."""
        self.tell("isready")
        return self.until("readyok") == ["readyok"]


@pytest.fixture
def thinker() -> ScriptedThinker:
    return ScriptedThinker()


@pytest.fixture
def talk(thinker: ScriptedThinker) -> Iterator[Talk]:
    talking = Talk(thinker, Settings(model="scripted"))
    yield talking
    thinker.may_think.set()
    talking.engine.close()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained model with room for 40 tokens, as a checkpoint."""
    notation = default_notation("pgn")
    config = TrainConfig(
        run=RunSection(out="runs/tiny"),
        data=TrainDataSection(games="games", notation="pgn"),
        model=ModelSection(width=16, depth=1, heads=1, mlp_width=16, context_len=40),
        training=TrainingSection(steps=1, games_per_step=1),
    )
    return write_checkpoint(
        tmp_path_factory.mktemp("tiny"),
        state=TrainingState(step=1),
        config=config,
        notation=notation,
        games_digest="0" * 64,
        provenance={},
        weights=fresh_model(config.model, len(notation.vocabulary), seed=1).state_dict(),
        training={},
    )


SEEDS = (
    "uci",
    "debug on",
    "debug off",
    "isready",
    "setoption name MultiPV value 3",
    "setoption name Temperature value 0.7",
    "setoption name TopP value 0.9",
    "setoption name Policy value strict",
    "setoption name Seed value 12",
    "setoption name Threads value 1",
    "register later",
    "ucinewgame",
    "position startpos",
    "position startpos moves e2e4 e7e5 g1f3 b8c6 f1b5",
    "position fen r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R w KQkq - 0 1 moves e1g1 e8c8",
    "position fen rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1 moves d2d4",
    "position fen 7k/P7/8/8/8/8/8/K7 w - - 0 1 moves a7a8q",
    "go",
    "go infinite",
    "go ponder wtime 1000 btime 1000",
    "go wtime 60000 btime 60000 winc 100 binc 100 movestogo 40",
    "go depth 3 searchmoves e2e4 d2d4",
    "go nodes 10 mate 2 movetime 50",
    "stop",
    "ponderhit",
)
_WORDS = tuple(sorted({word for line in SEEDS for word in line.split()}))
_ODD = (
    "0000",
    "e2e9",
    "a7a8k",
    "-1",
    "99999999999999999999999",
    "nan",
    "1e999",
    "",
    "\t",
    "\x00",
    "\x1b[2J",
    "é",
    "棋",
)
_ODD_LINES = (
    "position",
    "position fen",
    "position moves e2e4",
    "go searchmoves",
    "setoption",
    "setoption name",
    "debug",
)


def malformed_line(generator: random.Random) -> str:
    """A line of a client that is broken in some way, or not; `quit` isn't among them."""
    kind = generator.random()
    if kind < 0.1:
        return "".join(chr(generator.randrange(1, 0xD800)) for _ in range(generator.randrange(40)))
    if kind < 0.2:
        return generator.choice(_ODD_LINES)
    words = generator.choice(SEEDS).split(" ")
    for _ in range(generator.randrange(4)):
        place = generator.randrange(len(words) + 1)
        change = generator.randrange(5)
        if change == 0:
            words.insert(place, generator.choice(_WORDS))
        elif change == 1:
            words.insert(place, generator.choice(_ODD))
        elif change == 2 and words:
            del words[place % len(words)]
        elif change == 3 and words:
            words[place % len(words)] = generator.choice((*_WORDS, *_ODD))
        elif words:
            word = words[place % len(words)]
            cut = generator.randrange(len(word) + 1)
            words[place % len(words)] = word[:cut] + chr(generator.randrange(33, 256)) + word[cut + 1 :]
    return generator.choice((" ", " ", " ", "  ", "\t")).join(words).replace("quit", "quilt").replace("\n", " ")


@pytest.fixture(scope="session")
def malformed() -> Callable[[random.Random], str]:
    return malformed_line
