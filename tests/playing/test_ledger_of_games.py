"""The ledger: whole lines, torn lines, other files, and what counts in a tally."""

from __future__ import annotations

import json
import logging
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from chesslm.errors import FormatError, InputError, OutputError
from play.ledger import LedgerEntry, append_entry, default_ledger, read_entries, tallies
from play.opponent import Policy
from play.record_text import tally_lines


def entry(**changes: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "date": "2026-01-02T03:04:05Z",
        "version": "0.1.0",
        "model": "tiny",
        "digest": "ab" * 32,
        "notation": "pgn",
        "policy": Policy(),
        "person": "white",
        "typed": True,
        "moves": ("f2f3", "e7e5", "g2g4", "d8h4"),
        "given_plies": 0,
        "result": "0-1",
        "termination": "checkmate",
        "hints": 0,
        "undos": 0,
    }
    return LedgerEntry(**{**fields, **changes})


def test_what_is_appended_is_read_again_one_line_a_game(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "games.jsonl"
    games = [entry(), entry(model="naïve \x1b[31m", digest=None, notation=None, policy=None, result="*")]
    for game in games:
        append_entry(path, game)
    assert read_entries(path) == games
    lines = path.read_text().splitlines()
    assert [json.loads(line)["format"] for line in lines] == ["chesslm-people/1"] * 2


def test_a_torn_last_line_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "games.jsonl"
    append_entry(path, entry())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        assert read_entries(path) == [entry()]
        append_entry(path, entry(hints=1))
    assert [record.getMessage() for record in caplog.records] == [f"{path}: dropped a torn last line"] * 2
    assert read_entries(path) == [entry(), entry(hints=1)]


def test_a_whole_last_line_without_an_end_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "games.jsonl"
    append_entry(path, entry())
    path.write_bytes(path.read_bytes().rstrip())
    append_entry(path, entry(undos=1))
    assert read_entries(path) == [entry(), entry(undos=1)]
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (b"noise\n\xff\xfe\n", InputError, "line 1: not JSON"),
        (b'{"format": "chesslm-people/2"}\n', FormatError, "game 1: not a line of a chesslm-people/1 ledger: format"),
        (b"[1]\n", FormatError, "game 1: not a line"),
        (b'{"kind": "train", "step": 1}\n', FormatError, "game 1: not a line"),
    ],
)
def test_another_file_is_no_ledger(content: bytes, error: type[Exception], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(error, match=reason):
        read_entries(path)


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"can't write .*games\.jsonl"):
        append_entry(tmp_path / "file" / "games.jsonl", entry())
    with pytest.raises(OutputError, match="Is a directory"):
        append_entry(tmp_path, entry())


def test_processes_that_append_at_once_tear_nothing(tmp_path: Path) -> None:
    path = tmp_path / "games.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(game.hints for game in read_entries(path)) == sorted(list(range(3)) * 20)


def _append_many(path: Path, number: int) -> None:
    for _ in range(20):
        append_entry(path, entry(hints=number, moves=("e2e4",) * 500))


def test_only_clean_games_count() -> None:
    games = [
        entry(),
        entry(result="1-0"),
        entry(result="1/2-1/2"),
        entry(person="black", result="1-0"),
        entry(person="black", result="0-1"),
        entry(hints=1),
        entry(undos=1),
        entry(given_plies=2),
        entry(typed=False),
        entry(result="*"),
        entry(policy=Policy(temperature=1.0, top_k=3, seed=7)),
        entry(digest="cd" * 32, model="\x1b[31mtiny"),
    ]
    first, warm, other = tallies(games)
    assert (first.won, first.drawn, first.lost, first.others) == (2, 1, 2, 5)
    assert (warm.won, other.won) == (1, 1)
    lines = tally_lines([first, warm, other])
    assert lines[:4] == [
        "model      weights   policy                          won  drawn  lost  others",
        "tiny       abababab  best legal move                   2      1     2       5",
        "tiny       abababab  temperature 1, top-k 3, seed 7    1      0     0       0",
        "?[31mtiny  cdcdcdcd  best legal move                   1      0     0       0",
    ]
    assert max(len(line) for line in tally_lines([first, warm, other])) <= 92


def test_the_default_ledger_is_in_the_home_folder() -> None:
    assert default_ledger() == Path.home() / ".local/share/chesslm/games.jsonl"
