"""What a dump should be by the files beside it, the stretches known to be bad, and games that came before."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep import known_bad
from data_prep.blocks import GameBlock
from data_prep.config import ColumnsSection, FiltersSection, PrepareConfig
from data_prep.rows import SourceBlock, make_rows
from data_prep.seen import SeenGames
from data_prep.sidecars import expected_games, expected_sha256

Run = Callable[..., Any]
ONE = ("--notation", "pgn", "--set", "data.workers=1")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=80), max_size=12))
def test_a_game_is_new_once(blocks: list[list[int]]) -> None:
    seen, known = SeenGames(), set[int]()
    for block in blocks:
        expected = []
        for value in block:
            expected.append((value or 1) not in known)  # zero and one are the same fingerprint
            known.add(value or 1)
        if {0, 1} <= set(block):
            return
        assert seen.add(np.array(block, np.uint64)).tolist() == expected
        assert len(seen) == len(known)


def test_many_games_take_few_bytes() -> None:
    seen = SeenGames()
    hashes = np.random.default_rng(3).integers(0, 2**64, 300_000, np.uint64)
    for start in range(0, len(hashes), 7_000):
        assert seen.add(hashes[start : start + 7_000]).all()
        assert 10 < seen.num_bytes / len(seen) < (24 if start < 70_000 else 16.5)
    assert not seen.add(hashes).any()
    assert len(seen) == len(hashes)


def test_sidecars_are_read_as_the_official_site_writes_them(tmp_path: Path) -> None:
    dump = str(tmp_path / "a.pgn.zst")
    assert (expected_games(dump), expected_sha256(dump)) == (None, None)
    (tmp_path / "counts.txt").write_text("b.pgn.zst 7\na.pgn.zst 121332\nrubbish\n")
    (tmp_path / "sha256sums.txt").write_text(f"{'B' * 64}  b.pgn.zst\n{'A' * 64}  a.pgn.zst\n")
    assert (expected_games(dump), expected_sha256(dump)) == (121_332, "a" * 64)
    (tmp_path / "a.pgn.zst.count").write_text("12\n")
    assert expected_games(dump) == 12
    (tmp_path / "a.pgn.zst.count").write_bytes(b"\xff x")
    assert expected_games(dump) == 121_332
    (tmp_path / "counts.txt").unlink()
    (tmp_path / "counts.txt").mkdir()
    assert expected_games(dump) is None
    assert expected_games("-") is None


def test_a_wrong_number_of_games_is_a_warning_that_stays(
    run: Run, tmp_path: Path, pgn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "counts.txt").write_text(f"{pgn.name} 60\n")
    assert run("prepare", pgn, "--out", tmp_path / "right", *ONE).code == 0
    manifest = json.loads((tmp_path / "right/games/manifest.json").read_bytes())
    assert manifest["warnings"] == []
    assert manifest["inputs"][0]["games"] == manifest["inputs"][0]["expected_games"] == 60
    assert "warning" not in run("verify", tmp_path / "right", "--workers", 1).out
    (tmp_path / "counts.txt").write_text(f"{pgn.name} 1061\n")
    with caplog.at_level(logging.WARNING):
        assert run("prepare", pgn, "--out", tmp_path / "wrong", *ONE).code == 0
    expected = "games.pgn: 60 games were read, but there should be 1,061"
    assert expected in caplog.text
    manifest = json.loads((tmp_path / "wrong/games/manifest.json").read_bytes())
    assert manifest["warnings"] == [expected]
    assert f"warning: {expected}" in run("verify", tmp_path / "wrong", "--workers", 1).out


def test_a_dump_cut_between_two_frames_is_told_by_its_checksum(run: Run, tmp_path: Path, games_text: bytes) -> None:
    middle = games_text.index(b"[Event", len(games_text) // 2)
    frames = [zstandard.compress(games_text[:middle]), zstandard.compress(games_text[middle:])]
    path = tmp_path / "dump.pgn.zst"
    path.write_bytes(frames[0])
    whole = hashlib.sha256(b"".join(frames)).hexdigest()
    (tmp_path / "sha256sums.txt").write_text(f"{whole}  dump.pgn.zst\n")
    done = run("prepare", path, "--out", tmp_path / "out", *ONE)
    assert done.code == 2
    assert f"{path}: its sha256 is" in done.err
    assert "cut short" in done.err
    assert done.err.count("\n") == 1
    assert {entry.name for entry in tmp_path.iterdir()} == {"dump.pgn.zst", "sha256sums.txt"}
    path.write_bytes(b"".join(frames))
    assert run("prepare", path, "--out", tmp_path / "out", *ONE).code == 0


def reasons(headers: dict[str, str], *, evals: bool = False, **filters: bool) -> list[str]:
    tags = "".join(f'[{name} "{value}"]\n' for name, value in headers.items())
    text = f"{tags}\n1. e4 e5 1-0\n".encode()
    config = PrepareConfig(filters=FiltersSection(**filters), columns=ColumnsSection(evals=evals))
    return list(make_rows(SourceBlock(GameBlock(text, 0, len(text)), "x"), config).dropped)


@pytest.mark.parametrize(
    ("date", "reason"),
    [
        ("2023.11.30", "known bad: Chess960 mixed in"),
        ("2023.12.01", None),
        ("2021.03.12", "known bad: wrong results"),
        ("2021.03.13", None),
        ("2021.02.09", "known bad: moves after the end"),
        ("2021.02.10", None),
        ("2016.12.09", "known bad: wrong evaluations"),
        ("2020.07.31", "known bad: wrong evaluations"),
        ("2020.08.16", "known bad: wrong evaluations"),
        ("2020.09.01", None),
    ],
)
def test_stretches_known_to_be_bad_are_dropped_unless_a_switch_keeps_them(date: str, reason: str | None) -> None:
    expected = [] if reason is None else [reason]
    assert reasons({"UTCDate": date}, evals=True) == expected
    assert reasons({"Date": date, "Site": "https://lichess.org/abcdEFGH"}, evals=True) == expected
    assert reasons({"Date": date, "Event": "Lichess Titled Arena"}, evals=True) == expected
    assert reasons({"Date": date, "Site": "London"}, evals=True) == []
    assert reasons({"UTCDate": date}) == (expected if reason != "known bad: wrong evaluations" else [])
    for stretch in known_bad.STRETCHES:
        kept = reasons({"UTCDate": date}, evals=True, **{stretch.switch: True})
        assert kept == ([] if stretch.reason == reason else expected)


def test_a_folder_made_before_a_setting_came_up_is_still_the_same(run: Run, pgn: Path, tmp_path: Path) -> None:
    assert run("prepare", pgn, "--out", tmp_path / "out", *ONE).code == 0
    path = tmp_path / "out/games/manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["config"]["columns"], manifest["config"]["filters"]["keep_wrong_evals"]
    path.write_text(json.dumps(manifest))
    assert "already done" in run("prepare", pgn, "--out", tmp_path / "out", *ONE).out
    manifest["config"]["filters"]["unheard_of"] = 1
    path.write_text(json.dumps(manifest))
    assert "was made with other settings" in run("prepare", pgn, "--out", tmp_path / "out", *ONE).err


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_one_two_or_eight_processes_give_the_same_bytes(
    run: Run, tmp_path: Path, prepared: Path, games_text: bytes, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_prep.blocks.BLOCK_LEN", 2_000)
    (tmp_path / "games.pgn").write_bytes(games_text)
    shares = ("split.test_per_10000=2000", "split.val_per_10000=2000", f"data.workers={workers}")
    arguments = [argument for setting in shares for argument in ("--set", setting)]
    notations = ("--notation", "pgn", "--notation", "english")
    assert run("prepare", tmp_path / "games.pgn", "--out", tmp_path / "out", *notations, *arguments).code == 0
    for path in sorted(prepared.rglob("*")):
        twin = tmp_path / "out" / path.relative_to(prepared)
        if path.is_file() and path.name != "manifest.json":  # which has the commit
            assert twin.read_bytes() == path.read_bytes(), path
    shutil.rmtree(tmp_path / "out")
