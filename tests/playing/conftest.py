"""A scripted model, and ways to play whole games: through the real command, and at the terminal board."""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chess
import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled

from chesslm import cli as command_line
from chesslm.errors import GameTooLong, InputError
from chesslm.notation.registry import build_notation
from chesslm.player import ClosingPlayer, Decision, Player, RandomPlayer
from play import cli as play_cli
from play.board_app import BoardApp
from play.board_drawing import square_at
from play.opponent import Opponent, Policy, absent
from play.pgn_in import GivenGame, read_moves
from play.table import Colour, Table


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


class Sitter:
    """A person at the terminal board, in a terminal that is none."""

    def __init__(self, app: BoardApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until nothing is going on any longer."""
        await self._hear()
        while working := [worker for worker in self.app.workers if not worker.is_finished]:
            with contextlib.suppress(WorkerCancelled):
                await self.app.workers.wait_for_complete(working)
            await self._hear()
        await self.pilot.pause()

    async def _hear(self) -> None:
        """Wait until every message has arrived; messages bubble from the innermost widgets to the app."""
        nodes = [*self.app.screen.walk_children(), self.app.screen, self.app] if self.app.screen_stack else []
        for node in [*reversed(nodes[:-2]), *nodes[-2:]]:
            heard = asyncio.Event()
            if node.is_running and node.call_later(heard.set):
                await heard.wait()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, *lines: str) -> None:
        """Lines, each followed by Enter; quicker than letter by letter."""
        for line in lines:
            field = self.app.screen.query_one(Input)
            field.value = line
            await field.action_submit()
            await self.settle()

    async def key_in(self, *lines: str) -> None:
        """Lines, each followed by Enter, letter by letter."""
        for line in lines:
            await self.press(*(_KEYS.get(letter, letter) for letter in line), "enter")

    async def click(self, *squares: str) -> None:
        look = self.app.view.look
        for name in squares:
            row, column = next(
                (row, column)
                for row in range(look.height)
                for column in range(look.width)
                if square_at(column, row, look) == chess.parse_square(name)
            )
            await self.pilot.click("#board", offset=(column + 1, row))
            await self.settle()

    @property
    def said(self) -> str:
        return "\n".join(self.app.course.messages)

    @property
    def san(self) -> str:
        return " ".join(self.app.course.session.san)

    @property
    def screen(self) -> list[str]:
        """What is shown, line by line, from textual's own picture."""
        picture = self.app.export_screenshot()
        cells: dict[float, dict[int, str]] = {}
        for x, y, text in re.findall(r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture):
            for place, letter in enumerate(html.unescape(text)):
                cells.setdefault(float(y), {})[round(float(x) / 12.2) + place] = letter.replace("\xa0", " ")
        rows = [cells[y] for y in sorted(cells)]
        return ["".join(row.get(column, " ") for column in range(max(row) + 1)) for row in rows]

    @property
    def text(self) -> str:
        return "\n".join(self.screen)


_KEYS = {
    " ": "space",
    "#": "number_sign",
    "=": "equals_sign",
    "-": "minus",
    ".": "full_stop",
    "/": "slash",
    "+": "plus",
}


@pytest.fixture
def sit(scripted: type[ScriptedPlayer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BoardApp]:
    """Let a person do something at a board against scripted models, in an empty folder; returns the app afterwards.

    `players` are opened by name, the first at once; a name that isn't among them is refused.
    """
    monkeypatch.chdir(tmp_path)

    def run(
        scenario: Callable[[Sitter], Awaitable[None]],
        players: Mapping[str, ScriptedPlayer] | ScriptedPlayer,
        *,
        size: tuple[int, int] = (80, 24),
        near: str | None = None,
        moves: str = "",
        colour: Colour = "white",
        language: bool = True,
        **options: Any,
    ) -> BoardApp:
        named = players if isinstance(players, Mapping) else {players.name: players}
        notation = build_notation("pgn", []) if language else None

        def open_model(name: str | None, policy: Policy) -> Opponent:
            if name not in named:
                raise InputError(f"{name}: is no folder")

            def reopen(policy: Policy) -> Player:
                return named[str(name)]

            if isinstance(named[name], RandomPlayer):
                return Opponent(named[name], asked=name)
            known = None if notation is None else notation.name
            return Opponent(named[name], policy, "d1" * 32, known, name, notation, reopen)

        policy = Policy()
        table = Table(
            absent(next(iter(named)), policy),
            colour=colour,
            near=None if near is None else absent(near, policy),
            ledger=tmp_path / "games.jsonl",
        )
        given = GivenGame(read_moves(moves, source="moves")) if moves else None
        app = BoardApp(table, open_model, policy, given=given, is_revealing=False, **options)
        app.course.pace_s = 0.0

        async def sitting() -> None:
            async with app.run_test(size=size) as pilot:
                sitter = Sitter(app, pilot)
                await sitter.settle()
                await scenario(sitter)

        asyncio.run(sitting())
        app.course.close()
        return app

    return run
