"""The `chesslm models` command: the shipped models, and how a trained one becomes one.

Knows: its options and its table.
Doesn't know: files of models (`shipping`); torch is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List the models that come with the package, or export a trained one in their form.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the models that come with the package: every command takes their names as --model."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from chesslm.checkpoints import SHIPPED_FOLDER
    from chesslm.shipping import CARD_FILE, list_shipped

    found = list_shipped()
    console = Console(highlight=False)
    if not found:
        console.print("No models are shipped with this version; train one (`chesslm train`) and give its folder.")
        return
    table = Table(box=None)
    for heading in ("name", "notation", "weights", "games", "tokens", "file"):
        table.add_column(heading, justify="left" if heading in ("name", "notation") else "right")
    for model in found:
        table.add_row(
            model.name,
            model.notation,
            f"{model.num_params:,}",
            f"{model.games_seen:,}",
            f"{model.tokens_seen:,}",
            f"{model.num_bytes / 1e6:.1f} MB",
        )
    console.print(table)
    console.print(f"Model cards: {SHIPPED_FOLDER}/<name>/{CARD_FILE}", soft_wrap=True, markup=False)


@app.command()
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="checkpoint folder or run folder")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to be made; its name is the model's name")],
) -> None:
    """Write a trained model as a shipped one: weights in half precision, configuration, vocabulary, model card."""
    from chesslm.shipping import export as write

    typer.echo(f"{write(model, out)}: written")


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder that `chesslm models export` made")],
    measured: Annotated[
        list[Path] | None,
        typer.Option(
            "--measured", metavar="RESULTS.json", help="`--json` of `chesslm eval` with this model; repeatable"
        ),
    ] = None,
) -> None:
    """Write an exported model's card anew, with what was measured of it."""
    from chesslm.shipping import write_card

    typer.echo(f"{write_card(folder, measured or ())}: written")
