"""Telling targets from non-targets by a score: error rates, ROC and DET curve, equal error rate, area.

A trial is accepted where its score reaches the threshold. Two samples of scores come in, those of the trials
that are targets first; only the order of the scores counts, so that no increasing map changes any figure here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import one_row


@dataclass(frozen=True)
class ErrorRates:
    """Both error rates at every threshold that makes a difference.

    Attributes
    ----------
    thresholds : (m,) float
        Every score that occurs, rising, and at last infinity, which stands for accepting nothing.
    miss : (m,) float
        The share of targets below the threshold, from 0 to 1.
    false_alarm : (m,) float
        The share of non-targets at or above the threshold, from 1 to 0.
    """

    thresholds: NDArray[np.float64]
    miss: NDArray[np.float64]
    false_alarm: NDArray[np.float64]

    @property
    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ROC curve from (0, 0) to (1, 1): false alarms, and hits = 1 - miss."""
        return self.false_alarm[::-1], 1 - self.miss[::-1]

    @property
    def det(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The DET curve: false alarms and misses, both through `probit`; its ends are infinite.

        References
        ----------
        Martin, Doddington, Kamm, Ordowski and Przybocki, "The DET curve in assessment of detection task
        performance", Eurospeech 1997.
        """
        return probit(self.false_alarm), probit(self.miss)


def error_rates(targets: ArrayLike, others: ArrayLike) -> ErrorRates:
    """Misses and false alarms at every threshold.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        The scores of the trials that are targets, and of those that are not. Infinite ones are allowed.

    Returns
    -------
    ErrorRates

    Raises
    ------
    DataError
        ``bad_shape`` (also where either is empty) or ``not_a_number``.

    Examples
    --------
    >>> rates = error_rates([2, 3], [1, 2])
    >>> rates.thresholds, rates.miss, rates.false_alarm
    (array([ 1.,  2.,  3., inf]), array([0. , 0. , 0.5, 1. ]), array([1. , 0.5, 0. , 0. ]))
    """
    target, other = _both(targets, others)
    thresholds = np.unique(np.concatenate([target, other]))
    miss = np.append(np.searchsorted(target, thresholds), len(target)) / len(target)
    passed = np.append(len(other) - np.searchsorted(other, thresholds), 0) / len(other)
    return ErrorRates(np.append(thresholds, inf), miss, passed)


def equal_error_rate(targets: ArrayLike, others: ArrayLike) -> float:
    """The error rate where misses and false alarms are equally frequent, on the ROC curve's convex hull.

    The empirical curve is made of steps, and between two of them the rates need not meet; rules that pick the
    nearest step, or join the steps by a line, disagree about it. The hull has one answer: it is what the
    detector reaches when it may toss a coin between two thresholds, and the largest error that the best
    threshold is left with, over all priors of the target. It is at most the figure of those other rules.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        As `error_rates`.

    Returns
    -------
    float
        In [0, 0.5]: a detector worse than chance is given by the hull the coin's 0.5.

    Raises
    ------
    DataError
        As `error_rates`.

    References
    ----------
    Provost and Fawcett, "Robust classification for imprecise environments", Machine Learning 42, 2001,
    203-231 (the hull); Brümmer and de Villiers, "The BOSARIS toolkit", arXiv:1304.2865 (its EER).

    Examples
    --------
    >>> round(equal_error_rate([2, 3, 4], [0, 1, 2, 3]), 4)  # 2 / 7
    0.2857
    """
    target, other = _both(targets, others)
    thresholds = np.unique(np.concatenate([target, other]))
    missed = np.append(np.searchsorted(target, thresholds), len(target))  # counts: the hull is found without rounding
    passed = np.append(len(other) - np.searchsorted(other, thresholds), 0)
    gap = missed * len(other) - passed * len(target)
    first, last = 0, len(missed) - 1  # ends of a line that crosses where the rates meet, gap 0
    while True:
        width, height = int(passed[first] - passed[last]), int(missed[last] - missed[first])
        beyond = passed * height + missed * width
        lowest = int(beyond.argmin())
        if beyond[lowest] == beyond[first]:  # nothing lies below the line: it is of the hull
            break
        first, last = (first, lowest) if gap[lowest] >= 0 else (lowest, last)
    share = -gap[first] / (gap[last] - gap[first])
    return float(missed[first] + share * (missed[last] - missed[first])) / len(target)


def area_under_curve(targets: ArrayLike, others: ArrayLike) -> float:
    """The chance that a target scores above a non-target, ties counted half.

    That is the area under the ROC curve, and the statistic U of Mann and Whitney over T N.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        As `error_rates`.

    Returns
    -------
    float
        1 where every target is above every non-target, 0.5 by chance, 0 the other way round.

    Raises
    ------
    DataError
        As `error_rates`.

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", Radiology 143, 1982, 29-36.

    Examples
    --------
    >>> area_under_curve([2, 3], [1, 2])
    0.875
    """
    target, other = _both(targets, others)
    below = np.searchsorted(other, target, "left").sum()
    not_above = np.searchsorted(other, target, "right").sum()
    return float((int(below) + int(not_above)) / (2 * len(target) * len(other)))


def partial_area(targets: ArrayLike, others: ArrayLike, most: float = 0.1) -> float:
    """The area under the ROC curve up to a false-alarm rate, scaled so that chance is 0.5 and perfection 1.

    Where alarms must be rare, only the curve's beginning matters. With f the largest rate and A the area under the
    curve from 0 to f, its points joined by lines, the figure is (1 + (A - f^2 / 2) / (f - f^2 / 2)) / 2.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        As `error_rates`.
    most : float, default 0.1
        The largest false-alarm rate f, in (0, 1]; at 1 the figure is `area_under_curve`.

    Returns
    -------
    float
        At most 1; below 0.5 for a detector worse than chance.

    Raises
    ------
    DataError
        As `error_rates`; ``bad_rate``.

    Notes
    -----
    ``sklearn.metrics.roc_auc_score(max_fpr=f)`` gives the same. The "pAUC" of DCASE's task 2 is that function's, with
    f = 0.1 (the organisers' baseline), and so carries this scaling, which the task's printed formula leaves out.

    References
    ----------
    McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9, 1989, 190-195.

    Examples
    --------
    >>> partial_area([2, 3], [1, 2], most=0.5)
    0.8333333333333333
    """
    if not 0 < most <= 1:
        raise DataError("bad_rate", f"got a largest false-alarm rate of {most}; it lies in (0, 1]", "take 0.1")
    false_alarm, hits = error_rates(targets, others).roc
    inside = int(np.searchsorted(false_alarm, most, "right"))
    ends = slice(inside - 1, inside + 1)
    last = np.interp(most, false_alarm[ends], hits[ends])
    area = np.trapezoid([*hits[:inside], last], [*false_alarm[:inside], most])
    chance = most**2 / 2
    return float((1 + (area - chance) / (most - chance)) / 2)


def probit(rates: ArrayLike) -> NDArray[np.float64]:
    """The normal distribution's quantiles: the axes of a DET curve, on which normal scores make a line.

    Parameters
    ----------
    rates : (n,) float
        In [0, 1].

    Returns
    -------
    (n,) float
        -infinity at 0, infinity at 1.

    Raises
    ------
    DataError
        ``bad_shape``, ``not_a_number`` or ``bad_rate``.

    Examples
    --------
    >>> probit([0, 0.5, 0.975]).round(2)
    array([-inf, 0. , 1.96])
    """
    normal = NormalDist()
    ends = {0.0: -inf, 1.0: inf}
    rows = one_row(rates, "rates").tolist()
    if min(rows) < 0 or max(rows) > 1:
        raise DataError("bad_rate", f"got rates from {min(rows)} to {max(rows)}; they lie in [0, 1]")
    return np.array([ends[rate] if rate in ends else normal.inv_cdf(rate) for rate in rows])


def _both(targets: ArrayLike, others: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.sort(one_row(targets, "target scores")), np.sort(one_row(others, "non-target scores"))
