"""Training the rung "supervector": a linear machine on the Fisher vectors of pieces of clips.

Ridge regression on which label is right. A clip teaches by its pieces of about a second: each is an example of the
label with other sounds in it, so that the machine learns what all seconds of a label share, and serves clips of any
length. There are fewer pieces than values in a vector, so the regression is solved by its kernel, the products of all
pairs of pieces. The vectors have length one, so the same penalty serves any amount and length of clips, and it is
fixed. One clip per label is enough to train. scikit-learn is used here and only here; what it learns is stored as plain
arrays.
"""

from __future__ import annotations

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

LEAD = 5.0
"""Nats by which the right label is to lead. Calibration finds the true scale; until then this one is taken."""

BLOCK = 256
"""Vectors that are multiplied at a time."""


@dataclass(frozen=True)
class Backend:
    """How the linear machine is trained.

    Parameters
    ----------
    penalty : float, default 1e-4
        On the squared weights, against a mean squared error over pieces: smaller fits the training clips more closely.
    piece : int, default 100
        Frames of a piece, about; a second at the usual hop.
    most : int, default 10000
        Pieces in all. If there were more, fewer are cut from each clip; of more clips than that, as many are taken of
        each label. The time grows with the square of the pieces, and the memory: 8 ``most`` (``most`` + k d) bytes
        for k components in d dimensions.
    """

    penalty: float = 1e-4
    piece: int = 100
    most: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.penalty < np.inf:
            raise DataError("bad_setting", f"penalty {self.penalty}; it must be positive and finite")
        if self.piece < 1:
            raise DataError("bad_setting", f"pieces of {self.piece} frames; at least 1 is needed")
        if self.most < 2:
            raise DataError("bad_setting", f"{self.most} pieces at most; at least 2 are needed")


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear machine that was trained.

    Parameters
    ----------
    scorer : SupervectorScorer
    pieces, clips : int
        That it was trained on.
    left_out : int
        Clips that were too many.
    """

    scorer: SupervectorScorer
    pieces: int
    clips: int
    left_out: int


def train_backend(background: Mixture, labels: Sequence[Sequence[Real]], settings: Backend, jobs: int = 1) -> Linear:
    """Train a linear machine to tell the labels' clips apart.

    Every label counts the same, however many clips it has, and every clip of it, however long it is, so that the
    scores hold for equal priors.

    Parameters
    ----------
    background : Mixture
        Of kind diag, k components in d dimensions.
    labels : sequence, one per label, of sequences of (n, d) arrays
        The frames of each clip.
    settings : Backend
    jobs : int, default 1
        Threads; the scorer has the same bits for any number.

    Raises
    ------
    DataError
        ``one_class`` for fewer than two labels, ``empty_class`` for a label without a clip.

    References
    ----------
    Perronnin, Sanchez and Mensink (2010), Improving the Fisher kernel for large-scale image classification, for the
    vectors; Saunders, Gammerman and Vovk (1998), Ridge regression learning algorithm in dual variables.
    """
    _check(labels)
    taken = [_spread(clips, max(1, settings.most // len(labels))) for clips in labels]
    count = sum(map(len, taken))
    pieces = [[cut(clip, settings.piece, max(1, settings.most // count)) for clip in clips] for clips in taken]
    every = [piece for clips in pieces for clip in clips for piece in clip]
    shares = [1 / len(labels) / len(clips) / len(clip) for clips in pieces for clip in clips for _ in clip]
    truth = np.repeat(np.arange(len(labels)), [sum(map(len, clips)) for clips in pieces])
    vectors = np.empty((len(every), 2 * background.means.size), np.float32)
    with one_blas_thread():
        for row, vector in enumerate(map_in_order(lambda frames: clip_vector(background, frames), every, jobs)):
            vectors[row] = vector
        weights, offsets = _ridge(vectors, truth, np.array(shares), settings.penalty, jobs)
    return Linear(SupervectorScorer(background, weights, offsets), len(every), count, sum(map(len, labels)) - count)


def cut(frames: Real, length: int, most: int) -> list[Real]:
    """A clip's frames (n, d) in equal parts, as near to a length as can be; evenly spread ones if there are too many.

    Examples
    --------
    >>> [[len(part) for part in cut(np.zeros((n, 1)), 100, most=10)] for n in (250, 40)]
    [[125, 125], [40]]
    """
    return _spread(np.array_split(frames, max(1, round(len(frames) / length))), most)


def _spread(items: Sequence[Real], most: int) -> list[Real]:
    """So many of the items at most, in the middle of as many equal ranges."""
    count = min(most, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def _ridge(vectors: Real, truth: NDArray[np.intp], shares: Floats, penalty: float, jobs: int) -> tuple[Floats, Floats]:
    """Weights (labels, m) and offsets (labels,), from vectors (n, m), their labels, and what each counts."""
    from sklearn.kernel_ridge import KernelRidge  # here: only this rung pays for the import

    targets = LEAD * np.eye(truth.max() + 1)[truth]
    machine = KernelRidge(alpha=penalty, kernel="precomputed")
    with one_blas_thread():  # also scipy's BLAS, which the import may have brought
        # The 1 stands for one more value that all vectors share: its weight is the offset.
        machine.fit(_products(vectors, jobs) + 1, targets, sample_weight=shares)
        blocks = range(0, len(vectors), BLOCK)
        dual = machine.dual_coef_
        weights: Floats = sum(dual[at : at + BLOCK].T @ vectors[at : at + BLOCK].astype(np.float64) for at in blocks)
    return weights, dual.sum(axis=0)


def _products(vectors: Real, jobs: int) -> Floats:
    """(n, n) products of all pairs of vectors."""
    found = np.empty((len(vectors), len(vectors)))
    blocks = range(0, len(vectors), BLOCK)
    for at, rows in zip(
        blocks, map_in_order(lambda at: vectors[at : at + BLOCK] @ vectors.T, blocks, jobs), strict=True
    ):
        found[at : at + BLOCK] = rows
    return found


def _check(labels: Sequence[Sequence[Real]]) -> None:
    if len(labels) < 2:
        raise DataError("one_class", f"{len(labels)} labels: there is nothing to decide")
    for index, clips in enumerate(labels):
        if len(clips) == 0:
            raise DataError("empty_class", f"label {index} has no clip")
