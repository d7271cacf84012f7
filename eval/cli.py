"""The `chesslm eval` commands.

Knows: which commands there are, and the options of those that ask one question a position.
Doesn't know: how anything is measured; commands import their modules when they run, so that `chesslm --help` is quick.
"""

from __future__ import annotations

import typer

from eval.command import (
    ADevice,
    ASplit,
    Device,
    Force,
    Games,
    Json,
    Models,
    MoreModels,
    NoNew,
    Positions,
    Seed,
    check_output,
    hand_out,
    named_models,
    progress_bars,
)
from eval.legality_cli import legality
from eval.probe_cli import probe
from eval.strength_cli import ladder, sprt, strength
from eval.tactics_cli import tactics

app = typer.Typer(
    help="Measure models: legality, likelihood and tactics on held-out games, what their layers know, strength.",
    no_args_is_help=True,
    add_completion=False,
)
app.command()(strength)
app.command()(ladder)
app.command()(sprt)

app.command()(legality)
app.command()(tactics)
app.command()(probe)


@app.command()
def likelihood(
    games: Games,
    model: Models = None,
    more: MoreModels = None,
    positions: Positions = 2_000,
    seed: Seed = 0,
    split: ASplit = None,
    json: Json = None,
    force: Force = False,
    no_new: NoNew = False,
    device: ADevice = Device.AUTO,
) -> None:
    """How well models foresee whole games: nats a move, perplexities, tokens a move."""
    names = named_models(model, more)
    check_output(json, force=force)
    from eval.likelihood import measure_likelihood
    from eval.study import prepare_study

    with progress_bars() as progress:
        study = prepare_study(
            names,
            games,
            positions=positions,
            seed=seed,
            split=split.value if split else None,
            device=device.value,
            with_new=not no_new,
            progress=progress,
        )
        results = measure_likelihood(study, progress)
    hand_out(results, json)
