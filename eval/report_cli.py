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
    readme: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="write a table, one row a model, between this file's results marks, too"),
    ] = None,
    made_by: Annotated[str, typer.Option(metavar="COMMAND", help="printed under that table")] = "",
) -> None:
    """One page (HTML and Markdown) from run folders and results files."""
    from chesslm.checkpoints import load_model
    from eval.match_samples import match_samples
    from eval.report import check_report_folder, write_report
    from eval.report_inputs import labels_of, read_inputs
    from eval.results_table import require_marks, results_table, write_between_marks
    from eval.sample_games import write_sample_games

    check_report_folder(out)
    if readme is not None:
        require_marks(readme)
    read = read_inputs(inputs)
    table = None if readme is None else results_table(read, made_by)
    written = []
    if samples:
        for curve, label in zip(read.curves, labels_of(read), strict=True):
            written.append((label, write_sample_games(load_model(str(curve.folder)))))
    write_report(out, read, written, [game for match in read.matches for game in match_samples(match)])
    if readme is not None and table is not None:
        write_between_marks(readme, table)
    print(f"{out / 'index.html'}\n{out / 'report.md'}")
