"""An external UCI engine as a `Player`, over python-chess's `chess.engine.SimpleEngine`.

Knows: starting an engine, asking it within a time limit, judging its answers, and ending its processes.
Doesn't know: what the moves are for, or how to weaken an engine (`mixed_player` does).

Every decision stands alone: the engine gets `ucinewgame`, then the whole game as moves. With one thread and a
limit in nodes or depth a Stockfish therefore plays the same move in the same game, whatever it was asked before.
(Its own `Skill Level` and `UCI_Elo` are the exception: Stockfish seeds them with the clock.)
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import chess
import chess.engine

from chesslm.errors import MissingToolError, PlayerError
from chesslm.player import ClosingPlayer, Decision

MATE_CENTIPAWNS = 10_000
_DEBIAN_STOCKFISH = Path("/usr/games/stockfish")  # Debian's package puts it here, which is not on every PATH
_END_S = 5.0

Answer = TypeVar("Answer")


def find_stockfish() -> Path:
    """The Stockfish on PATH, else Debian's.

    Raises:
        MissingToolError: there is none.
    """
    found = shutil.which("stockfish") or shutil.which(_DEBIAN_STOCKFISH)
    if found is None:
        raise MissingToolError("Stockfish is not installed (Debian package stockfish)")
    return Path(found)


@dataclass(frozen=True, slots=True)
class EngineLine:
    """One of an engine's best moves.

    Args:
        move: a legal move.
        centipawns: its value for the side to move; a mate in n plies' time is close to ±`MATE_CENTIPAWNS`.
    """

    move: chess.Move
    centipawns: int


class UciPlayer(ClosingPlayer):
    """An engine that speaks UCI.

    Args:
        command: the engine: a path, a command line (split as a shell would), or its words.
        name: shown to people; the engine's own name if absent.
        nodes: positions to search for a move; `depth`: plies to search. At least one of them.
        options: UCI options, set once at the start.
        timeout_s: seconds for each decision; then the engine is ended.
        start_timeout_s: seconds for the start, which takes some engines longer than a move.

    Raises:
        PlayerError: the engine can't be started, doesn't speak UCI in time, or refuses an option.
    """

    def __init__(
        self,
        command: str | Path | Sequence[str],
        *,
        name: str | None = None,
        nodes: int | None = None,
        depth: int | None = None,
        options: Mapping[str, str | int | bool | None] | None = None,
        timeout_s: float = 30.0,
        start_timeout_s: float = 30.0,
    ) -> None:
        if nodes is None and depth is None:
            raise ValueError("a UCI engine needs a limit: nodes, depth or both")
        self._words = _words(command)
        self._label = self._words[0]
        self._limit = chess.engine.Limit(nodes=nodes, depth=depth)
        self._timeout_s = timeout_s
        self._pids: list[int] = []
        self._dropped: list[str] = []
        self._engine: chess.engine.SimpleEngine | None = None
        self._engine = self._start(start_timeout_s)
        engine_name = self._ask(lambda engine: engine.id, start_timeout_s).get("name", self._label)
        self.name = name if name is not None else engine_name
        self._ask(lambda engine: engine.configure(dict(options or {})), start_timeout_s)

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """The engine's move in each position.

        Raises:
            PlayerError: the engine died, hung or answered with no legal move; it has been ended.
        """
        return [Decision(self._choose(board)) for board in boards]

    def best_lines(self, board: chess.Board, num_lines: int, *, nodes: int | None = None) -> list[EngineLine]:
        """The engine's best moves with their values, best first; at least one, at most `num_lines`.

        Args:
            board: a position with its game; it has a legal move.
            num_lines: how many moves are wanted, 1 or more.
            nodes: positions to search, instead of the player's own limit.

        Raises:
            PlayerError: as `choose_many`.
        """
        limit = self._limit if nodes is None else chess.engine.Limit(nodes=nodes)
        infos = self._ask(lambda engine: engine.analyse(board, limit, multipv=num_lines, game=object()))
        lines = [
            EngineLine(info["pv"][0], info["score"].relative.score(mate_score=MATE_CENTIPAWNS))
            for info in infos
            if info.get("pv") and "score" in info
        ]
        if not lines:
            raise self._ended(f"gave no move in {board.fen()}")
        return lines

    def close(self) -> None:
        """End the engine and whatever it started; harmless to call twice."""
        engine, self._engine = self._engine, None
        for pid in self._pids:
            _kill_group(pid)
        if engine is not None:
            # The event loop has to see the engine's end before it is closed, or asyncio complains later.
            with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError):
                engine.returncode.result(_END_S)
            engine.close()
        for pid in self._pids:
            _wait_for_end(pid)
        self._pids.clear()

    def _choose(self, board: chess.Board) -> chess.Move:
        played = self._ask(lambda engine: engine.play(board, self._limit, game=object()))
        if played.move is None or played.move not in board.legal_moves:
            raise self._ended(f"gave no legal move in {board.fen()}")
        return played.move

    def _start(self, timeout_s: float) -> chess.engine.SimpleEngine:
        with _deadline(timeout_s, self._pids) as is_late:
            try:
                return chess.engine.SimpleEngine.popen(
                    _noting(self._pids, self._dropped),
                    self._words,
                    timeout=None,
                    setpgrp=True,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise PlayerError(f"can't start engine {self._label}: {error.strerror or error}") from error
            except (chess.engine.EngineError, concurrent.futures.CancelledError) as error:
                failure = error
            except BaseException:
                self.close()
                raise
        if is_late():
            raise self._ended(f"gave no UCI handshake within {timeout_s:g} s") from failure
        raise self._ended(f"ended before it was ready: {failure}") from failure

    def _ask(self, question: Callable[[chess.engine.SimpleEngine], Answer], timeout_s: float | None = None) -> Answer:
        if self._engine is None:
            raise PlayerError(f"engine {self._label} has been closed")
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        with _deadline(timeout_s, self._pids) as is_late:
            try:
                return question(self._engine)
            except (chess.engine.EngineError, concurrent.futures.CancelledError) as error:
                failure = error
            except BaseException:
                # Ctrl-C above all: the search would go on, and its late answer would meet the next question.
                self.close()
                raise
        if is_late():
            raise self._ended(f"gave no answer within {timeout_s:g} s") from failure
        what = self._dropped[0] if self._dropped else failure or type(failure).__name__
        raise self._ended(f"failed: {what}") from failure

    def _ended(self, what: str) -> PlayerError:
        self.close()
        return PlayerError(f"engine {self._label} {what}")


def _words(command: str | Path | Sequence[str]) -> list[str]:
    if isinstance(command, Path):
        return [str(command)]
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise PlayerError(f"can't start engine {command}: {error}") from error
    if not words:
        raise PlayerError("can't start an engine from an empty command")
    return words


def _noting(pids: list[int], dropped: list[str]) -> type[chess.engine.UciProtocol]:
    """A UCI protocol that notes the process, so that it can be ended even when its handshake fails.

    It also notes, and ends the engine for, answers that python-chess drops. An analysis is handed out before the engine
    has answered: a `bestmove` that is illegal then only reaches the event loop's exception handler, and whoever waits
    for the analysis waits for ever.

    Args:
        pids: gets the process id.
        dropped: gets what was wrong with each answer.
    """

    class NotingProtocol(chess.engine.UciProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if self.transport is not None:
                pids.append(self.transport.get_pid())
            self.loop.set_exception_handler(self._note)

        def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if context.get("protocol") is not self:
                loop.default_exception_handler(context)
                return
            dropped.append(str(context.get("exception")))
            for pid in pids:
                _kill_group(pid)

    return NotingProtocol


@contextlib.contextmanager
def _deadline(timeout_s: float, pids: Sequence[int]) -> Iterator[Callable[[], bool]]:
    """Kill the engine when the time is up, which makes python-chess raise.

    Its own timeouts don't cover searches that are limited by nodes or depth.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        for pid in pids:
            _kill_group(pid)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _wait_for_end(pid: int) -> None:
    """Wait until python-chess has collected a killed engine."""
    patience = time.monotonic() + _END_S
    while time.monotonic() < patience:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.002)
