"""A games folder -> the token files of one notation.

Knows: which games a vocabulary is trained on, how games become arrays, the token folder's manifest.
Doesn't know: any notation; how token files are laid out (`chesslm.token_files`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import read_json, sha256_file, write_bytes, write_json
from chesslm.game import SPLITS, Game
from chesslm.game_files import read_manifest, smallest_hash_games
from chesslm.notation import Notation
from chesslm.notation.registry import build_notation, load_notation
from chesslm.token_files import TOKENS_FORMAT, TokenFile, join_token_files, token_file_name, write_token_file
from data_prep.manifest import provenance
from data_prep.progress import ProgressLine
from data_prep.workers import ordered_map

VOCABULARY_GAMES = 20_000  # train games of smallest hash that a vocabulary is trained on


class RowGroup(NamedTuple):
    """Some games of a games folder: one row group of one part."""

    part: int
    path: str
    number: int


@dataclass(slots=True)
class _Arrays:
    """Growing arrays of one split; see `chesslm.token_files`."""

    tokens: array[int] = field(default_factory=lambda: array("H"))
    game_starts: array[int] = field(default_factory=lambda: array("q", [0]))
    ply_starts: array[int] = field(default_factory=lambda: array("q"))
    ply_ends: array[int] = field(default_factory=lambda: array("q"))
    ply_game_starts: array[int] = field(default_factory=lambda: array("q", [0]))
    moves_hashes: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, notation: Notation, game: Game, moves_hash: int) -> None:
        first = len(self.tokens)
        encoded = notation.encode_game(game)
        self.tokens.extend(encoded.ids)
        self.game_starts.append(len(self.tokens))
        self.ply_starts.extend([first + start for start, _ in encoded.spans])
        self.ply_ends.extend([first + end for _, end in encoded.spans])
        self.ply_game_starts.append(len(self.ply_starts))
        self.moves_hashes.append(moves_hash)

    def content(self) -> TokenFile:
        return TokenFile(
            tokens=np.array(self.tokens, dtype=np.uint16),
            game_starts=np.array(self.game_starts, dtype=np.int64),
            ply_starts=np.array(self.ply_starts, dtype=np.int64),
            ply_ends=np.array(self.ply_ends, dtype=np.int64),
            ply_game_starts=np.array(self.ply_game_starts, dtype=np.int64),
            moves_hashes=np.array(self.moves_hashes, dtype=np.uint64),
        )


def tokenise(games_folder: Path, out: Path, name: str, *, num_workers: int, progress: ProgressLine) -> None:
    """Write the token folder of one notation; one file a split and part of the games folder.

    Args:
        games_folder: a whole games folder.
        out: exists and is empty; the manifest is written last.
        name: the notation.
        num_workers: processes; no byte depends on it.
        progress: counts games.

    Raises:
        InputError: a part of the games can't be read.
        OutputError: a token file can't be written.
    """
    games_manifest = read_manifest(games_folder)
    digest = games_manifest["games_digest"]
    notation = build_notation(name, _vocabulary_games(games_folder))
    for file, resource in notation.resources().items():
        write_bytes(out / file, resource)
    fingerprint = notation.vocabulary.fingerprint
    files: list[dict[str, Any]] = []
    splits = {split: {"games": 0, "plies": 0, "tokens": 0} for split in SPLITS}
    longest = 0
    groups = row_groups(games_folder)
    encode = partial(encode_rows, name=name, folder=str(out), fingerprint=fingerprint)
    encoded = zip(groups, ordered_map(encode, groups, num_workers=num_workers), strict=True)
    num_done = 0
    for part, pairs in groupby(encoded, key=lambda pair: pair[0].part):
        contents: dict[str, list[TokenFile]] = {split: [] for split in SPLITS}
        for _, by_split in pairs:
            for split, content in by_split.items():
                contents[split].append(content)
                num_done += len(content)
            progress.show(num_done, num_done)
        for split in SPLITS:
            if not contents[split]:
                continue
            content = join_token_files(contents[split])
            path = out / token_file_name(split, part)
            write_token_file(path, content, notation=name, fingerprint=fingerprint, games_digest=digest)
            counts = {"games": len(content), "plies": len(content.ply_starts), "tokens": len(content.tokens)}
            files.append({"file": path.name, "split": split, **counts, "sha256": sha256_file(path)})
            splits[split] = {key: splits[split][key] + count for key, count in counts.items()}
            longest = max(longest, int(np.diff(content.game_starts).max()))
    num_tokens, num_plies = (sum(counts[key] for counts in splits.values()) for key in ("tokens", "plies"))
    manifest = {
        "format": TOKENS_FORMAT,
        "notation": name,
        "games_digest": digest,
        "vocabulary_len": len(notation.vocabulary),
        "vocabulary_fingerprint": fingerprint,
        "tokens_per_move": round(num_tokens / max(num_plies, 1), 6),
        "longest_game_tokens": longest,
        "splits": splits,
        "files": files,
    }
    write_json(out / "manifest.json", manifest | provenance())


def read_tokens_manifest(folder: Path, *, games_digest: str) -> dict[str, Any]:
    """The manifest of a token folder.

    Raises:
        InputError: missing or not JSON.
        FormatError: of another format, or made from other games than `games_digest` says.
    """
    manifest = read_json(folder / "manifest.json")
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != TOKENS_FORMAT:
        raise FormatError(f"{folder / 'manifest.json'}: expected {TOKENS_FORMAT}, found {found!r}")
    if manifest.get("games_digest") != games_digest:
        raise FormatError(
            f"{folder}: made from games {str(manifest.get('games_digest'))[:12]}, but the games are {games_digest[:12]}"
        )
    return dict(manifest)


def token_manifests(games_folder: Path) -> dict[str, dict[str, Any]]:
    """The manifests of all token folders that belong to a games folder, by notation.

    Raises:
        FormatError: one was made from other games.
    """
    tokens = games_folder.parent / "tokens"
    digest = read_manifest(games_folder)["games_digest"]
    names = sorted(path.name for path in tokens.iterdir() if not path.name.startswith(".")) if tokens.is_dir() else []
    return {name: read_tokens_manifest(tokens / name, games_digest=digest) for name in names}


def row_groups(games_folder: Path) -> list[RowGroup]:
    """All row groups of a games folder, in order.

    Raises:
        InputError: a part is missing or not Parquet.
    """
    groups: list[RowGroup] = []
    for part, entry in enumerate(read_manifest(games_folder)["parts"]):
        path = games_folder / entry["file"]
        try:
            num_groups = pq.read_metadata(path).num_row_groups
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a readable Parquet part of games: {error}") from error
        groups.extend(RowGroup(part, str(path), number) for number in range(num_groups))
    return groups


def read_rows(group: RowGroup) -> list[dict[str, Any]]:
    """The rows of a row group with the columns that a game has.

    Raises:
        InputError: they can't be read.
    """
    try:
        with pq.ParquetFile(group.path) as file:
            table = file.read_row_group(group.number, columns=["id", "san", "result", "split", "moves_hash"])
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{group.path}: not a readable Parquet part of games: {error}") from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def encode_rows(group: RowGroup, *, name: str, folder: str, fingerprint: str) -> dict[str, TokenFile]:
    """The games of a row group as arrays, split by split; runs in worker processes."""
    notation = _loaded_notation(name, folder, fingerprint)
    by_split: dict[str, _Arrays] = {}
    for row in read_rows(group):
        game = Game(row["id"], tuple(row["san"]), row["result"])
        by_split.setdefault(row["split"], _Arrays()).add(notation, game, row["moves_hash"])
    return {split: arrays.content() for split, arrays in by_split.items()}


@lru_cache(maxsize=1)
def _loaded_notation(name: str, folder: str, fingerprint: str) -> Notation:
    notation = load_notation(name, Path(folder))
    assert notation.vocabulary.fingerprint == fingerprint, "a notation's resources don't bring it back"
    return notation


def _vocabulary_games(games_folder: Path) -> Iterator[Game]:
    """Read only if a notation trains its vocabulary."""
    yield from smallest_hash_games(games_folder, "train", VOCABULARY_GAMES)
