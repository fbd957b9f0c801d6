"""Covariances that are matrices: one for all components, or one each (see covariance.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.evaluation import LOG_2_PI, Evaluation, log_weights, product
from gmmaudio.gmm.regulariser import Regulariser
from gmmaudio.gmm.variances import Diagonal

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Tied:
    """One covariance matrix for all components.

    Parameters
    ----------
    matrix : (d, d) float64, positive definite
    """

    matrix: Floats
    kind: ClassVar[str] = "tied"

    @property
    def array(self) -> Floats:
        return self.matrix

    def evaluate(self, weights: Floats, means: Floats, dtype: Any) -> Evaluation:
        """log w - (d log 2 pi + log |S| + m' S^-1 m) / 2  +  x' S^-1 m  -  x' S^-1 x / 2."""
        d = means.shape[1]
        root = inverse_root(self.matrix)
        whitened = means @ root
        constant = d * LOG_2_PI - 2 * np.log(np.diagonal(root)).sum() + (whitened**2).sum(axis=1)
        halves = np.full((len(means), 1), -0.5)
        rows = np.column_stack([whitened @ root.T, halves, log_weights(weights) - constant / 2])
        root = root.astype(dtype)

        def complete(design: Real, centred: Real) -> None:
            white = centred @ root
            np.einsum("ij,ij->i", white, white, out=design[:, d])
            design[:, d + 1] = 1

        return product(rows, d + 1, dtype, complete)

    @staticmethod
    def collect(posteriors: Real, design: Real, shares: Real, counts: Real | None) -> tuple[Real, Real]:
        """A frame's posteriors sum to one, so the second moments are those of the frames themselves."""
        frames = design[:, : design.shape[1] - 2]
        second = frames.T @ (frames if counts is None else frames * counts[:, None])
        design *= shares[:, None]
        return posteriors.T @ design, second

    @staticmethod
    def split(sums: Floats, extra: Floats | None, d: int) -> tuple[Floats, Floats, Floats]:
        assert extra is not None
        return sums[:, -1].copy(), sums[:, :d].copy(), extra

    @classmethod
    def estimate(
        cls, occupancy: Floats, means: Floats, second: Floats, regulariser: Regulariser, spread: Floats
    ) -> Tied:
        within = (second - (means * occupancy[:, None]).T @ means) / occupancy.sum()
        return cls(regulariser.matrices((within + within.T) / 2, spread))

    def floored(self, regulariser: Regulariser, spread: Floats) -> int:
        return int((np.diagonal(self.matrix) <= regulariser.least(spread)).sum())

    def moments(self, occupancy: Floats, means: Floats) -> Floats:
        return np.asarray(occupancy.sum() * self.matrix + (means * occupancy[:, None]).T @ means)

    @staticmethod
    def shifted(second: Floats, first: Floats, occupancy: Floats, step: Floats) -> Floats:
        cross = np.outer(first.sum(axis=0), step)
        return np.asarray(second + cross + cross.T + occupancy.sum() * np.outer(step, step))

    def deviations(self, k: int) -> Floats:
        return np.tile(np.sqrt(np.diagonal(self.matrix)), (k, 1))

    def take(self, components: Indices) -> Tied:
        return self

    @staticmethod
    def stack(parts: Sequence[Tied], components: Sequence[int]) -> Full:
        """Each mixture has a matrix of its own, so that together they are no longer tied."""
        return Full(np.concatenate([part.matrices(k, 0) for part, k in zip(parts, components, strict=True)]))

    def transform(self, normal: Floats, component: Indices) -> Floats:
        return np.asarray(normal @ np.linalg.cholesky(self.matrix).T)

    def matrices(self, k: int, d: int) -> Floats:
        return np.tile(self.matrix, (k, 1, 1))

    @staticmethod
    def from_matrices(matrices: Floats, weights: Floats) -> Tied:
        return Tied(np.einsum("k,kij->ij", weights / weights.sum(), matrices))

    @staticmethod
    def shape(k: int, d: int) -> tuple[int, ...]:
        return d, d

    @staticmethod
    def parameters(k: int, d: int) -> int:
        return d * (d + 1) // 2

    def unpooled(self, k: int, d: int) -> Full:
        return Full(self.matrices(k, d))

    @staticmethod
    def pooled(second: Floats) -> Floats:
        return np.asarray(second.sum(axis=0))

    @staticmethod
    def inverse(array: Floats) -> Floats:
        if not np.allclose(array, np.swapaxes(array, -1, -2)):
            raise np.linalg.LinAlgError("every matrix must be symmetric")
        roots = inverse_root(array)
        return np.asarray(roots @ np.swapaxes(roots, -1, -2))

    def precision_roots(self) -> Floats:
        return inverse_root(self.matrix)

    def beyond(self, earlier: Tied, share: float) -> Tied:
        return Tied(matrices_beyond(self.matrix, earlier.matrix, share))


@dataclass(frozen=True, eq=False)
class Full:
    """One covariance matrix per component.

    Parameters
    ----------
    array : (k, d, d) float64, positive definite
    """

    array: Floats
    kind: ClassVar[str] = "full"

    def evaluate(self, weights: Floats, means: Floats, dtype: Any) -> Evaluation:
        """log w - (d log 2 pi + log |S| + |R' (x - m)|^2) / 2, where R R' is the inverse of S."""
        k, d = means.shape
        roots = inverse_root(self.array)
        logs = np.log(np.einsum("kii->ki", roots)).sum(axis=1)
        constants = log_weights(weights) - d * LOG_2_PI / 2 + logs
        # x R - m R as one product with the design [x, 1].
        maps = np.concatenate([roots, -(means[:, None, :] @ roots)], axis=1).astype(dtype)

        def complete(design: Real, _centred: Real) -> None:
            design[:, d] = 1

        def joint(design: Real, out: Real, offset: float) -> None:
            for component in range(k):
                white = design @ maps[component]
                np.einsum("ij,ij->i", white, white, out=out[:, component])
            out *= -0.5
            out += (constants - offset).astype(dtype)

        return Evaluation(d + 1, complete, joint)

    @staticmethod
    def collect(posteriors: Real, design: Real, shares: Real, counts: Real | None) -> tuple[Real, Real]:
        frames = design[:, :-1].copy()
        design *= shares[:, None]
        scaled = design[:, :-1]
        second = np.stack([(frames * row[:, None]).T @ scaled for row in np.ascontiguousarray(posteriors.T)])
        return posteriors.T @ design, second

    split = staticmethod(Tied.split)

    @classmethod
    def estimate(
        cls, occupancy: Floats, means: Floats, second: Floats, regulariser: Regulariser, spread: Floats
    ) -> Full:
        matrices = second / occupancy[:, None, None] - means[:, :, None] * means[:, None, :]
        return cls(regulariser.matrices((matrices + np.swapaxes(matrices, 1, 2)) / 2, spread))

    def floored(self, regulariser: Regulariser, spread: Floats) -> int:
        return int((np.einsum("kii->ki", self.array) <= regulariser.least(spread)).sum())

    def moments(self, occupancy: Floats, means: Floats) -> Floats:
        return occupancy[:, None, None] * (self.array + means[:, :, None] * means[:, None, :])

    @staticmethod
    def shifted(second: Floats, first: Floats, occupancy: Floats, step: Floats) -> Floats:
        cross = first[:, :, None] * step
        return np.asarray(second + cross + np.swapaxes(cross, 1, 2) + occupancy[:, None, None] * np.outer(step, step))

    def deviations(self, k: int) -> Floats:
        return np.asarray(np.sqrt(np.einsum("kii->ki", self.array)))

    def take(self, components: Indices) -> Full:
        return Full(self.array[components])

    @staticmethod
    def stack(parts: Sequence[Full], components: Sequence[int]) -> Full:
        return Full(np.concatenate([part.array for part in parts]))

    def transform(self, normal: Floats, component: Indices) -> Floats:
        roots = np.linalg.cholesky(self.array)
        return np.asarray(np.einsum("nij,nj->ni", roots[component], normal))

    def matrices(self, k: int, d: int) -> Floats:
        return self.array

    @staticmethod
    def from_matrices(matrices: Floats, weights: Floats) -> Full:
        return Full(matrices)

    @staticmethod
    def shape(k: int, d: int) -> tuple[int, ...]:
        return k, d, d

    @staticmethod
    def parameters(k: int, d: int) -> int:
        return k * d * (d + 1) // 2

    def unpooled(self, k: int, d: int) -> Full:
        return self

    pooled = staticmethod(Diagonal.pooled)

    inverse = staticmethod(Tied.inverse)

    def precision_roots(self) -> Floats:
        return inverse_root(self.array)

    def beyond(self, earlier: Full, share: float) -> Full:
        return Full(matrices_beyond(self.array, earlier.array, share))


def inverse_root(matrices: Floats) -> Floats:
    """R, upper triangular, with R R' the inverse of each positive definite matrix (..., d, d).

    Raises
    ------
    numpy.linalg.LinAlgError
        A matrix is not positive definite.
    """
    lower = np.linalg.cholesky(matrices)
    identity = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape)
    return np.asarray(np.swapaxes(np.linalg.solve(lower, identity), -1, -2))


def matrices_beyond(matrices: Floats, earlier: Floats, share: float) -> Floats:
    """A share of the way from ``earlier`` to ``matrices`` (..., d, d) again, positive definite.

    The way is that of the Cholesky factors, their diagonals in logs.
    """
    here, there = np.linalg.cholesky(matrices), np.linalg.cholesky(earlier)
    factors = here + share * (here - there)
    diagonal = np.arange(matrices.shape[-1])
    a, b = here[..., diagonal, diagonal], there[..., diagonal, diagonal]
    factors[..., diagonal, diagonal] = a * (a / b) ** share
    return np.asarray(factors @ np.swapaxes(factors, -1, -2))
