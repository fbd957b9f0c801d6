"""A picture of DET curves: misses against false alarms on axes on which normally distributed scores make a line."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gmmaudio.errors import DataError
from gmmaudio.evaluate.charts import MOST_CURVES, det_axis
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import extent_of, shown, with_interval
from gmmaudio.evaluate.figures import error_figure
from gmmaudio.evaluate.label_figures import detector_cell, label_error
from gmmaudio.evaluate.pictures import Colour, check_suffix, palette, save
from gmmaudio.evaluate.sure_figure import Figure as SureFigure
from gmmaudio.evaluate.sure_figure import legend, mark
from gmmaudio.evaluate.trials import trials_of
from gmmaudio.measures.detection import ErrorRates, error_rates, probit

_INK, _PALE, _GREY = "#222222", "#666666", "#dddddd"
_SIZE = 6.4  # inches
_LEGEND = 3.2  # more of them, beside the curves
_BEYOND = 9.0  # normal deviates that stand for infinitely many


def det_picture(found: Evaluation, path: str | PathLike[str]) -> None:
    """Write the DET curves of an evaluation as a picture.

    Parameters
    ----------
    found : Evaluation
    path : path-like
        Where to write; ``.png`` (150 dots per inch), ``.svg`` or ``.pdf``, by its suffix.

    Raises
    ------
    DataError
        ``picture_format`` for any other suffix; ``no_trials`` where there are no scores, or no clips of the labels.

    Examples
    --------
    >>> import tempfile
    >>> from gmmaudio.classify.classifier import Decision
    >>> from gmmaudio.evaluate.evaluation import Prediction
    >>> said = Decision("cat", {"cat": -1.0, "dog": -3.0}, {"cat": 0.9, "dog": 0.1}, "loglik", 2.0, 1.0, 1.0)
    >>> found = Evaluation([Prediction("a.wav", "cat", "cat", decision=said)], ["cat", "dog"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     det_picture(found, folder + "/det.png")
    """
    check_suffix(path, "det.png")
    save(det_figure(found), path)


def det_figure(found: Evaluation) -> Figure:
    """The same as a matplotlib figure: all labels pooled; up to 20 of them singly, each with its equal error rate."""
    trials = trials_of(found)
    if trials is None or not trials.truth.any():
        raise DataError("no_trials", "no clips have scores for the same labels, their own among them: no DET curve")
    single = trials.label_rates if len(trials.labels) <= MOST_CURVES else {}
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(_SIZE + _LEGEND * bool(single), _SIZE), layout=layout)
    FigureCanvasAgg(figure)
    axes, pooled, rates = figure.subplots(), error_figure(trials), error_rates(trials.targets, trials.others)
    _scale(axes, rates, pooled.value)
    errors = {label: label_error(trials, label) for label in single}
    for (label, curve), colour in zip(single.items(), palette(len(single)), strict=True):
        _draw(axes, curve, errors[label], f"{detector_cell('equal_error_rate', errors[label])}  {shown(label)}", colour)
    _draw(axes, rates, pooled, "all labels pooled", _INK, thick=True)
    _name(figure, axes, pooled, [one for one in errors.values() if one is not None])
    return figure


def _scale(axes: Axes, rates: ErrorRates, equal: float) -> None:
    """Normal deviates, named by their rates in per cent; the line where both errors are equal."""
    span, ticks = det_axis(rates, equal)
    places, names = zip(*ticks, strict=True)
    axes.set(xlim=span, ylim=span, aspect="equal", xlabel="false alarms, %", ylabel="misses, %")
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.tick_params(labelsize=9, color=_PALE, labelcolor=_INK)
    axes.grid(color=_GREY, linewidth=0.6)
    axes.plot(span, span, color=_PALE, linewidth=0.8, linestyle="--")
    axes.spines[:].set_color(_GREY)


def _draw(
    axes: Axes, rates: ErrorRates, error: SureFigure | None, name: str, colour: str | Colour, thick: bool = False
) -> None:
    """A curve, along the edge where a rate is 0, and its equal error rate."""
    least = axes.get_xlim()[0]
    alarm, miss = (np.clip(axis, least, _BEYOND) for axis in rates.det)
    axes.plot(alarm, miss, color=colour, linewidth=2.4 if thick else 1.1, label=name)
    if error is not None:
        at = max(least, float(probit([error.value])[0]))
        axes.plot([at], [at], "o", color=colour, markersize=8 if thick else 4, clip_on=False)


def _name(figure: Figure, axes: Axes, pooled: SureFigure, single: Sequence[SureFigure]) -> None:
    """The title says the pooled equal error rate, the legend that of each label."""
    extent = "" if pooled.sure is None else f"\n{extent_of(pooled.sure)}"
    title = f"equal error rate {with_interval(*pooled)}{extent}"
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
    if not single:
        return
    marks = legend(mark(one.sure) for one in single if one.sure is not None)
    how = {"fontsize": 8, "title_fontsize": 9, "frameon": False, "alignment": "left"}
    box = axes.legend(title="equal error rate, %", loc="upper left", bbox_to_anchor=(1.01, 1.0), **how)
    for text in box.get_texts():  # labels are the user's own text: a dollar sign in one is not a formula
        text.set_parse_math(False)
    caption = f"dots: where misses are as frequent as false alarms, on the curve's hull; 95 % intervals: {marks}"
    figure.supxlabel(caption, fontsize=8, color=_PALE)
