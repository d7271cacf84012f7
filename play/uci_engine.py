"""The UCI engine between its commands: position, options, and the search that is going on.

Knows: what each command does, in which order answers go out, and that every `go` gets exactly one `bestmove`.
Doesn't know: how a line is parsed (`uci_protocol`), what a model thinks (`uci_thinker`), or standard input and output.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import chess

import chesslm
from chesslm.errors import InputError, UserError
from play.inert_text import inert
from play.uci_options import Settings
from play.uci_protocol import Command, Debug, Go, Position, SetOption, Word, info_string, parse
from play.uci_search import Search, Worker
from play.uci_thinker import Thinker, Thought, random_thought


class Engine:
    """An engine that is told lines and says lines.

    Args:
        say: sends lines, all at once and in order; called from two threads, never at the same time.
        thinker: chooses moves.
        settings: what the options are set to at first.
        failed: told, from the other thread, what must end the engine: the model it was started with can't be loaded,
            nobody reads its answers, or a bug of ours.
    """

    def __init__(
        self,
        say: Callable[[Sequence[str]], None],
        thinker: Thinker,
        settings: Settings,
        *,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._say_unlocked = say
        self._lock = threading.Lock()
        self._thinker = thinker
        self._settings = self._first_settings = settings
        self._position = Position()
        self._board: chess.Board | None = chess.Board()
        self._fault = ""
        self._is_debug = False
        self._search: Search | None = None
        self._worker = Worker(failed)

    def tell(self, line: str) -> bool:
        """Do what a line says; False once the engine is to end."""
        command = parse(line)
        if command is None:
            if self._is_debug and line.strip():
                self._say([info_string(f"not understood: {line}")])
            return True
        if command is Word.QUIT:
            return False
        self._do(command)
        return True

    def end_of_input(self) -> None:
        """Nothing more will be asked: answer what has been asked so far."""
        if self._search is not None:
            self._search.release()
        self._worker.close(is_finishing=True)

    def close(self, *, within_s: float | None = None) -> bool:
        """End without another answer; False if the thinker is still at it after that time. Harmless to call twice."""
        return self._worker.close(within_s=within_s)

    def _do(self, command: Command) -> None:
        match command:
            case Word.UCI:
                self._introduce()
            case Word.IS_READY:
                self._get_ready()
            case Word.NEW_GAME:
                self._take(Position())
            case Word.STOP:
                if self._search is not None:
                    self._search.stop()
            case Word.PONDER_HIT:
                if self._search is not None:
                    self._search.release()
            case Debug(on):
                self._is_debug = on
            case SetOption():
                self._set(command)
            case Position():
                self._take(command)
            case Go():
                self._go(command)

    def _introduce(self) -> None:
        self._say(
            [
                f"id name {self._name}",
                "id author the chesslm authors",
                *self._settings.declared(),
                "uciok",
            ]
        )
        settings = self._settings

        def prepare() -> None:
            self._prepare(settings)

        # Importing torch takes seconds: begin now, since a model is all but sure to be wanted. What is wrong with it
        # is said when it is, for until then another one may be chosen.
        self._worker.do(prepare)

    @property
    def _name(self) -> str:
        model = (self._settings.model or "").rstrip("/").rpartition("/")[2]
        return f"chesslm {chesslm.__version__} {inert(model, limit=60)}".rstrip()

    def _get_ready(self) -> None:
        if self._search is not None and not self._search.is_answered:
            # The protocol: answered at once during a search.
            self._say(["readyok"])
            return
        settings = self._settings

        def ready() -> None:
            fault = self._prepare(settings)
            self._fail_if_hopeless(fault, settings)
            self._say([*([info_string(f"error: {fault}")] if fault else []), "readyok"])

        self._worker.do(ready)

    def _prepare(self, settings: Settings) -> UserError | None:
        try:
            self._thinker.prepare(settings)
        except UserError as error:
            return error
        return None

    def _fail_if_hopeless(self, fault: UserError | None, settings: Settings) -> None:
        """The model that the command was started with is a mistake on the command line, and ends it like any other."""
        if fault is not None and settings.model == self._first_settings.model:
            raise fault

    def _set(self, command: SetOption) -> None:
        try:
            self._settings = self._settings.with_option(command.name, command.value)
        except InputError as error:
            self._say([info_string(str(error))])

    def _take(self, position: Position) -> None:
        before = (self._position, self._board) if self._board is not None else None
        self._position, self._board, self._fault = position, None, ""
        try:
            self._board = position.board(before)
        except InputError as error:
            self._fault = str(error)
            self._say([info_string(self._fault)])

    def _go(self, command: Go) -> None:
        if self._search is not None:
            # Against the protocol, but each `go` shall have its answer, and in order.
            self._search.release()
        board, settings, fault = self._board, self._settings, self._fault
        legal = list(board.legal_moves) if board is not None else []
        wanted = legal
        if command.searchmoves is not None:
            wanted = [move for move in legal if move.uci() in command.searchmoves] or legal
        if not wanted and not fault:
            fault = "the game is over"

        def fallback() -> Thought:
            why = info_string("random move: the model had not answered when it had to")
            return random_thought(board.copy(), wanted, settings.seed, (why,)) if board is not None else _nothing("")

        search = Search(self._say, fallback, is_held=command.is_infinite or command.is_pondering)
        self._search = search
        if board is None or not wanted:
            search.finish(_nothing(f"no move: {fault}"))
            return
        asked = board.copy()

        def think() -> None:
            try:
                thought = self._thinker.think(asked, wanted, settings)
            except UserError as error:
                self._fail_if_hopeless(error, settings)
                thought = _nothing(f"no move: {error}")
            search.finish(thought)

        self._worker.do(think)

    def _say(self, lines: Sequence[str]) -> None:
        with self._lock:
            if lines:
                self._say_unlocked(lines)


def _nothing(why: str) -> Thought:
    return Thought((info_string(why),), None)
