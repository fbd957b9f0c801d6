"""Do answers given with 80 % confidence come out right 80 times in 100? Reliability, and its error.

`gmmaudio.measures.multiclass` asks more of posteriors, for all classes and with a proper scoring rule; this here is
what a reader can see in a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import flags, one_row

BINS = 15
"""As most published figures have."""


@dataclass(frozen=True)
class Reliability:
    """The points of a reliability diagram: one per bin that holds an answer.

    Attributes
    ----------
    confidence : (m,) float
        The mean confidence of the bin's answers.
    accuracy : (m,) float
        The share of them that is right.
    count : (m,) int
        How many there are.
    point : (n,) int
        The point that each answer belongs to, from 0.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]
    point: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error, in [0, 1]: the mean of |accuracy - confidence| over all answers.

        It rests on the bins. With few answers to a bin it is too high, for chance alone sets a bin's accuracy
        apart from its confidence.
        """
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


def reliability(correct: ArrayLike, confidence: ArrayLike, edges: ArrayLike | None = None) -> Reliability:
    """Sort answers into bins by their confidence.

    Parameters
    ----------
    correct : (n,) bool
        Whether each answer was right.
    confidence : (n,) float
        The posterior of the answer given, in [0, 1].
    edges : (b + 1,) float, optional
        Of the bins, rising from 0 to 1; an answer on an edge belongs to the bin below. Default: 15 bins of
        equal width. `equal_count` makes bins of as many answers each.

    Returns
    -------
    Reliability

    Raises
    ------
    DataError
        ``bad_shape``, ``length_mismatch``, ``not_a_number``, ``bad_confidence`` or ``bad_edges``.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
    2015; Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, equation 3
    (15 bins of equal width).

    Examples
    --------
    >>> found = reliability([True, True, False, True], [0.9, 0.9, 0.9, 0.3])
    >>> found.confidence, found.count
    (array([0.3, 0.9]), array([1, 3]))
    >>> round(found.error, 3)  # (|1 - 0.3| + 3 |2/3 - 0.9|) / 4
    0.35
    """
    right, sure = flags(correct), _confidences(confidence)
    if len(right) != len(sure):
        raise DataError("length_mismatch", f"got {len(right)} answers and {len(sure)} confidences; one each is needed")
    bounds = np.linspace(0, 1, BINS + 1) if edges is None else one_row(edges, "edges")
    if bounds[0] != 0 or bounds[-1] != 1 or (np.diff(bounds) <= 0).any():
        raise DataError("bad_edges", "the edges do not rise from 0 to 1", "leave them out, or take equal_count's")
    bins = np.searchsorted(bounds[1:-1], sure, side="left")
    count = np.bincount(bins)
    held = count > 0
    sums = [np.bincount(bins, values)[held] / count[held] for values in (sure, right)]
    return Reliability(sums[0], sums[1], count[held], (np.cumsum(held) - 1)[bins])


def equal_count(confidence: ArrayLike, bins: int = BINS) -> NDArray[np.float64]:
    """Edges between which lie as many answers each, as far as equal confidences allow.

    They show more than bins of equal width where most answers are sure.

    Parameters
    ----------
    confidence : (n,) float
        In [0, 1].
    bins : int
        Their greatest number, default 15; fewer where confidences are equal.

    Returns
    -------
    (b + 1,) float
        Rising from 0 to 1.

    Raises
    ------
    DataError
        ``bad_shape``, ``not_a_number``, ``bad_confidence`` or ``bad_bins``.

    Examples
    --------
    >>> equal_count([0.5, 0.9, 0.8, 0.99], bins=2)
    array([0. , 0.8, 1. ])
    """
    sure = np.sort(_confidences(confidence))
    if bins < 1:
        raise DataError("bad_bins", f"got {bins} bins; at least 1 is needed", "take 15")
    # The last answer of each bin is its upper edge.
    last = np.ceil(np.arange(1, bins) * len(sure) / bins).astype(int) - 1
    inner = sure[last]
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def _confidences(confidence: ArrayLike) -> NDArray[np.float64]:
    sure = one_row(confidence, "confidences")
    if sure.min() < 0 or sure.max() > 1:
        raise DataError("bad_confidence", f"got confidences from {sure.min()} to {sure.max()}; they lie in [0, 1]")
    return sure
