"""Cllr for more than two classes: posteriors over L classes, and one detector per class.

Scores are natural logarithms, costs are in bits. All classes weigh the same, however many clips each has, so
that no figure here depends on the test set's class counts.

=====================  ===================================================  ================================
measure                what it asks                                         knowing nothing costs
=====================  ===================================================  ================================
`multiclass_cllr`      which of L classes is it?                            log2 L bits
`class_cllr`           per class: this one, or another?                     1 bit
`min_class_cllr`       the same, after the best increasing map per class    at most 1 bit
=====================  ===================================================  ================================

min_class_cllr <= class_cllr class by class, and the mean of class_cllr <= multiclass_cllr if all classes have
clips. What is lost by bad calibration is the difference of the first two: like is compared with like.

An infinite score is an answer given as certain: right it costs 0 bits, wrong infinitely many.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import classes, in_set, one_row, table
from gmmaudio.measures.cllr import LN2, pooled_cost, softplus


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
    return max(0.0, float(np.mean(means) / LN2))


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

    `gmmaudio.measures.cllr.cllr` of each column, but with every other class weighing the same, as in Cavg.

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
    rows = in_set(classes(truth, scores.shape))
    return tuple(
        _detector_cost(column, *sides) if (sides := _sides(rows, own)) else None for own, column in enumerate(scores.T)
    )


def detector_cllr(truth: ArrayLike, own: int, llrs: ArrayLike) -> float:
    """The cost of one class's detector, in bits: its part of `class_cllr`, from its column alone.

    Parameters
    ----------
    truth : (n,) int
        As `class_cllr`.
    own : int
        The class.
    llrs : (n,) float
        Its log-likelihood ratios in nats.

    Returns
    -------
    float

    Raises
    ------
    DataError
        As `class_cllr`; ``empty_class`` where the class has no clips.

    Examples
    --------
    >>> detector_cllr([0, 1, 2, 2], 1, [0.0, 0.0, 0.0, 0.0])
    1.0
    """
    column = one_row(llrs, "log-likelihood ratios")
    rows = in_set(classes(truth, (len(column), 1 + int(np.max(truth, initial=0)))))
    sides = _sides(rows, own)
    if sides is None:
        raise DataError("empty_class", f"class {own} has no clips", "add some")
    return _detector_cost(column, *sides)


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
    Brümmer and du Preez 2006, as `gmmaudio.measures.cllr.cllr`, for one detector; here applied to each class
    and weighted as Cavg.

    Examples
    --------
    >>> min_class_cllr([0, 1], [[2.0, -2.0], [1.0, -1.0]])
    (0.0, 0.0)
    """
    values = table(scores, "scores")
    rows = in_set(classes(truth, values.shape))
    return tuple(
        pooled_cost(column, *sides) if (sides := _sides(rows, own)) else None for own, column in enumerate(values.T)
    )


def _sides(truth: NDArray[np.intp], own: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Each clip's mass as a target and as a non-target of a class, a half for either side; None without targets."""
    counts = np.bincount(truth)
    if own >= len(counts) or not counts[own]:
        return None
    each, is_own = 0.5 / counts[truth], truth == own
    others = (counts > 0).sum() - 1
    return np.where(is_own, each, 0.0), np.where(is_own, 0.0, each / others)


def _detector_cost(llrs: NDArray[np.float64], targets: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    return float((_weighed(targets, softplus(-llrs)) + _weighed(others, softplus(llrs))) / LN2)


def _weighed(weights: NDArray[np.float64], costs: NDArray[np.float64]) -> np.float64:
    """Their sum of products; a weight of 0 drops even an infinite cost."""
    counted = weights > 0
    return np.sum(weights[counted] * costs[counted])


def _likelihoods(log_likelihoods: ArrayLike) -> NDArray[np.float64]:
    scores = table(log_likelihoods, "log-likelihoods")
    if (scores == np.inf).any() or (scores == -np.inf).all(axis=1).any():
        raise DataError(
            "bad_likelihood",
            "a clip has an infinite log-likelihood, or -infinity for every class; at least one must be finite",
        )
    return scores
