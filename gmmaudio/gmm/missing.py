"""Frames with gaps: NaN marks a missing value, and what the mixture expects stands in for it.

Nothing is dropped and nothing is made up. A frame's density is that of the values it shows, every missing value
being integrated out. The E-step puts E[x] and E[x x'], given those values and the component, where the moments of a
whole frame would stand, so that Statistics, the M-step and the fits never know about gaps. A frame without a single
value has log density 0, and counts for each component by its weight alone.

This is right where, given the values shown, the missing ones do not differ from others ("missing at random").

Diagonal and spherical covariances cost one product, whatever is missing. Full and tied ones take the frames that
show the same columns together: the cost grows with the number of different patterns.

References
----------
Ghahramani and Jordan (1994), Supervised learning from incomplete data via an EM approach.
Bishop (2006), Pattern Recognition and Machine Learning, section 2.3.1, for conditional Gaussians.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Diagonal, Full, Regulariser
from gmmaudio.gmm.gaps import completed, gapped, patterns, precisions, regression, restricted
from gmmaudio.gmm.mixture import BLOCK, Mixture, as_frames, evaluate, exponentiate
from gmmaudio.gmm.shards import bounds, cut
from gmmaudio.gmm.start import k_means_start
from gmmaudio.gmm.statistics import Statistics, accumulate

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]

SHOWN_PER_COMPONENT = 20  # frames that a start asks for among those that show most: enough for a cluster's shape


def accumulate_missing(mixture: Mixture, frames: ArrayLike, weights: ArrayLike | None = None) -> Statistics:
    """The E-step for frames with gaps: ``accumulate`` where NaN is a missing value.

    Where nothing is missing it is ``accumulate``. The log-likelihood is that of the values shown. A frame that shows
    nothing counts among the frames and adds each component's weight to its occupancy.

    Parameters
    ----------
    mixture : Mixture
    frames : (n, d) float32 or float64
    weights : (n,), optional
        How often each frame counts; default once.

    Returns
    -------
    Statistics

    Raises
    ------
    DataError
        ``infinite`` (naming row and column), ``out_of_range``, ``bad_shape``, ``not_numeric``, ``bad_weights``.

    Examples
    --------
    >>> one = Mixture(np.ones(1), np.zeros((1, 2)), Full(np.array([[[1.0, 0.5], [0.5, 1.0]]])))
    >>> s = accumulate_missing(one, np.array([[2.0, np.nan]]))

    Given x = 2, y is expected at 0.5 * 2 with variance 1 - 0.5^2, so that E[y y] = 1.75.

    >>> s.first, s.second
    (array([[2., 1.]]), array([[[4.  , 2.  ],
            [2.  , 1.75]]]))
    """
    pieces = cut(_checked(mixture, frames), weights)
    return reduce(add, (_accumulate(mixture, piece.load(), piece.weights) for piece in pieces))


def log_density_missing(mixture: Mixture, frames: ArrayLike) -> Floats:
    """log p of the values that each frame shows, in nats: (n, d) with NaN for gaps to (n,).

    Raises
    ------
    DataError
        ``infinite`` (naming row and column), ``bad_shape``, ``not_numeric``.

    Examples
    --------
    >>> one = Mixture(np.ones(1), np.zeros((1, 2)), Diagonal(np.full((1, 2), 1 / (2 * np.pi))))
    >>> log_density_missing(one, [[0.0, np.nan], [np.nan, np.nan]]).round(12) + 0.0
    array([0., 0.])
    """
    values = _checked(mixture, frames)
    density = np.empty(len(values))
    for rows, joint in _joints(mixture, values):
        density[rows], _ = exponentiate(joint)
    return density


def posteriors_missing(mixture: Mixture, frames: ArrayLike) -> Floats:
    """The probability of each component given the values that a frame shows: (n, d) with NaN for gaps to (n, k).

    Raises
    ------
    DataError
        ``infinite`` (naming row and column), ``bad_shape``, ``not_numeric``.

    Examples
    --------
    >>> two = Mixture(np.array([0.25, 0.75]), np.array([[0.0, 9.0], [0.0, -9.0]]), Diagonal(np.ones((2, 2))))
    >>> posteriors_missing(two, [[1.0, np.nan]]).round(12)
    array([[0.25, 0.75]])
    """
    values = _checked(mixture, frames)
    shares = np.empty((len(values), mixture.components))
    for rows, joint in _joints(mixture, values):
        _, normaliser = exponentiate(joint)
        shares[rows] = joint / normaliser[:, None]
    return shares


def impute(mixture: Mixture, frames: ArrayLike) -> Real:
    """Frames (n, d) with each gap filled by its expectation given the values that the frame shows.

    That is the guess of least mean squared error: each component's regression on the values shown, weighted by
    the component's posterior. With a diagonal or spherical covariance a component's guess is its mean. The values
    shown are untouched, and the precision is the frames' own.

    Raises
    ------
    DataError
        ``infinite`` (naming row and column), ``bad_shape``, ``not_numeric``.

    Examples
    --------
    >>> one = Mixture(np.ones(1), np.zeros((1, 2)), Full(np.array([[[1.0, 0.5], [0.5, 1.0]]])))
    >>> impute(one, [[2.0, np.nan]])
    array([[2., 1.]])
    """
    values = _checked(mixture, frames)
    gaps = np.isnan(values)
    shares = posteriors_missing(mixture, values)
    expected = shares @ mixture.means
    whole = _unpooled(mixture)
    if isinstance(whole.covariance, Full):
        inverses = precisions(whole)
        for shown, rows in patterns(gaps):
            slopes, _ = regression(inverses, shown)
            for share, mean, slope in zip(shares[rows].T, mixture.means, slopes, strict=True):
                step = (values[np.ix_(rows, shown)] - mean[shown]) @ slope.T
                expected[np.ix_(rows, ~shown)] += share[:, None] * step
    return np.where(gaps, expected, values).astype(values.dtype)


def start_missing(
    sample: Real,
    components: int,
    seed: np.random.Generator,
    passes: int = 5,
    regulariser: Regulariser | None = None,
    kind: str = "diag",
) -> Mixture:
    """``k_means_start`` for a sample with gaps: two starts, of which the one that makes the sample likelier is kept.

    One start looks only at the frames that show most, ties included. The other looks at all: gaps hold the mean of
    their column for a first start, and what that expects of them for a second. Without gaps it is ``k_means_start``.

    Parameters
    ----------
    sample : (n, d)
        NaN where a value is missing.
    components, seed, passes, regulariser, kind
        As in ``k_means_start``.

    Raises
    ------
    DataError
        ``empty_column`` when a column shows no value at all; ``too_few_frames``.

    Examples
    --------
    >>> start_missing(np.array([[0.0], [np.nan], [4.0]]), 1, np.random.default_rng(0)).means
    array([[2.]])
    """

    def start(frames: Real, kind: str) -> Mixture:
        return k_means_start(frames, components, seed, passes, regulariser, kind)

    gaps = np.isnan(sample).sum(axis=1)
    if not gaps.any():
        return start(sample, kind)
    filled = mean_filled(sample)
    second = start(impute(start(filled, "diag"), sample), kind)
    enough = min(SHOWN_PER_COMPONENT * components, len(sample))
    fullest = start(filled[gaps <= np.sort(gaps)[enough - 1]], kind)
    return max(second, fullest, key=lambda mixture: float(log_density_missing(mixture, sample).mean()))


def mean_filled(sample: Real) -> Real:
    """A sample (n, d) with each gap filled with the mean of what its column shows: for starts, not for conclusions.

    Raises
    ------
    DataError
        ``empty_column``.

    Examples
    --------
    >>> mean_filled(np.array([[0.0], [np.nan], [4.0]]))
    array([[0.],
           [2.],
           [4.]])
    """
    gaps = np.isnan(sample)
    shown = len(sample) - gaps.sum(axis=0)
    if len(sample) and not shown.all():
        column = int(shown.argmin())
        raise DataError(
            "empty_column",
            f"column {column} is missing in all of the {len(sample)} frames that the start looks at",
            "leave the column out",
        )
    means = np.nansum(sample, axis=0, dtype=np.float64) / np.maximum(shown, 1)
    return np.where(gaps, means, sample).astype(sample.dtype)


def _checked(mixture: Mixture, frames: ArrayLike) -> Real:
    """Frames as an (n, d) array that holds no infinity."""
    values = as_frames(frames, mixture.dimension)
    for start in range(0, len(values), BLOCK):
        infinite = np.isinf(values[start : start + BLOCK])
        if infinite.any():
            row, column = np.argwhere(infinite)[0] + [start, 0]
            raise DataError(
                "infinite",
                "frames must be finite, or NaN where a value is missing:"
                f" row {row}, column {column} is {values[row, column]}",
            )
    return values


def _unpooled(mixture: Mixture) -> Mixture:
    """The same mixture with a diagonal or a full covariance."""
    return replace(mixture, covariance=mixture.covariance.unpooled(mixture.components, mixture.dimension))


def _accumulate(mixture: Mixture, values: Real, weights: Floats | None) -> Statistics:
    """The statistics of a piece of checked frames."""
    if not np.isnan(values).any():
        return accumulate(mixture, values, weights)
    whole = _unpooled(mixture)
    by = _by_product if isinstance(whole.covariance, Diagonal) else _by_pattern
    statistics = by(whole, values, weights)
    second = mixture.covariance.pooled(statistics.second)
    return replace(statistics, second=second, kind=mixture.covariance.kind)


def _by_product(mixture: Mixture, values: Real, weights: Floats | None) -> Statistics:
    """The statistics under diagonal covariances."""
    try:
        return accumulate(gapped(mixture), values, weights)
    except DataError as error:  # it blames a gap; but no value is infinite, and NaN is no fault here
        what = "frames are too far from the mixture for their precision"
        raise DataError("out_of_range", what, "scale the data") from error


def _by_pattern(mixture: Mixture, values: Real, weights: Floats | None) -> Statistics:
    """The statistics under full covariances."""
    inverses = precisions(mixture)
    total = Statistics.zero(mixture)
    for shown, rows in patterns(np.isnan(values)):
        counts = None if weights is None else weights[rows]
        part = accumulate(restricted(mixture, shown), values[np.ix_(rows, shown)], counts)
        total = total + completed(part, mixture, shown, inverses)
    return total


def _joints(mixture: Mixture, values: Real) -> Iterator[tuple[Indices, Real]]:
    """Which rows (m,), and the log weight + log density (m, k) of what they show; block by block."""
    whole = _unpooled(mixture)
    for start, stop in bounds(len(values)):
        piece = values[start:stop]
        for rows, part, shown in _parts(whole, piece):
            for block, _, joint in evaluate(part, shown):
                yield start + rows[block], joint


def _parts(mixture: Mixture, values: Real) -> Iterator[tuple[Indices, Mixture, Real]]:
    """Rows that one mixture can evaluate, that mixture, and their frames."""
    if isinstance(mixture.covariance, Diagonal):
        yield np.arange(len(values)), gapped(mixture), values
        return
    for shown, rows in patterns(np.isnan(values)):
        yield rows, restricted(mixture, shown), values[np.ix_(rows, shown)]
