"""Tokens written from columns are those of `encode_game`, and a file of several contents is that of their join."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import chess
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from chesslm.errors import FormatError, GameTooLong
from chesslm.game import RESULTS, Game
from chesslm.game_files import SCHEMA, read_games
from chesslm.notation import Notation
from chesslm.notation.registry import NOTATION_MODULES, default_notation
from chesslm.token_files import TokenFile, read_token_file, write_token_file
from data_prep.ply_pieces import PieceWriter, writes_ply_by_ply
from data_prep.token_kernel import write_tokens, write_tokens_interpreted
from data_prep.tokenise import Part, encode_part

GAMES = [
    Game("", ("e4", "d5", "exd5", "Qxd5", "Nc3", "Qe6+"), "1-0"),
    Game("", (), "*"),
    Game("", ("f3", "e5", "g4", "Qh4#"), "0-1"),
    Game("", ("e4", "e5", "Nf3", "Nf6", "Bc4", "Bc5", "O-O", "O-O"), "1/2-1/2"),
]


@pytest.fixture(scope="module", params=[name for name in NOTATION_MODULES if name != "english_varied"])
def notation(request: pytest.FixtureRequest) -> Notation:
    return default_notation(request.param)


def table_of(games: Sequence[Game]) -> pa.Table:
    """The games as a part's row group is read."""
    plies = pa.array([san for game in games for san in game.san], pa.string()).dictionary_encode()
    offsets = np.cumsum([0, *(len(game.san) for game in games)])
    return pa.table(
        {
            "san": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), plies),
            "result": [game.result for game in games],
            "moves_hash": pa.array(range(len(games)), pa.uint64()),
        }
    )


def assert_encoded(content: TokenFile, games: Sequence[Game], notation: Notation) -> None:
    assert len(content) == len(games)
    for index, game in enumerate(games):
        encoded = notation.encode_game(game)
        assert content.game_tokens(index).tolist() == encoded.ids
        assert [tuple(span) for span in content.game_spans(index).tolist()] == encoded.spans


@pytest.mark.parametrize("is_compiled", [True, False])
def test_pieces_make_what_encode_game_makes(notation: Notation, prepared: Path, is_compiled: bool) -> None:
    games = [*GAMES, *(row.game for row in read_games(prepared / "games"))]
    writer = PieceWriter(notation, write_tokens if is_compiled else write_tokens_interpreted)
    for chosen in (GAMES, games[::-1], games):  # the pieces grow with what is asked for
        (content,) = writer.encode(table_of(chosen), [np.arange(len(chosen))])
        assert_encoded(content, chosen, notation)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(
            Game,
            st.just(""),
            st.lists(st.sampled_from(("e4", "Nbd7+", "exd8=Q#", "O-O-O", "Qh4e1", "R1xa2")), max_size=9).map(tuple),
            st.sampled_from(RESULTS),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_any_rows_in_any_selection(games: list[Game]) -> None:
    writer = PieceWriter(default_notation("english"))
    rows = np.random.default_rng(len(games)).permutation(len(games))
    halves = [rows[: len(rows) // 2], rows[len(rows) // 2 :], rows[:0]]
    for half, content in zip(halves, writer.encode(table_of(games), halves), strict=True):
        assert_encoded(content, [games[row] for row in half], default_notation("english"))
        assert content.moves_hashes.tolist() == half.tolist()


def test_a_wording_that_depends_on_the_plies_before_has_no_pieces() -> None:
    varied = default_notation("english_varied")
    assert varied.ply_piece("e4", is_white=True) is None
    assert varied.move_piece(chess.Move.from_uci("e2e4")) is None
    assert not writes_ply_by_ply(varied)


@settings(deadline=None, max_examples=20)
@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_squares_are_written_by_replaying_the_games(seeds: list[int]) -> None:
    squares = default_notation("uci_squares")
    games = [random_game(seed) for seed in seeds]
    rows = np.random.default_rng(len(games)).permutation(len(games))
    writer = PieceWriter(squares)
    for _ in range(2):  # the second time all moves are known
        (content,) = writer.encode(table_of(games), [rows])
        assert_encoded(content, [games[row] for row in rows], squares)


def random_game(seed: int) -> Game:
    """Captures, castling, promotions and en passant are likelier than by chance."""
    generator, board, sans = random.Random(seed), chess.Board(), []
    while len(sans) < seed % 160 and (moves := list(board.legal_moves)):
        special = [move for move in moves if move.promotion or board.is_castling(move) or board.is_en_passant(move)]
        pawns = [move for move in moves if board.piece_type_at(move.from_square) == chess.PAWN]
        move = generator.choice(special or (pawns if pawns and generator.random() < 0.6 else moves))
        sans.append(board.san(move))
        board.push(move)
    return Game("", tuple(sans), generator.choice(RESULTS))


@pytest.mark.parametrize(
    ("sans", "problem"),
    [
        (("e4", "e5", "Ke3"), "game 1 of a row group: 'Ke3' is no legal move at ply 2"),
        (("e4", "hello"), "game 1 of a row group: 'hello' is no move, move number or result at ply 1"),
        (("e4", "1-0"), "game 1 of a row group: not moves alone: 'e4 1-0'"),
        (("e4", "{e5}"), "game 1 of a row group: not moves alone: 'e4 {e5}'"),
    ],
    ids=["illegal", "no move", "a result", "a comment"],
)
def test_what_is_no_game_has_no_squares(sans: tuple[str, ...], problem: str) -> None:
    games = [GAMES[0], Game("", sans, "1-0")]
    with pytest.raises(ValueError, match=re.escape(problem)):
        PieceWriter(default_notation("uci_squares")).encode(table_of(games), [np.arange(2)])


@pytest.mark.parametrize("name", ["pgn", "uci_squares"])
def test_a_part_that_holds_no_games_is_named(tmp_path: Path, name: str) -> None:
    notation = default_notation(name)
    for file, content in notation.resources().items():
        (tmp_path / file).write_bytes(content)
    row = {"san": ["e4", "what"], "result": "*", "split": "train", "moves_hash": 1}
    schema = pa.schema([SCHEMA.field(column) for column in row])
    pq.write_table(pa.Table.from_pylist([row], schema=schema), tmp_path / "part-00000.parquet")
    part = Part(0, str(tmp_path / "part-00000.parquet"))
    fingerprint = notation.vocabulary.fingerprint
    with pytest.raises(FormatError, match=r"part-00000.parquet: not the games that data prepare writes: .*'what'"):
        encode_part(part, name=name, folder=str(tmp_path), fingerprint=fingerprint, games_digest="g")


def test_a_move_number_without_a_token_is_refused() -> None:
    game = Game("", ("Nf3", "Nf6", "Ng1", "Ng8") * 101, "1-0")
    with pytest.raises(GameTooLong, match="move number 201 has no token"):
        PieceWriter(default_notation("pgn")).encode(table_of([game]), [np.arange(1)])


def test_several_contents_make_the_file_that_safetensors_makes_of_their_join(tmp_path: Path) -> None:
    notation = default_notation("pgn")
    games = GAMES * 2
    rows = np.arange(len(games))
    one, two, whole = PieceWriter(notation).encode(table_of(games), [rows[:3], rows[3:], rows])
    names = {"notation": "pgn", "fingerprint": "f", "games_digest": "g"}
    write_token_file(tmp_path / "joined.safetensors", one, two, **names)
    write_token_file(tmp_path / "whole.safetensors", whole, **names)
    assert (tmp_path / "joined.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert_encoded(read_token_file(tmp_path / "joined.safetensors"), games, notation)
    arrays = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    save_file(arrays, tmp_path / "theirs.safetensors", metadata={"format": "chesslm-tokens/1"})
    ours, theirs = (split_file(tmp_path / f"{name}.safetensors") for name in ("whole", "theirs"))
    assert ours == theirs


def split_file(path: Path) -> tuple[dict[str, object], bytes]:
    """The header without its metadata, and the arrays."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    del header["__metadata__"]
    return header, content[8 + length :]
