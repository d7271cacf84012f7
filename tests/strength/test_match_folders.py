"""The folder of a match: games that survive, and folders that belong to somebody else."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from chesslm.errors import FormatError, InputError, OutputError
from eval.match_game import Fixture
from eval.match_log import CONFIG_FILE, GAMES_FILE, in_memory, match_folder, read_pgn_records
from eval.match_schedule import Pairing, schedule
from eval.match_seats import Contestant

CONFIG: dict[str, Any] = {"kind": "test", "seed": 1, "players": {"legal": "1", "other": "2"}}
FIXTURES: dict[int, Fixture] = {f.number: f for f in schedule([Pairing("legal", "other", 3)], seed=0)}


@pytest.fixture
def folder(tmp_path: Path, match: Any) -> Path:
    """Six games that were played and kept."""
    match.add(Contestant("other", "other", match.contestants["legal"].seat))
    match.max_plies = 16
    folder = tmp_path / "match"
    with match_folder(folder, CONFIG, FIXTURES) as log:
        for game in match.play(list(FIXTURES.values())):
            log.append(game, match.pgns[game.fixture.number])
    return folder


def test_games_come_back_as_they_were(folder: Path, match: Any) -> None:
    with match_folder(folder, CONFIG, FIXTURES) as log:
        assert log.num_found == 6
        assert [log.played[number] for number in range(6)] == match.play(list(FIXTURES.values()))


@pytest.mark.parametrize("cut", [1, 2, 3, 60, 150, 300])
def test_a_torn_last_game_is_dropped_and_the_others_stay(
    cut: int, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / GAMES_FILE
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    with caplog.at_level(logging.WARNING), match_folder(folder, CONFIG, FIXTURES) as log:
        assert log.num_found == 5
    assert "dropped a torn last game" in caplog.text
    records, length = read_pgn_records(content)
    assert path.read_bytes() == content[: length - len(records[-1]) - 2]


def test_every_cut_of_the_file_leaves_whole_games(folder: Path) -> None:
    content = (folder / GAMES_FILE).read_bytes()
    whole, length = read_pgn_records(content)
    assert (len(whole), length) == (6, len(content))
    for end in range(0, len(content), 7):
        records, length = read_pgn_records(content[:end])
        assert records == whole[: len(records)]
        assert content[:length] == "".join(record + "\n\n" for record in records).encode()


def test_another_match_in_the_same_folder_is_refused_and_the_difference_named(folder: Path) -> None:
    with (
        pytest.raises(OutputError, match="seed is 1 there, 2 here"),
        match_folder(folder, CONFIG | {"seed": 2}, FIXTURES),
    ):
        pass
    with (
        pytest.raises(OutputError, match=r"players is .*; choose another --out"),
        match_folder(folder, CONFIG | {"players": {"a" * 100: "b"}}, FIXTURES),
    ):
        pass


def test_folders_of_other_things_are_refused(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary", encoding="utf-8")
    with (
        pytest.raises(OutputError, match=r"is no match \(it holds diary.txt\)"),
        match_folder(tmp_path, CONFIG, FIXTURES),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.txt"]
    (tmp_path / CONFIG_FILE).write_text('{"format": "chesslm-run-config/1"}', encoding="utf-8")
    with pytest.raises(FormatError, match="expected chesslm-match/1"), match_folder(tmp_path, CONFIG, FIXTURES):
        pass
    with pytest.raises(OutputError, match="can't use"), match_folder(tmp_path / "diary.txt", CONFIG, FIXTURES):
        pass


def test_a_folder_has_one_writer(folder: Path) -> None:
    with (
        match_folder(folder, CONFIG, FIXTURES),
        pytest.raises(OutputError, match="being written by another process"),
        match_folder(folder, CONFIG, FIXTURES),
    ):
        pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('[White "legal"]', '[White "stranger"]'),
        ('[Round "1"]', '[Round "99"]'),
        ('[Round "1"]', '[Round "one"]'),
        ('[Reason "ply limit"]', '[Reason "boredom"]'),
        ("[PlyCount", "[Plies"),
    ],
)
def test_a_game_of_another_match_is_an_error(old: str, new: str, folder: Path) -> None:
    path = folder / GAMES_FILE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with (
        pytest.raises(FormatError, match=r"games.pgn, game \d: not a game of this match"),
        match_folder(folder, CONFIG, FIXTURES),
    ):
        pass


def test_a_games_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / GAMES_FILE).unlink()
    (folder / GAMES_FILE).symlink_to(folder)
    with pytest.raises((InputError, OutputError), match=r"games\.pgn"), match_folder(folder, CONFIG, FIXTURES):
        pass


def test_the_configuration_says_what_is_played(folder: Path) -> None:
    assert json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")) == {"format": "chesslm-match/1", **CONFIG}


def test_without_a_folder_games_stay_in_memory(match: Any) -> None:
    log = in_memory()
    match.add(Contestant("other", "other", match.contestants["legal"].seat))
    for game in match.play(list(FIXTURES.values())[:2]):
        log.append(game, match.pgns[game.fixture.number])
    assert sorted(log.played) == [0, 1]
