"""Intervals of the figures that need no more than truth and answer: balanced accuracy; those of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gmmaudio.evaluate.sure_figure import MOST_DRAWS, Figure, figure_of, share_of
from gmmaudio.measures.intervals import Interval

PER_CLASS = ("precision", "recall", "f1")


def balanced_figure(truth: Sequence[str], answers: Sequence[str | None], groups: Sequence[str | None]) -> Figure:
    """The mean recall of the classes that have clips, with its interval.

    Where a resample lacks a class, it is the mean over the others.

    Examples
    --------
    >>> balanced_figure(["cat", "cat", "cat", "dog"], ["cat", "cat", "cat", None], [None] * 4).value
    0.5
    """
    return mean_figure(truth, [label == answer for label, answer in zip(truth, answers, strict=True)], groups)


def mean_figure(
    parts: Sequence[str], right: Sequence[bool], groups: Sequence[str | None], resamples: int = MOST_DRAWS
) -> Figure:
    """The mean over parts (classes, folds) of the share of each part's clips that is right, with its interval.

    Examples
    --------
    >>> mean_figure(["a", "a", "b"], [True, False, True], [None] * 3).value
    0.75
    """
    _, part = np.unique(np.array(parts, object), return_inverse=True)
    hit = np.array(right, np.float64)

    def mean(some: NDArray[np.intp]) -> float:
        clips, hits = np.bincount(part[some]), np.bincount(part[some], hit[some])
        return float(np.mean(hits[clips > 0] / clips[clips > 0]))

    return figure_of(mean, groups, resamples=resamples)


def class_intervals(
    truth: Sequence[str], answers: Sequence[str | None], groups: Sequence[str | None], label: str
) -> dict[str, Interval | None]:
    """The intervals of one class's precision, recall and F1.

    Precision's is over the clips answered so, recall's over the clips of the class, F1's over both; None where
    there are none.

    Examples
    --------
    >>> found = class_intervals(["cat", "cat", "dog"], ["cat", "dog", "dog"], [None] * 3, "dog")
    >>> [found[name].clips for name in ("precision", "recall", "f1")]
    [2, 1, 2]
    """
    own, named = (np.array([one == label for one in side]) for side in (truth, answers))
    return {
        "precision": _among(named, own, groups),
        "recall": _among(own, named, groups),
        "f1": _f1(own, named, groups),
    }


def _among(clips: NDArray[np.bool_], held: NDArray[np.bool_], groups: Sequence[str | None]) -> Interval | None:
    """Of the share among some clips for which something holds."""
    chosen = np.flatnonzero(clips).tolist()
    return share_of(held[chosen], [groups[i] for i in chosen]).sure if chosen else None


def _f1(own: NDArray[np.bool_], named: NDArray[np.bool_], groups: Sequence[str | None]) -> Interval | None:
    """Of twice the clips right to the clips of the class and those answered so: no other clip changes it."""
    either = np.flatnonzero(own | named).tolist()
    if not either:
        return None
    right, both = 2.0 * (own & named)[either], (own[either].astype(float) + named[either])
    return figure_of(lambda some: float(right[some].sum() / both[some].sum()), [groups[i] for i in either]).sure
