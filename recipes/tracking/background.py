"""What every pixel usually shows: a mixture of Gaussians per pixel, updated with each frame.

One pixel of a swaying bush shows leaf, then gap, then leaf: two colours, neither of them news. So each pixel gets a
small mixture of its own. These are thousands of mixtures of three components, updated by one value at a time, so they
are a few lines of numpy for all pixels at once; gmmaudio's core is made for few mixtures and many frames.

References
----------
Stauffer and Grimson (1999), Adaptive background mixture models for real-time tracking, CVPR.
Power and Schoonees (2002), Understanding background mixture models for foreground segmentation, IVCNZ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

NEAR = 10.9  # squared distance over variance: in three colours what 2.5 standard deviations are in one (98.8 %)
NEW = 15.0**2  # variance of a component that begins with one colour
LEAST = 3.0**2  # variances stay above this, in squared levels
RATE = 0.02  # the share that a new frame has
USUAL = 0.7  # the heaviest components that together exceed this weight are background


@dataclass(frozen=True)
class Background:
    """Mixtures of k components for n pixels: weights and variances (k, n), mean colours (k, n, 3)."""

    weights: Floats
    means: Floats
    variances: Floats


def begin(colours: Floats, components: int = 3) -> Background:
    """Every pixel (n, 3) has one component, its first colour; the others wait with weight 0."""
    weights = np.zeros((components, len(colours)))
    weights[0] = 1
    return Background(weights, np.tile(colours, (components, 1, 1)), np.full(weights.shape, NEW))


def watch(seen: Background, colours: Floats, rate: float = RATE) -> tuple[Background, Masks]:
    """One more frame (n, 3): the mixtures after it, and which pixels (n,) are not background."""
    component, pixel = np.arange(len(seen.weights))[:, None], np.arange(len(colours))
    away = ((colours - seen.means) ** 2).sum(axis=2)
    rank = seen.weights / np.sqrt(seen.variances)  # heavy and narrow first
    near = (away < NEAR * seen.variances) & (seen.weights > 0)
    known = near.any(axis=0)
    first = np.where(near, rank, -1).argmax(axis=0)
    before = (seen.weights * (rank > rank[first, pixel])).sum(axis=0)
    foreground = ~known | (before > USUAL)

    hit = known & (component == first)
    weights = (1 - rate) * seen.weights + rate * hit
    # The paper's rate for means and variances is far too slow; each component's own running average is not.
    step = np.where(hit, rate / np.maximum(weights, rate), 0)
    means = seen.means + step[:, :, None] * (colours - seen.means)
    variances = np.maximum(seen.variances + step * (away / 3 - seen.variances), LEAST)

    replaced = ~known & (component == rank.argmin(axis=0))  # the least usual gives way to what is new
    weights = np.where(replaced, rate, weights)
    means = np.where(replaced[:, :, None], colours, means)
    variances = np.where(replaced, NEW, variances)
    return Background(weights / weights.sum(axis=0), means, variances), foreground


def watch_one(seen: Background, colours: Floats, rate: float = RATE) -> tuple[Background, Masks]:
    """The same with a single Gaussian a pixel, the usual way before: all that comes goes into its mean and variance."""
    away = ((colours - seen.means[0]) ** 2).sum(axis=1)
    means = seen.means + rate * (colours - seen.means)
    variances = np.maximum(seen.variances + rate * (away / 3 - seen.variances), LEAST)
    return Background(seen.weights, means, variances), away >= NEAR * seen.variances[0]


def starting_rate(t: int) -> float:
    """At the beginning every frame counts alike: frame t is the (t + 1)st."""
    return max(RATE, 1 / (t + 1))
