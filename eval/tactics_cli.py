"""The command `chesslm eval tactics`.

Knows: its options. Doesn't know: how anything is measured (`tactics`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.command import (
    ADevice,
    ASplit,
    Controls,
    Device,
    Force,
    Games,
    Json,
    Models,
    MoreModels,
    Seed,
    check_output,
    hand_out,
    named_models,
    progress_bars,
)

Count = Annotated[
    int, typer.Option("--positions", min=1, help="mates in one, and puzzles, each of another game; fewer if there are")
]
Puzzles = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Lichess's puzzle file, .csv or .csv.zst; the games need their Lichess ids",
        show_default=False,
    ),
]


def tactics(
    games: Games,
    model: Models = None,
    more: MoreModels = None,
    puzzles: Puzzles = None,
    positions: Count = 2_000,
    seed: Seed = 0,
    split: ASplit = None,
    json: Json = None,
    force: Force = False,
    controls: Controls = False,
    device: ADevice = Device.AUTO,
) -> None:
    """How often models see a mate in one in held-out games, and solve puzzles after reading the real game."""
    names = named_models(model, more)
    check_output(json, force=force)
    from eval.tactics import measure_tactics, prepare_tactics

    with progress_bars() as progress:
        prepared = prepare_tactics(
            names,
            games,
            positions=positions,
            seed=seed,
            puzzles=puzzles,
            split=split.value if split else None,
            device=device.value,
            with_controls=controls,
            progress=progress,
        )
        results = measure_tactics(prepared, progress)
    hand_out(results, json)
