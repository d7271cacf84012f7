"""Random legal games in movetext, spelled in every way that is tolerated: what gets damaged.

Knows: python-chess, spellings, comments, variations, glyphs, and the headers of the Lichess dumps.
Doesn't know: how games are damaged (`damage`) or judged (`oracle`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import chess

_BETWEEN = (
    "{ [%clk 0:01:00] }",
    "{ [%eval -1.2] [%clk 0:00:41] }",
    "(1. a4 {x} (e5))",
    "$4",
    "!",
    "?!",
    "; e4\n",
    "{}",
)
_ENDS = ("1-0", "0-1", "1/2-1/2", "*", "")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a random game is written.

    Args:
        oddity: share of plies in another spelling than SAN.
        between: share of plies with a comment, a variation or a glyph behind them.
        max_plies: longest game.
    """

    oddity: float
    between: float
    max_plies: int


def random_movetext(generator: random.Random) -> bytes:
    """A legal game with a liking for captures, castling, promotion and en passant."""
    habits = Habits(generator.choice([0.0, 0.03, 0.3]), generator.choice([0.0, 0.05, 0.5]), 180)
    board, words = chess.Board(), []
    for _ in range(generator.randrange(2, habits.max_plies)):
        legal = list(board.legal_moves)
        if not legal:
            break
        rare = [move for move in legal if move.promotion or board.is_en_passant(move) or board.is_castling(move)]
        pawns = [move for move in legal if board.piece_type_at(move.from_square) == chess.PAWN]
        move = generator.choice(generator.choice([legal, legal, pawns or legal, rare or legal]))
        if board.turn or generator.random() < habits.oddity:
            words.append(f"{board.fullmove_number}." if board.turn else f"{board.fullmove_number}...")
        words.append(_spelling(board, move, generator) if generator.random() < habits.oddity else board.san(move))
        board.push(move)
        if generator.random() < habits.between:
            words.append(generator.choice(_BETWEEN))
    words.append(generator.choice(_ENDS))
    return " ".join(words).encode("ascii")


def random_game(generator: random.Random, movetext: bytes) -> bytes:
    """The movetext under headers as the dumps have them, a few of them odd."""
    tags = {
        "Event": generator.choice(["Rated Blitz game", "Casual Bullet game", 'a "quoted" name', "é", "[bold]x[/bold]"]),
        "Site": f"https://lichess.org/{generator.randrange(10**8):08d}",
        "White": generator.choice(["player", "", "\x1b[31m", "{", "?"]),
        "WhiteTitle": generator.choice(["GM", "BOT"]) if generator.random() < 0.1 else "",
        "Result": generator.choice([movetext.split(b" ")[-1].decode("latin-1") or "*", "1-0", "*"]),
        "UTCDate": generator.choice(["2013.01.01"] * 20 + ["2023.11.02", "2021.03.12", "????.??.??"]),
        "WhiteElo": generator.choice(["1500", "?", "99999", "-1"]),
        "TimeControl": generator.choice(["300+0", "-", "?", "40/7200:3600"]),
        "Variant": generator.choice(["Standard", "Chess960"]) if generator.random() < 0.1 else "",
    }
    lines = [f'[{name} "{value}"]\n'.encode() for name, value in tags.items() if value]
    return b"".join(lines) + b"\n" + movetext + b"\n\n"


def _spelling(board: chess.Board, move: chess.Move, generator: random.Random) -> str:
    san = board.san(move)
    bare = san.rstrip("+#")
    ways = [move.uci(), bare, bare + "+", bare + "++", bare + "#", san + "!", san + "?!"]
    if board.is_castling(move):
        ways += [san.replace("O", "0")]
    elif board.piece_type_at(move.from_square) == chess.PAWN:
        ways += [san.replace("x", ""), san.replace("=", "")]
        ways += [bare + "e.p.", bare + " e.p."] if board.is_en_passant(move) else []
    else:
        origin, target = chess.square_name(move.from_square), chess.square_name(move.to_square)
        ways += [board.lan(move), san[0] + origin[0] + target, san[0] + origin[1] + target, san[0] + "x" + target]
    return generator.choice(ways)
