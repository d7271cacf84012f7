"""The Lichess puzzle file: its rows, and the real games before its puzzles.

Knows: the official columns (PuzzleId, FEN, Moves, Rating, RatingDeviation, Popularity, NbPlays, Themes, GameUrl,
OpeningTags), how a puzzle finds its game by id, and every reason why one can't be put to a model.
Doesn't know: models (only whether a game fits them) or how puzzles are played (`tactics_puzzles`).

A row's FEN is the position before the opponent's mistake, its first move; the player's moves are every second one from
there on. The puzzle file is read twice: for the ids of its games, then for the puzzles whose games were found.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np
import numpy.typing as npt

from chesslm.errors import InputError
from chesslm.files import sha256_file
from chesslm.game import Game
from chesslm.game_files import games_folder, games_of_ids
from eval import pgn
from eval.positions import DEFAULT_SPLIT, Progress, silent
from eval.records import PuzzlesRecord

SUFFIXES: tuple[str, ...] = (".csv", ".csv.zst", ".csv.gz", ".csv.bz2")
COLUMNS: tuple[str, ...] = ("PuzzleId", "FEN", "Moves", "Rating", "Themes", "GameUrl")

NO_GAME = "its game isn't there"
ANOTHER_POSITION = "its game has another position there"
SAME_GAME = "another puzzle has the same game"

_GAME_URL = re.compile(r"https?://lichess\.org/([A-Za-z0-9]{8})(?:/(?:black|white))?(?:#\d+)?")
_MOVES = re.compile(r"[a-h][1-8][a-h][1-8][nbrq]?(?: [a-h][1-8][a-h][1-8][nbrq]?)+")
_SITE_TAG = re.compile(r'^\[Site "https?://(?:www\.)?lichess\.org/([A-Za-z0-9]{8})', re.MULTILINE)
_ROWS_A_REPORT = 50_000


@dataclass(frozen=True, slots=True)
class PuzzleRow:
    """A row of the puzzle file.

    Args:
        line: its line in the file, from 1 on.
        id: of the puzzle.
        fen: the position before the opponent's mistake.
        moves: the mistake, then by turns the player's moves and the replies, as UCI writes them.
        rating: of the puzzle (Glicko-2).
        themes: tags such as mateIn1 or fork.
        game_id: of the game that it is from.
    """

    line: int
    id: str
    fen: str
    moves: tuple[str, ...]
    rating: int
    themes: tuple[str, ...]
    game_id: str


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A puzzle with the real game before it.

    Args:
        id: of the puzzle.
        game_id: of the game.
        before: the game's moves as canonical SAN, up to and with the opponent's mistake.
        line: the player's moves and the replies by turns; the first and the last are the player's.
        rating: of the puzzle (Glicko-2).
        themes: tags.
    """

    id: str
    game_id: str
    before: tuple[str, ...]
    line: tuple[chess.Move, ...]
    rating: int
    themes: tuple[str, ...]


def is_puzzle_file(path: Path) -> bool:
    """Whether the name is that of a CSV file, packed or not."""
    return path.name.lower().endswith(SUFFIXES)


def read_puzzle_rows(path: Path) -> Iterator[PuzzleRow]:
    """The rows in order, in constant memory.

    Raises:
        InputError: missing, packed badly, without a column, or with a row that can't be read; names file and line.
    """
    if not is_puzzle_file(path):
        raise InputError(f"{path}: not a file named {', '.join(SUFFIXES)}")
    try:
        rows = csv.reader(pgn.text_lines(path))
        header = next(rows, [])
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise InputError(f"{path}: line 1: no column {missing[0]}; expected Lichess's header {','.join(COLUMNS)},…")
        places = [header.index(column) for column in COLUMNS]
        for cells in rows:
            if cells:
                yield _row(f"{path}: line {rows.line_num}", rows.line_num, cells, len(header), places)
    except csv.Error as error:
        raise InputError(f"{path}: line {rows.line_num}: not CSV: {error}") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _row(where: str, line: int, cells: list[str], num_columns: int, places: list[int]) -> PuzzleRow:
    if len(cells) != num_columns:
        raise InputError(f"{where}: {len(cells)} columns instead of {num_columns}")
    puzzle_id, fen, moves, rating, themes, url = (cells[place] for place in places)
    game = _GAME_URL.fullmatch(url)
    if game is None:
        raise InputError(f"{where}: GameUrl {url!r} is no game on lichess.org")
    if not rating.isascii() or not rating.isdigit():
        raise InputError(f"{where}: Rating {rating!r} is no number")
    if _MOVES.fullmatch(moves) is None or moves.count(" ") % 2 == 0:
        raise InputError(f"{where}: Moves {moves!r} aren't a mistake and an answer to it, in UCI notation")
    return PuzzleRow(line, puzzle_id, fen, tuple(moves.split()), int(rating), tuple(themes.split()), game[1])


def join_puzzles(
    path: Path,
    games: Path,
    *,
    count: int,
    seed: int,
    split: str | None = None,
    fits: Callable[[Game], str | None] = lambda _game: None,
    progress: Progress = silent,
) -> tuple[list[Puzzle], PuzzlesRecord]:
    """Choose puzzles whose games are held out.

    Args:
        path: the puzzle file.
        games: a games folder, the folder above it, or a PGN file with Lichess's Site tags.
        count: puzzles to take, each from another game; fewer if there are fewer.
        seed: decides which; the same puzzles are chosen whatever the order of the file.
        split: of a games folder, test if None.
        fits: why a game that ends in the puzzle's solution can't be put to all models, None if it can.
        progress: told about long readings.

    Raises:
        InputError: a file can't be used (names it, of the puzzle file also the line), or no puzzle is left.
    """
    ids = np.unique(np.array([row.game_id for row in _shown(path, progress)], dtype="S8"))
    held_out, elsewhere = _find_games(games, ids, split, progress)
    left_out: Counter[str] = Counter()
    rows: list[PuzzleRow] = []
    num_rows = 0
    for row in _shown(path, progress):
        num_rows += 1
        if row.game_id in held_out:
            rows.append(row)
        else:
            left_out[elsewhere.get(row.game_id, NO_GAME)] += 1
    rows.sort(key=lambda row: hashlib.sha256(f"{seed}|{row.id}".encode()).digest())
    puzzles = _usable(path, rows, held_out, count, fits, left_out)
    if not puzzles:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in left_out.items()) or "it is empty"
        raise InputError(f"{path}: no puzzle to put to the models ({reasons})")
    record = PuzzlesRecord(
        source=str(path),
        digest=sha256_file(path),
        puzzles=num_rows,
        joined=len(rows),
        chosen=len(puzzles),
        left_out=dict(left_out),
    )
    return puzzles, record


def _usable(
    path: Path,
    rows: Iterable[PuzzleRow],
    games: dict[str, Game],
    count: int,
    fits: Callable[[Game], str | None],
    left_out: Counter[str],
) -> list[Puzzle]:
    puzzles: list[Puzzle] = []
    taken: set[str] = set()
    for row in rows:
        if len(puzzles) == count:
            break
        found = SAME_GAME if row.game_id in taken else _puzzle(path, row, games[row.game_id], fits)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            taken.add(row.game_id)
            puzzles.append(found)
    return puzzles


def _puzzle(path: Path, row: PuzzleRow, game: Game, fits: Callable[[Game], str | None]) -> Puzzle | str:
    """The puzzle after its game, or the reason why it can't be asked."""
    where = f"{path}: line {row.line}"
    try:
        wanted = chess.Board(row.fen)
    except ValueError as error:
        raise InputError(f"{where}: FEN {row.fen!r}: {error}") from error
    ply = 2 * (wanted.fullmove_number - 1) + (wanted.turn == chess.BLACK)
    board = chess.Board()
    for san in game.san[:ply]:
        board.push_san(san)
    # Without clocks; EPD has an en passant square only where a capture is legal, however the FEN was written.
    if len(board.move_stack) != ply or board.epd() != wanted.epd():
        return ANOTHER_POSITION
    sans = list(game.san[:ply])
    line = []
    for uci in row.moves:
        move = chess.Move.from_uci(uci)
        if not board.is_legal(move):
            raise InputError(f"{where}: Moves: {uci} isn't legal in {board.fen()}")
        sans.append(board.san(move))
        board.push(move)
        line.append(move)
    reason = fits(Game(game.id, tuple(sans), "*"))
    if reason is not None:
        return reason
    return Puzzle(row.id, row.game_id, tuple(sans[: ply + 1]), tuple(line[1:]), row.rating, row.themes)


def _find_games(
    games: Path, ids: npt.NDArray[np.bytes_], split: str | None, progress: Progress
) -> tuple[dict[str, Game], dict[str, str]]:
    """The held-out games of these ids; of the others that are there, why they can't be used."""
    held_out: dict[str, Game] = {}
    elsewhere: dict[str, str] = {}
    if games.is_dir():
        wanted = split or DEFAULT_SPLIT
        for number, (game, of) in enumerate(games_of_ids(games_folder(games), ids)):
            if of == wanted:
                held_out[game.id] = game
            else:
                elsewhere[game.id] = f"its game is in the {of} split"
            progress("looking for the puzzles' games", number + 1, None)
        return held_out, elsewhere
    known = {game_id.decode() for game_id in ids.tolist()}
    for raw in pgn.raw_games(games):
        site = _SITE_TAG.search(raw)
        if site is not None and site[1] in known:
            read = pgn.read_raw_game(raw)
            if isinstance(read, str):
                elsewhere[site[1]] = f"its game: {read}"
            else:
                held_out[site[1]] = read[0]
            progress("looking for the puzzles' games", len(held_out), None)
    return held_out, elsewhere


def _shown(path: Path, progress: Progress) -> Iterator[PuzzleRow]:
    for number, row in enumerate(read_puzzle_rows(path)):
        if number % _ROWS_A_REPORT == 0:
            progress("reading puzzles", number, None)
        yield row
