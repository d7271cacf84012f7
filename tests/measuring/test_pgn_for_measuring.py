"""PGN files as a source of held-out games: what is read, what is left out and why."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from pathlib import Path

import chess.pgn
import pytest
import zstandard

from chesslm.errors import InputError
from chesslm.game import Game, moves_digest, moves_hash
from eval import pgn

FINE = '[Site "https://lichess.org/abcdefgh"]\n[Result "1-0"]\n\n1. e4 e5 2. Nf3 1-0\n'


def read(text: str) -> Game | str:
    found = pgn.read_raw_game(text)
    return found if isinstance(found, str) else found[0]


def test_a_game_has_canonical_san_its_site_and_its_hash() -> None:
    found = pgn.read_raw_game('[Site "https://lichess.org/abcdefgh"]\n\n1. e2e4 e5 2. Bc4 Nc6 3. Qh5 Nf6 4. Qf7+ 1-0\n')
    assert not isinstance(found, str)
    game, hash64 = found
    assert game == Game("abcdefgh", ("e4", "e5", "Bc4", "Nc6", "Qh5", "Nf6", "Qxf7#"), "1-0")
    assert hash64 == moves_hash(moves_digest(["e2e4", "e7e5", "f1c4", "b8c6", "d1h5", "g8f6", "h5f7"]))


@pytest.mark.parametrize(
    "movetext",
    [
        "1. e4 {a comment\nwith [a] header} e5 2. Nf3 1-0",
        "1. e4! $13 (1. d4 d5 (1... Nf6 2. c4) 2. c4) 1... e5 ; to the end (\n2.Nf3 1-0",
        "1.e4 e5 2.Nf3 1-0",
        "% an escaped line\n1. e4 e5 2. Nf3?! *",
        "e4 e5 Nf3",
    ],
)
def test_what_is_no_move_is_passed_over(movetext: str) -> None:
    game = read(f'[Site "?"]\n\n{movetext}\n')
    assert isinstance(game, Game)
    assert game.san == ("e4", "e5", "Nf3")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1. e4 e4 *", pgn.ILLEGAL),
        ("1. e4 -- 2. d4 *", pgn.ILLEGAL),
        ("1. Nf3 e6 2. d3 e5 3. Nd2 *", pgn.ILLEGAL),
        ("1. e4 e5 (2. Nf3 *", pgn.UNREADABLE),
        ("1. e4 e5) 2. Nf3 *", pgn.UNREADABLE),
        ("1. e4 wunderbar e5 *", pgn.UNREADABLE),
        ("1. e4 Nxyz9 e5 *", pgn.UNREADABLE),
        ("1. e4 { never closed", pgn.UNREADABLE),
        (f"1. e4 ${'9' * 5_000} *", pgn.UNREADABLE),
        ('[Event "headers only"]\n\n*', pgn.NO_MOVES),
        ('[FEN "4k3/8/8/8/8/8/4P3/4K3 w - - 0 1"]\n[SetUp "1"]\n\n1. e4 *', pgn.SET_UP),
        ('[Variant "Atomic"]\n\n1. e4 *', pgn.SET_UP),
        ('[Variant "no such thing"]\n\n1. e4 *', pgn.SET_UP),
    ],
)
def test_games_are_left_out_for_a_reason(text: str, reason: str) -> None:
    assert read(text) == reason


def test_the_start_position_may_be_written_as_a_fen() -> None:
    game = read(f'[FEN "{chess.STARTING_FEN}"]\n[Variant "Standard"]\n\n1. e4 *')
    assert isinstance(game, Game)


@pytest.mark.parametrize(
    ("header", "movetext", "result"),
    [("1-0", "1. e4 1-0", "1-0"), ("?", "1. e4 0-1", "0-1"), ("*", "1. e4 1/2-1/2", "1/2-1/2"), ("x", "1. e4", "*")],
)
def test_the_result_is_the_headers_else_the_movetexts(header: str, movetext: str, result: str) -> None:
    game = read(f'[Result "{header}"]\n\n{movetext}\n')
    assert isinstance(game, Game)
    assert game.result == result


def test_nothing_that_can_be_written_makes_the_reader_fail() -> None:
    generator = random.Random(3)
    alphabet = [
        "e4",
        "e5",
        "Nf3",
        "(",
        ")",
        "{",
        "}",
        ";",
        "$1",
        "\n",
        "%",
        "1.",
        "--",
        "O-O",
        "[",
        "]",
        "*",
        "1-0",
        "\0",
    ]
    outcomes = set()
    for _ in range(400):
        found = read(" ".join(generator.choices(alphabet, k=generator.randint(0, 12))))
        outcomes.add(found if isinstance(found, str) else "fine")
    assert outcomes == {"fine", pgn.ILLEGAL, pgn.UNREADABLE, pgn.NO_MOVES}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_games_have_the_borders_that_python_chess_sees(tmp_path: Path, line_end: str) -> None:
    text = "\ufeff" + FINE + "\n" + '[Event "two"]\n\n1. d4\n{ a [comment]\n} d5 *\n\n\n' + "1. c4 *"
    path = tmp_path / "a.pgn"
    path.write_bytes(text.replace("\n", line_end).encode())
    raws = list(pgn.raw_games(path))
    handle = io.StringIO(text)
    by_python_chess = []
    while (game := chess.pgn.read_game(handle)) is not None:
        by_python_chess.append([move.uci() for move in game.mainline_moves()])
    assert len(raws) == len(by_python_chess) == 3
    assert [read(raw).san for raw in raws] == [("e4", "e5", "Nf3"), ("d4", "d5"), ("c4",)]
    assert pgn.movetext_of(raws[1]) == "1. d4 { a [comment] } d5 *"


def packed(kind: str, content: bytes) -> bytes:
    if kind == ".zst":
        # As pzstd writes it: several frames, skippable ones between them.
        half = len(content) // 2
        skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
        return zstandard.compress(content[:half]) + skippable + zstandard.compress(content[half:]) + skippable
    return gzip.compress(content, mtime=0) if kind == ".gz" else bz2.compress(content)


@pytest.mark.parametrize("kind", [".zst", ".gz", ".bz2"])
def test_packed_files_are_read_whole_or_not_at_all(tmp_path: Path, kind: str) -> None:
    content = (FINE + "\n").encode() * 40
    path = tmp_path / f"games.pgn{kind}"
    whole = packed(kind, content)
    path.write_bytes(whole)
    assert len(list(pgn.raw_games(path))) == 40
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=rf"{path}.*cut short"):
        list(pgn.raw_games(path))
    path.write_bytes(b"no packed data at all" * 9)
    with pytest.raises(InputError, match=f"{path}.*{kind[1:]} data"):
        list(pgn.raw_games(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path / "missing.pgn")):
        list(pgn.raw_games(tmp_path / "missing.pgn"))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgn, "MAX_LINE_LEN", 10_000)
    path = tmp_path / "long.pgn"
    path.write_bytes(b"1. e4 " * 5_000)
    with pytest.raises(InputError, match="10,000 characters"):
        list(pgn.raw_games(path))


def test_binary_noise_has_no_games(tmp_path: Path) -> None:
    path = tmp_path / "noise.pgn"
    path.write_bytes(random.Random(0).randbytes(20_000))
    assert all(isinstance(read(raw), str) for raw in pgn.raw_games(path))
