"""`chesslm report`: runs and results files in, one page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="One page (HTML and Markdown) from run folders and results files.", add_completion=False)


@app.command()
def report(
    inputs: Annotated[
        list[Path], typer.Argument(help="run folders and results files (JSON)", metavar="RUN_OR_RESULTS...")
    ],
    out: Annotated[Path, typer.Option(help="folder of the report; its files are replaced")],
    samples: Annotated[bool, typer.Option(help="let the models of the run folders write sample games")] = True,
) -> None:
    """One page (HTML and Markdown) from run folders and results files."""
    from chesslm.checkpoints import load_model
    from eval.report import labels_of, read_inputs, write_report
    from eval.sample_games import write_sample_games

    read = read_inputs(inputs)
    written = []
    if samples:
        for curve, label in zip(read.curves, labels_of(read.curves, read.results), strict=True):
            written.append((label, write_sample_games(load_model(str(curve.folder)))))
    write_report(out, read, written)
    print(f"{out / 'index.html'}\n{out / 'report.md'}")
