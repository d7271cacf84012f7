"""Games of a match for the report: one for each way a model's games ended, on drawn boards.

Knows: which games of a match's folder are shown, and what of them.
Doesn't know: how games are played or recorded (`match_game`, `match_log`) or laid out (`report`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import chess.pgn

from chesslm.errors import FormatError, InputError
from eval.match_log import GAMES_FILE, read_pgn_records

NUM_GAMES = 6


@dataclass(frozen=True, slots=True)
class MatchGame:
    """One game.

    Args:
        white, black: labels.
        result: 1-0, 0-1 or 1/2-1/2.
        ending: how it ended, in words.
        movetext: numbers and moves.
        num_plies: length.
        board_fen: board part of the FEN at the end, for drawing.
        last_move: UCI of the last move, or None.
    """

    white: str
    black: str
    result: str
    ending: str
    movetext: str
    num_plies: int
    board_fen: str
    last_move: str | None


def match_samples(folder: Path, *, num_games: int = NUM_GAMES) -> list[MatchGame]:
    """The first game of every way to end and every result, in the order in which they were played.

    Raises:
        InputError: the games can't be read.
        FormatError: they are no games; names the file.
    """
    path = folder / GAMES_FILE
    try:
        records, _ = read_pgn_records(path.read_bytes())
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    shown: dict[tuple[str, str], MatchGame] = {}
    for number, record in enumerate(records, start=1):
        # Headers first: most games aren't shown, and replaying is what takes long.
        headers = chess.pgn.read_headers(io.StringIO(record))
        key = ("", "") if headers is None else (headers.get("Reason", ""), headers.get("Result", "*"))
        if key in shown:
            continue
        game = chess.pgn.read_game(io.StringIO(record))
        if game is None or game.errors:
            raise FormatError(f"{path}, game {number}: can't be replayed")
        shown[key] = _shown(game)
        if len(shown) == num_games:
            break
    return list(shown.values())


def _shown(game: chess.pgn.Game) -> MatchGame:
    headers, board = game.headers, game.end().board()
    note = headers.get("Note", "")
    moves = game.accept(chess.pgn.StringExporter(headers=False, comments=False, variations=False, columns=None))
    return MatchGame(
        white=headers.get("White", "?"),
        black=headers.get("Black", "?"),
        result=headers.get("Result", "*"),
        ending=": ".join(filter(None, (headers.get("Reason", ""), note))),
        movetext=moves,
        num_plies=board.ply(),
        board_fen=board.board_fen(),
        last_move=board.peek().uci() if board.move_stack else None,
    )
