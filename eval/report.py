"""The report: one self-contained HTML page and its Markdown twin, from run folders and results files.

Knows: what the page says in which order, which files a report has, and in which order they are written.
Doesn't know: what may be compared (`report_inputs`), how numbers are written (`report_tables`, `report_sections`,
`report_strength`), measured or drawn (`figures`, `probe_figure`), or where games come from (`sample_games`,
`match_samples`).

Everything in the page comes from files that name what they are; texts from outside are escaped by Jinja.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chess
import chess.svg
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import chesslm
from chesslm.errors import InputError, OutputError
from chesslm.files import read_json, write_bytes, write_json
from eval.figures import colour_of, elo_ladder, learning_curves, legality_by_ply
from eval.match_samples import MatchGame
from eval.probe_figure import draw_probes
from eval.report_inputs import ReportInputs, labels_of
from eval.report_sections import definition_sections, part_sections, probe_rows, tactics_sections
from eval.report_strength import ladder_marks, strength_notes, strength_tables
from eval.report_tables import control_rows, definitions, kind_rows, plain_table, result_rows, summary
from eval.sample_games import SampleGame
from eval.tables import NOTHING

REPORT_FORMAT = "chesslm-report/1"
MARKER = "report.json"


def check_report_folder(out: Path) -> None:
    """Before any work: a folder is only written into if it is new, empty, or a report's already.

    Raises:
        OutputError: it holds something else, isn't a folder or can't be read; names it.
    """
    try:
        # What a process killed while writing the marker leaves behind is ours, too.
        if not out.exists() or (out.is_dir() and all(path.name.startswith(f".{MARKER}.") for path in out.iterdir())):
            return
        is_folder = out.is_dir()
    except OSError as error:
        raise OutputError(f"--out {out}: can't be read: {error.strerror or error}") from error
    if not is_folder:
        raise OutputError(f"--out {out}: exists already and isn't a folder")
    try:
        marker = read_json(out / MARKER)
    except InputError:
        marker = None
    if not isinstance(marker, dict) or marker.get("format") != REPORT_FORMAT:
        raise OutputError(f"--out {out}: isn't empty and holds no report of ours (no {MARKER} that says so)")


def write_report(
    out: Path,
    inputs: ReportInputs,
    samples: Sequence[tuple[str, Sequence[SampleGame]]],
    match_games: Sequence[MatchGame] = (),
) -> None:
    """Write `report.json`, `figures/*.svg`, `report.md`, `table.txt` and `index.html` into a folder, each file whole.

    The marker comes first, so that a killed report can be written again; the page comes last, so that where it is, all
    is there.

    Raises:
        OutputError: the folder holds something else, no room or no permission; names folder or file.
    """
    check_report_folder(out)
    trained = inputs.trained
    rows = result_rows(inputs)
    colours = {label: colour_of(index) for index, label in enumerate(trained)}
    figures = _figures(inputs, colours)
    context: dict[str, Any] = {
        "title": "Chess in two languages" if len(trained) == 2 else "Chess language models",
        "models": inputs.models,
        "trained": trained,
        "columns": inputs.columns,
        "colours": colours,
        "pair": trained[:2] if len(trained) >= 2 else None,
        "rows": rows,
        "controls": control_rows(inputs),
        "results": inputs.results,
        "strengths": inputs.strengths,
        "definitions": definition_sections(inputs),
        "parts": part_sections(inputs),
        "tactics": tactics_sections(inputs),
        "probes": probe_rows(inputs),
        "strength_tables": strength_tables(inputs),
        "strength_notes": strength_notes(inputs),
        "figures": figures,
        "samples": [(label, [(game, Markup(_board(game))) for game in games]) for label, games in samples],
        "match_games": [(game, Markup(_board(game))) for game in match_games],
        "error_kinds": kind_rows(inputs),
        "metrics": definitions(inputs),
        "version": chesslm.__version__,
        "summary": summary(inputs),
    }
    write_json(out / MARKER, {"format": REPORT_FORMAT, "chesslm_version": chesslm.__version__})
    for name, svg in figures.items():
        write_bytes(out / "figures" / f"{name}.svg", svg.encode())
    write_bytes(out / "report.md", _render("report.md", context).encode())
    write_bytes(out / "table.txt", plain_table(inputs, rows).encode())
    write_bytes(out / "index.html", _render("report.html", context).encode())


def _render(template: str, context: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("eval"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = _count
    environment.filters["minutes"] = lambda seconds: NOTHING if seconds is None else f"{seconds / 60:.1f} min"
    environment.filters["cell"] = _markdown_cell
    environment.filters["svg"] = Markup
    return environment.get_template(template).render(context)


def _count(value: int | None) -> str:
    """A number with its thousands apart; players without a network have no numbers."""
    return NOTHING if value is None else f"{value:,}"


def _markdown_cell(value: Any) -> str:
    """Text that stays text inside a Markdown table."""
    text = " ".join(str(value).split())
    for character in "\\`*_{}[]|#":
        text = text.replace(character, "\\" + character)
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _figures(inputs: ReportInputs, colours: dict[str, str]) -> dict[str, str]:
    """Name -> SVG; in the order of the page."""
    figures = {}
    labelled = [(curve, label) for curve, label in zip(inputs.curves, labels_of(inputs), strict=True) if curve.points]
    if labelled:
        figures["learning_curves"] = learning_curves([c for c, _ in labelled], [label for _, label in labelled])
    by_ply = [(label, inputs.by_ply("first_choice_legal", label)) for label in inputs.trained]
    if any(measures for _, measures in by_ply):
        figures["legality_by_ply"] = legality_by_ply(by_ply)
    marks = ladder_marks(inputs)
    if marks:
        figures["ladder"] = elo_ladder(marks, colours)
    for number, results in enumerate(inputs.of_kind("probe"), start=1):
        svg = draw_probes(results, file_format="svg").decode()
        figures[f"probes_{number}"] = svg[svg.index("<svg") :]
    return figures


def _board(game: SampleGame | MatchGame) -> str:
    board = chess.BaseBoard(game.board_fen)
    last = chess.Move.from_uci(game.last_move) if game.last_move else None
    return chess.svg.board(board, size=180, lastmove=last, coordinates=False)
