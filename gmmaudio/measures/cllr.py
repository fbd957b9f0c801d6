"""Cllr: what log-likelihood ratios are worth as probabilities, in bits per trial; and how low it could be.

Scores are natural logarithms throughout; costs are in bits. Targets and non-targets, or all classes, weigh
the same, however many trials each has, so that no figure here depends on the test set's class counts.

=====================  ===================================================  ================================
measure                what it asks                                         knowing nothing costs
=====================  ===================================================  ================================
`cllr`                 target or not                                        1 bit
`min_cllr`             the same, after the best increasing map (PAV)        at most 1 bit
`multiclass_cllr`      which of L classes                                   log2 L bits
`class_cllr`           per class: this one or another                       1 bit
`min_class_cllr`       the same, after the best increasing map per class    at most 1 bit
=====================  ===================================================  ================================

min_class_cllr <= class_cllr class by class, and the mean of class_cllr <= multiclass_cllr (all classes having
clips). What is lost by bad calibration is the difference of the first two: like is compared with like.

An infinite score is an answer given as certain: right it costs 0 bits, wrong infinitely many.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import classes, in_set, one_row, table
from gmmaudio.measures.pooling import pools

_LN2 = log(2)


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
    return float((_softplus(-target).mean() + _softplus(other).mean()) / (2 * _LN2))


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
    return _pooled_cost(np.concatenate([target, other]), of_targets, of_others)


def multiclass_cllr(truth: ArrayLike, log_likelihoods: ArrayLike) -> float:
    """The cost of a classifier's posteriors, in bits: which of L classes was it?

    Mean over the classes that have clips of the mean over their clips of -log2 posterior of the true class,
    under equal priors.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's class.
    log_likelihoods : (n, L) float
        In nats, up to a constant for each clip: log-posteriors under equal priors will do as well.
        -infinity for a class ruled out.

    Returns
    -------
    float
        0 for answers right and certain, log2 L for knowing nothing, infinite where a true class is ruled out.

    Raises
    ------
    DataError
        ``bad_shape``, ``not_a_number``, ``length_mismatch``, ``class_not_listed``, ``one_class``,
        ``out_of_set``, ``bad_likelihood`` (infinite, or -infinite for all classes of a clip).

    References
    ----------
    Brümmer and van Leeuwen, "On calibration of language recognition scores", Odyssey 2006; as Brümmer's FoCal
    Multiclass toolkit computes it (``multiclass_cllr``).

    Examples
    --------
    >>> multiclass_cllr([0, 1, 2, 3], np.zeros((4, 4)))
    2.0
    """
    scores = _likelihoods(log_likelihoods)
    rows = in_set(classes(truth, scores.shape))
    costs = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(rows)), rows]
    means = [costs[rows == own].mean() for own in np.unique(rows)]
    # Rounding must not make a certain answer pay less than nothing.
    return max(0.0, float(np.mean(means) / _LN2))


def detection_llrs(log_likelihoods: ArrayLike) -> NDArray[np.float64]:
    """For each class: is it this one, or another? Log-likelihood ratios from log-likelihoods, in nats.

    llr_t = l_t - log mean over j != t of exp(l_j): the other classes are equally likely.
    A detector that decides at 0 has equal costs and priors of 1/2, as Cavg has.

    Parameters
    ----------
    log_likelihoods : (n, L) float
        As `multiclass_cllr`.

    Returns
    -------
    (n, L) float
        Infinite where a class is ruled out, or all others are.

    Raises
    ------
    DataError
        ``bad_shape``, ``not_a_number`` or ``bad_likelihood``.

    References
    ----------
    Brümmer and van Leeuwen 2006, as `multiclass_cllr`.

    Examples
    --------
    >>> detection_llrs(np.log([[0.5, 0.25, 0.25]])).round(3)
    array([[ 0.693, -0.405, -0.405]])
    """
    scores = _likelihoods(log_likelihoods)
    # The sums over all classes before and after each: nothing is subtracted, so nothing cancels.
    none = np.full((len(scores), 1), -np.inf)
    before = np.hstack([none, np.logaddexp.accumulate(scores, axis=1)[:, :-1]])
    after = np.hstack([np.logaddexp.accumulate(scores[:, ::-1], axis=1)[:, -2::-1], none])
    ratios: NDArray[np.float64] = scores - (np.logaddexp(before, after) - log(scores.shape[1] - 1))
    return ratios


def class_cllr(truth: ArrayLike, llrs: ArrayLike) -> tuple[float | None, ...]:
    """The cost of each class's detector, in bits: this class, or another?

    `cllr` of each column, but with every other class weighing the same, as in Cavg.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's class.
    llrs : (n, L) float
        Log-likelihood ratios in nats, such as from `detection_llrs`.

    Returns
    -------
    tuple of L float or None
        None for a class without clips. Infinite where an answer is certain and wrong.

    Raises
    ------
    DataError
        ``bad_shape``, ``not_a_number``, ``length_mismatch``, ``class_not_listed``, ``one_class`` or
        ``out_of_set``.

    References
    ----------
    As the average detection Cllr of Brümmer's FoCal Multiclass toolkit (``avg_detection_cost``): weighted as
    Cavg, with the logarithmic cost in place of counted errors.

    Examples
    --------
    >>> class_cllr([0, 1, 2], np.zeros((3, 3)))
    (1.0, 1.0, 1.0)
    """
    scores = table(llrs, "log-likelihood ratios")
    return tuple(
        sides and float((_weighed(sides[0], _softplus(-column)) + _weighed(sides[1], _softplus(column))) / _LN2)
        for column, sides in zip(scores.T, _sides(truth, scores), strict=True)
    )


def min_class_cllr(truth: ArrayLike, scores: ArrayLike) -> tuple[float | None, ...]:
    """The lowest `class_cllr` that one increasing map per class could reach, in bits.

    For each class: pool adjacent violators over its column, the class weighing a half and the others sharing
    the other half equally; the cost of the pools. Their mean over the classes is the "min-Cllr" to set beside
    the mean of `class_cllr`.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's class.
    scores : (n, L) float
        Detection scores, higher for the class; infinite ones are allowed.

    Returns
    -------
    tuple of L float or None
        In [0, 1]; None for a class without clips.

    Raises
    ------
    DataError
        As `class_cllr`.

    References
    ----------
    Brümmer and du Preez 2006, as `cllr`, for one detector; here applied to each class and weighted as Cavg.

    Examples
    --------
    >>> min_class_cllr([0, 1], [[2.0, -2.0], [1.0, -1.0]])
    (0.0, 0.0)
    """
    rows = table(scores, "scores")
    return tuple(
        sides and _pooled_cost(column, *sides) for column, sides in zip(rows.T, _sides(truth, rows), strict=True)
    )


Sides = tuple[NDArray[np.float64], NDArray[np.float64]]


def _sides(truth: ArrayLike, scores: NDArray[np.float64]) -> list[Sides | None]:
    """Each clip's mass as a target and as a non-target of each class: a half for either side."""
    rows = in_set(classes(truth, scores.shape))
    counts = np.bincount(rows, minlength=scores.shape[1])
    each = 0.5 / counts[rows]
    others = (counts > 0).sum() - 1
    return [
        (np.where(rows == own, each, 0.0), np.where(rows == own, 0.0, each / others)) if counts[own] else None
        for own in range(scores.shape[1])
    ]


def _weighed(weights: NDArray[np.float64], costs: NDArray[np.float64]) -> np.float64:
    """Their sum of products; a weight of 0 drops even an infinite cost."""
    counted = weights > 0
    return np.sum(weights[counted] * costs[counted])


def _pooled_cost(scores: NDArray[np.float64], of_targets: NDArray[np.float64], of_others: NDArray[np.float64]) -> float:
    """- sum over pools of t log2(t / (t + o)) + o log2(o / (t + o)), in bits; 0 log 0 = 0."""
    cost = 0.0
    for target, other in zip(*(side.tolist() for side in pools(scores, of_targets, of_others)), strict=True):
        for mass in (target, other):
            if mass > 0:
                cost -= mass * log(mass / (target + other)) / _LN2
    return min(cost, 1.0)


def _softplus(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 + exp(x)), also for large and infinite x."""
    result: NDArray[np.float64] = np.logaddexp(0.0, values)
    return result


def _likelihoods(log_likelihoods: ArrayLike) -> NDArray[np.float64]:
    scores = table(log_likelihoods, "log-likelihoods")
    if (scores == np.inf).any() or (scores == -np.inf).all(axis=1).any():
        raise DataError(
            "bad_likelihood",
            "a clip has an infinite log-likelihood, or -infinity for every class; at least one must be finite",
        )
    return scores
