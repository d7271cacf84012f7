"""Each rule of the movetext grammar, by each way to replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from data_prep.replay import ILLEGAL, UNREADABLE, Rejected, Replayed

Replay = Callable[[bytes], Replayed | Rejected]

# An en passant capture for each side is to hand after these.
WHITE_PASSES = b"1. e4 a6 2. e5 d5 "
BEFORE_CASTLING = b"1. e4 e5 2. Nf3 Nf6 3. Bc4 Bc5 "
BEFORE_LONG_CASTLING = b"1. d4 d5 2. Nc3 Nc6 3. Bf4 Bf5 4. Qd2 Qd7 "
# White promotes on b8 by taking, with either rook's help.
BEFORE_PROMOTION = b"1. a4 b5 2. axb5 a6 3. bxa6 Nc6 4. a7 d6 "


@pytest.mark.parametrize(
    ("movetext", "san", "result"),
    [
        (b"1. e4 e5 2. Nf3 1-0", "e4 e5 Nf3", "1-0"),
        (b"1.e4 e5 2.Nf3 0-1", "e4 e5 Nf3", "0-1"),
        (b"1. e4 1... e5 2.Nf3 2...Nc6 1/2-1/2", "e4 e5 Nf3 Nc6", "1/2-1/2"),
        (b"1 e4 1 ... e5 02. Nf3 *", "e4 e5 Nf3", "*"),
        (b"e4 ...e5 Nf3 .. Nc6", "e4 e5 Nf3 Nc6", None),
        (b"1. e4\r\ne5\t2.\fNf3\vNc6\n", "e4 e5 Nf3 Nc6", None),
        (b"1. e4 {1. d4 (} e5{}2. Nf3{ \xff }", "e4 e5 Nf3", None),
        (b"1. e4 ; 1... c5 {\n e5", "e4 e5", None),
        (b"1. e4;c5\r e5 ;", "e4 e5", None),
        (b"% escaped {\n1. e4\n%c5 (\n e5\n% no more", "e4 e5", None),
        (b"1. e4 (1. d4 d5 (1... Nf6 {)} 2. c4) ; )\n%)\n 2. c4 rubbish -- \xff 1-0) e5", "e4 e5", None),
        (b"1. e4(1. d4)(1. c4)e5", "e4 e5", None),
        (b"1. e4! e5?! $12 $1$2 2. Nf3!!? ! Nc6 ??", "e4 e5 Nf3 Nc6", None),
        (b"1. e4 e5 1-0 {White wins} ; yes\n% really", "e4 e5", "1-0"),
        (b"2. *", None, None),
        (b"1.*", "", "*"),
        (b"", "", None),
        (b" \n", "", None),
        (b"0-1", "", "0-1"),
    ],
)
def test_bytes_around_moves_are_all_accounted_for(
    replay: Replay, movetext: bytes, san: str | None, result: str | None
) -> None:
    outcome = replay(movetext)
    if san is None:
        assert isinstance(outcome, Rejected)
    else:
        assert isinstance(outcome, Replayed)
        assert (outcome.san, outcome.result, outcome.num_corrected) == (tuple(san.split()), result, 0)


@pytest.mark.parametrize(
    ("before", "written", "san", "uci"),
    [
        (b"", b"e2e4", "e4", "e2e4"),
        (b"", b"e2-e4", "e4", "e2e4"),
        (b"", b"ee4", "e4", "e2e4"),
        (b"", b"2e4", "e4", "e2e4"),
        (b"", b"xe4", "e4", "e2e4"),
        (b"", b"e4+", "e4", "e2e4"),
        (b"", b"e4++", "e4", "e2e4"),
        (b"", b"e4#", "e4", "e2e4"),
        (b"", b"g1f3", "Nf3", "g1f3"),
        (b"", b"Ng1f3", "Nf3", "g1f3"),
        (b"", b"Ng1-f3", "Nf3", "g1f3"),
        (b"", b"Ngf3", "Nf3", "g1f3"),
        (b"", b"N1f3", "Nf3", "g1f3"),
        (b"", b"Nxf3", "Nf3", "g1f3"),
        (b"1. e4 d5 ", b"ed5", "exd5", "e4d5"),
        (b"1. e4 d5 ", b"e4xd5", "exd5", "e4d5"),
        (b"1. e4 d5 ", b"e4-d5", "exd5", "e4d5"),
        (b"1. e4 f6 2. d4 g5 ", b"Qh5", "Qh5#", "d1h5"),
        (b"1. e4 f6 2. d4 g5 ", b"Qh5+", "Qh5#", "d1h5"),
        (WHITE_PASSES, b"ed6", "exd6", "e5d6"),
        (WHITE_PASSES, b"e5d6", "exd6", "e5d6"),
        (WHITE_PASSES, b"exd6e.p.", "exd6", "e5d6"),
        (WHITE_PASSES, b"exd6ep", "exd6", "e5d6"),
        (BEFORE_CASTLING, b"0-0", "O-O", "e1g1"),
        (BEFORE_CASTLING, b"O-O+", "O-O", "e1g1"),
        (BEFORE_CASTLING, b"e1g1", "O-O", "e1g1"),
        (BEFORE_CASTLING, b"e1h1", "O-O", "e1g1"),
        (BEFORE_CASTLING + b"4. O-O ", b"0-0#", "O-O", "e8g8"),
        (BEFORE_CASTLING + b"4. O-O ", b"e8h8", "O-O", "e8g8"),
        (BEFORE_LONG_CASTLING, b"0-0-0", "O-O-O", "e1c1"),
        (BEFORE_LONG_CASTLING, b"e1c1", "O-O-O", "e1c1"),
        (BEFORE_LONG_CASTLING + b"5. O-O-O ", b"e8a8", "O-O-O", "e8c8"),
        (BEFORE_PROMOTION + b"5. h3 h6 ", b"ab8Q", None, None),
        (BEFORE_PROMOTION + b"5. h3 Nb8 ", b"ab8Q", "axb8=Q", "a7b8q"),
        (BEFORE_PROMOTION + b"5. h3 Nb8 ", b"axb8=q", "axb8=Q", "a7b8q"),
        (BEFORE_PROMOTION + b"5. h3 Nb8 ", b"a7b8n", "axb8=N", "a7b8n"),
        (BEFORE_PROMOTION + b"5. h3 Nb8 ", b"axb8B", "axb8=B", "a7b8b"),
    ],
)
def test_other_spellings_are_corrected_and_counted(
    replay: Replay, before: bytes, written: bytes, san: str | None, uci: str | None
) -> None:
    outcome = replay(before + written)
    if san is None:
        assert isinstance(outcome, Rejected)
    else:
        assert isinstance(outcome, Replayed)
        assert (outcome.san[-1], outcome.uci[-1], outcome.num_corrected) == (san, uci, 1)


@pytest.mark.parametrize("mark", [b" e.p.", b" ep", b" {taken} e.p. ep", b"! e.p."])
def test_an_en_passant_mark_may_stand_apart_and_corrects_nothing(replay: Replay, mark: bytes) -> None:
    outcome = replay(WHITE_PASSES + b"3. exd6" + mark + b" cxd6 *")
    assert isinstance(outcome, Replayed)
    assert (outcome.san[-2:], outcome.num_corrected) == (("exd6", "cxd6"), 0)


@pytest.mark.parametrize(
    ("movetext", "token", "wording", "ply"),
    [
        (b"1. e4 zz", "'zz'", "is no move, move number or result", 1),
        (b"1. e4 \xff\x1b[2J", r"'\\xff\x1b[2J'", "is no move, move number or result", 1),
        (b"1. Pe4", "'Pe4'", "is no move, move number or result", 0),
        (b"1. e4 nf6", "'nf6'", "is no move, move number or result", 1),
        (b"1. e4 e5.", "'e5.'", "is no move, move number or result", 1),
        (b"1. e4e5", "'e4e5'", "is no legal move", 0),
        (b"1. e9", "'e9'", "is no move, move number or result", 0),
        (b"1. i4", "'i4'", "is no move, move number or result", 0),
        (b"1. Q=Q", "'Q=Q'", "is no move, move number or result", 0),
        (b"1. NNf3", "'NNf3'", "is no move, move number or result", 0),
        (b"1. +", "'+'", "is no move, move number or result", 0),
        (b"1. ++", "'++'", "is no move, move number or result", 0),
        (b"1. N", "'N'", "is no move, move number or result", 0),
        (b"1. O-0", "'O-0'", "is no move, move number or result", 0),
        (b"1. o-o", "'o-o'", "is no move, move number or result", 0),
        (b"1. e4 1/2", "'1/2'", "is no move, move number or result", 1),
        (b"1. e4%", "'e4%'", "is no move, move number or result", 0),
        (b"1.2.e4", "'2.e4'", "is no move, move number or result", 0),
        (b"12e4", "'12e4'", "is no move, move number or result", 0),
        (b"1. e4 --", "'--'", "is a null move", 1),
        (b"1. Z0", "'Z0'", "is a null move", 0),
        (b"0000", "'0000'", "is a null move", 0),
        (b"1.@@@@", "'@@@@'", "is a null move", 0),
        (b"2. e4", "'2.'", "is not the move number that is due", 0),
        (b"1. e4 2. d4", "'2.'", "is not the move number that is due", 1),
        (b"1. e4 e5 1.d4", "'1.d4'", "is not the move number that is due", 2),
        (b"0. e4", "'0.'", "is not the move number that is due", 0),
        (b"18446744073709551617. e4", "'18446744073709551617.'", "is not the move number that is due", 0),
        (b"1. e4 {no end", "'{no end'", "is a comment that never ends", 1),
        (b"1. e4 (1. d4 {) ", "'{) '", "is a comment that never ends", 1),
        (b"1. e4 } e5", "'} e5'", "is the end of no comment", 1),
        (b"1. e4 (1. d4 }) e5", "'}) e5'", "is the end of no comment", 1),
        (b"1. e4 (1. d4 (1. c4) e5", "'(1. d4 (1. c4) e5'", "is a variation that never ends", 1),
        (b"1. e4 (1. d4 ;)", "'(1. d4 ;)'", "is a variation that never ends", 1),
        (b"1. e4 ) e5", "') e5'", "is the end of no variation", 1),
        (b"(1. e4) 1. d4", "'(1. e4) 1. d4'", "is a variation before the first move", 0),
        (b"1. e4 $ e5", "'$'", "is no annotation glyph", 1),
        (b"1. e4 $1e5", "'$1e5'", "is no annotation glyph", 1),
        (b"1. e4!e5", "'!e5'", "is no annotation glyph", 1),
        (b"1. e4 1-0 e5", "'e5'", "stands after the result", 1),
        (b"1. e4 1-0 1-0", "'1-0'", "stands after the result", 1),
        (b"1. e4 1-0 2.", "'2.'", "stands after the result", 1),
        (b"1. e4 1-0 $1", "'$1'", "stands after the result", 1),
        (b"1. e4 1-0 (1. d4)", "'(1. d4)'", "stands after the result", 1),
        (b"1. e4 ep", "'ep'", "follows no en passant capture", 1),
        (b"1. e4 e.p. e5", "'e.p.'", "follows no en passant capture", 1),
        (b"1. e4 e5 2. Ke3!", "'Ke3'", "is no legal move", 2),
        (b"1. e4ep", "'e4ep'", "is no legal move", 0),
        (b"1. O-O", "'O-O'", "is no legal move", 0),
        (b"1. O-Oep", "'O-Oep'", "is no legal move", 0),
        (b"1. e1g1", "'e1g1'", "is no legal move", 0),
        (b"1. e7e5", "'e7e5'", "is no legal move", 0),
        (b"1. e3e4", "'e3e4'", "is no legal move", 0),
        (b"1. ce4", "'ce4'", "is no legal move", 0),
        (b"1. e2e4q", "'e2e4q'", "is no legal move", 0),
        (b"1. Nf3=Q", "'Nf3=Q'", "is no legal move", 0),
        (b"1. Ng3", "'Ng3'", "is no legal move", 0),
        (b"1. Nd2", "'Nd2'", "is no legal move", 0),
        (b"1. d3 d6 2. Nd2 Nd7 3. Nf3", "'Nf3'", "fits more than one legal move", 4),
        (b"1. d3 d6 2. Nd2 Nd7 3. Nf3ep", "'Nf3ep'", "fits more than one legal move", 4),
        (b"1. " + b"x" * 60, "'" + "x" * 40 + "'…", "is no move, move number or result", 0),
        (BEFORE_CASTLING + b"4. e1g1q", "'e1g1q'", "is no legal move", 6),
        (BEFORE_CASTLING + b"4. Kg1", "'Kg1'", "is no legal move", 6),
        (BEFORE_PROMOTION + b"5. h3 Nb8 6. axb8", "'axb8'", "is no legal move", 10),
        (BEFORE_PROMOTION + b"5. h3 Nb8 6. axb8=K", "'axb8=K'", "is no legal move", 10),
        (BEFORE_PROMOTION + b"5. h3 Nb8 6. a7b8", "'a7b8'", "is no legal move", 10),
        (b"1. f3 e5 2. g4 Qh4# 3. Kf2", "'Kf2'", "is no legal move", 4),
    ],
)
def test_what_stops_a_replay_is_named_with_token_ply_and_position(
    replay: Replay, movetext: bytes, token: str, wording: str, ply: int
) -> None:
    outcome = replay(movetext)
    assert isinstance(outcome, Rejected)
    assert outcome.detail.startswith(f"{token} {wording} at ply {ply} in ")
    assert outcome.reason == (ILLEGAL if "legal move" in wording else UNREADABLE)
    assert "\n" not in outcome.detail
    assert outcome.detail.isprintable()


def test_the_position_in_the_detail_is_the_one_before_the_token(replay: Replay) -> None:
    outcome = replay(b"1. e4 (1. d4) d5 {x} 2. e5 f5 3. exg6")
    assert outcome == Rejected(
        ILLEGAL,
        "'exg6' is no legal move at ply 4 in rnbqkbnr/ppp1p1pp/8/3pPp2/8/8/PPPP1PPP/RNBQKBNR w KQkq f6 0 3",
    )


def test_a_percent_sign_escapes_a_line_only_in_its_first_column(replay: Replay) -> None:
    assert isinstance(replay(b"1. e4\n%e5"), Replayed)
    assert isinstance(replay(b"1. e4\n %e5"), Rejected)
