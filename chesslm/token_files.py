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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from chesslm.errors import FormatError, InputError
from chesslm.files import write_whole

ScalarType = TypeVar("ScalarType", bound=np.generic)

TOKENS_FORMAT = "chesslm-tokens/1"
_ARRAYS = {
    "tokens": np.uint16,
    "game_starts": np.int64,
    "ply_starts": np.int64,
    "ply_ends": np.int64,
    "ply_game_starts": np.int64,
    "moves_hashes": np.uint64,
}


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


def write_token_file(path: Path, content: TokenFile, *, notation: str, fingerprint: str, games_digest: str) -> None:
    """Write one token file whole.

    Raises:
        OutputError: no room, no permission; names the file.
    """
    arrays = {name: np.ascontiguousarray(getattr(content, name), dtype=kind) for name, kind in _ARRAYS.items()}
    metadata = {
        "format": TOKENS_FORMAT,
        "notation": notation,
        "vocabulary_fingerprint": fingerprint,
        "games_digest": games_digest,
    }

    def save(temporary: Path) -> None:
        try:
            save_file(arrays, temporary, metadata=metadata)
        except SafetensorError as error:  # what safetensors makes of an operating system's error
            raise OSError(str(error)) from error
        _order_metadata(temporary)

    write_whole(path, save)


def read_token_file(path: Path, *, fingerprint: str | None = None, games_digest: str | None = None) -> TokenFile:
    """Read a token file and check that it is whole.

    Raises:
        InputError: missing or cut short.
        FormatError: not a token file, of another vocabulary than `fingerprint`, of other games than `games_digest`,
            or its offsets don't fit.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != TOKENS_FORMAT:
                raise FormatError(f"{path}: expected {TOKENS_FORMAT}, found {metadata.get('format')!r}")
            missing = sorted(set(_ARRAYS) - set(file.keys()))
            if missing:
                raise FormatError(f"{path}: no array {missing[0]!r}")
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
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
    for name, kind in _ARRAYS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != 1:
            raise FormatError(f"{path}: array {name!r} is {arrays[name].dtype}, expected {np.dtype(kind)}")
    content = TokenFile(**arrays)
    _check_offsets(path, content)
    return content


def _order_metadata(path: Path) -> None:
    """Sort what safetensors writes in no fixed order: equal games shall be equal bytes."""
    with path.open("rb+") as file:
        header_len = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_len))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, separators=(",", ":")).encode()
        assert len(ordered) <= header_len, "the same header in another order is as long"
        file.seek(8)
        file.write(ordered.ljust(header_len))


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


def join_token_files(contents: Sequence[TokenFile]) -> TokenFile:
    """Several token files as one, in order."""
    token_shift = np.cumsum([0, *(len(content.tokens) for content in contents)])
    ply_shift = np.cumsum([0, *(len(content.ply_starts) for content in contents)])
    zero = np.zeros(1, dtype=np.int64)
    pairs = list(zip(contents, token_shift, ply_shift, strict=False))
    return TokenFile(
        tokens=_concatenate([c.tokens for c in contents], np.uint16),
        game_starts=np.concatenate([zero, *(c.game_starts[1:] + t for c, t, _ in pairs)]),
        ply_starts=_concatenate([c.ply_starts + t for c, t, _ in pairs], np.int64),
        ply_ends=_concatenate([c.ply_ends + t for c, t, _ in pairs], np.int64),
        ply_game_starts=np.concatenate([zero, *(c.ply_game_starts[1:] + p for c, _, p in pairs)]),
        moves_hashes=_concatenate([c.moves_hashes for c in contents], np.uint64),
    )


def _concatenate(arrays: Sequence[npt.NDArray[ScalarType]], kind: type[ScalarType]) -> npt.NDArray[ScalarType]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=kind)
