"""The ladder: its rungs from weakest to strongest, the one that anchors it, and what was measured of it.

Knows: the order in which neighbours meet, and the shipped table.
Doesn't know: what a rung's name means (`rungs`) or how a table is measured (`strength_ladder`).

The anchor ties the scale to Stockfish's own: `UCI_Elo` 1350 is its weakest setting, which takes its move after one ply
of search, so that 5,000 nodes are more than it needs; it counts as 1350, though nobody calibrated it at a node count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import FormatError
from chesslm.files import digest_json
from eval.strength_records import StrengthResults, read_strength

LADDER: tuple[str, ...] = (
    "random",
    "random-capture/random=0.5",
    "random-capture",
    "material-1",
    "material-2/random=0.5",
    "stockfish@50/random=0.5",
    "stockfish@50/random=0.35",
    "material-2/random=0.25",
    "stockfish@50/random=0.25",
    "material-2",
    "stockfish@50/random=0.15",
    "stockfish@400/skill=0",
    "stockfish@5000/elo=1350",
    "stockfish@50/random=0.1",
    "stockfish@400/skill=10",
    "stockfish@50/random=0.05",
    "stockfish@50",
    "stockfish@400",
    "stockfish@1000",
)
ANCHOR = "stockfish@5000/elo=1350"
ANCHOR_ELO = 1350.0

DEFAULT_RUNGS: tuple[str, ...] = (
    "random",
    "random-capture",
    "material-1",
    "material-2/random=0.5",
    "stockfish@50/random=0.35",
    "stockfish@50/random=0.25",
    "material-2",
    "stockfish@50/random=0.15",
    "stockfish@50/random=0.1",
    "stockfish@50/random=0.05",
    "stockfish@50",
)
"""Whom models meet: all of these can be repeated, and the steps between them are about equal."""

SHIPPED = Path(__file__).resolve().parent / "ladder" / "ladder.json"


@dataclass(frozen=True, slots=True)
class Ladder:
    """A measured ladder.

    Args:
        results: its games and ratings.
        digest: sha256 (hex) of its canonical JSON.
        source: "shipped", or the file.
    """

    results: StrengthResults
    digest: str
    source: str


def load_ladder(path: Path | None = None) -> Ladder:
    """The shipped ladder, or the one in a file that `chesslm eval ladder --json` wrote.

    Raises:
        InputError: missing or not JSON.
        FormatError: not a ladder.
    """
    results = read_strength(path or SHIPPED)
    if results.kind != "ladder" or results.anchor is None:
        raise FormatError(f"{path or SHIPPED}: expected a ladder, found results of {results.kind}")
    return Ladder(results, digest_json(results.model_dump(mode="json")), str(path) if path else "shipped")
