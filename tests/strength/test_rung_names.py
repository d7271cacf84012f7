"""What rungs are called, what they need, and what is left where Stockfish is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import pytest

from chesslm.errors import ConfigError, MissingToolError, PlayerError
from chesslm.player import choose
from eval.ladder_table import ANCHOR, DEFAULT_RUNGS, LADDER
from eval.rungs import Rung, parse_rung, parse_rungs, rungs_at_hand, stockfish_version


@pytest.mark.parametrize(
    ("name", "rung"),
    [
        ("random", Rung("random", "random")),
        ("material-2/random=0.25", Rung("material-2/random=0.25", "material-2", None, "random", 0.25)),
        ("stockfish@200", Rung("stockfish@200", "stockfish", 200)),
        ("stockfish@50/random=0.5", Rung("stockfish@50/random=0.5", "stockfish", 50, "random", 0.5)),
        ("stockfish@400/skill=3", Rung("stockfish@400/skill=3", "stockfish", 400, "skill", 3)),
        ("stockfish@5000/elo=1350", Rung("stockfish@5000/elo=1350", "stockfish", 5000, "elo", 1350)),
    ],
)
def test_a_name_says_everything(name: str, rung: Rung) -> None:
    assert parse_rung(name) == rung
    assert rung.needs_stockfish == name.startswith("stockfish")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("rybka", "no rung is called rybka"),
        ("", "no rung is called"),
        ("random@5", "no rung is called random@5"),
        ("stockfish", "no rung is called stockfish"),
        ("stockfish@0", "no rung is called stockfish@0"),
        ("material-2/skill=3", "only Stockfish has skill"),
        ("stockfish@5/random=1.5", r"random must be in \[0, 1\]"),
        ("stockfish@5/skill=21", r"skill must be in \[0, 20\]"),
        ("stockfish@5/elo=1200", r"elo must be in \[1350, 2850\]"),
        ("stockfish@5/skill=2.5", "skill must be a whole number"),
    ],
)
def test_other_names_are_refused(name: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_rung(name)


def test_a_list_of_rungs_has_each_once() -> None:
    assert [rung.name for rung in parse_rungs(["random", "material-1"])] == ["random", "material-1"]
    with pytest.raises(ConfigError, match="material-1 is named twice"):
        parse_rungs(["material-1", "random", "material-1"])
    with pytest.raises(ConfigError, match="at least one"):
        parse_rungs([])


def test_the_ladder_has_every_kind_of_rung_and_an_anchor() -> None:
    rungs = parse_rungs(LADDER)
    assert len(rungs) >= 10
    assert ANCHOR in LADDER
    assert {rung.weakness for rung in rungs} == {None, "random", "skill", "elo"}
    assert set(DEFAULT_RUNGS) <= set(LADDER)
    assert all(parse_rung(name).is_repeatable for name in DEFAULT_RUNGS)
    assert sum(rung.weakness == "random" and rung.needs_stockfish for rung in rungs) >= 3


def test_only_full_strength_is_deterministic_and_only_elo_cannot_be_repeated() -> None:
    rungs = parse_rungs(LADDER)
    assert {rung.name for rung in rungs if rung.is_deterministic} == {"stockfish@50", "stockfish@400", "stockfish@1000"}
    assert {rung.name for rung in rungs if not rung.is_repeatable} == {ANCHOR}
    assert parse_rung("stockfish@9/random=0").is_deterministic


@pytest.mark.usefixtures("no_stockfish")
def test_without_stockfish_the_embedded_rungs_stay_and_one_line_says_so() -> None:
    at_hand = rungs_at_hand(parse_rungs(LADDER))
    assert [rung.name for rung in at_hand.rungs] == [name for name in LADDER if not name.startswith("stockfish")]
    assert at_hand.stockfish is None
    assert at_hand.why is not None
    assert "12 of 19 rungs are left out" in at_hand.why
    assert "\n" not in at_hand.why
    assert all(name.startswith("stockfish") for name in at_hand.left_out)


def test_a_rung_of_stockfish_without_stockfish_cannot_be_seated() -> None:
    with pytest.raises(MissingToolError, match="stockfish@50 needs Stockfish"):
        parse_rung("stockfish@50").seat(seed=0, stockfish=None, timeout_s=1)


@pytest.mark.parametrize("name", ["random", "random-capture", "material-1", "material-2", "material-1/random=0.5"])
def test_embedded_rungs_play_by_seed(name: str) -> None:
    def moves(seed: int) -> list[str]:
        board, played = chess.Board(), []
        with parse_rung(name).seat(seed=seed, stockfish=None, timeout_s=1) as player:
            for _ in range(12):
                played.append(choose(player, board).move.uci())
                board.push_uci(played[-1])
        return played

    assert moves(1) == moves(1)
    assert moves(1) != moves(2)


def test_a_program_that_is_no_engine_has_no_version(scripted: Callable[..., Any]) -> None:
    assert stockfish_version(scripted("good", 0).path) == "Scripted 1.0"
    with pytest.raises(PlayerError, match="can't start"):
        stockfish_version(Path("/nowhere/stockfish"))


@pytest.mark.stockfish
@pytest.mark.parametrize("name", ["stockfish@50", "stockfish@50/random=0.05", "stockfish@400/skill=0", ANCHOR])
def test_rungs_of_stockfish_play(name: str) -> None:
    at_hand = rungs_at_hand([parse_rung(name)])
    assert at_hand.why is None
    with at_hand.rungs[0].seat(seed=0, stockfish=at_hand.stockfish, timeout_s=60) as player:
        assert choose(player, chess.Board()).move in chess.Board().legal_moves
