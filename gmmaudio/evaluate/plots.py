"""Pictures of an evaluation. matplotlib is imported in this folder only.

Figures are made as objects, never through pyplot: no window, no global state, any number of threads.
"""

from __future__ import annotations

from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import extent, headline, shown
from gmmaudio.evaluate.pictures import check_suffix, save
from gmmaudio.evaluate.sure_figure import in_brackets, legend, mark

_RIGHT = LinearSegmentedColormap.from_list("right", ["#eef4fa", "#5b9bc9", "#0b3c6f"])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["#fdf0e7", "#ee8a55", "#8c2d04"])
_INK, _PALE_INK, _LINE = "#222222", "#666666", "#dddddd"
_CAPTION = "rows add up to a class's clips; colour: share of the row, blue right, orange wrong"
_MARGINS = 4.2  # inches that names, title and caption take beside the cells
_NARROWEST = 6.4  # inches that the title needs


def confusion_picture(found: Evaluation, path: str | PathLike[str]) -> None:
    """Write the confusion matrix as a picture.

    Parameters
    ----------
    found : Evaluation
        What to show.
    path : path-like
        Where to write; ``.png`` (150 dots per inch), ``.svg`` or ``.pdf``, by its suffix.

    Raises
    ------
    DataError
        ``picture_format`` for any other suffix.

    Examples
    --------
    >>> import tempfile
    >>> from gmmaudio.evaluate.evaluation import Evaluation, Prediction
    >>> found = Evaluation([Prediction("a.wav", "dog", "cat")], ["cat", "dog"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     confusion_picture(found, folder + "/confusion.png")
    """
    check_suffix(path, "confusion.png")
    save(confusion_figure(found), path)


def confusion_figure(found: Evaluation) -> Figure:
    """The confusion matrix as a matplotlib figure.

    Rows are the truth, columns the answer, with a last column for refused clips if there are any. Each cell
    bears its count; its colour is the share of its row, blue where right and orange where wrong. On the
    right stands each class's recall.

    Examples
    --------
    >>> from gmmaudio.evaluate.evaluation import Evaluation, Prediction
    >>> figure = confusion_figure(Evaluation([Prediction("a.wav", "cat", "cat")], ["cat", "dog"]))
    >>> figure.axes[0].get_ylabel()
    'truth'
    """
    table, heads = found.confusion, [shown(label) for label in found.labels]
    if found.refused.any():
        table, heads = np.column_stack([table, found.refused]), [*heads, "(refused)"]
    cell = float(np.clip(11 / len(heads), 0.3, 0.62))
    size = cell * len(heads) + _MARGINS
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(max(size + 0.4, _NARROWEST), size), layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw_cells(axes, table, cell)
    _draw_lines(axes, *table.shape)
    _name_sides(axes, found, heads, cell)
    _title(figure, found)
    return figure


def _draw_cells(axes: Axes, table: NDArray[np.int64], cell: float) -> None:
    """Colours by the share of the row, and the counts on top; an empty cell stays white."""
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(*table.shape) > 0
    colours = np.where(diagonal[..., None], _RIGHT(shares), _WRONG(shares))
    colours[table == 0] = (1, 1, 1, 1)
    axes.imshow(colours, aspect="equal", interpolation="nearest")
    size = _font(cell, len(str(table.max())))
    for row, column in zip(*np.nonzero(table), strict=True):
        ink = "white" if shares[row, column] > 0.45 else _INK
        axes.text(column, row, str(table[row, column]), ha="center", va="center", color=ink, fontsize=size)


def _draw_lines(axes: Axes, rows: int, columns: int) -> None:
    """Thin lines between the cells, and a dark one before the column of refused clips."""
    axes.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, colors=_LINE, linewidth=0.6)
    axes.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, colors=_LINE, linewidth=0.6)
    if columns > rows:
        axes.vlines(rows - 0.5, -0.5, rows - 0.5, colors=_INK, linewidth=1.2)


def _name_sides(axes: Axes, found: Evaluation, heads: list[str], cell: float) -> None:
    """Labels on the left and below, each class's recall on the right."""
    rows, size = range(len(found.labels)), _font(cell, 2)
    # Labels are the user's own text: a dollar sign in one is not a formula.
    axes.set_xticks(range(len(heads)), heads, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(rows, heads[: len(rows)], fontsize=size, parse_math=False)
    recalls = axes.secondary_yaxis("right")
    recalls.set_yticks(rows, [_recall(found, label) for label in found.labels], fontsize=size)
    axes.annotate("recall, %", (1, 1), xytext=(4, 4), textcoords="offset points", xycoords="axes fraction")
    for side in (axes, recalls):
        side.tick_params(length=0)
        side.spines[:].set_visible(False)


def _title(figure: Figure, found: Evaluation) -> None:
    size = max(1.0, figure.get_figheight() / 10)
    figure.suptitle(f"accuracy {headline(found)}\n{extent(found)}", fontsize=11 * size, color=_INK)
    marks = legend(mark(row["recall"]) for row in found.class_intervals.values() if row["recall"] is not None)
    caption = f"{_CAPTION}\nrecall with 95 % interval: {marks}"
    figure.supxlabel(caption, fontsize=8 * size, color=_PALE_INK)
    figure.axes[0].set_xlabel("answer", fontsize=10 * size)
    figure.axes[0].set_ylabel("truth", fontsize=10 * size)


def _recall(found: Evaluation, label: str) -> str:
    """A class's recall in per cent, and its interval."""
    return in_brackets(found.per_class[label]["recall"], found.class_intervals[label]["recall"])


def _font(cell: float, digits: int) -> float:
    """The size in points that lets so many digits fit into a cell of so many inches."""
    return float(np.clip(72 * cell * 0.75 / (0.62 * max(digits, 2)), 4, 10))
