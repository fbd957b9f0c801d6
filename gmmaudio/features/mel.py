"""Tables of the cepstral end: mel scales, triangular filters, cosines, lifter.

References
----------
Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word recognition.
Young et al., The HTK Book (mel scale, lifter).  Slaney (1998), Auditory Toolbox (the other mel scale).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Scale = Literal["htk", "slaney"]
Triangle = Literal["mel", "hz"]
Norm = Literal["height", "area"]

_KNEE, _PER_MEL, _STEP = 1000.0, 200 / 3, np.log(6.4) / 27
"""Slaney: linear up to 1000 Hz (mel 15), then 27 steps for a factor of 6.4."""


def mel(hertz: ArrayLike) -> Floats:
    """HTK's mel scale: 1127 ln(1 + f / 700)."""
    return np.asarray(1127 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700))


def hertz(mels: ArrayLike) -> Floats:
    """The inverse of ``mel``."""
    return np.asarray(700 * np.expm1(np.asarray(mels, dtype=np.float64) / 1127))


def slaney(hertz: ArrayLike) -> Floats:
    """Slaney's mel scale.

    Examples
    --------
    >>> slaney([200, 1000, 6400]).round(6).tolist()
    [3.0, 15.0, 42.0]
    """
    f = np.asarray(hertz, dtype=np.float64)
    return np.where(f < _KNEE, f / _PER_MEL, _KNEE / _PER_MEL + np.log(np.maximum(f, _KNEE) / _KNEE) / _STEP)


def slaney_hertz(mels: ArrayLike) -> Floats:
    """The inverse of ``slaney``."""
    m = np.asarray(mels, dtype=np.float64)
    knee = _KNEE / _PER_MEL
    return np.where(m < knee, m * _PER_MEL, _KNEE * np.exp(_STEP * (np.maximum(m, knee) - knee)))


SCALES: dict[str, tuple[Callable[[ArrayLike], Floats], Callable[[ArrayLike], Floats]]] = {
    "htk": (mel, hertz),
    "slaney": (slaney, slaney_hertz),
}
"""To mel, and back."""


def filters(
    rate: int,
    n_fft: int,
    n_mels: int,
    low: float,
    high: float,
    scale: Scale = "htk",
    triangles: Triangle = "mel",
    norm: Norm = "height",
    nyquist: bool = False,
) -> Floats:
    """Triangles (n_mels, n_fft/2 + 1) whose edges are evenly spaced in mel.

    Parameters
    ----------
    rate, n_fft, n_mels : int
    low, high : float
        Hz.
    scale : "htk" or "slaney"
    triangles : "mel" or "hz"
        In which unit their flanks are straight.
    norm : "height" or "area"
        Of unit height, or of unit area in Hz.
    nyquist : bool
        Whether the bin at half the rate counts (Kaldi leaves it out).
    """
    to_mel, to_hertz = SCALES[scale]
    marks = np.linspace(float(to_mel(low)), float(to_mel(high)), n_mels + 2)
    bins = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    in_hertz = to_hertz(marks)
    edges, at = (marks, to_mel(bins)) if triangles == "mel" else (in_hertz, bins)
    rising = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    found: Floats = np.maximum(0, np.minimum(rising, falling))
    if norm == "area":
        found *= (2 / (in_hertz[2:] - in_hertz[:-2]))[:, None]
    if not nyquist:
        found[:, -1] = 0
    return found


def cosines(n_mfcc: int, n_mels: int) -> Floats:
    """The orthonormal DCT-II (n_mfcc, n_mels)."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mfcc), np.arange(n_mels) + 0.5)
    scale = np.full((n_mfcc, 1), np.sqrt(2 / n_mels))
    scale[0] = np.sqrt(1 / n_mels)
    return scale * np.cos(angles)


def lifter(n_mfcc: int, q: float, first: int = 0) -> Floats:
    """1 + q/2 sin(pi (n + first) / q), or ones where q is 0."""
    if q == 0:
        return np.ones(n_mfcc)
    return np.asarray(1 + q / 2 * np.sin(np.pi * (np.arange(n_mfcc) + first) / q))
