"""Openings: a fixed book of short, well-known lines, and random opening plies.

Knows: the lines, their names, and how a seed or a generator picks among them.
Doesn't know: who plays on from them.

The book is our own selection: main lines and side lines of every family, 6 to 10 plies each, none a prefix of
another, so that every line leads a match into a position of its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import chess


@dataclass(frozen=True, slots=True)
class Opening:
    """A named line from the start position.

    Args:
        name: what players call it.
        san: canonical SAN, one string a ply.
    """

    name: str
    san: tuple[str, ...]

    def board(self) -> chess.Board:
        """The position after the line, with its moves on the stack."""
        board = chess.Board()
        for san in self.san:
            board.push_san(san)
        return board


_LINES = """
Italian Game, Giuoco Piano: e4 e5 Nf3 Nc6 Bc4 Bc5 c3 Nf6
Italian Game, Two Knights: e4 e5 Nf3 Nc6 Bc4 Nf6 d3 Be7
Italian Game, Fried Liver: e4 e5 Nf3 Nc6 Bc4 Nf6 Ng5 d5 exd5 Na5
Evans Gambit: e4 e5 Nf3 Nc6 Bc4 Bc5 b4 Bxb4 c3 Ba5
Ruy Lopez, Morphy Defence: e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Be7
Ruy Lopez, Open: e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Nxe4
Ruy Lopez, Exchange: e4 e5 Nf3 Nc6 Bb5 a6 Bxc6 dxc6 O-O
Ruy Lopez, Berlin Defence: e4 e5 Nf3 Nc6 Bb5 Nf6 O-O Nxe4 d4 Nd6
Ruy Lopez, Steinitz Defence: e4 e5 Nf3 Nc6 Bb5 d6 d4 Bd7
Scotch Game: e4 e5 Nf3 Nc6 d4 exd4 Nxd4 Bc5
Scotch Gambit: e4 e5 Nf3 Nc6 d4 exd4 Bc4 Nf6
Goering Gambit: e4 e5 Nf3 Nc6 d4 exd4 c3 dxc3
Ponziani Opening: e4 e5 Nf3 Nc6 c3 Nf6 d4 Nxe4
Four Knights, Spanish: e4 e5 Nf3 Nc6 Nc3 Nf6 Bb5 Bb4
Petroff Defence: e4 e5 Nf3 Nf6 Nxe5 d6 Nf3 Nxe4
Philidor Defence: e4 e5 Nf3 d6 d4 exd4 Nxd4 Nf6
Latvian Gambit: e4 e5 Nf3 f5 Nxe5 Qf6
Vienna Gambit: e4 e5 Nc3 Nf6 f4 d5 fxe5 Nxe4
King's Gambit Accepted: e4 e5 f4 exf4 Nf3 g5 h4 g4
King's Gambit Declined: e4 e5 f4 Bc5 Nf3 d6
Bishop's Opening: e4 e5 Bc4 Nf6 d3 c6 Nf3 d5
Centre Game: e4 e5 d4 exd4 Qxd4 Nc6 Qe3 Nf6
Danish Gambit: e4 e5 d4 exd4 c3 dxc3 Bc4 cxb2
Sicilian, Najdorf: e4 c5 Nf3 d6 d4 cxd4 Nxd4 Nf6 Nc3 a6
Sicilian, Dragon: e4 c5 Nf3 d6 d4 cxd4 Nxd4 Nf6 Nc3 g6
Sicilian, Classical: e4 c5 Nf3 d6 d4 cxd4 Nxd4 Nf6 Nc3 Nc6
Sicilian, Scheveningen: e4 c5 Nf3 d6 d4 cxd4 Nxd4 Nf6 Nc3 e6
Sicilian, Sveshnikov: e4 c5 Nf3 Nc6 d4 cxd4 Nxd4 Nf6 Nc3 e5
Sicilian, Accelerated Dragon: e4 c5 Nf3 Nc6 d4 cxd4 Nxd4 g6
Sicilian, Taimanov: e4 c5 Nf3 e6 d4 cxd4 Nxd4 Nc6 Nc3 Qc7
Sicilian, Kan: e4 c5 Nf3 e6 d4 cxd4 Nxd4 a6
Sicilian, Rossolimo: e4 c5 Nf3 Nc6 Bb5 g6 O-O Bg7
Sicilian, Moscow: e4 c5 Nf3 d6 Bb5+ Bd7 Bxd7+ Qxd7
Sicilian, Alapin: e4 c5 c3 Nf6 e5 Nd5 d4 cxd4
Sicilian, Closed: e4 c5 Nc3 Nc6 g3 g6 Bg2 Bg7
Smith-Morra Gambit: e4 c5 d4 cxd4 c3 dxc3 Nxc3 Nc6
French, Winawer: e4 e6 d4 d5 Nc3 Bb4 e5 c5
French, Classical: e4 e6 d4 d5 Nc3 Nf6 Bg5 Be7
French, Tarrasch: e4 e6 d4 d5 Nd2 c5 exd5 exd5
French, Advance: e4 e6 d4 d5 e5 c5 c3 Nc6 Nf3 Qb6
French, Exchange: e4 e6 d4 d5 exd5 exd5 Nf3 Nf6
Caro-Kann, Classical: e4 c6 d4 d5 Nc3 dxe4 Nxe4 Bf5
Caro-Kann, Advance: e4 c6 d4 d5 e5 Bf5 Nf3 e6
Caro-Kann, Panov Attack: e4 c6 d4 d5 exd5 cxd5 c4 Nf6
Caro-Kann, Two Knights: e4 c6 Nf3 d5 Nc3 Bg4 h3 Bxf3
Scandinavian, Main Line: e4 d5 exd5 Qxd5 Nc3 Qa5 d4 Nf6
Scandinavian, Modern: e4 d5 exd5 Nf6 d4 Nxd5
Pirc, Austrian Attack: e4 d6 d4 Nf6 Nc3 g6 f4 Bg7
Modern Defence: e4 g6 d4 Bg7 Nc3 d6 Be3 a6
Alekhine, Four Pawns: e4 Nf6 e5 Nd5 d4 d6 c4 Nb6 f4
Alekhine, Modern: e4 Nf6 e5 Nd5 d4 d6 Nf3 Bg4
Nimzowitsch Defence: e4 Nc6 d4 d5 e5 Bf5
Owen Defence: e4 b6 d4 Bb7 Bd3 e6
Queen's Gambit Declined: d4 d5 c4 e6 Nc3 Nf6 Bg5 Be7 e3 O-O
Queen's Gambit, Exchange: d4 d5 c4 e6 Nc3 Nf6 cxd5 exd5 Bg5
Queen's Gambit, Tarrasch: d4 d5 c4 e6 Nc3 c5 cxd5 exd5
Queen's Gambit, Semi-Tarrasch: d4 d5 c4 e6 Nc3 Nf6 Nf3 c5
Queen's Gambit Accepted: d4 d5 c4 dxc4 Nf3 Nf6 e3 e6
Slav, Main Line: d4 d5 c4 c6 Nf3 Nf6 Nc3 dxc4 a4 Bf5
Slav, Exchange: d4 d5 c4 c6 cxd5 cxd5 Nc3 Nf6
Semi-Slav, Meran: d4 d5 c4 c6 Nc3 Nf6 Nf3 e6 e3 Nbd7
Albin Countergambit: d4 d5 c4 e5 dxe5 d4 Nf3 Nc6
Chigorin Defence: d4 d5 c4 Nc6 Nc3 dxc4
Nimzo-Indian, Rubinstein: d4 Nf6 c4 e6 Nc3 Bb4 e3 O-O
Nimzo-Indian, Classical: d4 Nf6 c4 e6 Nc3 Bb4 Qc2 d5
Queen's Indian: d4 Nf6 c4 e6 Nf3 b6 g3 Ba6
Bogo-Indian: d4 Nf6 c4 e6 Nf3 Bb4+ Bd2 Qe7
Catalan, Open: d4 Nf6 c4 e6 g3 d5 Bg2 dxc4
King's Indian, Classical: d4 Nf6 c4 g6 Nc3 Bg7 e4 d6 Nf3 O-O
King's Indian, Saemisch: d4 Nf6 c4 g6 Nc3 Bg7 e4 d6 f3 O-O
Gruenfeld, Exchange: d4 Nf6 c4 g6 Nc3 d5 cxd5 Nxd5 e4 Nxc3
Gruenfeld, Russian: d4 Nf6 c4 g6 Nc3 d5 Nf3 Bg7 Qb3 dxc4
Benoni, Modern: d4 Nf6 c4 c5 d5 e6 Nc3 exd5 cxd5 d6
Benko Gambit: d4 Nf6 c4 c5 d5 b5 cxb5 a6
Budapest Gambit: d4 Nf6 c4 e5 dxe5 Ng4 Bf4 Nc6
Old Indian: d4 Nf6 c4 d6 Nc3 e5 dxe5 dxe5
Dutch, Leningrad: d4 f5 g3 Nf6 Bg2 g6 Nf3 Bg7
Dutch, Stonewall: d4 f5 c4 Nf6 g3 e6 Bg2 d5
London System: d4 d5 Bf4 Nf6 e3 c5 c3 Nc6
Colle System: d4 d5 Nf3 Nf6 e3 e6 Bd3 c5
Torre Attack: d4 Nf6 Nf3 e6 Bg5 c5
Trompowsky Attack: d4 Nf6 Bg5 Ne4 Bf4 d5
Blackmar-Diemer Gambit: d4 d5 e4 dxe4 Nc3 Nf6 f3 exf3
English, Symmetrical: c4 c5 Nc3 Nc6 g3 g6 Bg2 Bg7
English, Reversed Sicilian: c4 e5 Nc3 Nf6 Nf3 Nc6 g3 d5
English, Botvinnik: c4 e5 Nc3 Nc6 g3 g6 Bg2 Bg7 e4
English, Mikenas: c4 Nf6 Nc3 e6 e4 d5 e5
Reti Opening: Nf3 d5 c4 e6 g3 Nf6
King's Indian Attack: Nf3 d5 g3 Nf6 Bg2 c6 O-O Bg4
Nimzo-Larsen Attack: b3 e5 Bb2 Nc6 e3 Nf6
Bird's Opening: f4 d5 Nf3 Nf6 e3 g6
From Gambit: f4 e5 fxe5 d6 exd6 Bxd6
Sokolsky Opening: b4 e5 Bb2 Bxb4 Bxe5 Nf6
Grob Opening: g4 d5 Bg2 Bxg4 c4 c6
Van Geet Opening: Nc3 d5 e4 d4 Nce2 e5
"""


@cache
def book() -> tuple[Opening, ...]:
    """All lines of the book, in a fixed order."""
    openings = []
    for line in _LINES.strip().splitlines():
        name, moves = line.split(": ")
        openings.append(Opening(name, tuple(moves.split())))
    return tuple(openings)


def choose_openings(count: int, *, seed: int) -> list[Opening]:
    """`count` lines of the book in an order that the seed decides; each comes once before any comes twice.

    >>> [opening.name for opening in choose_openings(2, seed=1)] == [o.name for o in choose_openings(3, seed=1)][:2]
    True
    """
    generator = random.Random(f"openings|{seed}")
    chosen: list[Opening] = []
    while len(chosen) < count:
        chosen += generator.sample(book(), len(book()))
    return chosen[:count]


def random_move(board: chess.Board, generator: random.Random) -> chess.Move:
    """A uniformly random legal move; there must be one."""
    return generator.choice(sorted(board.legal_moves, key=chess.Move.uci))


def random_plies(board: chess.Board, count: int, generator: random.Random) -> None:
    """Play up to `count` uniformly random legal moves on `board`; fewer only where no legal move is left."""
    for _ in range(count):
        if not any(board.generate_legal_moves()):
            return
        board.push(random_move(board, generator))


def random_opening(num_plies: int, *, seed: int) -> chess.Board:
    """The position after uniformly random legal plies from the start, with its moves on the stack."""
    board = chess.Board()
    random_plies(board, num_plies, random.Random(f"random opening|{num_plies}|{seed}"))
    return board
