"""What each language taught its model about the board, as one picture: layers by properties, and the board's squares.

Knows: how a probe's results are drawn. Doesn't know: how they were measured.

A cell's number is the accuracy in per cent (of material R²); its colour says how much of the way from the commonest
class to perfection that is, so that properties which are easy to guess don't shine. The same results give the same
bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import chess
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from eval.intervals import Floats
from eval.probe import MAJORITY, layer_name
from eval.records import ModelRecord, Results

ROWS: dict[str, str] = {
    "probe_piece": "piece on a square",
    "probe_piece_relative": "… mine or yours",
    "probe_occupied": "… where one stands",
    "probe_turn": "side to move",
    "probe_castling": "castling rights",
    "probe_check": "in check",
    "probe_material": "material (R²)",
}
COLOUR_MAP = "cividis"
CELL_INCHES = 0.52
LABEL_INCHES = 1.9
BOARD_INCHES = 3.6


def draw_probes(results: Results, *, file_format: str) -> bytes:
    """The picture as a file's content.

    Args:
        results: of `eval probe`.
        file_format: png, svg or pdf.

    Raises:
        ValueError: the results are of another kind.
    """
    if results.kind != "probe":
        raise ValueError(f"results of kind {results.kind} have no probes to draw")
    trained = [model for model in results.models if model.kind == "trained"]
    controls = {model.source: model for model in results.models if model.kind == "untrained"}
    num_layers = max(_num_layers(results, model) for model in trained)
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="chesslm", fonttype="path")
        mpl.rc("font", size=9)
        size = (
            len(trained) * max(LABEL_INCHES + CELL_INCHES * (num_layers + 1), BOARD_INCHES),
            4 * CELL_INCHES * len(ROWS) * 0.55 + BOARD_INCHES + 1.2,
        )
        figure = Figure(figsize=size, layout="constrained")
        heat, squares = Normalize(0, 1), Normalize(*_square_range(results, trained))
        axes = figure.subplots(3, len(trained), squeeze=False, height_ratios=[1, 1, 1.5])
        for column, model in enumerate(trained):
            control = controls[model.source]
            _draw_layers(axes[0][column], results, model, heat, _inert(model.label))
            _draw_layers(axes[1][column], results, control, heat, f"{_inert(model.label)}, before training (control)")
            _draw_board(axes[2][column], results, model, squares)
        bar = figure.colorbar(ScalarMappable(heat, COLOUR_MAP), ax=list(axes[:2].flat), shrink=0.6, aspect=30)
        bar.set_label("0: the commonest class · 1: always right")
        bar = figure.colorbar(ScalarMappable(squares, COLOUR_MAP), ax=list(axes[2]), shrink=0.8)
        bar.set_label("accuracy on the square (%)")
        figure.suptitle(_title(results), fontsize=10)
        buffer = io.BytesIO()
        dates = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(buffer, format=file_format, dpi=150, metadata=dates[file_format])
        return buffer.getvalue()


def _draw_layers(axes: Axes, results: Results, model: ModelRecord, colours: Normalize, title: str) -> None:
    num_layers = _num_layers(results, model)
    columns = [*(layer_name(layer) for layer in range(num_layers)), MAJORITY]
    values = np.array([[_value(results, metric, model.label, detail) for detail in columns] for metric in ROWS])
    # Without features the best guess of a number is its mean, whose R² is 0.
    baseline = np.nan_to_num(values[:, -1:], nan=0.0)
    # Where the commonest class is always right there is nothing to learn.
    gains = np.divide(values - baseline, 1 - baseline, out=np.zeros_like(values), where=baseline < 1)
    axes.imshow(np.clip(gains, 0, 1), norm=colours, cmap=COLOUR_MAP, aspect="auto")
    _write(axes, 100 * values, gains > 0.6)
    axes.axvline(num_layers - 0.5, color="white", lw=3)
    axes.set_xticks(range(len(columns)), ["emb.", *(str(layer) for layer in range(1, num_layers)), "guess"])
    axes.set_yticks(range(len(ROWS)), list(ROWS.values()))
    axes.set_xlabel("after block")
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)


def _draw_board(axes: Axes, results: Results, model: ModelRecord, colours: Normalize) -> None:
    """The board as White sees it."""
    values = 100 * _squares(results, model).reshape(8, 8)[::-1]
    axes.imshow(values, norm=colours, cmap=COLOUR_MAP)
    _write(axes, values, np.asarray(colours(values)) > 0.6)
    axes.set_xticks(range(8), list(chess.FILE_NAMES))
    axes.set_yticks(range(8), list(reversed(chess.RANK_NAMES)))
    axes.tick_params(length=0)
    # `eval probe` writes both.
    assert results.probe is not None
    layer = results.probe.best_layers[model.label]["probe_piece"]
    axes.set_title(f"{_inert(model.label)}: piece by square, after block {layer}", fontsize=10)


def _write(axes: Axes, values: Floats, is_bright: np.ndarray) -> None:
    """A number into every cell that has one."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "black" if is_bright[row, column] else "white"
            axes.text(column, row, f"{round(value)}", ha="center", va="center", color=colour, fontsize=8)


def _value(results: Results, metric: str, label: str, detail: str) -> float:
    measure = results.find(metric, label, detail=detail)
    return np.nan if measure is None else measure.value


def _squares(results: Results, model: ModelRecord) -> Floats:
    return np.array([_value(results, "probe_square", model.label, name) for name in chess.SQUARE_NAMES])


def _square_range(results: Results, trained: Sequence[ModelRecord]) -> tuple[float, float]:
    values = np.concatenate([100 * _squares(results, model) for model in trained])
    return float(values.min()), 100.0


def _num_layers(results: Results, model: ModelRecord) -> int:
    details = {measure.detail for measure in results.measures if measure.model == model.label}
    return next(layer for layer in range(len(details) + 1) if layer_name(layer) not in details)


def _title(results: Results) -> str:
    assert results.probe is not None
    probe = results.probe
    return (
        f"Linear probes: accuracy in per cent on {probe.test_positions:,} positions of {probe.test_games:,} held-out "
        f"games\n(trained on {probe.train_positions:,} positions of {probe.train_games:,} other held-out games, "
        f"seed {results.seed})"
    )


def _inert(text: str) -> str:
    """A foreign name as plain text: no control characters, no mathematics."""
    return "".join(character if character.isprintable() else "?" for character in text).replace("$", r"\$")
