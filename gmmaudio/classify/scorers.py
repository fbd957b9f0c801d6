"""Scorers: frames in, one score per label out. Everything after this seam sees only scores and frame counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.mixture import IN_RANGE, Mixture, as_frames, densities, refuse_non_finite, stack
from gmmaudio.gmm.topc import TopC

Floats = NDArray[np.float64]

LEAST_SUM = 1 / IN_RANGE  # a label whose share of a frame is less has lost digits, or everything, to float32


class Scorer(Protocol):
    """What a classifier needs of a scorer."""

    @property
    def score_kind(self) -> str:
        """What a score is: "loglik" and "llr" are mean nats per frame, "logit" is nominal nats per clip."""

    def score(self, frames: NDArray[np.floating]) -> Floats:
        """Scores (labels,) of the frames (n, d) of one clip, n at least 1."""


@dataclass(frozen=True, eq=False)
class MixtureScorer:
    """One mixture per label; the score is the mean log-likelihood per frame.

    The mixtures are stacked, so that one matrix product per block serves all labels.

    Parameters
    ----------
    mixtures : tuple of Mixture
        In the order of the labels, of one dimension and one kind of covariance.
    """

    mixtures: tuple[Mixture, ...]
    score_kind: ClassVar[str] = "loglik"

    @cached_property
    def stacked(self) -> Mixture:
        """All components in one mixture, every label with the same share of the weight."""
        return stack(self.mixtures)

    @cached_property
    def members(self) -> Floats:
        """Which components are each label's: ones and zeros (components, labels)."""
        return np.repeat(np.eye(len(self.mixtures)), [mixture.components for mixture in self.mixtures], axis=0)

    def score(self, frames: NDArray[np.floating]) -> Floats:
        """Mean log-likelihood per frame (labels,) of one clip's frames (n, d).

        The clip's frames are never mixed with another's, so the score has the same bits alone and among many.
        """
        values = as_frames(frames, self.stacked.dimension)
        if len(values) == 0:
            raise DataError("too_few_frames", "a score needs at least one frame")
        refuse_non_finite(values)
        share = np.log(len(self.mixtures))
        members, totals = self.members.astype(values.dtype), np.zeros(len(self.mixtures))
        for rows, _, joint, density, normaliser in densities(self.stacked, values):
            sums = joint @ members
            offset = density - np.log(normaliser) + share
            each = offset[:, None] + np.log(np.maximum(sums, LEAST_SUM))
            lost = np.flatnonzero((sums < LEAST_SUM).any(axis=1))
            if len(lost):
                each[lost] = np.stack([mixture.log_density(values[rows][lost]) for mixture in self.mixtures], axis=1)
            totals += each.sum(axis=0)
        return np.asarray(totals / len(values))


@dataclass(frozen=True, eq=False)
class AdaptedScorer:
    """One mixture per label, adapted from a background; the score is the log-likelihood ratio against it per frame.

    Parameters
    ----------
    background : Mixture
        Of kind diag or spherical.
    mixtures : tuple of Mixture
        In the order of the labels, each with the background's components in its order.
    c : int
        How many components of each label are evaluated per frame: those where the background is highest. The others
        count as they stand in the background. From 1 to all.

    Raises
    ------
    DataError
        ``bad_setting``, ``not_adapted``: see ``TopC``.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> at = lambda mean: Mixture(np.ones(1), np.array([[mean]]), Diagonal(np.ones((1, 1))))
    >>> AdaptedScorer(at(0.0), (at(-1.0), at(1.0)), c=1).score(np.array([[2.0]]))  # (2^2 - 3^2) / 2, (2^2 - 1^2) / 2
    array([-2.5,  1.5])
    """

    background: Mixture
    mixtures: tuple[Mixture, ...]
    c: int
    score_kind: ClassVar[str] = "llr"

    def __post_init__(self) -> None:
        TopC(self.background, self.mixtures, self.c)  # refuses what does not fit

    @cached_property
    def family(self) -> TopC:
        """The labels' mixtures beside the background, made ready once."""
        return TopC(self.background, self.mixtures, self.c)

    def score(self, frames: NDArray[np.floating]) -> Floats:
        """Mean log-likelihood ratio per frame (labels,) of one clip's frames (n, d).

        The clip's frames are never mixed with another's, so the score has the same bits alone and among many.
        """
        return self.family.ratios(frames)
