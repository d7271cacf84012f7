"""Whole games through the real `chesslm uci`, with python-chess as the client; checks that nothing ever goes wrong.

    python -m benchmarks.uci_matches --model runs/pgn --against-random 200 --against-stockfish 50

Knows: a mover at random, Stockfish at a few nodes, and what a client may see go wrong: an illegal move, a crash, a
stall, a process that stays. Every kind of limit takes its turn. Prints one line of JSON; exit code 1 if anything did.
Doesn't know: how strong a model is (`chesslm eval strength`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import chess
import chess.engine

from chesslm.uci_player import find_stockfish

LIMITS = (
    chess.engine.Limit(time=0.2),
    chess.engine.Limit(depth=3),
    chess.engine.Limit(nodes=50),
    chess.engine.Limit(white_clock=60, black_clock=60, white_inc=0.5, black_inc=0.5),
    chess.engine.Limit(mate=2),
)
# Longer than any move takes; python-chess adds it to each limit. Importing torch on a busy machine counts, too.
STALL_S = 120.0
OPENING_PLIES = 4

Mover = Callable[[chess.Board], chess.Move]


@contextmanager
def engine(command: list[str], faults: list[str]) -> Iterator[chess.engine.SimpleEngine]:
    """A client's engine; what is left of its process afterwards is a fault."""
    running = chess.engine.SimpleEngine.popen_uci(command, timeout=STALL_S)
    pid = running.transport.get_pid()
    try:
        yield running
    finally:
        running.quit()
        code = running.returncode.result(STALL_S)
        if code != 0:
            faults.append(f"{command[-1]} ended with {code}")
        if Path(f"/proc/{pid}").exists():
            faults.append(f"process {pid} stayed")


def play_game(
    ours: chess.engine.SimpleEngine,
    other: Mover,
    number: int,
    max_plies: int,
    times_s: list[float],
    notes: Counter[str],
) -> chess.Board:
    """One game from a few random plies; colours take turns."""
    generator = random.Random(f"opening {number // 2}")
    board = chess.Board()
    for _ in range(OPENING_PLIES):
        board.push(generator.choice(list(board.legal_moves)))
    our_colour = chess.WHITE if number % 2 == 0 else chess.BLACK
    limit = LIMITS[number // 2 % len(LIMITS)]
    while not board.is_game_over(claim_draw=True) and len(board.move_stack) < max_plies:
        if board.turn != our_colour:
            board.push(other(board))
            continue
        began = time.monotonic()
        # An illegal move, a crash or a stall raises.
        played = ours.play(board, limit, game=number, info=chess.engine.INFO_ALL)
        times_s.append(time.monotonic() - began)
        move = _move_of(played)
        said = str(played.info.get("string", ""))
        notes["random moves" if said.startswith("random move") else "model moves"] += 1
        board.push(move)
    return board


def _move_of(played: chess.engine.PlayResult) -> chess.Move:
    if not played.move:
        raise chess.engine.EngineError("the engine gave no move")
    return played.move


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Play all games."""
    command = [arguments.chesslm, "uci", "--model", arguments.model]
    faults: list[str] = []
    times_s: list[float] = []
    results: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    generator = random.Random(arguments.seed)

    def at_random(board: chess.Board) -> chess.Move:
        return generator.choice(list(board.legal_moves))

    def play(name: str, num_games: int, other: Mover) -> None:
        with engine(command, faults) as ours:
            for number in range(num_games):
                board = play_game(ours, other, number, arguments.max_plies, times_s, notes)
                results[_result(name, board, number)] += 1

    try:
        if arguments.against_random:
            play("random", arguments.against_random, at_random)
        if arguments.against_stockfish:
            with engine([str(find_stockfish())], faults) as stockfish:
                limit = chess.engine.Limit(nodes=arguments.nodes)
                play("stockfish", arguments.against_stockfish, lambda board: _move_of(stockfish.play(board, limit)))
    except (chess.engine.EngineError, TimeoutError) as error:
        faults.append(f"{type(error).__name__}: {error}")
    return {
        "model": Path(arguments.model).name,
        "games": sum(results.values()),
        "results": dict(sorted(results.items())),
        **notes,
        "median_ms": round(1e3 * statistics.median(times_s), 1) if times_s else None,
        "max_ms": round(1e3 * max(times_s), 1) if times_s else None,
        "load": round(os.getloadavg()[0], 2),
        "faults": faults,
    }


def _result(opponent: str, board: chess.Board, number: int) -> str:
    outcome = board.outcome(claim_draw=True)
    if outcome is None:
        return f"{opponent}: too long"
    if outcome.winner is None:
        return f"{opponent}: drawn"
    return f"{opponent}: {'won' if outcome.winner == (number % 2 == 0) else 'lost'}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="what chesslm uci --model takes")
    parser.add_argument("--chesslm", default=str(Path(sys.executable).with_name("chesslm")), help="the command")
    parser.add_argument("--against-random", type=int, default=200, help="games against a mover at random")
    parser.add_argument("--against-stockfish", type=int, default=50, help="games against Stockfish")
    parser.add_argument("--nodes", type=int, default=500, help="Stockfish's nodes for a move")
    parser.add_argument("--max-plies", type=int, default=300, help="end a game after so many")
    parser.add_argument("--seed", type=int, default=0, help="of the random mover")
    found = run(parser.parse_args())
    print(json.dumps(found))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
