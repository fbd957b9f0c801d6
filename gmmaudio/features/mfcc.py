"""Mel-frequency cepstral coefficients by Kaldi's definition, as one blocked float32 kernel.

Per frame: remove the mean, pre-emphasise, multiply by the window, power spectrum, triangular mel filters, natural
logarithm, discrete cosine transform, lifter. A frame depends on its own samples only: there is no floor that looks
at the rest of the clip, so a stream gives the same frames as the whole.

The first three steps are linear in the samples of a frame, and so is the cepstral end; only the spectrum between
them needs a loop over blocks, kept small enough to stay within the cache.

References
----------
Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word recognition.
Young et al., The HTK Book (mel scale, lifter).  Povey et al. (2011), The Kaldi speech recognition toolkit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.corpus.audio import clip_from_array
from gmmaudio.errors import ClipError, DataError
from gmmaudio.parallel import one_blas_thread

Floats = NDArray[np.float64]
Real = NDArray[np.float32]

BLOCK = 64  # frames per block
LOG_FLOOR = float(np.finfo(np.float32).eps)  # Kaldi's floor of a mel energy
MIN_RATE, MAX_RATE = 4000, 384_000
MIN_HOP, MAX_WINDOW = 0.001, 1.0  # seconds
MAX_MELS = 512
INT16 = 32768.0  # Kaldi's definition is on the scale of 16-bit integers

Window = Literal["povey", "hamming", "hann"]


@dataclass(frozen=True)
class Mfcc:
    """Every choice that makes an MFCC, with Kaldi's values as the defaults.

    Parameters
    ----------
    rate : int, default 16000
        Sampling rate in Hz that clips are brought to.
    window, hop : float, default 0.025 and 0.010
        Length and spacing of frames in seconds. Only whole frames count (Kaldi's "snip edges").
    n_mfcc : int, default 13
        Coefficients kept, c0 included.
    n_mels : int, default 40
        Triangular filters, evenly spaced in mel.
    low, high : float, default 20 and 0
        Edges of the filters in Hz; a ``high`` of 0 or less counts from half the rate.
    preemphasis : float, default 0.97
    shape : "povey", "hamming" or "hann", default "povey"
        The window's shape, symmetric.
    lifter : float, default 22
        Coefficient n is multiplied by 1 + lifter/2 sin(pi n / lifter); 0 leaves them as they are.
    energy : bool, default False
        Put the frame's log energy in the place of c0.
    """

    rate: int = 16000
    window: float = 0.025
    hop: float = 0.010
    n_mfcc: int = 13
    n_mels: int = 40
    low: float = 20.0
    high: float = 0.0
    preemphasis: float = 0.97
    shape: Window = "povey"
    lifter: float = 22.0
    energy: bool = False

    def __post_init__(self) -> None:
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise DataError("bad_setting", f"a rate of {self.rate} Hz; allowed are {MIN_RATE} to {MAX_RATE}")
        if not MIN_HOP <= self.hop <= MAX_WINDOW:
            raise DataError("bad_setting", f"a hop of {self.hop} s; {MIN_HOP} to {MAX_WINDOW} s are allowed")
        if not (0 < self.window <= MAX_WINDOW and self.window_samples >= 2):
            raise DataError("bad_setting", f"a window of {self.window} s; from two samples to {MAX_WINDOW} s")
        if not 1 <= self.n_mfcc <= self.n_mels <= MAX_MELS:
            raise DataError(
                "bad_setting",
                f"n_mfcc {self.n_mfcc} of n_mels {self.n_mels}; 1 <= n_mfcc <= n_mels <= {MAX_MELS}",
            )
        if not 0 <= self.low < self.top <= self.rate / 2:
            raise DataError(
                "bad_setting",
                f"mel filters from {self.low} to {self.top} Hz at a rate of {self.rate} Hz",
                f"0 <= low < high <= {self.rate / 2}",
            )
        if not (-1 <= self.preemphasis <= 1 and 0 <= self.lifter <= 1000):
            raise DataError("bad_setting", f"preemphasis {self.preemphasis}, lifter {self.lifter}; -1 to 1, 0 to 1000")
        if self.shape not in WINDOWS:
            raise DataError("bad_setting", f"window shape {self.shape!r}, allowed are {', '.join(sorted(WINDOWS))}")

    @property
    def window_samples(self) -> int:
        return round(self.window * self.rate)

    @property
    def hop_samples(self) -> int:
        return round(self.hop * self.rate)

    @property
    def top(self) -> float:
        """The upper edge of the filters in Hz."""
        return self.high if self.high > 0 else self.rate / 2 + self.high

    @property
    def dimension(self) -> int:
        return self.n_mfcc

    def frames(self, samples: int) -> int:
        """The number of whole frames in so many samples."""
        return max(0, 1 + (samples - self.window_samples) // self.hop_samples)

    def __call__(self, samples: Real) -> tuple[Real, Real]:
        """The coefficients (n, n_mfcc) and log energies (n,) of mono samples (m,) in [-1, 1] at ``rate``."""
        return _kernel(self, np.ascontiguousarray(samples, dtype=np.float32))


def mfcc(
    samples: ArrayLike,
    rate: int,
    dialect: str = "kaldi",
    n_mfcc: int = 13,
    n_mels: int = 40,
    window: float = 0.025,
    hop: float = 0.010,
    low: float = 20.0,
    high: float = 0.0,
) -> Real:
    """Mel-frequency cepstral coefficients of one clip.

    Parameters
    ----------
    samples : (m,) real
        Mono. Floating point with full scale 1, or uint8, int16, int32 with their own full scale.
    rate : int
        Hz.
    dialect : str, default "kaldi"
        Whose definition; "kaldi" is the only one so far.
    n_mfcc, n_mels, window, hop, low, high
        As in ``Mfcc``: more coefficients or filters resolve more detail of the spectrum's envelope.

    Returns
    -------
    (frames, n_mfcc) float32

    Raises
    ------
    DataError
        ``unknown_dialect``, ``bad_setting``, ``bad_shape``.
    ClipError
        ``too_short`` (less than one window), and what ``gmmaudio.corpus.audio.clip_from_array`` raises.

    Examples
    --------
    >>> import numpy as np
    >>> mfcc(np.sin(np.arange(16000) / 5), 16000).shape
    (98, 13)
    """
    if dialect != "kaldi":
        raise DataError("unknown_dialect", f"dialect {dialect!r}, known is kaldi")
    if np.ndim(samples) != 1:
        raise DataError("bad_shape", f"samples must be mono (m,), got shape {np.shape(samples)}")
    values = clip_from_array(samples, rate).samples
    settings = Mfcc(rate=rate, n_mfcc=n_mfcc, n_mels=n_mels, window=window, hop=hop, low=low, high=high)
    check_length(settings, len(values))
    with one_blas_thread():  # the products are small: threads would cost more than they bring
        return settings(values)[0]


def check_length(settings: Mfcc, samples: int) -> None:
    """Raise ``too_short`` where not even one window fits."""
    if samples < settings.window_samples:
        need, got = 1000 * settings.window, 1000 * samples / settings.rate
        raise ClipError("too_short", f"the clip has {got:.1f} ms, one window needs {need:.1f} ms")


# --- tables ----------------------------------------------------------------------------------------------------------


def _hann(n: int) -> Floats:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / (n - 1))


def _povey(n: int) -> Floats:
    return _hann(n) ** 0.85


def _hamming(n: int) -> Floats:
    return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(n) / (n - 1))


WINDOWS = {"povey": _povey, "hann": _hann, "hamming": _hamming}


def mel(hertz: ArrayLike) -> Floats:
    """HTK's mel scale: 1127 ln(1 + f / 700)."""
    return np.asarray(1127 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700))


def filters(settings: Mfcc, n_fft: int) -> Floats:
    """Triangles (n_mels, n_fft/2 + 1), linear in mel, of unit height."""
    edges = np.linspace(float(mel(settings.low)), float(mel(settings.top)), settings.n_mels + 2)
    bins = mel(np.arange(n_fft // 2 + 1) * settings.rate / n_fft)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles: Floats = np.maximum(0, np.minimum(rising, falling))
    triangles[:, -1] = 0  # Kaldi leaves out the bin at half the rate
    return triangles


def cosines(n_mfcc: int, n_mels: int) -> Floats:
    """The orthonormal DCT-II (n_mfcc, n_mels)."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mfcc), np.arange(n_mels) + 0.5)
    scale = np.full((n_mfcc, 1), np.sqrt(2 / n_mels))
    scale[0] = np.sqrt(1 / n_mels)
    return scale * np.cos(angles)


def lifter(n_mfcc: int, q: float) -> Floats:
    """1 + q/2 sin(pi n / q), or ones where q is 0."""
    return 1 + q / 2 * np.sin(np.pi * np.arange(n_mfcc) / q) if q > 0 else np.ones(n_mfcc)


@dataclass(frozen=True, eq=False)
class _Tables:
    n_fft: int
    window: Real
    filters: Real  # (bins, n_mels)
    cepstrum: Real  # (n_mels, n_mfcc): cosines and lifter


@lru_cache(maxsize=16)
def _tables(settings: Mfcc) -> _Tables:
    n_fft = 1 << (settings.window_samples - 1).bit_length()
    cepstrum = cosines(settings.n_mfcc, settings.n_mels) * lifter(settings.n_mfcc, settings.lifter)[:, None]
    return _Tables(
        n_fft,
        WINDOWS[settings.shape](settings.window_samples).astype(np.float32),
        np.ascontiguousarray(filters(settings, n_fft).T, dtype=np.float32),
        np.ascontiguousarray(cepstrum.T, dtype=np.float32),
    )


# --- kernel ----------------------------------------------------------------------------------------------------------


def _kernel(settings: Mfcc, samples: Real) -> tuple[Real, Real]:
    n = settings.frames(len(samples))
    tables = _tables(settings)
    width = settings.window_samples
    coefficients = np.empty((n, settings.n_mfcc), np.float32)
    energies = np.empty(n, np.float32)
    if n == 0:
        return coefficients, energies
    windows = np.lib.stride_tricks.sliding_window_view(samples, width)[:: settings.hop_samples][:n]
    bins = tables.n_fft // 2 + 1
    # Scratch for one block, used again and again: fresh arrays would cost more than the arithmetic.
    frames, padded = np.empty((BLOCK, width), np.float32), np.zeros((BLOCK, tables.n_fft), np.float32)
    spectra, powers = np.empty((BLOCK, bins), np.complex64), np.empty((BLOCK, bins), np.float32)
    for start in range(0, n, BLOCK):
        block = windows[start : start + BLOCK]
        count = len(block)
        frame, windowed, spectrum, power = frames[:count], padded[:count, :width], spectra[:count], powers[:count]
        np.multiply(block, np.float32(INT16), out=frame)
        frame -= frame.mean(axis=1, keepdims=True)
        energies[start : start + count] = np.einsum("ij,ij->i", frame, frame)
        np.multiply(frame[:, :-1], np.float32(-settings.preemphasis), out=windowed[:, 1:])
        windowed[:, 1:] += frame[:, 1:]
        np.multiply(frame[:, 0], np.float32(1 - settings.preemphasis), out=windowed[:, 0])
        windowed *= tables.window
        np.fft.rfft(padded[:count], out=spectrum)  # type: ignore[arg-type] # numpy's stubs know complex128 only
        np.abs(spectrum, out=power)
        np.multiply(power, power, out=power)
        mels = power @ tables.filters
        np.log(np.maximum(mels, np.float32(LOG_FLOOR), out=mels), out=mels)
        np.matmul(mels, tables.cepstrum, out=coefficients[start : start + count])
    np.log(np.maximum(energies, np.float32(LOG_FLOOR), out=energies), out=energies)
    if settings.energy:
        coefficients[:, 0] = energies
    return coefficients, energies
