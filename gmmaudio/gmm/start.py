"""Where EM begins: k-means++ and a few Lloyd passes on a bounded sample of the frames.

Columns are scaled to unit variance first, so that the start does not depend on the units of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Regulariser
from gmmaudio.gmm.em import maximise
from gmmaudio.gmm.mixture import BLOCK, Mixture
from gmmaudio.gmm.statistics import tally

Real = NDArray[np.floating]
Floats = NDArray[np.float64]

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
    if len(sample) < components:
        raise DataError(
            "too_few_frames",
            f"{components} components need at least {components} frames, got {len(sample)}",
            "use fewer components or more audio",
        )
    scaled = standardised(sample)
    centres = plus_plus(scaled, components, seed)
    nearest = assign(scaled, centres)
    for _ in range(passes):
        centres = cluster_means(scaled, nearest, centres)
        nearest = assign(scaled, centres)
    return from_clusters(sample, nearest, components, regulariser or Regulariser(), kind)


def standardised(sample: Real) -> Real:
    """Columns of mean zero and variance one; a constant column becomes zero."""
    mean = sample.mean(axis=0, dtype=np.float64)
    deviation = sample.std(axis=0, dtype=np.float64)
    return np.asarray((sample - mean) / np.where(deviation > 0, deviation, 1), dtype=sample.dtype)


def plus_plus(frames: Real, components: int, seed: np.random.Generator) -> Real:
    """k-means++ seeds: each next one is drawn in proportion to the squared distance to the nearest so far.

    A few candidates are drawn each time and the best is kept (the greedy variant), as scikit-learn does.
    """
    trials = 2 + int(np.log(components))
    squares = np.einsum("ij,ij->i", frames, frames)
    chosen = [int(seed.integers(len(frames)))]
    nearest = _distances(frames, squares, chosen)[:, 0]
    while len(chosen) < components:
        reach = np.cumsum(nearest, dtype=np.float64)
        if reach[-1] <= 0:  # fewer distinct frames than components: the rest may be any
            chosen.extend(int(i) for i in seed.integers(len(frames), size=components - len(chosen)))
            break
        candidates = np.minimum(np.searchsorted(reach, seed.random(trials) * reach[-1]), len(frames) - 1)
        closer = np.minimum(_distances(frames, squares, candidates), nearest[:, None])
        best = int(closer.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(candidates[best]))
        nearest = np.ascontiguousarray(closer[:, best])
    return frames[chosen].copy()


def _distances(frames: Real, squares: Real, rows: Sequence[int] | NDArray[np.intp]) -> Real:
    """Squared distances (n, m) from every frame to the frames in ``rows``."""
    distances = frames @ (-2 * frames[rows].T)
    distances += squares[:, None]
    distances += squares[rows]
    distances[rows, np.arange(len(rows))] = 0
    return np.maximum(distances, 0, out=distances)


def assign(frames: Real, centres: Real) -> NDArray[np.intp]:
    """The nearest centre (k, d) of each frame (hard assignment): (n, d) to (n,)."""
    half = np.einsum("ij,ij->i", centres, centres) / 2
    nearest = np.empty(len(frames), np.intp)
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        nearest[start : start + BLOCK] = (block @ centres.T - half).argmax(axis=1)
    return nearest


def cluster_means(frames: Real, nearest: NDArray[np.intp], centres: Real) -> Real:
    """The mean of each cluster; an empty one keeps its centre."""
    k = len(centres)
    counts = np.bincount(nearest, minlength=k)[:, None]
    sums = np.stack([np.bincount(nearest, column, minlength=k) for column in frames.T], axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(frames.dtype)


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
