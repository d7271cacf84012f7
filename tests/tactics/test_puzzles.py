"""The puzzle file: its rows, its mistakes, and how its puzzles find their games."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import chess
import pytest
import zstandard

from chesslm.errors import InputError
from chesslm.game import Game
from eval.puzzles import ANOTHER_POSITION, NO_GAME, SAME_GAME, join_puzzles, read_puzzle_rows

HEADER = "PuzzleId,FEN,Moves,Rating,RatingDeviation,Popularity,NbPlays,Themes,GameUrl,OpeningTags"


def board_after(sans: Sequence[str]) -> chess.Board:
    board = chess.Board()
    for san in sans:
        board.push_san(san)
    return board


def row(
    puzzle_id: str = "00001",
    *,
    sans: Sequence[str] = ("e4", "e5", "Bc4", "a5", "Qf3"),
    fen: str | None = None,
    moves: str = "h7h6 f3f7",
    rating: str = "1234",
    themes: str = "mate mateIn1",
    game: str = "abcd1234",
    url: str | None = None,
) -> str:
    board = board_after(sans)
    side = "" if board.turn else "/black"
    url = f"https://lichess.org/{game}{side}#{board.ply()}" if url is None else url
    return ",".join([puzzle_id, fen or board.fen(), moves, rating, "80", "90", "100", themes, url, "Kings_Pawn_Game"])


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


PLAYED = Game("abcd1234", ("e4", "e5", "Bc4", "a5", "Qf3", "h6", "Qxf7#"), "1-0")


def pgn_of(*games: Game) -> str:
    return "\n\n".join(
        f'[Site "https://lichess.org/{game.id}"]\n\n'
        + " ".join(f"{ply // 2 + 1}. {san}" if ply % 2 == 0 else san for ply, san in enumerate(game.san))
        + f" {game.result}"
        for game in games
    )


@pytest.fixture
def pgn(tmp_path: Path) -> Path:
    path = tmp_path / "games.pgn"
    path.write_text(pgn_of(PLAYED, Game("unwanted", ("d4",), "*")), encoding="utf-8")
    return path


def test_a_row_is_read(tmp_path: Path) -> None:
    (found,) = read_puzzle_rows(write(tmp_path / "p.csv", row()))
    assert (found.line, found.id, found.rating, found.themes) == (2, "00001", 1234, ("mate", "mateIn1"))
    assert (found.moves, found.game_id) == (("h7h6", "f3f7"), "abcd1234")


def test_the_file_may_be_packed_in_several_frames(tmp_path: Path) -> None:
    plain = write(tmp_path / "p.csv", row("00001"), "", row("00002", url="https://lichess.org/abcd1234"))
    packed = tmp_path / "p.csv.zst"
    content = plain.read_bytes()
    packed.write_bytes(b"".join(zstandard.compress(part) for part in (content[:150], content[150:])))
    assert list(read_puzzle_rows(packed)) == list(read_puzzle_rows(plain))
    assert [found.line for found in read_puzzle_rows(plain)] == [2, 4]


@pytest.mark.parametrize(
    ("rows", "naming"),
    [
        (["x,y"], "line 2: 2 columns instead of 10"),
        ([row(), row(rating="good")], "line 3: Rating 'good'"),
        ([row(url="https://example.org/abcd1234")], "line 2: GameUrl 'https://example.org/abcd1234'"),
        ([row(url="https://lichess.org/short")], "line 2: GameUrl"),
        ([row(moves="h7h6")], "line 2: Moves 'h7h6'"),
        ([row(moves="h7h6 f3f7 e8f7")], "line 2: Moves"),
        ([row(moves="h7h6 Qxf7")], "line 2: Moves"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_file_and_line(rows: list[str], naming: str, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", *rows)
    with pytest.raises(InputError, match="^" + str(path)) as caught:
        list(read_puzzle_rows(path))
    assert naming in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "naming"),
    [
        ("p.txt", b"", r"named \.csv"),
        ("p.csv", b"", "line 1: no column PuzzleId"),
        ("p.csv", b"PuzzleId,FEN,Moves,Rating,Themes\n", "line 1: no column GameUrl"),
        ("p.csv.zst", zstandard.compress(HEADER.encode() * 9)[:-3], "cut short"),
        ("p.csv.zst", b"PuzzleId", "corrupt"),
        ("p.csv", (HEADER + "\n" + "x" * 200_000).encode(), "line 2: not CSV"),
    ],
)
def test_a_file_that_is_no_puzzle_file_is_named(name: str, content: bytes, naming: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=naming) as caught:
        list(read_puzzle_rows(tmp_path / name))
    assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.csv: No such file"):
        list(read_puzzle_rows(tmp_path / "p.csv"))


def test_a_puzzle_comes_after_its_real_game(tmp_path: Path, pgn: Path) -> None:
    path = write(tmp_path / "p.csv", row())
    (puzzle,), record = join_puzzles(path, pgn, count=5, seed=0)
    assert puzzle.before == ("e4", "e5", "Bc4", "a5", "Qf3", "h6")
    assert [move.uci() for move in puzzle.line] == ["f3f7"]
    assert (record.puzzles, record.joined, record.chosen, record.left_out) == (1, 1, 1, {})
    assert len(record.digest) == 64


def test_the_position_decides_not_how_its_fen_is_written(tmp_path: Path, pgn: Path) -> None:
    # An en passant square where nothing can capture, and another clock.
    fen = board_after(["e4"]).fen().replace(" - 0 1", " e3 3 1")
    path = write(tmp_path / "p.csv", row(fen=fen, moves="e7e5 f1c4"))
    assert len(join_puzzles(path, pgn, count=5, seed=0)[0]) == 1


def test_every_puzzle_that_is_left_out_has_a_reason(tmp_path: Path, folder: Path, games: list[Game]) -> None:
    train, test, val = games[0], games[10:14], games[55]

    def of(game: Game, puzzle_id: str) -> str:
        """White's mate before the ninth ply, after Black's move."""
        ply = 7
        first = board_after(game.san[:ply]).parse_san(game.san[ply]).uci()
        return row(puzzle_id, sans=game.san[:ply], moves=f"{first} f3f7", game=game.id)

    rows = [
        row("nogame", game="zzzz9999"),
        of(train, "train"),
        of(val, "val"),
        *(of(game, f"test{number}") for number, game in enumerate(test)),
        of(test[0], "again"),
        row("elsewhere", sans=("d4", "d5"), moves="c2c4 d5c4", game=games[20].id),
        row("late", sans=("e4", "e5") + ("Nf3", "Nf6", "Ng1", "Ng8") * 6, moves="d2d4 e5d4", game=games[21].id),
        of(games[22], "long"),
    ]
    path = write(tmp_path / "p.csv", *rows)

    def fits(game: Game) -> str | None:
        return "too long" if game.id == games[22].id else None

    puzzles, record = join_puzzles(path, folder, count=50, seed=0, fits=fits)
    assert sorted(puzzle.game_id for puzzle in puzzles) == sorted(game.id for game in test)
    assert record.left_out == {
        NO_GAME: 1,
        "its game is in the train split": 1,
        "its game is in the val split": 1,
        SAME_GAME: 1,
        ANOTHER_POSITION: 2,
        "too long": 1,
    }
    assert (record.puzzles, record.joined, record.chosen) == (11, 8, 4)
    assert record.chosen + sum(record.left_out.values()) == record.puzzles
    assert [puzzle.id for puzzle in join_puzzles(path, folder, count=5, seed=0, split="val")[0]] == ["val"]


def test_the_same_puzzles_are_chosen_whatever_the_order_of_the_file(
    tmp_path: Path, folder: Path, games: list[Game]
) -> None:
    rows = [
        row(
            f"p{number}",
            sans=game.san[:4],
            moves=f"{board_after(game.san[:4]).parse_san('Qf3').uci()} g8f6",
            game=game.id,
        )
        for number, game in enumerate(games[10:30])
    ]
    chosen = []
    for number, order in enumerate((rows, random.Random(0).sample(rows, len(rows)))):
        path = write(tmp_path / f"{number}.csv", *order)
        chosen.append([puzzle.id for puzzle in join_puzzles(path, folder, count=6, seed=1)[0]])
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) == 6
    assert chosen[0] != [puzzle.id for puzzle in join_puzzles(path, folder, count=6, seed=2)[0]]


@pytest.mark.parametrize(
    ("changes", "naming"),
    [
        ({"fen": "not a position"}, "line 2: FEN 'not a position'"),
        ({"moves": "h7h6 f3f8"}, "line 2: Moves: f3f8 isn't legal"),
    ],
)
def test_a_puzzle_that_contradicts_itself_is_an_error(
    changes: dict[str, str], naming: str, tmp_path: Path, pgn: Path
) -> None:
    path = write(tmp_path / "p.csv", row(**changes))
    with pytest.raises(InputError) as caught:
        join_puzzles(path, pgn, count=5, seed=0)
    assert str(path) in str(caught.value)
    assert naming in str(caught.value)


def test_no_puzzle_left_is_one_line_with_the_reasons(tmp_path: Path, pgn: Path) -> None:
    path = write(tmp_path / "p.csv", row(game="zzzz9999"))
    with pytest.raises(InputError, match=r"p\.csv: no puzzle to put to the models \(1 its game isn't there\)"):
        join_puzzles(path, pgn, count=5, seed=0)
    with pytest.raises(InputError, match="it is empty"):
        join_puzzles(write(tmp_path / "none.csv"), pgn, count=5, seed=0)


def test_an_unusable_game_of_a_pgn_file_is_a_reason(tmp_path: Path) -> None:
    games = tmp_path / "games.pgn"
    games.write_text('[Site "https://lichess.org/abcd1234"]\n\n1. e4 e4 *\n', encoding="utf-8")
    with pytest.raises(InputError, match="1 its game: illegal or ambiguous move"):
        join_puzzles(write(tmp_path / "p.csv", row()), games, count=5, seed=0)


def test_long_readings_are_told(tmp_path: Path, pgn: Path, folder: Path, games: list[Game]) -> None:
    told: list[str] = []

    def progress(what: str, _done: int, _total: int | None) -> None:
        told.append(what)

    join_puzzles(write(tmp_path / "p.csv", row()), pgn, count=5, seed=0, progress=progress)
    assert set(told) == {"reading puzzles", "looking for the puzzles' games"}
