"""Learning a calibration from clips that were held out: maximum likelihood, by Newton's method.

For a given ``half`` the model of `gmmaudio.classify.calibrate` is a multiclass logistic regression, convex in the
scale and the offsets; ``half`` is the best of the powers of two. Labels weigh the same, so that no prior is learned
from how many clips each has.

Two things keep the numbers sensible where the material is small, or its labels separable:

- Each clip's label is taken to be right with probability 1 - e and any label at all with e = 1 / (1 + units), as if
  one more clip had come with a label drawn at random. Units are the groups of each label: clips of one voice err
  together. (Platt, "Probabilistic outputs for support vector machines", 1999, smooths his targets in the same manner.)
- Offsets have a normal prior of standard deviation 2 nats about 0; ``half`` one of a decade about the median clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.calibrate import Calibration, worth
from gmmaudio.errors import DataError

Floats = NDArray[np.float64]

OFFSET_SPREAD = 2.0  # nats
HALVES = 2.0 ** np.arange(0, 18)  # frames: from 10 ms to 22 minutes at a hop of 10 ms
NEWTON_STEPS = 100
TOLERANCE = 1e-12  # of the expected gain, in nats


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores of clips, and of pieces of them, by scorers that had heard nothing of their groups.

    Parameters
    ----------
    truth : (n,) int
        The place of each piece's label.
    scores : (n, L) float
    frames : (n,) int
        Frames that the scores rest on.
    weight : (n,) float
        What each piece counts among those of its label.
    clip : (n,) int
        The number of the clip that each is a piece of.
    group : sequence of n str or None
        Its group.
    seconds : (n,) float
        How long the piece is.
    """

    truth: NDArray[np.intp]
    scores: Floats
    frames: NDArray[np.intp]
    weight: Floats
    clip: NDArray[np.intp]
    group: Sequence[str | None]
    seconds: Floats


def fit_calibration(found: HeldOut) -> Calibration:
    """The calibration that makes the labels most likely.

    Parameters
    ----------
    found : HeldOut
        At least two labels, each with at least one piece.

    Raises
    ------
    DataError
        ``cannot_calibrate`` where the scores hold nothing, or the wrong thing, about the labels.
    """
    labels = found.scores.shape[1]
    if np.bincount(found.truth, minlength=labels).min() == 0:
        raise DataError("cannot_calibrate", "a label has no held-out clip that could be scored")
    centred = found.scores - found.scores.mean(axis=1, keepdims=True)  # the softmax does not see a clip's mean
    spread = float(np.sqrt(np.mean(centred**2)))
    if spread == 0:
        raise DataError("cannot_calibrate", "every held-out clip scores the same for all labels")
    half, (scale, *offsets) = _best_half(found, centred / spread)
    if scale <= 0:
        text = (
            "on held-out clips the right label does not score higher than the others: nothing is learned of new groups"
        )
        raise DataError("cannot_calibrate", text, "give more groups, or try another method or preset")
    return Calibration(
        scale / spread,
        half,
        tuple(offsets[:labels]),
        tuple(offsets[labels:]),
        int(found.frames.min()),
        len(np.unique(found.clip)),
        len({group for group in found.group if group is not None}),
    )


def _best_half(found: HeldOut, scores: Floats) -> tuple[float, list[float]]:
    """The best ``half``, and the scale and offsets that go with it."""
    units = len({(label, group) for label, group in zip(found.truth.tolist(), _units(found), strict=True)})
    targets, weight = _targets(found, units)
    middle = float(np.median(found.frames))
    best, lowest = (0.0, [0.0]), np.inf
    at = np.zeros(1 + 2 * scores.shape[1])
    for half in HALVES.tolist():
        at, loss = _newton(_Problem(scores, worth(found.frames, half), targets, weight, units), at)
        loss += np.log10(half / middle) ** 2 / (2 * units)
        if loss < lowest:
            best, lowest = (half, at.tolist()), loss
    return best


def _units(found: HeldOut) -> list[object]:
    """The group of each piece; a clip without one is a group of its own."""
    return [(clip,) if group is None else group for clip, group in zip(found.clip.tolist(), found.group, strict=True)]


def _targets(found: HeldOut, units: int) -> tuple[Floats, Floats]:
    """What each piece should come out as (n, L), and its weight; labels weigh the same, all together 1."""
    labels = found.scores.shape[1]
    doubt = 1 / (1 + units)
    targets = (1 - doubt) * np.eye(labels)[found.truth] + doubt / labels
    totals = np.bincount(found.truth, found.weight, minlength=labels)
    return targets, found.weight / totals[found.truth] / labels


@dataclass(frozen=True, eq=False)
class _Problem:
    """A convex function of (scale, long offsets, short offsets), its slope and its curvature."""

    scores: Floats
    share: Floats
    targets: Floats
    weight: Floats
    units: int

    def logits(self, at: Floats) -> Floats:
        long, short = at[1:].reshape(2, -1)
        share = self.share[:, None]
        result: Floats = share * (at[0] * self.scores + long) + (1 - share) * short
        return result

    def loss(self, at: Floats) -> float:
        """Mean cross-entropy in nats, and what the prior adds."""
        logits = self.logits(at)
        costs = np.logaddexp.reduce(logits, axis=1) - (self.targets * logits).sum(axis=1)
        return float(self.weight @ costs + self._ridge * (at[1:] @ at[1:]) / 2)

    @property
    def _ridge(self) -> float:
        return 1 / (OFFSET_SPREAD**2 * self.units)

    def slope_and_curvature(self, at: Floats) -> tuple[Floats, Floats]:
        """The gradient (p,) and the Hessian (p, p)."""
        logits = self.logits(at)
        posterior = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        # What each parameter moves: the scale the scores by their share, the offsets by theirs.
        moved = self.share[:, None] * self.scores
        shares = np.stack([self.share, 1 - self.share])
        excess = self.weight[:, None] * (posterior - self.targets)
        slope = np.concatenate([[np.sum(excess * moved)], (shares @ excess).ravel() + self._ridge * at[1:]])
        weighed = self.weight[:, None] * posterior
        mean = (posterior * moved).sum(axis=1, keepdims=True)
        scale = np.sum(weighed * moved * (moved - mean))
        cross = (shares @ (weighed * (moved - mean))).ravel()
        blocks = [[self._block(one * other, posterior, weighed) for other in shares] for one in shares]
        offsets = np.block(blocks) + self._ridge * np.eye(len(at) - 1)
        return slope, np.block([[np.array([[scale]]), cross[None]], [cross[:, None], offsets]])

    def _block(self, factor: Floats, posterior: Floats, weighed: Floats) -> Floats:
        """(L, L): the curvature with respect to two offsets whose shares have this product."""
        part = factor[:, None] * weighed
        result: Floats = np.diag(part.sum(axis=0)) - posterior.T @ part
        return result


def _newton(problem: _Problem, start: Floats) -> tuple[Floats, float]:
    """The minimum and its place: Newton's steps, each halved until it gains enough."""
    at, loss = start, problem.loss(start)
    for _ in range(NEWTON_STEPS):
        slope, curvature = problem.slope_and_curvature(at)
        step = np.linalg.solve(curvature, -slope)
        gain = -float(slope @ step)
        if gain < TOLERANCE:
            break
        length = 1.0
        while (new := problem.loss(at + length * step)) > loss - 1e-4 * length * gain and length > 1e-10:
            length /= 2
        at, loss = at + length * step, new
    return at, loss
