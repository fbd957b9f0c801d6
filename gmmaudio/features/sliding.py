"""Mean and variance normalisation over a sliding window: follows a channel that changes within the recording.

The rule is Kaldi's (apply-cmvn-sliding), edges included.

References
----------
Povey et al. (2011), The Kaldi speech recognition toolkit; feat/feature-functions.cc.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gmmaudio.errors import DataError
from gmmaudio.features.frames import Frames
from gmmaudio.features.running import Indices, centred, running

MAX_WINDOW = 100_000  # frames
LEAST_VARIANCE = 1e-10  # Kaldi's


@dataclass(frozen=True)
class SlidingNormalise:
    """Bring each coefficient to mean zero, and optionally variance one, over the frames around each frame.

    All frames count, voiced or not, as in Kaldi: a window within a long silence is normalised to that silence.
    ``Normalise`` counts the voiced frames only. A clip shorter than the window is normalised as a whole.

    Parameters
    ----------
    window : int, default 300
        Frames; 3 s at 10 ms, as in Kaldi's language recipe. A shorter one removes more of the speech itself.
    centred : bool, default True
        The window lies around the frame; near the edges it is moved inwards and keeps its length. If False, it is
        the frame and the ``window`` frames before it, and nothing later is needed.
    min_window : int, default 100
        Only where ``centred`` is False: at the beginning the window holds at least so many frames, later ones
        if need be. At most ``window``.
    variance : bool, default False
        Also divide by the standard deviation (variances below 1e-10 count as 1e-10).

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> ramp = Frames(np.arange(6, dtype=np.float32)[:, None], np.ones(6, bool), 0.01)
    >>> SlidingNormalise(window=3)(ramp).values[:, 0]
    array([-1.,  0.,  0.,  0.,  0.,  1.], dtype=float32)
    """

    window: int = 300
    centred: bool = True
    min_window: int = 100
    variance: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.window <= MAX_WINDOW:
            raise DataError("bad_setting", f"a window of {self.window} frames; 2 to {MAX_WINDOW} are allowed")
        if not (self.centred or 1 <= self.min_window <= self.window):
            raise DataError("bad_setting", f"min_window {self.min_window}; 1 to the window's {self.window} frames")

    @property
    def halo(self) -> int:
        """The frames to either side that a frame's result may depend on: at the edges, all but itself."""
        return self.window - 1 if self.centred else self.window

    def dimension(self, d: int) -> int:
        return d

    def __call__(self, frames: Frames) -> Frames:
        n = len(frames.values)
        first, last = centred(n, self.window) if self.centred else self._behind(n)
        values = np.empty_like(frames.values)
        for rows, means, variances in running(frames.values, first, last, self.variance):
            deviations = np.subtract(frames.values[rows], means, out=means)
            if self.variance:
                deviations /= np.sqrt(np.maximum(variances, LEAST_VARIANCE, out=variances), out=variances)
            values[rows] = deviations
        return replace(frames, values=values)

    def _behind(self, n: int) -> tuple[Indices, Indices]:
        t = np.arange(n)
        return np.maximum(t - self.window, 0), np.minimum(np.maximum(t + 1, self.min_window), n)
