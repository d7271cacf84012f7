"""The words that a person may type instead of a move, the same in the plain game and at the board.

Knows: every command's name, what may follow it and what it does in a few words; how a typed line falls into these.
Doesn't know: how any of it is done (`plain` and `board_app` do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import InputError
from play.inert_text import inert


@dataclass(frozen=True, slots=True)
class Command:
    """Args: what may follow the name ("FILE"; "[white|black]" if it may be left out), and what the command does."""

    argument: str
    help: str

    @property
    def is_complete_alone(self) -> bool:
        """Whether the name alone says all that is needed."""
        return not self.argument or self.argument.startswith("[")


PLAIN: dict[str, Command] = {
    "undo": Command("", "take your last move and the reply back"),
    "redo": Command("", "play again what was taken back"),
    "hint": Command("", "what the model would think in your place"),
    "draw": Command("", "claim a draw, or offer one"),
    "resign": Command("", "give up this game"),
    "new": Command("[white|black|random]", "another game"),
    "load": Command("FILE", "go on from a PGN file's first game"),
    "start": Command("MOVES", 'go on after moves such as "1. e4 e5"'),
    "fen": Command("FEN", "begin at a set-up position, if the players can"),
    "save": Command("FILE", "write this game to a new PGN file"),
    "moves": Command("", "the moves so far"),
    "board": Command("", "draw the board again"),
    "flip": Command("", "turn the board round"),
    "help": Command("", "this list"),
    "quit": Command("", "leave (also Ctrl-D)"),
}

_ONLY_PLAIN = ("moves", "board")
BOARD: dict[str, Command] = {
    **{name: command for name, command in PLAIN.items() if name not in _ONLY_PLAIN},
    "swap": Command("", "change sides with the model, here and now"),
    "model": Command("[NAME]", "another model: a name or a folder, or choose from a list"),
    "watch": Command("[NAME]", "let a model play in your place, against the other"),
    "take": Command("white|black", "sit down yourself and play this side"),
    "pause": Command("", "stop or go on, while models play each other (also the space bar)"),
    "step": Command("", "one move, while models play each other"),
    "speed": Command("SECONDS", "how long models wait between their moves"),
    "temperature": Command("NUMBER", "0 plays the best legal move; higher is more varied"),
    "top-k": Command("NUMBER|off", "draw from the k best legal moves only"),
    "top-p": Command("NUMBER|off", "draw from the best legal moves that hold this share"),
    "reveal": Command("on|off", "show its tokens one after another, or at once"),
    "back": Command("", "look at the position before (Page Up)"),
    "forward": Command("", "look at the position after (Page Down)"),
    "quit": Command("", "leave (also Ctrl-Q)"),
}


def split_command(line: str, commands: Mapping[str, Command]) -> tuple[str, str] | None:
    """A typed line as a command's name and what follows it; None where it is no command, so perhaps a move.

    >>> split_command(" Load  my game.pgn ", PLAIN)
    ('load', 'my game.pgn')
    >>> split_command("Nf3", PLAIN) is None
    True
    """
    name, _, argument = line.strip().partition(" ")
    return (name.lower(), argument.strip()) if name.lower() in commands else None


def complaint_about(name: str, argument: str, command: Command) -> str:
    """What is wrong with what follows a command's name; "" if nothing is."""
    if argument and not command.argument:
        return f"{name} takes nothing after it."
    if not argument and not command.is_complete_alone:
        return f"{name} needs {command.argument} after it."
    return ""


def path_of(text: str) -> Path:
    """A path as a person types it, "~" and all.

    Raises:
        InputError: "~name" of a user that doesn't exist.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{inert(text)}: no such user's home folder") from error
