"""Held-out positions: one uniformly random ply of each of n games, the same for every model and any order of the games.

Knows: games folders and PGN files as sources, how games and plies are chosen, the subsets that tables show.
Doesn't know: models (only whether a game fits them) or metrics.

Which games are chosen depends on the seed and a game's moves (of a PGN file: its movetext), which ply on the seed and
the moves (`chesslm.validation.random_ply`). Games are held in memory only as far as they are chosen.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import chess
import numpy as np
import numpy.typing as npt

from chesslm.errors import InputError
from chesslm.files import sha256_file
from chesslm.game import Game
from chesslm.game_files import games_folder, read_games, read_manifest
from chesslm.inference import Position
from chesslm.measures import replayed
from chesslm.validation import random_ply
from eval import pgn
from eval.new_positions import occurring, position_key
from eval.position_classes import GROUPS, groups_of
from eval.records import AFTER_PLY_10, AFTER_PLY_20, ALL, NEW, GamesRecord

DEFAULT_SPLIT = "test"
DUPLICATE = "same moves as another game"

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and of how much (None: unknown)."""

Item = TypeVar("Item")
Mask = npt.NDArray[np.bool_]


def silent(_what: str, _done: int, _total: int | None) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class HeldOut:
    """The games and positions that every model is asked about.

    Args:
        positions: one a game.
        is_new: for each position whether the train split lacks it; None where there is no train split or nobody asked.
        record: where they come from.
        groups: class, moved piece or phase -> which positions belong to it, in the order of `position_classes.GROUPS`.
    """

    positions: tuple[Position, ...]
    is_new: Mask | None
    record: GamesRecord
    groups: Mapping[str, Mask] = field(default_factory=dict)

    @property
    def games(self) -> tuple[Game, ...]:
        """The whole games, in the order of the positions."""
        return tuple(position.game for position in self.positions)

    def subsets(self) -> dict[str, Mask]:
        """Subset -> which positions belong to it; subsets that would be empty are left out."""
        plies = np.array([position.ply for position in self.positions])
        masks = {ALL: plies >= 0, AFTER_PLY_10: plies >= 10, AFTER_PLY_20: plies >= 20}
        if self.is_new is not None:
            masks[NEW] = self.is_new
        return {name: mask for name, mask in masks.items() if mask.any()}


def hold_out(
    path: Path,
    *,
    count: int,
    seed: int,
    split: str | None = None,
    fits: Callable[[Game], str | None] = lambda _game: None,
    with_new: bool = True,
    progress: Progress = silent,
) -> HeldOut:
    """Choose games and plies.

    Args:
        path: a games folder, the folder above it, or a PGN file.
        count: games to take; fewer if there are fewer.
        seed: decides games and plies.
        split: of a games folder, test if None; a PGN file has none.
        fits: why a game can't be put to all models, None if it can.
        with_new: find out which positions the train split lacks.
        progress: told about long readings.

    Raises:
        InputError: no such source, or no game in it that can be used; names it.
    """
    chosen = choose_games(path, count=count, seed=seed, split=split, fits=fits, progress=progress)
    return chosen.held_out(count, with_new=with_new, progress=progress)


def choose_games(
    path: Path,
    *,
    count: int,
    seed: int,
    split: str | None = None,
    fits: Callable[[Game], str | None] = lambda _game: None,
    progress: Progress = silent,
) -> ChosenGames:
    """Choose games; arguments and errors as for `hold_out`."""
    source = _source(path, split)
    chosen, left_out, num_games = _choose(source, count, seed, fits, progress)
    if not chosen:
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "it is empty"
        raise InputError(f"{source.name}: no game to take a position from ({reasons})")
    record = GamesRecord(
        source=str(path),
        kind="folder" if source.folder else "pgn",
        split=source.split,
        digest=source.digest(),
        games=num_games,
        chosen=len(chosen),
        left_out=left_out,
        train_games=None,
    )
    return ChosenGames(tuple(chosen), seed, source, record)


@dataclass(frozen=True)
class ChosenGames:
    """Games in the order of their choice, which a seed decides.

    Args:
        games: more of them begin with fewer.
        seed: decides the plies, too.
        source: where they come from.
        record: the same for a results file.
    """

    games: tuple[Game, ...]
    seed: int
    source: _Source
    record: GamesRecord

    def held_out(self, count: int, *, with_new: bool = True, progress: Progress = silent) -> HeldOut:
        """A random position of each of the first games; raises as `hold_out` does."""
        positions = tuple(Position(game, random_ply(game, self.seed)) for game in self.games[:count])
        keys, groups = [], []
        for position in positions:
            board, move = _replayed(self.source, position)
            keys.append(position_key(board))
            groups.append(groups_of(board, move, position.ply))
        folder = self.source.folder if with_new else None
        is_new, num_train = _novelty(folder, keys, progress) if folder else (None, None)
        record = self.record.model_copy(update={"chosen": len(positions), "train_games": num_train})
        return HeldOut(positions, is_new, record, _masks(groups))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A game that might be chosen; those of smallest rank are.

    Args:
        rank: from the seed and the moves.
        content: a game and its moves hash, or the text of a PGN game that nobody has read yet.
    """

    rank: bytes
    content: tuple[Game, int] | str


class _Source(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path | None: ...

    @property
    def split(self) -> str | None: ...

    def digest(self) -> str: ...

    def candidates(self, seed: int) -> Iterator[_Candidate]: ...


@dataclass(frozen=True, slots=True)
class _Folder:
    folder: Path
    split: str

    @property
    def name(self) -> str:
        return f"{self.folder} (split {self.split})"

    def digest(self) -> str:
        return str(read_manifest(self.folder)["games_digest"])

    def candidates(self, seed: int) -> Iterator[_Candidate]:
        for row in read_games(self.folder, self.split):
            yield _Candidate(_rank(seed, str(row.moves_hash)), (row.game, row.moves_hash))


@dataclass(frozen=True, slots=True)
class _PgnFile:
    path: Path
    folder: None = None
    split: None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def digest(self) -> str:
        return sha256_file(self.path)

    def candidates(self, seed: int) -> Iterator[_Candidate]:
        for raw in pgn.raw_games(self.path):
            yield _Candidate(_rank(seed, pgn.movetext_of(raw)), raw)


def _rank(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}|{text}".encode()).digest()


def _source(path: Path, split: str | None) -> _Source:
    if path.is_dir():
        return _Folder(games_folder(path), split or DEFAULT_SPLIT)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not pgn.is_pgn(path):
        raise InputError(f"{path}: neither a games folder nor a file named {', '.join(pgn.SUFFIXES)}")
    if split is not None:
        raise InputError(f"{path}: a PGN file has no splits, so leave --split out")
    return _PgnFile(path)


def _choose(
    source: _Source, count: int, seed: int, fits: Callable[[Game], str | None], progress: Progress
) -> tuple[list[Game], dict[str, int], int]:
    """The usable games of smallest rank; how many were left out on the way, by reason; how many games there are."""
    # A few to spare, so that one pass is enough unless many games can't be used.
    num_kept = count + count // 20 + 10
    while True:
        seen = _Counted(source.candidates(seed), "reading games", progress)
        smallest = heapq.nsmallest(num_kept, seen, key=lambda candidate: candidate.rank)
        chosen, left_out = _usable(smallest, count, fits)
        if len(chosen) == count or num_kept >= seen.number:
            return chosen, left_out, seen.number
        num_kept *= 2


def _usable(
    candidates: Iterable[_Candidate], count: int, fits: Callable[[Game], str | None]
) -> tuple[list[Game], dict[str, int]]:
    chosen: list[Game] = []
    left_out: Counter[str] = Counter()
    hashes: set[int] = set()
    for candidate in candidates:
        if len(chosen) == count:
            break
        read = pgn.read_raw_game(candidate.content) if isinstance(candidate.content, str) else candidate.content
        if isinstance(read, str):
            left_out[read] += 1
            continue
        game, moves_hash = read
        reason = _why_not(game, moves_hash in hashes, fits)
        if reason is not None:
            left_out[reason] += 1
            continue
        hashes.add(moves_hash)
        chosen.append(game)
    return chosen, dict(left_out)


def _why_not(game: Game, is_taken: bool, fits: Callable[[Game], str | None]) -> str | None:
    if not game.san:
        return pgn.NO_MOVES
    return DUPLICATE if is_taken else fits(game)


def _novelty(folder: Path, keys: list[str], progress: Progress) -> tuple[Mask | None, int | None]:
    """Which positions the train split lacks, and its size; None where it is empty."""
    games = _Counted((row.game for row in read_games(folder, "train")), "comparing with the train split", progress)
    known = occurring(keys, games)
    if games.number == 0:
        return None, None
    return np.array([key not in known for key in keys]), games.number


def _replayed(source: _Source, position: Position) -> tuple[chess.Board, chess.Move]:
    try:
        return replayed(position)
    except ValueError as error:
        raise InputError(f"{source.name}: game {position.game.id} isn't legal: {error}") from error


def _masks(groups: Sequence[tuple[str, ...]]) -> dict[str, Mask]:
    """Group -> which positions are in it; groups that would be empty are left out."""
    masks = {name: np.array([name in found for found in groups]) for name in GROUPS}
    return {name: mask for name, mask in masks.items() if mask.any()}


class _Counted(Generic[Item]):
    """Goes through items, counts them, and tells how far it is."""

    def __init__(self, items: Iterable[Item], what: str, progress: Progress) -> None:
        self.number = 0
        self._items = items
        self._what = what
        self._progress = progress

    def __iter__(self) -> Iterator[Item]:
        for item in self._items:
            self.number += 1
            if self.number % 1_000 == 0:
                self._progress(self._what, self.number, None)
            yield item
