"""What a person is told about a game: the board with its panel, a model's move, the ending.

Knows: the sentences, and how a session becomes a block of lines.
Doesn't know: when they are said, or how they get to the person.
"""

from __future__ import annotations

import chess

from play.board_text import Glyphs, beside, board_lines, captured, numbered, percent, wanted
from play.endings import claimable_draw
from play.inert_text import inert
from play.session import GameSession

_PANEL_COLUMN, _PANEL_CELL, _PANEL_ROWS = 36, 22, 4


def side(colour: chess.Color) -> str:
    """The name of a colour: White or Black."""
    return "White" if colour == chess.WHITE else "Black"


def seat_name(session: GameSession, colour: chess.Color) -> str:
    """Who plays a colour, as told to the person: "you", or the model's name, made inert."""
    seat = session.seats[colour]
    return "you" if seat is None else inert(seat.name, limit=30)


def board_block(session: GameSession, glyphs: Glyphs, *, white_below: bool) -> list[str]:
    """The board with names, captured pieces and the last eight move pairs beside it: ten lines of 80 columns."""
    board = session.board
    top = chess.BLACK if white_below else chess.WHITE
    pairs = numbered(session.san, first_ply=board.root().ply())[-2 * _PANEL_ROWS :]
    rows = ["".join(f"{pair:<{_PANEL_CELL}}" for pair in pairs[row::_PANEL_ROWS]) for row in range(_PANEL_ROWS)]
    panel = ["", _seat_line(session, top, glyphs), captured(board, not top, glyphs), *rows]
    panel += [captured(board, top, glyphs), _seat_line(session, not top, glyphs), ""]
    return beside(board_lines(board, glyphs, white_below=white_below), panel, left_width=_PANEL_COLUMN)


def model_move_told(session: GameSession) -> list[str]:
    """What the model just played, its legal mass, an illegal first choice, and a draw that may be claimed now.

    Empty where the last move was no model's.
    """
    decision = session.last_decision
    if decision is None:
        return []
    ply = session.board.ply() - 1
    number = f"{ply // 2 + 1}{'.' if ply % 2 == 0 else '...'}"
    mass = "" if decision.legal_mass is None else f"   (legal mass {percent(decision.legal_mass)})"
    check = "   Check." if session.ending is None and session.board.is_check() else ""
    lines = [f"{seat_name(session, not session.board.turn)} played {number} {session.san[-1]}{mass}{check}"]
    if wanted(decision):
        lines.append(f"But {wanted(decision)}.")
    claim = claimable_draw(session.board) if session.ending is None else None
    if claim is not None:
        lines.append(f"You may claim a draw ({claim.termination}): type draw.")
    return lines


def ending_told(session: GameSession) -> list[str]:
    """How the game ended, and how often the model's first choices were legal in it; empty while it goes on."""
    if session.ending is None:
        return []
    lines = [f"{session.ending.text}."]
    for colour in chess.COLORS:
        mind = session.mind(colour)
        if mind.num_moves:
            mass = "" if mind.legal_mass is None else f"; mean legal mass {percent(mind.legal_mass)}"
            legal = f"{mind.num_legal} of its {mind.num_moves} first choices were legal"
            lines.append(f"{seat_name(session, colour)}: {legal}{mass}.")
    return lines


def _seat_line(session: GameSession, colour: chess.Color, glyphs: Glyphs) -> str:
    pawn = glyphs.pieces[chess.Piece(chess.PAWN, colour).symbol()]
    return f"{side(colour)} {pawn}  {seat_name(session, colour)}"
