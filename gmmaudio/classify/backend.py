"""Training the rung "supervector": a linear machine on the Fisher vectors of clips.

Multinomial logistic regression, which gives log odds. The vectors have length one, so the same regularisation serves
any amount and length of clips, and it is fixed. One clip per label is enough to train. scikit-learn is used here
and only here; what it learns is stored as plain arrays.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.supervector import SupervectorScorer, clip_vector
from gmmaudio.errors import DataError
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.parallel import map_in_order, one_blas_thread

Floats = NDArray[np.float64]
Real = NDArray[np.floating]


@dataclass(frozen=True)
class Backend:
    """How the linear machine is trained.

    Parameters
    ----------
    loose : float, default 30
        The inverse of the penalty on the squared weights (scikit-learn's ``C``): larger fits the training clips more
        closely.
    iterations : int, default 1000
        At most so many.
    """

    loose: float = 30.0
    iterations: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.loose < np.inf:
            raise DataError("bad_setting", f"loose {self.loose}; it must be positive and finite")
        if self.iterations < 1:
            raise DataError("bad_setting", f"{self.iterations} iterations; at least 1 is needed")


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear machine that was trained.

    Parameters
    ----------
    scorer : SupervectorScorer
    iterations : int
        How many it took.
    converged : bool
    """

    scorer: SupervectorScorer
    iterations: int
    converged: bool


def train_backend(background: Mixture, labels: Sequence[Sequence[Real]], settings: Backend, jobs: int = 1) -> Linear:
    """Train a linear machine to tell the labels' clips apart.

    Every label counts the same, however many clips it has, so that the scores hold for equal priors.

    Parameters
    ----------
    background : Mixture
        Of kind diag, k components in d dimensions.
    labels : sequence, one per label, of sequences of (n, d) arrays
        The frames of each clip. Held in memory are their vectors, 2 k d float64 values per clip, not their frames.
    settings : Backend
    jobs : int, default 1
        Threads; the scorer has the same bits for any number.

    Raises
    ------
    DataError
        ``one_class`` for fewer than two labels, ``empty_class`` for a label without a clip.

    References
    ----------
    Perronnin, Sanchez and Mensink (2010), Improving the Fisher kernel for large-scale image classification.
    """
    _check(labels)
    clips = [frames for label in labels for frames in label]
    truth = np.repeat(np.arange(len(labels)), [len(label) for label in labels])
    vectors = np.empty((len(clips), 2 * background.means.size))
    with one_blas_thread():
        for row, vector in enumerate(map_in_order(lambda frames: clip_vector(background, frames), clips, jobs)):
            vectors[row] = vector
        weights, offsets, iterations, converged = _logistic(vectors, truth, settings)
    return Linear(SupervectorScorer(background, weights, offsets), iterations, converged)


def _logistic(vectors: Floats, truth: NDArray[np.intp], settings: Backend) -> tuple[Floats, Floats, int, bool]:
    """Weights (labels, m), offsets (labels,), iterations, and whether they were enough."""
    from sklearn.exceptions import ConvergenceWarning  # here: only this rung pays for the import
    from sklearn.linear_model import LogisticRegression

    machine = LogisticRegression(C=settings.loose, max_iter=settings.iterations, tol=1e-6, class_weight="balanced")
    with warnings.catch_warnings(), one_blas_thread():  # also scipy's BLAS, which the import may have brought
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by the return value
        machine.fit(vectors, truth)
    weights, offsets = machine.coef_, machine.intercept_
    if len(weights) == 1:  # two labels: the log odds of the second, which each takes half of
        weights, offsets = np.concatenate([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    taken = int(machine.n_iter_.max())
    return weights, offsets, taken, taken < settings.iterations


def _check(labels: Sequence[Sequence[Real]]) -> None:
    if len(labels) < 2:
        raise DataError("one_class", f"{len(labels)} labels: there is nothing to decide")
    for index, clips in enumerate(labels):
        if len(clips) == 0:
            raise DataError("empty_class", f"label {index} has no clip")
