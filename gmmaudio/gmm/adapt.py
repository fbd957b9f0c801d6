"""Maximum a posteriori adaptation: a background mixture moved towards some new data.

One M-step over the data's statistics plus ``relevance`` frames per component that have exactly the background's own
moments. Components that the data hardly touch stay where they were.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS, Covariance, Regulariser
from gmmaudio.gmm.em import TINY, maximise
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics

Floats = NDArray[np.float64]


def adapt(
    background: Mixture,
    statistics: Statistics,
    relevance: float = 16.0,
    means: bool = True,
    variances: bool = False,
    weights: bool = False,
) -> Mixture:
    """Adapt the means of a background mixture to data; its variances and weights only when asked to.

    With n_k the occupancy of component k and a_k = n_k / (n_k + relevance), the new mean is a_k times the data's
    plus (1 - a_k) times the old one, and so are the second moments and the weights.

    Parameters
    ----------
    background : Mixture
        Of any kind of covariance.
    statistics : Statistics
        Of the data, as ``accumulate(background, frames)`` gives them.
    relevance : float, default 16
        How many frames of data a component needs to be moved half-way. Large: near the background; small: near the
        maximum likelihood estimate.
    means : bool, default True
    variances : bool, default False
        The covariances, in the background's kind. Where the means are not adapted they are taken about the old ones.
    weights : bool, default False

    Returns
    -------
    Mixture
        Its components stand in the background's order.

    Raises
    ------
    DataError
        ``bad_setting``: a relevance that is not positive, or the variances of a tied covariance, which no
        component's own relevance can weigh. ``not_additive``: statistics of another shape or kind of mixture.

    References
    ----------
    Reynolds, Quatieri and Dunn (2000), Speaker verification using adapted Gaussian mixture models, eq. 11 to 14.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> from gmmaudio.gmm.statistics import accumulate
    >>> background = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> adapt(background, accumulate(background, np.full((48, 1), 4.0))).means  # 48 / (48 + 16) of the way to 4
    array([[3.]])
    """
    _check(background, statistics, relevance, variances)
    best = maximise(statistics + _prior(background, statistics, relevance))
    new_means = best.means if means else background.means
    return Mixture(
        _weights(background, statistics, relevance) if weights else background.weights,
        new_means,
        _about(best, new_means) if variances else background.covariance,
    )


def _check(background: Mixture, statistics: Statistics, relevance: float, variances: bool) -> None:
    if not 0 < relevance < np.inf:
        raise DataError("bad_setting", f"relevance {relevance}; it must be positive and finite")
    kind = background.covariance.kind
    if variances and kind == "tied":
        raise DataError("bad_setting", "a tied covariance cannot be adapted", "adapt the means and weights only")
    if statistics.kind != kind or statistics.first.shape != background.means.shape:
        raise DataError(
            "not_additive",
            f"statistics for {statistics.first.shape} means and {statistics.kind} covariances cannot adapt a background"
            f" of {background.means.shape} and {kind}",
            "take them with accumulate(background, frames)",
        )


def _prior(background: Mixture, statistics: Statistics, relevance: float) -> Statistics:
    """The statistics of ``relevance`` frames per component with exactly the background's moments."""
    occupancy = np.full(background.components, float(relevance))
    means = background.means - statistics.centre
    return replace(
        statistics,
        occupancy=occupancy,
        first=occupancy[:, None] * means,
        second=background.covariance.moments(occupancy, means),
        log_likelihood=0.0,
        frames=float(occupancy.sum()),
    )


def _weights(background: Mixture, statistics: Statistics, relevance: float) -> Floats:
    """Equation 11, scaled to sum to one: pseudo-frames would pull the weights to equal shares, not to the old ones."""
    share = statistics.occupancy / (statistics.occupancy + relevance)
    seen = statistics.occupancy / max(statistics.occupancy.sum(), TINY)
    mixed = share * seen + (1 - share) * background.weights
    return np.asarray(mixed / mixed.sum())


def _about(best: Mixture, means: Floats) -> Covariance:
    """The covariances of the same moments about other means: what the means miss adds to the spread."""
    ones = np.ones(best.components)
    second = best.covariance.moments(ones, best.means - means)
    kind = KINDS[best.covariance.kind]
    return kind.estimate(ones, np.zeros_like(means), second, Regulariser(relative_floor=0), np.zeros(best.dimension))
