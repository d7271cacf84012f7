"""How a half-typed line could go on: moves in SAN, moves in UCI, commands.

Knows: which writings begin with what was typed, and how far they agree.
Doesn't know: what a complete line means (`entry`, `commands`), or how completions are shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import chess


def completions(board: chess.Board | None, commands: Iterable[str], typed: str) -> list[str]:
    """Whole lines that begin as `typed` does; a capital letter counts until nothing fits.

    `board` is None where no move can be typed.

    >>> completions(chess.Board(), ["new"], "N")
    ['Na3', 'Nc3', 'Nf3', 'Nh3', 'new']
    >>> completions(chess.Board(), ["help"], "e2")
    ['e2e3', 'e2e4']
    """
    if not typed:
        return []
    sans = [] if board is None else sorted(board.san(move) for move in board.legal_moves)
    writings = [*sans, *(() if board is None else sorted(move.uci() for move in board.legal_moves))]
    exact = [text for text in writings if text.startswith(typed)]
    sloppy = [text for text in writings if text.lower().startswith(typed.lower())]
    # SAN and UCI of a pawn's move both begin with its file: "e2" means e2e4, "e" means e4.
    fitting = exact or sloppy
    moves = [text for text in fitting if text in sans] or fitting
    return [*moves, *(name for name in commands if name.startswith(typed.lower()))]


def common_start(texts: list[str]) -> str:
    """What all of them begin with.

    >>> common_start(["Nbd2", "Nbc3"])
    'Nb'
    """
    first, last = min(texts, default=""), max(texts, default="")
    agreeing = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in agreeing)


def meant_moves(board: chess.Board, texts: Iterable[str]) -> list[chess.Move]:
    """The legal moves among completions."""
    wanted = set(texts)
    return [move for move in board.legal_moves if board.san(move) in wanted or move.uci() in wanted]
