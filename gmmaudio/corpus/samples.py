"""What the samples of a clip are like, and what follows: an error, a warning, or nothing.

Traits are measured block by block and added, so that hours of sound need no more memory than one block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.limits import Limits
from gmmaudio.errors import ClipError

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

FULL_SCALES = {"u1": 2**7, "i2": 2**15, "i4": 2**31}
"""Of the types of integer samples, in either byte order."""

_NEGLIGIBLE = np.float32(1e-15)  # squares of what is smaller are subnormal, and slow
_SILENT = 1e-7  # below the smallest step of 24-bit audio
_FULL_SCALE = 0.99  # 127/128, the largest 8-bit sample, counts as well
_MOST_CLIPPED = 0.01
_CANCELLED = 0.01  # 20 dB lost in mixing down; 64 channels of which one sounds lose 18


@dataclass(frozen=True)
class ClipWarning:
    """Something odd about a clip that can still be used: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, eq=False)
class Traits:
    """Sums over the samples seen so far; ``+`` appends what comes later.

    Parameters
    ----------
    frames : int
        Samples per channel.
    low, high : float
        Smallest and largest finite sample.
    flat : int
        Samples at full scale that repeat the one before: the tops that clipping cuts off.
    bad : int
        Samples that are NaN or infinite.
    first_bad : int
        Frame of the first of them; ``frames`` where there is none.
    energy : (channels,) float64 array
        Sum of squares per channel.
    mixed : float
        Sum of squares of the mix.
    """

    frames: int
    low: float
    high: float
    flat: int
    bad: int
    first_bad: int
    energy: NDArray[np.float64]
    mixed: float

    def __add__(self, later: Traits) -> Traits:
        return Traits(
            self.frames + later.frames,
            min(self.low, later.low),
            max(self.high, later.high),
            self.flat + later.flat,
            self.bad + later.bad,
            self.first_bad if self.bad else self.frames + later.first_bad,
            self.energy + later.energy,
            self.mixed + later.mixed,
        )

    @property
    def peak(self) -> float:
        """The largest absolute sample."""
        return max(self.high, -self.low)

    @property
    def cancelled(self) -> bool:
        """Whether the channels, mixed, wipe each other out."""
        return self.mixed < _CANCELLED * float(self.energy.mean())

    @property
    def louder(self) -> int:
        """The channel with the most energy."""
        return int(self.energy.argmax())


def nothing(channels: int) -> Traits:
    """The traits of no samples at all: the identity of ``+``."""
    return Traits(0, math.inf, -math.inf, 0, 0, 0, np.zeros(channels), 0.0)


def flush(block: NDArray[np.float32]) -> None:
    """Set samples below 1e-15 (-300 dB) to 0, in place: their squares would be subnormal, and slow.

    Parameters
    ----------
    block : (n, channels) float32 array
        Changed.

    Examples
    --------
    >>> block = np.array([[1e-40], [0.5]], np.float32)
    >>> flush(block)
    >>> block.ravel().tolist()
    [0.0, 0.5]
    """
    block[np.abs(block) < _NEGLIGIBLE] = 0.0


def mix(block: NDArray[np.float32], channel: int | None = None) -> NDArray[np.float32]:
    """One channel from many: their mean in float32, for stereo (L + R) / 2.

    Parameters
    ----------
    block : (n, channels) float32 array
        Left unchanged.
    channel : int, optional
        Take this channel instead of the mean.

    Returns
    -------
    (n,) float32 array
        Contiguous, and new: whoever gets it may keep it.

    Examples
    --------
    >>> mix(np.array([[0.5, 0.25], [1.0, -1.0]], np.float32)).tolist()
    [0.375, 0.0]
    """
    channels = block.shape[1]
    if channels == 1 or channel is not None:
        return block[:, channel or 0].copy()
    mono = block[:, 0] + block[:, 1]
    for other in range(2, channels):
        mono += block[:, other]
    mono /= np.float32(channels)
    return mono


def measure(block: NDArray[np.float32], mono: NDArray[np.float32]) -> Traits:
    """The traits of one block and its mix.

    Parameters
    ----------
    block : (n, channels) float32 array
        At least one frame.
    mono : (n,) float32 array
        What ``mix`` made of it.

    Returns
    -------
    Traits
    """
    low, high = float(block.min()), float(block.max())
    if not math.isfinite(high - low):
        return _broken(block)
    flat = _flat(block) if max(high, -low) >= _FULL_SCALE else 0
    energy = np.array([np.einsum("i,i", channel, channel) for channel in block.T], np.float64)
    mixed = float(np.einsum("i,i", mono, mono)) if len(energy) > 1 else float(energy[0])
    return Traits(len(block), low, high, flat, 0, len(block), energy, mixed)


def refuse_broken(traits: Traits, name: str, limits: Limits) -> None:
    """Raise a ClipError for samples that no model can score.

    Parameters
    ----------
    traits : Traits
        Of the whole clip.
    name : str
        What the message calls the clip.
    limits : Limits
        Where the largest allowed sample is stated.

    Raises
    ------
    ClipError
        ``empty_audio``, ``non_finite`` or ``out_of_range``.
    """
    if traits.frames == 0:
        raise ClipError("empty_audio", f"{name}: it holds no samples", "was the recording stopped at once?")
    if traits.bad:
        raise ClipError(
            "non_finite",
            f"{name}: {traits.bad} samples are NaN or infinite, the first at frame {traits.first_bad}",
            "export the clip again, as 16-bit integers",
        )
    if traits.peak > limits.peak:
        raise ClipError(
            "out_of_range",
            f"{name}: the largest sample is {traits.peak:.3g}, where full scale is 1; {limits.peak:g} is allowed",
            "divide floating-point samples by their full scale",
        )


def oddities(traits: Traits) -> tuple[ClipWarning, ...]:
    """Warnings about a clip that can be used: phase_cancelled, clipped, silence.

    Parameters
    ----------
    traits : Traits
        Of the whole clip, at least one frame.

    Returns
    -------
    tuple of ClipWarning
    """
    found = []
    if traits.cancelled:
        text = f"mixed, the channels cancel each other; channel {traits.louder + 1}, the loudest, is used alone"
        found.append(ClipWarning("phase_cancelled", text))
    clipped = traits.flat / (traits.frames * len(traits.energy))
    if clipped > _MOST_CLIPPED:
        found.append(ClipWarning("clipped", f"{100 * clipped:.1f} % of the samples are cut off at full scale"))
    if traits.high - traits.low < _SILENT:
        found.append(ClipWarning("silence", f"nothing but silence: all samples equal {traits.high:.3g}"))
    return tuple(found)


def hashed(blocks: Iterable[NDArray[np.float32]], digest: Hash) -> Iterator[NDArray[np.float32]]:
    """Pass blocks on, and add each to a digest: in the end it is the `sample_hash` of all.

    Parameters
    ----------
    blocks : iterable of (n,) float32 arrays
    digest : hash object
        ``hashlib.sha256()``; updated.

    Examples
    --------
    >>> digest, silence = sha256(), np.zeros(4, np.float32)
    >>> [len(block) for block in hashed([silence[:3], silence[3:]], digest)]
    [3, 1]
    >>> digest.hexdigest() == sample_hash(silence)
    True
    """
    for block in blocks:
        digest.update(np.ascontiguousarray(block, dtype="<f4").data)
        yield block


def scaled(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """A float32 copy, integers divided by their full scale (see FULL_SCALES); uint8 is centred first.

    Examples
    --------
    >>> scaled(np.array([-32768, 16384], np.int16)).tolist()
    [-1.0, 0.5]
    """
    scale = np.float32(1 / FULL_SCALES.get(array.dtype.str[1:], 1))
    middle = np.float32(128 if array.dtype == np.uint8 else 0)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as that
        return (array.astype(np.float32) - middle) * scale


def sample_hash(samples: NDArray[np.float32]) -> str:
    """SHA-256 of samples as little-endian float32: equal exactly when the audio is.

    Parameters
    ----------
    samples : (n,) float32 array
        A clip's samples.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> sample_hash(np.zeros(0, np.float32))[:16]
    'e3b0c44298fc1c14'
    """
    return sha256(np.ascontiguousarray(samples, dtype="<f4").data).hexdigest()


def _flat(block: NDArray[np.float32]) -> int:
    return int(np.count_nonzero((np.abs(block[1:]) >= _FULL_SCALE) & (block[1:] == block[:-1])))


def _broken(block: NDArray[np.float32]) -> Traits:
    bad = ~np.isfinite(block)
    first = int(bad.any(axis=1).argmax())
    return Traits(len(block), 0.0, 0.0, 0, int(np.count_nonzero(bad)), first, np.zeros(block.shape[1]), 0.0)
