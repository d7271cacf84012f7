"""What a games folder holds: lengths, ratings, results, speeds, first plies; as counts and as a picture.

Knows: which counts describe a collection of games.
Doesn't know: how they are printed (`tables`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chesslm.errors import InputError
from chesslm.files import write_whole
from chesslm.game_files import read_manifest
from data_prep.filters import time_class

UNKNOWN = "unknown"
NUM_FIRST_PLIES = 2  # White's first move and the reply


@dataclass(slots=True)
class GameStats:
    """Counts over all games of a folder.

    Args:
        manifest: the folder's manifest, which has the reasons.
        num_plies: plies of a game -> games.
        elos: rating -> players; None for players without one.
        results, time_classes, first_plies: value -> games.
    """

    manifest: dict[str, Any]
    num_plies: Counter[int] = field(default_factory=Counter)
    elos: Counter[int | None] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    time_classes: Counter[str] = field(default_factory=Counter)
    first_plies: Counter[str] = field(default_factory=Counter)

    def lengths(self, width: int) -> Counter[int]:
        """Games by their plies in buckets of `width`; keys are the buckets' lower ends."""
        return _buckets(self.num_plies, width)

    def ratings(self, width: int) -> Counter[int]:
        """Rated players by points in buckets of `width`; keys are the buckets' lower ends."""
        return _buckets(Counter({elo: n for elo, n in self.elos.items() if elo is not None}), width)


def bucket_label(low: int, width: int) -> str:
    """How a bucket is named.

    >>> bucket_label(40, 20)
    '40-59'
    """
    return f"{low}-{low + width - 1}"


def count_games(folder: Path) -> GameStats:
    """Count the games of a games folder, a part at a time.

    Raises:
        InputError: a part is missing or not Parquet; names it.
    """
    stats = GameStats(read_manifest(folder))
    for part in stats.manifest["parts"]:
        path = folder / part["file"]
        try:
            table = pq.read_table(path, columns=["san", "result", "white_elo", "black_elo", "time_control"])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a readable Parquet part of games: {error}") from error
        stats.num_plies.update(_counted(pc.list_value_length(table["san"])))
        stats.results.update(_counted(table["result"]))
        for column in ("white_elo", "black_elo"):
            stats.elos.update(_counted(table[column]))
        for control, count in _counted(table["time_control"]).items():
            stats.time_classes[time_class(control or "") or UNKNOWN] += count
        first = pc.binary_join(pc.list_slice(table["san"], 0, NUM_FIRST_PLIES), " ")
        stats.first_plies.update(_counted(first))
    return stats


def draw(stats: GameStats, path: Path) -> None:
    """A picture of the counts, written whole; its suffix decides the format (PNG, SVG, PDF).

    Raises:
        InputError: no such picture format.
        OutputError: the file can't be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    formats = FigureCanvasAgg(figure).get_supported_filetypes()
    kind = path.suffix[1:].lower()
    if kind not in formats:
        raise InputError(f"--plot {path}: no picture format {path.suffix!r}; try .png or .svg")
    axes = figure.subplots(2, 3)
    manifest = stats.manifest
    figure.suptitle(f"{manifest['kept']:,} games kept of {manifest['read']:,} read, {manifest['plies']:,} plies")
    _draw_buckets(axes[0, 0], stats.lengths(5), 5, "game length", "plies", "games")
    _draw_buckets(axes[0, 1], stats.ratings(50), 50, "ratings, both players", "points", "players")
    _draw_bars(axes[0, 2], stats.results.most_common(), "results")
    _draw_bars(axes[1, 0], stats.first_plies.most_common(12), "first plies")
    _draw_bars(axes[1, 1], stats.time_classes.most_common(), "speed")
    _draw_bars(axes[1, 2], list(manifest["dropped"].items()), "dropped games")
    # No date inside: the same games give the same picture.
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else None
    write_whole(path, lambda temporary: figure.savefig(temporary, format=kind, dpi=120, metadata=metadata))


def _counted(column: Any) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _buckets(counts: Counter[int], width: int) -> Counter[int]:
    buckets: Counter[int] = Counter()
    for value, count in counts.items():
        buckets[value - value % width] += count
    return buckets


def _draw_buckets(axes: Any, buckets: Counter[int], width: int, title: str, what: str, whose: str) -> None:
    axes.bar(list(buckets), list(buckets.values()), width=width, align="edge")
    axes.set_title(title)
    axes.set_xlabel(what)
    axes.set_ylabel(whose)


def _draw_bars(axes: Any, counts: list[tuple[str, int]], title: str) -> None:
    names = [name.replace("$", r"\$") for name, _ in counts]  # no formulas in labels
    bars = axes.barh(names, [count for _, count in counts])
    axes.bar_label(bars, fmt="{:,.0f}", padding=2)
    axes.margins(x=0.2)  # room for the labels
    axes.invert_yaxis()
    axes.set_title(title)
    axes.set_xlabel("games")
