"""From games to steps: in which order, in which rows, in which process.

Knows: how games are ordered (the same for every notation), how many make a step, how a step is dealt to processes and
cut into micro-batches of games of similar length.
Doesn't know: token files (`token_games`), models, optimisers, files of a run. All state is a `Place`: three numbers
that a checkpoint keeps.

Order: a game's place in an epoch is decided by its moves hash, the seed and the epoch alone. Token ids, notation, the
order of files and the other games have no part in it, so two notations of one games folder see "the same games in the
same order", and a run on fewer games sees a subsequence.

Rows: a game is always whole, and no attention crosses games. Either each stands in a row of its own, padded on the
right, where a causal model can't see the padding, and a micro-batch says which of its tokens are real: few large
operations, as GPUs want them. Or all stand side by side in one row without padding, and a micro-batch says how long
each is: a CPU gains more by computing less.

Tensor key: B rows, T tokens of the longest row, N real tokens of all rows, G games.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from chesslm.errors import ConfigError
from chesslm.token_games import Indices, TokenGames


@dataclass(frozen=True, slots=True)
class Place:
    """How far a run has come in its data; all that resuming needs.

    Args:
        step: optimiser steps done.
        games: games seen, those of earlier epochs included.
        tokens: tokens predicted (a game's begin token is not predicted).
    """

    step: int = 0
    games: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """The games of one optimiser step.

    Args:
        games: indices into the `TokenGames`.
        num_tokens: tokens to predict, the denominator of the step's loss.
        after: the place when the step is done.
    """

    games: Indices
    num_tokens: int
    after: Place


class Plan:
    """Which games each step trains on: an endless stream, epoch after epoch, cut into steps.

    A step may hold the end of one epoch and the beginning of the next. Equal games: every step has `games_per_step`
    games. Equal tokens: step s goes on while the tokens of all steps so far stay within s times `tokens_per_step`, so
    that a run's total is right to within one game.

    Raises:
        ConfigError: a game has more tokens than `tokens_per_step`.
    """

    def __init__(
        self, games: TokenGames, *, seed: int, games_per_step: int | None = None, tokens_per_step: int | None = None
    ) -> None:
        if (games_per_step is None) == (tokens_per_step is None):
            raise ValueError("a step is measured in games or in tokens, not both")
        longest = int(games.lens.max()) - 1
        if tokens_per_step is not None and longest > tokens_per_step:
            raise ConfigError(
                f"training.tokens_per_step is {tokens_per_step}, but the longest game has {longest} tokens to predict"
            )
        self._targets = games.lens - 1
        self._hashes = games.moves_hashes
        self._seed = seed
        self._games_per_step = games_per_step
        self._tokens_per_step = tokens_per_step
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    def epochs(self, place: Place) -> float:
        """Passes over all games at a place."""
        return place.games / len(self._hashes)

    def step(self, place: Place) -> Step:
        """The step that follows a place."""
        if self._games_per_step is not None:
            games = self._stream(place.games, self._games_per_step)
        else:
            games = self._within_budget(place)
        num_tokens = int(self._targets[games].sum())
        after = Place(place.step + 1, place.games + len(games), place.tokens + num_tokens)
        return Step(games, num_tokens, after)

    def _within_budget(self, place: Place) -> Indices:
        assert self._tokens_per_step is not None
        room = (place.step + 1) * self._tokens_per_step - place.tokens
        # A game has at least one target, so no more than `room` games can fit; look ahead in growing pieces.
        count = 64
        while True:
            games = self._stream(place.games, count)
            total = np.cumsum(self._targets[games])
            if total[-1] > room:
                return games[: int(np.searchsorted(total, room, side="right"))]
            count *= 2

    def _stream(self, first: int, count: int) -> Indices:
        """Games `first`, `first` + 1, … of the endless stream."""
        parts = []
        while count:
            epoch, offset = divmod(first, len(self._hashes))
            part = self._order(epoch)[offset : offset + count]
            parts.append(part)
            first += len(part)
            count -= len(part)
        return np.concatenate(parts)

    def _epoch_order(self, epoch: int) -> Indices:
        key = _mix(np.array([self._seed], np.uint64)) + np.array([epoch], np.uint64)
        return np.argsort(_mix(self._hashes ^ _mix(key)), kind="stable").astype(np.int64)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64 (Steele, Lea & Flood 2014): a bijection on 64 bits whose outputs look random.

    Written out here because numpy does not promise that its own permutations stay the same between versions.

    >>> f"{int(_mix(np.array([0], np.uint64))[0]):016x}"
    'e220a8397b1dcdaf'
    """
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Games that go through the model at once.

    Args:
        tokens_BT: int64, each game without its last token: a row each, padded on the right, or side by side in one.
        targets_N: int64, the token that follows each real one.
        real_N: int64, where the tokens that are no padding stand in the flattened rows; None if none is.
        lens_G: int64, lengths of games side by side; None where each has a row.
    """

    tokens_BT: torch.Tensor
    targets_N: torch.Tensor
    real_N: torch.Tensor | None = None
    lens_G: torch.Tensor | None = None

    def to(self, device: torch.device) -> MicroBatch:
        """The same batch on a device; from pinned memory the copy goes on while the device computes."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> MicroBatch:
        """The same batch in memory that a CUDA device reads by itself."""
        return self._with(torch.Tensor.pin_memory)

    def _with(self, change: Callable[[torch.Tensor], torch.Tensor]) -> MicroBatch:
        real_N, lens_G = (None if tensor is None else change(tensor) for tensor in (self.real_N, self.lens_G))
        return MicroBatch(change(self.tokens_BT), change(self.targets_N), real_N, lens_G)


def empty_batch(pad_id: int) -> MicroBatch:
    """A row of padding, nothing of which counts: what a process computes while others still have games.

    Its loss and all its gradients are zero.
    """
    nothing = torch.zeros(0, dtype=torch.int64)
    return MicroBatch(torch.full((1, 1), pad_id), nothing, nothing)


def deal(lens: Indices, num_shares: int) -> list[Indices]:
    """Games to processes, so that all have about as many tokens: positions in `lens`, rising, for each share.

    The longest game first, each to the share that has least (Graham 1969): shares differ by one game at most.

    >>> [share.tolist() for share in deal(np.array([30, 90, 60, 40, 20]), 2)]
    [[0, 1], [2, 3, 4]]
    """
    shares: list[list[int]] = [[] for _ in range(num_shares)]
    loads = [(0, share) for share in range(num_shares)]
    for index in np.argsort(-lens, kind="stable"):
        load, share = heappop(loads)
        shares[share].append(int(index))
        heappush(loads, (load + int(lens[index]), share))
    return [np.sort(np.array(share, np.int64)) for share in shares]


def micro_batches(
    games: TokenGames, chosen: Indices, *, tokens_per_micro_batch: int, pad_id: int | None
) -> Iterator[MicroBatch]:
    """The chosen games in micro-batches within a number of tokens, or of a single game; the longest first.

    Longest first, so that the largest batch is the first to ask for memory.

    Args:
        games: where they are.
        chosen: indices of them.
        tokens_per_micro_batch: most tokens, padding included.
        pad_id: fills rows of one game each; None: side by side in one row.
    """
    by_len = chosen[np.argsort(-games.lens[chosen], kind="stable")]
    cut_up = filled if pad_id is None else cut
    for start, stop in cut_up(games.lens[by_len] - 1, tokens_per_micro_batch):
        rows = [games.game_tokens(int(index)) for index in by_len[start:stop]]
        yield _side_by_side(rows) if pad_id is None else _rows(rows, pad_id)


def filled(lens: Indices, limit: int) -> list[tuple[int, int]]:
    """Cut games into runs of as many as keep within `limit` tokens, at least one each.

    >>> filled(np.array([500, 390, 60, 50, 40]), 450)
    [(0, 1), (1, 3), (3, 5)]
    """
    ends = np.cumsum(lens)
    stops = []
    done = 0
    while done < len(lens):
        before = int(ends[done - 1]) if done else 0
        done = max(done + 1, int(np.searchsorted(ends, before + limit, side="right")))
        stops.append(done)
    return list(pairwise([0, *stops]))


# What a micro-batch costs beyond its tokens (kernel launches, small matrices below full speed), in tokens. On two CPU
# cores and a million weights, half of this or twice as much changes the time of a step by a few per cent.
MICRO_BATCH_COST = 96


def cut(lens: Indices, limit: int) -> list[tuple[int, int]]:
    """Cut rows of falling length into runs whose padded size stays within `limit`, at the least total cost.

    The cost of a run is its rows times its longest row, plus `MICRO_BATCH_COST`. Solved exactly, last row first.

    >>> cut(np.array([400, 390, 60, 50, 40]), 1_000)
    [(0, 2), (2, 5)]
    """
    count = len(lens)
    best = [0] * (count + 1)
    stop_of = [count] * count
    for start in range(count - 1, -1, -1):
        widest = int(lens[start])
        most = min(count, start + max(1, limit // max(widest, 1)))
        costs = [MICRO_BATCH_COST + (stop - start) * widest + best[stop] for stop in range(start + 1, most + 1)]
        best[start] = min(costs)
        stop_of[start] = start + 1 + costs.index(best[start])
    runs = []
    start = 0
    while start < count:
        runs.append((start, stop_of[start]))
        start = stop_of[start]
    return runs


def _rows(rows: Sequence[npt.NDArray[np.uint16]], pad_id: int) -> MicroBatch:
    width = max(len(row) for row in rows) - 1
    tokens = np.full((len(rows), width), pad_id, dtype=np.int64)
    for index, row in enumerate(rows):
        tokens[index, : len(row) - 1] = row[:-1]
    real = np.concatenate([index * width + np.arange(len(row) - 1) for index, row in enumerate(rows)])
    targets = np.concatenate([row[1:] for row in rows]).astype(np.int64)
    return MicroBatch(torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(real))


def _side_by_side(games: Sequence[npt.NDArray[np.uint16]]) -> MicroBatch:
    tokens, targets = (
        np.concatenate(parts).astype(np.int64) for parts in ([g[:-1] for g in games], [g[1:] for g in games])
    )
    lens = torch.tensor([len(game) - 1 for game in games])
    return MicroBatch(torch.from_numpy(tokens)[None], torch.from_numpy(targets), lens_G=lens)
