"""The `chesslm data` commands.

Knows: options, what is printed where.
Doesn't know: how anything is done; each command imports its module when it runs, so that `chesslm --help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_prep.download_cli import download
from data_prep.estimate_cli import estimate
from data_prep.selfplay_cli import selfplay

app = typer.Typer(
    help="From PGN dumps to games and tokens: download, estimate, prepare, stats, verify, show, selfplay.",
    no_args_is_help=True,
    add_completion=False,
)

_DEFAULT_NOTATIONS = ["pgn", "english"]


@app.command()
def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help=".pgn, .pgn.zst, .pgn.gz, .pgn.bz2 files, or - for standard input"),
    ],
    out: Annotated[Path, typer.Option(help="folder to make; an existing one of the same inputs and settings goes on")],
    notation: Annotated[
        list[str] | None, typer.Option(help="notation to write tokens in; repeatable [default: pgn, english]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with the sections data, filters, split")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting, in TOML; repeatable")
    ] = None,
) -> None:
    """Filter and replay games, and write them as Parquet and as tokens."""
    from chesslm.config import load_config
    from data_prep.config import PrepareConfig
    from data_prep.prepare import prepare as run
    from data_prep.tables import prepared_tables, show_tables

    settings = load_config(PrepareConfig, config, set_ or ())
    done = run(inputs, out, notation or _DEFAULT_NOTATIONS, settings)
    if done.games_s is None and not done.tokens_s:
        typer.echo(f"{out}: already done, nothing to do")
        return
    show_tables(prepared_tables(done))


@app.command()
def stats(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a prepared folder")],
    plot: Annotated[Path | None, typer.Option(help="also draw a picture (.png, .svg, .pdf)")] = None,
) -> None:
    """Show what a prepared folder holds: lengths, ratings, results, first plies, reasons of dropped games."""
    from chesslm.game_files import games_folder
    from data_prep.stats import count_games, draw
    from data_prep.tables import reasons_table, show_tables, splits_table, stats_tables, tokens_table
    from data_prep.tokenise import token_manifests

    games = games_folder(folder)
    counted = count_games(games)
    if plot is not None:
        draw(counted, plot)
    tables = [reasons_table(counted.manifest), splits_table(counted.manifest), *stats_tables(counted)]
    tokens = token_manifests(games)
    show_tables([*tables, tokens_table(tokens)] if tokens else tables)
    if plot is not None:
        typer.echo(f"picture: {plot}")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a prepared folder")],
    full: Annotated[bool, typer.Option("--full", help="replay and decode every game, not only a sample")] = False,
    sample: Annotated[int, typer.Option(min=1, help="games to replay and decode")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="chooses the sample")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, max=1_024, help="processes; one a CPU core if absent")] = None,
) -> None:
    """Check a prepared folder against its manifests: digests, counts, legality, tokens."""
    from data_prep.config import DataSection
    from data_prep.tables import printable
    from data_prep.verify import verify as run

    num_workers = DataSection(workers=workers).num_workers
    found = run(folder, sample=None if full else sample, seed=seed, num_workers=num_workers)
    typer.echo(
        f"{folder}: in order: {found.num_games:,} games by digest and count, {found.num_replayed:,} replayed"
        + (f" and decoded from {', '.join(found.notations)}" if found.notations else "")
    )
    for warning in found.warnings:
        typer.echo(f"warning: {printable(warning).plain}")


@app.command()
def show(
    game: Annotated[str, typer.Argument(metavar="MOVES|PGN|DIR", help="movetext, a PGN file or a prepared folder")],
    notation: Annotated[list[str] | None, typer.Option(help="notation to show; repeatable [default: pgn]")] = None,
    number: Annotated[int, typer.Option("--game", min=0, help="which game of a file or folder, from 0")] = 0,
    vocabulary: Annotated[
        Path | None, typer.Option(help="token folder or checkpoint whose vocabulary to use, not the default one")
    ] = None,
) -> None:
    """Show a game ply by ply, as text and as tokens side by side."""
    from data_prep.show import find_game, game_table, notation_for
    from data_prep.tables import show_tables

    shown = find_game(game, number)
    show_tables([game_table(notation_for(name, game, vocabulary), shown) for name in notation or ["pgn"]])


app.command()(download)
app.command()(estimate)
app.command()(selfplay)
