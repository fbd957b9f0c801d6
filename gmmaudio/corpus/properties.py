"""What a recording is like, whatever is in it: rate, channels, format, length, level, noise floor, bandwidth, clipping.

When such properties differ between classes, a model may learn them instead of what it is meant to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gmmaudio.corpus.audio import Facts

_FRAME = 0.05  # seconds: the level is taken in such steps
_FLOOR = 10  # per cent of the frames lie below the noise floor
_DEEPEST = -120.0  # dB: digital silence has no level
_WINDOW = 1024
_BELOW = 1e-6  # the bandwidth ends where the mean spectrum stays 60 dB below its largest value
_FULL = 0.99
_BLOCK = 4096  # windows at a time


@dataclass(frozen=True)
class Properties:
    """Properties of one clip.

    Parameters
    ----------
    rate : int
        Hz, of the file.
    channels : int
    format : str
        Container and coding, such as ``"WAV 16 bit"`` or ``"Ogg Vorbis"``.
    seconds : float
    level : float
        Root mean square in dB of full scale, at least -120.
    noise_floor : float
        The level that a tenth of its 50 ms frames do not reach, in the same unit.
    bandwidth : float
        Hz: above it the mean spectrum stays 60 dB below its largest value.
    clipped : float
        The share of samples at full scale.
    """

    rate: int
    channels: int
    format: str
    seconds: float
    level: float
    noise_floor: float
    bandwidth: float
    clipped: float


WORDS = {
    "rate": "sample rate",
    "channels": "number of channels",
    "format": "file format",
    "seconds": "duration",
    "level": "level",
    "noise_floor": "noise floor",
    "bandwidth": "bandwidth",
    "clipped": "clipping",
}
"""What sentences call each property."""


def properties_of(samples: NDArray[np.float32], facts: Facts) -> Properties:
    """The properties of a clip that was read at its file's own rate.

    Parameters
    ----------
    samples : (n,) float32 array
        All of the clip, mixed down; at least one.
    facts : Facts
        What `read_through` says of it.

    Returns
    -------
    Properties

    Examples
    --------
    >>> import soundfile
    >>> from tempfile import TemporaryDirectory
    >>> from gmmaudio.corpus.audio import joined, read_through
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/a.wav", 0.1 * np.sin(np.arange(8000)), 8000)
    ...     found = properties_of(*read_through(f"{folder}/a.wav", None, joined))
    >>> found.format, found.seconds, round(found.level)   # 20 log10(0.1) - 3
    ('WAV 16 bit', 1.0, -23)
    """
    return Properties(
        facts.rate,
        facts.channels,
        facts.coding,
        len(samples) / facts.rate,
        _decibels(_power(samples)),
        _noise_floor(samples, facts.rate),
        _bandwidth(samples, facts.rate),
        float(np.count_nonzero(np.abs(samples) >= _FULL)) / len(samples),
    )


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.einsum("i,i", samples, samples, dtype=np.float64)) / len(samples)


def _decibels(power: float) -> float:
    return max(_DEEPEST, 10 * float(np.log10(max(power, 1e-30))))


def _noise_floor(samples: NDArray[np.float32], rate: int) -> float:
    step = min(len(samples), round(_FRAME * rate))
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    return _decibels(float(np.percentile(np.einsum("ij,ij->i", frames, frames) / step, _FLOOR)))


def _bandwidth(samples: NDArray[np.float32], rate: int) -> float:
    spectrum = sum(_spectra(samples), np.zeros(_WINDOW // 2 + 1))
    heard = np.flatnonzero(spectrum > _BELOW * spectrum.max())
    return float(heard[-1]) * rate / _WINDOW if len(heard) else 0.0


def _spectra(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """Sums of power spectra, block by block."""
    padded = samples if len(samples) >= _WINDOW else np.pad(samples, (0, _WINDOW - len(samples)))
    windows = sliding_window_view(padded, _WINDOW)[::_WINDOW]
    taper = np.hanning(_WINDOW).astype(np.float32)
    for at in range(0, len(windows), _BLOCK):
        values = np.fft.rfft(windows[at : at + _BLOCK] * taper, axis=1)
        yield (values.real**2 + values.imag**2).sum(axis=0, dtype=np.float64)
