"""What is seen of the course of games: the position that is looked at, its highlights, the panels, the page.

Knows: which position, thought and tokens are shown, and what has been picked on the board or revealed on the page.
Doesn't know: widgets and keys (`board_app`), or how text is laid out (`board_panels`).
"""

from __future__ import annotations

from dataclasses import replace

import chess
from rich.text import Text

from chesslm.player import Decision
from play.board_drawing import SIZES, Look, Marks
from play.board_panels import FAINT, message_lines, mind_lines, move_columns, page_lines, record_line, seat_line
from play.board_text import Glyphs
from play.commands import BOARD
from play.completion import completions, meant_moves
from play.course import Course
from play.inert_text import inert
from play.opponent import Opponent
from play.writing import Piece, written_pieces

# Columns beside the board and rows below it that every terminal must leave, and rows that a larger board must leave.
_SIDE_WIDTH, _LOWER_HEIGHT, _ROOMY_HEIGHT = 38, 6, 11


class View:
    """A view of a course.

    Args:
        course: what is looked at.
        glyphs: the characters it is drawn with.
        has_drawn_marks: whether highlights are characters, too.
        is_revealing: whether a model's tokens appear one after another.

    Attributes:
        look: how the board is drawn, for the room that `fit` was told of.
        is_narrow: whether there is no room for panels beside the board.
        is_tall: whether there is more room below it than has to be.
        is_roomy: whether there is much room below it.
        typed: what is being typed.
        picked: the square of the picked piece.
    """

    def __init__(self, course: Course, glyphs: Glyphs, *, has_drawn_marks: bool, is_revealing: bool) -> None:
        self.course = course
        self.look = Look(glyphs, has_drawn_marks=has_drawn_marks)
        self.is_narrow = self.is_tall = self.is_roomy = False
        self.typed = ""
        self.picked: chess.Square | None = None
        self._glyphs = glyphs
        self._is_flipped = False
        self._shown_ply: int | None = None  # None: the present
        self._is_revealing = is_revealing
        self._pieces: list[Piece] = []
        self._num_hidden = 0
        self._num_known_plies = len(course.session.board.move_stack)

    # Where to look

    @property
    def is_present(self) -> bool:
        """Whether the position that is looked at is the one that is played."""
        return self._shown_ply is None

    @property
    def can_move(self) -> bool:
        """Whether a move can be typed or clicked."""
        return self.course.is_persons_turn and self.is_present

    @property
    def near_colour(self) -> chess.Color:
        """The colour at the bottom."""
        return self.course.table.near_colour != self._is_flipped

    @property
    def board(self) -> chess.Board:
        """The position that is looked at; for reading only."""
        board = self.course.session.board
        if self._shown_ply is None or self._shown_ply >= len(board.move_stack):
            return board
        board = board.copy()
        while len(board.move_stack) > self._shown_ply:
            board.pop()
        return board

    def look_at_present(self) -> None:
        """Back to the position that is played; nothing is picked."""
        self._shown_ply = self.picked = None

    def look_on(self, step: int) -> None:
        """One position forward (1) or back (-1)."""
        last = len(self.course.session.board.move_stack)
        ply = min(last, max(0, len(self.board.move_stack) + step))
        self.look_at_present()
        self._shown_ply = None if ply == last else ply
        self._num_hidden = 0

    def flip(self) -> None:
        """Turn the board round."""
        self._is_flipped = not self._is_flipped

    def fit(self, width: int, height: int) -> None:
        """Choose the largest board that leaves room for what stands around it."""
        self.look = replace(self.look, white_below=self.near_colour, size=1)
        for size in SIZES:
            look = replace(self.look, size=size)
            lower = _ROOMY_HEIGHT if size > 2 else _LOWER_HEIGHT
            if look.height + lower <= height and look.width + _SIDE_WIDTH <= width:
                self.look = look
                break
        self.is_narrow = self.look.width + _SIDE_WIDTH > width
        self.is_roomy = self.look.height + _ROOMY_HEIGHT <= height
        self.is_tall = height > self.look.height + _LOWER_HEIGHT

    # The board

    def marks(self) -> Marks:
        """What is highlighted."""
        board = self.board
        last = frozenset({board.peek().from_square, board.peek().to_square}) if board.move_stack else frozenset[int]()
        check = board.king(board.turn) if board.is_check() else None
        meant = self.moves_of_picked() or (
            meant_moves(board, self.completions()) if self.typed and self.can_move else []
        )
        return Marks(last, check, self.picked, frozenset(move.to_square for move in meant))

    def moves_of_picked(self) -> list[chess.Move]:
        """Where the picked piece can go."""
        return [move for move in self.course.session.board.legal_moves if move.from_square == self.picked]

    def completions(self, typed: str | None = None) -> list[str]:
        """Whole lines that begin as what is being typed."""
        board = self.course.session.board if self.can_move else None
        return completions(board, BOARD, self.typed if typed is None else typed)

    # The panels; each takes the columns and rows that it has

    def far(self, width: int, _: int) -> Text:
        """Who plays at the top."""
        return self._seat(not self.near_colour, width)

    def near(self, width: int, _: int) -> Text:
        """Who plays at the bottom."""
        return self._seat(self.near_colour, width)

    def mind(self, width: int, height: int) -> Text:
        """The last thought up to the position that is looked at."""
        board, decision = self._thought()
        record = record_line(self.course.session, board.turn) if self.course.hint is None else ""
        return mind_lines(board, decision, self._glyphs, width, height, record=record)

    def mind_title(self) -> str:
        """Whose thought that is, and where it had it."""
        board, decision = self._thought()
        thinker = self.course.session.seats[board.turn] if self.course.hint is None else None
        thinker = thinker or self.course.table.opponent
        name = inert(thinker.name, limit=20)
        if decision is None:
            return f"The mind of {name}"
        number = f"{board.fullmove_number}{'.' if board.turn == chess.WHITE else '...'}"
        drawn = (
            f" (T {thinker.policy.temperature:g})" if thinker.policy is not None and thinker.policy.temperature else ""
        )
        verb = "would think" if self.course.hint is not None else "thought"
        return f"What {name} {verb} at {number}{drawn}"

    def moves(self, width: int, height: int) -> Text:
        """The moves."""
        return move_columns(self.course.session, len(self.board.move_stack), self._glyphs, width, height)

    def page(self, width: int, height: int) -> Text:
        """The game in tokens, as far as it is revealed."""
        shown = self._pieces[: len(self._pieces) - self._num_hidden]
        if not shown:
            is_waiting = self.course.table.opponent.is_absent
            return Text("Not loaded yet." if is_waiting else "This player reads and writes no tokens.", FAINT)
        return page_lines(shown, self._glyphs, width, height)

    def page_title(self) -> str:
        """In which notation."""
        writer = self._writer()
        return "The page" if writer is None else f"What it reads and writes: the game in {writer.notation} tokens"

    def messages(self, width: int, height: int) -> Text:
        """What was said last."""
        return message_lines(self.course.messages, width, height)

    def prompt(self, _: int, __: int) -> Text:
        """What is waited for."""
        if self.course.session.ending is not None:
            return Text("Game over> ")
        return Text(
            "Your move> " if self.course.is_persons_turn else "Command> " if self.course.is_watched else "Wait> "
        )

    def matches(self, width: int, _: int) -> Text:
        """How what is being typed could go on."""
        shown = "  ".join(self.completions())
        return Text(shown if len(shown) <= width else f"{shown[: max(0, width - 3)]}...", FAINT, no_wrap=True)

    # The page

    def turn_page(self) -> None:
        """Write the page anew; a model's new move is hidden at first, to appear token by token."""
        board, writer = self.board, self._writer()
        decisions = self.course.session.decisions[: len(board.move_stack)]
        language = None if writer is None else writer.language
        self._pieces = [] if language is None else written_pieces(language, board, decisions)
        num_plies = len(board.move_stack)
        is_new = self.is_present and num_plies > self._num_known_plies
        if is_new and self._is_revealing and decisions[-1] is not None:
            self._num_hidden = sum(piece.ply >= num_plies - 1 for piece in self._pieces)
        self._num_hidden = min(self._num_hidden, len(self._pieces))
        self._num_known_plies = num_plies

    def reveal_next(self) -> bool:
        """Reveal one more token; whether there was one."""
        was_hidden = self._num_hidden > 0
        self._num_hidden -= was_hidden
        return was_hidden

    def set_revealing(self, is_revealing: bool) -> None:
        """Whether tokens appear one after another from now on."""
        self._is_revealing, self._num_hidden = is_revealing, 0

    # Inside

    def _writer(self) -> Opponent | None:
        """The model whose notation the page is written in."""
        seats = (self.course.table.opponent, self.course.table.near)
        return next((seat for seat in seats if seat is not None and seat.language is not None), None)

    def _seat(self, colour: chess.Color, width: int) -> Text:
        session = self.course.session
        seat = session.seats[colour]
        is_mover = session.ending is None and session.board.turn == colour
        state = "thinking ..." if is_mover and self.course.is_thinking else ""
        if seat is not None and seat.is_absent:
            state = "loading ..."
        return seat_line(session, colour, self._glyphs, width, state=state)

    def _thought(self) -> tuple[chess.Board, Decision | None]:
        """A thought and the position it was had in, before the move."""
        if self.course.hint is not None and self.is_present:
            return self.course.hint
        board = self.board.copy()
        for decision in reversed(self.course.session.decisions[: len(board.move_stack)]):
            board.pop()
            if decision is not None:
                return board, decision
        return board, None
