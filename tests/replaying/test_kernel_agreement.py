"""The kernel and the reference give the same outcome for random games, for damaged games and for any bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import chess
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_prep.replay import Rejected, Replayed, replay_movetext
from data_prep.replay_block import replay_block

Outcome = Replayed | Rejected

EN_PASSANT_MATE = (
    b"1. e4 e6 2. d4 d5 3. e5 c5 4. c3 cxd4 5. cxd4 Bb4+ 6. Nc3 Nc6 7. Nf3 Nge7 8. Bd3 O-O 9. Bxh7+ Kxh7 "
    b"10. Ng5+ Kg6 11. h4 Nxd4 12. Qg4 f5 13. h5+ Kh6 14. Nxe6+ g5 15. hxg6#"
)
PIECES_OF_TEXT = (
    *(
        b"{",
        b"}",
        b"(",
        b")",
        b";",
        b"\n",
        b"\n%",
        b"\r",
        b"\t",
        b"$",
        b"$7",
        b"!",
        b"?!",
        b"..",
        b" ",
        b"12.",
        b"1...",
    ),
    *(b"--", b"Z0", b"0000", b"@@@@", b"O-O", b"O-O-O", b"0-0", b"0-0-0", b"e.p.", b"ep", b"1-0", b"1/2-1/2", b"*"),
    *(
        b"=Q",
        b"q",
        b"+",
        b"++",
        b"#",
        b"x",
        b"-",
        b"K",
        b"N",
        b"a",
        b"8",
        b"e1g1",
        b"e8a8",
        b"g1f3",
        b"Nb1-d2",
        b"\xff",
    ),
)


def random_movetext(seed: int) -> bytes:
    """A random game with a liking for captures, castling, promotion and en passant, spelled in many ways."""
    generator = random.Random(seed)
    board, words = chess.Board(), []
    oddity = generator.choice([0.0, 0.03, 0.3])
    for _ in range(generator.randrange(4, 180)):
        legal = list(board.legal_moves)
        if not legal:
            break
        rare = [move for move in legal if move.promotion or board.is_en_passant(move) or board.is_castling(move)]
        pawns = [move for move in legal if board.piece_type_at(move.from_square) == chess.PAWN]
        move = generator.choice(generator.choice([legal, legal, pawns or legal, rare or legal]))
        if board.turn or generator.random() < oddity:
            words.append(f"{board.fullmove_number}." if board.turn else f"{board.fullmove_number}...")
        words.append(spelling(board, move, generator) if generator.random() < oddity else board.san(move))
        board.push(move)
        if generator.random() < 0.04:
            words.append(generator.choice(["{ [%clk 0:01:00] }", "(1. a4 {x} (e5))", "$4", "!", "; e4\n"]))
    words.append(generator.choice(["1-0", "0-1", "1/2-1/2", "*", ""]))
    return " ".join(words).encode("ascii")


def spelling(board: chess.Board, move: chess.Move, generator: random.Random) -> str:
    """The move in another spelling, mostly one that can be read."""
    san = board.san(move)
    bare = san.rstrip("+#")
    spellings = [move.uci(), bare, bare + "+", bare + "++", bare + "#"]
    if board.is_castling(move):
        spellings += [san.replace("O", "0"), "e8g8"]
    elif board.piece_type_at(move.from_square) == chess.PAWN:
        spellings += [san.replace("x", ""), san.replace("=", ""), bare + "e.p." if board.is_en_passant(move) else san]
    else:
        file, rank = chess.square_name(move.from_square)
        target = chess.square_name(move.to_square)
        spellings += [board.lan(move), san[0] + file + target, san[0] + rank + target, san[0] + "x" + target]
    return generator.choice(spellings)


@st.composite
def damaged_movetexts(draw: st.DrawFn) -> bytes:
    """A random movetext after up to three bit flips, insertions, swaps, losses or doublings of words."""
    movetext = random_movetext(draw(st.integers(0, 1 << 32)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(movetext) - 1)))
        words = movetext.split(b" ")
        one, other = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words) - 1))
        kind = draw(st.sampled_from(["flip", "insert", "cut", "append", "swap", "lose", "double"]))
        if kind == "flip" and movetext:
            movetext = movetext[:at] + bytes([movetext[at] ^ 1 << draw(st.integers(0, 7))]) + movetext[at + 1 :]
        elif kind == "insert":
            movetext = movetext[:at] + draw(st.sampled_from(PIECES_OF_TEXT)) + movetext[at:]
        elif kind == "cut":
            movetext = movetext[:at]
        else:
            if kind == "append":
                words[one] += draw(st.sampled_from(PIECES_OF_TEXT))
            elif kind == "swap":
                words[one], words[other] = words[other], words[one]
            elif kind == "lose":
                del words[one]
            elif kind == "double":
                words.insert(one, words[other])
            movetext = b" ".join(words)
    return movetext


@settings(max_examples=60, deadline=None)
@given(st.lists(damaged_movetexts(), min_size=1, max_size=4))
@example([EN_PASSANT_MATE, b"1. e4 (1. d4 {", EN_PASSANT_MATE[:-1]])
def test_kernel_and_reference_agree_on_damaged_games(movetexts: list[bytes]) -> None:
    assert replay_block(movetexts).outcomes() == [replay_movetext(movetext) for movetext in movetexts]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*PIECES_OF_TEXT, b"1.", b"e4", b"e5", b"Nf3", b" ", b" "]) | st.binary(max_size=2)))
def test_kernel_and_reference_agree_on_any_bytes(pieces: list[bytes]) -> None:
    movetext = b"".join(pieces)
    for text in (movetext, b"1. e4 d5 2. e5 f5 " + movetext, b"1. e4 d5 2. e5 f5 3. exf6 " + movetext):
        assert replay_block([text]).outcomes() == [replay_movetext(text)]


def test_the_interpreted_kernel_agrees_too(interpreted: Callable[[Sequence[bytes]], list[Outcome]]) -> None:
    movetexts = [random_movetext(seed) for seed in range(20)]
    assert interpreted(movetexts) == [replay_movetext(movetext) for movetext in movetexts]


def test_the_random_games_hold_what_they_are_meant_to() -> None:
    games = [outcome for seed in range(60) if isinstance(outcome := replay_movetext(random_movetext(seed)), Replayed)]
    sans = {san for game in games for san in game.san}
    assert len(games) > 20
    assert sum(game.num_corrected for game in games) > 20
    assert {"O-O", "O-O-O"} <= sans
    assert any("=" in san and san.endswith("+") for san in sans)
    assert any(san.endswith("#") for san in sans)


def test_a_mate_by_en_passant_is_written_as_one() -> None:
    (outcome,) = replay_block([EN_PASSANT_MATE.replace(b"#", b"")]).outcomes()
    assert outcome == replay_movetext(EN_PASSANT_MATE.replace(b"#", b""))
