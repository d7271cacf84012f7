"""Tables for people: what was kept, what was dropped and why, what a prepared folder holds.

Knows: rich tables, and how hostile header text is made harmless for a terminal.
Doesn't know: how any number came about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from chesslm.game import RESULTS, SPLITS
from data_prep.stats import UNKNOWN, GameStats, bucket_label

if TYPE_CHECKING:
    from data_prep.prepare import Prepared

_TOP = 10  # rows of a table of the most frequent


def printable(text: str, max_len: int = 120) -> Text:
    """Hostile text for a terminal: no markup, no control characters or escapes, not too long."""
    shown = "".join(character if character.isprintable() else "?" for character in text[: max_len + 1])
    return Text(shown if len(shown) <= max_len else shown[: max_len - 1] + "…")


def show_tables(tables: Iterable[RenderableType]) -> None:
    """Print on standard output, a blank line between tables."""
    console = Console(highlight=False)
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(table)


def reasons_table(manifest: dict[str, Any], elapsed_s: float | None = None) -> Table:
    """Read, kept, each reason; the speed if the time is given."""
    table = Table("games", "count", "share", title="what became of the games", title_justify="left")
    _right_align(table, 1, 2)
    read = manifest["read"]
    table.add_row("read", f"{read:,}", "")
    table.add_row("kept", f"{manifest['kept']:,}", _share(manifest["kept"], read), end_section=True)
    for reason, count in manifest["dropped"].items():
        table.add_row(Text(f"dropped: {reason}"), f"{count:,}", _share(count, read))
    table.add_section()
    for name, count in manifest["corrections"].items():
        table.add_row(Text(name), f"{count:,}", "")
    if elapsed_s is not None:
        table.add_section()
        table.add_row("seconds", f"{elapsed_s:,.1f}", "")
        table.add_row("games read a second", f"{read / max(elapsed_s, 1e-9):,.0f}", "")
    return table


def splits_table(manifest: dict[str, Any]) -> Table:
    """Games and plies of each split."""
    table = Table("split", "games", "plies", title="splits", title_justify="left")
    _right_align(table, 1, 2)
    for split in SPLITS:
        counts = manifest["splits"][split]
        table.add_row(split, f"{counts['games']:,}", f"{counts['plies']:,}")
    return table


def tokens_table(manifests: dict[str, dict[str, Any]], elapsed_s: dict[str, float] | None = None) -> Table:
    """One column a notation: tokens of each split, tokens a move, vocabulary, longest game."""
    table = Table("tokens", *manifests, title="tokens", title_justify="left")
    _right_align(table, *range(1, len(manifests) + 1))
    for split in SPLITS:
        table.add_row(split, *(f"{manifest['splits'][split]['tokens']:,}" for manifest in manifests.values()))
    table.add_section()
    table.add_row("tokens a move", *(f"{manifest['tokens_per_move']:.3f}" for manifest in manifests.values()))
    table.add_row("vocabulary", *(f"{manifest['vocabulary_len']:,}" for manifest in manifests.values()))
    table.add_row("longest game", *(f"{manifest['longest_game_tokens']:,}" for manifest in manifests.values()))
    if elapsed_s:
        table.add_row("seconds", *(f"{elapsed_s[name]:,.1f}" if name in elapsed_s else "-" for name in manifests))
    return table


def prepared_tables(done: Prepared) -> list[Table]:
    """What `prepare` did, with its speed."""
    return [
        reasons_table(done.games, done.games_s),
        splits_table(done.games),
        tokens_table(done.tokens, done.tokens_s),
    ]


def stats_tables(stats: GameStats) -> list[Table]:
    """Lengths, ratings, results, speeds and first plies of the kept games."""
    num_games = stats.results.total()
    results = Counter({result: stats.results[result] for result in RESULTS if stats.results[result]})
    return [
        _counts_table("results", "result", results.items(), num_games),
        _counts_table(
            "game length",
            "plies",
            ((bucket_label(low, 20), n) for low, n in sorted(stats.lengths(20).items())),
            num_games,
        ),
        _counts_table(
            "ratings (both players)",
            "points",
            [
                *((bucket_label(low, 200), n) for low, n in sorted(stats.ratings(200).items())),
                (UNKNOWN, stats.elos[None]),
            ],
            2 * num_games,
        ),
        _counts_table("speed", "class", stats.time_classes.most_common(), num_games),
        _counts_table("first plies", "moves", stats.first_plies.most_common(_TOP), num_games),
    ]


def _counts_table(title: str, what: str, counts: Iterable[tuple[str, int]], total: int) -> Table:
    table = Table(what, "count", "share", title=title, title_justify="left")
    _right_align(table, 1, 2)
    for name, count in counts:
        table.add_row(Text(name), f"{count:,}", _share(count, total))
    return table


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.2f} %" if total else ""


def _right_align(table: Table, *columns: int) -> None:
    for column in columns:
        table.columns[column].justify = "right"
