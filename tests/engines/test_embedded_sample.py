"""The embedded sample: what its README says of it, its format, and that it holds every kind of move and ending."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import pytest
import zstandard

from data_prep import selfplay

FOLDER = Path(selfplay.__file__).parent / "sample"
SAMPLE = FOLDER / "sample.pgn.zst"


@pytest.fixture(scope="module")
def text() -> str:
    with SAMPLE.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return io.TextIOWrapper(reader, encoding="ascii").read()


def test_the_readme_has_the_digest_and_says_who_made_the_games() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() in readme
    assert "made by an engine" in readme
    assert re.search(r"chesslm data selfplay --out \S+ --games 12000 --seed 1", readme)


def test_it_is_small_has_many_games_and_several_frames(text: str) -> None:
    content = SAMPLE.read_bytes()
    assert len(content) < 3_000_000
    assert content.count(b"\x50\x2a\x4d\x18\x04\x00\x00\x00") >= 3  # a skippable frame's magic number and length
    assert text.count("[Event ") == 12_000
    assert "lichess" not in text


def test_every_kind_of_move_and_ending_is_well_represented(text: str) -> None:
    movetexts = [part for part in text.split("\n\n") if part.startswith("1. ")]
    assert len(movetexts) == 12_000
    patterns = {r"#": 5_000, r" O-O[ +#]": 5_000, r" O-O-O": 1_000, r"=Q": 2_000, r"=R": 500, r"=B": 100, r"=N": 100}
    for pattern, least in patterns.items():
        assert sum(re.search(pattern, movetext) is not None for movetext in movetexts) >= least, pattern
    ends = [movetext.rsplit(" ", 1)[1] for movetext in movetexts]
    assert all(ends.count(result) >= least for result, least in {"1-0": 4_000, "0-1": 4_000, "1/2-1/2": 500}.items())
    assert len(set(movetexts)) > 0.99 * len(movetexts)
