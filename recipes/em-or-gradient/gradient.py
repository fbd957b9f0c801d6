"""The gradient of a mixture's log-likelihood, out of the sums of EM's E-step, and the numbers to climb it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio import Mixture, Statistics
from gmmaudio.gmm.covariance import Diagonal

Floats = NDArray[np.float64]


def packed(mixture: Mixture) -> Floats:
    """A mixture as numbers without constraints: log weights, means, log variances."""
    variances = mixture.covariance.array
    return np.concatenate([np.log(mixture.weights), mixture.means.ravel(), np.log(variances).ravel()])


def unpacked(numbers: Floats, shape: tuple[int, int]) -> Mixture:
    """The mixture that any such numbers describe: a softmax sums to one, an exponential is positive."""
    k, d = shape
    weights = np.exp(numbers[:k] - numbers[:k].max())
    means, logs = numbers[k:].reshape(2, k, d)
    return Mixture(weights / weights.sum(), means, Diagonal(np.exp(logs)))


@dataclass(frozen=True)
class Slopes:
    """Derivatives of the log-likelihood, in nats per frame."""

    weights: Floats  # (k,), as if weights were free
    means: Floats  # (k, d)
    variances: Floats  # (k, d)


def slopes(mixture: Mixture, statistics: Statistics) -> Slopes:
    """The gradient, from the sums of one E-step.

    Fisher's identity: the derivative of log p(x) is that of the log joint density, averaged over the posterior. So
    it is made of the same occupancies, sums and sums of squares that the M-step divides by each other.
    """
    variances, about = mixture.covariance.array, mixture.means - statistics.centre
    occupancy = statistics.occupancy[:, None]
    off = statistics.first - occupancy * about
    squares = statistics.second - 2 * about * statistics.first + occupancy * about**2
    return Slopes(
        statistics.occupancy / mixture.weights / statistics.frames,
        off / variances / statistics.frames,
        (squares / variances - occupancy) / (2 * variances) / statistics.frames,
    )


def unconstrained(mixture: Mixture, found: Slopes) -> Floats:
    """The gradient by the numbers of ``packed``: the chain rule through softmax and exponential."""
    shares = mixture.weights * found.weights
    logits = shares - mixture.weights * shares.sum()
    return np.concatenate([logits, found.means.ravel(), (found.variances * mixture.covariance.array).ravel()])


def by_differences(frames: Floats, mixture: Mixture, step: float = 1e-5) -> Floats:
    """The same gradient without any formula: the likelihood a little to either side."""
    numbers, shape = packed(mixture), mixture.means.shape

    def likelihood(at: Floats) -> float:
        return float(unpacked(at, shape).log_density(frames).mean())

    sides = step * np.eye(len(numbers))
    return np.array([(likelihood(numbers + side) - likelihood(numbers - side)) / (2 * step) for side in sides])


def em_step_by_gradient(mixture: Mixture, statistics: Statistics) -> Floats:
    """Where EM goes next, as a gradient step: each slope times a positive matrix (Xu and Jordan 1996, theorem 1)."""
    found, variances = slopes(mixture, statistics), mixture.covariance.array
    shares = statistics.occupancy[:, None] / statistics.frames
    spread = np.diag(mixture.weights) - np.outer(mixture.weights, mixture.weights)
    means = mixture.means + variances / shares * found.means
    about_old = variances + 2 * variances**2 / shares * found.variances  # the variance about the old mean
    moved = about_old - (means - mixture.means) ** 2
    return np.concatenate([mixture.weights + spread @ found.weights, means.ravel(), moved.ravel()])
