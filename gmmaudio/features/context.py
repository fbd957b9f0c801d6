"""What happens around a frame: deltas and shifted delta cepstra. Edges repeat the first and last frame.

References
----------
Young et al., The HTK Book, eq. 5.16 (regression deltas).
Torres-Carrasquillo et al. (2002), Approaches to language identification using Gaussian mixture models and shifted
delta cepstral features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.features.frames import Frames

Real = NDArray[np.float32]


@dataclass(frozen=True)
class Deltas:
    """Append the slope of each coefficient over time, and the slope of the slope.

    Parameters
    ----------
    order : int, default 2
        1 appends deltas, 2 delta-deltas too.
    reach : int, default 2
        Frames to either side in the regression.
    """

    order: int = 2
    reach: int = 2

    def __post_init__(self) -> None:
        if not (1 <= self.order <= 4 and 1 <= self.reach <= 100):
            raise DataError("bad_setting", f"deltas of order {self.order}, reach {self.reach}; 1 to 4 and 1 to 100")

    @property
    def halo(self) -> int:
        """The frames to either side that a frame's result depends on: each order looks ``reach`` further."""
        return self.order * self.reach

    def dimension(self, d: int) -> int:
        return d * (self.order + 1)

    def __call__(self, frames: Frames) -> Frames:
        n, d = frames.values.shape
        values = np.empty((n, self.dimension(d)), np.float32)
        values[:, :d] = frames.values
        for order in range(self.order):
            values[:, (order + 1) * d : (order + 2) * d] = slope(values[:, order * d : (order + 1) * d], self.reach)
        return replace(frames, values=values)


def slope(values: Real, reach: int) -> Real:
    """The least-squares slope over ``reach`` frames to either side: (n, d) to (n, d).

    Examples
    --------
    >>> slope(np.arange(6, dtype=np.float32)[:, None], 2)[2:4, 0]
    array([1., 1.], dtype=float32)
    """
    n = len(values)
    padded = _with_edges(values, reach, reach)
    total, scratch = np.zeros(values.shape, np.float32), np.empty(values.shape, np.float32)
    for step in range(1, reach + 1):
        np.subtract(padded[reach + step :][:n], padded[reach - step :][:n], out=scratch)
        scratch *= np.float32(step)
        total += scratch
    total /= np.float32(2 * sum(step * step for step in range(1, reach + 1)))
    return total


def _with_edges(values: Real, before: int, after: int) -> Real:
    """The frames with the first and the last repeated in front and behind (np.pad takes ten times as long)."""
    n = len(values)
    padded = np.empty((before + n + after, values.shape[1]), np.float32)
    padded[before : before + n] = values
    padded[:before], padded[before + n :] = values[:1], values[n - 1 :]
    return padded


@dataclass(frozen=True)
class ShiftedDeltas:
    """Append shifted delta cepstra N-d-P-k: k blocks of deltas, each P frames later than the one before.

    Parameters
    ----------
    coefficients : int, default 7
        N: the first so many coefficients are used, and kept as they are in front of the blocks.
    spread : int, default 1
        d: a delta is c(t + d) - c(t - d).
    shift : int, default 3
        P.
    blocks : int, default 7
        k.
    """

    coefficients: int = 7
    spread: int = 1
    shift: int = 3
    blocks: int = 7

    def __post_init__(self) -> None:
        if not all(1 <= value <= 100 for value in (self.coefficients, self.spread, self.shift, self.blocks)):
            raise DataError("bad_setting", "coefficients, spread, shift and blocks must each be 1 to 100")

    @property
    def halo(self) -> int:
        """The frames to either side that a frame's result depends on: the last block's, which lie after it."""
        return self.shift * (self.blocks - 1) + self.spread

    def dimension(self, d: int) -> int:
        return min(self.coefficients, d) * (self.blocks + 1)

    def __call__(self, frames: Frames) -> Frames:
        statics = frames.values[:, : self.coefficients]
        n, d = statics.shape
        padded = _with_edges(statics, self.spread, self.halo)
        deltas = padded[2 * self.spread :] - padded[: len(padded) - 2 * self.spread]
        values = np.empty((n, d * (self.blocks + 1)), np.float32)
        values[:, :d] = statics
        for block in range(self.blocks):
            values[:, (block + 1) * d : (block + 2) * d] = deltas[block * self.shift :][:n]
        return replace(frames, values=values)
