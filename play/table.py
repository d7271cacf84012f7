"""What stays when one game follows another: who plays, the ledger, and the command line that comes back here.

Knows: how a game begins, how it is recorded, and what is said when it is left.
Doesn't know: how anything is shown or typed; the plain game and the board both sit at a table.

An unfinished game is never lost: when it is left (quit, Ctrl-C, a closed window, new, load, start) it goes into the
ledger as unfinished, and the command line that takes it up again is told.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import chess

from chesslm.errors import OutputError
from play.board_text import numbered
from play.inert_text import inert, printable
from play.opponent import Opponent
from play.pgn_in import GivenGame
from play.session import GameSession
from play.telling import side

Colour = Literal["white", "black", "random"]
COLOURS: tuple[Colour, ...] = ("white", "black", "random")

NO_LONGER_COUNTS = "(A game with hints or take-backs is recorded as helped: it counts for nobody.)"
ONLY_PRACTICE = "The ledger keeps the game as it ended; what you play now is practice."


class Table:
    """Games one after another, between a person and a model or between two models.

    Args:
        opponent: the model across the board.
        colour: the near side's; "random" is tossed anew for each game.
        near: the model on the near side; None: a person sits there.
        ledger: where games are recorded; None: nowhere.
        is_typed: whether a person types the moves, not a pipe or a file.
        extra: options of the command line that comes back here, besides players, colour and moves.

    Attributes:
        session: the game in progress.
    """

    session: GameSession

    def __init__(
        self,
        opponent: Opponent,
        *,
        colour: Colour = "white",
        near: Opponent | None = None,
        ledger: Path | None = None,
        is_typed: bool = True,
        extra: Sequence[str] = (),
    ) -> None:
        self.opponent, self.near = opponent, near
        self.colour: Colour = colour
        self.ledger = ledger
        self._is_typed = is_typed
        self._extra = list(extra)

    @property
    def near_colour(self) -> chess.Color:
        """The colour of the near side in this game."""
        return self._near_colour

    def begin(self, given: GivenGame | None = None) -> list[str]:
        """Begin a game, or go on from a given one; returns what is to be said of that."""
        # A coin, not an experiment: the colour stands in the ledger, so no seed has to bring it back.
        colours = {"white": [chess.WHITE], "black": [chess.BLACK], "random": [chess.WHITE, chess.BLACK]}
        self._near_colour = random.SystemRandom().choice(colours[self.colour])
        self.session = GameSession(
            {self._near_colour: self.near, not self._near_colour: self.opponent}, start=given.board if given else None
        )
        said = []
        if given is not None and given.board.move_stack:
            title = f" of {given.title}" if given.title else ""
            said.append(f"Going on after {_plies(len(given.board.move_stack))}{title}.")
        if not self.session.is_from_start:
            said.append("The game begins at a set-up position, so no ledger records it.")
        return [*said, f"You play {side(self._near_colour)}."] if self.near is None else said

    def replace(self, old: Opponent, new: Opponent) -> None:
        """Another model takes a model's place, in this game and in those to come."""
        if self.opponent is old:
            self.opponent = new
        if self.near is old:
            self.near = new
        for colour, seat in list(self.session.seats.items()):
            if seat is old:
                self.session.sit(colour, new)

    def sit_near(self, near: Opponent | None) -> None:
        """Somebody else sits on the near side, in this game and in those to come; None: the person."""
        self.near = near
        self.session.sit(self._near_colour, near)

    def take(self, colour: chess.Color) -> None:
        """The person sits down on that side, and the model that sat there leaves, or changes sides with the person."""
        if colour == self._near_colour:
            self.sit_near(None)
            return
        if self.near is not None:
            self.opponent, self.near = self.near, None
        self.swap()

    def swap(self) -> None:
        """The two sides change places, in this game and in those to come."""
        self._near_colour = not self._near_colour
        for colour, seat in ((self._near_colour, self.near), (not self._near_colour, self.opponent)):
            self.session.sit(colour, seat)
        if self.colour != "random":
            self.colour = "white" if self._near_colour == chess.WHITE else "black"

    def record(self) -> list[str]:
        """Write the game into the ledger as it stands, once; returns what is to be said of that."""
        is_waiting = any(seat is not None and seat.is_absent for seat in self.session.seats.values())
        if self.ledger is None or is_waiting:
            return []
        try:
            if self.session.record(self.ledger, typed=self._is_typed):
                return [f"Recorded in {inert(str(self.ledger))}."]
        except OutputError as error:
            return [f"Not recorded: {error}."]
        return []

    def set_down(self) -> tuple[list[str], str | None]:
        """Leave the game: what is to be said, and, of an unfinished one, the command line that takes it up again."""
        session = self.session
        is_left = session.ending is None and session.has_played
        # An ended game is recorded, too: Ctrl-C may have come between its end and its record.
        said = self.record() if is_left or session.ending is not None else []
        return said, self._command_line() if is_left else None

    def _command_line(self) -> str:
        board = self.session.board
        options = [*self.opponent.options, *self._extra]
        if self.near is not None and self.near.asked is not None:
            options += ["--opponent", self.near.asked]
        options += ["--colour", "white" if self._near_colour == chess.WHITE else "black"]
        if not self.session.is_from_start:
            options += ["--fen", board.root().fen()]
        moves = " ".join(numbered(self.session.san, first_ply=board.root().ply()))
        # On one line, however long, so that it can be copied.
        return printable(shlex.join(["chesslm", "play", *options, "--moves", moves]))


def _plies(count: int) -> str:
    return "1 ply" if count == 1 else f"{count} plies"
