"""Mean and variance normalisation over one clip: removes what the microphone and the room add to every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gmmaudio.features.frames import Frames


@dataclass(frozen=True)
class Normalise:
    """Bring each coefficient to mean zero, and optionally variance one, over the clip's voiced frames.

    Parameters
    ----------
    variance : bool, default False
        Also divide by the standard deviation (floored at a hundredth of a unit).
    """

    variance: bool = False

    def dimension(self, d: int) -> int:
        return d

    def __call__(self, frames: Frames) -> Frames:
        basis = frames.values[frames.voiced] if frames.voiced.any() else frames.values
        values = frames.values - basis.mean(axis=0, dtype=np.float64).astype(np.float32)
        if self.variance:
            deviation = basis.std(axis=0, dtype=np.float64)
            values /= np.maximum(deviation, 0.01).astype(np.float32)
        return replace(frames, values=values)
