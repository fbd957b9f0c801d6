"""Scorers: frames in, one score per label out. Everything after this seam sees only scores and frame counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.mixture import Mixture, as_frames, evaluate, exponentiate, refuse_non_finite, stack

Floats = NDArray[np.float64]


class Scorer(Protocol):
    """What a classifier needs of a scorer."""

    @property
    def score_kind(self) -> str:
        """What a score is: "loglik" and "llr" are mean nats per frame, "logit" is per clip."""

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
    def ends(self) -> list[int]:
        """Where each label's components end in the stack."""
        return [int(end) for end in np.cumsum([mixture.components for mixture in self.mixtures])]

    def score(self, frames: NDArray[np.floating]) -> Floats:
        """Mean log-likelihood per frame (labels,) of one clip's frames (n, d).

        The clip's frames are never mixed with another's, so the score has the same bits alone and among many.
        """
        values = as_frames(frames, self.stacked.dimension)
        if len(values) == 0:
            raise DataError("too_few_frames", "a score needs at least one frame")
        refuse_non_finite(values)
        totals = np.zeros(len(self.mixtures))
        for _, _, joint in evaluate(self.stacked, values):
            for label, block in enumerate(np.split(joint, self.ends[:-1], axis=1)):
                density, _ = exponentiate(block)
                totals[label] += density.sum(dtype=np.float64)
        return np.asarray(totals / len(values) + np.log(len(self.mixtures)))
