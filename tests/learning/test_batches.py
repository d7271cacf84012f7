"""Which games, in which order, in which rows: the half of training that must be the same for every notation."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm import batches
from chesslm.batches import Place, Plan, cut, deal, empty_batch, micro_batches
from chesslm.errors import ConfigError, FormatError, InputError
from chesslm.game_files import read_manifest
from chesslm.notation.registry import load_notation
from chesslm.token_files import TokenFile, map_token_file, read_token_file, write_token_file
from chesslm.token_games import TokenGames, read_token_games, require_fit

PAD = 9


def games_of(lens: list[int], *, hashes: list[int] | None = None, split_at: int | None = None) -> TokenGames:
    """Games of these lengths whose tokens are their own numbers, in one file or two."""
    hashes = hashes if hashes is not None else [7919 * (index + 1) for index in range(len(lens))]

    def file(part: slice) -> TokenFile:
        starts = np.cumsum([0, *lens[part]]).astype(np.int64)
        return TokenFile(
            tokens=np.concatenate([np.arange(n) + 10 for n in lens[part]] or [np.zeros(0)]).astype(np.uint16),
            game_starts=starts,
            ply_starts=starts[:-1],
            ply_ends=starts[:-1] + 1,
            ply_game_starts=np.arange(len(lens[part]) + 1, dtype=np.int64),
            moves_hashes=np.array(hashes[part], dtype=np.uint64),
        )

    parts = [slice(None)] if split_at is None else [slice(split_at), slice(split_at, None)]
    return TokenGames([file(part) for part in parts])


def of(data: Path, notation: str, **options: int) -> TokenGames:
    folder = data / "tokens" / notation
    return read_token_games(
        folder,
        "train",
        fingerprint=load_notation(notation, folder).vocabulary.fingerprint,
        games_digest=read_manifest(data / "games")["games_digest"],
        **options,
    )


def hashes_in_order(games: TokenGames, plan: Plan, steps: int) -> list[list[int]]:
    place, seen = Place(), []
    for _ in range(steps):
        step = plan.step(place)
        seen.append([int(hash64) for hash64 in games.moves_hashes[step.games]])
        place = step.after
    return seen


def test_both_notations_see_the_same_games_in_the_same_order_and_as_many_a_step(data: Path) -> None:
    seen = []
    for notation in ("pgn", "english"):
        games = of(data, notation)
        seen.append(hashes_in_order(games, Plan(games, seed=2, games_per_step=11), steps=13))
    assert seen[0] == seen[1]
    assert {len(step) for step in seen[0]} == {11}


def test_the_order_of_files_does_not_matter() -> None:
    lens = [5, 3, 8, 2, 7, 4, 6]
    hashes = [70, 20, 90, 10, 50, 30, 40]
    one = games_of(lens, hashes=hashes)
    two = games_of(lens[::-1], hashes=hashes[::-1], split_at=3)
    seen = [hashes_in_order(games, Plan(games, seed=1, games_per_step=3), steps=9) for games in (one, two)]
    assert seen[0] == seen[1]
    assert [one.game_tokens(index).tolist() for index in range(7)] == [
        two.game_tokens(index).tolist() for index in range(7)
    ]


@pytest.mark.parametrize("games_per_step", [1, 5, 37, 50])
def test_every_epoch_sees_every_game_once_and_in_another_order(data: Path, games_per_step: int) -> None:
    games = of(data, "pgn")
    plan = Plan(games, seed=0, games_per_step=games_per_step)
    stream = list(itertools.chain.from_iterable(hashes_in_order(games, plan, steps=-(-3 * 37 // games_per_step))))
    epochs = [stream[start : start + 37] for start in (0, 37, 74)]
    assert all(sorted(epoch) == sorted(games.moves_hashes.tolist()) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_seeds_give_different_orders(data: Path) -> None:
    games = of(data, "pgn")
    first, second = (hashes_in_order(games, Plan(games, seed=seed, games_per_step=37), 1) for seed in (0, 1))
    assert first != second


def test_fewer_games_are_those_of_smallest_hash_in_the_order_of_the_larger_run(data: Path) -> None:
    everything, fewer = of(data, "pgn"), of(data, "pgn", max_games=13)
    assert fewer.moves_hashes.tolist() == sorted(everything.moves_hashes.tolist())[:13]
    whole = hashes_in_order(everything, Plan(everything, seed=0, games_per_step=37), 1)[0]
    part = hashes_in_order(fewer, Plan(fewer, seed=0, games_per_step=13), 1)[0]
    assert part == [hash64 for hash64 in whole if hash64 in set(part)]


@settings(deadline=None, max_examples=40)
@given(
    lens=st.lists(st.integers(2, 60), min_size=1, max_size=23),
    budget=st.integers(59, 400),
    seed=st.integers(0, 5),
)
def test_equal_tokens_stay_within_one_game_of_the_budget(lens: list[int], budget: int, seed: int) -> None:
    games = games_of(lens)
    plan = Plan(games, seed=seed, tokens_per_step=budget)
    place = Place()
    for number in range(1, 8):
        step = plan.step(place)
        assert len(step.games) >= 1
        assert step.num_tokens == int((games.lens[step.games] - 1).sum())
        assert number * budget - 59 < step.after.tokens <= number * budget
        assert step.after == Place(number, place.games + len(step.games), place.tokens + step.num_tokens)
        # A new plan that knows only the place gives the same step: resuming is exact.
        assert np.array_equal(Plan(games, seed=seed, tokens_per_step=budget).step(place).games, step.games)
        place = step.after


def test_a_step_is_measured_in_one_unit() -> None:
    with pytest.raises(ValueError, match="not both"):
        Plan(games_of([4]), seed=0, games_per_step=1, tokens_per_step=1)


def test_a_step_of_tokens_must_hold_the_longest_game() -> None:
    with pytest.raises(ConfigError, match=r"training\.tokens_per_step is 30, but the longest game has 40 tokens"):
        Plan(games_of([5, 41]), seed=0, tokens_per_step=30)


def test_a_game_longer_than_the_context_is_refused_by_name_and_never_cut() -> None:
    games = games_of([5, 41], hashes=[3, 0xABC])
    require_fit(games, context_len=41, tokens_per_micro_batch=40)
    with pytest.raises(ConfigError, match=r"model\.context_len is 40, .* 41 tokens \(moves hash 0000000000000abc\)"):
        require_fit(games, context_len=40, tokens_per_micro_batch=40)
    with pytest.raises(ConfigError, match=r"training\.tokens_per_micro_batch is 39, .* 41 tokens"):
        require_fit(games, context_len=41, tokens_per_micro_batch=39)


@settings(deadline=None, max_examples=60)
@given(lens=st.lists(st.integers(1, 50), min_size=1, max_size=24), limit=st.integers(50, 300))
def test_micro_batches_hold_every_game_once_within_the_limit(lens: list[int], limit: int) -> None:
    games = games_of([n + 1 for n in lens])
    chosen = np.arange(len(lens))[::-1].copy()
    rows: list[list[int]] = []
    for batch in micro_batches(games, chosen, tokens_per_micro_batch=limit, pad_id=PAD):
        assert batch.tokens_BT.numel() <= limit
        flat = batch.tokens_BT.flatten()
        padding = np.setdiff1d(np.arange(flat.numel()), batch.real_N.numpy())
        assert (flat[padding] == PAD).all()
        # A game's tokens count up from 10, so each target is the token it follows plus one.
        assert (batch.targets_N == flat[batch.real_N] + 1).all()
        rows += [[int(token) for token in row if token != PAD] for row in batch.tokens_BT]
    assert sorted(map(len, rows)) == sorted(lens)
    assert all(row == list(range(10, 10 + len(row))) for row in rows)


def cost(lens: npt.NDArray[np.int64], runs: list[tuple[int, int]]) -> int:
    return sum(batches.MICRO_BATCH_COST + (stop - start) * int(lens[start]) for start, stop in runs)


@settings(deadline=None, max_examples=60)
@given(lens=st.lists(st.integers(1, 900), min_size=1, max_size=8), limit=st.integers(900, 2_000))
def test_no_other_cut_is_cheaper(lens: list[int], limit: int) -> None:
    falling = np.array(sorted(lens, reverse=True))
    ends = range(1, len(lens))
    possible = []
    for count in range(len(lens)):
        for inner in itertools.combinations(ends, count):
            runs = list(itertools.pairwise((0, *inner, len(lens))))
            if all((stop - start) * falling[start] <= limit for start, stop in runs):
                possible.append(cost(falling, runs))
    assert cost(falling, cut(falling, limit)) == min(possible)


@pytest.mark.parametrize(("tokens_a_ply", "games_a_step"), [(2.6, 32), (6.6, 32), (2.6, 64)])
def test_padding_is_less_than_a_tenth_at_the_lengths_of_real_games(tokens_a_ply: float, games_a_step: int) -> None:
    generator = np.random.default_rng(11)
    # Over-the-board games: median 79 plies, a tenth under 41, a tenth over 125 (capped at 160).
    plies = np.clip(generator.normal(81, 33, size=(40, games_a_step)), 10, 160)
    real = padded = 0
    for step in (plies * tokens_a_ply).astype(np.int64):
        falling = np.sort(step)[::-1]
        real += int(falling.sum())
        padded += sum((stop - start) * int(falling[start]) for start, stop in cut(falling, 4_096))
    assert 1 - real / padded < 0.1


def test_max_games_beyond_the_split_is_an_error(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.max_games is 38, but .* has only 37 train games"):
        of(data, "pgn", max_games=38)


def test_missing_files_and_empty_splits_are_errors(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train token files"):
        read_token_games(tmp_path, "train", fingerprint="", games_digest="")
    empty = TokenFile(
        *(np.zeros(n, kind) for n, kind in ((0, "u2"), (1, "i8"), (0, "i8"), (0, "i8"), (1, "i8"), (0, "u8")))
    )
    write_token_file(tmp_path / "train-00000.safetensors", empty, notation="pgn", fingerprint="f", games_digest="g")
    with pytest.raises(InputError, match="the train split has no games"):
        read_token_games(tmp_path, "train", fingerprint="f", games_digest="g")


def test_token_files_of_another_vocabulary_or_other_games_or_cut_short_are_refused(data: Path, tmp_path: Path) -> None:
    path = data / "tokens" / "pgn" / "train-00000.safetensors"
    fingerprint = load_notation("pgn", path.parent).vocabulary.fingerprint
    with pytest.raises(FormatError, match=f"vocabulary {fingerprint[:12]}, but the vocabulary here is abc"):
        read_token_file(path, fingerprint="abc")
    with pytest.raises(FormatError, match="but the games folder is 123"):
        read_token_file(path, games_digest="123")
    short = tmp_path / "train-00000.safetensors"
    short.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable token file"):
        read_token_games(tmp_path, "train", fingerprint=fingerprint, games_digest="")


def test_a_mapped_file_gives_the_same_games_as_a_read_one(data: Path) -> None:
    path = data / "tokens" / "english" / "train-00000.safetensors"
    read, mapped = read_token_file(path), map_token_file(path)
    assert len(read) == len(mapped) == 37
    assert all(np.array_equal(read.game_tokens(index), mapped.game_tokens(index)) for index in range(37))
    assert isinstance(mapped.tokens, np.memmap)


@settings(deadline=None, max_examples=40)
@given(lens=st.lists(st.integers(1, 60), max_size=23), num_shares=st.integers(1, 5))
def test_every_game_is_dealt_once_and_no_process_has_more_than_a_game_beyond_another(
    lens: list[int], num_shares: int
) -> None:
    shares = deal(np.array(lens, np.int64), num_shares)
    assert len(shares) == num_shares
    assert sorted(int(index) for share in shares for index in share) == list(range(len(lens)))
    loads = [sum(lens[index] for index in share) for share in shares]
    assert max(loads) - min(loads) <= max(lens, default=0)


@settings(deadline=None, max_examples=60)
@given(lens=st.lists(st.integers(1, 50), min_size=1, max_size=24), limit=st.integers(20, 300))
def test_games_side_by_side_are_whole_and_without_padding(lens: list[int], limit: int) -> None:
    games = games_of([n + 1 for n in lens])
    found: list[list[int]] = []
    for batch in micro_batches(games, np.arange(len(lens)), tokens_per_micro_batch=limit, pad_id=None):
        assert batch.real_N is None
        assert batch.lens_G is not None
        assert batch.tokens_BT.shape == (1, int(batch.lens_G.sum()))
        assert batch.tokens_BT.numel() <= limit or len(batch.lens_G) == 1
        # A game's tokens count up from 10, so each target is the token it follows plus one.
        assert (batch.targets_N == batch.tokens_BT[0] + 1).all()
        found += [game.tolist() for game in batch.tokens_BT[0].split(batch.lens_G.tolist())]
    assert sorted(map(len, found)) == sorted(lens)
    assert all(game == list(range(10, 10 + len(game))) for game in found)


def test_an_empty_batch_has_a_row_to_compute_and_nothing_to_learn() -> None:
    batch = empty_batch(PAD)
    assert batch.tokens_BT.tolist() == [[PAD]]
    assert batch.real_N is not None
    assert (batch.real_N.numel(), batch.targets_N.numel()) == (0, 0)
