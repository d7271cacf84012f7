"""Chess as lines of text, the same in colour and without: board, move list, captured pieces, a model's thoughts.

Knows: how a position and a decision look in a terminal of 80 columns, in Unicode or in ASCII.
Doesn't know: whose turn it is to type, or where the lines go.

    >>> print(board_lines(chess.Board(), ASCII, white_below=True)[1])
      8  r  n  b  q  k  b  n  r   8
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import chess

from chesslm.player import Decision
from play.inert_text import inert

COLUMNS = 80
SHOWN_CANDIDATES = 6
_BAR_LEN = 30
# Kings can't be captured; promotions make more of the others than there were, never fewer captured than none.
_START_COUNTS = {chess.QUEEN: 1, chess.ROOK: 2, chess.BISHOP: 2, chess.KNIGHT: 2, chess.PAWN: 8}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters a drawing needs.

    Args:
        pieces: FEN letter -> character.
        dark: stands on an empty dark square.
        bar: one unit of a bar.
        bar_parts: the parts of a unit, from the smallest to the largest but one; none if there are none.
        target: stands on an empty square where a piece can go.
        refused: stands before what a model wanted and may not.
        has_half_blocks: whether half a cell can be filled.
    """

    pieces: dict[str, str]
    dark: str
    bar: str
    bar_parts: str = ""
    target: str = "*"
    refused: str = "!"
    has_half_blocks: bool = False

    @property
    def text(self) -> str:
        """All of them, to try an encoding with."""
        return "".join(self.pieces.values()) + self.dark + self.bar


UNICODE = Glyphs(dict(chess.UNICODE_PIECE_SYMBOLS), dark="·", bar="█")
# On coloured squares, filled shapes in two colours are easier to tell apart than outlines.
FILLED = Glyphs(
    {letter: chess.UNICODE_PIECE_SYMBOLS[letter.lower()] for letter in "KQRBNPkqrbnp"},
    dark=" ",
    bar="█",
    bar_parts="▏▎▍▌▋▊▉",
    target="•",
    refused="✗",
    has_half_blocks=True,
)
ASCII = Glyphs({letter: letter for letter in "KQRBNPkqrbnp"}, dark=".", bar="#")


def board_lines(board: chess.Board, glyphs: Glyphs, *, white_below: bool) -> list[str]:
    """Ten lines of 31 columns: ranks and files with coordinates; the last move's two squares stand in brackets."""
    ranks = range(7, -1, -1) if white_below else range(8)
    files = range(8) if white_below else range(7, -1, -1)
    last = {board.peek().from_square, board.peek().to_square} if board.move_stack else set()
    letters = "    " + "".join(f" {chess.FILE_NAMES[file]} " for file in files)
    lines = [letters.rstrip()]
    for rank in ranks:
        cells = "".join(_cell(board, chess.square(file, rank), glyphs, last) for file in files)
        lines.append(f"  {rank + 1} {cells}  {rank + 1}")
    return [*lines, letters.rstrip()]


def _cell(board: chess.Board, square: chess.Square, glyphs: Glyphs, last: set[chess.Square]) -> str:
    piece = board.piece_at(square)
    is_dark = bool(chess.BB_SQUARES[square] & chess.BB_DARK_SQUARES)
    symbol = glyphs.pieces[piece.symbol()] if piece is not None else glyphs.dark if is_dark else " "
    return f"[{symbol}]" if square in last else f" {symbol} "


def beside(left: Sequence[str], right: Sequence[str], *, left_width: int) -> list[str]:
    """Two blocks of lines side by side, cut at 80 columns; both of equal length."""
    return [f"{one:<{left_width}}{other}".rstrip()[:COLUMNS] for one, other in zip(left, right, strict=True)]


def captured(board: chess.Board, colour: chess.Color, glyphs: Glyphs) -> str:
    """The pieces of `colour` that are off the board, dearest first; a promoted pawn counts as captured."""
    return "".join(
        glyphs.pieces[chess.Piece(piece, colour).symbol()] * max(0, count - len(board.pieces(piece, colour)))
        for piece, count in _START_COUNTS.items()
    )


def numbered(san: Sequence[str], *, first_ply: int = 0) -> list[str]:
    """Move pairs with their numbers; `first_ply` is 0 at the start position, 1 after White's first move.

    >>> numbered(["e4", "e5", "Nf3"])
    ['1. e4 e5', '2. Nf3']
    >>> numbered(["e5", "Nf3"], first_ply=1)
    ['1... e5', '2. Nf3']
    """
    odd = first_ply % 2
    first = [f"{first_ply // 2 + 1}... {san[0]}"] if odd and san else []
    pairs = range(odd, len(san), 2)
    return first + [f"{(first_ply + ply) // 2 + 1}. {' '.join(san[ply : ply + 2])}" for ply in pairs]


def move_list(san: Sequence[str], *, first_ply: int = 0) -> list[str]:
    """The whole game as movetext, `numbered` and wrapped at 78 columns without breaking a pair apart."""
    glue = "\N{NO-BREAK SPACE}"
    text = " ".join(pair.replace(" ", glue) for pair in numbered(san, first_ply=first_ply))
    return [line.replace(glue, " ") for line in textwrap.wrap(text, 78, break_long_words=False)]


def percent(rate: float) -> str:
    """A rate in [0, 1] for people: "98.2 %"."""
    return f"{100 * rate:.1f} %"


def wanted(decision: Decision) -> str:
    """What the model wrote when it was no legal move: 'it wanted "Ke2", which is not legal'; else ""."""
    if decision.first_choice is None or decision.first_choice_move is not None:
        return ""
    return f'it wanted "{inert(decision.first_choice, limit=60)}", which is no legal move here'


def thought_lines(board: chess.Board, decision: Decision, glyphs: Glyphs) -> Iterator[str]:
    """The top moves with their probabilities as bars, the legal mass, and an illegal first choice."""
    for move, probability in decision.candidates[:SHOWN_CANDIDATES]:
        bar = glyphs.bar * round(_BAR_LEN * probability)
        yield f"  {board.san(move):<8}{percent(probability):>8}  {bar}".rstrip()
    if decision.legal_mass is not None:
        yield f"  {percent(decision.legal_mass)} of its probability is on legal moves."
    if wanted(decision):
        yield f"  {wanted(decision)[0].upper()}{wanted(decision)[1:]}."
