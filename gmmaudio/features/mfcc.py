"""Mel-frequency cepstral coefficients and log-mel energies: every choice by name, and the kernel.

    samples -> spectra (spectrum.py) -> mel filters -> logarithm -> discrete cosine transform -> lifter

References
----------
Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word recognition.
Young et al., The HTK Book (mel scale, lifter).  Povey et al. (2011), The Kaldi speech recognition toolkit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.extract import extract
from gmmaudio.features.mel import Norm, Scale, Triangle, cosines, filters, lifter
from gmmaudio.features.spectrum import WINDOWS, Framing, Real, Spectra

EPS = float(np.finfo(np.float32).eps)
MIN_RATE, MAX_RATE = 4000, 384_000
MIN_HOP, MAX_WINDOW = 0.001, 1.0  # seconds
MAX_FFT = 2**19
MAX_MELS = 512
MAX_LIFTER = 1000.0
LOGARITHMS = {"ln": 1.0, "db": float(10 / np.log(10))}
CHUNK = 4096  # frames whose cosine transform is taken at once

Window = Literal["povey", "hann", "hamming", "blackman", "rectangular"]


@dataclass(frozen=True)
class Mfcc:
    """Every choice that makes an MFCC, with Kaldi's values as the defaults.

    Parameters
    ----------
    rate : int, default 16000
        Sampling rate in Hz that clips are brought to.
    window, hop : float, default 0.025 and 0.010
        Length and spacing of frames in seconds. A window of 0 is as long as the FFT, a hop of 0 a quarter of the
        window.
    n_mfcc : int, default 13
        Coefficients kept, c0 included: more of them follow the spectrum's envelope more closely.
    n_mels : int, default 40
        Triangular filters, evenly spaced in mel.
    low, high : float, default 20 and 0
        Edges of the filters in Hz; a ``high`` of 0 or less counts from half the rate.
    preemphasis : float, default 0.97
        Taken per frame; 0 for none.
    shape : "povey", "hann", "hamming", "blackman" or "rectangular", default "povey"
        The window's shape.
    lifter : float, default 22
        Coefficient n is multiplied by 1 + lifter/2 sin(pi n / lifter); 0 leaves them as they are.
    energy : bool, default False
        Put the frame's log energy (mean removed, 16-bit scale) in the place of c0.
    n_fft : int, default 0
        Samples of the FFT; even. 0 takes the next power of two.
    periodic : bool, default False
        The window is one period of its shape, else symmetric.
    remove_mean : bool, default True
        Take each frame's mean away first (DC removal).
    scale : float, default 32768
        What full scale is multiplied by: Kaldi's definition is on the scale of 16-bit integers.
    mel : "htk" or "slaney", default "htk"
        The mel scale.
    triangles : "mel" or "hz", default "mel"
        In which unit the filters' flanks are straight.
    norm : "height" or "area", default "height"
        Filters of unit height, or of unit area in Hz.
    nyquist : bool, default False
        Whether the bin at half the rate counts.
    power : float, default 2
        1 for magnitudes, 2 for their squares.
    log : "ln" or "db", default "ln"
        Natural logarithm, or 10 log10.
    floor : float, default float32's epsilon
        Filter energies below it count as it. A frame's own: it does not depend on the clip.
    top_db : float, default 0
        If not 0, nothing is further below the clip's loudest filter energy than this, in the unit of ``log``. The
        only setting that lets a frame depend on the rest of its clip; only librosa's dialect has it.
    lifter_first : int, default 0
        The n of c0 in the lifter: 0 in Kaldi, 1 in librosa.
    centred : bool, default False
        Frame t is centred at t hops with zeros around the clip; else only whole frames count ("snip edges").
    output : "mfcc" or "log_mel", default "mfcc"
        Cepstra, or the ``n_mels`` log energies they are made from.

    Raises
    ------
    DataError
        ``bad_setting``.
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
    n_fft: int = 0
    periodic: bool = False
    remove_mean: bool = True
    scale: float = 32768.0
    mel: Scale = "htk"
    triangles: Triangle = "mel"
    norm: Norm = "height"
    nyquist: bool = False
    power: float = 2.0
    log: Literal["ln", "db"] = "ln"
    floor: float = EPS
    top_db: float = 0.0
    lifter_first: int = 0
    centred: bool = False
    output: Literal["mfcc", "log_mel"] = "mfcc"

    def __post_init__(self) -> None:
        _check_framing(self)
        _check_filters(self)
        _check_choices(self)

    @property
    def window_samples(self) -> int:
        return round(self.window * self.rate) or self.n_fft

    @property
    def hop_samples(self) -> int:
        return round(self.hop * self.rate) or self.window_samples // 4

    @property
    def top(self) -> float:
        """The upper edge of the filters in Hz."""
        return self.high if self.high > 0 else self.rate / 2 + self.high

    @property
    def dimension(self) -> int:
        return self.n_mels if self.output == "log_mel" else self.n_mfcc

    @property
    def framing(self) -> Framing:
        """How the samples are cut and weighted."""
        return Framing(
            self.rate,
            self.window_samples,
            self.hop_samples,
            self.n_fft or 1 << (self.window_samples - 1).bit_length(),
            self.shape,
            self.periodic,
            self.scale,
            self.remove_mean,
            self.preemphasis,
            self.centred,
        )

    def frames(self, samples: int) -> int:
        """The number of frames in so many samples."""
        return self.framing.frames(samples)

    def start(self, framing: Framing) -> Callable[[Spectra], Real]:
        """From spectra to coefficients; to log-mel energies where those are wanted, or first need the clip's floor."""
        bank, cepstrum = _tables(self, framing.n_fft)
        at_once = self.output == "mfcc" and self.top_db == 0

        def rows(part: Spectra) -> Real:
            logs = _log_mels(self, part.power, bank)
            return logs @ cepstrum if at_once else logs

        return rows

    def finish(self, rows: Real, energy: Real) -> Real:
        """The floor below the loudest, and the log energy in the place of c0."""
        if self.top_db > 0 and len(rows):
            np.maximum(rows, rows.max() - np.float32(self.top_db), out=rows)
        if self.output == "mfcc" and self.top_db > 0:
            rows = _in_chunks(rows, _tables(self, self.framing.n_fft)[1])
        if self.energy:
            rows[:, 0] = energy
        return rows

    def __call__(self, samples: Real) -> tuple[Real, Real]:
        """The values (n, dimension) and log energies (n,) of mono samples (m,) in [-1, 1] at ``rate``."""
        (values,), energy = extract(self.framing, (self,), (samples,))
        return values, energy


def check_length(settings: Mfcc, samples: int) -> None:
    """Raise ``too_short`` where not even one window fits."""
    if samples < settings.window_samples:
        need, got = 1000 * settings.window_samples / settings.rate, 1000 * samples / settings.rate
        raise ClipError("too_short", f"the clip has {got:.1f} ms, one window needs {need:.1f} ms")


# --- kernel ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _tables(m: Mfcc, n_fft: int) -> tuple[Real, Real]:
    """The filters (bins, n_mels), and cosines and lifter in one (n_mels, n_mfcc)."""
    bank = filters(m.rate, n_fft, m.n_mels, m.low, m.top, m.mel, m.triangles, m.norm, m.nyquist)
    cepstrum = cosines(m.n_mfcc, m.n_mels) * lifter(m.n_mfcc, m.lifter, m.lifter_first)[:, None]
    return np.ascontiguousarray(bank.T, dtype=np.float32), np.ascontiguousarray(cepstrum.T, dtype=np.float32)


def _log_mels(m: Mfcc, power: Real, bank: Real) -> Real:
    mels = (power if m.power == 2 else np.sqrt(power)) @ bank
    np.log(np.maximum(mels, np.float32(m.floor), out=mels), out=mels)
    if m.log != "ln":
        mels *= np.float32(LOGARITHMS[m.log])
    return mels


def _in_chunks(rows: Real, cepstrum: Real) -> Real:
    values = np.empty((len(rows), cepstrum.shape[1]), np.float32)
    for start in range(0, len(rows), CHUNK):
        np.matmul(rows[start : start + CHUNK], cepstrum, out=values[start : start + CHUNK])
    return values


# --- checks ----------------------------------------------------------------------------------------------------------


def _check_framing(m: Mfcc) -> None:
    if not MIN_RATE <= m.rate <= MAX_RATE:
        raise DataError("bad_setting", f"a rate of {m.rate} Hz; allowed are {MIN_RATE} to {MAX_RATE}")
    # A window or hop that rounds to no samples is refused: it would count as one of 0.
    if not (m.window == 0 or 2 / m.rate <= m.window <= MAX_WINDOW) or not 2 <= m.window_samples <= MAX_FFT:
        raise DataError("bad_setting", f"a window of {m.window} s; from two samples to {MAX_WINDOW} s, or 0 with n_fft")
    if not (m.hop == 0 or MIN_HOP <= m.hop <= MAX_WINDOW) or not MIN_HOP <= m.hop_samples / m.rate <= MAX_WINDOW:
        raise DataError("bad_setting", f"a hop of {m.hop} s; {MIN_HOP} to {MAX_WINDOW} s, or 0, are allowed")
    if m.n_fft and (m.n_fft % 2 or not m.window_samples <= m.n_fft <= MAX_FFT):
        raise DataError(
            "bad_setting",
            f"n_fft {m.n_fft} for a window of {m.window_samples} samples; even, as long at least, at most {MAX_FFT}",
        )


def _check_filters(m: Mfcc) -> None:
    if not 1 <= m.n_mfcc <= m.n_mels <= MAX_MELS:
        message = f"n_mfcc {m.n_mfcc} of n_mels {m.n_mels}; 1 <= n_mfcc <= n_mels <= {MAX_MELS}"
        raise DataError("bad_setting", message)
    apart = m.low < m.top * (1 - 1e-6)  # closer edges would leave no numbers between them
    if not (m.low >= 0 and apart and m.top <= m.rate / 2):
        raise DataError(
            "bad_setting",
            f"mel filters from {m.low} to {m.top} Hz at a rate of {m.rate} Hz",
            f"0 <= low < high <= {m.rate / 2}, a millionth apart at least",
        )
    spacing = m.rate / m.framing.n_fft
    if (m.low // spacing + 1) * spacing >= m.top:  # the first bin above low
        raise DataError(
            "bad_setting",
            f"mel filters from {m.low} to {m.top} Hz hold no bin of the spectrum: they are {spacing:g} Hz apart",
            "take a higher high, or a longer FFT",
        )
    if not (m.lifter == 0 or 1 <= m.lifter <= MAX_LIFTER):
        raise DataError("bad_setting", f"lifter {m.lifter}; 0, or 1 to {MAX_LIFTER:g}, are allowed")


RANGES = {
    "preemphasis": (-1.0, 1.0),
    "lifter_first": (0, 1),
    "scale": (1e-3, 1e6),
    "floor": (1e-30, 1e6),
    "top_db": (0.0, 1000.0),
}
NAMES = {
    "shape": tuple(WINDOWS),
    "mel": ("htk", "slaney"),
    "triangles": ("mel", "hz"),
    "norm": ("height", "area"),
    "power": (1.0, 2.0),
    "log": tuple(LOGARITHMS),
    "output": ("mfcc", "log_mel"),
}


def _check_choices(m: Mfcc) -> None:
    for name, (low, high) in RANGES.items():
        if not low <= getattr(m, name) <= high:
            raise DataError("bad_setting", f"{name} {getattr(m, name)}; {low:g} to {high:g} are allowed")
    for name, allowed in NAMES.items():
        if getattr(m, name) not in allowed:
            raise DataError("bad_setting", f"{name} {getattr(m, name)!r}, allowed are {', '.join(map(str, allowed))}")
    if m.energy and m.output == "log_mel":
        raise DataError("bad_setting", "energy takes the place of c0; log_mel output has none")
