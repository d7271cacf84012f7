"""Lines in and lines out: a terminal with a person at it, or a pipe.

Knows: what can be encoded, line editing, echo for pipes, and signals that mean "leave".
Doesn't know: chess.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import locale
import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from play.board_text import ASCII, COLUMNS, UNICODE, Glyphs


class Terminal:
    """Standard input and output, as they are when a game begins.

    Attributes:
        is_typed: whether a person sits at the input, not a pipe or a file.
        is_screen: whether input and output are a terminal on which a whole screen can be drawn.
        is_unicode: whether that screen can show Unicode.
        glyphs: Unicode pieces where the output can carry them, else ASCII.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._stdin, self._stdout = sys.stdin, sys.stdout
        self._encoding = self._stdout.encoding or "ascii"
        self.is_typed = self._stdin.isatty()
        self.is_screen = self.is_typed and self._stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        # The locale, not Python's encoding: in the C locale Python writes UTF-8 that the terminal can't show.
        self.is_unicode = not ascii_only and self._can_show(UNICODE) and _is_unicode(locale.getencoding())
        self.glyphs = ASCII if ascii_only or not self._can_show(UNICODE) else UNICODE
        if isinstance(self._stdin, io.TextIOWrapper):
            # Bytes that are no text become a move that nobody can read, not a traceback.
            self._stdin.reconfigure(errors="replace")
        if self.is_typed and self._stdout.isatty():
            # Line editing and history for `input`; a Python without readline does without.
            with contextlib.suppress(ImportError):
                importlib.import_module("readline")

    def say(self, *lines: str) -> None:
        """Print lines; a character that the output's encoding lacks becomes "?"."""
        for line in lines:
            print(line.encode(self._encoding, "replace").decode(self._encoding), file=self._stdout, flush=True)

    def tell(self, *sentences: str) -> None:
        """Print sentences, each wrapped between words where it is longer than a line."""
        for sentence in sentences:
            wrapped = textwrap.wrap(sentence, COLUMNS - 1, break_long_words=False, break_on_hyphens=False)
            self.say(*wrapped)

    def ask(self, prompt: str) -> str:
        """One line from the input, without its end.

        Raises:
            EOFError: the input has ended (Ctrl-D).
        """
        if self.is_typed:
            return input(prompt)
        line = self._stdin.readline()
        if not line:
            raise EOFError
        line = line.rstrip("\n")
        # A pipe shows nothing of what it carries: with the echo, the output reads like a typed game.
        self.say(f"{prompt}{line if line.isprintable() else ascii(line)}")
        return line

    def _can_show(self, glyphs: Glyphs) -> bool:
        try:
            glyphs.text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True


def _is_unicode(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith("utf")


@contextlib.contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Let a closed terminal window (SIGHUP) and SIGTERM end the game as Ctrl-C does, so that it is recorded."""
    kinds = (signal.SIGHUP, signal.SIGTERM)
    before = {kind: signal.signal(kind, _leave) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
