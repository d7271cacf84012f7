"""The command `chesslm eval probe`.

Knows: its options. Doesn't know: how anything is measured (`probe`) or drawn (`probe_figure`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chesslm.errors import OutputError
from eval.command import (
    ADevice,
    ASplit,
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

PICTURES = (".png", ".svg", ".pdf")

Count = Annotated[
    int, typer.Option("--positions", min=1, help="positions, five a game; fewer if there are fewer games")
]
Plot = Annotated[
    Path | None, typer.Option(metavar="PICTURE", help="draw a heat map here: .png, .svg or .pdf", show_default=False)
]


def probe(
    games: Games,
    model: Models = None,
    more: MoreModels = None,
    positions: Count = 5_000,
    seed: Seed = 0,
    split: ASplit = None,
    json: Json = None,
    plot: Plot = None,
    force: Force = False,
    device: ADevice = Device.AUTO,
) -> None:
    """What linear probes read off a model's activations about the board, layer by layer, and off an untrained one's."""
    names = named_models(model, more)
    check_output(json, force=force)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise OutputError(f"--plot {plot}: not a picture named {', '.join(PICTURES)}")
    check_output(plot, force=force, option="--plot")
    from chesslm.files import write_bytes
    from eval.probe import measure_probe, prepare_probe

    with progress_bars() as progress:
        study = prepare_probe(
            names,
            games,
            positions=positions,
            seed=seed,
            split=split.value if split else None,
            device=device.value,
            progress=progress,
        )
        results = measure_probe(study, progress)
    hand_out(results, json)
    if plot is not None:
        from eval.probe_figure import draw_probes

        write_bytes(plot, draw_probes(results, file_format=plot.suffix.lower()[1:]))
