"""Made-up dumps: the dumps' format, real moves, any size, the same bytes for the same seed."""

from __future__ import annotations

import io
import re
from itertools import islice
from pathlib import Path

import chess.pgn
import pytest
import typer
import zstandard

from chesslm.errors import InputError, OutputError
from chesslm.game import Game
from data_prep import dump_generator
from data_prep.config import PrepareConfig
from data_prep.dump_generator import SAMPLE, DumpStyle, dump_text, main, read_source, write_dump
from data_prep.filters import BOT
from data_prep.prepare import prepare

GAME = Game("x", ("e4", "e5", "Nf3", "Nc6"), "1-0")


@pytest.fixture(scope="module")
def games() -> list[Game]:
    return list(islice(read_source(SAMPLE), 150))


def unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()


def test_a_dump_has_as_many_games_as_asked_for_and_repeats_itself(tmp_path: Path, games: list[Game]) -> None:
    path = tmp_path / "made.pgn.zst"
    write_dump(path, games[:40], 100, DumpStyle(frame_len=5_000, level=1))
    text = unpacked(path)
    assert text.count(b"[Event ") == 100
    whole = b"".join(dump_text(game, index, DumpStyle()) for index, game in enumerate(games[:40]))
    assert text == whole * 2 + whole[: len(text) - 2 * len(whole)]
    assert path.read_bytes()[:4] == b"\x50\x2a\x4d\x18"
    again = tmp_path / "again.pgn.zst"
    write_dump(again, games[:40], 100, DumpStyle(frame_len=5_000, level=1))
    assert again.read_bytes() == path.read_bytes()


def test_every_game_is_prepared_with_its_moves_and_result(tmp_path: Path, games: list[Game]) -> None:
    path = tmp_path / "made.pgn.zst"
    write_dump(path, games, len(games), DumpStyle(level=1))
    config = PrepareConfig.model_validate(
        {
            "data": {"workers": 1},
            "filters": {"max_plies": 400, "min_plies": 1, "keep_bots": True, "keep_unfinished": True},
        }
    )
    done = prepare([str(path)], tmp_path / "out", [], config)
    assert done.games["read"] == len(games)
    kept = list(read_source(tmp_path / "out"))
    known = {(game.san, game.result) for game in games}
    assert {(game.san, game.result) for game in kept} == known
    assert set(done.games["dropped"]) <= {"duplicate moves"}
    assert done.games["corrections"]["plies with corrected SAN"] == 0
    assert BOT not in done.games["dropped"]


def test_clocks_and_evaluations_stand_where_the_dumps_have_them() -> None:
    bare = dump_text(GAME, 1, DumpStyle(clock_share=0, eval_share=0)).decode()
    assert bare.endswith("\n\n1. e4 e5 2. Nf3 Nc6 1-0\n\n")
    clocks = [dump_text(GAME, index, DumpStyle(eval_share=0)).decode() for index in range(20)]
    shape = r"1\. e4 { \[%clk \d:\d\d:\d\d\] } 1\.\.\. e5 { \[%clk \d:\d\d:\d\d\] } 2\. Nf3 .* 2\.\.\. Nc6 .* 1-0"
    assert sum(re.search(shape, text) is not None for text in clocks) >= 18
    both = dump_text(GAME, 1, DumpStyle(eval_share=1)).decode()
    assert re.search(r"1\. e4(\?!|\?|\?\?)? { \[%eval -?\d+\.\d\d\] \[%clk", both)
    texts = [dump_text(GAME, index, DumpStyle()).decode() for index in range(400)]
    assert 8 <= sum("%eval" in text for text in texts) <= 45


def test_correspondence_games_have_no_clocks() -> None:
    texts = [dump_text(GAME, index, DumpStyle(eval_share=0)).decode() for index in range(600)]
    slow = [text for text in texts if '[TimeControl "-"]' in text]
    assert slow
    assert not any("%clk" in text for text in slow)


def test_python_chess_reads_a_made_up_game() -> None:
    game = chess.pgn.read_game(io.StringIO(dump_text(GAME, 3, DumpStyle(eval_share=1)).decode()))
    assert game is not None
    assert not game.errors
    assert [move.uci() for move in game.mainline_moves()] == ["e2e4", "e7e5", "g1f3", "b8c6"]
    assert list(game.headers)[:7] == ["Event", "Site", "Date", "Round", "White", "Black", "Result"]
    first = game.next()
    assert first is not None
    assert first.clock() is not None


def test_the_command_makes_a_file(
    tmp_path: Path, games: list[Game], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_generator, "read_source", lambda path: iter(games))
    main(out=tmp_path / "made.pgn.zst", games=10, source=SAMPLE, seed=3, level=1)
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'made.pgn.zst'}: 10 games, ")
    with pytest.raises(typer.Exit):
        main(out=tmp_path / "made.pgn", games=10, source=SAMPLE, seed=3, level=1)
    assert "must end in .pgn.zst" in capsys.readouterr().err


def test_no_game_or_another_kind_of_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no game"):
        write_dump(tmp_path / "x.pgn.zst", [], 5, DumpStyle())
    with pytest.raises(OutputError, match=r"must end in \.pgn\.zst"):
        write_dump(tmp_path / "x.zst", [GAME], 5, DumpStyle())
    assert list(tmp_path.iterdir()) == []
