"""A scripted UCI engine: `python fake_engine.py LOG MODE`. It writes its pid and what it is told into LOG."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

GOOD_LINES = (
    "info depth 1 multipv 1 score cp 31 nodes 20 pv e2e4 e7e5",
    "info depth 1 multipv 2 score mate -3 nodes 20 pv f2f3",
)


def main(log_path: str, mode: str) -> None:
    with Path(log_path).open("a", encoding="utf-8") as log:
        log.write(f"pid {os.getpid()}\n")
        log.flush()
        if mode == "hangs with a child":
            subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(60)", log_path])
        if mode == "silent":
            time.sleep(60)
        if mode == "gone at once":
            sys.exit(3)
        for line in sys.stdin:
            log.write(line)
            log.flush()
            answer(line.split(), mode)


def answer(words: list[str], mode: str) -> None:
    if words[:1] == ["uci"]:
        options = [f"option name {name} type spin default 1 min 1 max 64" for name in ("Hash", "Threads", "MultiPV")]
        say("id name Fake 1.0", *options, "uciok")
    elif words[:1] == ["isready"]:
        say("readyok")
    elif words[:1] == ["quit"]:
        sys.exit()
    elif words[:1] == ["go"]:
        search(mode)


def search(mode: str) -> None:
    if mode == "dies":
        sys.stderr.write("assertion failed\n")
        sys.exit(1)
    if mode in ("hangs", "hangs with a child"):
        time.sleep(60)
    if mode == "lies":
        say("bestmove e2e5")
    elif mode == "lies after good lines":
        say(*GOOD_LINES, "bestmove e2e5")
    elif mode == "babbles":
        say("bestmove hello")
    elif mode == "gives up":
        say("bestmove (none)")
    elif mode == "says nothing of lines":
        say("bestmove e2e4")
    else:
        say(*GOOD_LINES, "bestmove e2e4")


def say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
