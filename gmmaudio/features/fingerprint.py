"""A fingerprint: the peaks of a clip's spectrogram, by which a copy is known again under another codec, gain or rate.

Where the loudest points of a spectrogram lie, in time and in frequency, survives what changes almost every sample:
lossy coding, a gain, another sample rate, a cut at either end. How high they are is not kept, so a gain changes
nothing. All clips are looked at at one low rate, so that resampled copies meet.

References
----------
Wang, "An industrial-strength audio search algorithm", ISMIR 2003: peaks, hashes of pairs of them, one offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gmmaudio.errors import DataError

RATE = 8000
"""Hz: what a fingerprint is computed at."""

HOP = 64
"""Samples from frame to frame, 8 ms: within that, a glide moves little, and so does its peak when a clip is shifted."""

STEP = 4
"""Frames in a step: pairs of peaks are hashed by their distance in steps of 32 ms."""

_WINDOW = 1024
_BINS = slice(8, 448)  # 62 to 3500 Hz: below hums, above the slope of an 8 kHz file's filter
_NEAR = (20, 10)  # frames and bins on each side within which a peak is the largest: about 40 peaks a second in noise
_QUIET = 1e-8  # of the clip's largest value: what lies 80 dB below it is not heard, and not kept by codecs
_SILENT = 1e-6  # the square of the smallest 16-bit step times the window's energy is 4e-7: no rounding noise
_BLOCK = 4096  # frames at a time, so that hours of sound need no more memory than half a minute

_FAN = 8  # partners of each peak, the next in time
_REACH = (31, 63)  # steps ahead, and bins up or down, within which they lie

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Peaks of one clip's spectrogram, in order of time.

    Parameters
    ----------
    times : (n,) int32 array
        The frame of each peak.
    bins : (n,) int32 array
        Its frequency, in steps of 7.8 Hz.
    frames : int
        The length of the clip in frames of 8 ms.
    """

    times: NDArray[np.int32]
    bins: NDArray[np.int32]
    frames: int

    def __len__(self) -> int:
        return len(self.times)


NO_PEAKS = Fingerprint(np.empty(0, np.int32), np.empty(0, np.int32), 1)
"""The fingerprint of what cannot be heard; it matches nothing."""


def fingerprint(samples: Floats, rate: int) -> Fingerprint:
    """The fingerprint of a clip.

    Parameters
    ----------
    samples : (n,) float32 array
        Mono; full scale is 1.
    rate : int
        Must be 8000 Hz: let `read_clip` or `clip_from_array` resample.

    Returns
    -------
    Fingerprint
        Without peaks for digital silence.

    Raises
    ------
    DataError
        ``bad_rate``.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> loud, soft = fingerprint(noise, 8000), fingerprint(noise / 8, 8000)
    >>> loud.times.tolist() == soft.times.tolist(), loud.bins.tolist() == soft.bins.tolist()
    (True, True)
    >>> len(fingerprint(np.zeros(16000, np.float32), 8000))
    0
    """
    if rate != RATE:
        raise DataError("bad_rate", f"a fingerprint is computed at {RATE} Hz, not at {rate} Hz", "resample the clip")
    edge = np.zeros(_WINDOW // 2, np.float32)
    windows = sliding_window_view(np.concatenate([edge, samples, edge]), _WINDOW)[::HOP]
    found = [_peaks(windows, first) for first in range(0, len(windows), _BLOCK)]
    times, bins, powers = (np.concatenate(column) for column in zip(*found, strict=True))
    kept = powers > max(_SILENT, _QUIET * float(powers.max(initial=0.0)))
    return Fingerprint(times[kept].astype(np.int32), bins[kept].astype(np.int32), len(windows))


def _peaks(windows: Floats, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Time, bin and power of the peaks in one block of frames, which are looked at with their neighbours."""
    start, stop = max(0, first - _NEAR[0]), min(len(windows), first + _BLOCK)
    taper = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(windows[start : stop + _NEAR[0]] * taper, axis=1)[:, _BINS]
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    largest = _running_maximum(_running_maximum(power, _NEAR[0]).T, _NEAR[1]).T
    inside = slice(first - start, stop - start)
    times, bins = np.nonzero((power == largest)[inside] & (power[inside] > _SILENT))
    return times + first, bins, power[inside][times, bins]


def _running_maximum(values: Floats, reach: int) -> Floats:
    """The largest of each row and the ``reach`` rows before and after it, in log2 steps."""
    margin = np.zeros((reach, values.shape[1]), values.dtype)
    result, width = np.concatenate([margin, values, margin]), 1
    while width < 2 * reach + 1:
        step = min(width, 2 * reach + 1 - width)
        result = np.maximum(result[:-step], result[step:])
        width += step
    return result


def pair_hashes(peaks: Fingerprint) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """A number for each peak and each of up to 8 that follow: both frequencies and the time between them.

    Copies share such numbers, wherever the copy begins, and the times at which they stand differ by one offset.

    Parameters
    ----------
    peaks : Fingerprint

    Returns
    -------
    hashes : (m,) uint32 array
        Bin of the first peak (9 bits), step to the bin of the second (7 bits), steps between (5 bits).
    times : (m,) int32 array
        The step of the first peak.

    Examples
    --------
    >>> two = Fingerprint(np.array([13, 20], np.int32), np.array([100, 90], np.int32), 40)
    >>> hashes, times = pair_hashes(two)
    >>> divmod(int(hashes[0]), 32), times.tolist()   # (100 * 128 + 64 - 10), 2 steps
    ((12854, 2), [3])
    """
    times, bins = peaks.times // STEP, peaks.bins
    partners = np.zeros(len(peaks), np.int64)
    hashes, starts = [np.empty(0, np.uint32)], [np.empty(0, np.int32)]
    for step in range(1, len(peaks)):
        ahead, up = times[step:] - times[:-step], bins[step:] - bins[:-step]
        if ahead.min() > _REACH[0]:
            break
        taken = (ahead > 0) & (ahead <= _REACH[0]) & (np.abs(up) <= _REACH[1]) & (partners[:-step] < _FAN)
        at = np.flatnonzero(taken)
        partners[at] += 1
        hashes.append((((bins[at] * 128 + up[at] + 64) * 32) + ahead[at]).astype(np.uint32))
        starts.append(times[at])
    return np.concatenate(hashes), np.concatenate(starts)
