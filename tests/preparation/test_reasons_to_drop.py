from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from chesslm.config import load_config
from chesslm.errors import ConfigError
from data_prep.blocks import GameBlock
from data_prep.config import FiltersSection, PrepareConfig
from data_prep.filters import REASONS, elo_of, header_reasons, move_reasons, settle_result, time_class
from data_prep.games import MAX_GAME_LEN
from data_prep.headers import read_block
from data_prep.rows import BlockRows, SourceBlock, make_rows

LICHESS = {"Event": "Rated Blitz game", "WhiteElo": "1500", "BlackElo": "1700", "TimeControl": "180+2"}


def rows_of(text: bytes, config: PrepareConfig) -> BlockRows:
    return make_rows(SourceBlock(GameBlock(text, 0, len(text)), "x.pgn"), config)


def reason(headers: dict[str, str], movetext: bytes = b"1. e4 e5 1-0", **filters: Any) -> str | None:
    """What `make_rows` says of one game, None if it is kept."""
    tags = "".join(f'[{name} "{value}"]\n' for name, value in headers.items()).encode()
    config = PrepareConfig(filters=FiltersSection(**filters))
    done = rows_of(tags + b"\n" + movetext, config)
    assert done.num_read == 1 == len(done.rows) + done.dropped.total()
    return next(iter(done.dropped), None)


@pytest.mark.parametrize(
    ("headers", "movetext", "filters", "expected"),
    [
        ({}, b"1. e4 e5 1-0", {}, None),
        ({"Variant": "Crazyhouse"}, b"1. e4 e5 1-0", {}, "variant or set-up position"),
        ({"Variant": "From Position"}, b"1. e4 e5 1-0", {}, "variant or set-up position"),
        ({"Variant": "standard"}, b"1. e4 e5 1-0", {}, None),
        ({"FEN": "8/8/8/4k3/8/4K3/8/8 w - - 0 1"}, b"1. Kd3 Kd5 1-0", {}, "variant or set-up position"),
        ({"SetUp": "1"}, b"1. e4 e5 1-0", {}, "variant or set-up position"),
        ({"SetUp": "0", "FEN": ""}, b"1. e4 e5 1-0", {}, None),
        ({"WhiteTitle": "BOT"}, b"1. e4 e5 1-0", {}, "bot player"),
        ({"BlackTitle": "BOT"}, b"1. e4 e5 1-0", {}, "bot player"),
        ({"BlackTitle": "BOT"}, b"1. e4 e5 1-0", {"keep_bots": True}, None),
        ({"BlackTitle": "GM"}, b"1. e4 e5 1-0", {}, None),
        (LICHESS, b"1. e4 e5 1-0", {"min_rating": 1500, "max_rating": 1700}, None),
        (LICHESS, b"1. e4 e5 1-0", {"min_rating": 1501}, "rating out of range"),
        (LICHESS, b"1. e4 e5 1-0", {"max_rating": 1699}, "rating out of range"),
        ({"WhiteElo": "1500", "BlackElo": "?"}, b"1. e4 e5 1-0", {"min_rating": 0}, "rating out of range"),
        ({"WhiteElo": "1500", "BlackElo": "?"}, b"1. e4 e5 1-0", {}, None),
        (LICHESS, b"1. e4 e5 1-0", {"time_classes": ("blitz", "rapid")}, None),
        (LICHESS, b"1. e4 e5 1-0", {"time_classes": ("bullet",)}, "time control class"),
        ({}, b"1. e4 e5 1-0", {"time_classes": ("bullet",)}, "time control class"),
        (LICHESS, b"1. e4 e5 1-0", {"rated": "rated"}, None),
        (LICHESS, b"1. e4 e5 1-0", {"rated": "casual"}, "rated or casual"),
        ({"Event": "casual bullet game"}, b"1. e4 e5 1-0", {"rated": "casual"}, None),
        ({"Event": "Titled Arena"}, b"1. e4 e5 1-0", {"rated": "rated"}, "rated or casual"),
        ({}, b"1. e4 e5 (", {}, "unreadable movetext"),
        ({}, b"1. e4 e4 1-0", {}, "illegal move"),
        ({}, b"1. e4 1-0", {}, "too few plies"),
        ({}, b"1. e4 1-0", {"min_plies": 1}, None),
        ({}, b"1-0", {"min_plies": 1}, "too few plies"),
        ({}, b"1. e4 e5 2. d4 1-0", {"max_plies": 2}, "too many plies"),
        ({"Result": "0-1"}, b"1. e4 e5 1-0", {}, "contradictory results"),
        ({"Result": "*"}, b"1. e4 e5 *", {}, "no result"),
        ({"Result": "*"}, b"1. e4 e5 *", {"keep_unfinished": True}, None),
        ({"Result": "*"}, b"1. e4 e5 1-0", {}, None),
        ({}, b"1. e4 {" + b"x" * MAX_GAME_LEN + b"} e5 1-0", {}, "game text too long"),
    ],
)
def test_each_filter_says_why(
    headers: dict[str, str], movetext: bytes, filters: dict[str, Any], expected: str | None
) -> None:
    assert reason(headers, movetext, **filters) == expected
    assert expected is None or expected in REASONS


def test_headers_are_judged_before_any_move_is_read() -> None:
    assert reason({"WhiteTitle": "BOT"}, b"this is no movetext )") == "bot player"


def test_a_filter_gives_zero_to_keep() -> None:
    games = read_block(GameBlock(b"1. e4 e5 1-0", 0, 12))
    assert header_reasons(games, FiltersSection()).tolist() == [0]
    assert move_reasons(np.array([2]), np.array(["1-0"], dtype=object), FiltersSection()).tolist() == [0]


@pytest.mark.parametrize(
    ("in_headers", "in_movetext", "settled"),
    [
        ("1-0", "1-0", "1-0"),
        ("1-0", None, "1-0"),
        (None, "0-1", "0-1"),
        ("*", "0-1", "0-1"),
        ("1/2-1/2", "*", "1/2-1/2"),
        ("?", "1-0", "1-0"),
        ("1-0", "0-1", None),
        ("1-0", "1/2-1/2", None),
        ("*", "*", "*"),
        (None, None, "*"),
    ],
)
def test_a_result_written_twice_is_settled(
    in_headers: str | None, in_movetext: str | None, settled: str | None
) -> None:
    assert settle_result(in_headers, in_movetext) == settled


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("15+0", "ultrabullet"),
        ("29+0", "ultrabullet"),
        ("30+0", "bullet"),
        ("0+1", "bullet"),
        ("60+0", "bullet"),
        ("120+1", "bullet"),
        ("180+0", "blitz"),
        ("300+3", "blitz"),
        ("479+0", "blitz"),
        ("480+0", "rapid"),
        ("600", "rapid"),
        ("900+10", "rapid"),
        ("900+15", "classical"),
        ("1500+0", "classical"),
        ("-", "correspondence"),
        ("1/259200", "correspondence"),
        ("40/7200:3600", "classical"),
        ("", None),
        ("?", None),
        ("forever", None),
    ],
)
def test_the_speed_is_what_lichess_estimates(control: str, expected: str | None) -> None:
    assert time_class(control) == expected


@pytest.mark.parametrize(
    ("text", "elo"),
    [
        ("1500", 1500),
        (" 1500 ", 1500),
        ("?", None),
        ("", None),
        ("0", None),
        ("9999", None),
        ("-5", None),
        ("١٥٠٠", None),
    ],
)
def test_only_a_number_of_rating_points_is_a_rating(text: str, elo: int | None) -> None:
    assert elo_of(text) == elo


def test_every_filter_is_a_described_field_that_decides_something() -> None:
    for name, field in FiltersSection.model_fields.items():
        assert field.description, name
        assert name in PrepareConfig().deciding_values()["filters"]
    assert "data" not in PrepareConfig().deciding_values()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("filters.min_plys=3", "filters.min_plys: unknown key"),
        ("filter.min_plies=3", "filter: unknown key"),
        ("filters.min_plies=many", "filters.min_plies: .*integer.*'many'"),
        ("filters.max_plies=1", "min_plies 2 is more than max_plies 1"),
        ("filters.max_plies=401", "filters.max_plies"),
        ('filters.time_classes=["slow"]', "filters.time_classes.0"),
        ("split.test_per_10000=9900", "more than 10,000"),
        ("data.workers=0", "data.workers"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_key(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(PrepareConfig, None, [setting])


def test_a_low_and_a_high_rating_must_fit_each_other() -> None:
    with pytest.raises(ConfigError, match="min_rating 2000 is more than max_rating 1000"):
        load_config(PrepareConfig, None, ["filters.min_rating=2000", "filters.max_rating=1000"])


def test_reasons_are_counted_over_a_batch() -> None:
    text = b'[White "a"]\n\n1. e4 e5 1-0\n\n[White "b"]\n\n1. e4 e4 1-0\n\n[WhiteTitle "BOT"]\n\n1. e4 1-0\n\n' * 3
    done = rows_of(text, PrepareConfig())
    assert done.dropped == Counter({"illegal move": 3, "bot player": 3})
    assert len(done.rows) == 3
    assert done.num_read == 9
