"""Which games, which plies, which subsets."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import chess
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import InputError
from chesslm.files import read_json, write_json
from chesslm.game import Game
from chesslm.validation import random_ply
from eval.new_positions import occurring, position_key
from eval.positions import DUPLICATE, HeldOut, hold_out

FolderMaker = Callable[[Path, Mapping[str, Sequence[Game]]], Path]


def write_pgn(path: Path, games: Sequence[Game]) -> Path:
    texts = []
    for game in games:
        moves = " ".join(f"{i // 2 + 1}. {san}" if i % 2 == 0 else san for i, san in enumerate(game.san))
        texts.append(f'[Event "{game.id}"]\n[Result "{game.result}"]\n\n{moves} {game.result}\n')
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def asked(held_out: HeldOut) -> list[tuple[tuple[str, ...], int]]:
    return [(position.game.san, position.ply) for position in held_out.positions]


def key_at(game: Game, num_plies: int) -> str:
    board = chess.Board()
    for san in game.san[:num_plies]:
        board.push_san(san)
    return position_key(board)


def test_the_same_positions_come_in_any_order_of_the_games(
    tmp_path: Path, games: list[Game], make_folder: FolderMaker
) -> None:
    some = games[:60]
    shuffled = random.Random(1).sample(some, len(some))
    first = hold_out(make_folder(tmp_path / "a", {"test": some}), count=20, seed=4)
    second = hold_out(make_folder(tmp_path / "b", {"test": shuffled}), count=20, seed=4)
    assert asked(first) == asked(second)
    assert len(first.positions) == 20
    assert asked(hold_out(tmp_path / "a", count=20, seed=5)) != asked(first)
    in_pgn = hold_out(write_pgn(tmp_path / "a.pgn", some), count=20, seed=4)
    in_shuffled_pgn = hold_out(write_pgn(tmp_path / "b.pgn", shuffled), count=20, seed=4)
    assert asked(in_pgn) == asked(in_shuffled_pgn)


def test_more_positions_contain_fewer(folder: Path) -> None:
    few, many = hold_out(folder, count=30, seed=0), hold_out(folder, count=90, seed=0)
    assert asked(many)[:30] == asked(few)


def test_a_game_gives_the_same_ply_from_a_folder_and_from_a_pgn_file(
    tmp_path: Path, games: list[Game], make_folder: FolderMaker
) -> None:
    some = games[:30]
    from_folder = hold_out(make_folder(tmp_path / "games", {"test": some}), count=100, seed=7)
    from_file = hold_out(write_pgn(tmp_path / "games.pgn", some), count=100, seed=7)
    assert sorted(asked(from_folder)) == sorted(asked(from_file))
    assert len(from_file.positions) == len({game.san for game in some})


def test_plies_are_uniform_from_the_first_to_the_last(tmp_path: Path, make_folder: FolderMaker) -> None:
    openings = ["a4", "b4", "c4", "d4", "e4", "f4", "g4", "h4", "a3", "b3"]
    replies = ["a5", "b5", "c5", "d5", "e5", "f5", "g5", "h5", "a6", "b6"]
    lines = [Game(f"{a}{b}", (a, b, "Nf3", "Nf6"), "*") for a in openings for b in replies]
    legal = [game for game in lines if _is_legal(game)]
    folder = make_folder(tmp_path / "games", {"test": legal})
    plies = [p.ply for seed in range(20) for p in hold_out(folder, count=100, seed=seed).positions]
    counts = np.bincount(plies, minlength=4)
    # Four standard deviations of a fair die with four sides.
    assert len(counts) == 4
    assert np.abs(counts - len(plies) / 4).max() < 4 * np.sqrt(len(plies) * 3 / 16)


def _is_legal(game: Game) -> bool:
    try:
        key_at(game, len(game.san))
    except ValueError:
        return False
    return True


def test_the_split_is_test_unless_val_is_asked_for(folder: Path, games: list[Game]) -> None:
    on_test, on_val = hold_out(folder, count=500, seed=0), hold_out(folder, count=500, seed=0, split="val")
    assert {position.game.id for position in on_test.positions} <= {game.id for game in games[200:340]}
    assert {position.game.id for position in on_val.positions} <= {game.id for game in games[340:]}
    assert (on_test.record.split, on_val.record.split) == ("test", "val")
    assert on_test.record.games == 140
    assert on_test.record.chosen == len(on_test.positions) == 140
    assert on_test.record.digest == read_json(folder / "manifest.json")["games_digest"]


def test_the_folder_above_is_understood(folder: Path) -> None:
    assert asked(hold_out(folder.parent, count=5, seed=0)) == asked(hold_out(folder, count=5, seed=0))


def test_games_that_do_not_fit_are_replaced_and_counted(folder: Path) -> None:
    held_out = hold_out(folder, count=40, seed=0, fits=lambda game: "too long" if len(game.san) > 20 else None)
    assert len(held_out.positions) == 40
    assert all(len(position.game.san) <= 20 for position in held_out.positions)
    assert set(held_out.record.left_out) == {"too long"}
    # Even where nearly no game fits, all are looked at before there are too few.
    lens = sorted(len(game.san) for game in hold_out(folder, count=500, seed=0).games)
    rare = hold_out(folder, count=2, seed=0, fits=lambda game: None if len(game.san) <= lens[1] else "too long")
    assert len(rare.positions) == 2


def test_games_with_the_same_moves_are_taken_once(tmp_path: Path, games: list[Game]) -> None:
    twice = [games[0], games[1], Game("again", games[0].san, "*")]
    held_out = hold_out(write_pgn(tmp_path / "twice.pgn", twice), count=10, seed=0)
    assert len(held_out.positions) == 2
    assert held_out.record.left_out == {DUPLICATE: 1}
    assert held_out.record.games == 3


def test_games_without_moves_have_no_positions(tmp_path: Path, games: list[Game], make_folder: FolderMaker) -> None:
    folder = make_folder(tmp_path / "games", {"test": [Game("none", (), "1-0"), games[0]]})
    held_out = hold_out(folder, count=5, seed=0)
    assert len(held_out.positions) == 1
    assert held_out.record.left_out == {"no moves": 1}


def test_subsets_are_what_their_names_say(folder: Path, games: list[Game]) -> None:
    held_out = hold_out(folder, count=140, seed=0)
    subsets = held_out.subsets()
    known = {key_at(game, num) for game in games[:200] for num in range(len(game.san) + 1)}
    for index, position in enumerate(held_out.positions):
        assert subsets["all"][index]
        assert subsets["after ply 10"][index] == (position.ply >= 10)
        assert subsets["after ply 20"][index] == (position.ply >= 20)
        assert subsets["new"][index] == (key_at(position.game, position.ply) not in known)
    assert 0 < subsets["new"].sum() < 140
    assert held_out.record.train_games == 200


def test_new_positions_are_left_out_without_a_train_split(
    tmp_path: Path, folder: Path, games: list[Game], make_folder: FolderMaker
) -> None:
    no_train = make_folder(tmp_path / "games", {"test": games[:20]})
    pgn = write_pgn(tmp_path / "games.pgn", games[:20])
    for held_out in (
        hold_out(no_train, count=20, seed=0),
        hold_out(pgn, count=20, seed=0),
        hold_out(folder, count=20, seed=0, with_new=False),
    ):
        assert "new" not in held_out.subsets()
        assert held_out.record.train_games is None


def test_empty_subsets_are_left_out(tmp_path: Path) -> None:
    held_out = hold_out(write_pgn(tmp_path / "short.pgn", [Game("", ("e4", "e5"), "*")]), count=5, seed=0)
    assert set(held_out.subsets()) == {"all"}


def test_progress_is_told(tmp_path: Path, folder: Path) -> None:
    told: list[str] = []
    path = tmp_path / "many.pgn"
    path.write_text("1. e4 *\n\n" * 1_500, encoding="utf-8")
    hold_out(path, count=5, seed=0, progress=lambda what, done, total: told.append(f"{what} {done} {total}"))
    assert "reading games 1000 None" in told


# Openings that reach the same positions by other orders of moves, with castling, en passant, promotion and mate.
TRICKY = (
    "e4 e5 Nf3 Nc6 Bc4 Bc5 O-O Nf6 d3 O-O",
    "Nf3 Nc6 e4 e5 Bc4 Nf6 d3 Bc5 O-O O-O",
    "e4 a6 e5 d5 exd6 cxd6",
    "e4 d6 e5 a6 exd6 cxd6",
    "e4 e6 e5 d5 exd6 Bxd6",
    "d4 Nf6 d5 e5 dxe6 dxe6 Qxd8+ Kxd8",
    "a4 b5 axb5 a6 bxa6 Bb7 axb7 Nc6 bxa8=Q Qxa8",
    "a4 b5 axb5 a6 bxa6 Bb7 axb7 Nc6 bxa8=N Qxa8",
    "d4 d5 Bf4 Bf5 Nc3 Nc6 Qd2 Qd7 O-O-O O-O-O",
    "d4 d5 Nc3 Nc6 Bf4 Bf5 Qd2 Qd7 O-O-O O-O-O",
    "f3 e5 g4 Qh4#",
    "Nf3 Nf6 Ng1 Ng8 e4 e5",
    "h4 g5 hxg5 h5 gxh6 Rxh6 Rxh6 Nxh6",
    "e4 e5 Ke2 Ke7 Ke1 Ke8 Nf3",
)


def test_occurring_is_what_a_full_replay_says(games: list[Game]) -> None:
    lines = [Game("", tuple(line.split()), "*") for line in TRICKY]
    seen_games = [*lines[::2], *games[:60]]
    asked_games = [*lines[1::2], *lines[::2], *games[50:110]]
    keys = {key_at(game, num) for game in asked_games for num in range(len(game.san) + 1)}
    replayed = {key_at(game, num) for game in seen_games for num in range(len(game.san) + 1)}
    found = occurring(keys, seen_games)
    assert found == keys & replayed
    assert len(found) > 250


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**9))
def test_occurring_finds_positions_reached_by_another_order_of_moves(seed: int) -> None:
    """Two games of quiet moves, the same moves of each side in another order."""
    generator = random.Random(seed)
    white = ["e4", "d4", "Nf3", "Nc3", "h3", "a3"]
    black = ["e6", "d6", "Nf6", "Nc6", "h6", "a6"]
    orders = []
    for _ in range(2):
        generator.shuffle(white)
        generator.shuffle(black)
        orders.append(Game("", tuple(san for pair in zip(white, black, strict=True) for san in pair), "*"))
    one, other = orders
    keys = {key_at(one, num) for num in range(len(one.san) + 1)}
    expected = keys & {key_at(other, num) for num in range(len(other.san) + 1)}
    assert occurring(keys, [other]) == expected
    assert key_at(one, 12) in expected
    assert key_at(one, 0) in expected


def test_wrong_sources_are_named(tmp_path: Path, folder: Path) -> None:
    def fails(path: Path, split: str | None = None) -> str:
        with pytest.raises(InputError) as caught:
            hold_out(path, count=5, seed=0, split=split)
        assert str(path) in str(caught.value)
        return str(caught.value)

    (tmp_path / "games.txt").write_text("1. e4 *", encoding="utf-8")
    (tmp_path / "empty.pgn").write_text("", encoding="utf-8")
    (tmp_path / "headers.pgn").write_text('[Event "a"]\n\n[Event "b"]\n\n*\n', encoding="utf-8")
    (tmp_path / "fine.pgn").write_text("1. e4 *", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    assert "no such file" in fails(tmp_path / "missing.pgn")
    assert ".pgn.zst" in fails(tmp_path / "games.txt")
    assert "it is empty" in fails(tmp_path / "empty.pgn")
    assert "no moves" in fails(tmp_path / "headers.pgn")
    assert "no manifest" in fails(tmp_path / "folder")
    assert "--split" in fails(tmp_path / "fine.pgn", split="val")


def test_a_split_without_games_is_an_error(tmp_path: Path, games: list[Game], make_folder: FolderMaker) -> None:
    folder = make_folder(tmp_path / "games", {"train": games[:3]})
    with pytest.raises(InputError, match=r"split test.*it is empty"):
        hold_out(folder, count=5, seed=0)


def test_a_folder_with_an_illegal_game_is_an_error(tmp_path: Path, games: list[Game], make_folder: FolderMaker) -> None:
    """Games folders hold verified games: whatever isn't legal there is damage."""
    folder = make_folder(tmp_path / "games", {"test": games[:1]})
    manifest = read_json(folder / "manifest.json")
    path = folder / manifest["parts"][0]["file"]
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["san"] = ["e4"] * len(rows[0]["san"])
    pq.write_table(table.from_pylist(rows, schema=table.schema), path)
    write_json(folder / "manifest.json", manifest)
    damaged = Game("", tuple(rows[0]["san"]), "*")
    # The first ply is legal by itself, any later one isn't.
    seed = next(seed for seed in range(20) if random_ply(damaged, seed) > 0)
    with pytest.raises(InputError, match="isn't legal"):
        hold_out(folder, count=1, seed=seed)
