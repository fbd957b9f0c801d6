"""Chroma filters: which pitch class a bin of the spectrum belongs to.

Every bin gives to each pitch class by a Gaussian over the distance in semitones, as wide as the bin itself, and the
more the nearer it lies to the middle of the keyboard.

References
----------
Fujishima (1999), Realtime chord recognition of musical sound.
Ellis (2007), Chroma feature analysis and synthesis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PITCHES = 12
A0 = 27.5  # Hz: A4 is 440
FROM_A = (np.arange(PITCHES) + 3) % PITCHES  # C, C sharp, ... B in semitones above A
MIDDLE, SPREAD = 5.0, 2.0  # octaves above A0: where the weight is largest, and how slowly it falls


def chroma_filters(rate: int, n_fft: int) -> Floats:
    """Weights (12, n_fft/2 + 1) of the bins in the pitch classes C, C sharp, ... B; equal temperament from A4 = 440 Hz.

    Examples
    --------
    >>> weights = chroma_filters(22050, 2048)
    >>> int(weights[:, round(440 * 2048 / 22050)].argmax())  # A, nine semitones above C
    9
    """
    semitones = PITCHES * np.log2(np.arange(1, n_fft // 2 + 2) * (rate / n_fft) / A0)
    semitones = np.concatenate([semitones[:1] - 1.5 * PITCHES, semitones])  # 0 Hz has no pitch: far below the first
    widths, semitones = np.maximum(np.diff(semitones), 1), semitones[:-1]
    half = PITCHES / 2
    away = (semitones - FROM_A[:, None] + half) % PITCHES - half
    weights = np.exp(-2 * (away / widths) ** 2)
    weights /= np.sqrt(np.square(weights).sum(axis=0))
    return np.asarray(weights * np.exp(-0.5 * ((semitones / PITCHES - MIDDLE) / SPREAD) ** 2))
