"""The plain game: a person and a model, line by line, at a terminal or through a pipe.

Knows: what each command does here, and what is said when.
Doesn't know: the rules of a game in progress (`session`), what happens to one that is left (`table`), how moves are
read (`entry`), how models think.
"""

from __future__ import annotations

from collections.abc import Callable

from chesslm.errors import GameTooLong, InputError, OutputError, UnsupportedPosition
from play.board_text import move_list, thought_lines
from play.commands import PLAIN, complaint_about, path_of, split_command
from play.endings import DRAW_RULE
from play.entry import read_entry
from play.inert_text import inert
from play.pgn_in import GivenGame, read_fen, read_moves, read_pgn
from play.pgn_out import save_new
from play.session import GameSession
from play.table import COLOURS, NO_LONGER_COUNTS, ONLY_PRACTICE, Table
from play.telling import board_block, ending_told, model_move_told, seat_name
from play.terminal import Terminal, leaving_on_signals


class _Leave(Exception):
    """The person quits."""


class PlainGame:
    """Games at one table until the person leaves.

    Args:
        table: who plays and where games are recorded; its opponent stays the caller's to close.
        terminal: what is typed and said.
    """

    def __init__(self, table: Table, terminal: Terminal) -> None:
        self._table = table
        self._opponent = table.opponent
        self._terminal = terminal
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
        if self._table.ledger is not None:
            self._terminal.tell(f"Games are recorded in {inert(str(self._table.ledger))}")

    def _begin(self, given: GivenGame | None = None) -> None:
        self._news += self._table.begin(given)
        self._white_below = self._table.near_colour
        self._is_board_due, self._is_ending_told = True, False

    @property
    def _session(self) -> GameSession:
        return self._table.session

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
        self._news += self._table.record()
        self._news.append("new starts another game, save FILE keeps this one, quit leaves.")

    def _set_down(self) -> None:
        said, command = self._table.set_down()
        # Recorded before anything is printed: a closed window takes no more text.
        self._terminal.tell(*self._news, *said)
        self._news.clear()
        if command is not None:
            self._terminal.tell("The game is unfinished. This takes it up again:")
            self._terminal.say(command)

    # What a typed line does

    def _obey(self, line: str) -> None:
        command = split_command(line, PLAIN)
        if command is None:
            if line.strip():
                self._move(line)
            return
        name, argument = command
        complaint = complaint_about(name, argument, PLAIN[name])
        if complaint:
            self._terminal.tell(complaint)
        else:
            _DOING[name](self, argument)

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
            self._news.append(ONLY_PRACTICE)
        elif self._table.ledger is not None and is_first_help:
            self._news.append(NO_LONGER_COUNTS)

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
        if self._table.ledger is not None and is_first_help:
            self._terminal.tell(NO_LONGER_COUNTS)

    def _resign(self, _: str) -> None:
        if self._is_on():
            self._session.resign()

    def _draw(self, _: str) -> None:
        if self._is_on() and not self._session.claim_draw() and not self._session.offer_draw():
            self._terminal.tell(f"{self._name} declines: {DRAW_RULE}.")

    def _new(self, colour: str) -> None:
        chosen = next((known for known in COLOURS if known == colour.lower()), None)
        if colour and chosen is None:
            self._terminal.tell("new takes white, black or random after it, or nothing.")
            return
        self._table.colour = chosen or self._table.colour
        self._set_down()
        self._begin()

    def _load(self, file: str) -> None:
        self._go_on_from(lambda: read_pgn(path_of(file)))

    def _start(self, moves: str) -> None:
        self._go_on_from(lambda: GivenGame(read_moves(moves, source="start")))

    def _fen(self, text: str) -> None:
        self._go_on_from(lambda: GivenGame(read_fen(text, source="fen")))

    def _go_on_from(self, read: Callable[[], GivenGame]) -> None:
        try:
            given = read()
        except (InputError, UnsupportedPosition) as error:
            self._terminal.tell(f"{error}.")
            return
        refusal = self._opponent.refusal(given.board)
        if refusal:
            self._terminal.tell(f"{inert(refusal)}.")
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
        moves = move_list(self._session.san, first_ply=self._session.board.root().ply())
        self._terminal.say(*(moves or ["No move has been played."]))

    def _help(self, _: str) -> None:
        self._terminal.tell("A move: e4, Nf3, exd5, O-O, e8=Q, or e2e4, e7e8q. Commands:")
        for name, command in PLAIN.items():
            self._terminal.say(f"  {f'{name} {command.argument}':<30}{command.help}")

    def _quit(self, _: str) -> None:
        raise _Leave

    @property
    def _name(self) -> str:
        return seat_name(self._session, not self._table.near_colour)


_DOING: dict[str, Callable[[PlainGame, str], None]] = {
    "undo": PlainGame._undo,
    "redo": PlainGame._redo,
    "hint": PlainGame._hint,
    "draw": PlainGame._draw,
    "resign": PlainGame._resign,
    "new": PlainGame._new,
    "load": PlainGame._load,
    "start": PlainGame._start,
    "fen": PlainGame._fen,
    "save": PlainGame._save,
    "moves": PlainGame._moves,
    "board": PlainGame._board,
    "flip": PlainGame._flip,
    "help": PlainGame._help,
    "quit": PlainGame._quit,
}
