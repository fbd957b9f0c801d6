"""Frames: what an extractor and every step after it pass on; Voiced: what is left of them in the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of one clip.

    The mask travels along because voice activity is decided on raw energy, first, and applied last: deltas and
    normalisation then see each frame's true neighbours.

    Parameters
    ----------
    values : (n, d) float32
    voiced : (n,) bool
        Which frames count.
    hop : float
        Seconds from one frame to the next.
    """

    values: Real
    voiced: NDArray[np.bool_]
    hop: float

    def selected(self) -> Real:
        """The voiced frames (m, d), C-ordered: what training and scoring see."""
        return np.ascontiguousarray(self.values[self.voiced])


@dataclass(frozen=True, eq=False)
class Voiced:
    """The voiced frames of one clip, and how many there were in all.

    Parameters
    ----------
    values : (m, d) float32
        C-ordered; m is at least 1.
    total : int
        Frames of the clip, voiced or not.
    hop : float
        Seconds from one frame to the next.
    """

    values: Real
    total: int
    hop: float

    @property
    def seconds(self) -> float:
        """How long the voiced frames last."""
        return len(self.values) * self.hop
