"""Statistics: what the frames say to EM, as a value that can be added.

``accumulate`` is the E-step. Sums over disjoint sets of frames add up to the sums over their union, so threads,
processes, files larger than memory and maximum a posteriori adaptation are all the same three lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture, as_frames, densities, evaluate, refuse_non_finite
from gmmaudio.gmm.shards import check_weights

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over frames, weighted by the posterior of each component. All float64.

    Parameters
    ----------
    occupancy : (k,)
        Expected number of frames per component.
    first : (k, d)
        Sums of x - centre.
    second : as the kind of covariance says: (k, d), (k,), (d, d) or (k, d, d)
        Sums of products of x - centre with itself.
    log_likelihood : float
        Sum of log p(x), in nats.
    frames : float
        Number of frames, or the sum of their weights.
    centre : (d,)
        The point that the moments are taken about; statistics must share it to be added.
    kind : str
        The kind of covariance that the second moments are for.
    """

    occupancy: Floats
    first: Floats
    second: Floats
    log_likelihood: float
    frames: float
    centre: Floats
    kind: str

    @classmethod
    def zero(cls, mixture: Mixture) -> Statistics:
        """The identity of addition, for a mixture's shape and centre."""
        return cls(
            occupancy=np.zeros(mixture.components),
            first=np.zeros_like(mixture.means),
            second=np.zeros_like(mixture.covariance.moments(np.ones(mixture.components), mixture.means)),
            log_likelihood=0.0,
            frames=0.0,
            centre=mixture.centre,
            kind=mixture.covariance.kind,
        )

    def __add__(self, other: Statistics) -> Statistics:
        if self.kind != other.kind or not np.array_equal(self.centre, other.centre):
            raise DataError("not_additive", "statistics to be added must come from one mixture")
        return replace(
            self,
            occupancy=self.occupancy + other.occupancy,
            first=self.first + other.first,
            second=self.second + other.second,
            log_likelihood=self.log_likelihood + other.log_likelihood,
            frames=self.frames + other.frames,
        )

    def scaled(self, factor: float) -> Statistics:
        """Every sum times a factor, as if each frame counted so often."""
        return replace(
            self,
            occupancy=factor * self.occupancy,
            first=factor * self.first,
            second=factor * self.second,
            log_likelihood=factor * self.log_likelihood,
            frames=factor * self.frames,
        )

    def about(self, centre: Floats) -> Statistics:
        """The same statistics with moments taken about another point (d,)."""
        step = self.centre - centre
        return replace(
            self,
            first=self.first + self.occupancy[:, None] * step,
            second=KINDS[self.kind].shifted(self.second, self.first, self.occupancy, step),
            centre=centre,
        )

    @property
    def mean_log_likelihood(self) -> float:
        """Nats per frame."""
        return self.log_likelihood / max(self.frames, 1e-300)


def accumulate(mixture: Mixture, frames: ArrayLike, weights: ArrayLike | None = None) -> Statistics:
    """The E-step: the statistics of frames under a mixture.

    Per block of frames two matrix products do the work. The posterior block is exponentiated in place, and the small
    design is divided by the normaliser, not the large posterior block.
    Products have the frames' own precision, sums over blocks are float64.

    Parameters
    ----------
    mixture : Mixture
    frames : (n, d) float32 or float64
        Anything else that is numeric is converted to float64.
    weights : (n,), optional
        How often each frame counts; default once.

    Returns
    -------
    Statistics

    Raises
    ------
    DataError
        ``bad_shape``, ``non_finite``, ``not_numeric``, ``bad_weights``.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> s = accumulate(one, np.array([[1.0], [3.0]]))
    >>> s.occupancy, s.first, s.second
    (array([2.]), array([[4.]]), array([[10.]]))
    """
    values = as_frames(frames, mixture.dimension)
    shares = None if weights is None else check_weights(weights, len(values))
    log_likelihood, sums, extra = 0.0, None, None
    with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are refused below
        for rows, design, joint, density, normaliser in densities(mixture, values):
            counts = None if shares is None else shares[rows].astype(values.dtype)
            each = 1 / normaliser if counts is None else counts / normaliser
            log_likelihood += float(density.sum() if shares is None else density @ shares[rows])
            some, more = mixture.covariance.collect(joint, design, each, counts)
            sums = some.astype(np.float64) if sums is None else np.add(sums, some, out=sums)
            extra = _added(extra, more)
    if sums is None:
        return Statistics.zero(mixture)
    if not np.isfinite(log_likelihood):
        refuse_non_finite(values)
        raise DataError("out_of_range", "frames are too far from the mixture for their precision", "scale the data")
    occupancy, first, second = mixture.covariance.split(sums, extra, mixture.dimension)
    return Statistics(
        occupancy=occupancy,
        first=first,
        second=second,
        log_likelihood=log_likelihood,
        frames=float(len(values) if shares is None else shares.sum()),
        centre=mixture.centre,
        kind=mixture.covariance.kind,
    )


def _added(total: Floats | None, some: NDArray[np.floating] | None) -> Floats | None:
    if some is None:
        return None
    return some.astype(np.float64) if total is None else np.add(total, some, out=total)


def tally(frames: NDArray[np.floating], nearest: NDArray[np.intp], components: int, kind: str) -> Statistics:
    """The statistics of a hard assignment: each frame counts for one component only.

    Parameters
    ----------
    frames : (n, d), n at least 1
    nearest : (n,)
        The component of each frame.
    components : int
    kind : str
        A key of ``KINDS``.
    """
    d = frames.shape[1]
    centre = frames.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)
    unit = KINDS[kind].from_matrices(np.tile(np.eye(d), (components, 1, 1)), np.ones(components))
    whole = Mixture(np.full(components, 1 / components), np.tile(centre, (components, 1)), unit)
    sums, extra = None, None
    for rows, design, joint in evaluate(whole, np.asarray(frames, dtype=np.float64)):
        joint[:] = nearest[rows, None] == np.arange(components)
        some, more = unit.collect(joint, design, np.ones(len(design)), None)
        sums, extra = _added(sums, some), _added(extra, more)
    assert sums is not None
    occupancy, first, second = unit.split(sums, extra, d)
    return Statistics(occupancy, first, second, 0.0, float(len(frames)), centre, kind)
