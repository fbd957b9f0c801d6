"""Which frames count: a threshold on log energy, Kaldi's rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EnergyVad:
    """A frame is voiced when its log energy exceeds ``threshold + mean_scale * mean log energy of the clip``.

    Energies are sums over a window on the scale of 16-bit integers, as in Kaldi.

    Parameters
    ----------
    threshold : float, default 7
        In nats. With the default (and ``mean_scale`` 0) only digital silence and dither fall below.
    mean_scale : float, default 0
        Kaldi's language recipe uses 0.5 with a threshold of 5.5: a clip's quieter half of the scale goes.
    """

    threshold: float = 7.0
    mean_scale: float = 0.0

    def __call__(self, log_energy: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) nats to (n,) bool."""
        if len(log_energy) == 0:
            return np.zeros(0, bool)
        mean = float(log_energy.mean(dtype=np.float64))
        voiced: NDArray[np.bool_] = log_energy > self.threshold + self.mean_scale * mean
        return voiced
