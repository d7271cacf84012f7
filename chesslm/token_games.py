"""The games of a split as training reads them: chosen by hash, their tokens left on the disk until a step needs them.

Knows: which games a run trains on, and that they must fit whole.
Doesn't know: in which order and how many at a time (`batches`), or the layout of the files (`token_files`).

Each process maps the files and reads only the rows of its own share of a step; in memory it holds some 60 bytes a game.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chesslm.errors import ConfigError, InputError
from chesslm.token_files import MappedTokens, TokenFile, map_token_file, token_files

Indices = npt.NDArray[np.int64]


class TokenGames:
    """The games of one split as tokens, smallest moves hash first.

    Games of equal hash (equal moves; only where duplicates were kept) stand in the order of the files.

    Args:
        contents: the token files, read or mapped.
        max_games: keep the games of smallest hash, these many; all if None.
    """

    def __init__(self, contents: Sequence[TokenFile | MappedTokens], max_games: int | None = None) -> None:
        self._contents = tuple(contents)
        file_of = np.repeat(np.arange(len(contents), dtype=np.int32), [len(content) for content in contents])
        game_of = _join([np.arange(len(content)) for content in contents])
        hashes = np.concatenate([np.zeros(0, np.uint64), *(content.moves_hashes for content in contents)])
        order = np.argsort(hashes, kind="stable")[:max_games]
        self._file_of = file_of[order]
        self._game_of = game_of[order]
        self.moves_hashes: npt.NDArray[np.uint64] = hashes[order]
        self.lens: Indices = _join([np.diff(content.game_starts) for content in contents])[order]
        """Tokens of each game, begin and end included."""

    def __len__(self) -> int:
        return len(self.lens)

    def game_tokens(self, index: int) -> npt.NDArray[np.uint16]:
        """Token ids of one game, begin to end."""
        content = self._contents[int(self._file_of[index])]
        return content.game_tokens(int(self._game_of[index]))


def read_token_games(
    folder: Path,
    split: str,
    *,
    fingerprint: str,
    games_digest: str,
    max_games: int | None = None,
    or_fewer: bool = False,
) -> TokenGames:
    """The games of a split from a folder of token files.

    Args:
        folder: `<data>/tokens/<notation>`.
        split: train, val or test.
        fingerprint: of the vocabulary that the files must have been written with.
        games_digest: of the games folder that the files must have been written from.
        max_games: as in `TokenGames`.
        or_fewer: if there are fewer games than that, take those.

    Raises:
        InputError: no such files, a file that is cut short, or no games in them.
        FormatError: files of another vocabulary or of other games.
        ConfigError: fewer games than `max_games`, and not `or_fewer`.
    """
    paths = token_files(folder, split)
    if not paths:
        raise InputError(f"{folder}: no {split} token files; make them with `chesslm data prepare`")
    contents = [map_token_file(path, fingerprint=fingerprint, games_digest=games_digest) for path in paths]
    games = TokenGames(contents, max_games)
    if not len(games):
        raise InputError(f"{folder}: the {split} split has no games")
    if max_games is not None and len(games) < max_games and not or_fewer:
        raise ConfigError(f"data.max_games is {max_games}, but {folder} has only {len(games)} {split} games")
    return games


def require_fit(games: TokenGames, *, context_len: int, tokens_per_micro_batch: int) -> None:
    """Refuse train games that don't fit whole, before anything is trained: a game is never cut.

    Raises:
        ConfigError: names the key that is too small and the longest game.
    """
    index = int(games.lens.argmax())
    longest = int(games.lens[index])
    told = f"the longest train game has {longest} tokens (moves hash {int(games.moves_hashes[index]):016x})"
    if longest > context_len:
        raise ConfigError(f"model.context_len is {context_len}, but {told}")
    if longest - 1 > tokens_per_micro_batch:
        raise ConfigError(f"training.tokens_per_micro_batch is {tokens_per_micro_batch}, but {told}")


def _join(arrays: Sequence[Indices]) -> Indices:
    return np.concatenate([np.zeros(0, np.int64), *arrays])
