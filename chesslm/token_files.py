"""Token files: the games of a split as one array of token ids, with the places of games and spellings.

Knows: the safetensors layout, its metadata, and how to open it without reading it whole.
Doesn't know: how games become tokens (`notation`, `data_prep.tokenise`) or batches (`batches`).

Layout of `<folder>/tokens/<notation>/`: `<split>-00000.safetensors …`, `vocabulary.json`, perhaps `tokenizer.json`,
`manifest.json`. Each file holds tokens u16[t], game_starts i64[n+1], ply_starts i64[p], ply_ends i64[p] (the spelling
alone), ply_game_starts i64[n+1] (where each game's plies begin), moves_hashes u64[n]; all offsets count from the file's
first token or ply.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from chesslm.errors import FormatError, InputError
from chesslm.files import write_whole

TOKENS_FORMAT = "chesslm-tokens/1"
_ARRAYS = {
    "tokens": np.uint16,
    "game_starts": np.int64,
    "ply_starts": np.int64,
    "ply_ends": np.int64,
    "ply_game_starts": np.int64,
    "moves_hashes": np.uint64,
}
# As safetensors orders them: large numbers first, then by name.
_ORDERED = dict(
    sorted(_ARRAYS.items(), key=lambda item: (-np.dtype(item[1]).itemsize, np.dtype(item[1]).kind != "u", item[0]))
)
_DTYPES: dict[Any, str] = {np.uint16: "U16", np.int64: "I64", np.uint64: "U64"}


@dataclass(frozen=True)
class TokenFile:
    """The arrays of one token file, as the module docstring names them."""

    tokens: npt.NDArray[np.uint16]
    game_starts: npt.NDArray[np.int64]
    ply_starts: npt.NDArray[np.int64]
    ply_ends: npt.NDArray[np.int64]
    ply_game_starts: npt.NDArray[np.int64]
    moves_hashes: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.moves_hashes)

    def game_tokens(self, index: int) -> npt.NDArray[np.uint16]:
        """Tokens of one game, begin to end."""
        return self.tokens[self.game_starts[index] : self.game_starts[index + 1]]

    def game_spans(self, index: int) -> npt.NDArray[np.int64]:
        """Spelling spans of one game, (plies, 2), counted from the game's first token."""
        plies = slice(self.ply_game_starts[index], self.ply_game_starts[index + 1])
        first = int(self.game_starts[index])
        spans: npt.NDArray[np.int64] = np.stack([self.ply_starts[plies] - first, self.ply_ends[plies] - first], axis=1)
        return spans


def token_file_name(split: str, index: int) -> str:
    """File name of one token file of a split."""
    return f"{split}-{index:05d}.safetensors"


def token_files(folder: Path, split: str) -> list[Path]:
    """The token files of a split in order; may be empty."""
    return sorted(folder.glob(f"{split}-*.safetensors"))


def write_token_file(path: Path, *contents: TokenFile, notation: str, fingerprint: str, games_digest: str) -> None:
    """Write one token file whole, of one content or of several, one behind the other, without joining them in memory.

    Raises:
        OutputError: no room, no permission; names the file.
    """
    metadata = {
        "format": TOKENS_FORMAT,
        "games_digest": games_digest,
        "notation": notation,
        "vocabulary_fingerprint": fingerprint,
    }

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(_header(contents, metadata))
            for name, kind in _ORDERED.items():
                for chunk in _chunks(contents, name):
                    file.write(np.ascontiguousarray(chunk, dtype=kind).data)

    write_whole(path, save)


def _header(contents: Sequence[TokenFile], metadata: dict[str, str]) -> bytes:
    """What a safetensors file begins with: length of the JSON (u64), then the JSON, padded to 8 bytes."""
    header: dict[str, Any] = {"__metadata__": metadata}
    begin = 0
    for name, kind in _ORDERED.items():
        length = sum(len(chunk) for chunk in _chunks(contents, name))
        end = begin + length * np.dtype(kind).itemsize
        header[name] = {"dtype": _DTYPES[kind], "shape": [length], "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _chunks(contents: Sequence[TokenFile], name: str) -> Iterator[npt.NDArray[Any]]:
    """One array of several contents as it stands in their common file."""
    counted = {"game_starts": "tokens", "ply_starts": "tokens", "ply_ends": "tokens", "ply_game_starts": "ply_starts"}
    has_end = name in ("game_starts", "ply_game_starts")
    if has_end:
        yield np.zeros(1, np.int64)
    shift = 0
    for content in contents:
        array = getattr(content, name)
        if name not in counted:
            yield array
            continue
        yield (array[1:] if has_end else array) + shift
        shift += len(getattr(content, counted[name]))


def read_token_file(path: Path, *, fingerprint: str | None = None, games_digest: str | None = None) -> TokenFile:
    """Read a token file and check that it is whole.

    Raises:
        InputError: missing or cut short.
        FormatError: not a token file, of another vocabulary than `fingerprint`, of other games than `games_digest`,
            or its offsets don't fit.
    """
    arrays = _read_arrays(path, tuple(_ARRAYS), fingerprint, games_digest)
    content = TokenFile(**arrays)
    _check_offsets(path, content)
    return content


def _read_arrays(
    path: Path, names: Sequence[str], fingerprint: str | None, games_digest: str | None
) -> dict[str, npt.NDArray[Any]]:
    """Some arrays of a token file that is whole and the one that was meant; raises as `read_token_file`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != TOKENS_FORMAT:
                raise FormatError(f"{path}: expected {TOKENS_FORMAT}, found {metadata.get('format')!r}")
            missing = sorted(set(_ARRAYS) - set(file.keys()))
            if missing:
                raise FormatError(f"{path}: no array {missing[0]!r}")
            arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a readable token file: {error}") from error
    found = metadata.get("vocabulary_fingerprint", "")
    if fingerprint is not None and found != fingerprint:
        raise FormatError(
            f"{path}: written with vocabulary {found[:12]}, but the vocabulary here is {fingerprint[:12]}"
        )
    found = metadata.get("games_digest", "")
    if games_digest is not None and found != games_digest:
        raise FormatError(f"{path}: written from games {found[:12]}, but the games folder is {games_digest[:12]}")
    for name in names:
        if arrays[name].dtype != _ARRAYS[name] or arrays[name].ndim != 1:
            raise FormatError(f"{path}: array {name!r} is {arrays[name].dtype}, expected {np.dtype(_ARRAYS[name])}")
    return arrays


@dataclass(frozen=True)
class MappedTokens:
    """A token file of which only games are asked for: their places are in memory, their tokens stay on the disk."""

    tokens: npt.NDArray[np.uint16]
    game_starts: npt.NDArray[np.int64]
    moves_hashes: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.moves_hashes)

    def game_tokens(self, index: int) -> npt.NDArray[np.uint16]:
        """Tokens of one game, begin to end."""
        return self.tokens[self.game_starts[index] : self.game_starts[index + 1]]


def map_token_file(path: Path, *, fingerprint: str | None = None, games_digest: str | None = None) -> MappedTokens:
    """Open a token file for its games alone: processes on one machine share what they read of it.

    Raises:
        InputError, FormatError: as `read_token_file`.
    """
    arrays = _read_arrays(path, ("game_starts", "moves_hashes"), fingerprint, games_digest)
    with path.open("rb") as file:
        header_len = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_len))["tokens"]
    count = int(entry["shape"][0])
    if entry["dtype"] != _DTYPES[np.uint16]:
        raise FormatError(f"{path}: array 'tokens' is {entry['dtype']}, expected {_DTYPES[np.uint16]}")
    # An empty file can't be mapped.
    begin = 8 + header_len + int(entry["data_offsets"][0])
    tokens = np.memmap(path, np.uint16, "r", begin, (count,)) if count else np.zeros(0, np.uint16)
    starts, hashes = arrays["game_starts"], arrays["moves_hashes"]
    if len(starts) != len(hashes) + 1 or starts[0] != 0 or starts[-1] != count or not _rises(starts):
        raise FormatError(f"{path}: its offsets don't fit its tokens")
    return MappedTokens(tokens, starts, hashes)


def _check_offsets(path: Path, content: TokenFile) -> None:
    starts, plies = content.game_starts, content.ply_game_starts
    ok = (
        len(starts) == len(plies) == len(content) + 1
        and starts[0] == 0
        and starts[-1] == len(content.tokens)
        and plies[0] == 0
        and plies[-1] == len(content.ply_starts) == len(content.ply_ends)
        and _rises(starts)
        and _rises(plies)
        and bool((content.ply_ends > content.ply_starts).all())
    )
    if not ok:
        raise FormatError(f"{path}: its offsets don't fit its tokens")


def _rises(values: npt.NDArray[np.int64]) -> bool:
    return bool((np.diff(values) >= 0).all())
