"""A short part of a clip as MP3, for a page that plays it."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from gmmaudio.corpus.audio import Clip

MP3_RATE = 22_050
"""Hz; a rate that MP3 knows, and enough to recognise a sound by."""

_SMALLER = 0.7
"""libsndfile's compression of MP3, from 0 (best) to 1 (smallest)."""


def loudest(clip: Clip, seconds: float) -> tuple[int, int]:
    """First and last sample of the part of this length that has the most energy; the whole of a shorter clip.

    Examples
    --------
    >>> loudest(Clip(np.array([0, 0, 1, 1, 0], np.float32), 1), 2)
    (2, 4)
    """
    width = min(len(clip.samples), max(1, round(seconds * clip.rate)))
    energy = np.concatenate([[0.0], np.cumsum(np.square(clip.samples, dtype=np.float64))])
    first = int((energy[width:] - energy[:-width]).argmax())
    return first, first + width


def mp3(samples: NDArray[np.float32]) -> bytes:
    """Mono samples (n,) at ``MP3_RATE`` as an MP3 file, about 5 kB per second.

    Examples
    --------
    >>> file = mp3(np.zeros(22050, np.float32))
    >>> soundfile.info(io.BytesIO(file)).format
    'MP3'
    """
    buffer = io.BytesIO()
    sound = np.clip(samples, -1, 1)
    soundfile.write(buffer, sound, MP3_RATE, format="MP3", compression_level=_SMALLER, bitrate_mode="VARIABLE")
    return buffer.getvalue()
