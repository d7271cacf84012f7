"""A UCI engine that plays legally until it misbehaves: `python scripted_engine.py LOG MODE PLY`.

It plays the first legal move by name. At its first move at or after PLY (the opening included) in a game that begins
with 1. e4 it misbehaves by MODE: dies, hangs, lies; "good" never does. It adds its pid to LOG.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import chess


def main(log_path: str, mode: str, ply: str) -> None:
    with Path(log_path).open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\n")
    board = chess.Board()
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["uci"]:
            options = [
                f"option name {name} type spin default 1 min 1 max 64" for name in ("Hash", "Threads", "MultiPV")
            ]
            say("id name Scripted 1.0", *options, "uciok")
        elif words[:1] == ["isready"]:
            say("readyok")
        elif words[:1] == ["position"]:
            board = chess.Board()
            for move in words[3:]:
                board.push_uci(move)
        elif words[:1] == ["go"]:
            answer(board, mode if is_time(board, int(ply)) else "good")
        elif words[:1] == ["quit"]:
            return


def is_time(board: chess.Board, ply: int) -> bool:
    return board.ply() >= ply and board.move_stack[0].uci() == "e2e4"


def answer(board: chess.Board, mode: str) -> None:
    if mode == "dies":
        sys.exit(1)
    if mode == "hangs":
        time.sleep(60)
    move = "a1h8" if mode == "lies" else min(move.uci() for move in board.legal_moves)
    say(f"info depth 1 score cp 0 pv {move}", f"bestmove {move}")


def say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
