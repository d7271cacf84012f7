"""The ledger of games that people played against models: one JSON line a game, appended whole.

Knows: what a line holds, how it is appended so that no process ever leaves half of one, and the tally by model.
Doesn't know: how a game is played or how a tally is shown.

Wins over people are claimed from here only, so a game counts in the tally only if a person typed it at a terminal,
from the start position, without hints, take-backs or changed seats, to its end; all others stand beside it, counted as
what they are.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from pydantic import Field, ValidationError

from chesslm.config import Section
from chesslm.errors import FormatError, OutputError
from chesslm.files import append_line, read_lines
from play.endings import Result, Termination
from play.inert_text import inert
from play.opponent import Policy

log = logging.getLogger(__name__)

FORMAT: Literal["chesslm-people/1"] = "chesslm-people/1"


class LedgerEntry(Section):
    """One game of a person against a model; a line of the ledger."""

    format: Literal["chesslm-people/1"] = FORMAT
    date: str = Field(description="when the game began, UTC, ISO 8601 to the second")
    version: str = Field(description="version of chesslm")
    model: str = Field(description="the model's name")
    digest: str | None = Field(description="sha256 (hex) of the model's weights; null for a player without weights")
    notation: str | None = Field(description="the model's notation; null for a player without one")
    policy: Policy | None = Field(description="how the model's probabilities became moves; null for a player without")
    person: Literal["white", "black"] = Field(description="the person's colour")
    typed: bool = Field(description="whether the moves came from a terminal, not from a pipe or a file")
    moves: tuple[str, ...] = Field(strict=False, description="UCI moves, from the start position")
    given_plies: int = Field(ge=0, description="plies at the beginning that were given, not played")
    result: Result = Field(description="* where nobody won and no draw was reached")
    termination: Termination = Field(description="why the game ended")
    hints: int = Field(ge=0, description="hints the person asked for")
    undos: int = Field(ge=0, description="times the person took moves back")
    changes: int = Field(default=0, ge=0, description="times somebody else sat down in a seat that had moved")

    @property
    def is_clean(self) -> bool:
        """Whether it counts: typed by a person, from the first move, without help, to its end."""
        return self.typed and self.result != "*" and not (self.given_plies or self.hints or self.undos or self.changes)

    @property
    def model_score(self) -> float:
        """1 where the model won, 0.5 for a draw, 0 where the person won; only for a game with a result."""
        score_of_white = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}[self.result]
        return score_of_white if self.person == "black" else 1.0 - score_of_white


@dataclass(frozen=True, slots=True)
class Tally:
    """Clean games of one model under one policy, from the model's side, and how many others there are.

    Args:
        model: name; `digest` and `policy` tell models of one name apart.
        others: games that don't count: helped, changed, from given moves, piped, or without a result.
    """

    model: str
    digest: str | None
    policy: Policy | None
    won: int
    drawn: int
    lost: int
    others: int


def default_ledger() -> Path:
    """Where games are kept unless another file is named: in the user's data folder, under the home folder."""
    return Path.home() / ".local" / "share" / "chesslm" / "games.jsonl"


def append_entry(path: Path, entry: LedgerEntry) -> None:
    """Append one game as one whole line and bring it to the disk; waits while another process appends.

    Raises:
        OutputError: the file can't be written; names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _mend_end(file, path)
            append_line(file, entry.model_dump(mode="json"))
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"can't write {inert(str(path))}: {error.strerror or error}") from error


def read_entries(path: Path) -> list[LedgerEntry]:
    """All games of a ledger; a torn last line is dropped with a warning.

    Raises:
        InputError: missing, or a line in the middle is torn; names file and line.
        FormatError: a line is something else; names file, line and what is wrong.
    """
    entries = []
    for number, payload in enumerate(read_lines(path), start=1):
        try:
            entries.append(LedgerEntry.model_validate(payload))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the line"
            raise FormatError(
                f"{inert(str(path))}, game {number}: not a line of a {FORMAT} ledger: {key}: {first['msg']}"
            ) from error
    return entries


def tallies(entries: Iterable[LedgerEntry]) -> list[Tally]:
    """One tally for each model, weights and policy, in the order of their first games."""
    groups: dict[tuple[str, str | None, Policy | None], list[LedgerEntry]] = {}
    for entry in entries:
        groups.setdefault((entry.model, entry.digest, entry.policy), []).append(entry)
    return [_tally(*key, games) for key, games in groups.items()]


def _tally(model: str, digest: str | None, policy: Policy | None, games: list[LedgerEntry]) -> Tally:
    scores = [game.model_score for game in games if game.is_clean]
    counts = {score: scores.count(score) for score in (1.0, 0.5, 0.0)}
    return Tally(model, digest, policy, counts[1.0], counts[0.5], counts[0.0], others=len(games) - len(scores))


def _mend_end(file: IO[bytes], path: Path) -> None:
    """Bring a file whose last line has no end into a state to append to: end a whole line, drop a torn one."""
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    if start == len(content):
        return
    try:
        json.loads(content[start:])
    except ValueError:
        log.warning("%s: dropped a torn last line", inert(str(path)))
        file.truncate(start)
    else:
        file.write(b"\n")
