"""Frames: what an extractor and every step after it pass on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    values: NDArray[np.float32]
    voiced: NDArray[np.bool_]
    hop: float

    def selected(self) -> NDArray[np.float32]:
        """The voiced frames (m, d), C-ordered: what training and scoring see."""
        return np.ascontiguousarray(self.values[self.voiced])
