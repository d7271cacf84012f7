"""However a text is cut into blocks and scanned, its games are those of the splitter."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_prep.blocks import GameBlock, cut_blocks, sure_border
from data_prep.games import MAX_GAME_LEN, parse_raw, split_games
from data_prep.headers import TAGS, BlockGames, read_block
from data_prep.scan_kernel import scan_games, scan_games_interpreted

GOLDEN = (Path(__file__).parent / "golden.pgn").read_bytes()
USUAL = '[Event "Rated Blitz game"]\n[Site "https://lichess.org/abcdEFGH"]\n[Result "1-0"]\n[Opening "Grünfeld"]\n\n'
PIECES = (
    USUAL + "1. e4 { [%clk 0:03:00] } 1... e5 1-0\n\n",
    '[White "a"]\n[Result "*"]\n\n1. d4\nd5 2. c4 *\n\n',
    '[White "a"]\n',
    '[Result "1-0"]\n',
    '[Result "0-1"]\n\n',
    '[WhiteElo "\\"1500"]\n',
    '[Site "ü"]\n',
    '[White "a"] [Black "b"]\n',
    "[Site",
    "\n",
    "\n\n",
    "\r\n",
    "\n ",
    "{",
    "}",
    ";",
    "%",
    "\n%",
    "1. e4 e5",
    "1-0",
    "1-0\n\n",
    "*",
    '"',
    '"]',
    "\ufeff",
    "\0",
    "x",
)
texts = st.lists(st.sampled_from(PIECES), max_size=40).map(lambda pieces: "".join(pieces).encode())


def games_of(block: GameBlock, *, is_compiled: bool = True) -> list[tuple[bytes, dict[str, str]]]:
    """The movetext and the wanted headers of each game, as `read_block` finds them."""
    games = read_block(block, scan=scan_games if is_compiled else scan_games_interpreted)
    assert games.starts.tolist() == [0, *games.ends.tolist()][: len(games)]
    spans = zip(games.movetexts.tolist(), games.ends.tolist(), strict=True)
    return [(games.text[start:end], headers_of(games, row)) for row, (start, end) in enumerate(spans)]


def headers_of(games: BlockGames, row: int) -> dict[str, str]:
    columns = {tag: games[tag] for tag in TAGS if games[tag].codes[row] >= 0}
    return {tag: column.values[column.codes[row]] for tag, column in columns.items()}


def expected_of(text: bytes) -> list[tuple[bytes, dict[str, str]]]:
    raws = map(parse_raw, split_games([text] if text else []))
    return [(raw.movetext, {tag: raw.headers[tag] for tag in TAGS if tag in raw.headers}) for raw in raws]


def cut(text: bytes, block_len: int, piece_len: int) -> list[GameBlock]:
    pieces = [text[start : start + piece_len] for start in range(0, len(text), piece_len)]
    return list(cut_blocks(pieces, block_len=block_len))


@settings(deadline=None, max_examples=300)
@given(texts, st.integers(1, 300), st.integers(1, 100))
@example(GOLDEN, 700, 64)
@example(GOLDEN.replace(b"\n", b"\r\n"), 700, 64)
@example(b'{\n\n[A "\n\n[A "', 8, 9)
def test_the_games_of_the_blocks_are_the_games_of_the_text(text: bytes, block_len: int, piece_len: int) -> None:
    blocks = cut(text, block_len, piece_len)
    offsets = [sum(block.num_bytes for block in blocks[:number]) for number in range(len(blocks))]
    assert [block.offset for block in blocks] == offsets
    assert b"".join(block.text for block in blocks) == text
    expected = expected_of(text)
    assert [game for block in blocks for game in games_of(block)] == expected
    if blocks:
        behind = blocks[len(blocks) // 2]
        again = cut_blocks([text[behind.offset :]], block_len=block_len, offset=behind.offset)
        assert list(again) == blocks[len(blocks) // 2 :]


@settings(deadline=None, max_examples=60)
@given(texts)
@example(GOLDEN)
@example(USUAL.encode() * 3)
def test_the_scan_as_python_runs_it_finds_the_same(text: bytes) -> None:
    assert games_of(GameBlock(text, 0, len(text)), is_compiled=False) == expected_of(text)


def test_usual_games_are_found_without_the_splitter(monkeypatch: pytest.MonkeyPatch, games_text: bytes) -> None:
    monkeypatch.setattr("data_prep.headers.Splitter", None)
    monkeypatch.setattr("data_prep.headers._ROOM", 7)
    assert games_of(GameBlock(games_text, 0, len(games_text))) == expected_of(games_text)


def test_a_text_of_usual_games_is_cut_at_its_last_border(games_text: bytes) -> None:
    blocks = cut(games_text, 5_000, 1 << 20)
    assert all(3_000 < block.num_bytes <= 5_000 for block in blocks[:-1])
    assert all(block.raws is None for block in blocks)
    assert all(block.text.startswith(b"[Event") for block in blocks)


@pytest.mark.parametrize(
    ("text", "border"),
    [
        (b'[A "x"]\n\n1. e4 *\n\n[A "y"]\n\n', 18),
        (b'[A "x"]\r\n\r\n1. e4 *\r\n\r\n[A "y"]\r\n', 22),
        (b'[A "x"]\n\n1. e4 {\n\n[A "y"]\n} *', None),
        (b'[A "x"]\n\n1. e4 {a} *\n\n[A "y"]\n', 22),
        (b'[A "x"]\n\n[B "y"]\n\n1. e4', None),
        (b'[A "x"]\n\n%\n\n[B "y"]\n\n1. e4', None),
        (b'[A "x"]\n\n1. e4 *\n\n[A y]\n\n', None),
        (b"1. e4 *\n\n1. d4 *\n\n", None),
        (b'\n\n\n[A "x"]', None),
    ],
)
def test_a_border_is_sure_or_none(text: bytes, border: int | None) -> None:
    assert sure_border(text, len(text)) == border
    if border is not None:
        assert sure_border(text, border + 3) is None, "a border is known by its tag pair alone"


def test_a_text_without_borders_is_cut_game_by_game() -> None:
    text = b"1. e4 e5 1-0\n\n" * 100
    blocks = cut(text, 120, 50)
    assert [len(block.raws or ()) for block in blocks] == [9] * 8 + [0]
    assert [game for block in blocks for game in games_of(block)] == expected_of(text)


def test_a_monster_does_not_fill_the_memory() -> None:
    monster = b'[White "a"]\n\n' + b"1. e4 {" + b"x" * (3 * MAX_GAME_LEN)
    text = monster + b'\n\n[White "b"]\n\n1. d4 *\n'
    blocks = cut(text, 1 << 18, 1 << 16)
    assert sum(block.num_bytes for block in blocks) == len(text)
    assert sum(len(block.text) for block in blocks) < 2 * MAX_GAME_LEN
    games = [game for block in blocks for game in map(read_block, [block])]
    assert [is_long for game in games for is_long in game.is_too_long.tolist()] == [True, False]
    assert blocks[-1].offset + blocks[-1].num_bytes == len(text)
