"""Pool adjacent violators: the best that any increasing map of the scores could do.

It recalibrates scores with sight of the truth. What comes out is the floor that no calibration of these
scores can go below (min-Cllr), and the convex hull of their ROC curve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import one_row


def pool_adjacent_violators(values: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The non-decreasing sequence nearest to the values: isotonic regression.

    Minimises sum_i weights_i (fit_i - values_i)^2 over all fit_1 <= ... <= fit_n. For values of 0 and 1 the
    same fit also minimises every other proper scoring rule, the logarithmic one among them. In one pass, in
    linear time.

    Parameters
    ----------
    values : (n,) float
        Finite.
    weights : (n,) float
        Above 0, finite.

    Returns
    -------
    (n,) float
        Pools of equal values, each the weighted mean of what was pooled.

    Raises
    ------
    DataError
        ``bad_shape``, ``length_mismatch``, ``not_a_number`` or ``bad_weight``.

    References
    ----------
    Ayer, Brunk, Ewing, Reid and Silverman, "An empirical distribution function for sampling with incomplete
    information", Annals of Mathematical Statistics 26, 1955, 641-647. All proper scoring rules at once:
    Brümmer and du Preez, "The PAV algorithm optimizes binary proper scoring rules", arXiv:1304.2331.

    Examples
    --------
    >>> pool_adjacent_violators([0, 1, 0, 1], [1, 1, 1, 1])
    array([0. , 0.5, 0.5, 1. ])
    """
    value, weight = one_row(values, "values"), one_row(weights, "weights")
    if len(value) != len(weight):
        raise DataError("length_mismatch", f"got {len(value)} values and {len(weight)} weights; one each is needed")
    if not np.isfinite(value).all():
        raise DataError("not_a_number", "a value is infinite; finite values are needed")
    if not (np.isfinite(weight).all() and (weight > 0).all()):
        raise DataError(
            "bad_weight", f"got weights from {weight.min()} to {weight.max()}; finite ones above 0 are needed"
        )
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for mean, mass in zip(value.tolist(), weight.tolist(), strict=True):
        size = 1
        while means and means[-1] > mean:
            other, size = masses.pop(), size + sizes.pop()
            mean, mass = (means.pop() * other + mean * mass) / (other + mass), other + mass
        means.append(mean)
        masses.append(mass)
        sizes.append(size)
    return np.repeat(means, sizes)


def pools(
    scores: NDArray[np.float64], for_target: NDArray[np.float64], against: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mass of targets and of non-targets in each pool, in the order of increasing scores.

    Equal scores are one step, for no map can tell them apart.

    Parameters
    ----------
    scores : (n,) float
        May be infinite.
    for_target, against : (n,) float
        The mass of each trial as a target and as a non-target, one of them above 0.

    Returns
    -------
    targets, others : tuple of (m,) float
        targets / (targets + others) increases from pool to pool.

    Examples
    --------
    >>> scores, target = np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0, 1.0])
    >>> pools(scores, target, 1 - target)
    (array([2., 1.]), array([1., 0.]))
    """
    step = np.unique(scores, return_inverse=True)[1]
    targets, others = np.bincount(step, for_target), np.bincount(step, against)
    fitted = pool_adjacent_violators(targets / (targets + others), targets + others)
    pool = np.unique(fitted, return_inverse=True)[1]
    return np.bincount(pool, targets).astype(np.float64), np.bincount(pool, others).astype(np.float64)
