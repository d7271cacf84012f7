"""A file of engine-made games: as many as asked for, by several processes, in the dump's own format.

Knows: workers and their engines, the order of games, multi-frame zstd as `pzstd` writes it.
Doesn't know: how a game is played (`selfplay`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from chesslm.errors import ChesslmError, OutputError, PlayerError
from chesslm.files import write_whole
from chesslm.uci_player import UciPlayer
from data_prep.frames import pack_frame
from data_prep.selfplay import SelfplayGame, play_game

FRAME_LEN = 2**21  # bytes of PGN in a frame
_COMPRESSION_LEVEL = 19
_HASH_MEGABYTES = 1  # the smallest: it is cleared before each move
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class SelfplaySeries:
    """What decides every byte of the games, together with the engine's version.

    Args:
        stockfish: the engine's path.
        num_games: how many.
        seed: any integer.
    """

    stockfish: Path
    num_games: int
    seed: int


def write_selfplay(
    out: Path, series: SelfplaySeries, *, num_workers: int, on_game: Callable[[SelfplayGame], None]
) -> None:
    """Play the series and write it to `out`, whole or not at all; `on_game` sees each game as it is written.

    Raises:
        OutputError: `out` exists, isn't named .pgn.zst, or can't be written.
        PlayerError: an engine died, hung or lied.
    """
    if not out.name.endswith(".pgn.zst"):
        raise OutputError(f"{out}: the games are written as zstd; the name must end in .pgn.zst")
    if out.exists():
        raise OutputError(f"{out} exists already")

    def write(temporary: Path) -> None:
        # Closing the generator ends the workers, also when writing fails.
        with temporary.open("wb") as file, contextlib.closing(play_series(series, num_workers)) as games:
            write_frames(file, (_seen(game, on_game) for game in games))

    write_whole(out, write)


def play_series(series: SelfplaySeries, num_workers: int) -> Generator[SelfplayGame, None, None]:
    """The games of a series in order, the same whatever the number of workers.

    Raises:
        PlayerError: as `write_selfplay`.
    """
    if num_workers == 1:
        with _start_engine(series.stockfish) as engine:
            for index in range(series.num_games):
                yield play_game(engine, seed=series.seed, index=index)
        return
    with _workers(series, min(num_workers, series.num_games)) as connections:
        yield from _in_order(connections, series.num_games)


def write_frames(file: IO[bytes], texts: Iterable[bytes], *, frame_len: int = FRAME_LEN) -> None:
    """Write text as zstd frames of `frame_len` unpacked bytes; the last may be shorter.

    Each stands after a skippable frame with its length, as `pzstd` does, and may end in the middle of a game.
    """
    pending = bytearray()
    for text in texts:
        pending += text
        while len(pending) >= frame_len:
            file.write(pack_frame(bytes(pending[:frame_len]), level=_COMPRESSION_LEVEL))
            del pending[:frame_len]
    if pending:
        file.write(pack_frame(bytes(pending), level=_COMPRESSION_LEVEL))


def serve_games(connection: Connection, series: SelfplaySeries) -> None:
    """A worker: play the games whose indices come through `connection`, until it is closed.

    Sends each game back, or the error that ends the worker.
    """
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            with _start_engine(series.stockfish) as engine:
                while True:
                    index = connection.recv()
                    connection.send(play_game(engine, seed=series.seed, index=index))
        except ChesslmError as error:
            connection.send(error)


def _worker(connection: Connection, series: SelfplaySeries) -> None:
    # SIGTERM becomes SystemExit, so that the engine is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    serve_games(connection, series)


def _start_engine(stockfish: Path) -> UciPlayer:
    # The limit is a formality: each side searches as many nodes as its personality says.
    return UciPlayer(stockfish, nodes=1, options={"Threads": 1, "Hash": _HASH_MEGABYTES})


@contextlib.contextmanager
def _workers(series: SelfplaySeries, count: int) -> Iterator[list[Connection]]:
    """Started worker processes; none of them, nor their engines, outlives the block."""
    context = multiprocessing.get_context("spawn")
    connections: list[Connection] = []
    processes: list[BaseProcess] = []
    # Workers inherit the blocked signal: Ctrl-C, which a terminal sends to all, is for this process to handle.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            connections.append(ours)
            processes.append(context.Process(target=_worker, args=(theirs, series), daemon=True))
            processes[-1].start()
            theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        yield connections
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_END_S)
            if process.is_alive():
                process.kill()  # its engine then reads the end of its input and quits
                process.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _in_order(connections: list[Connection], num_games: int) -> Iterator[SelfplayGame]:
    indices = iter(range(num_games))
    for connection in connections:
        connection.send(next(indices))
    waiting: dict[int, SelfplayGame] = {}
    for expected in range(num_games):
        while expected not in waiting:
            ready = wait(connections)
            for connection in (one for one in connections if one in ready):
                game = _receive(connection)
                waiting[game.index] = game
                following = next(indices, None)
                if following is not None:
                    connection.send(following)
        yield waiting.pop(expected)


def _receive(connection: Connection) -> SelfplayGame:
    try:
        answer = connection.recv()
    except (EOFError, ConnectionResetError) as error:
        raise PlayerError("a process that makes games has died") from error
    if isinstance(answer, ChesslmError):
        raise answer
    assert isinstance(answer, SelfplayGame)
    return answer


def _seen(game: SelfplayGame, on_game: Callable[[SelfplayGame], None]) -> bytes:
    on_game(game)
    return game.pgn.encode("ascii")
