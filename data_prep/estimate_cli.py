"""The command `chesslm data estimate`.

Knows: its options, where the size of a dump comes from, how an estimate is shown.
Doesn't know: what is measured (`estimate`); modules are imported when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chesslm.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from data_prep.download_config import DownloadConfig
    from data_prep.estimate import Estimate, Speed

_BUSY_LOAD = 0.5  # processes that wanted a core before the run: from here on the time is too long


def estimate(
    months: Annotated[list[str] | None, typer.Argument(metavar="[YYYY-MM]...", help="which dumps")] = None,
    games: Annotated[int | None, typer.Option(min=1, help="instead of a month, offline: so many games")] = None,
    bytes_: Annotated[int | None, typer.Option("--bytes", min=1, help="and so many bytes, packed")] = None,
    variant: Annotated[str, typer.Option(help="standard, chess960, antichess, atomic, …")] = "standard",
    notation: Annotated[
        list[str] | None, typer.Option(help="notation to write tokens in; repeatable [default: pgn, english]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with the sections of prepare (and download)")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting, in TOML; repeatable")
    ] = None,
) -> None:
    """Say how long, how much memory and how much disk the preparation of a dump takes on this machine."""
    import tempfile

    from chesslm.config import load_config
    from chesslm.notation.registry import NOTATION_MODULES
    from data_prep.download_config import DownloadConfig
    from data_prep.estimate import estimate as carry_over
    from data_prep.estimate import measure_speed
    from data_prep.tables import show_tables

    if bool(months) == (games is not None or bytes_ is not None):
        raise ConfigError("give either months (such as 2024-01) or --games and --bytes")
    notations = notation or ["pgn", "english"]
    if unknown := set(notations) - set(NOTATION_MODULES):
        raise ConfigError(f"--notation {min(unknown)}: unknown; known: {', '.join(NOTATION_MODULES)}")
    settings = load_config(DownloadConfig, config, set_ or ())
    where = "given"
    if months:
        games, bytes_, where = _official(settings, variant, months)
    with tempfile.TemporaryDirectory(prefix="chesslm-") as scratch:
        speed = measure_speed(settings.preparation(), notations, Path(scratch))
    found = carry_over(speed, settings.preparation(), games=games, dump_bytes=bytes_)
    show_tables([_table(found, speed, where, is_counted=games is not None, is_sized=bytes_ is not None)])


def _official(settings: DownloadConfig, variant: str, months: list[str]) -> tuple[int | None, int | None, str]:
    """Games and packed bytes of some dumps, None where nobody says, and who says so."""
    from data_prep.download_client import Server
    from data_prep.download_index import choose, read_index

    base_url = settings.download.base_url
    with Server(settings.download) as server:
        dumps = choose(read_index(server, base_url, variant), months)
        sizes = [server.describe(dump.url).size for dump in dumps]
    counts = [dump.games for dump in dumps]
    games = None if None in counts else sum(count or 0 for count in counts)
    size = None if None in sizes else sum(size or 0 for size in sizes)
    if games is None and size is None:
        raise ConfigError(f"{base_url}: says neither games nor size of {', '.join(months)}; give --games or --bytes")
    return games, size, base_url


def _table(found: Estimate, speed: Speed, where: str, *, is_counted: bool, is_sized: bool) -> Table:
    from rich.table import Table

    made_up = "as made-up games have"
    table = Table("what", "estimate", "basis", title="an estimate, not a promise", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("games", f"{found.games:,}", where if is_counted else made_up)
    table.add_row("dump", _gigabytes(found.dump_bytes), where if is_sized else made_up, end_section=True)
    shortest, longest = sorted(found.seconds)
    table.add_row(
        "time",
        _duration(shortest)
        if _duration(shortest) == _duration(longest)
        else f"{_duration(shortest)} – {_duration(longest)}",
        f"measured now, with {speed.workers} workers, on {speed.games:,} made-up games: {1 / speed.game_s:,.0f} a "
        f"second after {speed.start_s:.1f} s; in proportion to games and to bytes; without the download"
        + (f"; the machine had other work (load average {speed.load:.1f})" if speed.load > _BUSY_LOAD else ""),
    )
    table.add_row(
        "memory",
        _gigabytes(found.memory_bytes),
        f"the peak of that run, {_gigabytes(speed.peak_bytes)}, and what the filter of duplicates remembers",
        end_section=True,
    )
    table.add_row("games folder", _gigabytes(found.games_bytes), "of that run, a game; if every game is kept")
    for name, size in found.token_bytes.items():
        table.add_row(f"tokens {name}", _gigabytes(size), "the same")
    table.add_row("disk in all", _gigabytes(found.disk_bytes), "dump, games and tokens")
    return table


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.2f} GB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
