"""`chesslm data show`: which games it finds, and what it shows of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chesslm.errors import InputError
from chesslm.game import replay
from chesslm.notation.registry import load_notation
from data_prep.show import find_game, parts_of

Run = Callable[..., Any]


def test_show_puts_text_and_tokens_side_by_side(run: Run) -> None:
    done = run("show", "1. e4 e5 2. Ng1f3 Nc6 1/2-1/2", "--notation", "pgn", "--notation", "english")
    assert done.code == 0
    for text in ("2. Nf3", "N|f3", "White moves knight to f3.", "·White|·moves|·knight|·to|·f3|.", "1/2-1/2", "<end>"):
        assert text in done.out


def test_show_reads_files_and_prepared_folders(run: Run, pgn: Path, prepared: Path) -> None:
    for source in (pgn, prepared, prepared / "games"):
        assert "no game number 60" in run("show", source, "--game", 60).err
        assert run("show", source, "--game", 59, "--notation", "english").code == 0
    with_own = run("show", prepared, "--notation", "english")
    with_given = run("show", pgn, "--notation", "english", "--vocabulary", prepared / "tokens/english")
    assert with_own.out.splitlines()[3:] == with_given.out.splitlines()[3:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1. e4 e4"], "the moves given: illegal move: 'e4' is no legal move at ply 1 in rnbqkbnr"),
        (["1. e4 hello"], "the moves given: unreadable movetext: 'hello'"),
        (["missing.pgn"], "can't read missing.pgn"),
        (["1. e4", "--notation", "klingon"], "unknown notation 'klingon'"),
        (["1. e4", "--vocabulary", "/"], "/: no vocabulary.json"),
    ],
)
def test_show_says_in_one_line_what_it_can_not_show(run: Run, arguments: list[str], message: str) -> None:
    done = run("show", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_hostile_headers_are_kept_but_shown_inert(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hostile.pgn"
    path.write_bytes(
        b'[White "\x1b[31mred [bold]B[/bold]\x07"]\n[Event "<script>"]\n[TimeControl "\x1b]0;x\x07"]\n\n1. e4 e5 1-0\n'
    )
    done = run("show", path)
    assert done.code == 0
    assert "?[31mred [bold]B[/bold]? - ?, <script>" in done.out
    assert not set(done.out) & {"\x1b", "\x07"}
    assert run("prepare", path, "--out", tmp_path / "out", "--notation", "pgn", "--set", "data.workers=1").code == 0
    assert pq.read_table(tmp_path / "out/games/part-00000.parquet")["time_control"].to_pylist() == ["\x1b]0;x\x07"]
    assert "\x1b" not in run("stats", tmp_path / "out").out


def test_shown_parts_are_all_tokens_in_order(prepared: Path) -> None:
    for name in ("pgn", "english"):
        notation = load_notation(name, prepared / "tokens" / name)
        game = find_game(str(prepared), 3).game
        parts = parts_of(notation, game)
        assert [token_id for part in parts for _, token_id in part.tokens] == notation.encode_game(game).ids
        assert len(parts) == len(game.san) + 3
        for part, move in zip(parts[1:-2], replay(game), strict=True):
            assert part.spelling
            assert move


@pytest.mark.parametrize(
    ("header", "end", "shown"), [("?", "1-0", "1-0"), ("?", "", "*"), ("*", "0-1", "0-1"), ("1-0", "*", "1-0")]
)
def test_a_shown_game_has_the_one_result_that_its_file_knows(header: str, end: str, shown: str, tmp_path: Path) -> None:
    path = tmp_path / "one.pgn"
    path.write_text(f'[Event "x"]\n[Result "{header}"]\n\n1. e4 e5 {end}\n', encoding="utf-8")
    assert find_game(str(path), 0).game.result == shown


def test_a_game_with_two_results_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "one.pgn"
    path.write_text('[Event "x"]\n[Result "1-0"]\n\n1. e4 e5 0-1\n', encoding="utf-8")
    with pytest.raises(InputError, match="its headers say 1-0, its movetext ends with 0-1"):
        find_game(str(path), 0)
