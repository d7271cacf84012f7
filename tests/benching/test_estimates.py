"""Estimates: what is measured, how it is carried over, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chesslm.cli import main
from chesslm.errors import InputError
from data_prep import download_client, estimate
from data_prep.config import PrepareConfig
from data_prep.estimate import Speed, measure_speed
from data_prep.processes import Measured

CONFIG = PrepareConfig()
SPEED = Speed(
    games=1_000,
    packed_bytes=500_000,
    start_s=10.0,
    game_s=0.001,
    peak_bytes=400_000_000,
    games_bytes=100.0,
    token_bytes={"pgn": 300.0, "english": 700.0},
    workers=2,
)


class FakeServer:
    """Stands for `download_client.Server`."""

    counts = "lichess_db_standard_rated_2024-01.pgn.zst 2000000\n"
    size: int | None = 1_500_000_000

    def __init__(self, section: object) -> None:
        pass

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def text(self, url: str) -> str | None:
        name = "lichess_db_standard_rated_2024-01.pgn.zst"
        return {"list.txt": name, "counts.txt": self.counts}.get(url.rsplit("/", 1)[-1])

    def describe(self, url: str) -> Any:
        return download_client.RemoteFile(url, self.size, None, None)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(estimate, "measure_speed", lambda config, notations, scratch: SPEED)
    monkeypatch.setattr(download_client, "Server", FakeServer)


def test_a_run_on_this_machine_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "POOL_GAMES", 60)
    monkeypatch.setattr(estimate, "SHORT_GAMES", 60)
    monkeypatch.setattr(estimate, "TARGET_S", 0.0)
    config = PrepareConfig.model_validate({"data": {"workers": 1}, "filters": {"time_classes": ["blitz", "bullet"]}})
    speed = measure_speed(config, ["pgn"], tmp_path)
    assert speed.games == 120
    assert speed.workers == 1
    assert speed.game_s > 0
    assert speed.start_s >= 0
    assert speed.peak_bytes > 50_000_000
    assert 50 < speed.games_bytes < 5_000
    assert 50 < speed.token_bytes["pgn"] < 5_000


def test_a_run_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "POOL_GAMES", 5)
    monkeypatch.setattr(estimate, "SHORT_GAMES", 5)
    config = PrepareConfig.model_validate({"data": {"workers": 1}, "filters": {"min_rating": 3_999}})
    with pytest.raises(InputError, match=r"the run to measure speed by failed: .*no game was kept") as raised:
        measure_speed(config, ["pgn"], tmp_path)
    assert "\n" not in str(raised.value)


def test_seconds_of_the_start_and_of_a_game_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepared(folder: Path, *, games_in: int, **ignored: object) -> tuple[Measured, Path]:
        (folder / "out" / "games").mkdir(parents=True)
        (folder / "out" / "games" / "manifest.json").write_text('{"kept": 1}')
        file = folder / "made-up.pgn.zst"
        file.write_bytes(bytes(games_in))
        return Measured(2 + games_in / 1_000, 0, 7, 0, "", ""), file

    monkeypatch.setattr(estimate, "_prepared", prepared)
    monkeypatch.setattr(estimate, "read_source", lambda path: iter(()))
    speed = measure_speed(CONFIG, [], tmp_path)
    assert speed.game_s == pytest.approx(1 / 1_000)
    assert speed.start_s == pytest.approx(2)


def test_a_dump_takes_its_share_of_what_was_measured() -> None:
    found = estimate.estimate(SPEED, CONFIG, games=2_000_000, dump_bytes=2_000_000_000)
    assert found.seconds == (2_010.0, 4_010.0)
    assert found.memory_bytes == 400_000_000 + 16 * 2_000_000
    assert found.disk_bytes == 2_000_000_000 + 2_000_000 * 1_100
    keeping = PrepareConfig.model_validate({"filters": {"keep_duplicates": True}})
    assert estimate.estimate(SPEED, keeping, games=2_000_000, dump_bytes=None).memory_bytes == 400_000_000


def test_what_is_not_known_is_as_with_made_up_games() -> None:
    assert estimate.estimate(SPEED, CONFIG, games=2_000, dump_bytes=None).dump_bytes == 1_000_000
    assert estimate.estimate(SPEED, CONFIG, games=None, dump_bytes=1_000_000).games == 2_000
    with pytest.raises(ValueError, match="neither"):
        estimate.estimate(SPEED, CONFIG, games=None, dump_bytes=None)


@pytest.mark.usefixtures("measured")
def test_a_month_is_looked_up_in_the_official_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "estimate", "2024-01"]) == 0
    shown = capsys.readouterr().out
    assert "2,000,000" in shown
    assert "1.50 GB" in shown
    assert "33 min – 50 min" in shown or "34 min – 50 min" in shown
    assert "an estimate, not a promise" in shown
    assert "https://database.lichess.org" in shown
    assert "other work" not in shown


@pytest.mark.usefixtures("measured")
def test_a_busy_machine_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    busy = replace(SPEED, load=3.0)
    monkeypatch.setattr(estimate, "measure_speed", lambda config, notations, scratch: busy)
    assert main(["data", "estimate", "--games", "5"]) == 0
    assert "load average 3.0" in capsys.readouterr().out


@pytest.mark.usefixtures("measured")
def test_games_and_bytes_need_no_network(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_client, "Server", None)
    assert main(["data", "estimate", "--games", "1000", "--bytes", "500000"]) == 0
    assert "11 s" in capsys.readouterr().out
    assert main(["data", "estimate", "--games", "100000000"]) == 0
    assert "27.8 h" in capsys.readouterr().out


@pytest.mark.usefixtures("measured")
def test_a_server_that_says_nothing_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeServer, "counts", "")
    assert main(["data", "estimate", "2024-01"]) == 0
    monkeypatch.setattr(FakeServer, "size", None)
    capsys.readouterr()
    assert main(["data", "estimate", "2024-01"]) == 2
    assert "says neither games nor size of 2024-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either months"),
        (("2024-01", "--games", "5"), "give either months"),
        (("--games", "5", "--notation", "klingon"), "--notation klingon: unknown"),
        (("--games", "5", "--set", "filters.colour=1"), "filters.colour: unknown key"),
    ],
)
def test_a_mistake_is_one_line(arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "estimate", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
