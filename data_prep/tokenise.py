"""A games folder -> the token files of one notation.

Knows: which games a vocabulary is trained on, how games become arrays, the token folder's manifest.
Doesn't know: any notation; how token files are laid out (`chesslm.token_files`).
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import read_json, sha256_file, write_bytes, write_json
from chesslm.game import SPLITS, Game
from chesslm.game_files import read_manifest, smallest_hash_games
from chesslm.notation import Notation
from chesslm.notation.registry import build_notation, load_notation
from chesslm.token_files import TOKENS_FORMAT, TokenFile, token_file_name, write_token_file
from data_prep.journal import JOURNAL, JOURNAL_FORMAT, Journal
from data_prep.manifest import provenance
from data_prep.ply_pieces import PieceWriter, writes_ply_by_ply
from data_prep.progress import ProgressLine
from data_prep.workers import ordered_map, ordered_map_in_threads

VOCABULARY_GAMES = 20_000  # train games of smallest hash that a vocabulary is trained on
_COLUMNS = ["id", "san", "result", "split", "moves_hash"]
_ENCODED_COLUMNS = _COLUMNS[1:]
_COUNTED = ("games", "plies", "tokens")


class Part(NamedTuple):
    """A part of a games folder."""

    number: int
    path: str


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

    Parts that an earlier process has written, and the journal in the folder names, are kept if they are whole.

    Args:
        games_folder: a whole games folder.
        out: exists; the manifest is written last.
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
    fingerprint = notation.vocabulary.fingerprint
    header = {"format": JOURNAL_FORMAT, "notation": name, "games_digest": digest, "vocabulary_fingerprint": fingerprint}
    journal = Journal(out, header | provenance())
    _keep_whole(out, journal)
    for file, resource in notation.resources().items():
        write_bytes(out / file, resource)
    parts = [Part(number, str(games_folder / entry["file"])) for number, entry in enumerate(games_manifest["parts"])]
    encode = partial(encode_part, name=name, folder=str(out), fingerprint=fingerprint, games_digest=digest)
    num_done = sum(file["games"] for entry in journal.entries for file in entry["files"])
    left = parts[len(journal.entries) :]
    run = ordered_map
    if writes_ply_by_ply(notation):
        run = ordered_map_in_threads
        _encoder(name, str(out), fingerprint)  # made once, for all threads
    for entry in run(encode, left, num_workers=max(1, min(num_workers, len(left)))):
        journal.append(entry)
        num_done += sum(file["games"] for file in entry["files"])
        progress.show(num_done, num_done)
    files = [file for entry in journal.entries for file in entry["files"]]
    splits = {
        split: {key: sum(file[key] for file in files if file["split"] == split) for key in _COUNTED} for split in SPLITS
    }
    num_tokens, num_plies = (sum(counts[key] for counts in splits.values()) for key in ("tokens", "plies"))
    manifest = {
        "format": TOKENS_FORMAT,
        "notation": name,
        "games_digest": digest,
        "vocabulary_len": len(notation.vocabulary),
        "vocabulary_fingerprint": fingerprint,
        "tokens_per_move": round(num_tokens / max(num_plies, 1), 6),
        "longest_game_tokens": max((entry["longest_game_tokens"] for entry in journal.entries), default=0),
        "splits": splits,
        "files": files,
    }
    write_json(out / "manifest.json", manifest | provenance())


def _keep_whole(folder: Path, journal: Journal) -> None:
    """Take over the parts that an earlier process has on disk, as far as they are whole, and remove all else."""
    num_whole = 0
    for entry in journal.entries:
        if not all(_is_whole(folder / file["file"], file["sha256"]) for file in entry["files"]):
            break
        num_whole += 1
    journal.keep(num_whole)
    known = {file["file"] for entry in journal.entries for file in entry["files"]}
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in known | {JOURNAL}:
            path.unlink()


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) == sha256


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


def read_rows(group: RowGroup, places: Sequence[int]) -> list[dict[str, Any]]:
    """Some rows of a row group with the columns that a game has.

    Raises:
        InputError: they can't be read.
    """
    try:
        with pq.ParquetFile(group.path) as file:
            table = file.read_row_group(group.number, columns=_COLUMNS)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{group.path}: not a readable Parquet part of games: {error}") from error
    rows: list[dict[str, Any]] = table.take(pa.array(places, pa.int64())).to_pylist()
    return rows


def encode_part(part: Part, *, name: str, folder: str, fingerprint: str, games_digest: str) -> dict[str, Any]:
    """Write the token files of a part; the journal's entry about them. Runs in worker threads or processes.

    Raises:
        InputError: the part can't be read.
        FormatError: a game of it is none.
        OutputError: a token file can't be written.
    """
    encode = _encoder(name, folder, fingerprint)
    contents: dict[str, list[TokenFile]] = {split: [] for split in SPLITS}
    for table in _row_groups_of(part):
        splits = table["split"].combine_chunks().to_numpy(zero_copy_only=False)
        selections = [np.flatnonzero(splits == split) for split in SPLITS]
        try:
            encoded = encode(table, selections)
        except ValueError as error:
            raise FormatError(f"{part.path}: not the games that data prepare writes: {error}") from error
        for split, content in zip(SPLITS, encoded, strict=True):
            contents[split] += [content] * (len(content) > 0)
    files: list[dict[str, Any]] = []
    longest = 0
    for split in SPLITS:
        of_split = contents.pop(split)
        if not of_split:
            continue
        path = Path(folder) / token_file_name(split, part.number)
        write_token_file(path, *of_split, notation=name, fingerprint=fingerprint, games_digest=games_digest)
        counts = {
            "games": sum(map(len, of_split)),
            "plies": sum(len(content.ply_starts) for content in of_split),
            "tokens": sum(len(content.tokens) for content in of_split),
        }
        files.append({"file": path.name, "split": split, **counts, "sha256": sha256_file(path)})
        longest = max(longest, *(int(np.diff(content.game_starts).max()) for content in of_split))
    return {"files": files, "longest_game_tokens": longest}


def _row_groups_of(part: Part) -> Iterator[pa.Table]:
    """The row groups of a part with what tokens are made of; each column is one chunk, SANs are a dictionary."""
    try:
        with pq.ParquetFile(part.path, read_dictionary=["san.list.element"]) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=_ENCODED_COLUMNS, use_threads=False).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{part.path}: not a readable Parquet part of games: {error}") from error


_Encode: TypeAlias = Callable[[pa.Table, Sequence[npt.NDArray[np.int64]]], list[TokenFile]]


@lru_cache(maxsize=1)
def _encoder(name: str, folder: str, fingerprint: str) -> _Encode:
    """What writes rows of a table as tokens: ply by ply, or game by game where the wording depends on plies before."""
    notation = load_notation(name, Path(folder))
    assert notation.vocabulary.fingerprint == fingerprint, "a notation's resources don't bring it back"
    if writes_ply_by_ply(notation):
        return PieceWriter(notation).encode

    def encode(table: pa.Table, selections: Sequence[npt.NDArray[np.int64]]) -> list[TokenFile]:
        rows = table.to_pylist()
        contents = []
        for selection in selections:
            arrays = _Arrays()
            for row in map(rows.__getitem__, selection.tolist()):
                arrays.add(notation, Game("", tuple(row["san"]), row["result"]), row["moves_hash"])
            contents.append(arrays.content())
        return contents

    return encode


def _vocabulary_games(games_folder: Path) -> Iterator[Game]:
    """Read only if a notation trains its vocabulary."""
    yield from smallest_hash_games(games_folder, "train", VOCABULARY_GAMES)
