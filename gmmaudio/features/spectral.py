"""What a spectrum looks like, frame by frame: brightness, noisiness, change, loudness, contrast, harmony.

Each feature comes from the spectra that the MFCC are made from: one FFT for both. Digital silence gives 0 throughout,
and a flatness of 1.

References
----------
Tzanetakis and Cook (2002), Musical genre classification of audio signals (centroid, roll-off, flux, zero crossings).
Jiang, Lu, Zhang, Tao and Cai (2002), Music type classification by spectral contrast feature.
Fujishima (1999), Realtime chord recognition of musical sound (chroma).  Ellis (2007), Chroma feature analysis and
synthesis (smooth chroma filters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from gmmaudio.errors import DataError
from gmmaudio.features.chroma import PITCHES, chroma_filters
from gmmaudio.features.spectrum import Floats, Framing, Real, Spectra

FLOOR = np.float32(1e-10)  # of power in flatness, of magnitude in contrast: librosa's
TINY = np.float32(1e-20)  # keeps a division by nothing at 0
QUIET = np.float32(1e-10)  # samples nearer to 0 count as 0 where signs are compared: librosa's


@dataclass(frozen=True)
class Spectral:
    """Which features of the spectrum, in the order wanted, and their settings.

    Parameters
    ----------
    features : tuple of str, default all of these
        "centroid", "bandwidth", "rolloff": Hz. "flux": squared distance between this and the frame before, their
        magnitudes brought to length 1: from 0 to 2. "flatness": geometric by arithmetic mean of the power: from 0 (a
        tone) to 1 (white). "zero_crossings": sign changes per sample. "rms": full scale is 1. "contrast": dB between
        the peaks and valleys of each octave (``bands`` + 1 values). "chroma": the share of the twelve pitch classes
        from C, the loudest being 1.
    rolloff : float, default 0.85
        The share of the magnitude that lies below the roll-off.
    bands : int, default 6
        Octaves of the contrast above ``lowest``; below it lies one more band, and the last one goes on to half the
        rate.
    lowest : float, default 200
        Hz.
    quantile : float, default 0.02
        The share of a band's bins that make its peak, and its valley.

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> Spectral().dimension
    26
    >>> Spectral(features=("centroid", "chroma")).dimension
    13
    """

    features: tuple[str, ...] = (
        "centroid",
        "bandwidth",
        "rolloff",
        "flux",
        "flatness",
        "zero_crossings",
        "rms",
        "contrast",
        "chroma",
    )
    rolloff: float = 0.85
    bands: int = 6
    lowest: float = 200.0
    quantile: float = 0.02

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown or not self.features or len(set(self.features)) < len(self.features):
            message = f"spectral features {', '.join(self.features)}; each at most once of {', '.join(FEATURES)}"
            raise DataError("bad_setting", message)
        if not (0 < self.rolloff <= 1 and 0 < self.quantile <= 0.5):
            raise DataError("bad_setting", f"rolloff {self.rolloff}, quantile {self.quantile}; up to 1, up to 0.5")
        if not (1 <= self.bands <= 12 and 20 <= self.lowest <= 20000):
            raise DataError("bad_setting", f"bands {self.bands}, lowest {self.lowest}; 1 to 12, 20 to 20000 Hz")

    @property
    def dimension(self) -> int:
        widths = {"contrast": self.bands + 1, "chroma": PITCHES}
        return sum(widths.get(name, 1) for name in self.features)

    def check(self, framing: Framing) -> None:
        """Raise ``bad_setting`` where the spectra are too coarse, or end too low, for the contrast's bands."""
        if "contrast" in self.features:
            band_slices(framing.frequencies, self.lowest, self.bands)

    def start(self, framing: Framing) -> Callable[[Spectra], Real]:
        """From spectra to features (n, dimension); the flux remembers the frame before."""
        tables = _tables(self, framing)
        before: Real | None = None

        def rows(part: Spectra) -> Real:
            nonlocal before
            magnitude = np.sqrt(part.power)
            magnitude *= np.float32(1 / framing.scale)
            sound = Sound(part.samples, magnitude, magnitude[:1] if before is None else before)
            before = magnitude[-1:].copy()
            return np.concatenate([FEATURES[name](sound, tables) for name in self.features], axis=1)

        return rows

    def finish(self, rows: Real, energy: Real) -> Real:  # noqa: ARG002 - extractors all get the energies
        """The features are what they are."""
        return rows


def band_slices(frequencies: Floats, lowest: float, bands: int) -> list[tuple[slice, int]]:
    """The bins of each band of the contrast, and their number as librosa counts them (with both edges).

    A band begins with the bin before its first frequency and ends before its last, so that neighbours share no bin.
    """
    edges = [0.0, *(lowest * 2.0**octave for octave in range(bands)), np.inf]
    found = []
    for k, (low, high) in enumerate(pairwise(edges)):
        first = int(np.searchsorted(frequencies, low)) - (k > 0)
        last = int(np.searchsorted(frequencies, high, side="right"))
        stop = last if k == bands else last - 1
        if stop <= first or low >= frequencies[-1]:
            raise DataError(
                "bad_setting",
                f"spectral contrast: too few bins between {low:g} and {high:g} Hz; "
                f"they are {frequencies[1]:.1f} Hz apart and end at {frequencies[-1]:g} Hz",
                "take fewer bands, a higher lowest or a longer FFT",
            )
        found.append((slice(first, stop), last - first))
    return found


# --- the features ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sound:
    """A block of frames (n, width), their magnitudes (n, bins) at full scale 1, those of the frame before (1, bins)."""

    samples: Real
    magnitude: Real
    before: Real


@dataclass(frozen=True, eq=False)
class Tables:
    """What depends on the settings only."""

    frequencies: Real
    rolloff: np.float32
    bands: list[tuple[slice, int]]  # bins, and how many of them make a peak or a valley
    chroma: Real  # (bins, 12)


@lru_cache(maxsize=16)
def _tables(s: Spectral, framing: Framing) -> Tables:
    bands = band_slices(framing.frequencies, s.lowest, s.bands) if "contrast" in s.features else []
    return Tables(
        framing.frequencies.astype(np.float32),
        np.float32(s.rolloff),
        [(bins, max(1, round(s.quantile * count))) for bins, count in bands],
        np.ascontiguousarray(chroma_filters(framing.rate, framing.n_fft).T, dtype=np.float32),
    )


def centroid(sound: Sound, tables: Tables) -> Real:
    """The mean frequency, weighted by magnitude."""
    total = sound.magnitude.sum(axis=1, keepdims=True)
    found: Real = (sound.magnitude @ tables.frequencies)[:, None] / np.maximum(total, TINY)
    return found


def bandwidth(sound: Sound, tables: Tables) -> Real:
    """The standard deviation around the centroid, weighted by magnitude."""
    away = tables.frequencies - centroid(sound, tables)
    np.square(away, out=away)
    total = sound.magnitude.sum(axis=1)
    found: Real = np.sqrt(np.einsum("ij,ij->i", away, sound.magnitude) / np.maximum(total, TINY))
    return found[:, None]


def rolloff(sound: Sound, tables: Tables) -> Real:
    """The lowest frequency up to which the given share of the magnitude lies."""
    running = np.cumsum(sound.magnitude, axis=1)
    below = np.count_nonzero(running < tables.rolloff * running[:, -1:], axis=1)
    return np.asarray(tables.frequencies[below])[:, None]


def flux(sound: Sound, tables: Tables) -> Real:  # noqa: ARG001
    """The squared distance to the frame before, both of length 1 (Tzanetakis and Cook 2002, section II-A)."""
    both = np.concatenate([sound.before, sound.magnitude])
    both /= np.maximum(np.sqrt(np.einsum("ij,ij->i", both, both)), TINY)[:, None]
    step = both[1:] - both[:-1]
    return np.asarray(np.einsum("ij,ij->i", step, step))[:, None]


def flatness(sound: Sound, tables: Tables) -> Real:  # noqa: ARG001
    """The geometric by the arithmetic mean of the power."""
    power = np.maximum(np.square(sound.magnitude), FLOOR)
    arithmetic = power.mean(axis=1, keepdims=True)
    found: Real = np.exp(np.log(power, out=power).mean(axis=1, keepdims=True)) / arithmetic
    return found


def zero_crossings(sound: Sound, tables: Tables) -> Real:  # noqa: ARG001
    """Changes of sign per sample; 0 counts as positive."""
    below = sound.samples < -QUIET
    changes = np.count_nonzero(below[:, 1:] != below[:, :-1], axis=1)
    return np.asarray(changes / below.shape[1], dtype=np.float32)[:, None]


def rms(sound: Sound, tables: Tables) -> Real:  # noqa: ARG001
    """The root of the mean square of the samples."""
    squares = np.einsum("ij,ij->i", sound.samples, sound.samples)
    return np.asarray(np.sqrt(squares / np.float32(sound.samples.shape[1])))[:, None]


def contrast(sound: Sound, tables: Tables) -> Real:
    """10 log10 of the mean of a band's largest by that of its smallest magnitudes (n, bands + 1)."""
    columns = []
    for bins, count in tables.bands:
        band = sound.magnitude[:, bins]
        last = band.shape[1] - 1
        band = np.partition(band, sorted({min(count - 1, last), max(last + 1 - count, 0)}), axis=1)
        peak, valley = band[:, -count:].mean(axis=1), band[:, :count].mean(axis=1)
        columns.append(10 * np.log10(np.maximum(peak, FLOOR) / np.maximum(valley, FLOOR)))
    return np.stack(columns, axis=1)


def chroma(sound: Sound, tables: Tables) -> Real:
    """The power of each pitch class, the loudest being 1 (n, 12)."""
    found = np.square(sound.magnitude) @ tables.chroma
    found /= np.maximum(found.max(axis=1, keepdims=True), TINY)
    return found


FEATURES: dict[str, Callable[[Sound, Tables], Real]] = {
    "centroid": centroid,
    "bandwidth": bandwidth,
    "rolloff": rolloff,
    "flux": flux,
    "flatness": flatness,
    "zero_crossings": zero_crossings,
    "rms": rms,
    "contrast": contrast,
    "chroma": chroma,
}
