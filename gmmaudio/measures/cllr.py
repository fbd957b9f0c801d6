"""Cllr: what log-likelihood ratios are worth as probabilities, in bits per trial; and how low it could be.

Two classes here, targets and non-targets; `gmmaudio.measures.multiclass` has more. Scores are natural
logarithms, costs are in bits. Both classes weigh the same, however many trials each has.

An infinite score is an answer given as certain: right it costs 0 bits, wrong infinitely many.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.measures.checks import one_row
from gmmaudio.measures.pooling import pools

LN2 = log(2)


def cllr(targets: ArrayLike, others: ArrayLike) -> float:
    """The cost of log-likelihood ratios, in bits.

    (mean over targets of log2(1 + exp(-llr)) + mean over non-targets of log2(1 + exp(llr))) / 2.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        Log-likelihood ratios in nats, of the trials that are targets and of those that are not.

    Returns
    -------
    float
        0 for answers right and certain; 1 for ratios that are always 1; more than 1 misleads; infinite where
        an answer is certain and wrong.

    Raises
    ------
    DataError
        ``bad_shape`` (also where either is empty) or ``not_a_number``.

    References
    ----------
    Brümmer and du Preez, "Application-independent evaluation of speaker detection", Computer Speech and
    Language 20, 2006, 230-275.

    Examples
    --------
    >>> cllr([0.0, 0.0], [0.0])
    1.0
    """
    target, other = one_row(targets, "target scores"), one_row(others, "non-target scores")
    return float((softplus(-target).mean() + softplus(other).mean()) / (2 * LN2))


def min_cllr(targets: ArrayLike, others: ArrayLike) -> float:
    """The lowest `cllr` that an increasing map of these scores could reach, in bits.

    The map is found by pooling adjacent violators, both samples weighing a half. Only the order of the
    scores counts, so that any scores will do.

    Parameters
    ----------
    targets, others : (T,) and (N,) float
        Scores of the trials that are targets and of those that are not; infinite ones are allowed.

    Returns
    -------
    float
        In [0, 1], and at most `cllr` of the same scores.

    Raises
    ------
    DataError
        As `cllr`.

    References
    ----------
    Brümmer and du Preez 2006, as `cllr`, section on PAV.

    Examples
    --------
    >>> min_cllr([1.0, 3.0], [0.0, 2.0])
    0.5
    """
    target, other = one_row(targets, "target scores"), one_row(others, "non-target scores")
    sides = [len(target), len(other)]
    of_targets = np.repeat([0.5 / len(target), 0.0], sides)
    of_others = np.repeat([0.0, 0.5 / len(other)], sides)
    return pooled_cost(np.concatenate([target, other]), of_targets, of_others)


def pooled_cost(scores: NDArray[np.float64], of_targets: NDArray[np.float64], of_others: NDArray[np.float64]) -> float:
    """The cost of what pooling makes of the scores, whose masses sum to 1: in bits.

    -sum over pools of t log2(t / (t + o)) + o log2(o / (t + o)), with 0 log 0 = 0.
    """
    cost = 0.0
    for target, other in zip(*(side.tolist() for side in pools(scores, of_targets, of_others)), strict=True):
        for mass in (target, other):
            if mass > 0:
                cost -= mass * log(mass / (target + other)) / LN2
    return min(cost, 1.0)


def softplus(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 + exp(x)), also for large and infinite x."""
    result: NDArray[np.float64] = np.logaddexp(0.0, values)
    return result
