"""From samples to power spectra, in blocks: the one pass that MFCC and the spectral features share.

Per frame: scale, remove the mean, pre-emphasise, multiply by the window, real FFT, squared magnitude. Blocks hold a
fixed number of frames counted from the start of the clip, whatever pieces the samples come in; so a stream gives the
same bits as the whole clip. A frame depends on its own samples only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Real = NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.float64)
Weigh = Callable[[Floats, Floats, Floats], None]
"""From a block's samples and its frames' means to weighted frames (n, width)."""

INT16 = 32768.0
ENERGY_FLOOR = np.finfo(np.float32).eps  # Kaldi's
CACHED = 65536  # samples in a block's spectra: what stays in the second-level cache


@dataclass(frozen=True)
class Framing:
    """How samples become frames, and frames spectra.

    Parameters
    ----------
    rate : int
        Hz.
    width, hop, n_fft : int
        Samples of a frame, from one frame to the next, and of the FFT (even, at least ``width``; zeros fill up).
    shape : str
        A name of ``WINDOWS``.
    periodic : bool
        Whether the window is one period (its last sample is left out) or symmetric.
    scale : float
        What full scale becomes: 32768 or 1.
    remove_mean : bool
        Per frame.
    preemphasis : float
        Per frame: x[i] - preemphasis x[i-1], the first sample standing in for the one before it.
    centred : bool
        Frame t is centred at sample t hop, zeros around the clip (librosa); else only whole frames count (Kaldi).
    """

    rate: int
    width: int
    hop: int
    n_fft: int
    shape: str
    periodic: bool
    scale: float
    remove_mean: bool
    preemphasis: float
    centred: bool

    def frames(self, samples: int) -> int:
        """The number of frames in so many samples."""
        if self.centred:
            return 1 + samples // self.hop
        return max(0, 1 + (samples - self.width) // self.hop)

    @property
    def frequencies(self) -> Floats:
        """Of the bins, in Hz (n_fft/2 + 1,)."""
        return np.arange(self.n_fft // 2 + 1, dtype=np.float64) * (self.rate / self.n_fft)

    @property
    def lead(self) -> int:
        """Zeros in front of the clip."""
        return self.n_fft // 2 - (self.n_fft - self.width) // 2 if self.centred else 0

    @property
    def block(self) -> int:
        """Frames per block."""
        return max(8, CACHED // self.n_fft)


@dataclass(frozen=True, eq=False)
class Spectra:
    """One block of frames and their spectra: scratch that the next block overwrites.

    Parameters
    ----------
    samples : (n, width) float32
        The frames as they came, full scale 1. A view: not to be changed.
    power : (n, n_fft/2 + 1) float32
        Squared magnitude, on the scale of ``Framing.scale``.
    energy : (n,) float32
        Natural logarithm of the sum of squares, the mean removed, on the scale of 16-bit integers whatever the
        framing's scale: one threshold serves all.
    """

    samples: Real
    power: Real
    energy: Real


def spectra(framing: Framing, blocks: Iterable[Real]) -> Iterator[Spectra]:
    """The spectra of mono samples that come in pieces of any size.

    The transform is taken in float64, where numpy's is faster and steadier; what it gives is kept in float32.
    """
    width, bins, most = framing.width, framing.n_fft // 2 + 1, framing.block
    weigh = _sharpened(framing) if framing.preemphasis or framing.remove_mean else _plain(framing)
    # Scratch, used again and again: fresh arrays would cost more than the arithmetic.
    padded, spectrum = np.zeros((most, framing.n_fft)), np.empty((most, bins), np.complex64)
    powers = np.empty((most, bins), np.float32)
    for samples, n in pieces(framing, blocks):
        wide = samples.astype(np.float64)
        means = np.einsum("ij->i", _frames(wide, framing, n)) / width
        squares = np.einsum("ij->i", _frames(np.square(wide), framing, n))
        energy = np.log(np.maximum((squares - width * np.square(means)) * INT16**2, ENERGY_FLOOR))
        weigh(wide, means, padded[:n, :width])
        np.fft.rfft(padded[:n], out=spectrum[:n])  # type: ignore[arg-type] # numpy's stubs know complex128 only
        power = np.abs(spectrum[:n], out=powers[:n])
        np.square(power, out=power)
        yield Spectra(_frames(samples, framing, n), power, energy.astype(np.float32))


def _plain(framing: Framing) -> Weigh:
    """Frames times the window."""
    window = window_of(framing.shape, framing.width, framing.periodic) * framing.scale

    def weigh(wide: Floats, _: Floats, out: Floats) -> None:
        np.multiply(_frames(wide, framing, len(out)), window, out=out)

    return weigh


def _sharpened(framing: Framing) -> Weigh:
    """Frames without their mean, pre-emphasised, times the window.

    All three are linear: the samples are pre-emphasised once, not once for each frame that they lie in, and each
    frame's first one, which stands in for the one before it, and its mean are put right afterwards. Half the time
    goes without float64, which here would add nothing to what Kaldi computes.
    """
    window = (window_of(framing.shape, framing.width, framing.periodic) * framing.scale).astype(np.float32)
    scratch = np.empty((framing.block, framing.width), np.float32)
    a, rest = framing.preemphasis, 1 - framing.preemphasis

    def weigh(wide: Floats, means: Floats, out: Floats) -> None:
        n = len(out)
        offset = means if framing.remove_mean else np.zeros(n)
        sharp = wide.astype(np.float32)
        sharp[1:] = wide[1:] - a * wide[:-1]
        frames = np.subtract(_frames(sharp, framing, n), (rest * offset).astype(np.float32)[:, None], out=scratch[:n])
        frames[:, 0] = rest * (wide[:: framing.hop][:n] - offset)
        frames *= window
        out[:] = frames

    return weigh


def _frames(samples: NDArray[Number], framing: Framing, n: int) -> NDArray[Number]:
    """A view (n, width) of contiguous samples; sliding_window_view takes as long as the arithmetic."""
    step = samples.itemsize
    return np.ndarray((n, framing.width), samples.dtype, samples, strides=(framing.hop * step, step))


def pieces(framing: Framing, blocks: Iterable[Real]) -> Iterator[tuple[Real, int]]:
    """The samples of ``framing.block`` frames at a time and the number of frames; the last may be fewer."""
    step = framing.block * framing.hop
    need = max(step, step - framing.hop + framing.width)
    parts, waiting, total, done = [np.zeros(framing.lead, np.float32)], framing.lead, 0, 0
    for block in blocks:
        parts.append(block)
        total, waiting = total + len(block), waiting + len(block)
        if waiting >= need:
            held = _joined(parts)
            while len(held) >= need:
                yield held[:need], framing.block
                held, done = held[step:], done + framing.block
            parts, waiting = [held], len(held)
    left = framing.frames(total) - done
    held = _joined(parts)
    short = (left - 1) * framing.hop + framing.width - len(held)
    held = np.pad(held, (0, max(0, short)))  # zeros behind the clip, where frames are centred
    for start in range(0, left, framing.block):
        yield held[start * framing.hop :], min(framing.block, left - start)


def _joined(parts: list[Real]) -> Real:
    full = [part for part in parts if len(part)]
    if not full:
        return np.empty(0, np.float32)
    return np.ascontiguousarray(full[0] if len(full) == 1 else np.concatenate(full), dtype=np.float32)


# --- windows ---------------------------------------------------------------------------------------------------------


def _hann(phase: Floats) -> Floats:
    return 0.5 - 0.5 * np.cos(phase)


def _povey(phase: Floats) -> Floats:
    return _hann(phase) ** 0.85


def _hamming(phase: Floats) -> Floats:
    return 0.54 - 0.46 * np.cos(phase)


def _blackman(phase: Floats) -> Floats:
    return 0.42 - 0.5 * np.cos(phase) + 0.08 * np.cos(2 * phase)


def _rectangular(phase: Floats) -> Floats:
    return np.ones_like(phase)


WINDOWS = {"povey": _povey, "hann": _hann, "hamming": _hamming, "blackman": _blackman, "rectangular": _rectangular}


@lru_cache(maxsize=16)
def window_of(shape: str, width: int, periodic: bool) -> Floats:
    """A window (width,) by name; its phase runs through one turn.

    Examples
    --------
    >>> window_of("hann", 4, True).round(6).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    turn = width if periodic else width - 1
    window = WINDOWS[shape](2 * np.pi * np.arange(width) / turn)
    window.flags.writeable = False
    return window
