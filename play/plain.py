"""The plain game: a person and a model, line by line, at a terminal or through a pipe.

Knows: the commands, what is said when, and what happens to a game that is left.
Doesn't know: the rules of a game in progress (`session`), how moves are read (`entry`), how models think.

An unfinished game is never lost: when it is left (quit, Ctrl-D, Ctrl-C, a closed window, new, load, start) it goes
into the ledger as unfinished, and the command line that takes it up again is printed.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import chess

from chesslm.errors import GameTooLong, InputError, OutputError, UnsupportedPosition
from play.board_text import move_list, numbered, thought_lines
from play.endings import DRAW_RULE
from play.entry import read_entry
from play.inert_text import inert, printable
from play.opponent import Opponent
from play.pgn_in import GivenGame, read_moves, read_pgn
from play.pgn_out import save_new
from play.session import GameSession
from play.telling import board_block, ending_told, model_move_told, seat_name, side
from play.terminal import Terminal, leaving_on_signals

Colour = Literal["white", "black", "random"]
_COLOURS: dict[str, chess.Color] = {"white": chess.WHITE, "black": chess.BLACK}

_NO_LONGER_COUNTS = "(A game with hints or take-backs is recorded as helped: it counts for nobody.)"


class _Leave(Exception):
    """The person quits."""


@dataclass(frozen=True, slots=True)
class _Command:
    """Args: what may follow the name ("FILE"; "[white|black]" if it may be left out), what it does, and how."""

    argument: str
    help: str
    run: Callable[[PlainGame, str], None]


class PlainGame:
    """Games against one opponent until the person leaves.

    Args:
        opponent: stays the caller's to close.
        colour: the person's; "random" is tossed anew for each game.
        ledger: where games are recorded; None: nowhere.
        resume: the command line that would start this again, to which `--colour` and `--moves` are added.
    """

    def __init__(
        self,
        opponent: Opponent,
        terminal: Terminal,
        *,
        colour: Colour = "white",
        ledger: Path | None = None,
        resume: Sequence[str] = ("chesslm", "play"),
    ) -> None:
        self._opponent = opponent
        self._terminal = terminal
        self._colour: Colour = colour
        self._ledger = ledger
        self._resume = list(resume)
        self._news: list[str] = []

    def run(self, given: GivenGame | None = None) -> None:
        """Play until the person leaves; `given` is gone on from.

        Raises:
            KeyboardInterrupt: the person left by Ctrl-C; the game is in the ledger.
            PlayerError: the opponent died; the game is in the ledger.
        """
        with leaving_on_signals():
            self._greet()
            self._begin(given)
            try:
                while True:
                    self._round()
            except EOFError:
                self._terminal.say("")
            except _Leave:
                pass
            except KeyboardInterrupt:
                self._terminal.say("")
                raise
            finally:
                self._set_down()

    # The course of a game

    def _greet(self) -> None:
        details = f" ({self._opponent.details})" if self._opponent.details else ""
        self._terminal.tell(f"Your opponent is {inert(self._opponent.name, limit=30)}{details}.")
        self._terminal.tell("Type a move (e4, Nf3, e2e4), or help.")
        if self._ledger is not None:
            self._terminal.tell(f"Games are recorded in {inert(str(self._ledger))}")

    def _begin(self, given: GivenGame | None = None) -> None:
        colour = _COLOURS.get(self._colour)
        # A coin, not an experiment: the colour stands in the ledger, so no seed has to bring it back.
        self._person = random.SystemRandom().choice([chess.WHITE, chess.BLACK]) if colour is None else colour
        self._session = GameSession(
            {self._person: None, not self._person: self._opponent}, start=given.board if given else None
        )
        self._white_below = self._person == chess.WHITE
        self._is_board_due, self._is_ending_told = True, False
        if given is not None:
            title = f" of {given.title}" if given.title else ""
            self._news.append(f"Going on after {_plies(len(given.board.move_stack))}{title}.")
        self._news.append(f"You play {side(self._person)}.")

    def _round(self) -> None:
        while self._session.ending is None and self._session.mover is not None:
            self._model_moves()
        self._tell_ending()
        if self._is_board_due:
            block = board_block(self._session, self._terminal.glyphs, white_below=self._white_below)
            self._terminal.say("", *block, "")
            self._is_board_due = False
        self._terminal.tell(*self._news)
        self._news.clear()
        self._obey(self._terminal.ask("Your move> " if self._session.ending is None else "Game over> "))

    def _model_moves(self) -> None:
        self._is_board_due = True
        if self._session.reply() is None:
            self._news.append(f"The game has become too long for {self._name} to write; it ends here.")
        else:
            self._news += model_move_told(self._session)

    def _tell_ending(self) -> None:
        session = self._session
        if session.ending is None or self._is_ending_told:
            return
        self._is_ending_told = True
        self._news += ending_told(session)
        self._record()
        self._news.append("new starts another game, save FILE keeps this one, quit leaves.")

    def _record(self) -> None:
        if self._ledger is None:
            return
        try:
            if self._session.record(self._ledger, typed=self._terminal.is_typed):
                self._news.append(f"Recorded in {inert(str(self._ledger))}.")
        except OutputError as error:
            self._news.append(f"Not recorded: {error}.")

    def _set_down(self) -> None:
        session = self._session
        is_left = session.ending is None and session.ledger_entry(typed=False) is not None
        if is_left or session.ending is not None:
            # An ended game, too: Ctrl-C may have come between its end and its record.
            self._record()
        if is_left:
            self._news.append("The game is unfinished. This takes it up again:")
        # Recorded before anything is printed: a closed window takes no more text.
        self._terminal.tell(*self._news)
        self._news.clear()
        if is_left:
            moves = " ".join(numbered(session.san))
            colour = "white" if self._person == chess.WHITE else "black"
            # On one line, however long, so that it can be copied.
            self._terminal.say(printable(shlex.join([*self._resume, "--colour", colour, "--moves", moves])))

    # What a typed line does

    def _obey(self, line: str) -> None:
        name, _, argument = line.strip().partition(" ")
        command = COMMANDS.get(name.lower())
        if command is None:
            if line.strip():
                self._move(line)
            return
        argument = argument.strip()
        if argument and not command.argument:
            self._terminal.tell(f"{name.lower()} takes nothing after it.")
        elif not argument and command.argument and not command.argument.startswith("["):
            self._terminal.tell(f"{name.lower()} needs {command.argument} after it.")
        else:
            command.run(self, argument)

    def _move(self, text: str) -> None:
        if not self._is_on():
            return
        entry = read_entry(self._session.board, text)
        if entry.move is None:
            self._terminal.tell(f"{entry.complaint[0].upper()}{entry.complaint[1:]}.")
            return
        self._session.play(entry.move)
        self._is_board_due = True

    def _is_on(self) -> bool:
        if self._session.ending is not None:
            self._terminal.tell("The game is over: new starts another, undo takes your last move back.")
        return self._session.ending is None

    def _undo(self, _: str) -> None:
        is_first_help = not self._session.is_helped
        if not self._session.undo():
            self._terminal.tell("There is no move of yours to take back.")
            return
        self._is_board_due, self._is_ending_told = True, False
        self._news.append("Taken back; redo plays it again.")
        if self._session.is_recorded:
            self._news.append("The ledger keeps the game as it ended; what you play now is practice.")
        elif self._ledger is not None and is_first_help:
            self._news.append(_NO_LONGER_COUNTS)

    def _redo(self, _: str) -> None:
        if self._session.redo():
            self._is_board_due = True
            self._news += model_move_told(self._session)
        else:
            self._terminal.tell("There is nothing to play again.")

    def _hint(self, _: str) -> None:
        if not self._is_on():
            return
        is_first_help = not self._session.is_helped
        try:
            decision = self._session.hint()
        except GameTooLong as error:
            self._terminal.tell(f"{self._name} can't say: {inert(str(error))}.")
            return
        lines = list(thought_lines(self._session.board, decision, self._terminal.glyphs))
        if lines:
            self._terminal.say(f"In your place {self._name} would think:", *lines)
        else:
            self._terminal.tell(f"{self._name} has no opinion; it would play {self._session.board.san(decision.move)}.")
        if self._ledger is not None and is_first_help:
            self._terminal.tell(_NO_LONGER_COUNTS)

    def _resign(self, _: str) -> None:
        if self._is_on():
            self._session.resign()

    def _draw(self, _: str) -> None:
        if self._is_on() and not self._session.claim_draw() and not self._session.offer_draw():
            self._terminal.tell(f"{self._name} declines: {DRAW_RULE}.")

    def _new(self, colour: str) -> None:
        if colour and colour.lower() not in ("white", "black", "random"):
            self._terminal.tell("new takes white, black or random after it, or nothing.")
            return
        if colour:
            self._colour = "white" if colour.lower() == "white" else "black" if colour.lower() == "black" else "random"
        self._set_down()
        self._begin()

    def _load(self, file: str) -> None:
        self._go_on_from(lambda: read_pgn(path_of(file)))

    def _start(self, moves: str) -> None:
        self._go_on_from(lambda: GivenGame(read_moves(moves, source="start")))

    def _go_on_from(self, read: Callable[[], GivenGame]) -> None:
        try:
            given = read()
        except (InputError, UnsupportedPosition) as error:
            self._terminal.tell(f"{error}.")
            return
        self._set_down()
        self._begin(given)

    def _save(self, file: str) -> None:
        try:
            save_new(path_of(file), self._session.pgn())
        except (InputError, OutputError) as error:
            self._terminal.tell(f"{error}.")
        else:
            self._terminal.tell(f"Saved to {inert(file)}.")

    def _flip(self, _: str) -> None:
        self._white_below = not self._white_below
        self._is_board_due = True

    def _board(self, _: str) -> None:
        self._is_board_due = True

    def _moves(self, _: str) -> None:
        self._terminal.say(*(move_list(self._session.san) or ["No move has been played."]))

    def _help(self, _: str) -> None:
        self._terminal.tell("A move: e4, Nf3, exd5, O-O, e8=Q, or e2e4, e7e8q. Commands:")
        for name, command in COMMANDS.items():
            self._terminal.say(f"  {f'{name} {command.argument}':<30}{command.help}")

    def _quit(self, _: str) -> None:
        raise _Leave

    @property
    def _name(self) -> str:
        return seat_name(self._session, not self._person)


COMMANDS: dict[str, _Command] = {
    "undo": _Command("", "take your last move and the reply back", PlainGame._undo),
    "redo": _Command("", "play again what was taken back", PlainGame._redo),
    "hint": _Command("", "what the model would think in your place", PlainGame._hint),
    "draw": _Command("", "claim a draw, or offer one", PlainGame._draw),
    "resign": _Command("", "give up this game", PlainGame._resign),
    "new": _Command("[white|black|random]", "another game", PlainGame._new),
    "load": _Command("FILE", "go on from a PGN file's first game", PlainGame._load),
    "start": _Command("MOVES", 'go on after moves such as "1. e4 e5"', PlainGame._start),
    "save": _Command("FILE", "write this game to a new PGN file", PlainGame._save),
    "moves": _Command("", "the moves so far", PlainGame._moves),
    "board": _Command("", "draw the board again", PlainGame._board),
    "flip": _Command("", "turn the board round", PlainGame._flip),
    "help": _Command("", "this list", PlainGame._help),
    "quit": _Command("", "leave (also Ctrl-D)", PlainGame._quit),
}


def path_of(text: str) -> Path:
    """A path as a person types it, "~" and all.

    Raises:
        InputError: "~name" of a user that doesn't exist.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{inert(text)}: no such user's home folder") from error


def _plies(count: int) -> str:
    return "1 ply" if count == 1 else f"{count} plies"
