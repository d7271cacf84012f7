"""A played game as a PGN file that is never written over another.

Knows: PGN's headers for a game against a program, what of a model's thoughts becomes a comment, exclusive creation.
Doesn't know: how a game is played (`session` hands over what is to be written).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import chess
import chess.pgn

from chesslm.errors import OutputError
from chesslm.files import write_bytes
from play.inert_text import header_text, inert


def pgn_text(board: chess.Board, headers: Mapping[str, str], comments: Sequence[str]) -> str:
    """The game on `board`'s move stack as PGN; `comments` has one text a ply, "" for none."""
    game = chess.pgn.Game.from_board(board)
    for key, value in headers.items():
        game.headers[key] = header_text(value)
    for node, comment in zip(game.mainline(), comments, strict=True):
        node.comment = inert(comment).replace("}", ")")
    return f"{game}\n"


def save_new(path: Path, text: str) -> None:
    """Write a text to a file that doesn't exist yet.

    Raises:
        OutputError: the file exists, or can't be written; names it.
    """
    name = inert(str(path))
    try:
        # The empty file reserves the name, so that no other program's file can be replaced in between.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError as error:
        raise OutputError(f"{name} exists and is not overwritten; choose another name") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"can't write {name}: {getattr(error, 'strerror', None) or error}") from error
    try:
        write_bytes(path, text.encode())
    except OutputError:
        path.unlink(missing_ok=True)
        raise
