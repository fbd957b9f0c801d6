"""The kinds of covariance: the only code that knows the shape of a second moment.

A kind answers five questions, and nothing else in the package asks which kind it is:

==================  ========================================================================================
``complete``        which functions of a frame are summed and multiplied (the design): ``[x, x*x, 1]``
``coefficients``    the parameters against which they are multiplied, so that one matrix product gives the
                    logarithm of weight times density
``second``          where the second moments stand in the product of posteriors and design
``estimate``        the maximum-likelihood covariance for given moments
``moments``         the second moments of the model itself (for priors and sampling)
==================  ========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TINY = 1e-150  # an occupancy below this is none
LEAST_VARIANCE = 1e-24  # even a constant column gets it: its inverse times a square is still a float32 number


@dataclass(frozen=True)
class Regulariser:
    """What keeps variances away from zero.

    A variance v becomes ``max(v + add, floor, relative_floor * global variance of its column, 1e-24)``.

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

    def apply(self, variances: Floats, spread: Floats) -> Floats:
        """Regularised ``variances``, any shape that ends in (d,), given the columns' global variances (d,)."""
        least = np.maximum(np.maximum(self.floor, self.relative_floor * spread), LEAST_VARIANCE)
        return np.maximum(variances + self.add, least)


@dataclass(frozen=True, eq=False)
class Diagonal:
    """One variance per component and dimension.

    Parameters
    ----------
    variances : (k, d) float64
    """

    variances: Floats
    kind: ClassVar[str] = "diag"

    @staticmethod
    def width(d: int) -> int:
        """The number of columns of the design."""
        return 2 * d + 1

    @staticmethod
    def complete(design: NDArray[np.floating], d: int) -> None:
        """Fill the design (n, 2d+1) of centred frames, whose first d columns are given: ``[x, x*x, 1]``."""
        np.multiply(design[:, :d], design[:, :d], out=design[:, d : 2 * d])
        design[:, 2 * d] = 1

    def coefficients(self, weights: Floats, means: Floats) -> Floats:
        """(k, 2d+1): times a row of the design this is log weight + log density.

        log w - (d log 2 pi + sum log v + sum m^2 / v) / 2  +  x m / v  -  x^2 / (2 v)
        """
        precisions = 1 / self.variances
        constant = (
            means.shape[1] * np.log(2 * np.pi)
            + np.log(self.variances).sum(axis=1)
            + (means**2 * precisions).sum(axis=1)
        )
        with np.errstate(divide="ignore"):  # a weight of zero is a log weight of minus infinity
            log_weights = np.maximum(np.log(weights), -1e30)
        return np.column_stack([means * precisions, -precisions / 2, log_weights - constant / 2])

    @staticmethod
    def second(sums: Floats, d: int) -> Floats:
        """The second moments (k, d) within posteriors @ design (k, 2d+1)."""
        return sums[:, d : 2 * d]

    @classmethod
    def estimate(
        cls, occupancy: Floats, means: Floats, second: Floats, regulariser: Regulariser, spread: Floats
    ) -> Diagonal:
        """E[x^2] - E[x]^2 per component, regularised; a component without frames gets the floor."""
        share = 1 / np.maximum(occupancy, TINY)[:, None]
        return cls(regulariser.apply(np.maximum(second * share - means**2, 0), spread))

    def moments(self, means: Floats) -> Floats:
        """E[x^2] (k, d) of each component whose mean is given."""
        return self.variances + means**2

    def transform(self, normal: Floats, component: NDArray[np.intp]) -> Floats:
        """Standard normal rows (n, d) given the covariance of their component (n,)."""
        return normal * np.sqrt(self.variances[component])

    def parameters(self) -> int:
        """The number of free parameters, for BIC and AIC."""
        return self.variances.size


KINDS: dict[str, type[Diagonal]] = {Diagonal.kind: Diagonal}
