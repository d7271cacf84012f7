"""The terminal board: a person plays a model, looks into its mind, and reads what it writes.

Knows: what stands where on the screen, keys, clicks and dialogs, and which of them means which command.
Doesn't know: what happens in a game (`course`) or what is seen of it (`board_view`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import chess
from rich.markup import escape
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input
from textual.worker import WorkType

from play.board_help import ABOUT_ARGUMENTS, help_text
from play.board_style import CSS
from play.board_text import ASCII, FILLED
from play.board_view import View
from play.board_widgets import BoardView, Drawn, LineInput
from play.commands import BOARD, complaint_about, split_command
from play.course import Course
from play.dialogs import Ask, Choose, Help
from play.inert_text import inert
from play.model_list import USUAL_FOLDERS, list_models
from play.opponent import Policy
from play.pgn_in import GivenGame
from play.seating import OpenModel, Work
from play.table import Table

_PROMOTIONS = {"q": "queen", "r": "rook", "b": "bishop", "n": "knight"}
_REVEAL_S = 0.07


class BoardApp(App[None], inherit_bindings=False):
    """The board at a table.

    Args:
        table: who plays; its models are absent, and loaded when the board stands.
        open_model: opens a model, in the background.
        policy: under which models are opened.
        given: a game to go on from.
        ascii_only: whether to draw with ASCII characters alone.
        folders: where to look for models, besides the usual folders.
        is_revealing: whether a model's tokens appear one after another.

    Attributes:
        course: what happens.
        view: what is seen of it.
        is_interrupted: whether it was ended by a signal or by Ctrl-C.
    """

    TITLE = "chesslm"
    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "do('help')", "Help", key_display="?"),
        Binding("ctrl+z,f2", "do('undo')", "Undo", key_display="^z"),
        Binding("ctrl+y,f3", "do('redo')", "Redo", key_display="^y"),
        Binding("ctrl+t,f4", "do('hint')", "Hint", key_display="^t"),
        Binding("ctrl+r,f5", "do('flip')", "Flip", key_display="^r"),
        Binding("ctrl+n,f6", "do('new')", "New", key_display="^n"),
        Binding("ctrl+o,f7", "do('model')", "Model", key_display="^o"),
        Binding("ctrl+p,f8", "menu", "Menu", key_display="^p"),
        Binding("ctrl+s", "do('save')", "Save", show=False),
        Binding("ctrl+l", "do('load')", "Load", show=False),
        Binding("pageup", "do('back')", "Back", show=False),
        Binding("pagedown", "do('forward')", "Forward", show=False),
        Binding("escape", "present", "Now", show=False),
        Binding("ctrl+q,f10", "do('quit')", "Quit", key_display="^q"),
        Binding("ctrl+c", "interrupt", "Leave", show=False, priority=True),
    ]

    def __init__(
        self,
        table: Table,
        open_model: OpenModel,
        policy: Policy,
        *,
        given: GivenGame | None = None,
        ascii_only: bool = False,
        folders: Sequence[Path] = (),
        is_revealing: bool = True,
    ) -> None:
        super().__init__()
        self.course = Course(table, open_model, policy, interface=self, given=given)
        self.is_interrupted = False
        self._folders = [*folders, *USUAL_FOLDERS]
        self.view = View(
            self.course,
            ASCII if ascii_only else FILLED,
            has_drawn_marks=ascii_only or self.no_color,
            is_revealing=is_revealing,
        )
        self._has_begun = False
        self.set_class(ascii_only, "-ascii")

    # What stands where

    def compose(self) -> ComposeResult:
        """The board with its panels, the page, the messages, the line."""
        view = self.view
        with Vertical(id="body"):
            with Horizontal(id="upper"):
                yield BoardView(view.look)
                with Vertical(id="side"):
                    yield Drawn("far", view.far)
                    yield Drawn("mind", view.mind)
                    yield Drawn("moves", view.moves)
                    yield Drawn("near", view.near)
            yield Drawn("page", view.page)
            yield Drawn("messages", view.messages)
        with Horizontal(id="entry"):
            yield Drawn("prompt", view.prompt)
            yield LineInput(view.completions, {"?": partial(self._do, "help"), " ": self._pause})
            yield Drawn("matches", view.matches)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin: the board stands before any model is loaded."""
        loop = asyncio.get_running_loop()
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(kind, self.action_interrupt)
        self.set_interval(_REVEAL_S, self._reveal)
        self._has_begun = True
        self._line.focus()
        self.course.open()

    def on_unmount(self) -> None:
        """Signals mean again what they meant."""
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(kind)

    def on_resize(self) -> None:
        """Another size of the terminal may have room for another size of the board."""
        self.call_after_refresh(self.show_course)

    def show_course(self) -> None:
        """Draw everything anew, for the room there is."""
        if not self._is_standing:
            return
        view, screen = self.view, self.screen_stack[0]
        view.fit(*self.size)
        view.turn_page()
        screen.set_class(view.is_narrow, "-narrow")
        screen.set_class(view.is_tall, "-tall")
        screen.set_class(view.is_roomy, "-roomy")
        self._show_board()
        for name, title in (("#mind", view.mind_title()), ("#page", view.page_title())):
            # Cut here, because textual would cut it with a character that not every terminal has.
            drawn = screen.query_one(name)
            drawn.border_title = escape(inert(title, limit=max(8, drawn.size.width - 4)))
        for drawn in screen.query(Drawn):
            drawn.refresh()
        self._line.suggest()

    @property
    def _is_standing(self) -> bool:
        """Whether there is a screen: not before it is composed, nor when the app is about to end."""
        if not self._has_begun or not self.screen_stack:
            return False
        # The widgets are taken away before the screen is, and a timer may strike in between.
        return all(self.screen_stack[0].query(name) for name in ("#board", "#page", "#line", "#matches"))

    def _show_board(self) -> None:
        self.screen_stack[0].query_one(BoardView).show(self.view.board, self.view.marks(), self.view.look)

    def start(self, work: Work, group: str) -> None:
        """Run work beside the interface; other work of the same group takes its place."""
        typed: WorkType[None] = work
        self.run_worker(typed, group=group, exclusive=True)

    @property
    def _line(self) -> LineInput:
        return self.screen_stack[0].query_one(LineInput)

    def _reveal(self) -> None:
        if self._is_standing and self.view.reveal_next():
            self.screen_stack[0].query_one("#page").refresh()

    # What is typed, and clicked

    def on_input_changed(self, event: Input.Changed) -> None:
        """What is being typed is completed, and shown on the board."""
        if event.input.id == "line" and self._is_standing:
            self.view.typed, self.view.picked = event.value, None
            self._show_board()
            self.screen_stack[0].query_one("#matches").refresh()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A command, or a move."""
        if event.input.id != "line" or not event.value.strip():
            return
        command = split_command(event.value, BOARD)
        if command is None and self.course.is_waiting:
            return  # it stays there until the model has moved
        line = self._line.take()
        if command is not None:
            self._do(*command)
            return
        self.view.look_at_present()
        entry = self.course.move(line)
        if entry is not None and entry.is_promotion:
            self._promote(entry.candidates)

    def on_board_view_clicked(self, event: BoardView.Clicked) -> None:
        """The first click picks a piece, the second says where it goes."""
        view = self.view
        if not view.can_move:
            self.action_present()
            return
        moves = [move for move in view.moves_of_picked() if move.to_square == event.square]
        own = self.course.session.board.occupied_co[self.course.session.board.turn]
        is_pick = bool(chess.BB_SQUARES[event.square] & own) and event.square != view.picked
        view.picked = event.square if is_pick and not moves else None
        if len(moves) > 1:
            self._promote(moves)
        elif moves:
            self.course.play(moves[0])
        self.show_course()

    def _promote(self, moves: Sequence[chess.Move]) -> None:
        def chosen(name: str | None) -> None:
            for move in moves:
                if move.promotion is not None and chess.piece_name(move.promotion) == name:
                    self.course.play(move)

        options = [(name, f"{name.capitalize()}  ({letter})") for letter, name in _PROMOTIONS.items()]
        self.push_screen(Choose("The pawn becomes a ...", options, letters=_PROMOTIONS), chosen)

    # Commands

    def action_do(self, name: str) -> None:
        """A command by its key."""
        self._do(name)

    def _do(self, name: str, argument: str = "") -> None:
        command = BOARD[name]
        if not argument and not command.is_complete_alone:
            self._ask_argument(name)
            return
        complaint = complaint_about(name, argument, command)
        if complaint:
            self.course.say(complaint)
        elif name in ("model", "watch") and not argument:
            self.start(partial(self._choose_model, name), "list")
        elif name in self._looking:
            self._looking[name](argument)
        else:
            self.view.look_at_present()
            self._playing[name](argument)
        self.show_course()

    @property
    def _looking(self) -> dict[str, Callable[[str], object]]:
        """Commands that change nothing but what is seen."""
        return {
            "help": lambda _: self.push_screen(Help(help_text())),
            "flip": lambda _: self.view.flip(),
            "back": lambda _: self.view.look_on(-1),
            "forward": lambda _: self.view.look_on(1),
            "reveal": self._set_reveal,
            "quit": lambda _: self._leave(),
            "save": self.course.save,
        }

    @property
    def _playing(self) -> dict[str, Callable[[str], None]]:
        course = self.course
        return {
            "undo": lambda _: course.undo(),
            "redo": lambda _: course.redo(),
            "hint": lambda _: course.ask_hint(),
            "draw": lambda _: course.draw(),
            "resign": lambda _: course.resign(),
            "new": course.new,
            "load": course.load,
            "start": course.start,
            "fen": course.set_up,
            "swap": lambda _: course.swap(),
            "take": course.take,
            "model": course.seating.choose_opponent,
            "watch": course.seating.watch,
            "pause": lambda _: course.pause(),
            "step": lambda _: course.step(),
            "speed": course.speed,
            **{key: partial(course.set_policy, key) for key in ("temperature", "top-k", "top-p")},
        }

    def _ask_argument(self, name: str) -> None:
        def answered(argument: str | None) -> None:
            if argument is not None:
                self._do(name, argument)

        explanation = ABOUT_ARGUMENTS.get(name, BOARD[name].help)
        self.push_screen(Ask(f"{name} {BOARD[name].argument}", explanation), answered)

    def action_menu(self) -> None:
        """All commands, to choose from."""

        def chosen(name: str | None) -> None:
            if name is not None:
                self._do(name)

        options = [(name, f"{name:<12}{command.help}") for name, command in BOARD.items()]
        self.push_screen(Choose("Menu", options), chosen)

    async def _choose_model(self, name: str) -> None:
        self.course.say("Looking for models ...")
        options = [
            *await self.course.in_background(partial(list_models, self._folders)),
            ("", "another: type its folder"),
        ]

        def chosen(model: str | None) -> None:
            if model:
                self._do(name, model)
            elif model is not None:
                self._ask_argument(name)

        title = "Who plays against you?" if name == "model" else "Who plays in your place?"
        self.push_screen(Choose(title, options), chosen)

    def _pause(self) -> None:
        if self.course.is_watched:
            self._do("pause")

    def _set_reveal(self, text: str) -> None:
        if text.lower() not in ("on", "off"):
            self.course.say("reveal needs on or off after it.")
            return
        self.view.set_revealing(text.lower() == "on")

    def action_present(self) -> None:
        """Back to the present: no picked piece, nothing typed, the position as it is."""
        self.view.look_at_present()
        self._line.value = ""
        self.show_course()

    def action_interrupt(self) -> None:
        """Ctrl-C, or a signal: leave at once."""
        self.is_interrupted = True
        self._leave()

    def _leave(self) -> None:
        # Before anything else is tried: a closed terminal may not let us do more.
        self.course.set_down()
        self.exit()
