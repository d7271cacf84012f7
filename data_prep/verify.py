"""`chesslm data verify`: whether a prepared folder holds what its manifests say.

Knows: every promise of a games folder and of token folders, and how to check it again from the files alone.
Doesn't know: how they were made.

Digests, counts and move hashes are checked for all games; a sample of games (or all) is replayed by python-chess move
by move and decoded from its tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import chess
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import sha256_file
from chesslm.game import RESULTS, SPLITS, moves_digest, moves_hash, split_of
from chesslm.game_files import games_digest, games_folder, read_manifest
from chesslm.notation.registry import load_notation
from chesslm.token_files import TokenFile, read_token_file, token_file_name, token_files
from data_prep.progress import ProgressLine
from data_prep.tokenise import RowGroup, read_rows, row_groups, token_manifests
from data_prep.workers import ordered_map

_SHARES = ("test_per_10000", "val_per_10000")  # as `split_of` names them


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order.

    Args:
        num_games: games whose digests, counts and hashes were checked.
        num_replayed: games that were replayed, and decoded in each notation.
        notations: names of the token folders.
        warnings: what the manifest says against its inputs.
    """

    num_games: int
    num_replayed: int
    notations: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class _Chosen(NamedTuple):
    """Rows of a row group to look at.

    Args:
        group: the row group.
        places: the rows, as places in the group, rising.
        first: the place of the group's first row in its part.
    """

    group: RowGroup
    places: tuple[int, ...]
    first: int


def verify(folder: Path, *, sample: int | None, seed: int, num_workers: int) -> Verified:
    """Check a prepared folder, with its progress on stderr; returns only if everything is in order.

    Args:
        folder: made by `chesslm data prepare`.
        sample: games to replay and decode, chosen with `seed`; None: all.
        seed: of the sample.
        num_workers: processes that replay.

    Raises:
        InputError: something is missing, cut short or unreadable.
        FormatError: something doesn't agree with its manifest; names the file.
    """
    games = games_folder(folder)
    manifest = read_manifest(games)
    _check_games_manifest(games, manifest)
    chosen = _choose(games, manifest["games"], sample, seed)
    num_chosen = sum(len(group.places) for group in chosen)
    work = partial(check_rows, shares=_shares(games, manifest))
    num_replayed = 0
    with ProgressLine("replay", num_chosen) as progress:
        for count in ordered_map(work, chosen, num_workers=num_workers):
            num_replayed += count
            progress.show(num_replayed, num_replayed)
    tokens = token_manifests(games)
    for name, tokens_manifest in tokens.items():
        with ProgressLine(f"tokens {name}", num_chosen) as progress:
            _check_tokens(games.parent / "tokens" / name, games, tokens_manifest, manifest["parts"], chosen, progress)
    return Verified(manifest["games"], num_replayed, tuple(tokens), tuple(map(str, manifest.get("warnings", ()))))


def check_rows(chosen: _Chosen, shares: dict[str, int]) -> int:
    """Replay chosen rows of a row group with python-chess; returns how many. Runs in worker processes.

    Raises:
        FormatError: a move isn't legal or not canonical, or hash, split or result don't fit.
    """
    if not chosen.places:
        return 0
    for row in read_rows(chosen.group, chosen.places):
        problem = _problem_of(row, shares)
        if problem is not None:
            raise FormatError(f"{chosen.group.path}: game {row['id']}: {problem}")
    return len(chosen.places)


def _problem_of(row: dict[str, Any], shares: dict[str, int]) -> str | None:
    board = chess.Board()
    uci = []
    for san in row["san"]:
        try:
            move = board.parse_san(san)
        except ValueError as error:
            return f"ply {board.ply()}: {error}"
        if not move or board.san(move) != san:
            return f"ply {board.ply()}: {san!r} is not canonical SAN"
        uci.append(move.uci())
        board.push(move)
    hash64 = moves_hash(moves_digest(uci))
    if hash64 != row["moves_hash"]:
        return "its moves hash is another one"
    if split_of(hash64, **shares) != row["split"]:
        return f"it doesn't belong to split {row['split']}"
    return None if row["result"] in RESULTS else f"{row['result']!r} is no result"


def _check_games_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    path = folder / "manifest.json"
    try:
        parts = manifest["parts"]
        num_games = sum(part["games"] for part in parts)
        kept, dropped, read = manifest["kept"], sum(manifest["dropped"].values()), manifest["read"]
        if not num_games == manifest["games"] == kept or kept + dropped != read:
            raise FormatError(f"{path}: its counts don't add up")
        if manifest["games_digest"] != games_digest(parts):
            raise FormatError(f"{path}: its games digest is not that of its parts")
        splits: Counter[str] = Counter()
        with ProgressLine("digests", num_games) as progress:
            num_checked = 0
            for part in parts:
                _check_digest(folder / part["file"], part["sha256"])
                found = _column(folder / part["file"], "split")
                if len(found) != part["games"]:
                    path = folder / part["file"]
                    raise FormatError(f"{path}: {len(found)} games, but the manifest says {part['games']}")
                splits.update(found)
                num_checked += len(found)
                progress.show(num_checked, num_checked)
        if any(splits[split] != manifest["splits"][split]["games"] for split in SPLITS):
            raise FormatError(f"{path}: its splits don't have the games that it says")
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path}: incomplete: {error!r}") from error


def _shares(folder: Path, manifest: dict[str, Any]) -> dict[str, int]:
    """The shares of the splits, as `split_of` takes them."""
    try:
        return {name: int(manifest["config"]["split"][name]) for name in _SHARES}
    except (KeyError, TypeError, ValueError) as error:
        wanted = " and ".join(f"config.split.{name}" for name in _SHARES)
        raise FormatError(f"{folder / 'manifest.json'}: incomplete: needs the numbers {wanted}") from error


def _choose(folder: Path, num_games: int, sample: int | None, seed: int) -> list[_Chosen]:
    num_chosen = num_games if sample is None else min(sample, num_games)
    places = np.sort(np.random.default_rng(seed).permutation(num_games)[:num_chosen])
    chosen: list[_Chosen] = []
    first = first_of_part = 0
    for group in row_groups(folder):
        if group.number == 0:
            first_of_part = first
        num_rows = pq.read_metadata(group.path).row_group(group.number).num_rows
        low, high = np.searchsorted(places, [first, first + num_rows])
        wanted = tuple(int(place) - first for place in places[low:high])
        chosen.append(_Chosen(group, wanted, first - first_of_part))
        first += num_rows
    return chosen


def _check_tokens(
    folder: Path,
    games: Path,
    manifest: dict[str, Any],
    parts: list[dict[str, Any]],
    chosen: list[_Chosen],
    progress: ProgressLine,
) -> None:
    notation = load_notation(folder.name, folder)
    fingerprint = notation.vocabulary.fingerprint
    if manifest.get("vocabulary_fingerprint") != fingerprint:
        raise FormatError(f"{folder}: its vocabulary is not the one that its manifest names")
    recorded = {entry["file"]: entry["sha256"] for entry in manifest["files"]}
    present = {path.name for split in SPLITS for path in token_files(folder, split)}
    for file in sorted(present ^ set(recorded)):
        raise FormatError(f"{folder / file}: {'not in the manifest' if file in present else 'missing'}")
    num_decoded = 0
    for part, entry in enumerate(parts):
        contents: dict[str, TokenFile] = {}
        for split in SPLITS:
            path = folder / token_file_name(split, part)
            if path.name in recorded:
                _check_digest(path, recorded[path.name])
                contents[split] = read_token_file(path, fingerprint=fingerprint)
        places = _check_hashes(folder, part, games / entry["file"], contents)
        for group, wanted, first in chosen:
            if group.part != part or not wanted:
                continue
            for place, row in zip(wanted, read_rows(group, wanted), strict=True):
                split = row["split"]
                game = notation.decode_game(contents[split].game_tokens(places[first + place]).tolist())
                if game.san != tuple(row["san"]) or game.result != row["result"]:
                    path = folder / token_file_name(split, part)
                    raise FormatError(f"{path}: the tokens of game {row['id']} are not that game")
            num_decoded += len(wanted)
            progress.show(num_decoded, num_decoded)


def _check_hashes(folder: Path, part: int, games_part: Path, contents: dict[str, TokenFile]) -> list[int]:
    """Compare the moves hashes of token files and games; the place of every game of a part in its token file."""
    hashes = np.array(_column(games_part, "moves_hash"), dtype=np.uint64)
    splits = np.array(_column(games_part, "split"))
    places = np.zeros(len(splits), np.int64)
    for split in SPLITS:
        expected = hashes[splits == split]
        found = contents[split].moves_hashes if split in contents else expected[:0]
        if not np.array_equal(expected, found):
            raise FormatError(f"{folder / token_file_name(split, part)}: doesn't hold the games of {games_part.name}")
        places[splits == split] = np.arange(len(expected))
    return [int(place) for place in places]


def _check_digest(path: Path, expected: str) -> None:
    try:
        found = sha256_file(path)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    if found != expected:
        raise FormatError(f"{path}: its sha256 is {found[:12]}…, but the manifest says {expected[:12]}…")


def _column(path: Path, name: str) -> list[Any]:
    try:
        values: list[Any] = pq.read_table(path, columns=[name])[name].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet part of games: {error}") from error
    return values
