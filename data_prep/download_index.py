"""The official list of dumps: months, addresses, game counts, checksums.

Knows: the three small text files that lie beside the dumps of a variant, and their lines: list.txt has an address a
line, counts.txt `<file> <games>`, sha256sums.txt `<hex>  <file>`.
Doesn't know: HTTP (`download_client`), or what is in a dump.

Lines of another form are passed over: these are other people's files, and grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chesslm.errors import InputError

LIST, COUNTS, CHECKSUMS = "list.txt", "counts.txt", "sha256sums.txt"
_VARIANT = re.compile(r"[A-Za-z0-9_-]+")
_DUMP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*_(?P<month>\d{4}-\d{2})\.pgn\.zst")
_CHECKSUM = re.compile(r"[0-9a-fA-F]{64}")


class TextServer(Protocol):
    """Where small files come from; `download_client.Server` is one."""

    def text(self, url: str) -> str | None:
        """A file as text; None if it isn't there."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One file of the list.

    Args:
        name: the file's own name.
        month: YYYY-MM.
        url: where it is.
        games: games in it; None if counts.txt doesn't say.
        sha256: hex; None if sha256sums.txt doesn't say.
    """

    name: str
    month: str
    url: str
    games: int | None
    sha256: str | None


def read_index(server: TextServer, base_url: str, variant: str) -> list[Dump]:
    """All dumps of a variant, oldest first.

    Addresses are made from `base_url`, whatever the list says: a mirror's list is mostly a copy.

    Raises:
        InputError: there is no list, or no dump in it.
    """
    if _VARIANT.fullmatch(variant) is None:
        raise InputError(f"--variant {variant}: no name of a variant (standard, chess960, antichess, …)")
    folder = f"{base_url.rstrip('/')}/{variant}"
    listed = server.text(f"{folder}/{LIST}")
    if listed is None:
        raise InputError(f"{folder}/{LIST}: not there; is --variant {variant} right?")
    counts = parse_counts(server.text(f"{folder}/{COUNTS}") or "")
    checksums = parse_checksums(server.text(f"{folder}/{CHECKSUMS}") or "")
    names = {line.strip().rsplit("/", 1)[-1] for line in listed.splitlines()}
    dumps = [
        Dump(name, match["month"], f"{folder}/{name}", counts.get(name), checksums.get(name))
        for name in names
        if (match := _DUMP.fullmatch(name)) is not None
    ]
    if not dumps:
        raise InputError(f"{folder}/{LIST}: no dump in it")
    return sorted(dumps, key=lambda dump: (dump.month, dump.name))


def choose(dumps: Sequence[Dump], months: Iterable[str]) -> list[Dump]:
    """The dumps of some months, in the order asked for, each once.

    Raises:
        InputError: there is none of a month.
    """
    chosen = []
    for month in dict.fromkeys(months):
        found = [dump for dump in dumps if dump.month == month]
        if not found:
            raise InputError(f"no dump of {month}; there are {dumps[0].month} to {dumps[-1].month} (--list shows them)")
        chosen.extend(found)
    return chosen


def parse_counts(text: str) -> dict[str, int]:
    r"""counts.txt: file -> games.

    >>> parse_counts("a_2013-01.pgn.zst 121332\n")
    {'a_2013-01.pgn.zst': 121332}
    """
    return {name: int(count) for name, count in _pairs(text) if count.isdecimal()}


def parse_checksums(text: str) -> dict[str, str]:
    """sha256sums.txt: file -> sha256 in small hex letters. A star before the name says that the file is binary."""
    return {name.lstrip("*"): digest.lower() for digest, name in _pairs(text) if _CHECKSUM.fullmatch(digest)}


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = [line.split() for line in text.splitlines()]
    return [(words[0], words[1]) for words in lines if len(words) == 2]
