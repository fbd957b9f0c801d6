"""Fisher vectors: a clip of any length as one vector of fixed length, by what it would change in a mixture.

The gradient of the mean log-likelihood of a clip's frames in the means and deviations of a background mixture, each
value scaled to about unit variance over frames of the background itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics

Floats = NDArray[np.float64]


def fisher_vector(background: Mixture, statistics: Statistics) -> Floats:
    """The improved Fisher vector (2 k d,) of the frames behind some statistics.

    The gradients in the means come first, component by component, then those in the deviations. Each value is
    replaced by its signed square root, which tames the few that a handful of odd frames make large, and the whole is
    scaled to length one, which takes out how far the clip is from the background as such.

    Parameters
    ----------
    background : Mixture
        Of kind diag, k components in d dimensions.
    statistics : Statistics
        Of at least one frame, as ``accumulate(background, frames)`` gives them.

    Raises
    ------
    DataError
        ``bad_setting`` for another kind of covariance, ``not_additive`` for statistics of another mixture,
        ``too_few_frames`` for statistics of no frame.

    References
    ----------
    Perronnin, Sanchez and Mensink (2010), Improving the Fisher kernel for large-scale image classification.

    Examples
    --------
    >>> from gmmaudio.gmm.statistics import accumulate
    >>> one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> fisher_vector(one, accumulate(one, [[1.0], [1.0]]))  # the mean wants to move, the deviation is right
    array([1., 0.])
    """
    in_means, in_deviations = gradients(background, statistics)
    values = np.concatenate([in_means.ravel(), in_deviations.ravel()])
    tamed = np.sign(values) * np.sqrt(np.abs(values))
    length = float(np.linalg.norm(tamed))
    return np.asarray(tamed / length if length > 0 else tamed)


def gradients(background: Mixture, statistics: Statistics) -> tuple[Floats, Floats]:
    """The mean log-likelihood's gradients in the means and in the deviations, scaled: (k, d) each.

    With weight w and deviation s they are s / sqrt(w) times the first, s / sqrt(2 w) times the second: the diagonal
    approximation of the Fisher information, to the power of -1/2.
    """
    _check(background, statistics)
    weights = background.weights[:, None]
    deviations = background.covariance.deviations(background.components)
    occupancy = statistics.occupancy[:, None]
    means = background.means - statistics.centre
    first = (statistics.first - occupancy * means) / deviations
    second = (statistics.second - 2 * means * statistics.first + occupancy * means**2) / deviations**2 - occupancy
    return first / np.sqrt(weights) / statistics.frames, second / np.sqrt(2 * weights) / statistics.frames


def _check(background: Mixture, statistics: Statistics) -> None:
    if not isinstance(background.covariance, Diagonal):
        raise DataError("bad_setting", f"Fisher vectors are for diag covariances, got {background.covariance.kind}")
    if statistics.kind != "diag" or statistics.first.shape != background.means.shape:
        raise DataError(
            "not_additive",
            f"statistics for {statistics.first.shape} means and {statistics.kind} covariances do not fit a background"
            f" of {background.means.shape}",
            "take them with accumulate(background, frames)",
        )
    if statistics.frames <= 0:
        raise DataError("too_few_frames", "a Fisher vector needs at least one frame")
