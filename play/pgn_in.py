"""A game to start from: movetext that a person gives, or the first game of a PGN file.

Knows: PGN's movetext (comments, variations, glyphs, numbers, results) and which headers mean another start.
Doesn't know: dumps, filters or canonical SAN (`data_prep` does); what will be played from here on.

python-chess's own reader skips what it can't read and cuts a game at an illegal move, silently; here a person must be
told, so every token is a move, a mark of PGN, or an error that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chess

from chesslm.errors import InputError, UnsupportedPosition
from play.entry import read_entry
from play.inert_text import inert

# A game of 1,000 moves with a comment at each fits; a dump given by mistake isn't read whole.
MAX_PGN_BYTES = 1_000_000
# zstd, gzip, bzip2, and what no text has.
_PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"BZh")
_HEADER = re.compile(r'\[\s*(\w+)\s+"(.*)"\s*\]\s*$')
_TOKEN = re.compile(
    r"""(?P<comment>\{[^}]*\}|;[^\n]*|(?m:^)%[^\n]*)
      | (?P<next>(?m:^)\[)
      | (?P<open>\() | (?P<close>\))
      | (?P<result>(?:1-0|0-1|1/2-1/2|\*)(?=\s|$|\(|\{))
      | (?P<number>\d+\.+|\d+(?=\s|$)) | (?P<glyph>\$\d+|[!?]+(?=\s|$))
      | (?P<word>[^\s(){};]+|[{}])""",
    re.VERBOSE,
)
_STANDARD_VARIANTS = ("", "standard", "chess", "normal", "from position")


@dataclass(frozen=True, slots=True)
class GivenGame:
    """A game to go on from.

    Args:
        board: after its last move, with the whole move stack.
        title: who played, from the headers, made inert; "" without headers.
    """

    board: chess.Board
    title: str = ""


def read_fen(text: str, *, source: str) -> chess.Board:
    """The position that a FEN sets up; `source` is named in errors.

    Raises:
        InputError: it is no FEN, or no position of standard chess can be like that.
    """
    try:
        board = chess.Board(text)
    except ValueError as error:
        raise InputError(f"{source}: no FEN: {inert(str(error))}") from error
    faults = [str(fault.name).lower().replace("_", " ") for fault in chess.Status if fault & board.status()]
    if faults:
        raise InputError(f"{source}: not a position of standard chess: {', '.join(faults)}")
    return board


def read_moves(text: str, *, source: str, start: chess.Board | None = None) -> chess.Board:
    """The board after movetext such as "1. e4 e5 2. Nf3", in SAN or UCI; `source` is named in errors.

    The moves begin at the start position, or at `start`.

    Raises:
        InputError: a token that is no legal move; names the ply, the token and why.
    """
    board = chess.Board() if start is None else start.copy()
    for token in _main_line(text, source):
        entry = read_entry(board, token)
        if entry.move is None:
            why = "the game is over" if board.is_game_over() else entry.complaint
            raise InputError(f'{source}: "{inert(token, limit=40)}" at ply {board.ply() + 1}: {why}')
        board.push(entry.move)
    return board


def read_pgn(path: Path) -> GivenGame:
    """The first game of a PGN file.

    Raises:
        InputError: missing, empty, without moves, or a move that isn't one; names the file.
        UnsupportedPosition: the game didn't begin at chess's start position; names the file and says why.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PGN_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {inert(str(path))}: {getattr(error, 'strerror', None) or error}") from error
    source = inert(str(path))
    if content.startswith(_PACKED) or b"\0" in content:
        raise InputError(f"{source}: not a text file; a PGN must be unpacked to be played from")
    headers, movetext = _split(content.decode("utf-8-sig", errors="replace"))
    _refuse_other_starts(headers, source)
    board = read_moves(movetext, source=source)
    if not board.move_stack:
        raise InputError(f"{source}: no moves in it")
    return GivenGame(board, _title(headers))


def _split(text: str) -> tuple[dict[str, str], str]:
    headers: dict[str, str] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        header = _HEADER.match(line.strip())
        if header is None and line.strip():
            return headers, "\n".join(lines[number:])
        if header is not None:
            headers.setdefault(header[1], header[2])
    return headers, ""


def _refuse_other_starts(headers: dict[str, str], source: str) -> None:
    variant = headers.get("Variant", "")
    if variant.strip().lower() not in _STANDARD_VARIANTS:
        raise UnsupportedPosition(
            f"{source}: a game of {inert(variant, limit=40)}; the models know standard chess only"
        )
    if "FEN" in headers and " ".join(headers["FEN"].split()) != chess.STARTING_FEN:
        raise UnsupportedPosition(
            f"{source}: the game begins at a set-up position (FEN); a model reads a game from its first move, "
            "so it can only begin at chess's start position"
        )


def _title(headers: dict[str, str]) -> str:
    if not headers.get("White") and not headers.get("Black"):
        return ""
    players = f"{headers.get('White') or '?'} - {headers.get('Black') or '?'}"
    place = ", ".join(headers[key] for key in ("Event", "Date") if headers.get(key, "?")[0] != "?")
    return inert(f"{players} ({place})" if place else players, limit=70)


def _main_line(text: str, source: str) -> Iterator[str]:
    depth = 0
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth < 0:
                raise InputError(f"{source}: a variation is closed that was never opened")
        elif kind == "word" and word in "{}":
            raise InputError(
                f"{source}: a comment is {'never closed' if word == '{' else 'closed that was never opened'}"
            )
        elif depth == 0 and kind in ("result", "next"):
            return
        elif depth == 0 and kind == "word":
            yield word
    if depth:
        raise InputError(f"{source}: a variation is never closed")
