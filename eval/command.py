"""What the `chesslm eval` commands share: options that mean the same everywhere, and where results and progress go.

Knows: typer's view of models, games and results files; that a mistake is found before any work.
Doesn't know: commands, or how anything is measured.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chesslm.errors import InputError, OutputError
from eval.documents import is_lines, require_results_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from eval.positions import Progress
    from eval.records import Results

# Tables aren't squeezed into 80 columns where nobody looks at a terminal.
_WIDTH_OF_A_FILE = 150


class Split(StrEnum):
    """Held-out splits of a games folder."""

    TEST = "test"
    VAL = "val"


class Device(StrEnum):
    """Where models are run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME_OR_PATH", help="checkpoint, run folder or shipped name; repeatable"),
]
MoreModels = Annotated[list[str] | None, typer.Argument(metavar="[NAME_OR_PATH]...", help="further models")]
Games = Annotated[
    Path, typer.Option(metavar="PGN_OR_DIR", help="a folder made by `chesslm data prepare`, or a PGN file")
]
Positions = Annotated[int, typer.Option(min=1, help="positions, each of another game; fewer if there are fewer games")]
Seed = Annotated[int, typer.Option(min=0, help="chooses games and plies, and seeds the intervals")]
Json = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="OUT.json", help="write the results here, as typed records; OUT.jsonl grows by a line"
    ),
]
Force = Annotated[bool, typer.Option("--force", help="replace an existing results file")]
ASplit = Annotated[Split | None, typer.Option("--split", help="split of the folder [default: test]")]
ADevice = Annotated[Device, typer.Option("--device", help="where the models are run")]
NoNew = Annotated[bool, typer.Option("--no-new", help="leave out the positions that the train split lacks")]
Controls = Annotated[
    bool, typer.Option("--controls", help="measure untrained weights and uniformly random tokens, too")
]


def named_models(model: list[str] | None, more: list[str] | None) -> list[str]:
    """`--model A --model B` and `--model A B` mean the same."""
    names = [*(model or []), *(more or [])]
    if not names:
        raise InputError("--model: name at least one checkpoint, run folder or shipped model")
    return names


def check_output(path: Path | None, *, force: bool, option: str = "--json") -> None:
    """Before any work: nothing is overwritten unless it was asked for, and the file can be written."""
    if path is None:
        return
    try:
        if path.is_dir():
            raise OutputError(f"{option} {path}: is a folder")
        if option == "--json" and is_lines(path):
            require_results_lines(path)
        elif path.exists() and not force:
            raise OutputError(f"{option} {path}: exists already; --force replaces it")
        # Folders that lack are made when the file is written; asking leaves none behind.
        parent = next(folder for folder in path.absolute().parents if folder.exists())
    except OSError as error:
        raise OutputError(f"{option} {path}: {error.strerror or error}") from error
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{option} {path}: can't write into {parent}")


def hand_out(results: Results, path: Path | None) -> None:
    """Tables and file of results."""
    from eval.records import write_results
    from eval.tables import summary, tables

    print_and_write(lambda: (summary(results), tables(results)), lambda file: write_results(file, results), path)


def print_and_write(
    shown: Callable[[], tuple[Text, Iterable[Table]]],
    write: Callable[[Path], None],
    path: Path | None,
    *,
    games: Path | None = None,
) -> None:
    """Tables and file, neither lost by the other: not by a full disk, nor by a closed pipe.

    Args:
        shown: makes the sentence above the tables, and the tables.
        write: writes the results file.
        path: here, or nowhere.
        games: where games have been kept; for the last lines.
    """
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
    try:
        said, tables = shown()
        console.print(said, soft_wrap=True)
        for table in tables:
            console.print()
            console.print(table)
    finally:
        if path is not None:
            write(path)
    files = {what: file for what, file in {"games": games, "results": path}.items() if file is not None}
    if files:
        console.print()
    for what, file in files.items():
        console.print(f"{what}: {file}", markup=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on a terminal's stderr, one a stage; nothing elsewhere, so that a failure is the only line there."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        # Labels of models come from outside: no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    stages: dict[str, TaskID] = {}
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def show(what: str, done: int, total: int | None) -> None:
            if what not in stages:
                stages[what] = bars.add_task(what, total=total)
            bars.update(stages[what], completed=done, total=total)

        yield show
