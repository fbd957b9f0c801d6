"""Texture windows: how the frames of about a second are spread, which is what music sounds like.

References
----------
Tzanetakis and Cook (2002), Musical genre classification of audio signals, section III-A.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gmmaudio.errors import DataError
from gmmaudio.features.frames import Frames
from gmmaudio.features.running import centred, running

MAX_WINDOW = 100_000  # frames


@dataclass(frozen=True)
class Texture:
    """Replace each frame by the mean and the standard deviation of the frames around it.

    All frames count, voiced or not. At the beginning and the end of a clip the window is moved inwards and keeps
    its length, so the first half second shares the first full window; a clip shorter than the window is one
    window. (In the paper the window lies before the frame: the same numbers, half a window later, and none of
    them made from a handful of frames at the beginning.)

    Parameters
    ----------
    window : int, default 100
        Frames: 1 s at a hop of 10 ms. A longer one tells more of the style, less of the moment.

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> two = Frames(np.array([[1.0], [3.0]], np.float32), np.ones(2, bool), 0.01)
    >>> Texture()(two).values
    array([[2., 1.],
           [2., 1.]], dtype=float32)
    """

    window: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.window <= MAX_WINDOW:
            raise DataError("bad_setting", f"a window of {self.window} frames; 2 to {MAX_WINDOW} are allowed")

    @property
    def halo(self) -> int:
        """The frames to either side that a frame's result may depend on: at the edges, all but itself."""
        return self.window - 1

    def dimension(self, d: int) -> int:
        return 2 * d

    def __call__(self, frames: Frames) -> Frames:
        n, d = frames.values.shape
        values = np.empty((n, 2 * d), np.float32)
        for rows, means, variances in running(frames.values, *centred(n, self.window), squares=True):
            values[rows, :d] = means
            values[rows, d:] = np.sqrt(variances, out=variances)
        return replace(frames, values=values)
