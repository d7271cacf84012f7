"""One engine-made game: who plays, from which opening, how it ends, and how it is written.

Knows: personalities, the rules by which an engine resigns or agrees to a draw, and the PGN of a game.
Doesn't know: how many games are made, by how many processes, or into which file (`selfplay_file`).

A game follows from (seed, index) and the engine alone: every random number comes from one generator with that seed,
and the engine starts each search afresh (`chesslm.uci_player`).
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Protocol

import chess

from chesslm.mixed_player import FULL_SKILL, num_lines_for, pick_by_skill
from chesslm.openings import book, random_move, random_plies
from chesslm.uci_player import EngineLine

MAX_PLIES = 300
# No clock is read: a rerun gives the same bytes.
DATE = "2025.01.01"
_NOT_IN_HEADERS = str.maketrans("", "", '"\\')
_SITE_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_BOOK_SHARE, _RANDOM_OPENING_SHARE = 0.70, 0.15  # the rest begins with the first engine move
_EVENLY_MATCHED_SHARE = 0.6
_RANDOM_SHARES = (0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5)
_LARGEST_EVEN_RANDOM_SHARE = 0.15  # two sides of more random moves seldom mate before the limit
_FEWEST_NODES, _MOST_NODES = 30, 500
_RESIGNATIONS = (None, None, None, -600, -1000)  # centipawns; None plays on to mate
_RESIGN_TURNS = 3
_DRAW_CENTIPAWNS, _DRAW_TURNS, _DRAW_FROM_PLY = 80, 8, 40


class Engine(Protocol):
    """What a game needs of `chesslm.uci_player.UciPlayer`."""

    name: str

    def best_lines(self, board: chess.Board, num_lines: int, *, nodes: int | None = None) -> list[EngineLine]:
        """The best moves of a position with their values, best first; at least one."""
        ...


@dataclass(frozen=True, slots=True)
class Personality:
    """How one side plays.

    Args:
        nodes: positions the engine searches for a move.
        skill: 0 to 20, how often it takes the best of its lines (`chesslm.mixed_player.pick_by_skill`).
        random_share: probability of a uniformly random legal move instead, in [0, 1].
        resigns_below: centipawns for this side; None never resigns.
        agrees_to_draws: whether it agrees to a draw in a long level game.
    """

    nodes: int
    skill: int
    random_share: float
    resigns_below: int | None
    agrees_to_draws: bool

    def name(self, engine_name: str) -> str:
        """What stands in the White or Black header."""
        plain = "".join(letter for letter in engine_name if letter.isascii() and letter.isprintable())
        return f"{plain.translate(_NOT_IN_HEADERS)} nodes={self.nodes} skill={self.skill} random={self.random_share:g}"


@dataclass(frozen=True, slots=True)
class SelfplayGame:
    """A finished game.

    Args:
        index: its number in the file, from 0.
        ending: why it ended: "checkmate", "resignation", "agreement", "repetition", "fifty moves", "stalemate",
            "insufficient material" or "unfinished".
        result: a PGN result.
        num_plies: its length.
        pgn: headers, blank line, movetext on one line, blank line.
    """

    index: int
    ending: str
    result: str
    num_plies: int
    pgn: str


class _Record:
    """The board, and its SAN as it grows: recording it now saves a second replay."""

    def __init__(self, board: chess.Board) -> None:
        self.board = board.root()
        self.sans: list[str] = []
        for move in board.move_stack:
            self.push(move)

    def push(self, move: chess.Move) -> None:
        self.sans.append(self.board.san_and_push(move))


def play_game(engine: Engine, *, seed: int, index: int) -> SelfplayGame:
    """Game number `index` of the series with this seed.

    Raises:
        PlayerError: the engine died, hung or lied.
    """
    generator = random.Random(f"chesslm selfplay|{seed}|{index}")
    sides = draw_sides(generator)
    opening_name, board = _draw_opening(generator)
    record = _Record(board)
    result, ending = _play_on(record, engine, sides, generator)
    pgn = _write_pgn(record.sans, result, ending, sides, opening_name, engine.name, _site(seed, index))
    return SelfplayGame(index, ending, result, len(record.sans), pgn)


def _play_on(
    record: _Record, engine: Engine, sides: dict[chess.Color, Personality], generator: random.Random
) -> tuple[str, str]:
    """Play until the game ends; the result and the ending."""
    board = record.board
    bad_turns = {chess.WHITE: 0, chess.BLACK: 0}
    level_turns = 0
    while (end := _natural_end(board)) is None:
        if board.ply() >= MAX_PLIES:
            return "*", "unfinished"
        side = sides[board.turn]
        if generator.random() < side.random_share:
            record.push(random_move(board, generator))
            continue
        lines = engine.best_lines(board, num_lines_for(side.skill), nodes=side.nodes)
        value = lines[0].centipawns
        is_bad = side.resigns_below is not None and value <= side.resigns_below
        bad_turns[board.turn] = bad_turns[board.turn] + 1 if is_bad else 0
        if bad_turns[board.turn] >= _RESIGN_TURNS:
            return ("0-1" if board.turn == chess.WHITE else "1-0"), "resignation"
        level_turns = level_turns + 1 if abs(value) <= _DRAW_CENTIPAWNS else 0
        if _agree(sides, board, level_turns):
            return "1/2-1/2", "agreement"
        record.push(pick_by_skill(lines, side.skill, generator).move)
    return end


def _agree(sides: dict[chess.Color, Personality], board: chess.Board, level_turns: int) -> bool:
    willing = all(side.agrees_to_draws for side in sides.values())
    return willing and board.ply() >= _DRAW_FROM_PLY and level_turns >= _DRAW_TURNS


def _natural_end(board: chess.Board) -> tuple[str, str] | None:
    """Result and ending by the rules of chess; a threefold repetition and fifty moves are claimed at once."""
    if not any(board.generate_legal_moves()):
        if not board.is_check():
            return "1/2-1/2", "stalemate"
        return ("0-1" if board.turn == chess.WHITE else "1-0"), "checkmate"
    if board.is_insufficient_material():
        return "1/2-1/2", "insufficient material"
    if board.halfmove_clock >= 100:
        return "1/2-1/2", "fifty moves"
    if board.is_repetition(3):
        return "1/2-1/2", "repetition"
    return None


def draw_sides(generator: random.Random) -> dict[chess.Color, Personality]:
    """Two personalities: often of the same kind, so that games last; else independent, so that somebody wins."""
    white = _draw_personality(generator)
    black = _draw_personality(generator)
    is_even = generator.random() < _EVENLY_MATCHED_SHARE
    # Both must allow it: looking at one side only would favour the other.
    if is_even and max(white.random_share, black.random_share) <= _LARGEST_EVEN_RANDOM_SHARE:
        nodes = max(_FEWEST_NODES, round(white.nodes * generator.uniform(0.8, 1.25)))
        black = Personality(nodes, white.skill, white.random_share, black.resigns_below, black.agrees_to_draws)
    return {chess.WHITE: white, chess.BLACK: black}


def _draw_personality(generator: random.Random) -> Personality:
    return Personality(
        # Each doubling is as likely as the next.
        nodes=round(_FEWEST_NODES * (_MOST_NODES / _FEWEST_NODES) ** generator.random()),
        skill=FULL_SKILL if generator.random() < 0.3 else generator.randrange(FULL_SKILL),
        random_share=generator.choice(_RANDOM_SHARES),
        resigns_below=generator.choice(_RESIGNATIONS),
        agrees_to_draws=generator.random() < 0.7,
    )


def _draw_opening(generator: random.Random) -> tuple[str, chess.Board]:
    """A book line, cut short at random; or a few random plies; or the start position. The name is "?" without book."""
    kind = generator.random()
    if kind < _BOOK_SHARE:
        opening = generator.choice(book())
        board = opening.board()
        for _ in range(generator.randrange(3)):
            board.pop()
        return opening.name, board
    board = chess.Board()
    if kind < _BOOK_SHARE + _RANDOM_OPENING_SHARE:
        random_plies(board, generator.randrange(1, 7), generator)
    return "?", board


def _site(seed: int, index: int) -> str:
    """An address of our own with 8 letters, as the dumps have: `.example` is reserved and leads nowhere (RFC 2606)."""
    number = int.from_bytes(hashlib.sha256(f"chesslm selfplay|{seed}|{index}".encode()).digest()[:8], "big")
    letters = ""
    for _ in range(8):
        number, digit = divmod(number, len(_SITE_LETTERS))
        letters += _SITE_LETTERS[digit]
    return f"https://chesslm.example/{letters}"


def _write_pgn(
    sans: list[str],
    result: str,
    ending: str,
    sides: dict[chess.Color, Personality],
    opening_name: str,
    engine_name: str,
    site: str,
) -> str:
    headers = {
        "Event": "Engine game",
        "Site": site,
        "Date": DATE,
        "Round": "-",
        "White": sides[chess.WHITE].name(engine_name),
        "Black": sides[chess.BLACK].name(engine_name),
        "Result": result,
        "UTCDate": DATE,
        "UTCTime": "00:00:00",
        "WhiteElo": "?",
        "BlackElo": "?",
        "ECO": "?",
        "Opening": opening_name,
        "TimeControl": "-",
        "Termination": "Unterminated" if ending == "unfinished" else "Normal",
    }
    numbered = [f"{ply // 2 + 1}. {san}" if ply % 2 == 0 else san for ply, san in enumerate(sans)]
    lines = [f'[{tag} "{value}"]' for tag, value in headers.items()]
    return "\n".join([*lines, "", " ".join([*numbered, result]), "\n"])
