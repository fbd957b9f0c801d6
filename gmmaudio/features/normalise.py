"""Mean and variance normalisation over one clip: removes what the microphone and the room add to every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.features.frames import Frames

Floats = NDArray[np.float64]
BLOCK = 4096  # frames
LEAST_FRAMES = 10
"""A tenth of a second at the usual hop: a standard deviation taken from ten frames is right to a quarter."""


@dataclass(frozen=True)
class Normalise:
    """Bring each coefficient to mean zero, and optionally variance one, over the clip's voiced frames.

    Parameters
    ----------
    variance : bool, default False
        Also divide by the standard deviation (floored at a hundredth of a unit). A few frames do not show it: where
        they hardly differ, the unvoiced frames around them, at which deltas look, would be blown up a thousandfold.
        So a front end refuses clips of fewer than ``LEAST_FRAMES`` voiced frames.
    """

    variance: bool = False

    @property
    def least(self) -> int:
        """The voiced frames that a clip must have."""
        return LEAST_FRAMES if self.variance else 1

    @property
    def halo(self) -> None:
        """None: a frame's result depends on the whole clip."""

    def dimension(self, d: int) -> int:
        return d

    def __call__(self, frames: Frames) -> Frames:
        counted = frames.voiced if frames.voiced.any() else np.ones(len(frames.values), bool)
        n, d = max(int(counted.sum()), 1), frames.values.shape[1]
        mean, square = np.zeros(d), np.zeros(d)
        for part in _blocks(frames.values, counted):
            mean += part.sum(axis=0) / n
        values = frames.values - mean.astype(np.float32)
        if self.variance:
            for part in _blocks(frames.values, counted):
                square += np.square(part - mean).sum(axis=0) / n
            values /= np.maximum(np.sqrt(square), 0.01).astype(np.float32)
        return replace(frames, values=values)


def _blocks(values: NDArray[np.float32], counted: NDArray[np.bool_]) -> Iterator[Floats]:
    """The frames that count in float64, a block at a time."""
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        yield values[rows].compress(counted[rows], axis=0).astype(np.float64)
