"""Covariances that are variances: one per component and dimension, or one per component (see covariance.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.evaluation import LOG_2_PI, Evaluation, log_weights, padded, product
from gmmaudio.gmm.regulariser import Regulariser

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Diagonal:
    """One variance per component and dimension.

    Parameters
    ----------
    variances : (k, d) float64
    """

    variances: Floats
    kind: ClassVar[str] = "diag"

    @property
    def array(self) -> Floats:
        return self.variances

    def evaluate(self, weights: Floats, means: Floats, dtype: Any) -> Evaluation:
        """log w - (d log 2 pi + sum log v + sum m^2 / v) / 2  +  x m / v  -  x^2 / (2 v)."""
        d = means.shape[1]
        precisions = 1 / self.variances
        constant = d * LOG_2_PI + np.log(self.variances).sum(axis=1) + (means**2 * precisions).sum(axis=1)
        rows = np.zeros((len(means), padded(2 * d + 1)))
        rows[:, :d], rows[:, d : 2 * d] = means * precisions, -precisions / 2
        rows[:, 2 * d] = log_weights(weights) - constant / 2

        def complete(design: Real, centred: Real) -> None:
            # Squared where the frames lie in one piece: rows of a matrix cost an inner loop each.
            design[:, d : 2 * d] = np.multiply(centred, centred, out=centred)
            design[:, 2 * d] = 1

        return product(rows, 2 * d, dtype, complete)

    @staticmethod
    def collect(posteriors: Real, design: Real, shares: Real, counts: Real | None) -> tuple[Real, None]:
        """All sums of a block in one product. Overwrites the design.

        Parameters
        ----------
        posteriors : (n, k), not normalised
        design : (n, width)
        shares : (n,)
            What each frame's posteriors are to be multiplied by: its weight over the normaliser.
        counts : (n,) or None
            The frames' weights.
        """
        design *= shares[:, None]
        return posteriors.T @ design, None

    @staticmethod
    def split(sums: Floats, extra: Floats | None, d: int) -> tuple[Floats, Floats, Floats]:
        """Occupancy (k,), first (k, d) and second moments of collected sums."""
        return sums[:, 2 * d].copy(), sums[:, :d].copy(), sums[:, d : 2 * d].copy()

    @classmethod
    def estimate(
        cls, occupancy: Floats, means: Floats, second: Floats, regulariser: Regulariser, spread: Floats
    ) -> Diagonal:
        """E[x^2] - E[x]^2 per component, regularised."""
        variances = np.maximum(second / occupancy[:, None] - means**2, 0) + regulariser.add
        return cls(np.maximum(variances, regulariser.least(spread)))

    def floored(self, regulariser: Regulariser, spread: Floats) -> int:
        """How many variances stand at their floor."""
        return int((self.variances <= regulariser.least(spread)).sum())

    def moments(self, occupancy: Floats, means: Floats) -> Floats:
        """The second moments that ``occupancy`` (k,) frames of this model, with these means, would have."""
        return occupancy[:, None] * (self.variances + means**2)

    @staticmethod
    def shifted(second: Floats, first: Floats, occupancy: Floats, step: Floats) -> Floats:
        """Second moments of frames moved by ``step`` (d,)."""
        return second + 2 * step * first + occupancy[:, None] * step**2

    def deviations(self, k: int) -> Floats:
        """Standard deviations (k, d)."""
        return np.sqrt(self.variances)

    def take(self, components: Indices) -> Diagonal:
        """The covariances of these components, in this order; they may repeat."""
        return Diagonal(self.variances[components])

    @staticmethod
    def stack(parts: Sequence[Diagonal], components: Sequence[int]) -> Diagonal:
        """The covariances of several mixtures in one."""
        return Diagonal(np.concatenate([part.variances for part in parts]))

    def transform(self, normal: Floats, component: Indices) -> Floats:
        """Standard normal rows (n, d) given the covariance of their component (n,)."""
        return normal * np.sqrt(self.variances[component])

    def matrices(self, k: int, d: int) -> Floats:
        """The covariance matrices (k, d, d)."""
        return self.variances[:, :, None] * np.eye(d)

    @staticmethod
    def from_matrices(matrices: Floats, weights: Floats) -> Diagonal:
        """The nearest of this kind: the matrices' diagonals."""
        return Diagonal(np.einsum("kii->ki", matrices).copy())

    @staticmethod
    def shape(k: int, d: int) -> tuple[int, ...]:
        """The array's shape."""
        return k, d

    @staticmethod
    def parameters(k: int, d: int) -> int:
        """The number of free parameters."""
        return k * d

    def beyond(self, earlier: Diagonal, share: float) -> Diagonal:
        """A share of the way from ``earlier`` to here again; in logs, so that variances stay positive."""
        return Diagonal(self.variances * (self.variances / earlier.variances) ** share)

    def unpooled(self, k: int, d: int) -> Diagonal:
        """The same covariances as a kind that pools nothing over dimensions or components: Diagonal or Full."""
        return self

    @staticmethod
    def pooled(second: Floats) -> Floats:
        """Second moments of the unpooled kind as this kind keeps them."""
        return second

    @staticmethod
    def inverse(array: Floats) -> Floats:
        """An array of precisions from one of covariances, or the other way round.

        Raises
        ------
        numpy.linalg.LinAlgError
            A variance is not positive, or a matrix is not symmetric and positive definite.
        """
        if not (array > 0).all():
            raise np.linalg.LinAlgError("every variance must be positive")
        return 1 / array

    def precision_roots(self) -> Floats:
        """R, upper triangular, with R R' the precisions."""
        return np.asarray(1 / np.sqrt(self.variances))


@dataclass(frozen=True, eq=False)
class Spherical:
    """One variance per component, the same in every direction.

    Parameters
    ----------
    variances : (k,) float64
    """

    variances: Floats
    kind: ClassVar[str] = "spherical"

    @property
    def array(self) -> Floats:
        return self.variances

    def evaluate(self, weights: Floats, means: Floats, dtype: Any) -> Evaluation:
        """log w - (d log 2 pi v + m.m / v) / 2  +  x.m / v  -  x.x / (2 v)."""
        d = means.shape[1]
        precisions = 1 / self.variances
        constant = d * (LOG_2_PI + np.log(self.variances)) + (means**2).sum(axis=1) * precisions
        rows = np.column_stack([means * precisions[:, None], -precisions / 2, log_weights(weights) - constant / 2])

        def complete(design: Real, centred: Real) -> None:
            np.einsum("ij,ij->i", centred, centred, out=design[:, d])
            design[:, d + 1] = 1

        return product(rows, d + 1, dtype, complete)

    collect = staticmethod(Diagonal.collect)

    @staticmethod
    def split(sums: Floats, extra: Floats | None, d: int) -> tuple[Floats, Floats, Floats]:
        return sums[:, -1].copy(), sums[:, :d].copy(), sums[:, d].copy()

    @classmethod
    def estimate(
        cls, occupancy: Floats, means: Floats, second: Floats, regulariser: Regulariser, spread: Floats
    ) -> Spherical:
        variances = np.maximum(second / occupancy - (means**2).sum(axis=1), 0) / means.shape[1] + regulariser.add
        return cls(np.maximum(variances, regulariser.least(spread).mean()))

    def floored(self, regulariser: Regulariser, spread: Floats) -> int:
        return int((self.variances <= regulariser.least(spread).mean()).sum())

    def moments(self, occupancy: Floats, means: Floats) -> Floats:
        return np.asarray(occupancy * (means.shape[1] * self.variances + (means**2).sum(axis=1)))

    @staticmethod
    def shifted(second: Floats, first: Floats, occupancy: Floats, step: Floats) -> Floats:
        return np.asarray(second + 2 * first @ step + occupancy * (step @ step))

    def deviations(self, k: int) -> Floats:
        return np.asarray(np.sqrt(self.variances)[:, None])

    def take(self, components: Indices) -> Spherical:
        return Spherical(self.variances[components])

    @staticmethod
    def stack(parts: Sequence[Spherical], components: Sequence[int]) -> Spherical:
        return Spherical(np.concatenate([part.variances for part in parts]))

    def transform(self, normal: Floats, component: Indices) -> Floats:
        return normal * np.sqrt(self.variances[component])[:, None]

    def matrices(self, k: int, d: int) -> Floats:
        return self.variances[:, None, None] * np.eye(d)

    @staticmethod
    def from_matrices(matrices: Floats, weights: Floats) -> Spherical:
        return Spherical(np.einsum("kii->k", matrices) / matrices.shape[1])

    @staticmethod
    def shape(k: int, d: int) -> tuple[int, ...]:
        return (k,)

    @staticmethod
    def parameters(k: int, d: int) -> int:
        return k

    def unpooled(self, k: int, d: int) -> Diagonal:
        return Diagonal(np.repeat(self.variances[:, None], d, axis=1))

    @staticmethod
    def pooled(second: Floats) -> Floats:
        return np.asarray(second.sum(axis=1))

    inverse = staticmethod(Diagonal.inverse)

    def precision_roots(self) -> Floats:
        return np.asarray(1 / np.sqrt(self.variances))

    def beyond(self, earlier: Spherical, share: float) -> Spherical:
        return Spherical(self.variances * (self.variances / earlier.variances) ** share)
