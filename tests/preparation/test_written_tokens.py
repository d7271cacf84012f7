"""Tokens written from columns are those of `encode_game`, and a file of several contents is that of their join."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from chesslm.errors import GameTooLong
from chesslm.game import RESULTS, Game
from chesslm.game_files import read_games
from chesslm.notation import Notation
from chesslm.notation.registry import NOTATION_MODULES, default_notation
from chesslm.token_files import TokenFile, read_token_file, write_token_file
from data_prep.ply_pieces import PieceWriter
from data_prep.token_kernel import write_tokens, write_tokens_interpreted

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
    assert default_notation("english_varied").ply_piece("e4", is_white=True) is None


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
