"""The headline figures of a report, each with its interval and what it means, and how they stand on its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import counted
from gmmaudio.evaluate.markup import Markup, tag
from gmmaudio.evaluate.posterior_figures import TITLES
from gmmaudio.evaluate.tables import number, percent
from gmmaudio.evaluate.trials import Trials
from gmmaudio.measures.detection import area_under_curve, equal_error_rate
from gmmaudio.measures.intervals import Interval, interval
from gmmaudio.measures.metrics import balanced_accuracy
from gmmaudio.measures.resampling import Statistic, figure_interval

_MOST_DRAWS, _LEAST_DRAWS, _WORK = 1000, 100, 3_000_000
"""Resamples, fewer where there are many trials, so that a large evaluation does not wait for its report."""

_MEANINGS = {
    "cavg": "misses and false alarms, NIST's average",
    "cllr": "cost of the posteriors; 1 at chance, 0 at best",
    "min_cllr": "the same, were they calibrated",
    "calibration_error": "how far confidence is off",
}


@dataclass(frozen=True)
class Headline:
    """One figure.

    Parameters
    ----------
    name : str
    value : float
    sure : Interval or None
        None where it cannot be had.
    meaning : str
        In a few words.
    share : bool, default True
        Whether it is a share, to be shown in per cent.
    """

    name: str
    value: float
    sure: Interval | None
    meaning: str
    share: bool = True


def headlines_of(found: Evaluation, trials: Trials | None) -> list[Headline]:
    """Accuracy and balanced accuracy; where there are scores, equal error rate and ROC area; what posteriors tell."""
    truth, predicted = np.array(found.truth, object), np.array(found.predicted, object)
    groups = [clip.group for clip in found.predictions]

    def balanced(chosen: NDArray[np.intp]) -> float:
        return balanced_accuracy(truth[chosen].tolist(), predicted[chosen].tolist())

    every = np.arange(len(truth))
    return [
        Headline("accuracy", found.accuracy, found.interval, "clips decided rightly"),
        Headline("balanced accuracy", balanced(every), _interval(balanced, groups), "mean recall of the classes"),
        *([] if trials is None else _of_trials(trials)),
        *(
            Headline(TITLES[name], value, sure, _MEANINGS[name], name == "calibration_error")
            for name, (value, sure) in found.posterior_figures.items()
        ),
    ]


def headlines(found: Evaluation, trials: Trials | None) -> Markup:
    """The figures that come first, each with a bar for its interval."""
    return tag("div", *(_headline(figure) for figure in headlines_of(found, trials)), class_="figures")


def _headline(figure: Headline) -> Markup:
    sure, shown = figure.sure, percent if figure.share else partial(number, digits=3)
    parts = [tag("h3", figure.name), tag("b", shown(figure.value)), tag("small", figure.meaning)]
    if sure is None:
        parts.append(tag("small", "no interval: too few clips or groups"))
    else:
        bar = [_bar(figure.value, sure)] if sure.high <= 1 else []
        parts += [
            *bar,
            tag("small", f"95 % interval {shown(sure.low)} to {shown(sure.high)}, {sure.method}"),
            tag("small", _extent(sure)),
        ]
    return tag("div", *parts, class_="figure")


def _bar(value: float, sure: Interval) -> Markup:
    """The interval and the figure between 0 and 1."""
    at = f"left:{100 * value:.2f}%"
    spread = f"left:{100 * sure.low:.2f}%;width:{100 * (sure.high - sure.low):.2f}%"
    return tag("div", tag("i", style=spread), tag("u", style=at), class_="range", aria_hidden="true")


def _extent(sure: Interval) -> str:
    groups = f"{counted(sure.groups, 'group')}" if sure.groups else "no groups known"
    return f"n = {counted(sure.clips, 'clip')}, {groups}"


def recall_intervals(found: Evaluation) -> dict[str, Interval]:
    """The interval of each class's recall, for classes that have clips."""
    sure = {}
    for label in sorted(set(found.truth)):
        own = [clip for clip in found.predictions if clip.truth == label]
        sure[label] = interval([clip.label == label for clip in own], [clip.group for clip in own])
    return sure


def _of_trials(trials: Trials) -> list[Headline]:
    if not trials.truth.any():
        return []
    groups = [clip.group for clip in trials.clips]

    def error(chosen: NDArray[np.intp]) -> float:
        return equal_error_rate(*trials.sides(chosen))

    def area(chosen: NDArray[np.intp]) -> float:
        return area_under_curve(*trials.sides(chosen))

    every, size = np.arange(len(groups)), trials.leads.size
    return [
        Headline("equal error rate", error(every), _interval(error, groups, size), "each label against the rest"),
        Headline("ROC area", area(every), _interval(area, groups, size), "1 at best, 0.5 by chance", share=False),
    ]


def _interval(statistic: Statistic, groups: Sequence[str | None], work: int = 0) -> Interval | None:
    draws = int(np.clip(_WORK / max(work, len(groups)), _LEAST_DRAWS, _MOST_DRAWS))
    try:
        return figure_interval(statistic, len(groups), groups, resamples=draws)
    except DataError:  # a resample may lack what the figure needs: few clips, few classes
        return None
