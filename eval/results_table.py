"""The results table of a README: one row a model, from results of every kind, between two marks in the file.

Knows: which numbers stand in the table, and how the marked block of a Markdown file is replaced.
Doesn't know: how anything was measured, or which results may stand side by side (`report_inputs`).

The block is everything between the lines `<!-- results:begin -->` and `<!-- results:end -->`; the rest of the file
stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import InputError
from chesslm.files import write_bytes
from eval.cloze import PLAYED, PREFIXES
from eval.metrics import METRICS
from eval.probe import BEST_LAYER
from eval.random_positions import RANDOM_PLIES
from eval.records import ALL, WHOLE_GAMES, WRITTEN_GAMES, MeasureRecord
from eval.report_inputs import ReportInputs
from eval.report_strength import model_ratings
from eval.report_tables import cell_of, range_of
from eval.strength_records import RatingRecord
from eval.strength_tables import rating_text
from eval.tables import NOTHING

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

_LONG_PREFIXES = f"prefixes of {PREFIXES[-1][0]}-{PREFIXES[-1][1]} plies"
_RANDOM = RANDOM_PLIES[20]
# Heading, metric, subset, detail.
COLUMNS: tuple[tuple[str, str, str, str | None], ...] = (
    ("first choice legal", "first_choice_legal", ALL, None),
    ("… tolerant reader", "first_choice_tolerant", ALL, None),
    (f"… {_RANDOM}", "first_choice_legal", _RANDOM, None),
    ("legal mass", "legal_mass", ALL, None),
    ("retry, no failure", "retry_no_failure", ALL, None),
    ("square cloze, LgM", "square_cloze_legal_move", _LONG_PREFIXES, PLAYED),
    ("piece cloze, LgM", "piece_cloze_legal_move", _LONG_PREFIXES, PLAYED),
    ("completion, teacher-forced", "completion_legal", WHOLE_GAMES, None),
    ("completion, free-running", "free_running_legal", WRITTEN_GAMES, None),
    ("first illegal ply", "first_illegal_ply", WRITTEN_GAMES, None),
    ("move match", "move_match", ALL, None),
    ("nats a move", "move_nats", ALL, None),
    ("mate in one", "mate_in_one", ALL, None),
    ("probe, piece on a square", "probe_piece", ALL, BEST_LAYER),
)
POLICIES = ("lenient", "strict")


@dataclass(frozen=True, slots=True)
class _Column:
    """A heading with what it is taken over, and a cell a model."""

    heading: str
    cells: tuple[str, ...]


def results_table(inputs: ReportInputs, made_by: str) -> str:
    """The table, and below it what it was made with, as Markdown.

    Args:
        inputs: results of any kinds; columns that nobody measured are left out.
        made_by: the command to print; may be empty.

    Raises:
        InputError: there is no trained model in the results.
    """
    labels = inputs.trained
    if not labels:
        raise InputError("no results of a trained model, so there is no table to write")
    notations = {model.label: model.notation for model in inputs.models}
    columns = [
        _Column("model", tuple(_text(label) for label in labels)),
        _Column("notation", tuple(_text(notations[label]) for label in labels)),
        *_measured(inputs, labels),
        *_rated(inputs, labels),
    ]
    lines = [
        _line([column.heading for column in columns]),
        _line(["---"] * len(columns)),
        *(_line([column.cells[row] for column in columns]) for row in range(len(labels))),
        "",
        " ".join(_footnotes(inputs, made_by)),
    ]
    return "\n".join(lines)


def require_marks(path: Path) -> None:
    """Before any work: the file has both marks, once each, in their order.

    Raises:
        InputError: it doesn't, or can't be read; names the file.
    """
    _parts(path)


def write_between_marks(path: Path, block: str) -> None:
    """Replace what stands between the marks.

    Raises:
        InputError: as `require_marks`.
        OutputError: the file can't be written.
    """
    before, after = _parts(path)
    write_bytes(path, f"{before}{BEGIN}\n{block}\n{END}{after}".encode())


def _parts(path: Path) -> tuple[str, str]:
    """What stands before the first mark and after the second."""
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8") from error
    if content.count(BEGIN) != 1 or content.count(END) != 1 or content.index(END) < content.index(BEGIN):
        raise InputError(f"{path}: needs the lines {BEGIN} and {END} once each, in this order")
    return content[: content.index(BEGIN)], content[content.index(END) + len(END) :]


def _measured(inputs: ReportInputs, labels: Sequence[str]) -> Iterator[_Column]:
    for title, metric, subset, detail in COLUMNS:
        found: list[MeasureRecord | None] = [inputs.find(metric, label, subset, detail) for label in labels]
        sizes = [measure.n for measure in found if measure]
        if sizes:
            arrow = {"higher": " ↑", "lower": " ↓", None: ""}[METRICS[metric].better]
            heading = f"{title}{arrow}<br>n = {range_of(sizes)}"
            yield _Column(heading, tuple(cell_of(measure) for measure in found))


def _rated(inputs: ReportInputs, labels: Sequence[str]) -> Iterator[_Column]:
    ratings: dict[tuple[str | None, str | None], RatingRecord] = {}
    for _, player, rating in model_ratings(inputs):
        ratings.setdefault((player.model, player.policy), rating)
    for policy in POLICIES:
        found = [ratings.get((label, policy)) for label in labels]
        sizes = [rating.games for rating in found if rating]
        if sizes:
            cells = (NOTHING if rating is None else rating_text(rating).replace("-", "−") for rating in found)
            yield _Column(
                f"Elo, {policy} ↑<br>games = {range_of(sizes)}", tuple(cell.replace("<", "&lt;") for cell in cells)
            )


def _footnotes(inputs: ReportInputs, made_by: str) -> Iterator[str]:
    yield (
        "Value [95 % interval]; n counts positions, or games where whole games are asked for or written, and for the "
        "probe; –: the notation doesn’t admit the question."
    )
    if made_by:
        yield f"Made by `{made_by.replace('`', '')}`:"
    for games, seed in dict.fromkeys((results.games.digest, results.seed) for results in inputs.results):
        splits = dict.fromkeys(results.games.split for results in inputs.results)
        split = "".join(f", split {split}" for split in splits if split)
        yield f"games digest `{games[:16]}`{split}, seed {seed}."
    for match in inputs.strengths:
        if match.kind == "strength" and match.ladder is not None and match.anchor_elo is not None:
            yield (
                f"Elo on the ladder `{match.ladder.digest[:16]}` with {_text(match.anchor or '')} = "
                f"{match.anchor_elo:.0f}, temperature {match.policy.temperature:g}, at most "
                f"{match.policy.max_plies} plies, adjudicated by {_text(match.policy.adjudicator)}."
            )
    known = [*(results.commit for results in inputs.results), *(match.commit for match in inputs.strengths)]
    commits = dict.fromkeys(commit for commit in known if commit)
    if commits:
        yield f"Commit {', '.join(commit[:12] for commit in commits)}."


def _text(text: str) -> str:
    """Foreign text that stays text in a cell."""
    plain = "".join(character if character.isprintable() else "?" for character in text)
    for character in "\\`*_{}[]|#":
        plain = plain.replace(character, "\\" + character)
    return plain.replace("<", "&lt;").replace(">", "&gt;")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
