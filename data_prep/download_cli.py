"""The command `chesslm data download`.

Knows: its options, which of them go together, what is printed.
Doesn't know: how anything is done; modules are imported when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chesslm.errors import ConfigError

if TYPE_CHECKING:
    from data_prep.download_client import Server
    from data_prep.download_config import DownloadConfig
    from data_prep.download_index import Dump

_CONNECTIONS = 4  # at once, to ask for sizes


def download(
    months: Annotated[list[str] | None, typer.Argument(metavar="[YYYY-MM]...", help="which dumps")] = None,
    list_: Annotated[bool, typer.Option("--list", help="show what there is, of these months or of all")] = False,
    variant: Annotated[str, typer.Option(help="standard, chess960, antichess, atomic, …")] = "standard",
    out: Annotated[Path, typer.Option(help="folder for the files; with --stream, the folder to prepare")] = Path(),
    stream: Annotated[bool, typer.Option("--stream", help="prepare straight from the network, keep no dump")] = False,
    max_games: Annotated[int | None, typer.Option(min=1, help="with --stream: only the dump's first games")] = None,
    notation: Annotated[
        list[str] | None,
        typer.Option(help="with --stream: notation to write tokens in; repeatable [default: pgn, english]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the section download (and those of prepare)")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting, in TOML; repeatable")
    ] = None,
) -> None:
    """Download dumps from database.lichess.org or a mirror, or prepare one straight from there."""
    from chesslm.config import load_config
    from data_prep.download_client import Server
    from data_prep.download_config import DownloadConfig
    from data_prep.download_index import choose, read_index

    if not stream and (max_games is not None or notation):
        raise ConfigError(f"{'--max-games' if max_games is not None else '--notation'} goes with --stream")
    if not list_ and not months:
        raise ConfigError("no month given (such as 2013-01); --list shows which there are")
    if stream and (list_ or len(set(months or ())) > 1):
        raise ConfigError("--stream takes one month")
    settings = load_config(DownloadConfig, config, set_ or ())
    with Server(settings.download) as server:
        dumps = read_index(server, settings.download.base_url, variant)
        dumps = choose(dumps, months) if months else dumps
        if list_:
            _show_list(server, dumps, out)
        elif not stream:
            _download(server, dumps, out, settings)
    if stream:
        _stream(dumps[0], out, settings, max_games, notation)


def _show_list(server: Server, dumps: list[Dump], folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from rich.table import Table

    from data_prep.tables import show_tables

    with ThreadPoolExecutor(_CONNECTIONS) as executor:
        remotes = list(executor.map(server.describe, [dump.url for dump in dumps]))
    table = Table("month", "games", "GB", "file", "checksum", "here")
    for column in table.columns[1:3]:
        column.justify = "right"
    for dump, remote in zip(dumps, remotes, strict=True):
        table.add_row(
            dump.month,
            "?" if dump.games is None else f"{dump.games:,}",
            "?" if remote.size is None else f"{remote.size / 1e9:,.2f}",
            dump.name,
            "no" if dump.sha256 is None else "yes",
            "yes" if (folder / dump.name).exists() else "no",
        )
    show_tables([table])


def _download(server: Server, dumps: list[Dump], folder: Path, settings: DownloadConfig) -> None:
    from data_prep.download import download as run

    done = run(server, dumps, folder, require_checksum=settings.download.require_checksum)
    for dump, file in zip(dumps, done, strict=True):
        games = "" if dump.games is None else f", {dump.games:,} games"
        checked = "not checked" if dump.sha256 is None else "sha256 right"
        how = f"{file.received:,} received" if file.received else "was there"
        typer.echo(f"{file.path}: {file.size:,} bytes ({how}), {checked}{games}")


def _stream(dump: Dump, out: Path, settings: DownloadConfig, max_games: int | None, notation: list[str] | None) -> None:
    from data_prep.download_stream import DumpPipe
    from data_prep.prepare import prepare
    from data_prep.tables import prepared_tables, show_tables

    with DumpPipe(settings.download, dump, max_games=max_games) as pipe:
        done = prepare([str(pipe.path)], out, notation or ["pgn", "english"], settings.preparation())
    show_tables(prepared_tables(done))
    read = done.games["read"]
    whole = "all of its games" if max_games is None or read < max_games else f"only its first {read:,} games"
    typer.echo(f"{out}: prepared from {dump.url}: {whole}" + ("" if dump.games is None else f" of {dump.games:,}"))
