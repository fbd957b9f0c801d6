"""What keeps variances away from zero, and matrices positive definite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_VARIANCE = 1e-24  # even a constant column gets it: its inverse times a square is still a float32 number
LEAST_SHARE = 1e-12  # of a matrix's largest eigenvalue: with less, rounding makes it lose its Cholesky factor


@dataclass(frozen=True)
class Regulariser:
    """What keeps variances away from zero.

    A variance v becomes ``max(v + add, floor, relative_floor * global variance of its column, 1e-24)``. Of a matrix,
    ``add`` goes to the diagonal, and the floor holds for its eigenvalues once every column is scaled to unit
    global variance; none gets below 1e-12 of the largest, so that every matrix has its Cholesky factor.

    Parameters
    ----------
    add : float, default 0
        Added to every variance; scikit-learn's ``reg_covar``.
    floor : float, default 0
        The least variance, in squared units of the data.
    relative_floor : float, default 1e-3
        The least variance as a share of the column's variance over all frames. It follows the data's scale.
    """

    add: float = 0.0
    floor: float = 0.0
    relative_floor: float = 1e-3

    def least(self, spread: Floats) -> Floats:
        """The least variance of each column (d,), given its global variance (d,)."""
        return np.maximum(np.maximum(self.floor, self.relative_floor * spread), LEAST_VARIANCE)

    def matrices(self, matrices: Floats, spread: Floats) -> Floats:
        """Regularised symmetric ``matrices`` (..., d, d), positive definite."""
        scale = np.sqrt(self.least(spread))
        d = len(spread)
        scaled = (matrices + self.add * np.eye(d)) / np.outer(scale, scale)
        values, vectors = np.linalg.eigh(scaled)
        least = np.maximum(1, LEAST_SHARE * values[..., -1:])
        low = values[..., 0] < least[..., 0]
        if low.any():
            lifted = (vectors * np.maximum(values, least)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
            scaled = np.where(low[..., None, None], lifted, scaled)
        return np.asarray(scaled * np.outer(scale, scale))
