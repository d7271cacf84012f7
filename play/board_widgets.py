"""The board's widgets: a drawing that knows its room, the board that is clicked on, and the line that is typed.

Knows: textual's events for these three.
Doesn't know: what a click or a line means; they are told to the app as messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import chess
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.suggester import Suggester, SuggestionReady
from textual.widget import Widget
from textual.widgets import Input

from play.board_drawing import Look, Marks, draw_board, square_at
from play.completion import common_start


class Drawn(Widget):
    """Text that is drawn anew whenever it is shown: `draw(width, height)` fits the room there is."""

    def __init__(self, name: str, draw: Callable[[int, int], Text]) -> None:
        super().__init__(id=name)
        self._draw = draw

    def render(self) -> Text:
        """The text for the room there is now."""
        return self._draw(self.content_size.width, self.content_size.height)


class BoardView(Widget):
    """The drawn board; tells which square was clicked on."""

    class Clicked(Message):
        """Args: the square that was clicked on."""

        def __init__(self, square: chess.Square) -> None:
            super().__init__()
            self.square = square

    def __init__(self, look: Look) -> None:
        super().__init__(id="board")
        self.look = look
        self._board, self._marks = chess.Board(), Marks()
        self._shown = (self._board.board_fen(), self._marks, look)

    def show(self, board: chess.Board, marks: Marks, look: Look) -> None:
        """Draw another position, other highlights or another size."""
        has_new_size = (look.width, look.height) != (self.look.width, self.look.height)
        shown = (board.board_fen(), marks, look)
        if shown != self._shown:
            self._shown, self._board, self._marks, self.look = shown, board, marks, look
            self.refresh(layout=has_new_size)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Columns of the drawing."""
        del container, viewport
        return self.look.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Rows of the drawing."""
        del container, viewport, width
        return self.look.height

    def render(self) -> Text:
        """The drawing."""
        return draw_board(self._board, self.look, self._marks)

    def on_click(self, event: events.Click) -> None:
        """Tell the square."""
        square = square_at(event.x, event.y, self.look)
        if square is not None:
            self.post_message(self.Clicked(square))


class LineInput(Input):
    """The line that is typed: completed by Tab, with the lines before it under the arrow keys.

    Args:
        complete: whole lines that begin as what is typed.
        keys: what a key does while nothing is typed, by the character it writes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False),
        Binding("up", "recall(-1)", "Line before", show=False),
        Binding("down", "recall(1)", "Line after", show=False),
    ]

    def __init__(self, complete: Callable[[str], list[str]], keys: dict[str, Callable[[], None]]) -> None:
        super().__init__(id="line", suggester=_Suggester(complete), compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._complete, self._keys = complete, keys
        self._typed: list[str] = []
        self._at = 0

    async def _on_key(self, event: events.Key) -> None:
        if not self.value and event.character in self._keys:
            event.stop()
            event.prevent_default()
            self._keys[event.character]()
            return
        await super()._on_key(event)

    def take(self) -> str:
        """What was typed; the line is empty again and remembered."""
        line, self.value = self.value.strip(), ""
        if line and line not in self._typed[-1:]:
            self._typed.append(line)
        self._at = len(self._typed)
        return line

    def suggest(self) -> None:
        """Look for a suggestion again, because other lines may be possible now."""
        found = self._complete(self.value)
        if found:
            self.post_message(SuggestionReady(self.value, found[0]))

    def action_complete(self) -> None:
        """Write as much as all completions agree on."""
        longer = common_start(self._complete(self.value))
        if len(longer) >= len(self.value) and longer:
            self._write(longer)

    def action_recall(self, step: int) -> None:
        """A line that was typed before."""
        self._at = min(len(self._typed), max(0, self._at + step))
        self._write(self._typed[self._at] if self._at < len(self._typed) else "")

    def _write(self, text: str) -> None:
        self.value = text
        self.cursor_position = len(text)


class _Suggester(Suggester):
    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        found: Sequence[str] = self._complete(value)
        return found[0] if found else None
