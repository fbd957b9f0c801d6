"""What a mixture makes of frames that show only some of their columns: the mathematics behind ``missing``.

Diagonal covariances treat all patterns of gaps in one product (``gapped``). Full ones take a pattern at a time: the
mixture ``restricted`` to the columns shown gives density and statistics, ``regression`` gives what the others are
expected to be, and ``completed`` puts the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.covariance import Covariance, Diagonal, Full
from gmmaudio.gmm.evaluation import LOG_2_PI, Evaluation, log_weights, padded, product
from gmmaudio.gmm.matrices import inverse_root
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Gapped:
    """``Diagonal`` for frames in which NaN is a gap. It answers only what ``evaluate`` and ``accumulate`` ask.

    A missing column adds nothing to a frame's density, so the constant of each column becomes a column of the design,
    [x, x*x, shown, 1, 0 ...], whose first three parts are zero where x is missing.

    Parameters
    ----------
    variances : (k, d) float64
    means : (k, d) float64
        About the mixture's centre.
    """

    variances: Floats
    means: Floats
    kind: ClassVar[str] = "diag"

    collect = staticmethod(Diagonal.collect)

    def evaluate(self, weights: Floats, means: Floats, dtype: Any) -> Evaluation:
        """log w + the sum over what is shown of  x m / v - x^2 / (2 v) - (log 2 pi v + m^2 / v) / 2."""
        d = means.shape[1]
        inverses = 1 / self.variances
        rows = np.zeros((len(means), padded(3 * d + 1)))
        rows[:, :d], rows[:, d : 2 * d] = means * inverses, -inverses / 2
        rows[:, 2 * d : 3 * d] = -(LOG_2_PI + np.log(self.variances) + means**2 * inverses) / 2
        rows[:, 3 * d] = log_weights(weights)

        def complete(design: Real, _centred: Real) -> None:
            gaps = np.isnan(design[:, :d])
            np.copyto(design[:, :d], 0, where=gaps)
            np.multiply(design[:, :d], design[:, :d], out=design[:, d : 2 * d])
            np.logical_not(gaps, out=design[:, 2 * d : 3 * d])
            design[:, 3 * d] = 1

        return product(rows, 3 * d, dtype, complete)

    def split(self, sums: Floats, _extra: Floats | None, d: int) -> tuple[Floats, Floats, Floats]:
        """Occupancy and moments, with the component's own moments where a column was missing."""
        occupancy = sums[:, 3 * d].copy()
        missing = occupancy[:, None] - sums[:, 2 * d : 3 * d]
        first = sums[:, :d] + missing * self.means
        return occupancy, first, sums[:, d : 2 * d] + missing * (self.variances + self.means**2)


def gapped(mixture: Mixture) -> Mixture:
    """A mixture of diagonal covariances, ready for frames with gaps."""
    kind = Gapped(mixture.covariance.array, mixture.means - mixture.centre)
    return replace(mixture, covariance=cast(Covariance, kind))  # one of the kinds to those two functions only


def patterns(gaps: Mask) -> Iterator[tuple[Mask, Indices]]:
    """For each pattern of gaps (n, d) that occurs: the columns shown (d,), and the rows that show just these."""
    packed = np.packbits(gaps, axis=1)
    _, first, pattern = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    pattern = pattern.reshape(-1)  # numpy 2.0.0 gives it a second axis
    groups = np.split(np.argsort(pattern, kind="stable"), np.cumsum(np.bincount(pattern))[:-1])
    for row, rows in zip(first, groups, strict=True):
        yield ~gaps[row], rows


def restricted(mixture: Mixture, shown: Mask) -> Mixture:
    """The mixture of the columns shown, of full covariances; unlike ``conditional.marginal`` also of none at all."""
    return Mixture(mixture.weights, mixture.means[:, shown], Full(mixture.covariance.array[:, shown][:, :, shown]))


def precisions(mixture: Mixture) -> Floats:
    """The inverses (k, d, d) of full covariances."""
    roots = inverse_root(mixture.covariance.array)
    return np.asarray(roots @ np.swapaxes(roots, 1, 2))


def regression(inverses: Floats, shown: Mask) -> tuple[Floats, Floats]:
    """Each component's regression of the u columns missing on the o columns shown.

    With L the inverse covariance, the slopes are -L_uu^-1 L_uo, and the covariance about the line is L_uu^-1 (Bishop
    2006, equations 2.73 and 2.75): only the small block is inverted.

    Parameters
    ----------
    inverses : (k, d, d)
        See ``precisions``.
    shown : (d,) bool

    Returns
    -------
    slopes : (k, u, o)
    left : (k, u, u)
    """
    missing = inverses[:, ~shown]
    left = np.asarray(np.linalg.inv(missing[:, :, ~shown]), dtype=np.float64)
    return -left @ missing[:, :, shown], left


def completed(part: Statistics, mixture: Mixture, shown: Mask, inverses: Floats) -> Statistics:
    """The statistics of all columns, from those of the columns shown under the ``restricted`` mixture.

    Given its component, a frame is expected at A o + b, where o is what it shows: A is one for the columns shown and
    the regression's slopes for the others, whose covariance about the line is added.
    """
    k, d = mixture.means.shape
    slopes, left = regression(inverses, shown)
    maps = np.zeros((k, d, slopes.shape[2]))
    maps[:, shown] = np.eye(slopes.shape[2])
    maps[:, ~shown] = slopes
    shift = mixture.means - mixture.centre - np.einsum("kdo,ko->kd", maps, mixture.means[:, shown] - part.centre)
    mapped = np.einsum("kdo,ko->kd", maps, part.first)
    occupancy = part.occupancy[:, None, None]
    cross = mapped[:, :, None] * shift[:, None, :]
    second = maps @ part.second @ np.swapaxes(maps, 1, 2) + cross + np.swapaxes(cross, 1, 2)
    second += occupancy * shift[:, :, None] * shift[:, None, :]
    second[np.ix_(np.arange(k), ~shown, ~shown)] += occupancy * left
    first = mapped + part.occupancy[:, None] * shift
    return replace(part, first=first, second=second, centre=mixture.centre)
