"""Hand-checked positions for each error kind of METRICS section 2.8: twenty and more a kind, made up by us."""

from __future__ import annotations

from collections.abc import Iterator

import chess
import pytest

from chesslm.errors import MoveTextError
from chesslm.notation.registry import default_notation
from chesslm.san import ERROR_KINDS, judge

# A position (placement, side, castling, en passant; START by name): the texts that are no move there.
TABLES: dict[str, str] = {
    "unreadable": """
        START | hello e9 i4 0-0 0-0-0 O-O-O-O e2-e4 Pe4
        4k3/8/8/8/8/8/4P3/4K3 w - - | e4++ e4+# e4! ee
        4k3/8/8/8/8/5N2/8/1N2K3 w - - | nf3 N Nf Nx Nxf Nbd
        8/4P1k1/8/8/8/8/8/4K3 w - - | e8Q e8=P e8= e8=Q=Q
        4k3/8/8/3p4/4P3/8/8/4K3 w - - | xd5 1. 1-0 exd5e.p.
        r3k2r/8/8/8/8/8/8/R3K2R b kq - | o-o OO RaQ4 Kf9
    """,
    "null move": """
        START | -- Z0 0000 @@@@
        4k3/8/8/8/8/8/4r3/4K3 w - - | -- Z0 0000 @@@@
        r3k2r/8/8/8/8/8/8/R3K2R b kq - | -- Z0 0000 @@@@
        8/4P1k1/8/8/8/8/8/4K3 w - - | -- Z0 0000 @@@@
        4k3/8/8/8/3pP3/8/8/4K3 b - e3 | -- Z0 0000 @@@@
    """,
    "ambiguous": """
        4k3/8/8/8/8/5N2/8/1N2K3 w - - | Nd2
        R6R/8/8/8/4k3/8/8/4K3 w - - | Rd8
        R7/8/8/8/8/8/4k3/R5K1 w - - | Ra4
        4k3/8/8/8/8/2N5/8/4K1N1 w - - | Ne2
        1n2k3/8/5n2/8/8/8/8/4K3 b - - | Nd7
        5k2/8/8/8/Q6Q/8/8/K7 w - - | Qd4
        5k2/8/8/8/Q6Q/8/8/K6Q w - - | Qhe4
        2k5/8/8/Q6Q/8/8/7Q/K7 w - - | Q5e5
        4k3/8/8/8/8/8/1B3B2/4K3 w - - | Bd4
        4k3/8/8/3p4/5N2/2N5/8/4K3 w - - | Nxd5
        4k3/8/8/R2p3R/8/8/8/4K3 w - - | Rxd5
        r6r/8/8/8/8/4K3/8/4k3 b - - | Rd8
        4k3/8/8/1N6/8/8/8/1N2K3 w - - | Nbc3
        4k3/8/8/8/8/1N3N2/8/4K3 w - - | N3d4
        4k3/8/8/8/8/8/4K3/R6R w - - | Rd1
        4k3/2b3b1/8/8/8/8/8/4K3 b - - | Be5
        q6q/8/8/8/8/8/2K5/4k3 b - - | Qd8
        4k3/8/8/8/8/1N6/8/4KN2 w - - | Nxd2
        3r1r2/8/8/8/8/8/8/K2k4 b - - | Re8
        4k3/8/8/2N3N1/8/8/8/4K3 w - - | Ne6
    """,
    "needless disambiguation": """
        START | Ngf3 Ng1f3 N1f3
        4k3/8/8/8/8/8/8/RN2K3 w - - | Nbd2
        4k3/8/8/8/8/8/8/R3K3 w - - | Raa5 R1a5
        4k3/8/8/8/8/8/8/4KB2 w - - | Bfc4
        4k3/8/8/8/8/8/8/3QK3 w - - | Qdd5
        4k3/8/8/8/8/8/8/4K3 w - - | Kee2 Ke1e2
        4k3/8/8/8/8/8/4P3/4K3 w - - | ee4 e2e4 e2e3
        4k3/8/8/3p4/4P3/8/8/4K3 w - - | e4xd5
        4k3/4p3/8/8/8/8/8/4K3 b - - | e7e5 ee6
        4k1n1/8/8/8/8/8/8/4K3 b - - | Ngf6
        4k3/8/8/8/8/5N2/8/1N2K3 w - - | N1d2 Nb1d2
        R7/8/8/8/8/8/4k3/R5K1 w - - | Ra1a4
        4k3/4r3/8/8/8/8/4N3/1N2K3 w - - | Nbc3
        4k3/8/8/3p4/8/2N5/8/4K3 w - - | Ncxd5
        4k3/8/8/3pP3/8/8/8/4K3 w - d6 | e5xd6
    """,
    "wrong capture mark": """
        START | Nxf3 exe4
        4k3/8/8/3p4/8/2N5/8/4K3 w - - | Nd5
        4k3/8/8/3p4/4P3/8/8/4K3 w - - | ed5
        4k3/8/8/8/4P3/8/8/4K3 w - - | exe5
        4k3/8/8/3pP3/8/8/8/4K3 w - d6 | ed6
        r3k3/8/8/8/8/8/8/R3K3 w - - | Ra8
        4k3/8/8/8/8/8/8/R3K3 w - - | Rxa5
        4k3/8/8/8/8/8/4q3/4K3 w - - | Ke2
        4k3/8/8/8/8/8/8/4K3 w - - | Kxe2
        4k3/8/8/8/8/8/8/3QK3 w - - | Qxd5
        3rk3/8/8/8/8/8/8/3QK3 w - - | Qd8
        4k3/8/8/8/8/8/6b1/4KB2 w - - | Bg2
        4kb2/8/8/8/8/8/8/4K3 b - - | Bxc5
        4k3/8/5n2/8/4P3/8/8/4K3 b - - | Ne4
        4k3/8/5n2/8/8/8/8/4K3 b - - | Nxe4
        4k3/8/8/4p3/3P4/8/8/4K3 b - - | ed4
        3r2k1/4P3/8/8/8/8/8/4K3 w - - | ed8=Q
        4k3/8/8/8/3pP3/8/8/4K3 b - e3 | de3
        R6R/8/8/8/4k3/8/8/4K3 w - - | Raxd8
        4k3/8/8/3p4/5N2/2N5/8/4K3 w - - | Ncd5
        4k3/8/8/8/8/5p2/6P1/4K3 w - - | gf3
    """,
    "promotion missing or impossible": """
        8/4P1k1/8/8/8/8/8/4K3 w - - | e8 e8=K
        3r2k1/4P3/8/8/8/8/8/4K3 w - - | exd8 exd8=K
        8/P5k1/8/8/8/8/8/4K3 w - - | a8 a8=K
        8/7P/8/8/1k6/8/8/4K3 w - - | h8
        r7/1P4k1/8/8/8/8/8/4K3 w - - | bxa8
        4k3/8/8/8/8/8/p5K1/8 b - - | a1 a1=K
        4k3/8/8/8/8/8/1p4K1/R7 b - - | bxa1
        START | e4=Q Nf3=Q
        4k3/8/8/8/8/8/4P3/4K3 w - - | e3=N
        4k3/8/8/3p4/4P3/8/8/4K3 w - - | exd5=Q
        4k3/8/8/8/8/8/8/R3K3 w - - | Ra8=Q
        4k3/8/8/8/8/8/8/4K3 w - - | Kd1=R
        4k3/8/8/8/8/8/8/3QK3 w - - | Qd5=B
        4k3/4p3/8/8/8/8/8/4K3 b - - | e5=Q
        4k1n1/8/8/8/8/8/8/4K3 b - - | Nf6=N
        4k3/8/8/8/8/8/8/4KB2 w - - | Bc4=Q
    """,
    "no such piece": """
        4k3/8/8/8/8/8/8/4K3 w - - | Qd2 Rd1 Bd2 Nd2 e4
        4k3/8/8/8/8/8/8/R3K3 w - - | Nc3 Rba5 R2a5
        4k3/8/8/8/8/5N2/8/1N2K3 w - - | Nad2 Qd2
        4kq2/8/8/8/8/8/8/4K3 w - - | Qf2
        4k3/8/8/8/8/8/4P3/4K3 w - - | d4 dxe3 Nf3
        4k3/4p3/8/8/8/8/8/4K3 b - - | d5 Nf6 Rd8
        8/4P1k1/8/8/8/8/8/4K3 w - - | d8=Q cxd8=Q
        4k3/8/8/8/8/8/8/3QK3 w - - | Qad5 Q5d3
        4kb2/8/8/8/8/8/8/4K3 b - - | Nd7
    """,
    "piece doesn't move so": """
        START | Nd4 e5 Kg1 Bc5 exd3
        4k3/8/8/8/8/8/8/R3K3 w - - | Rb2
        4k3/8/8/8/8/8/8/4KB2 w - - | Bf3 Bg3
        4k3/8/8/8/8/8/8/3QK3 w - - | Qe3
        4k3/8/8/8/8/8/8/4K3 w - - | Ke3 Kc1
        4k1n1/8/8/8/8/8/8/4K3 b - - | Nf5 Ng6
        4k3/4p3/8/8/8/8/8/4K3 b - - | e4 e8
        4k3/8/8/8/4P3/8/8/4K3 w - - | e6 e3 exd5
        r3k2r/8/8/8/8/8/8/R3K2R w KQkq - | Kg1 Kc1
        4k3/8/8/8/8/2N5/8/4K3 w - - | Nc4 Nd4
        4k3/8/8/3pP3/8/8/8/4K3 w - - | exd6
    """,
    "path blocked": """
        START | Bc4 Ra3 Qd4 Rh5 Bg5 Qh5
        4k3/8/8/8/4p3/8/4P3/4K3 w - - | e4
        4k3/8/8/8/8/4p3/4P3/4K3 w - - | e3 e4
        4k3/4p3/4P3/8/8/8/8/4K3 b - - | e6 e5
        4k3/8/8/8/8/8/P7/R3K3 w - - | Ra5
        4k3/8/8/8/p7/8/8/R3K3 w - - | Ra6
        4k3/8/8/8/8/8/8/R2QK3 w - - | Rf1
        4k3/8/8/8/8/3N4/8/4KB2 w - - | Bc4
        4kb2/4p3/8/8/8/8/8/4K3 b - - | Bc5
        3qk3/3p4/8/8/8/8/8/4K3 b - - | Qd5
        r3k3/p7/8/8/8/8/8/4K3 b - - | Ra5
        4k3/8/8/8/3p4/8/8/B3K3 w - - | Bg7
        4k3/8/8/8/3p4/8/8/Q3K3 w - - | Qxg7
        4k3/8/8/8/8/1p6/8/1R2K3 w - - | Rb7
    """,
    "own piece on the square": """
        START | Ke2 Nd2 Qxd2 Ra2 Bd2 Nxe2
        4k3/8/8/8/3P4/4P3/8/4K3 w - - | exd4
        4k3/8/8/8/8/8/8/R3K3 w - - | Re1
        4k3/8/8/8/8/8/8/3QK3 w - - | Qe1 Kd1
        4kb2/4p3/8/8/8/8/8/4K3 b - - | Be7 Ke7
        r3k3/p7/8/8/8/8/8/4K3 b - - | Ra7
        3qk3/3p4/8/8/8/8/8/4K3 b - - | Qd7 Kd8
        4k3/8/8/8/8/3N4/8/4KB2 w - - | Bd3 Kf1
        4k3/8/8/8/4P3/8/4P3/4K3 w - - | e4
        4k3/8/8/8/8/4N3/4P3/4K3 w - - | e3
        4k3/8/8/8/8/2N5/8/1N2K3 w - - | Nc3
        4k3/8/8/8/8/8/1P6/B3K3 w - - | Bb2
    """,
    "leaves the king in check": """
        4k3/4r3/8/8/8/8/4N3/4K3 w - - | Nc3
        4k3/8/8/8/8/8/4r3/4K2B w - - | Bd5 Kd2 Kf2
        8/8/8/K2pP2r/8/8/8/4k3 w - d6 | exd6
        4k3/8/8/8/8/8/3r4/4K3 w - - | Ke2
        3rk3/8/8/8/8/8/8/4K3 w - - | Kd1 Kd2
        8/8/8/8/4k3/8/4K3/8 w - - | Ke3 Kd3 Kf3
        4k3/8/8/8/7b/8/5B2/4K3 w - - | Be3 Bd4
        4k3/4n3/8/8/8/8/4R3/4K3 b - - | Nc6 Nd5
        4k3/8/8/8/7b/8/8/R3K3 w - - | Ra5
        4k3/8/8/8/8/8/8/q3K3 w - - | Kd1 Kf1
        4k3/8/8/8/8/2b5/3r4/4K3 w - - | Kxd2
        4k3/8/8/8/8/4p3/8/4K3 w - - | Kd2 Kf2
        4k3/8/8/8/1b2r3/8/8/3QK3 w - - | Qd2
    """,
    "castling not allowed": """
        START | O-O O-O-O
        4k3/8/8/8/8/8/8/4K3 w - - | O-O
        4k3/8/8/8/8/8/8/R3K2R w - - | O-O O-O-O
        4k3/8/8/8/8/8/4r3/4K2R w K - | O-O
        4kr2/8/8/8/8/8/8/4K2R w K - | O-O
        4k1r1/8/8/8/8/8/8/4K2R w K - | O-O
        2r1k3/8/8/8/8/8/8/R3K3 w Q - | O-O-O
        3rk3/8/8/8/8/8/8/R3K3 w Q - | O-O-O
        4k3/8/8/8/8/8/8/R3K2R w Q - | O-O
        4k3/8/8/8/8/8/8/R3K2R w K - | O-O-O
        4k3/8/8/8/8/8/8/4KB1R w K - | O-O
        4k3/8/8/8/8/8/8/RN2K3 w Q - | O-O-O
        r3k2r/8/8/8/8/8/8/4K3 b - - | O-O
        r3k2r/8/8/8/8/8/8/4KR2 b kq - | O-O
        r3k2r/8/8/8/8/8/8/3RK3 b kq - | O-O-O
        r3k2r/8/8/8/8/8/4R3/4K3 b kq - | O-O O-O-O
        r3kb1r/8/8/8/8/8/8/4K3 b kq - | O-O
        rn2k2r/8/8/8/8/8/8/4K3 b kq - | O-O-O
    """,
    # English says whose move it is: these are written of the side that isn't to move, legal for it or not.
    "wrong colour": """
        START | e4 e5 Nf3 Nc6 O-O
        4k3/8/8/8/8/8/4P3/4K3 w - - | Kd8 e4 Ke7
        4k3/4p3/8/8/8/8/8/4K3 b - - | Kd1 e5
        r3k2r/8/8/8/8/8/8/R3K2R b kq - | O-O O-O-O Rxa8
        8/4P1k1/8/8/8/8/8/4K3 b - - | e8=Q Kd1
        4k3/8/8/3pP3/8/8/8/4K3 w - d6 | d4 exd6
        4k3/8/8/8/8/5N2/8/1N2K3 b - - | Nbd2 Nd2 Ng5
    """,
}


def rows(kind: str) -> Iterator[tuple[chess.Board, str]]:
    for line in TABLES[kind].strip().splitlines():
        fen, texts = line.strip().split(" | ")
        for text in texts.split(" "):
            yield chess.Board(chess.STARTING_FEN if fen == "START" else fen), text


def kind_of(board: chess.Board, text: str, *, of_other_side: bool) -> str | None:
    english = default_notation("english")
    try:
        if of_other_side:
            piece = english.ply_piece(text, is_white=not board.turn)
            assert piece is not None
            english.read(board, piece.spelling)
        else:
            judge(board, text)
    except MoveTextError as error:
        return error.kind
    return None


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_hand_checked_text_has_its_kind(kind: str) -> None:
    checked = list(rows(kind))
    assert len({(board.fen(), text) for board, text in checked}) == len(checked) >= 20
    found = {(board.fen(), text): kind_of(board, text, of_other_side=kind == "wrong colour") for board, text in checked}
    assert {place: what for place, what in found.items() if what != kind} == {}


@pytest.mark.parametrize("kind", [kind for kind in ERROR_KINDS if kind != "wrong colour"])
def test_the_mirrored_position_has_the_same_kind(kind: str) -> None:
    """Colours swapped, ranks turned round; a text in SAN is turned with them."""
    for board, text in rows(kind):
        if kind not in ("unreadable", "null move"):
            text = text.translate(str.maketrans("12345678", "87654321"))
        assert kind_of(board.mirror(), text, of_other_side=False) == kind


def test_positions_are_possible_and_python_chess_agrees_about_what_is_illegal() -> None:
    """It reads more texts than we do, but never one of those that chess forbids."""
    forbidden = set(ERROR_KINDS[ERROR_KINDS.index("no such piece") :])
    for kind in ERROR_KINDS:
        for board, text in rows(kind):
            assert board.is_valid(), board.fen()
            if kind in forbidden | {"ambiguous"}:
                with pytest.raises(ValueError, match=r"(ambiguous|illegal|invalid) san"):
                    board.parse_san(text)
