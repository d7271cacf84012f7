"""What stands around the drawn board, as coloured text that fits a given room: players, mind, moves, the model's page.

Knows: how a decision becomes bars, how a game becomes columns of moves, and how tokens are laid out.
Doesn't know: widgets, keys, or when anything is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import chess
from rich.style import Style
from rich.text import Text

from chesslm.player import Decision
from play.board_text import Glyphs, captured, percent
from play.endings import material_balance
from play.inert_text import inert
from play.session import GameSession
from play.telling import seat_name, side
from play.writing import Kind, Piece

FAINT = Style(color="#8a9aa5")
_PLAIN = Style(color="#dfe7ec")
_STRONG = Style(color="#ffffff", bold=True)
_BAR, _CHOSEN_BAR, _MASS_BAR = Style(color="#6c8ca0"), Style(color="#e3b94c"), Style(color="#7fb069")
_REFUSED = Style(color="#ff8080", bold=True)
_SHOWN = Style(color="#101418", bgcolor="#e3b94c", bold=True)
_TOKENS: dict[Kind, tuple[Style, Style]] = {
    "frame": (FAINT, FAINT),
    "person": (Style(color="#c3ced6", bgcolor="#2b363d"), Style(color="#c3ced6", bgcolor="#364249")),
    "model": (Style(color="#f6e3ae", bgcolor="#4d4222"), Style(color="#f6e3ae", bgcolor="#5f522c")),
    "wanted": (Style(color="#ff8080", bgcolor="#4a2328", strike=True),) * 2,
}
_PAIR_WIDTH, _NUMBER_WIDTH, _SAN_WIDTH = 21, 5, 8
_LABEL_WIDTH = 22


def seat_line(session: GameSession, colour: chess.Color, glyphs: Glyphs, width: int, *, state: str = "") -> Text:
    """A player: colour, name, what it is doing, what it has captured, and by how many pawns it is ahead."""
    is_mover = session.ending is None and session.board.turn == colour
    ahead = material_balance(session.board, colour)
    taken = captured(session.board, not colour, glyphs) + (f" +{ahead}" if ahead > 0 else "")
    text = Text(no_wrap=True, end="", overflow="ellipsis" if glyphs.has_half_blocks else "crop")
    text.append("> " if is_mover else "  ", _CHOSEN_BAR)
    text.append(f"{side(colour)} ", FAINT)
    text.append(seat_name(session, colour), _STRONG if is_mover else _PLAIN)
    text.append(f" {state}" if state else "", _CHOSEN_BAR)
    text.truncate(max(0, width - len(taken) - 1))
    text.append(" " * max(1, width - len(text) - len(taken)))
    text.append(taken, _PLAIN)
    return text


def mind_lines(
    board: chess.Board, decision: Decision | None, glyphs: Glyphs, width: int, height: int, *, record: str = ""
) -> Text:
    """What a model thought in the position `board`, before its move: bars, legal mass, a refused first choice.

    `record`, what its first choices came to so far, is the last line if there is room.
    """
    if decision is None:
        return Text("No thought to show yet.", FAINT, end="")
    lines = list(_verdict(decision, glyphs, width))
    num_moves = max(1, height - len(lines) - (1 if record and height > 8 else 0))
    rows = [_candidate(board, move, p, decision.move, glyphs, width) for move, p in decision.candidates[:num_moves]]
    if not decision.candidates:
        rows = [Text(f"It plays {board.san(decision.move)}; it has no probabilities.", _PLAIN)]
    elif decision.move not in [move for move, _ in decision.candidates[:num_moves]]:
        drawn = dict(decision.candidates).get(decision.move, 0.0)
        rows[-1] = _candidate(board, decision.move, drawn, decision.move, glyphs, width)
    rows += lines
    if record and len(rows) < height:
        rows.append(Text(record, FAINT))
    return _joined(rows[:height])


def _candidate(
    board: chess.Board, move: chess.Move, probability: float, chosen: chess.Move, glyphs: Glyphs, width: int
) -> Text:
    is_chosen = move == chosen
    text = Text("> " if is_chosen else "  ", _CHOSEN_BAR)
    text.append(f"{board.san(move):<9}", _STRONG if is_chosen else _PLAIN)
    text.append(f"{percent(probability):>8}  ", _STRONG if is_chosen else _PLAIN)
    return text.append(bar(probability, width - _LABEL_WIDTH, glyphs), _CHOSEN_BAR if is_chosen else _BAR)


def _verdict(decision: Decision, glyphs: Glyphs, width: int) -> list[Text]:
    rows = []
    if decision.legal_mass is not None:
        text = Text("legal mass ", FAINT)
        text.append(f"{percent(decision.legal_mass):>8}  ", _PLAIN)
        rows.append(text.append(bar(decision.legal_mass, width - _LABEL_WIDTH + 1, glyphs), _MASS_BAR))
    if decision.first_choice is not None:
        written = inert(decision.first_choice, limit=max(8, width - 21))
        if decision.first_choice_move is None:
            rows.append(Text(f"{glyphs.refused} it wanted {written}: illegal", _REFUSED))
        else:
            rows.append(Text("first choice ", FAINT).append(written, _PLAIN).append(", legal", _MASS_BAR))
    return rows


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """A bar of at most `width` columns for a share in [0, 1].

    >>> from play.board_text import ASCII
    >>> bar(0.5, 10, ASCII)
    '#####'
    """
    parts = len(glyphs.bar_parts) + 1
    units = round(max(0, width) * parts * min(1.0, max(0.0, share)))
    return glyphs.bar * (units // parts) + (glyphs.bar_parts[units % parts - 1] if units % parts else "")


def record_line(session: GameSession, colour: chess.Color) -> str:
    """What the first choices of the model on that side came to; "" where there are none."""
    mind = session.mind(colour)
    if not mind.num_moves:
        return ""
    mass = "" if mind.legal_mass is None else f", mean legal mass {percent(mind.legal_mass)}"
    return f"{mind.num_legal} of {mind.num_moves} first choices legal{mass}"


def move_columns(session: GameSession, shown_ply: int, glyphs: Glyphs, width: int, height: int) -> Text:
    """The moves in columns, as many as fit around the one that led to the shown position, `shown_ply` plies on.

    A mark stands behind moves that were second choices.
    """
    if not session.san:
        return Text("No move has been played.", FAINT, end="")
    first_ply = session.board.root().ply()
    cells = _move_cells(session, shown_ply, glyphs)
    start = first_ply - first_ply % 2
    numbers = range(start, first_ply + len(session.san), 2)
    columns = max(1, (width + 1) // (_PAIR_WIDTH + 1))
    room = max(1, columns * height)
    at = (first_ply + max(0, shown_ply - 1) - start) // 2
    # Whole columns are scrolled, so that lines keep their places while a game goes on.
    begin = max(0, (at - room) // height + 1) * height if at >= room else 0
    shown = numbers[begin : begin + room]
    lines = []
    for row in range(min(height, len(shown))):
        line = Text()
        for number in shown[row::height]:
            line.append(f"{number // 2 + 1:>3}. ", FAINT)
            for ply in (number - first_ply, number - first_ply + 1):
                line.append_text(cells.get(ply, Text(("..." if ply < 0 else "").ljust(_SAN_WIDTH), FAINT)))
            line.append(" ")
        lines.append(line)
    return _joined(lines)


def _move_cells(session: GameSession, shown_ply: int, glyphs: Glyphs) -> dict[int, Text]:
    cells = {}
    for ply, (san, decision) in enumerate(zip(session.san, session.decisions, strict=True)):
        cell = Text().append(san, _SHOWN if ply == shown_ply - 1 else _PLAIN)
        if decision is not None and decision.first_choice is not None and decision.first_choice_move is None:
            cell.append(glyphs.refused, _REFUSED)
        cell.append(" " * (_SAN_WIDTH - len(cell)))
        cells[ply] = cell
    return cells


def page_lines(pieces: Sequence[Piece], glyphs: Glyphs, width: int, height: int) -> Text:
    """The end of the page, token by token: neighbours differ in shade, and a move's author in colour."""
    lines: list[Text] = [Text()]
    carries_spaces = any(piece.text.startswith(" ") for piece in pieces)
    for index, (piece, following) in enumerate(pairwise([*pieces, Piece("", "frame", 0)])):
        style = _TOKENS[piece.kind][index % 2]
        shown = f"{glyphs.refused}{piece.text}{glyphs.refused}" if piece.kind == "wanted" else piece.text
        if lines[-1].cell_len + len(shown) > width and lines[-1].cell_len:
            lines.append(Text())
        lines[-1].append(shown, style)
        if not carries_spaces or "wanted" in (piece.kind, following.kind):
            lines[-1].append(" ")
    return _joined(lines[-height:])


def message_lines(messages: Sequence[str], width: int, height: int) -> Text:
    """The newest messages, wrapped, the newest last and bright."""
    lines: list[Text] = []
    for index, message in enumerate(messages):
        style = _PLAIN if index == len(messages) - 1 else FAINT
        lines += _wrapped(message, width, style)
    return _joined(lines[-height:])


def _wrapped(message: str, width: int, style: Style) -> list[Text]:
    words, lines = message.split(" "), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return [Text(line, style) for line in lines]


def _joined(lines: Sequence[Text]) -> Text:
    text = Text("\n", no_wrap=True, end="").join(lines)
    text.no_wrap = True
    return text
