"""Games with every oddity of SAN, as the default notations write them.

The files under `golden/` hold one ply a line: SAN, then the token strings of its spelling and what stands around it.
They are written anew only by `python tests/notations/test_golden_games.py`, never by a test run.
"""

from __future__ import annotations

from pathlib import Path

import chess
import pytest

from chesslm.game import Game, board_san
from chesslm.notation import Notation
from chesslm.notation.registry import NOTATION_MODULES, default_notation

GOLDEN = Path(__file__).parent / "golden"

# Castling to both sides, en passant by both, promotions to knight, rook and queen, with and without capture,
# disambiguation by file and by rank, with and without capture.
LONG = """
g3 f6 c4 f5 h3 c6 b3 d6 f4 Be6 g4 fxg4 a3 g5 b4 b5 Qb3 d5 fxg5 Nd7 c5 Ngf6 Qa4 Bg8 h4 d4 d3 Nh5 g6 a5 e4 dxe3
Bd2 exd2+ Nxd2 hxg6 O-O-O Nb8 d4 Bc4 d5 g5 hxg5 bxa4 b5 Bd3 b6 e5 dxe6 Ng7 Nb3 Be4 Na1 g3 Nf3 Qxb6 Ne5 Qb5 Nc2
g2 Nc4 gxh1=N N4e3 Bd6 Ne1 O-O cxd6 Rf3 g6 Kf8 Bh3 Bb1 Nd5 Rg3 Bf1 Qc4+ Kb2 Qh4 Nc2 Qf6+ Kc1 Rg1 Nc3 Qe7 Nd5
Nf2 Nc7 Ng4 d7 Nxd7 Nb4 Bc2 Nbd5 c5 Bg2 Qd6 Ne3 Ne8 g7+ Kg8 Ned5 Nf8 gxf8=R+ Kh7 Nb5 Bd3 Ndc3 Bc4 Nc7 Be2 Bf3
Ngf6 Bh1 Rg8 N3d5 Ra7 Rd3 Rg6 Rb3 Qd8 Nxe8 Re7 Nexf6+ Kg7 Rd3 Kh6 Rh8+ Kg7 Ng8 c4 Kb2 Qb8+ Nb6 c3+ Kxc3 Qe5+
Kc4 Qb5+ Kc3 Qe8 Rg3 Kxh8 Bd5 Rg5 Rf3 Reg7 Kd4 Rg3 Kc3 Bd1 Ne7 Qf7 Nbc8 Kh7 Kd4 Qg8 Ng6 R7xg6 Ke4 R3g5 Rb3 Qf7
exf7 Bf3+ Kd4 Rg3 f8=Q
"""
# Three queens: disambiguation by file and rank; mate.
SHORT = """
a4 b5 axb5 a6 bxa6 Nf6 a7 Nd5 axb8=Q Nb6 h4 g5 hxg5 h6 gxh6 Bg7 h7 Kf8 e3 Be5 Qb7 Bf4 Qh5 Rg8 h8=Q Be5 Qd5 Ba6
Qh5xe5 Be2 Qxc7 Ra4 Qxd8#
"""
GAMES = {"long": Game("", tuple(LONG.split()), "*"), "short": Game("", tuple(SHORT.split()), "1-0")}


def written(notation: Notation, game: Game) -> str:
    encoded = notation.encode_game(game)
    strings = [notation.vocabulary.string_of(token_id) for token_id in encoded.ids]
    lines = []
    place = 0
    for ply, (san, (start, end)) in enumerate(zip(game.san, encoded.spans, strict=True)):
        next_start = encoded.spans[ply + 1][0] if ply + 1 < len(encoded.spans) else len(strings)
        spelling = "|".join(strings[start:end])
        lines.append(f"{san:<8}{'|'.join(strings[place:start])}[{spelling}]{'|'.join(strings[end:next_start])}")
        place = next_start
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_the_golden_games_are_real_games(game: Game) -> None:
    board = chess.Board()
    for san in game.san:
        board.push_san(san)
    assert tuple(board_san(board)) == game.san


@pytest.mark.parametrize("notation_name", NOTATION_MODULES)
@pytest.mark.parametrize("game_name", GAMES)
def test_a_golden_game_is_written_as_ever(notation_name: str, game_name: str) -> None:
    expected = (GOLDEN / f"{game_name}.{notation_name}.txt").read_text(encoding="utf-8")
    assert written(default_notation(notation_name), GAMES[game_name]) == expected


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for notation_name in NOTATION_MODULES:
        for game_name, game in GAMES.items():
            text = written(default_notation(notation_name), game)
            (GOLDEN / f"{game_name}.{notation_name}.txt").write_text(text, encoding="utf-8")
