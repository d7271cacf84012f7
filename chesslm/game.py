"""A game as every room sees it: canonical SAN and a result, no headers, no board.

Knows: what a game is, its hash, and which split the hash puts it into.
Doesn't know: where games are stored (`game_files`) or how they are written as tokens (`notation`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import chess

RESULTS: tuple[str, ...] = ("1-0", "0-1", "1/2-1/2", "*")
SPLITS: tuple[str, ...] = ("train", "val", "test")
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Game:
    """One game from the start position.

    Args:
        id: the Site id of the game, else the first 16 hex digits of the sha256 of its moves.
        san: one canonical SAN string a ply, exactly what `chess.Board.san` gives, check marks included.
        result: one of `RESULTS`.
    """

    id: str
    san: tuple[str, ...]
    result: str


def moves_digest(uci_moves: Sequence[str]) -> bytes:
    """sha256 of the UCI moves joined by single spaces (32 bytes): the identity of a game's moves."""
    return hashlib.sha256(" ".join(uci_moves).encode("ascii")).digest()


def moves_hash(digest: bytes) -> int:
    """The first 8 bytes of `moves_digest`, big endian: an unsigned 64-bit number.

    Decides the split and the order of "the games of smallest hash", whatever the order of the input.
    """
    return int.from_bytes(digest[:8], "big")


def split_of(hash64: int, *, test_per_10000: int = 500, val_per_10000: int = 500) -> Split:
    """The split of a game: test, then val, then train by shares of `hash64 % 10_000`, so that shares nest."""
    bucket = hash64 % 10_000
    if bucket < test_per_10000:
        return "test"
    if bucket < test_per_10000 + val_per_10000:
        return "val"
    return "train"


def replay(game: Game) -> list[chess.Move]:
    """The moves of a game.

    Raises:
        ValueError: a SAN string is not a legal move (python-chess's own error, with the FEN).
    """
    board = chess.Board()
    moves = []
    for san in game.san:
        move = board.parse_san(san)
        board.push(move)
        moves.append(move)
    return moves


def board_san(board: chess.Board) -> list[str]:
    """Canonical SAN of every ply that led to `board`, from its own move stack."""
    replayed = board.root()
    sans = []
    for move in board.move_stack:
        sans.append(replayed.san(move))
        replayed.push(move)
    return sans
