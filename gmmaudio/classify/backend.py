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
    most : int, default 6000
        Pieces in all. If there were more, clips that make many are cut into fewer, longer ones; of more clips than
        that, labels that have many are left some, evenly spread. The time grows with the square of the pieces, and
        the memory: about 32 ``most`` ^ 2 bytes, and 8 ``most`` k d for the vectors of k components in d dimensions.
    """

    penalty: float = 1e-4
    piece: int = 100
    most: int = 6000

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
    pieces = _cut(labels, settings)
    every = [piece for clips in pieces for clip in clips for piece in clip]
    shares = [1 / len(labels) / len(clips) / len(clip) for clips in pieces for clip in clips for _ in clip]
    truth = np.repeat(np.arange(len(labels)), [sum(map(len, clips)) for clips in pieces])
    vectors = np.empty((len(every), 2 * background.means.size), np.float32)
    with one_blas_thread():
        for row, vector in enumerate(map_in_order(lambda frames: clip_vector(background, frames), every, jobs)):
            vectors[row] = vector
        weights, offsets = _ridge(vectors, truth, np.array(shares), settings.penalty, jobs)
    used = sum(map(len, pieces))
    return Linear(SupervectorScorer(background, weights, offsets), len(every), used, sum(map(len, labels)) - used)


def _cut(labels: Sequence[Sequence[Real]], settings: Backend) -> list[list[list[Real]]]:
    """The pieces of each clip of each label: equal parts, as near to the length as can be."""
    share = fair_share([len(clips) for clips in labels], settings.most)
    taken = [_spread(clips, share) for clips in labels]
    wanted = [[max(1, round(len(clip) / settings.piece)) for clip in clips] for clips in taken]
    share = fair_share([parts for clips in wanted for parts in clips], settings.most)
    return [
        [np.array_split(clip, min(parts, share)) for clip, parts in zip(clips, counts, strict=True)]
        for clips, counts in zip(taken, wanted, strict=True)
    ]


def fair_share(sizes: Sequence[int], most: int) -> int:
    """What each may have at most so that all together have no more than ``most``; 1 at least.

    Examples
    --------
    >>> fair_share([80, 5], most=100), fair_share([80, 5], most=45), fair_share([1, 1, 1], most=2)
    (80, 40, 1)
    """
    left = most
    for waiting, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        if size * waiting > left:  # all who wait want more than there is for each
            return max(1, left // waiting)
        left -= size
    return max(sizes)


def _spread(items: Sequence[Real], most: int) -> list[Real]:
    """So many of the items at most, from the middle of as many equal ranges."""
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
