"""The scorer of the rung "supervector": a clip becomes one long vector, and a linear machine decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.fisher import fisher_vector
from gmmaudio.gmm.mixture import Mixture, as_frames
from gmmaudio.gmm.statistics import accumulate

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SupervectorScorer:
    """A linear score per label of a clip's Fisher vector against a background.

    Parameters
    ----------
    background : Mixture
        Of kind diag, k components in d dimensions.
    weights : (labels, 2 k d) float64
    offsets : (labels,) float64

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> scorer = SupervectorScorer(one, np.array([[-2.0, 0.0], [2.0, 0.0]]), np.array([0.5, 0.0]))
    >>> scorer.score(np.array([[1.0], [1.0]]))  # its Fisher vector is (1, 0)
    array([-1.5,  2. ])
    """

    background: Mixture
    weights: Floats
    offsets: Floats
    score_kind: ClassVar[str] = "logit"

    def score(self, frames: NDArray[np.floating]) -> Floats:
        """Scores (labels,) of one clip's frames (n, d), n at least 1: nominal nats.

        The label that leads is the likeliest; what a lead is worth is for calibration to say.

        The clip's frames are never mixed with another's, so the score has the same bits alone and among many.

        Raises
        ------
        DataError
            ``too_few_frames``, ``bad_shape``, ``non_finite``, ``not_numeric``.
        """
        return np.asarray(self.weights @ clip_vector(self.background, frames) + self.offsets)


def clip_vector(background: Mixture, frames: NDArray[np.floating]) -> Floats:
    """The Fisher vector (2 k d,) of one clip's frames (n, d), n at least 1; as training and scoring both make it."""
    values = as_frames(frames, background.dimension)
    if len(values) == 0:
        raise DataError("too_few_frames", "a score needs at least one frame")
    return fisher_vector(background, accumulate(background, values))
