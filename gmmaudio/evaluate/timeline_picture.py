"""A picture of a timeline: which label when, and how sure, from seconds to hours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from gmmaudio.classify.annotations import Stretch, runs, stretches
from gmmaudio.classify.classifier import Decision
from gmmaudio.classify.gate import UNKNOWN
from gmmaudio.classify.timeline import Window
from gmmaudio.evaluate.evaluation_text import shown
from gmmaudio.evaluate.pictures import Colour, check_suffix, palette, save

Floats = NDArray[np.float64]

_INK, _PALE, _GREY = "#222222", "#666666", "#d5d5d0"
_UNKNOWN: Colour = (0.62, 0.62, 0.62)
_SMALL, _NORMAL = 8, 10  # points
_WIDTH, _HEIGHT = 11.0, 4.2  # inches
_LETTER = 0.075  # inches in the ribbon
_ROWS = 22  # of the legend
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # seconds between ticks
_TICKS = 12
_NAME = 60  # letters of a title


def timeline_picture(
    windows: Sequence[Window], labels: Sequence[str], path: str | PathLike[str], title: str = ""
) -> None:
    """Write a picture of a recording's timeline.

    Parameters
    ----------
    windows : sequence of Window
        In order, at least one.
    labels : sequence of str
        All that the model knows: each has a colour, the same for all recordings.
    path : path-like
        Where to write; ``.png`` (150 dots per inch), ``.svg`` or ``.pdf``, by its suffix.
    title : str
        What stands above it. Default: nothing.

    Raises
    ------
    DataError
        ``picture_format`` for any other suffix.

    Examples
    --------
    >>> import tempfile
    >>> sure = Decision("a", {"a": -1.0}, {"a": 1.0}, "loglik", None, 3.0, 3.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     timeline_picture([Window(0.0, 3.0, sure)], ["a"], folder + "/timeline.png")
    """
    check_suffix(path, "timeline.png")
    save(timeline_figure(windows, labels, title), path)


def timeline_figure(windows: Sequence[Window], labels: Sequence[str], title: str = "") -> Figure:
    """The same as a matplotlib figure.

    Above, a ribbon of the labels answered, grey where unknown and empty where nothing was decided. Below, the
    posteriors on top of each other, in the order of the legend from below.
    """
    colours = dict(zip(labels, palette(len(labels)), strict=True)) | {UNKNOWN: _UNKNOWN}
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, hspace=0.0))
    FigureCanvasAgg(figure)
    ribbon, field = figure.subplots(2, 1, sharex=True, height_ratios=[1, 5])
    found = runs(windows)
    _draw_ribbon(ribbon, found, colours)
    _draw_posteriors(field, windows, labels, colours)
    _name_times(field, found[0].start, found[-1].end)
    _name_colours(figure, labels, colours, UNKNOWN if any(run.label == UNKNOWN for run in found) else None)
    name = "".join(letter if letter.isprintable() else "?" for letter in title)
    shortened = name if len(name) <= _NAME else name[: _NAME - 2] + ".."
    figure.suptitle(shortened, fontsize=_NORMAL, color=_INK, parse_math=False)
    return figure


def _draw_ribbon(axes: Axes, found: Sequence[Stretch], colours: dict[str, Colour]) -> None:
    length = found[-1].end - found[0].start
    for run in found:
        if run.label is None:
            continue
        axes.broken_barh([(run.start, run.end - run.start)], (0, 1), facecolors=[colours[run.label]], linewidth=0)
        name = shown(run.label)
        if (run.end - run.start) / length * 0.8 * _WIDTH > _LETTER * len(name) + 0.05:
            ink = "white" if np.dot(colours[run.label], (0.299, 0.587, 0.114)) < 0.55 else _INK
            at = (run.start + run.end) / 2
            axes.text(at, 0.5, name, ha="center", va="center", fontsize=_SMALL, color=ink, parse_math=False)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], ["answer"])
    axes.tick_params(labelsize=_NORMAL, labelcolor=_INK, length=0, labelbottom=False)
    axes.spines[:].set_visible(False)


def _draw_posteriors(axes: Axes, windows: Sequence[Window], labels: Sequence[str], colours: dict[str, Colour]) -> None:
    """Steps: a window's posteriors hold for all that it speaks for."""
    spans = stretches(windows)
    for decided, group in groupby(range(len(windows)), key=lambda place: isinstance(windows[place].found, Decision)):
        places = list(group)
        if not decided:
            continue
        heights = np.cumsum([_posteriors(windows[place].found, labels) for place in places], axis=1)
        times = np.array([[spans[place].start, spans[place].end] for place in places]).ravel()
        below = np.zeros(len(times))
        for column, label in enumerate(labels):
            above = np.repeat(heights[:, column], 2)
            axes.fill_between(times, below, above, color=colours[label], linewidth=0)
            below = above
    axes.set_ylim(0, 1)
    axes.set_ylabel("posterior", fontsize=_NORMAL, color=_INK)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=_SMALL, color=_PALE, labelcolor=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)


def _posteriors(found: object, labels: Sequence[str]) -> list[float]:
    assert isinstance(found, Decision)
    return [found.posteriors.get(label, 0.0) for label in labels]


def _name_times(axes: Axes, start: float, end: float) -> None:
    """Round times: seconds, minutes and seconds, or hours."""
    step = next((step for step in _STEPS if (end - start) / step <= _TICKS), _STEPS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step if end - start > 2 else (end - start) / 4))
    if end > 120:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
    axes.set_xlabel("time" if end > 120 else "time (s)", fontsize=_NORMAL, color=_INK)
    axes.set_xlim(start, end)


def clock(seconds: float) -> str:
    """A time as m:ss, or h:mm:ss from an hour on.

    Examples
    --------
    >>> clock(75), clock(3600)
    ('1:15', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, within = divmod(minutes, 60)
    return f"{hours}:{within:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _name_colours(figure: Figure, labels: Sequence[str], colours: dict[str, Colour], more: str | None) -> None:
    """The legend, in the order in which the areas lie on each other."""
    names = [*([more] if more else []), *reversed(labels)]
    patches = [Patch(color=colours[name], label=shown(name)) for name in names]
    columns = -(-len(names) // _ROWS)
    size = _SMALL if len(names) > 10 else _NORMAL - 1
    legend = figure.legend(
        handles=patches, loc="outside right center", fontsize=size, frameon=False, ncols=columns, labelspacing=0.35
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
