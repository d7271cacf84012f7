"""The folder of a match: what is played there, and every game that has ended, as PGN.

Knows: `config.json`, `games.pgn`, that games are appended whole and durably, and how they are read back.
Doesn't know: how games are played.

    config.json   {"format": "chesslm-match/1", …}: all that decides the games; another configuration is refused
    games.pgn     a record a game: headers, blank line, movetext on lines without a blank one, blank line

`games.pgn` is the only record of what was played: a process that is stopped at any moment leaves whole games and at
most one torn one at the end, which is dropped.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast, get_args

from chesslm.errors import FormatError, InputError, OutputError
from chesslm.files import one_writer, read_json, require_utf8, write_json
from eval.adjudication import By, Result
from eval.match_game import Fixture, PlayedGame, Reason, header_text

log = logging.getLogger(__name__)

MATCH_FORMAT = "chesslm-match/1"
CONFIG_FILE = "config.json"
GAMES_FILE = "games.pgn"

_HEADER = re.compile(r'\[(\w+) "([^"]*)"\]')


class MatchLog:
    """The games of a match so far.

    Args:
        file: to append to; None keeps games in memory only.
        path: of that file, for messages.
        played: games of earlier processes by number.
    """

    def __init__(self, file: IO[bytes] | None, path: Path | None, played: dict[int, PlayedGame]) -> None:
        self._file = file
        self._path = path
        self.played = played
        self.num_found = len(played)

    def append(self, game: PlayedGame, pgn: str) -> None:
        """Add a game; it is on disk when this returns.

        Raises:
            OutputError: it can't be written.
        """
        if self._file is not None:
            try:
                self._file.write(pgn.encode())
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise OutputError(f"can't write {self._path}: {error.strerror or error}") from error
        self.played[game.fixture.number] = game


def in_memory() -> MatchLog:
    """A log without a file."""
    return MatchLog(None, None, {})


@contextmanager
def match_folder(folder: Path, config: Mapping[str, Any], fixtures: Mapping[int, Fixture]) -> Iterator[MatchLog]:
    """Hold a folder as the one writer of this match, with the games that it has already.

    Args:
        folder: made if it isn't there.
        config: JSON-able; all that decides the games.
        fixtures: all games of the match by number.

    Raises:
        OutputError: it holds another match or something else, another process writes it, or it can't be written.
        FormatError: its files are of another kind, or its games are not this match's.
    """
    require_same_match(folder, config)
    with one_writer(folder):
        require_same_match(folder, config)
        if not (folder / CONFIG_FILE).is_file():
            write_json(folder / CONFIG_FILE, {"format": MATCH_FORMAT, **config})
        path = folder / GAMES_FILE
        played = _read_games(path, fixtures)
        try:
            with path.open("ab") as file:
                yield MatchLog(file, path, played)
        except OSError as error:
            raise OutputError(f"can't write {path}: {error.strerror or error}") from error


def require_same_match(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder that holds anything but this match or nothing.

    Raises:
        OutputError, FormatError, InputError: as `match_folder`; names the first key that differs.
    """
    require_utf8(folder)
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"can't use {folder}: {error.strerror or error}") from error
    if CONFIG_FILE not in names:
        strangers = [name for name in names if name != "lock"]
        if strangers:
            raise OutputError(f"{folder} exists and is no match (it holds {strangers[0]}); choose another --out")
        return
    found = read_json(folder / CONFIG_FILE)
    kind = found.get("format") if isinstance(found, dict) else type(found).__name__
    if kind != MATCH_FORMAT:
        raise FormatError(f"{folder / CONFIG_FILE}: expected {MATCH_FORMAT}, found {kind!r}")
    own = {"format": MATCH_FORMAT, **config}
    for key in [*own, *(key for key in found if key not in own)]:
        if own.get(key) != found.get(key):
            there, here = _short(found.get(key)), _short(own.get(key))
            raise OutputError(
                f"{folder} holds another match: {key} is {there} there, {here} here; choose another --out"
            )


def read_pgn_records(content: bytes) -> tuple[list[str], int]:
    """The whole records of a games file, and how many bytes they take; what follows is torn."""
    parts = content.split(b"\n\n")
    # What stands behind the last blank line belongs to no whole record.
    num_whole = (len(parts) - 1) // 2
    whole = [parts[2 * index] + b"\n\n" + parts[2 * index + 1] for index in range(num_whole)]
    return [record.decode(errors="replace") for record in whole], sum(len(record) + 2 for record in whole)


def _read_games(path: Path, fixtures: Mapping[int, Fixture]) -> dict[int, PlayedGame]:
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    records, length = read_pgn_records(content)
    if length < len(content):
        log.warning("%s: dropped a torn last game", path)
        with path.open("rb+") as file:
            file.truncate(length)
    played = {}
    for number, record in enumerate(records, start=1):
        game = _played_game(dict(_HEADER.findall(record.partition("\n\n")[0])), fixtures)
        if game is None:
            raise FormatError(f"{path}, game {number}: not a game of this match")
        played[game.fixture.number] = game
    return played


def _played_game(headers: Mapping[str, str], fixtures: Mapping[int, Fixture]) -> PlayedGame | None:
    try:
        fixture = fixtures[int(headers["Round"]) - 1]
        result, reason, by = headers["Result"], headers["Reason"], headers["AdjudicatedBy"] or None
        players = (headers["White"], headers["Black"])
        game = PlayedGame(
            fixture,
            cast(Result, result),
            cast(Reason, reason),
            headers["Note"],
            cast(By | None, by),
            int(headers["PlyCount"]),
            headers["MovesDigest"],
        )
    except (KeyError, ValueError):
        return None
    is_known = result in get_args(Result) and reason in get_args(Reason) and (by is None or by in get_args(By))
    return game if is_known and players == (header_text(fixture.white), header_text(fixture.black)) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
