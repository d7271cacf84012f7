"""A scripted model and a way to play whole games through the real command."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import pytest

from chesslm import cli as command_line
from chesslm.errors import GameTooLong
from chesslm.player import ClosingPlayer, Decision
from play import cli as play_cli
from play.opponent import Opponent, Policy


class ScriptedPlayer(ClosingPlayer):
    """Plays a list of SAN moves by ply, else its first candidate; "!Ke2 e4" wants the illegal Ke2 and plays e4.

    Its candidates are the first three legal moves in UCI order with 0.5, 0.3 and 0.1.
    """

    def __init__(self, script: dict[int, str], *, name: str = "scripted", max_plies: int = 1_000) -> None:
        self.name = name
        self.script = script
        self.max_plies = max_plies
        self.asked: list[str] = []
        self.is_closed = False

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        return [self._choose(board) for board in boards]

    def close(self) -> None:
        self.is_closed = True

    def _choose(self, board: chess.Board) -> Decision:
        self.asked.append(board.fen())
        ply = len(board.move_stack)
        if ply >= self.max_plies:
            raise GameTooLong(f"{ply} plies are more than the {self.max_plies} of the context")
        legal = sorted(board.legal_moves, key=chess.Move.uci)
        candidates = tuple(zip(legal, (0.5, 0.3, 0.1), strict=False))
        mass = sum(probability for _, probability in candidates)
        words = self.script.get(ply, "").split()
        move = board.parse_san(words[-1]) if words else legal[0]
        if words and words[0].startswith("!"):
            return Decision(move, words[0][1:], None, mass, candidates)
        return Decision(move, board.san(move), move, mass, candidates)


@pytest.fixture
def scripted() -> type[ScriptedPlayer]:
    return ScriptedPlayer


@dataclass
class Played:
    """What a run of the command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Played]:
    """`chesslm play OPTIONS` in an empty folder, with typed lines as standard input, maybe against a scripted model."""
    monkeypatch.chdir(tmp_path)

    def play(*options: str, lines: Sequence[str] = (), against: ScriptedPlayer | None = None) -> Played:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        if against is not None:

            def open_scripted(name: str | None, policy: Policy) -> Opponent:
                usual = Policy(temperature=0.7, top_p=0.9, seed=3)
                policy = usual if policy == Policy() else policy
                return Opponent(against, policy, digest="d1" * 32, notation="pgn", asked=name)

            monkeypatch.setattr(play_cli, "open_opponent", open_scripted)
        code = command_line.main(["play", *options])
        said = capsys.readouterr()
        return Played(code, said.out, said.err)

    return play
