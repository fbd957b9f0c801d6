"""A Gaussian mixture: a value. It is evaluated here; it is fitted in em.py.

The density of a frame x is the sum over components of weight times Gaussian density,
p(x) = sum_k w_k N(x; m_k, S_k).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS, Covariance
from gmmaudio.gmm.evaluation import Evaluation

Floats = NDArray[np.float64]
Real = NDArray[np.floating]

BLOCK = 2048  # frames per block: the working set stays within the cache
FIRST = 32  # frames that give the first block its offset
IN_RANGE = 1e20  # sums between its inverse and this have lost nothing to the limits of float32


def as_frames(frames: ArrayLike, dimension: int) -> Real:
    """Frames as a C-ordered (n, d) float32 or float64 array of the dimension asked for, or a DataError.

    Whether they are finite is not looked at here: see ``refuse_non_finite``.
    """
    values = np.asarray(frames)
    if values.dtype != np.float32 and values.dtype != np.float64:
        if values.dtype.kind not in "biuf":
            raise DataError("not_numeric", f"frames must be real numbers, got dtype {values.dtype}")
        values = values.astype(np.float64)
    if values.ndim != 2:
        raise DataError(
            "bad_shape",
            f"frames must be (frames, dimensions), got an array of shape {values.shape}",
            "one-dimensional data is a single column: values.reshape(-1, 1)" if values.ndim == 1 else "",
        )
    if values.shape[1] != dimension:
        raise DataError("bad_shape", f"the mixture has {dimension} dimensions, the frames {values.shape[1]}")
    return np.ascontiguousarray(values)


def refuse_non_finite(frames: Real) -> None:
    """Raise ``non_finite`` naming the first row and column that is, if any.

    One value that is not finite makes the sum of log densities so, too: the inner loops test that one number, and
    look for the culprit only then.
    """
    for start in range(0, len(frames), BLOCK):
        finite = np.isfinite(frames[start : start + BLOCK])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            found = frames[start + row, column]
            raise DataError("non_finite", f"frames must be finite: row {start + row}, column {column} is {found}")


@dataclass(frozen=True, eq=False, repr=False)
class Mixture:
    """Weights, means and covariances of k Gaussians in d dimensions.

    Parameters
    ----------
    weights : (k,) float64, positive, summing to 1
    means : (k, d) float64
    covariance : Diagonal, Spherical, Tied or Full
        The covariances and their kind.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> coin = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), Diagonal(np.full((2, 1), 0.25)))
    >>> coin.posteriors(np.array([[0.0]]))
    array([[0.5, 0.5]])
    """

    weights: Floats
    means: Floats
    covariance: Covariance

    def __repr__(self) -> str:
        k, d = self.means.shape
        return f"<Mixture of {k} components in {d} dimensions, {self.covariance.kind}>"

    @property
    def components(self) -> int:
        return len(self.means)

    @property
    def dimension(self) -> int:
        return int(self.means.shape[1])

    @cached_property
    def centre(self) -> Floats:
        """The mixture's mean (d,), rounded to float32: frames are centred on it before they are squared.

        Without that, float32 products lose the variance of data whose mean is large beside its spread.
        """
        return (self.weights @ self.means).astype(np.float32).astype(np.float64)

    def ready(self, dtype: type[np.floating]) -> Evaluation:
        """The mixture made ready for centred frames of one precision."""
        return self.covariance.evaluate(self.weights, self.means - self.centre, dtype)

    @property
    def parameters(self) -> int:
        """The number of free parameters: weights (they sum to one), means and covariances."""
        k, d = self.means.shape
        return int(k - 1 + k * d + self.covariance.parameters(k, d))

    def log_density(self, frames: ArrayLike) -> Floats:
        """log p(x) in nats for each frame: (n, d) to (n,).

        Raises
        ------
        DataError
            ``bad_shape``, ``non_finite`` (naming row and column), ``not_numeric``.
        """
        values = as_frames(frames, self.dimension)
        density = np.empty(len(values))
        with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are refused below
            for rows, _, _, found, _ in densities(self, values):
                density[rows] = found
        if not np.isfinite(density.sum()):
            refuse_non_finite(values)
        return density

    def posteriors(self, frames: ArrayLike) -> Floats:
        """The probability of each component given each frame (soft assignment): (n, d) to (n, k)."""
        values = as_frames(frames, self.dimension)
        refuse_non_finite(values)
        shares = np.empty((len(values), self.components))
        for rows, _, joint, _, normaliser in densities(self, values):
            shares[rows] = joint / normaliser[:, None]
        return shares

    def sample(self, n: int, seed: int | np.random.Generator = 0) -> tuple[Floats, NDArray[np.intp]]:
        """Draw ``n`` frames: values (n, d) and the component each came from (n,)."""
        generator = np.random.default_rng(seed)
        component = generator.choice(self.components, size=n, p=self.weights / self.weights.sum())
        normal = generator.standard_normal((n, self.dimension))
        return self.means[component] + self.covariance.transform(normal, component), component


def designs(mixture: Mixture, ready: Evaluation, frames: Real) -> Iterator[tuple[slice, Real]]:
    """Walk through checked frames (n, d) in blocks: which rows, and the functions of the centred frames that the
    moments are sums of (b, width), overwritten by the next block."""
    size = min(BLOCK, max(len(frames), 1))
    centre = np.tile(mixture.centre.astype(frames.dtype), (size, 1))
    centred = np.empty((size, mixture.dimension), frames.dtype)
    design = np.zeros((size, ready.width), frames.dtype)
    for start in range(0, len(frames), BLOCK):
        rows = slice(start, min(start + BLOCK, len(frames)))
        n = rows.stop - rows.start
        np.subtract(frames[rows], centre[:n], out=centred[:n])
        design[:n, : mixture.dimension] = centred[:n]
        ready.complete(design[:n], centred[:n])
        yield rows, design[:n]


def evaluate(mixture: Mixture, frames: Real) -> Iterator[tuple[slice, Real, Real]]:
    """Walk through checked frames (n, d) in blocks; the arrays yielded are scratch, overwritten by the next block.

    Yields
    ------
    rows : slice
        Which frames.
    design : (b, width)
        The functions of the centred frames that the moments are sums of.
    joint : (b, k)
        Log weight + log density.
    """
    ready = mixture.ready(frames.dtype.type)
    joint = np.empty((min(BLOCK, len(frames)), mixture.components), frames.dtype)
    for rows, design in designs(mixture, ready, frames):
        ready.joint(design, joint[: len(design)], 0.0)
        yield rows, design, joint[: len(design)]


def densities(mixture: Mixture, frames: Real) -> Iterator[tuple[slice, Real, Real, Floats, Real]]:
    """Walk through checked frames (n, d) in blocks; the arrays yielded are scratch, overwritten by the next block.

    Log densities are taken less an offset before they are exponentiated. That of a frame's largest component is
    always safe, but to find it costs a fifth of an E-step. The mean log density of the block before (at the beginning:
    of a few frames) is as good for almost every frame, and free: it is part of the matrix product. Only the frames
    whose sum it does not bring into range are done again in the safe way.

    Yields
    ------
    rows : slice
        Which frames.
    design : (b, width)
        The functions of the centred frames that the moments are sums of.
    posteriors : (b, k)
        Up to the normaliser.
    density : (b,)
        log p(x).
    normaliser : (b,)
        What the posteriors of each frame sum to.
    """
    ready = mixture.ready(frames.dtype.type)
    scratch = np.empty((min(BLOCK, len(frames)), mixture.components), frames.dtype)
    ones, expected = np.ones(mixture.components, frames.dtype), 0.0
    for rows, design in designs(mixture, ready, frames):
        joint = scratch[: len(design)]
        if rows.start == 0:
            expected = float(_safely(ready, design[:FIRST], joint[:FIRST])[0].mean())
        ready.joint(design, joint, expected)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # frames out of range are done again
            np.exp(joint, out=joint)
            normaliser = joint @ ones
            density = np.add(expected, np.log(normaliser), dtype=np.float64)
        if not (normaliser.min() > 1 / IN_RANGE and normaliser.max() < IN_RANGE):
            outside = np.flatnonzero(~((normaliser > 1 / IN_RANGE) & (normaliser < IN_RANGE)))
            again = np.empty((len(outside), len(ones)), joint.dtype)
            density[outside], normaliser[outside] = _safely(ready, design[outside], again)
            joint[outside] = again
        expected = float(density.mean())
        yield rows, design, joint, density, normaliser


def _safely(ready: Evaluation, design: Real, joint: Real) -> tuple[Floats, Real]:
    """Densities and normalisers by the largest component of each frame; the posteriors are left in ``joint``."""
    ready.joint(design, joint, 0.0)
    return exponentiate(joint)


def exponentiate(joint: Real) -> tuple[Floats, Real]:
    """Turn log weight + log density (n, k) into posteriors, up to a normaliser, in place.

    The largest of each row is found by argmax, which is several times faster than max along rows, and the rows are
    summed by a matrix product.

    Returns
    -------
    density : (n,)
        log p(x).
    normaliser : (n,)
        What the posteriors of each frame now sum to.
    """
    n, k = joint.shape
    peak = joint.ravel().take(joint.argmax(axis=1) + k * np.arange(n))
    joint -= peak[:, None]
    np.exp(joint, out=joint)
    normaliser = joint @ np.ones(k, joint.dtype)
    return np.add(peak, np.log(normaliser), dtype=np.float64), normaliser


def stack(mixtures: Sequence[Mixture]) -> Mixture:
    """All components of several mixtures of one kind and dimension in one, each mixture with an equal share."""
    weights = np.concatenate([mixture.weights for mixture in mixtures]) / len(mixtures)
    means = np.concatenate([mixture.means for mixture in mixtures])
    parts = [mixture.covariance for mixture in mixtures]
    counts = [mixture.components for mixture in mixtures]
    return Mixture(weights, means, KINDS[parts[0].kind].stack(parts, counts))  # type: ignore[arg-type]
