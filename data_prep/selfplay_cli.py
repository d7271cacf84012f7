"""The command `chesslm data selfplay`.

Knows: its options, its progress bar and its closing table.
Doesn't know: how games are made (`selfplay`) or written (`selfplay_file`), which it imports when it runs.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data_prep.selfplay import SelfplayGame


def selfplay(
    out: Annotated[Path, typer.Option(help="the file to write, NAME.pgn.zst; must not exist")],
    games: Annotated[int, typer.Option(min=1, help="how many games")] = 12_000,
    seed: Annotated[int, typer.Option(help="decides every game, together with Stockfish's version")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="processes; the games are the same for any number")] = 2,
) -> None:
    """Make games with Stockfish, of mixed strengths and from varied openings, in the Lichess dumps' format."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from chesslm.uci_player import find_stockfish
    from data_prep.selfplay_file import SelfplaySeries, write_selfplay

    series = SelfplaySeries(stockfish=find_stockfish(), num_games=games, seed=seed)
    endings: Counter[str] = Counter()
    results: Counter[str] = Counter()
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("playing", total=games, speed="")

        def count(game: SelfplayGame) -> None:
            endings[game.ending] += 1
            results[game.result] += 1
            speed = progress.tasks[task].speed
            progress.update(task, advance=1, speed=f"{speed:.1f} games/s" if speed else "")

        write_selfplay(out, series, num_workers=workers, on_game=count)
    table = Table("ending", "games")
    for ending, number in endings.most_common():
        table.add_row(ending, f"{number:,}")
    for result, number in sorted(results.items()):
        table.add_row(result, f"{number:,}")
    Console().print(table)
    typer.echo(f"{out}: {games:,} games, {out.stat().st_size:,} bytes")
