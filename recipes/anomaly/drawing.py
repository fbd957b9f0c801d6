"""The picture: two clips along time, all scores, the ROC curves, and false alarms by the way the threshold was set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from heard import WAYS, Heard, clip_of, pooled
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sections import NORMAL

from gmmaudio.evaluate.anomalies import MOST_FALSE_ALARMS
from gmmaudio.measures.detection import error_rates

INK, BLUE, ORANGE, GREY = "#222222", "#1f5a9c", "#c65d00", "#8a8a8a"


def draw_scores(axes: Axes, heard: Sequence[Heard]) -> None:
    """A dot a clip, how far its score is from the threshold; a row a kind."""
    kinds = [NORMAL, *sorted({kind for one in heard for kind in one.kinds} - {NORMAL})]
    generator = np.random.default_rng(0)
    for row, kind in enumerate(kinds[::-1]):
        margins = np.concatenate(
            [(one.scores - one.detector.offset_)[[own == kind for own in one.kinds]] for one in heard]
        )
        colour = BLUE if kind == NORMAL else ORANGE
        axes.scatter(margins, row + generator.uniform(-0.3, 0.3, len(margins)), s=7, color=colour, linewidths=0)
    axes.axvline(0, color=INK, lw=1)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_xticks([-50, -10, -2, 0, 2])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(kinds)), kinds[::-1])
    axes.set(xlabel="score less threshold (nats per frame)", title="each dot a clip; left of the line: anomaly")


def draw_curves(axes: Axes, heard: Sequence[Heard]) -> None:
    """ROC curves of the score and of the energy, over all sections."""
    odd = np.concatenate([one.odd for one in heard])
    curves = {
        "likelihood": (-np.concatenate([one.scores - one.detector.offset_ for one in heard]), BLUE),
        "energy": (np.concatenate([one.levels for one in heard]), GREY),
    }
    axes.axvspan(0, 100 * MOST_FALSE_ALARMS, color="#e8eef5", lw=0)
    for name, (scores, colour) in curves.items():
        alarms, hits = error_rates(scores[odd], scores[~odd]).roc
        axes.plot(100 * alarms, 100 * hits, color=colour, lw=1.8, label=name)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    axes.text(100 * MOST_FALSE_ALARMS + 1.5, 72, "partial AUC:\nthis strip", fontsize=8.5, color=BLUE)
    axes.set(xlabel="normal clips called anomalies (%)", ylabel="anomalies found (%)", xlim=(0, 100), ylim=(0, 101))
    axes.set_title("all thresholds at once")


def draw_alarms(axes: Axes, heard: Sequence[Heard], false_alarms: float) -> None:
    """False alarms by the way the threshold was set, with intervals."""
    ways = [way for way in WAYS if way in heard[0].thresholds]
    for row, way in enumerate(ways[::-1]):
        rate = pooled(heard, way).false_alarms
        low, high = 100 * rate.sure.low, 100 * rate.sure.high
        colour = BLUE if way == ways[-1] else ORANGE
        axes.plot([low, high], [row, row], color=colour, lw=2)
        axes.plot([100 * rate.value], [row], "o", color=colour)
        axes.text(100 * rate.value + 0.3, row + 0.12, f"{100 * rate.value:.1f} %", fontsize=9, color=colour)
    axes.axvline(100 * false_alarms, color=INK, lw=1, ls=(0, (3, 2)))
    axes.text(100 * false_alarms + 0.4, len(ways) - 0.6, "asked for", fontsize=8.5, color=INK)
    axes.set_yticks(range(len(ways)), [way.replace("clips learnt", "clips\nlearnt") for way in ways[::-1]])
    axes.set(
        xlabel="normal clips called anomalies (%)",
        ylim=(-0.5, len(ways) - 0.3),
        title="false alarms, by where the threshold was set",
    )
    axes.set_xlim(left=0)


def draw_course(axes: Axes, heard: Sequence[Heard]) -> None:
    """The score along a typical normal clip and along a typical anomaly of the first section, means of 0.1 s."""
    one = heard[0]
    classifier = one.detector.classifier_
    mixture, front_end = classifier.scorer.mixtures[0], classifier.front_end
    hop = front_end.mfcc.hop_samples / front_end.rate
    for odd, colour in ((False, BLUE), (True, ORANGE)):
        places = np.flatnonzero(one.odd == odd)
        typical = places[np.argsort(one.scores[places])[len(places) // 2]]
        frames = front_end.voiced_frames((clip_of(one.clips[typical], front_end.rate).samples,))
        step = max(1, round(0.1 / hop))
        rows = mixture.log_density(frames.values.astype(float))
        means = rows[: len(rows) // step * step].reshape(-1, step).mean(axis=1)
        times = (np.arange(len(means)) + 0.5) * step * hop
        axes.plot(times, means, color=colour, lw=1.5, label=one.kinds[typical])
    axes.axhline(one.detector.offset_, color=INK, lw=1)
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper right")
    axes.set(xlabel="time (s)", ylabel="log-likelihood (nats per frame)", title="two clips, and the threshold")
    axes.margins(y=0.25)


def picture(heard: Sequence[Heard], false_alarms: float, path: Path) -> None:
    """Four panels."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2)
    draw_course(panels[0, 0], heard)
    draw_scores(panels[0, 1], heard)
    draw_curves(panels[1, 0], heard)
    draw_alarms(panels[1, 1], heard, false_alarms)
    for axes in panels.flat:
        axes.title.set_fontsize(10)
    figure.savefig(path, dpi=100)
