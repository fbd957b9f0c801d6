"""Where EM begins: mixtures made from a bounded sample of the frames, or from parameters that are given.

k-means++ seeds and a few Lloyd passes (``k_means_start``) are the default; random frames (``random_start``) cost
next to nothing. Columns are scaled first to unit variance and then, in each pass, to unit variance within clusters:
a start does not depend on the units of the data, and columns in which the frames do cluster count for more.
restarts.py has the ways to begin that need EM itself: splitting, and the best of several starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Covariance, Regulariser
from gmmaudio.gmm.em import maximise
from gmmaudio.gmm.mixture import BLOCK, Mixture
from gmmaudio.gmm.statistics import tally

Real = NDArray[np.floating]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

PER_COMPONENT = 50  # sampled frames per component: with the Lloyd passes this bounds the cost of a start
LEAST_SAMPLE = 10_000


def sample_size(components: int) -> int:
    """Frames that a start for so many components looks at."""
    return max(LEAST_SAMPLE, PER_COMPONENT * components)


def k_means_start(
    sample: Real,
    components: int,
    seed: np.random.Generator,
    passes: int = 5,
    regulariser: Regulariser | None = None,
    kind: str = "diag",
) -> Mixture:
    """A mixture from k-means++ seeds and Lloyd passes; each cluster gives a weight, a mean and covariances.

    Parameters
    ----------
    sample : (n, d)
    components : int
        At most n.
    seed : numpy.random.Generator
    passes : int, default 5
        Lloyd passes after seeding.
    regulariser : Regulariser, optional
        Keeps the clusters' variances away from zero; default a floor of 1e-3 of each column's variance.
    kind : str, default "diag"
        The kind of covariance: "diag", "spherical", "tied" or "full".

    Raises
    ------
    DataError
        ``too_few_frames`` when there are fewer frames than components.

    References
    ----------
    Arthur and Vassilvitskii (2007), k-means++: the advantages of careful seeding.
    """
    return _from_seeds(plus_plus, sample, components, seed, passes, regulariser, kind)


def random_start(
    sample: Real,
    components: int,
    seed: np.random.Generator,
    passes: int = 0,
    regulariser: Regulariser | None = None,
    kind: str = "diag",
) -> Mixture:
    """As ``k_means_start``, but the seeds are frames drawn at random, each at most once."""
    return _from_seeds(random_frames, sample, components, seed, passes, regulariser, kind)


def given_start(
    start: Mixture,
    weights: ArrayLike | None = None,
    means: ArrayLike | None = None,
    covariance: Covariance | None = None,
) -> Mixture:
    """A start with some of its parameters replaced by given ones.

    Parameters
    ----------
    start : Mixture
        k components in d dimensions.
    weights : (k,), optional
        Not negative; they are scaled to sum to one.
    means : (k, d), optional
    covariance : Diagonal, Spherical, Tied or Full, optional

    Raises
    ------
    DataError
        ``bad_start`` when a shape differs or a value is not allowed.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> start = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), Diagonal(np.ones((2, 1))))
    >>> given_start(start, weights=[3, 1]).weights
    array([0.75, 0.25])
    """
    k, d = start.means.shape
    shares = start.weights if weights is None else _given("weights", weights, (k,))
    if (shares < 0).any() or shares.sum() <= 0:
        raise DataError("bad_start", f"weights must not be negative and must not all be zero, got {shares}")
    centres = start.means if means is None else _given("means", means, (k, d))
    covariance = start.covariance if covariance is None else covariance
    _given("covariances", covariance.array, covariance.shape(k, d))
    if np.linalg.eigvalsh(covariance.matrices(k, d)).min() <= 0:
        raise DataError("bad_start", "covariances must be positive, matrices positive definite")
    return Mixture(shares / shares.sum(), centres, covariance)


def _given(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError("bad_start", f"{name} must be finite and of shape {shape}, got shape {array.shape}")
    return array


def _from_seeds(
    draw: Callable[[Real, int, np.random.Generator], Real],
    sample: Real,
    components: int,
    seed: np.random.Generator,
    passes: int,
    regulariser: Regulariser | None,
    kind: str,
) -> Mixture:
    if len(sample) < components:
        raise DataError(
            "too_few_frames",
            f"{components} components need at least {components} frames, got {len(sample)}",
            "use fewer components or more audio",
        )
    frames: Real = standardised(sample).astype(np.float32, copy=False)
    centres = draw(frames, components, seed)
    nearest = assign(frames, centres)
    for _ in range(passes):
        centres = cluster_means(frames, nearest, centres)
        unit = within(frames, nearest, centres)
        frames, centres = frames / unit, centres / unit
        nearest = assign(frames, centres)
    return from_clusters(sample, nearest, components, regulariser or Regulariser(), kind)


def standardised(sample: Real) -> Real:
    """Columns of mean zero and variance one; a constant column becomes zero."""
    mean = sample.mean(axis=0, dtype=np.float64)
    deviation = sample.std(axis=0, dtype=np.float64)
    return np.asarray((sample - mean) / np.where(deviation > 0, deviation, 1), dtype=sample.dtype)


def random_frames(frames: Real, components: int, seed: np.random.Generator) -> Real:
    """Frames drawn at random, each at most once."""
    return frames[seed.choice(len(frames), components, replace=False)]


def plus_plus(frames: Real, components: int, seed: np.random.Generator) -> Real:
    """k-means++ seeds: each next one is drawn in proportion to the squared distance to the nearest so far.

    A few candidates are drawn each time and the best is kept (the greedy variant), as scikit-learn does. Distances
    are float32: the frames should be centred and of about unit scale.
    """
    trials = 2 + int(np.log(components))
    squares, ones = np.einsum("ij,ij->i", frames, frames), np.ones(len(frames))
    queries = np.column_stack([-2 * frames, ones, squares]).astype(np.float32)
    blocks = _blocks(np.column_stack([frames, squares, ones]).astype(np.float32))
    chosen = [int(seed.integers(len(frames)))]
    nearest = queries[chosen] @ blocks
    while len(chosen) < components:
        np.maximum(nearest, 0, out=nearest)
        nearest.reshape(-1)[chosen[-1]] = 0
        reach = np.cumsum(nearest)
        candidates = np.minimum(np.searchsorted(reach, seed.random(trials) * reach[-1]), len(frames) - 1)
        closer = queries[candidates] @ blocks
        np.minimum(closer, nearest, out=closer)
        best = int(closer.sum(axis=2).sum(axis=0).argmin())
        chosen.append(int(candidates[best]))
        nearest = closer[:, best : best + 1].copy()
    return frames[chosen]


def _blocks(design: Real) -> Real:
    """Rows (n, w) as columns of blocks (b, w, BLOCK) that stay in the cache; the last is filled up with zeros."""
    count = -(-len(design) // BLOCK)
    filled = np.zeros((count * BLOCK, design.shape[1]), design.dtype)
    filled[: len(design)] = design
    return np.ascontiguousarray(filled.reshape(count, BLOCK, -1).transpose(0, 2, 1))


def assign(frames: Real, centres: Real) -> Indices:
    """The nearest centre (k, d) of each frame (hard assignment): (n, d) to (n,)."""
    half = np.einsum("ij,ij->i", centres, centres) / 2
    nearest = np.empty(len(frames), np.intp)
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        nearest[start : start + BLOCK] = (block @ centres.T - half).argmax(axis=1)
    return nearest


def cluster_means(frames: Real, nearest: Indices, centres: Real) -> Real:
    """The mean of each cluster; an empty one keeps its centre."""
    k = len(centres)
    counts = np.bincount(nearest, minlength=k)[:, None]
    sums = np.stack([np.bincount(nearest, column, minlength=k) for column in frames.T], axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(frames.dtype)


def within(frames: Real, nearest: Indices, centres: Real) -> Real:
    """The deviation of each column (d,) from its clusters' centres, over all clusters; one where there is none."""
    deviation = np.sqrt(np.square(frames - centres[nearest]).mean(axis=0))
    return np.where(deviation > 0, deviation, 1).astype(frames.dtype)


def from_clusters(
    sample: Real, nearest: NDArray[np.intp], components: int, regulariser: Regulariser, kind: str
) -> Mixture:
    """The mixture of the clusters' shares, means and covariances.

    Each cluster is mixed with one frame's worth of the whole sample, so that a cluster of few frames, or none, has
    a covariance all the same.
    """
    clusters = tally(sample, nearest, components, kind)
    whole = maximise(tally(sample, np.zeros(len(sample), np.intp), 1, kind))
    spread = np.asarray(whole.covariance.deviations(1)[0] ** 2 * np.ones(sample.shape[1]))
    occupancy = np.ones(components)
    own = np.where(clusters.occupancy[:, None] > 0, clusters.first / np.maximum(clusters.occupancy, 1)[:, None], 0)
    backing = whole.covariance.take(np.zeros(components, np.intp))
    virtual = replace(
        clusters, occupancy=occupancy, first=own, second=backing.moments(occupancy, own), frames=float(components)
    )
    return maximise(clusters + virtual, regulariser, spread)
