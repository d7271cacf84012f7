"""Maker of the vocabularies that ship with the package: `python -m data_prep.defaults DIR`.

Knows: which games they are learned from, and where package data lies.
Doesn't know: any notation. DIR is what `chesslm data prepare` makes of the embedded sample, so that anybody can make
the same bytes again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import chesslm
from chesslm.errors import ChesslmError, InputError
from chesslm.files import write_bytes
from chesslm.game_files import games_folder, smallest_hash_games
from chesslm.notation.registry import NOTATION_MODULES, build_notation
from data_prep.tokenise import VOCABULARY_GAMES

DEFAULTS = Path(chesslm.__file__).parent / "notation" / "defaults"


def make_defaults(prepared: Path, out: Path = DEFAULTS) -> dict[str, int]:
    """Write the resource files of every notation, one folder each, trained on the train games of smallest hash.

    Returns:
        the number of vocabulary entries by notation.

    Raises:
        InputError: no games folder, or no train games in it.
    """
    games = smallest_hash_games(games_folder(prepared), "train", VOCABULARY_GAMES)
    if not games:
        raise InputError(f"{prepared}: no train games to learn a vocabulary from")
    sizes = {}
    for name in NOTATION_MODULES:
        notation = build_notation(name, games)
        for file, content in notation.resources().items():
            write_bytes(out / name / file, content)
        sizes[name] = len(notation.vocabulary)
    return sizes


def main(
    prepared: Annotated[Path, typer.Argument(metavar="DIR", help="folder that `chesslm data prepare` made")],
) -> None:
    """Write the default vocabularies of all notations."""
    try:
        sizes = make_defaults(prepared)
    except ChesslmError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    for name, size in sizes.items():
        typer.echo(f"{name}: {size} entries")


if __name__ == "__main__":
    typer.run(main)
