"""The kinds of covariance: the only code that knows the shape of a second moment.

Each kind is one small final class around one array. The rest of the package never asks which kind it has; it asks
the kind to

- ``evaluate`` itself: a function from the design of centred frames to log weight + log density (``Evaluation``);
- ``collect`` the sums that its second moments need, and ``split`` them into occupancy, first and second moments;
- ``estimate`` itself from moments, under a ``Regulariser``;
- give its own ``moments`` (for priors), ``shifted`` moments about another centre, ``deviations``, ``parameters``;
- show itself ``unpooled``, and pool second moments (``pooled``), for frames with gaps;
- ``take`` components, ``stack`` with others, ``transform`` normal deviates, show itself as ``matrices`` (k, d, d).

========== ================= =============================== ==========================
kind       array             design of a frame               second moments
========== ================= =============================== ==========================
diag       variances (k, d)  [x, x*x, 1, 0 ...]              (k, d)
spherical  variances (k,)    [x, x.x, 1]                     (k,)
tied       matrix (d, d)     [x, x' S^-1 x, 1]               (d, d)
full       matrices (k,d,d)  [x, 1], one product a component (k, d, d)
========== ================= =============================== ==========================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]

TINY = 1e-150  # an occupancy below this is none
LEAST_VARIANCE = 1e-24  # even a constant column gets it: its inverse times a square is still a float32 number
LEAST_SHARE = 1e-12  # of a matrix's largest eigenvalue: with less, rounding makes it lose its Cholesky factor
LOG_2_PI = float(np.log(2 * np.pi))


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


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A mixture made ready for blocks of frames of one precision.

    Parameters
    ----------
    width : int
        Columns of the design; the first d are the centred frames.
    complete : callable
        Fills the columns of the design (n, width) after the first d; padding stays zero. Its second argument are
        the centred frames (n, d) again, in one piece, which it may overwrite.
    joint : callable
        Writes log weight + log density, less an offset in nats, (n, k) of a design (n, width) into its second
        argument; the third is the offset.
    """

    width: int
    complete: Callable[[Real, Real], None]
    joint: Callable[[Real, Real, float], None]


def product(coefficients: Floats, one: int, dtype: Any, complete: Callable[[Real, Real], None]) -> Evaluation:
    """The evaluation that is one product: the design, whose column ``one`` is 1, times coefficients (k, width)."""
    across = np.ascontiguousarray(coefficients.T, dtype)

    def joint(design: Real, out: Real, offset: float) -> None:
        factors = across
        if offset:
            factors = across.copy()
            factors[one] = coefficients[:, one] - offset
        np.matmul(design, factors, out=out)

    return Evaluation(len(across), complete, joint)


def padded(width: int) -> int:
    """The next multiple of 16: matrix products whose sides are one are markedly faster (by a seventh at 79)."""
    return -(-width // 16) * 16


def log_weights(weights: Floats) -> Floats:
    """log w, and a finite number far below any other where w is zero."""
    return np.log(np.maximum(weights, 1e-300))


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


Covariance = Diagonal | Spherical | Tied | Full
KINDS: dict[str, type[Diagonal] | type[Spherical] | type[Tied] | type[Full]] = {
    cls.kind: cls for cls in (Diagonal, Spherical, Tied, Full)
}


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
