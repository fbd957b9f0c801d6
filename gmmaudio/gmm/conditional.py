"""Some dimensions of a mixture: their marginal density, and the density of the others once they are known.

Both are mixtures of the same kind of covariance. Diagonal and spherical components have no correlations, so knowing
some dimensions changes only their weights; a tied matrix stays tied, because the matrix that is left does not depend
on what was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture, as_frames

LEAST_WEIGHT = 1e-300  # weights are positive: a component that is out of the question keeps this


def marginal(mixture: Mixture, dimensions: Sequence[int]) -> Mixture:
    """The density of some dimensions, whatever the others are.

    Parameters
    ----------
    mixture : Mixture
    dimensions : sequence of int
        Distinct, from 0 to d - 1; the result's dimensions are these, in this order.

    Raises
    ------
    DataError
        ``bad_dimensions``.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Full
    >>> cloud = Mixture(np.ones(1), np.array([[1.0, 2.0]]), Full(np.array([[[1.0, 0.5], [0.5, 4.0]]])))
    >>> marginal(cloud, [1]).means, marginal(cloud, [1]).covariance.array
    (array([[2.]]), array([[[4.]]]))
    """
    kept = _checked(dimensions, mixture.dimension)
    matrices = mixture.covariance.matrices(mixture.components, mixture.dimension)[:, kept[:, None], kept]
    kind = KINDS[mixture.covariance.kind]
    return Mixture(mixture.weights, mixture.means[:, kept], kind.from_matrices(matrices, mixture.weights))


def condition(mixture: Mixture, dimensions: Sequence[int], values: ArrayLike) -> Mixture:
    """The density of the other dimensions where these have the given values.

    Per component, with a for the known and b for the other dimensions: mean m_b + S_ba S_aa^-1 (x - m_a), covariance
    S_bb - S_ba S_aa^-1 S_ab, and a weight in proportion to w N(x; m_a, S_aa).

    Parameters
    ----------
    mixture : Mixture
    dimensions : sequence of int
        The known ones: distinct, from 0 to d - 1, and not all of them.
    values : (len(dimensions),)
        What they are, finite.

    Returns
    -------
    Mixture
        Over the other dimensions in ascending order.

    Raises
    ------
    DataError
        ``bad_dimensions``, ``bad_shape``, ``non_finite``, ``not_numeric``.

    References
    ----------
    Bishop (2006), Pattern recognition and machine learning, eq. 2.81 and 2.82.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Full
    >>> cloud = Mixture(np.ones(1), np.array([[0.0, 0.0]]), Full(np.array([[[1.0, 0.5], [0.5, 1.0]]])))
    >>> given = condition(cloud, [0], [2.0])
    >>> given.means, given.covariance.array
    (array([[1.]]), array([[[0.75]]]))
    """
    known = _checked(dimensions, mixture.dimension)
    others = np.setdiff1d(np.arange(mixture.dimension), known)
    if len(others) == 0:
        raise DataError("bad_dimensions", f"all {mixture.dimension} dimensions are known: none is left to describe")
    frame = as_frames(np.atleast_2d(values), len(known)).astype(np.float64)
    posteriors = marginal(mixture, dimensions).posteriors(frame)[0]
    matrices = mixture.covariance.matrices(mixture.components, mixture.dimension)
    across = matrices[:, others[:, None], known]
    gains = np.linalg.solve(matrices[:, known[:, None], known], np.swapaxes(across, 1, 2))
    left = matrices[:, others[:, None], others] - across @ gains
    means = mixture.means[:, others] + np.einsum("kab,ka->kb", gains, frame[0] - mixture.means[:, known])
    weights = np.maximum(posteriors, LEAST_WEIGHT)
    symmetric = (left + np.swapaxes(left, 1, 2)) / 2
    return Mixture(weights, means, KINDS[mixture.covariance.kind].from_matrices(symmetric, mixture.weights))


def _checked(dimensions: Sequence[int], d: int) -> NDArray[np.intp]:
    """The dimensions as an array, distinct and within range."""
    found = np.asarray(dimensions)
    whole = found.ndim == 1 and len(found) > 0 and found.dtype.kind in "iu"
    if not whole or found.min() < 0 or found.max() >= d or len(np.unique(found)) < len(found):
        raise DataError(
            "bad_dimensions", f"dimensions {dimensions}; distinct whole numbers from 0 to {d - 1} are needed"
        )
    return found.astype(np.intp)
