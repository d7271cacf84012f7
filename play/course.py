"""The course of games at the board: what happens when a person moves, asks or waits, and when models think.

Knows: what every command does that is about the game, how models are asked in the background, and what is said of it.
Doesn't know: the rules of a game (`session`), ledgers (`table`), how models are loaded (`seating`), widgets or keys.

Whatever a model does wrong becomes a message: a game is never lost by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import chess

from chesslm.errors import ChesslmError, GameTooLong, UserError
from chesslm.player import Decision
from play.background import Background, Result
from play.commands import path_of
from play.endings import DRAW_RULE
from play.entry import Entry, read_entry
from play.inert_text import inert
from play.opponent import Policy
from play.pgn_in import GivenGame, read_fen, read_moves, read_pgn
from play.pgn_out import save_new
from play.seating import Interface, OpenModel, Seating, number, said
from play.session import GameSession
from play.table import COLOURS, NO_LONGER_COUNTS, ONLY_PRACTICE, Table
from play.telling import ending_told, model_move_told, seat_name

_SEATED_CHANGES = "(A game in which a seat changes hands counts for nobody.)"
_PATIENCE_S = 10.0


class Course:
    """Games at a table, for an interface that must never wait.

    Args:
        table: its models are absent until `open`.
        open_model: opens a model; called in the background.
        policy: under which models are opened.
        interface: shows it.
        given: a game to go on from.

    Attributes:
        seating: the models.
        messages: what was said, oldest first.
        hint: the last hint and the position it is about, until the game goes on.
        parting: what was said of games that were left.
        left: command lines that take up games that were left.
        is_thinking: whether the model to move is being waited for.
        is_paused: whether models that play each other stand still.
        pace_s: seconds between their moves.
    """

    def __init__(
        self,
        table: Table,
        open_model: OpenModel,
        policy: Policy,
        *,
        interface: Interface,
        given: GivenGame | None = None,
    ) -> None:
        self.table = table
        self.messages = table.begin(given)
        self.hint: tuple[chess.Board, Decision] | None = None
        self.parting: list[str] = []
        self.left: list[str] = []
        self.is_thinking = self.is_paused = False
        self.pace_s = 1.0
        self._changed, self._start = interface.show_course, interface.start
        self._background = Background()
        self.seating = Seating(
            table,
            open_model,
            policy,
            background=self._background,
            start=self._start,
            say=self.say,
            go_on=self.go_on,
        )
        self._turn = 0
        self._is_ending_told = False

    @property
    def session(self) -> GameSession:
        """The game in progress."""
        return self.table.session

    @property
    def is_watched(self) -> bool:
        """Whether models play each other."""
        return self.table.near is not None

    @property
    def is_persons_turn(self) -> bool:
        """Whether a person may move now."""
        return self.session.ending is None and self.session.mover is None

    @property
    def is_waiting(self) -> bool:
        """Whether a person's move must wait for a model's."""
        return self.session.ending is None and self.session.mover is not None and not self.is_watched

    def say(self, *sentences: str) -> None:
        """Something to be read, inert."""
        self.messages += [inert(sentence, limit=1_000) for sentence in sentences]
        self._changed()

    # Beginning, going on, leaving

    def open(self) -> None:
        """The first game begins, and the models whose seats are kept for them are loaded."""
        self.go_on()
        self.seating.load_absent()

    def begin(self, given: GivenGame | None = None) -> None:
        """Begin another game, or go on from a given one."""
        self._is_ending_told = False
        self.say(*self.table.begin(given))
        self.go_on()

    def go_on(self, *, is_step: bool = False) -> None:
        """After any change: show it, and let a model think if it is to move."""
        self._turn += 1
        self.hint, self.is_thinking = None, False
        self._start(partial(self._follow, self._turn, is_step=is_step), "course")
        self._changed()

    async def _follow(self, turn: int, *, is_step: bool) -> None:
        session = self.session
        while session.ending is None:
            mover = session.mover
            if mover is None or mover.is_absent or (self.is_watched and self.is_paused and not is_step):
                return
            if self.is_watched and not is_step:
                await asyncio.sleep(self.pace_s)
            if not await self._think(session, turn):
                return
            if is_step and session.ending is None:
                return
        self._tell_ending()

    async def _think(self, session: GameSession, turn: int) -> bool:
        """Let the model move; whether it could."""
        name = seat_name(session, session.board.turn)
        self.is_thinking = True
        self._changed()
        try:
            decision = await self._background.run(session.thinking())
        except GameTooLong:
            session.end_too_long()
            self.say(f"The game has become too long for {name} to write; it ends here.")
            return True
        except Exception as error:
            self.say(f"{name} can't move: {said(error)}. model chooses another, undo takes your move back.")
            return False
        finally:
            # A cancelled coroutine learns of it after the next one has begun.
            if turn == self._turn:
                self.is_thinking = False
        session.accept(decision)
        self.say(*model_move_told(session))
        return True

    def _tell_ending(self) -> None:
        if not self._is_ending_told:
            self._is_ending_told = True
            self.say(*ending_told(self.session), *self.table.record(), "new starts another game, save keeps this one.")

    def set_down(self) -> list[str]:
        """Leave the game; it is in the ledger when this returns. What is to be said of it."""
        said, command = self.table.set_down()
        self.parting += said
        if command is not None and command not in self.left:
            self.left.append(command)
        return said

    def close(self) -> None:
        """Close the models, and wait a while for what they are doing."""
        self.seating.close()
        self._background.close(patience_s=_PATIENCE_S)

    async def in_background(self, call: Callable[[], Result]) -> Result:
        """What a call returns that may take long."""
        return await self._background.run(call)

    def set_policy(self, key: str, text: str) -> None:
        """Change how models draw their moves."""
        if self.seating.set_policy(key, text):
            self.say(*self._help_told(is_first=True, why=_SEATED_CHANGES))
            self.go_on()

    # A person's commands

    def move(self, text: str) -> Entry | None:
        """A typed move is played; what was typed comes back where it is none, or where a promotion lacks its piece."""
        if not self._is_on():
            return None
        if self.session.mover is not None:
            self.say("Models play each other; take white or take black lets you sit down.")
            return None
        entry = read_entry(self.session.board, text)
        if entry.move is not None:
            self.play(entry.move)
        elif not entry.is_promotion:
            self.say(f"{entry.complaint[0].upper()}{entry.complaint[1:]}.")
        return entry

    def play(self, move: chess.Move) -> None:
        """A person's legal move."""
        self.session.play(move)
        self.go_on()

    def undo(self) -> None:
        """Take the person's last move back."""
        is_first = not self.session.is_helped
        if not self.session.undo():
            self.say("There is no move of yours to take back.")
            return
        self._is_ending_told = False
        practice = [ONLY_PRACTICE] if self.session.is_recorded else self._help_told(is_first=is_first)
        self.say("Taken back; redo plays it again.", *practice)
        self.go_on()

    def redo(self) -> None:
        """Play again what was taken back."""
        if self.session.redo():
            self.say(*model_move_told(self.session))
            self.go_on()
        else:
            self.say("There is nothing to play again.")

    def ask_hint(self) -> None:
        """Ask the model across the board."""
        if not self._is_on():
            return
        if not self.is_persons_turn or self.table.opponent.is_absent:
            self.say(
                "A hint is for your own move, when the model is there."
                if not self.is_watched
                else "Nobody needs a hint."
            )
            return
        self._start(partial(self._tell_hint, self.session, self.session.hinting(), self._turn), "hint")

    async def _tell_hint(self, session: GameSession, asking: Callable[[], Decision], turn: int) -> None:
        board, name = session.board.copy(), inert(self.table.opponent.name, limit=40)
        try:
            decision = await self._background.run(asking)
        except Exception as error:
            self.say(f"{name} can't say: {said(error)}.")
            return
        if turn != self._turn:
            return  # the game went on meanwhile
        is_first = not session.is_helped
        session.count_hint()
        self.hint = (board, decision)
        self.say(f"In your place {name} would play {board.san(decision.move)}.", *self._help_told(is_first=is_first))

    def resign(self) -> None:
        """The person gives up."""
        if self._is_on() and self._is_playing():
            self.session.resign()
            self.go_on()

    def draw(self) -> None:
        """The person claims a draw, or offers one."""
        if not self._is_on() or not self._is_playing():
            return
        if self.session.mover is not None:
            self.say("Wait for its move: a draw is offered when it is yours.")
        elif self.session.claim_draw() or self.session.offer_draw():
            self.go_on()
        else:
            self.say(f"{inert(self.table.opponent.name, limit=40)} declines: {DRAW_RULE}.")

    def new(self, colour: str) -> None:
        """Another game."""
        chosen = next((known for known in COLOURS if known == colour.lower()), None)
        if colour and chosen is None:
            self.say("new takes white, black or random after it, or nothing.")
            return
        self.say(*self.set_down())
        self.table.colour = chosen or self.table.colour
        self.begin()

    def load(self, file: str) -> None:
        """Go on from a PGN file's first game."""
        self._start(partial(self._go_on_from, lambda: read_pgn(path_of(file))), "given")

    def start(self, moves: str) -> None:
        """Go on after moves."""
        self._start(partial(self._go_on_from, lambda: GivenGame(read_moves(moves, source="start"))), "given")

    def set_up(self, fen: str) -> None:
        """Begin at a set-up position, if the models' notations can write such a game."""
        self._start(partial(self._go_on_from, lambda: GivenGame(read_fen(fen, source="fen"))), "given")

    async def _go_on_from(self, read: Callable[[], GivenGame]) -> None:
        try:
            given = await self._background.run(read)
            for seat in (self.table.opponent, self.table.near):
                refusal = await self._background.run(partial(seat.refusal, given.board)) if seat is not None else ""
                if refusal:
                    self.say(f"{refusal}.")
                    return
        except ChesslmError as error:
            self.say(f"{error}.")
            return
        self.say(*self.set_down())
        self.begin(given)

    def save(self, file: str) -> None:
        """Write the game to a new PGN file."""
        try:
            save_new(path_of(file), self.session.pgn())
        except UserError as error:
            self.say(f"{error}.")
        else:
            self.say(f"Saved to {file}.")

    def swap(self) -> None:
        """Change sides."""
        is_first = not self.session.is_helped
        self.table.swap()
        self.say("Sides changed.", *self._help_told(is_first=is_first, why=_SEATED_CHANGES))
        self.go_on()

    def take(self, colour: str) -> None:
        """The person sits down on a side."""
        if colour.lower() not in ("white", "black"):
            self.say("take needs white or black after it.")
            return
        self.table.take(colour.lower() == "white")
        self.say(f"You play {colour.capitalize()}.")
        self.go_on()

    def pause(self) -> None:
        """Stop models that play each other, or let them go on."""
        if not self.is_watched:
            self.say("Nothing to pause: watch lets a model play in your place.")
            return
        self.is_paused = not self.is_paused
        self.say("Paused: pause goes on, step plays one move." if self.is_paused else "Going on.")
        self.go_on()

    def step(self) -> None:
        """One move of models that play each other, which then stand still."""
        if not self.is_watched:
            self.say("Nothing to step: watch lets a model play in your place.")
            return
        self.is_paused = True
        self.go_on(is_step=True)

    def speed(self, text: str) -> None:
        """How long models wait between their moves."""
        try:
            pace = number("speed", text)
        except UserError as error:
            self.say(f"{error}.")
            return
        self.pace_s = min(60.0, max(0.0, pace))
        self.say(f"{self.pace_s:g} s between moves.")
        self.go_on()

    # Inside

    def _is_on(self) -> bool:
        if self.session.ending is not None:
            self.say("The game is over: new starts another, undo takes your last move back.")
        return self.session.ending is None

    def _is_playing(self) -> bool:
        if self.is_watched:
            self.say("You play neither side; take white or take black sits down.")
        return not self.is_watched

    def _help_told(self, *, is_first: bool, why: str = NO_LONGER_COUNTS) -> list[str]:
        counts = self.table.ledger is not None and not self.session.is_recorded
        return [why] if counts and is_first and self.session.is_helped else []
