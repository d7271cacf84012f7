"""The one exception tree of the project.

Knows: every way in which chesslm can fail on purpose, and which of them are a user's mistake (exit code 2).
Doesn't know: who raises them, or how a command prints them (`chesslm/cli.py` does).

    ChesslmError                      anything that chesslm raises on purpose
    ├── UserError                     a user's mistake or bad input: one line on stderr, exit code 2
    │   ├── ConfigError               a configuration file or a --set value can't be used
    │   ├── InputError                an input file is missing, corrupt or not what it should be
    │   ├── OutputError               an output can't be written, or exists with other inputs
    │   ├── FormatError               one of our own files is of another kind, version or vocabulary
    │   ├── TrainingError             training can't go on: the loss is no longer a number
    │   ├── PlayerError               an opponent can't be started or has died
    │   └── MissingToolError          an external program (Stockfish) is not installed
    ├── ToldElsewhere                 processes failed together, and another of them says why
    └── GameError                     about one game or position; a command counts it or shows it
        ├── UnsupportedPosition       a notation can't write a game that didn't begin at the start position
        ├── GameTooLong               beyond the model's context or the notation's last move number
        └── MoveTextError             a written move is no move here; carries text, ply and FEN
            ├── UnreadableMove        not a text of the notation's grammar
            ├── AmbiguousMove         more than one legal move fits
            └── IllegalMove           readable, but not legal as written
"""

from __future__ import annotations


class ChesslmError(Exception):
    """Anything that chesslm raises on purpose."""


class UserError(ChesslmError):
    """A user's mistake or bad input. The command line prints it on one line and exits with 2."""


class ConfigError(UserError):
    """A configuration file or a `--set` value can't be used; the message names the key."""


class InputError(UserError):
    """An input file is missing, corrupt or of another kind; the message names the file."""


class OutputError(UserError):
    """An output can't be written, or exists and belongs to other inputs; the message names it."""


class FormatError(UserError):
    """One of our own files is of another kind, version or vocabulary; the message names both sides."""


class TrainingError(UserError):
    """Training can't go on (the loss or its gradient is not finite); the message says what is kept."""


class PlayerError(UserError):
    """A player (an external engine, mostly) can't be started, has died or has lied."""


class MissingToolError(UserError):
    """An external program that the command needs is not installed; the message names the package."""


class ToldElsewhere(ChesslmError):
    """Processes that work together failed together; the first of them says why, this one ends silently."""


class GameError(ChesslmError):
    """About one game or one position, not about a file."""


class UnsupportedPosition(GameError):
    """The notation writes whole games, and this one didn't begin at the start position."""


class GameTooLong(GameError):
    """The game is longer than the model's context, or its move number has no token."""


class MoveTextError(GameError):
    """A written move is no move in this position.

    Args:
        text: what was written.
        fen: the position it was written in.
        ply: index of the ply, 0 for White's first move.
        kind: one of the error kinds of METRICS section 2.8 (`chesslm.san.ERROR_KINDS`).
    """

    def __init__(self, text: str, *, fen: str, ply: int, kind: str) -> None:
        super().__init__(f"{text!r} is no move ({kind}) at ply {ply} in {fen}")
        self.text = text
        self.fen = fen
        self.ply = ply
        self.kind = kind


class UnreadableMove(MoveTextError):
    """The text does not belong to the notation's grammar."""


class AmbiguousMove(MoveTextError):
    """More than one legal move fits the text."""


class IllegalMove(MoveTextError):
    """The text can be read, but is not the text of a legal move."""
