"""Games to start from, and games that are saved: nothing is skipped, guessed or overwritten."""

from __future__ import annotations

from pathlib import Path

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import InputError, OutputError, UnsupportedPosition
from chesslm.player import RandomPlayer, choose
from play.pgn_in import MAX_PGN_BYTES, read_moves, read_pgn
from play.pgn_out import pgn_text, save_new

ODD = """\ufeff[Event "Odd \x1b[2Jone"]\r
[White "<b>Ann</b>"]\r
[Black ""]\r
[Date "2001.02.03"]\r
\r
% an escaped line\r
1. e4 {a comment (with [brackets]\r
[%clk 0:01:00] } e5 $1 (1... c5 2. Nf3 (2. c3) d6) 2.Nf3! Nc6 ; to the end of the line\r
3. Bb5?! !? a6 4 Bxc6 dxc6 5. O-O 1-0\r
\r
[Event "Second"]\r
\r
1. d4 d5\r
"""


@pytest.mark.parametrize(
    ("text", "uci"),
    [
        ("1. e4 e5 2. Nf3", "e2e4 e7e5 g1f3"),
        ("1.e4 e5 2.Nf3 *", "e2e4 e7e5 g1f3"),
        ("e2e4 e7e5", "e2e4 e7e5"),
        ("1. e4 1... e5", "e2e4 e7e5"),
        ("1.e4 0-1 e5", "e2e4"),
        ("", ""),
    ],
)
def test_movetext_is_read(text: str, uci: str) -> None:
    assert " ".join(move.uci() for move in read_moves(text, source="--moves").move_stack) == uci


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1. e4 e5 2. Nf6", '"Nf6" at ply 3: no knight of White\'s can go to f6; possible: Na3, Nc3, Ne2, Nf3, Nh3'),
        ("1. e4 e5 foo", '"foo" at ply 3: "foo" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
        ("1. e4 --", '"--" at ply 2: "--" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
        ("1. d4 d5 2. Nf3 Nf6 3. Nd2", '"Nd2" at ply 5: "Nd2" could be more than one move: Nbd2 or Nfd2'),
        ("1. f3 e5 2. g4 Qh4# 3. e4", '"e4" at ply 5: the game is over'),
        ("1. e4 (1. d4", "a variation is never closed"),
        ("1. e4 ) e5", "a variation is closed that was never opened"),
        ("1. e4 { e5", "a comment is never closed"),
        ("1. e4 } e5", "a comment is closed that was never opened"),
        ("1. e4 \x1b[31me5", '"?[31me5" at ply 2: "?[31me5" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4'),
    ],
)
def test_what_is_no_move_is_named(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        read_moves(text, source="--moves")
    assert str(error.value) == f"--moves: {complaint}"


def test_the_first_game_of_a_pgn_is_read_oddities_and_all(tmp_path: Path) -> None:
    (tmp_path / "odd.pgn").write_bytes(ODD.encode())
    game = read_pgn(tmp_path / "odd.pgn")
    assert game.board.fen().split()[0] == "r1bqkbnr/1pp2ppp/p1p5/4p3/4P3/5N2/PPPP1PPP/RNBQ1RK1"
    assert game.title == "<b>Ann</b> - ? (Odd ?[2Jone, 2001.02.03)"


def test_a_game_without_headers_ends_where_the_next_begins(tmp_path: Path) -> None:
    (tmp_path / "two.pgn").write_text('1. e4 e5\n\n[Event "x"]\n\n1. d4 d5\n')
    game = read_pgn(tmp_path / "two.pgn")
    assert (len(game.board.move_stack), game.title) == (2, "")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no moves in it"),
        (b'[Event "x"]\n[White "y"]\n', "no moves in it"),
        (b'[Event "x"]\n\n*\n', "no moves in it"),
        (bytes(range(256)), "not a text file"),
        (bytes(range(128, 256)), "at ply 1:"),
        (b"\x28\xb5\x2f\xfd noise", "not a text file; a PGN must be unpacked"),
        (b'[Event "x"]\n\n1. e4 e5 2. Ke3 1-0\n', '"Ke3" at ply 3: no king of White'),
    ],
)
def test_a_file_without_a_readable_game_is_named(content: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.pgn"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pgn: ") as error:
        read_pgn(path)
    assert complaint in str(error.value)


def test_a_missing_file_and_an_impossible_name_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pgn: No such file"):
        read_pgn(tmp_path / "none.pgn")
    with pytest.raises(InputError, match="null byte"):
        read_pgn(Path("a\0b"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('[FEN "4k3/8/8/8/8/8/8/4K2R w K - 0 1"]', "begins at a set-up position"),
        ('[Variant "Chess960"]', "a game of Chess960"),
        ('[Variant "\x1b[31mAtomic"]', r"a game of \?\[31mAtomic"),
    ],
)
def test_another_start_is_refused_and_says_why(header: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "other.pgn").write_text(f"{header}\n\n1. Ke2 *\n")
    with pytest.raises(UnsupportedPosition, match=reason):
        read_pgn(tmp_path / "other.pgn")


def test_the_start_position_written_out_is_the_start_position(tmp_path: Path) -> None:
    (tmp_path / "same.pgn").write_text(f'[Variant "Standard"]\n[FEN "{chess.STARTING_FEN}"]\n\n1. e4 *\n')
    assert read_pgn(tmp_path / "same.pgn").board.peek() == chess.Move.from_uci("e2e4")


def test_of_a_huge_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.pgn"
    with path.open("wb") as file:
        file.write(b"1. e4 e5 1/2-1/2\n" + b" " * MAX_PGN_BYTES)
        file.truncate(50 * MAX_PGN_BYTES)
    assert len(read_pgn(path).board.move_stack) == 2


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000))
def test_what_is_written_is_read_again(seed: int) -> None:
    board, player = chess.Board(), RandomPlayer(seed=seed)
    while not board.is_game_over() and board.ply() < 160:
        board.push(choose(player, board).move)
    text = pgn_text(board, {"White": "a"}, ["wanted (Nf3; {x}"] * len(board.move_stack))
    assert read_moves(text.split("\n\n", 1)[1], source="x").move_stack == board.move_stack


def test_a_file_is_written_once_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "game.pgn"
    save_new(path, "first\n")
    with pytest.raises(OutputError, match=r"game.pgn exists and is not overwritten"):
        save_new(path, "second\n")
    assert path.read_text() == "first\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        save_new(tmp_path / "no" / "game.pgn", "text")

    def fail(path: Path, content: bytes) -> None:
        raise OutputError(f"can't write {path}: No space left on device")

    monkeypatch.setattr("play.pgn_out.write_bytes", fail)
    with pytest.raises(OutputError, match="No space left"):
        save_new(tmp_path / "game.pgn", "text")
    assert not list(tmp_path.iterdir())
