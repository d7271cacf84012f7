"""The fuzz targets: a short run of each, and proof that they would notice."""

from __future__ import annotations

import random
from itertools import islice
from types import ModuleType

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.blocks import cut_blocks
from data_prep.config import PrepareConfig
from data_prep.replay_outcome import Replayed
from data_prep.replay_reference import replay_reference
from fuzz import dumps, movetext
from fuzz.damage import PIECES, damaged
from fuzz.games import random_game, random_movetext
from fuzz.oracle import Finding, check_kept

CASTLING = b"1. e4 e5 2. Nf3 Nc6 3. Bc4 Bc5 4. O-O {castles} 1-0"


def replayed(movetext: bytes) -> Replayed:
    outcome = replay_reference(movetext)
    assert isinstance(outcome, Replayed)
    return outcome


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12), st.integers(0, 1 << 32))
def test_any_bytes_behind_any_game_keep_every_promise(pieces: list[bytes], seed: int) -> None:
    generator = random.Random(seed)
    whole = random_movetext(generator)
    tail = b" ".join(pieces)
    movetext.check([tail, whole, whole[: generator.randrange(len(whole) + 1)] + tail])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 32))
def test_damaged_games_keep_every_promise(seed: int) -> None:
    generator = random.Random(seed)
    pool = [random_movetext(generator) for _ in range(2)]
    movetext.check([damaged(generator, pool[0], pool) for _ in range(10)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32))
def test_damaged_files_keep_every_promise(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    generator = random.Random(seed)
    hostile = dumps.hostile_file(generator, [random_movetext(generator) for _ in range(3)])
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / f"hostile{hostile.suffix}"
    file.write_bytes(hostile.content)
    dumps.check(file, folder / "out", PrepareConfig.model_validate({"data": {"workers": 1}}), hostile.text)
    dumps.check_borders(hostile.text or b"", generator.randrange(40, 2_000))


def test_undamaged_games_are_kept_whatever_their_spelling() -> None:
    generator = random.Random(5)
    assert movetext.check([random_movetext(generator) for _ in range(20)]) == {movetext.KEPT: 20}


def test_a_run_has_games_that_are_kept_and_games_that_are_not() -> None:
    counts = movetext.check(list(islice(movetext.movetexts(3), 150)))
    assert counts[movetext.KEPT] > 15
    assert len(counts) == 3


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert list(islice(movetext.movetexts(3), 30)) == list(islice(movetext.movetexts(3), 30))
    generators = [random.Random(4), random.Random(4)]
    assert len({random_game(generator, random_movetext(generator)) for generator in generators}) == 1


@pytest.mark.parametrize(
    ("movetext_", "kept"),
    [
        (CASTLING, Replayed(("e2e4", "e7e6"), ("e4", "e6"), "1-0")),  # another move
        (CASTLING, Replayed(("e2e4", "e4e5"), ("e4", "e5"), "1-0")),  # an illegal one
        (b"1. e4 e5", Replayed(("e2e4", "e7e5"), ("e4", "e5+"), None)),  # SAN that isn't canonical
        (b"1. e4 e5 2. d4", Replayed(("e2e4", "e7e5"), ("e4", "e5"), None)),  # cut short
        (b"1. e4 e5 1-0", Replayed(("e2e4", "e7e5"), ("e4", "e5"), None)),  # the result lost
        (b"1. e4 e5", Replayed(("e2e4", "e7e5"), ("e4", "e5"), "1-0")),  # a result made up
        (b"1. e4", Replayed(("e2e4", "e7e5"), ("e4", "e5"), None)),  # a move made up
        (b"1. e4 { e5", Replayed(("e2e4",), ("e4",), None)),
        (b"1. e4 ) e5", Replayed(("e2e4", "e7e5"), ("e4", "e5"), None)),
        (b"1. e4 ( e5", Replayed(("e2e4",), ("e4",), None)),
        (b"1. e4 -- 2. d4", Replayed(("e2e4",), ("e4",), None)),
    ],
)
def test_the_second_opinion_notices_what_was_kept_wrongly(movetext_: bytes, kept: Replayed) -> None:
    with pytest.raises(Finding):
        check_kept(movetext_, kept)


@pytest.mark.parametrize(
    "text",
    [
        CASTLING,
        b"1.e4(1. d4 {x)} (x))e5 2.Nf3!?$14 Nc6;Nf6\r% d5 d5\n3... *",
        b"1. e4 a6 2. e5 d5 3. exd6e.p. h6 4. dxc7 e.p.",
        b"1. e4 d5 2. e5 f5 3. exf6 e.p. h6 4. 0.1",
    ],
)
def test_the_second_opinion_agrees_with_the_reference(text: bytes) -> None:
    outcome = replay_reference(text)
    if isinstance(outcome, Replayed):
        check_kept(text, outcome)


def test_a_fast_path_that_disagrees_or_crashes_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Finding, match="the reference says"):
        movetext.check_one(CASTLING, replayed(b"1. e4 e5"))

    def crash(movetexts: object) -> None:
        raise IndexError("out of bounds")

    monkeypatch.setattr(movetext, "replay_block", crash)
    with pytest.raises(Finding, match="out of bounds"):
        movetext.check([CASTLING])


def test_the_commands_say_what_they_ran(capsys: pytest.CaptureFixture[str]) -> None:
    movetext.main(runs=60, seed=7)
    assert capsys.readouterr().out.startswith("60 movetexts, seed 7, no finding: ")
    dumps.main(runs=8, seed=7)
    assert capsys.readouterr().out.startswith("8 files, ")


def test_a_game_that_a_block_loses_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(random_game(random.Random(number), b"1. e4 *") for number in range(9))
    dumps.check_borders(text, 300)
    monkeypatch.setattr(dumps, "cut_blocks", lambda pieces, block_len: list(cut_blocks(pieces, block_len=300))[:-1])
    with pytest.raises(Finding, match="in blocks of 300 bytes a game is None"):
        dumps.check_borders(text, 300)


@pytest.mark.parametrize("target", [movetext, dumps], ids=["movetext", "dumps"])
def test_a_finding_ends_the_run(
    target: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(*arguments: object) -> None:
        raise Finding("a broken promise")

    monkeypatch.setattr(target, "check", find)
    with pytest.raises(typer.Exit) as ended:
        target.main(runs=1, seed=7)
    assert ended.value.exit_code == 1
    assert "a broken promise" in capsys.readouterr().err
