"""The report's pictures, as SVG text: learning curves, legality by ply, and the ladder of strength.

Knows: how values with intervals are drawn, in colours that colour-blind readers can tell apart.
Doesn't know: where the values come from.

The same values give the same bytes: no dates, fixed ids.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eval.intervals import wilson
from eval.learning_curves import RunCurve
from eval.records import MeasureRecord
from eval.report_strength import LadderMark

RUNG = "#6b7580"

# Okabe & Ito (2008), without the pale yellow and black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def colour_of(index: int) -> str:
    """The colour of the model with this index in the report."""
    return COLOURS[index % len(COLOURS)]


def learning_curves(curves: Sequence[RunCurve], labels: Sequence[str]) -> str:
    """First choice legal (with Wilson 95 % bands) and move loss against games, tokens and wall time."""
    with mpl.rc_context():
        _set_style()
        figure = Figure(figsize=(11, 6), layout="constrained")
        axes = figure.subplots(2, 3, sharey="row")
        for index, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            colour = colour_of(index)
            xs = (
                [point.games for point in curve.points],
                [point.tokens / 1e6 for point in curve.points],
                [point.wall_s / 60 for point in curve.points],
            )
            rates = [wilson(round(p.first_choice_legal * p.num_positions), p.num_positions) for p in curve.points]
            for column, x in enumerate(xs):
                legal, loss = axes[0][column], axes[1][column]
                legal.plot(x, [rate.value for rate in rates], "o-", ms=3, color=colour, label=label)
                low, high = [rate.low for rate in rates], [rate.high for rate in rates]
                legal.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
                loss.plot(x, [p.move_nats for p in curve.points], "o-", ms=3, color=colour, label=label)
        for column, name in enumerate(("games seen", "million tokens seen", "wall time (minutes)")):
            axes[1][column].set_xlabel(name)
        # The untrained network's loss is many times any other and would flatten the curves: it may leave the picture.
        trained = [point.move_nats for curve in curves for point in curve.points[1:]]
        if trained:
            axes[1][0].set_ylim(min(trained) - 0.2, max(trained) + 0.5)
        axes[0][0].set_ylabel("first choice legal")
        axes[1][0].set_ylabel("move loss (nats)")
        axes[0][0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes[0][0].set_ylim(0, 1)
        axes[0][0].legend(loc="best", frameon=False)
        return _svg(figure)


def legality_by_ply(series: Sequence[tuple[str, Sequence[MeasureRecord]]]) -> str:
    """First choice legal on stretches of plies, one line a model, with 95 % intervals as bars."""
    with mpl.rc_context():
        _set_style()
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        axes: Axes = figure.subplots()
        ticks: dict[int, str] = {}
        for index, (label, measures) in enumerate(series):
            # A small shift keeps the bars of two models apart.
            x = [(measure.first_ply or 0) + 0.6 * (index - (len(series) - 1) / 2) for measure in measures]
            values = [measure.value for measure in measures]
            # Wilson's interval holds the rate; rounding may put it outside by a last digit.
            ends = [measure.ends or (measure.value, measure.value) for measure in measures]
            low = [max(0.0, x - end) for x, (end, _) in zip(values, ends, strict=True)]
            high = [max(0.0, end - x) for x, (_, end) in zip(values, ends, strict=True)]
            axes.errorbar(x, values, yerr=[low, high], fmt="o-", ms=4, capsize=3, color=colour_of(index), label=label)
            for measure in measures:
                last = "" if measure.last_ply is None else str(measure.last_ply)
                ticks[measure.first_ply or 0] = f"{measure.first_ply}–{last}"
        axes.set_xticks(sorted(ticks), [ticks[first] for first in sorted(ticks)])
        axes.set_xlabel("ply")
        axes.set_ylabel("first choice legal")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_ylim(0, 1.02)
        if series:
            axes.legend(loc="best", frameon=False)
        return _svg(figure)


def elo_ladder(marks: Sequence[LadderMark], colours: Mapping[str, str]) -> str:
    """Ratings with 95 % intervals, the strongest at the top; bounds as arrows, the anchor as a diamond.

    Args:
        marks: strongest first.
        colours: of the models.
    """
    with mpl.rc_context():
        _set_style()
        figure = Figure(figsize=(9, 0.27 * len(marks) + 1.1), layout="constrained")
        axes: Axes = figure.subplots()
        heights = range(len(marks) - 1, -1, -1)
        for y, mark in zip(heights, marks, strict=True):
            rating = mark.rating
            colour = RUNG if mark.model is None else colours.get(mark.model, RUNG)
            face = "white" if mark.policy == "strict" else colour
            style: dict[str, Any] = {"color": colour, "markerfacecolor": face, "ms": 4 if mark.model is None else 7}
            if rating.bound == "below" and rating.high is not None:
                axes.plot([rating.high], [y], "<", **style)
            elif rating.bound == "above" and rating.low is not None:
                axes.plot([rating.low], [y], ">", **style)
            elif rating.elo is not None:
                low = rating.elo if rating.low is None else rating.low
                high = rating.elo if rating.high is None else rating.high
                # The estimate of few games may lie outside what resampling them gives.
                reach = [[max(0.0, rating.elo - low)], [max(0.0, high - rating.elo)]]
                shape = "D" if rating.bound == "anchor" else "o"
                axes.errorbar([rating.elo], [y], xerr=reach, fmt=shape, capsize=2, elinewidth=1.2, **style)
        names = [_inert(mark.rating.player) for mark in marks]
        axes.set_yticks(list(heights), names)
        for text, mark in zip(axes.get_yticklabels(), marks, strict=True):
            text.set_color("black" if mark.model is None else colours.get(mark.model, RUNG))
            text.set_fontweight("normal" if mark.model is None else "bold")
        axes.set_ylim(-0.7, len(marks) - 0.3)
        axes.set_xlabel("Elo on the ladder’s scale")
        return _svg(figure)


def _inert(text: str) -> str:
    """A foreign name as plain text, not too long: no control characters, no mathematics."""
    plain = "".join(character if character.isprintable() else "?" for character in text).replace("$", r"\$")
    return plain if len(plain) <= 40 else f"{plain[:39]}…"


def _set_style() -> None:
    mpl.rc("svg", hashsalt="chesslm", fonttype="path")
    mpl.rc("font", size=10)
    mpl.rc("axes", grid=True)
    mpl.rc("axes.spines", top=False, right=False)
    mpl.rc("grid", alpha=0.3)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
