"""`chesslm report`: runs and results files in, one page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="One page (HTML and Markdown) from run folders and results files.", add_completion=False)


@app.command()
def report(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="run folders, folders of matches, and results files of any kind (.json, or .jsonl with one a line)",
            metavar="RUN_OR_RESULTS...",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="folder of the report; an earlier report there is replaced, anything else is refused")
    ],
    samples: Annotated[bool, typer.Option(help="let the models of the run folders write sample games")] = True,
) -> None:
    """One page (HTML and Markdown) from run folders and results files."""
    from chesslm.checkpoints import load_model
    from eval.match_samples import match_samples
    from eval.report import check_report_folder, write_report
    from eval.report_inputs import labels_of, read_inputs
    from eval.sample_games import write_sample_games

    check_report_folder(out)
    read = read_inputs(inputs)
    written = []
    if samples:
        for curve, label in zip(read.curves, labels_of(read), strict=True):
            written.append((label, write_sample_games(load_model(str(curve.folder)))))
    write_report(out, read, written, [game for match in read.matches for game in match_samples(match)])
    print(f"{out / 'index.html'}\n{out / 'report.md'}")
