"""The headline figures of a report, each with its interval and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.trials import Trials
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.detection import area_under_curve, equal_error_rate
from gmmaudio.measures.intervals import Interval, interval
from gmmaudio.measures.metrics import balanced_accuracy
from gmmaudio.measures.resampling import Statistic, figure_interval

_MOST_DRAWS, _LEAST_DRAWS, _WORK = 1000, 100, 3_000_000
"""Resamples, fewer where there are many trials, so that a large evaluation does not wait for its report."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    name : str
    value : float
        In [0, 1].
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


def headline_figures(found: Evaluation, trials: Trials | None) -> list[Figure]:
    """Accuracy, balanced accuracy, and where there are scores the equal error rate, AUC and calibration error."""
    truth, predicted = np.array(found.truth, object), np.array(found.predicted, object)
    groups = [clip.group for clip in found.predictions]

    def balanced(chosen: NDArray[np.intp]) -> float:
        return balanced_accuracy(truth[chosen].tolist(), predicted[chosen].tolist())

    figures = [
        Figure("accuracy", found.accuracy, found.interval, "clips decided rightly"),
        _figure("balanced accuracy", balanced, groups, len(truth), "mean recall of the classes"),
    ]
    return figures if trials is None else figures + _of_scores(trials)


def recall_intervals(found: Evaluation) -> dict[str, Interval]:
    """The interval of each class's recall, for classes that have clips."""
    sure = {}
    for label in sorted(set(found.truth)):
        own = [clip for clip in found.predictions if clip.truth == label]
        sure[label] = interval([clip.label == label for clip in own], [clip.group for clip in own])
    return sure


def _of_scores(trials: Trials) -> list[Figure]:
    groups, right, sure = [clip.group for clip in trials.clips], trials.right, trials.confidences

    def sides(chosen: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        leads, truth = trials.leads[chosen], trials.truth[chosen]
        return leads[truth], leads[~truth]

    n = len(trials.clips)
    figures = []
    if trials.truth.any():
        eer, auc = (lambda chosen: equal_error_rate(*sides(chosen))), (lambda chosen: area_under_curve(*sides(chosen)))
        figures += [
            _figure("equal error rate", eer, groups, n, "each label against the rest, all pooled", trials.leads.size),
            replace(_figure("ROC area", auc, groups, n, "1 at best, 0.5 by chance", trials.leads.size), share=False),
        ]
    return [
        *figures,
        _figure(
            "calibration error",
            lambda at: reliability(right[at], sure[at]).error,
            groups,
            n,
            "how far confidence is off",
        ),
    ]


def _figure(
    name: str, statistic: Statistic, groups: Sequence[str | None], clips: int, meaning: str, work: int = 0
) -> Figure:
    value = statistic(np.arange(clips))
    draws = int(np.clip(_WORK / max(work, clips), _LEAST_DRAWS, _MOST_DRAWS))
    try:
        sure = figure_interval(statistic, clips, groups, resamples=draws)
    except DataError:  # a resample may lack what the figure needs: few clips, few classes
        sure = None
    return Figure(name, value, sure, meaning)
