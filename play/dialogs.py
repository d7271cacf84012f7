"""What covers the board for a moment: a question, a choice, the help.

Knows: how each is left: with an answer, or with None by Escape.
Doesn't know: what is asked for, or what comes of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

_LEAVE: list[BindingType] = [("escape", "dismiss(None)", "Leave")]


class Ask(ModalScreen[str | None]):
    """Asks for a line of text."""

    BINDINGS: ClassVar[list[BindingType]] = _LEAVE

    def __init__(self, title: str, explanation: str) -> None:
        super().__init__()
        self._title, self._explanation = title, explanation

    def compose(self) -> ComposeResult:
        """The question and a line for the answer."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Text(self._title).markup
            yield Static(Text(f"{self._explanation}\n"))
            yield Input(compact=True)
            yield Static(Text("\nEnter takes it, Escape leaves."), classes="faint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The answer; an empty one is none."""
        event.stop()
        self.dismiss(event.value.strip() or None)


class Choose(ModalScreen[str | None]):
    """Asks for one of several, by arrow keys, mouse or letter.

    Args:
        options: what is answered, and how it is shown.
        letters: keys that answer at once.
    """

    BINDINGS: ClassVar[list[BindingType]] = _LEAVE

    def __init__(
        self, title: str, options: Sequence[tuple[str, str]], *, letters: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._title, self._options, self._letters = title, options, letters or {}

    def compose(self) -> ComposeResult:
        """The options."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Text(self._title).markup
            yield OptionList(*(Option(Text(shown)) for _, shown in self._options), compact=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The chosen one."""
        event.stop()
        self.dismiss(self._options[event.option_index][0])

    def on_key(self, event: events.Key) -> None:
        """A letter may choose, too."""
        answer = self._letters.get(event.character or "")
        if answer is not None:
            event.stop()
            self.dismiss(answer)


class Help(ModalScreen[None]):
    """Shows a text until a key is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [*_LEAVE, ("question_mark,q,enter,f1", "dismiss(None)", "Leave")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text, in a box that scrolls."""
        with VerticalScroll(classes="dialog wide") as dialog:
            dialog.border_title = "Help"
            yield Static(Text(self._text))
