from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.games import (
    MAX_COMMENT_ACROSS_LEN,
    MAX_GAME_LEN,
    MAX_HEADER_VALUE_LEN,
    read_raw_games,
    split_games,
)

GOLDEN = (Path(__file__).parent / "golden.pgn").read_bytes()
PIECES = (
    '[White "a"]',
    '[Result "1-0"]',
    "[Site",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "{",
    "}",
    ";",
    "%",
    "1. e4 e5",
    "1-0",
)
PIECES += ("*", '"', "]", "[%clk 0:01]", "\\", "\ufeff", "\0", "x")


def blocks_of(text: bytes, block_len: int) -> list[bytes]:
    return [text[start : start + block_len] for start in range(0, len(text), block_len)]


def names(text: bytes) -> list[str | None]:
    return [game.headers.get("White") for game in read_raw_games([text])]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: "".join(pieces).encode()), st.integers(1, 50))
def test_every_byte_belongs_to_one_game_however_the_text_comes_in_blocks(text: bytes, block_len: int) -> None:
    games = list(split_games([text] if text else []))
    assert b"".join(game.content for game in games) == text
    assert [game.number for game in games] == list(range(len(games)))
    offsets = [sum(game.num_bytes for game in games[:number]) for number in range(len(games))]
    assert [game.offset for game in games] == offsets
    assert list(split_games(blocks_of(text, block_len))) == games


@pytest.mark.parametrize("block_len", [1, 7, 100, 4096])
def test_blocks_do_not_matter_for_the_golden_games(block_len: int) -> None:
    assert list(split_games(blocks_of(GOLDEN, block_len))) == list(split_games([GOLDEN]))


def test_nothing_and_blank_text() -> None:
    assert list(split_games([])) == []
    assert [game.content for game in split_games([b"\n \r\n"])] == [b"\n \r\n"]


def test_headers_keep_the_first_of_a_name_and_lose_their_escapes() -> None:
    (game,) = read_raw_games(
        [b'[White "a \\"b\\" \\\\ \\c"]\n[White "z"]\n[Black "d "e" f"]\n[Round "1" ]\n[Bad]\n\n1. e4 *']
    )
    assert game.headers == {"White": 'a "b" \\ \\c', "Black": 'd "e" f', "Round": "1"}
    assert game.movetext.strip() == b"1. e4 *"


def test_header_values_are_read_as_utf8_or_else_latin_1_and_capped() -> None:
    long = b"x" * 5000
    (game,) = read_raw_games(
        ['[White "Müller"]\n'.encode() + b'[Black "M\xfcller"]\n[Site "' + long + b'"]\n\n1. e4 *']
    )
    assert game.headers["White"] == game.headers["Black"] == "Müller"
    assert len(game.headers["Site"]) == MAX_HEADER_VALUE_LEN


def test_two_tags_on_one_line() -> None:
    (game,) = read_raw_games([b'[White "a"] [Black "b"]\n\n1. e4 *'])
    assert game.headers == {"White": "a", "Black": "b"}


def test_a_tag_that_comes_back_after_a_blank_line_begins_a_game() -> None:
    assert names(b'[White "a"]\n\n[White "b"]\n\n1. e4 *') == ["a", "b"]
    assert names(b'[White "a"]\n\n[Black "b"]\n\n1. e4 *') == ["a"]
    assert names(b'[White "a"]\r\n\r\n\r\n[White "b"]\r\n\r\n1. e4 *') == ["a", "b"]


def test_games_without_headers_are_told_apart_by_their_results() -> None:
    for line_end in (b"\n", b"\r\n", b"\r"):
        text = line_end.join([b"1. e4 e5 1-0", b"", b"1. d4 1/2-1/2", b"", b"", b"1. c4 *", b"", b""])
        assert [game.movetext.split()[1] for game in read_raw_games([text])] == [b"e4", b"d4", b"c4"]


def test_ten_thousand_games_without_headers_are_read_in_little_memory() -> None:
    text = b"1. e4 e5 2. Nf3 Nc6 {a comment of some length, here and there} 1-0\n\n" * 40_000
    assert len(text) > 2 * MAX_GAME_LEN
    assert sum(1 for _ in split_games(blocks_of(text, 1 << 20))) == 40_000


def test_a_bracket_in_movetext_is_no_new_game() -> None:
    assert names(b'[White "a"]\n\n1. e4\n[%clk 0:01]\n[not a tag]\ne5 *\n\n[White "b"]\n\n1. d4 *') == ["a", "b"]


def test_a_comment_with_tags_ends_at_its_brace_unless_it_is_far_away() -> None:
    inside = b'[White "a"]\n\n1. e4 {\n[White "b"]\n%s} e5 *\n\n[White "c"]\n\n1. d4 *'
    assert names(inside % b"") == ["a", "c"]
    assert names(inside % (b"x" * MAX_COMMENT_ACROSS_LEN)) == ["a", "b", "c"]
    assert names(inside % b"{") == ["a", "b", "c"]


def test_a_comment_that_never_ends_takes_no_other_game_with_it() -> None:
    text = b'[White "a"]\n\n1. e4 {oh\n\n[White "b"]\n\n1. d4 *\n\n' + b'[White "c"]\n\n1. d4 *\n\n' * 5000
    assert len(names(text)) == 5002
    assert len(list(split_games(blocks_of(text, 1000)))) == 5002


@pytest.mark.parametrize("block_len", [1 << 20, 300_000, 5_000_000])
def test_a_monster_is_one_game_marked_as_too_long_and_the_next_is_found(block_len: int) -> None:
    monster = b'[White "a"]\n\n' + b"1. e4 {" + b"x" * (2 * MAX_GAME_LEN + 17)
    text = monster + b'\n\n[White "b"]\n\n1. d4 *\n'
    raws = list(split_games(blocks_of(text, block_len)))
    assert sum(raw.num_bytes for raw in raws) == len(text)
    assert [len(raw.content) for raw in raws] == [MAX_GAME_LEN, 21]
    games = list(read_raw_games(blocks_of(text, block_len)))
    assert [(game.headers["White"], game.is_too_long) for game in games] == [("a", True), ("b", False)]
    assert games[1].offset == text.index(b'[White "b"]')


def test_a_million_blank_lines_are_a_game_and_no_wait_without_end() -> None:
    text = b'[White "a"]\n\n1. d4' + b"\n" * 1_000_000 + b'[White "b"]\n\n1. d4 *\n'
    raws = list(split_games([text]))
    second = text.index(b'[White "b"]')
    assert [raw.num_bytes for raw in raws] == [second, len(text) - second]


def test_a_monster_at_the_end_is_accounted_for() -> None:
    text = b'[White "a"]\n\n1. d4 *\n\n' + b"x" * (3 * MAX_GAME_LEN)
    assert sum(raw.num_bytes for raw in split_games(blocks_of(text, 1 << 20))) == len(text)
