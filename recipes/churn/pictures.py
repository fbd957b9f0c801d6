"""The picture of the churn recipe: how well each model ranks, how far to trust it, and who the segments are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gmmaudio.measures.calibration import Reliability

INKS = ("#7a7a7a", "#c65d00", "#86aede", "#1f5a9c", "#2c7a2c", "#222222")  # of the models, in their order
ALL_BUT_SEGMENTS = 4  # models whose trust is drawn


def draw_auc(axes: Axes, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """AUC with its interval: a row for each model, a mark for each table."""
    marks = ("o", "s")
    for shift, (way, found), mark in zip((0.14, -0.14), figures.items(), marks, strict=False):
        for row, ((_, model), ink) in enumerate(zip(found.items(), INKS, strict=False)):
            axes.plot(model.auc_interval, [-row + shift] * 2, color=ink, lw=2)
            axes.plot(model.auc, -row + shift, mark, color=ink, ms=6)
        axes.plot([], [], mark, color="#555555", label=f"leave {way}" if way else "this table")
        axes.set_yticks([-row for row in range(len(found))], list(found), fontsize=9)
    axes.legend(fontsize=8.5, loc="lower center", ncols=2, frameon=False)
    axes.set(ylim=(-len(found) - 0.2, 0.5), xlabel="AUC with 95 % interval (0.5 is chance, 1 perfect)")
    axes.set_title("Who leaves?", fontsize=10)
    axes.grid(axis="x", alpha=0.3)


def draw_trust(axes: Axes, way: str, seen: Mapping[str, Reliability]) -> None:
    """How many left, of customers who were given about the same chance."""
    axes.plot([0, 100], [0, 100], color="#bbbbbb", lw=1)
    for (name, bins), ink in list(zip(seen.items(), INKS, strict=False))[:ALL_BUT_SEGMENTS]:
        axes.plot(100 * bins.confidence, 100 * bins.accuracy, "o-", color=ink, ms=3.5, label=name, clip_on=False)
    axes.legend(fontsize=8.5, loc="upper left", frameon=False)
    axes.set(xlabel="predicted chance of leaving (%)", ylabel="of these customers left (%)")
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_title("How far to trust it" + (f" (they leave {way})" if way else ""), fontsize=10)


def draw_segments(axes: Axes, words: Axes, found: Sequence[Any], overall: float) -> None:
    """A bar for each segment, as thick as it is large, and its words beside it."""
    top = 0.0
    for row in found:
        middle = top - row.share / 2
        axes.barh(middle, 100 * row.rate, height=0.86 * row.share, color="#a9c7e8")
        axes.plot([100 * bound for bound in row.interval], [middle] * 2, color="#1f5a9c", lw=1.5)
        words.text(0, middle, f"{100 * row.share:.0f} % of all customers:\n{row.words}", va="center", fontsize=8)
        top -= row.share
    axes.axvline(100 * overall, color="#888888", lw=1, ls="--", zorder=0)
    axes.set(yticks=[], ylim=(-1, 0), xlim=(0, 100), xlabel="left (%); dashed: of all customers")
    axes.set_title("How many of each segment left", fontsize=10)
    words.set_title("The segments, and what sets them apart (in brackets: all customers)", fontsize=10, loc="left")
    words.set(ylim=(-1, 0), xlim=(0, 1))
    words.set_axis_off()


def picture(
    figures: Mapping[str, Mapping[str, Any]],
    seen: Mapping[str, Mapping[str, Reliability]],
    segments: Sequence[Any],
    overall: float,
    path: Path,
) -> None:
    """Two charts above, the segments below."""
    figure = Figure(figsize=(9, 6.6), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    first, second = above.subplots(1, 2)
    draw_auc(first, figures)
    draw_trust(second, *next(iter(seen.items())))
    draw_segments(*below.subplots(1, 2, width_ratios=(1, 2)), segments, overall)
    figure.savefig(path, dpi=100)
