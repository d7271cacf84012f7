"""A sitting at the terminal board, from the first screen to what is said when it is over.

Knows: that nothing is lost whichever way a sitting ends, and what is printed afterwards.
Doesn't know: what happens on the screen (`board_app`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from play.board_app import BoardApp
from play.terminal import Terminal


def play_at_board(app: BoardApp, terminal: Terminal) -> None:
    """Play until the person leaves.

    Raises:
        KeyboardInterrupt: it was ended by Ctrl-C or a signal; the game is in the ledger.
    """
    try:
        with _warnings_shown_by(app):
            app.run()
    finally:
        app.course.set_down()
        app.course.close()
        terminal.tell(*app.course.parting)
        if app.course.left:
            terminal.tell("What is unfinished is taken up again by:")
            terminal.say(*app.course.left)
    if app.is_interrupted:
        raise KeyboardInterrupt


@contextmanager
def _warnings_shown_by(app: BoardApp) -> Iterator[None]:
    """Let warnings become messages: a line on standard error would stand in the middle of the screen."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, [_ToMessages(app)]
    try:
        yield
    finally:
        root.handlers = before


class _ToMessages(logging.Handler):
    def __init__(self, app: BoardApp) -> None:
        super().__init__(logging.WARNING)
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        # Models log from the thread that loads them. Only the list grows here; the next change shows it.
        self._app.course.messages.append(record.getMessage())
