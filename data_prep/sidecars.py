"""What lies beside a dump and says what it should be: sha256sums.txt, counts.txt, or `<dump>.count`.

Knows: the formats of database.lichess.org: lines `<hex>  <file>` and `<file> <games>`; a `.count` file is a number.
Doesn't know: how a dump is read. A `.zst` that was cut between two frames can be told only by these.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

COUNTS, SUMS = "counts.txt", "sha256sums.txt"
_MAX_LEN = 1 << 22  # bytes of a sidecar that are read


def expected_games(path: str) -> int | None:
    """How many games a dump should have; None if nothing beside it says so."""
    own = _words(Path(f"{path}.count"))
    numbers = [words[0] for words in own if words]
    numbers += [
        words[1] for words in _words(Path(path).parent / COUNTS) if len(words) == 2 and words[0] == Path(path).name
    ]
    return next((int(number) for number in numbers if number.isascii() and number.isdigit()), None)


def expected_sha256(path: str) -> str | None:
    """The sha256 (hex, lower case) that a dump should have; None if nothing beside it says so."""
    for words in _words(Path(path).parent / SUMS):
        if len(words) == 2 and words[1].removeprefix("*") == Path(path).name and len(words[0]) == 64:
            return words[0].lower()
    return None


def _words(path: Path) -> Iterator[list[str]]:
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            lines = file.read(_MAX_LEN).decode("ascii", "replace").splitlines()
    except OSError:  # it is an extra; the dump itself can be read
        return
    yield from (line.split() for line in lines)
