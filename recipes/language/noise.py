"""Noise of all colours, and the telephone's band: what makes a clean recording a poor one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS = (0.0, 2.0)  # white to brown
SNR_DB = (5.0, 20.0)
TELEPHONE = (300.0, 3400.0)  # Hz

Samples = NDArray[np.floating[Any]]


def degrade(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """One clip as a poor recording: noise of its own colour and level, in a telephone's band or the full one.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Clean speech.
    rate : int
        Hz.
    rng : numpy.random.Generator
        Draws the noise (power falling as 1 / f^c, c uniform in `COLOURS`), its level (uniform in
        `SNR_DB`, over the clip and in its band) and the band (`TELEPHONE` in half of all clips).

    Returns
    -------
    ndarray, shape (n,)
        The speech in its band, at its own scale, and the noise.

    Examples
    --------
    >>> speech = np.sin(np.arange(16_000) * 0.2)
    >>> noisy = degrade(speech, 16_000, np.random.default_rng(0))
    >>> bool(0.003 < np.mean((noisy - speech) ** 2) / np.mean(speech**2) < 0.4)
    True
    """
    colour, snr, telephone = rng.uniform(*COLOURS), rng.uniform(*SNR_DB), rng.random() < 0.5
    speech = in_band(samples, rate, telephone)
    noise = in_band(coloured(len(samples), rate, colour, rng), rate, telephone)
    scale = float(np.sqrt(np.mean(speech**2) / np.mean(noise**2) * 10 ** (-snr / 10)))
    return speech + scale * noise


def coloured(count: int, rate: int, colour: float, rng: np.random.Generator) -> Samples:
    """Noise whose power falls as 1 / f^colour."""
    # Flat below 50 Hz, where there is no speech: else most of a brown noise would be an inaudible rumble.
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / rate), 50.0)
    return shaped(rng.normal(size=count), frequencies ** (-colour / 2))


def in_band(samples: Samples, rate: int, telephone: bool) -> Samples:
    """As a telephone would pass it on; or as it is."""
    return shaped(samples, telephone_gain(np.fft.rfftfreq(len(samples), 1 / rate))) if telephone else samples


def telephone_gain(frequencies: Samples) -> Samples:
    """Magnitude of two Butterworth filters of order 8, with `TELEPHONE` as their -3 dB edges."""
    low, high = (frequencies / edge for edge in TELEPHONE)
    gain: Samples = low**8 / np.sqrt((1 + low**16) * (1 + high**16))
    return gain


def shaped(samples: Samples, gain: Samples) -> Samples:
    """Filtered without delay by a gain at each frequency of `numpy.fft.rfftfreq`."""
    filtered: Samples = np.fft.irfft(np.fft.rfft(samples) * gain, n=len(samples))
    return filtered
