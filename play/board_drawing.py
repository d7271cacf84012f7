"""A position as coloured text, in five sizes, and back from a place in it to a square.

Knows: how squares, pieces, coordinates and highlights look, in Unicode or in ASCII.
Doesn't know: who plays, widgets, or where on the screen the board stands.

Terminal cells are about twice as high as wide, so a square of `size` rows is `2 * size` columns wide. A square with an
even number of rows has no middle row for its piece. In Unicode such a board begins half a cell lower: the rows between
two ranks are drawn with half blocks, and each rank gets a middle row.

    >>> from play.board_text import ASCII
    >>> print(draw_board(chess.Board(), Look(ASCII, size=1)).plain.splitlines()[0].rstrip())
    8  r  n  b  q  k  b  n  r
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import chess
from rich.style import Style
from rich.text import Text

from play.board_text import Glyphs

SIZES = (5, 4, 3, 2, 1)
MARGIN = 2  # columns to the left, for the ranks

_LIGHT, _DARK = "#9fb3c1", "#64808f"
_LAST_LIGHT, _LAST_DARK = "#cdbf6a", "#a99b47"
_SELECTED, _CHECK, _TARGET_LIGHT, _TARGET_DARK = "#7fb069", "#d1495b", "#a3c293", "#7c9f73"
_WHITE_PIECE, _BLACK_PIECE, _COORDINATE = "#ffffff", "#101418", "#8a9aa5"


@dataclass(frozen=True, slots=True)
class Look:
    """How the board is drawn.

    Args:
        glyphs: the characters.
        size: rows of a square, one of `SIZES`.
        white_below: whether White's side is at the bottom.
        has_drawn_marks: whether highlights are characters, too, for those who see no colours.
    """

    glyphs: Glyphs
    size: int = 2
    white_below: bool = True
    has_drawn_marks: bool = False

    @property
    def is_shifted(self) -> bool:
        """Whether the board begins half a cell lower."""
        return self.size % 2 == 0 and self.glyphs.has_half_blocks

    @property
    def columns(self) -> int:
        """Columns of a square."""
        return 3 if self.size == 1 else 2 * self.size

    @property
    def width(self) -> int:
        """Columns of the whole drawing."""
        return MARGIN + 8 * self.columns

    @property
    def height(self) -> int:
        """Rows of the whole drawing."""
        return 8 * self.size + 1 + self.is_shifted


@dataclass(frozen=True, slots=True)
class Marks:
    """Highlighted squares.

    Args:
        last: where the last move began and ended.
        check: where a king in check stands.
        selected: the square that was picked.
        targets: where the picked piece, or what is being typed, can go.
    """

    last: frozenset[chess.Square] = frozenset()
    check: chess.Square | None = None
    selected: chess.Square | None = None
    targets: frozenset[chess.Square] = frozenset()


@cache
def _style(color: str | None = None, bgcolor: str | None = None, bold: bool = False) -> Style:
    return Style(color=color, bgcolor=bgcolor, bold=bold)


def draw_board(board: chess.Board, look: Look, marks: Marks | None = None) -> Text:
    """The position with its coordinates, `look.height` lines of `look.width` columns."""
    marks = marks or Marks()
    text = Text(no_wrap=True, end="")
    for row in range(8 * look.size + look.is_shifted):
        rank, offset = divmod(row, look.size)
        if look.is_shifted and offset == 0:
            _between_ranks(text, board, look, marks, rank)
        else:
            _through_rank(text, board, look, marks, rank, is_middle=offset == look.size // 2)
        text.append("\n")
    names = "".join(chess.FILE_NAMES[_file(look, file)].center(look.columns) for file in range(8))
    text.append(" " * MARGIN + names, _style(color=_COORDINATE))
    return text


def square_at(column: int, row: int, look: Look) -> chess.Square | None:
    """The square at a place of the drawing; None for margins. A half row belongs to the square below it."""
    file, rank = (column - MARGIN) // look.columns, row // look.size
    if look.is_shifted and row == 8 * look.size:
        rank = 7
    return _square(look, file, rank) if column >= MARGIN and 0 <= file < 8 and 0 <= rank < 8 else None


def _through_rank(text: Text, board: chess.Board, look: Look, marks: Marks, rank: int, *, is_middle: bool) -> None:
    number = chess.RANK_NAMES[chess.square_rank(_square(look, 0, rank))] if is_middle else ""
    text.append(number.ljust(MARGIN), _style(color=_COORDINATE))
    for file in range(8):
        square = _square(look, file, rank)
        cell, ink = _cell(board, square, look, marks) if is_middle else ("", _BLACK_PIECE)
        paper = _paper(board, square, marks)
        text.append(cell.ljust(look.columns), _style(color=ink, bgcolor=paper, bold=True))


def _between_ranks(text: Text, board: chess.Board, look: Look, marks: Marks, rank: int) -> None:
    """The row whose upper half belongs to the rank before and whose lower half to this one."""
    text.append(" " * MARGIN)
    for file in range(8):
        above = _paper(board, _square(look, file, rank - 1), marks) if rank > 0 else None
        below = _paper(board, _square(look, file, rank), marks) if rank < 8 else None
        if above is None:
            text.append("▄" * look.columns, _style(color=below))
        else:
            text.append("▀" * look.columns, _style(color=above, bgcolor=below))


def _cell(board: chess.Board, square: chess.Square, look: Look, marks: Marks) -> tuple[str, str]:
    """The characters of a square's middle row, without the space to their right, and their colour."""
    piece = board.piece_at(square)
    is_target = square in marks.targets
    symbol = look.glyphs.pieces[piece.symbol()] if piece else look.glyphs.target if is_target else " "
    ink = _WHITE_PIECE if piece and piece.color == chess.WHITE else _BLACK_PIECE
    left, right = " ", " "
    if look.has_drawn_marks:
        if square == marks.check:
            left, right = "!", "!"
        elif square == marks.selected:
            left, right = "<", ">"
        elif piece and is_target:
            left, right = "x", "x"
        elif square in marks.last:
            left, right = "[", "]"
    return " " * ((look.columns - 3) // 2) + left + symbol + right, ink


def _paper(board: chess.Board, square: chess.Square, marks: Marks) -> str:
    is_light = bool(chess.BB_SQUARES[square] & chess.BB_LIGHT_SQUARES)
    if square == marks.check:
        return _CHECK
    if square == marks.selected:
        return _SELECTED
    if square in marks.targets and board.piece_at(square):
        return _TARGET_LIGHT if is_light else _TARGET_DARK
    if square in marks.last:
        return _LAST_LIGHT if is_light else _LAST_DARK
    return _LIGHT if is_light else _DARK


def _file(look: Look, file: int) -> int:
    return file if look.white_below else 7 - file


def _square(look: Look, file: int, rank: int) -> chess.Square:
    """The square in column `file` from the left and line `rank` from the top."""
    return chess.square(_file(look, file), 7 - rank if look.white_below else rank)
