"""One audio file, or one array, to one Clip: checked, decoded, mixed down, resampled.

    path -> decoder -> blocks -> mono -> resampled -> Clip

A clip that cannot be used is a ClipError with a stable code; one that can, but is odd, carries warnings. No
memory is ever allocated from a number in a header: blocks have a fixed size, and only the mono result grows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.corpus.decoder import open_recording
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.passage import Consumer, Source, joined, pass_through
from gmmaudio.corpus.recording import BLOCK, refuse_changed, regular_file
from gmmaudio.corpus.samples import FULL_SCALES, ClipWarning, hashed, sample_hash, scaled
from gmmaudio.corpus.segment import segment_of, shortfall
from gmmaudio.errors import ClipError

__all__ = [
    "Clip", "ClipWarning", "Facts", "Limits", "Reader", "clip_from_array", "hashed", "joined", "read_clip",
    "read_through", "sample_hash",
]  # fmt: skip

T = TypeVar("T")
Samples = NDArray[np.float32]

LIMITS = Limits()
_DENSEST = 5000  # frames per byte; FLAC packs 4,700 frames of silence into one


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip, ready for a front end.

    Parameters
    ----------
    samples : (n,) float32 array
        Mono; full scale is 1.
    rate : int
        Samples per second.
    path : Path or None
        Where it came from; None for an array.
    warnings : tuple of ClipWarning
        What is odd about it.
    """

    samples: Samples
    rate: int
    path: Path | None = None
    warnings: tuple[ClipWarning, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of a clip when all of it has passed.

    Parameters
    ----------
    samples : int
        How many passed, at ``rate``.
    rate : int
        Samples per second.
    warnings : tuple of ClipWarning
        What is odd about it.
    channels : int
        Of the file.
    coding : str
        Of the file: its container and coding, such as ``"WAV 16 bit"``.
    """

    samples: int
    rate: int
    warnings: tuple[ClipWarning, ...] = ()
    channels: int = 1
    coding: str = ""

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return self.samples / self.rate


class Reader(Protocol):
    """How clips are read: `read_through`, or the same from another process (`gmmaudio.corpus.isolate`)."""

    def __call__(
        self,
        path: str | os.PathLike[str],
        rate: int | None,
        consume: Consumer[T],
        start: float | None = None,
        end: float | None = None,
        limits: Limits = LIMITS,
    ) -> tuple[T, Facts]:
        """As `read_through`."""


def read_through(
    path: str | os.PathLike[str],
    rate: int | None,
    consume: Consumer[T],
    start: float | None = None,
    end: float | None = None,
    limits: Limits = LIMITS,
) -> tuple[T, Facts]:
    """Read a clip, or a segment of one, in bounded memory: block by block, into a function.

    Parameters
    ----------
    path : path
        WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, W64, RF64 or CAF; with PyAV also MP4, M4A, AAC, WMA,
        Matroska and WebM, of which the first audio stream is taken. The channels are averaged.
    rate : int or None
        Resample to this rate in Hz (soxr, quality HQ). None: the file's own.
    consume : callable
        Given an iterator of (n,) float32 blocks, finite and within ``limits.peak``, its own to keep. Called a
        second time, with the louder channel, where the channels cancel each other; and what it returned is
        dropped where the clip turns out to be broken.
    start, end : float, optional
        The segment in seconds. Default: the whole clip. What stands before it is skipped, not decoded; but
        Ogg, and what PyAV reads, is decoded from its beginning, because seeks in it are not exact.
    limits : Limits
        What is refused.

    Returns
    -------
    result
        What ``consume`` returned.
    facts : Facts
        The number of samples, and warnings: truncated, unread, segment_cut, bandwidth, phase_cancelled, clipped,
        silence.

    Raises
    ------
    ClipError
        The file: no_such_file, permission, symlink_loop, not_regular_file, empty_file, unreadable, and
        changed when it is no longer what it was. The container: not_audio, unsupported_codec, corrupt_header,
        decode_error. The limits: unsupported_rate, unsupported_channels, too_long, out_of_range_segment. The
        signal: empty_audio, non_finite, out_of_range. Then what ``consume`` raises.

    Examples
    --------
    >>> import soundfile
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/a.wav", np.sin(np.arange(8000)) / 2, 8000)
    ...     loudest, facts = read_through(f"{folder}/a.wav", 8000, lambda blocks: max(b.max() for b in blocks))
    >>> round(float(loudest), 3), facts.seconds
    (0.5, 1.0)
    """
    path = Path(path)
    before = regular_file(path)
    try:
        result = _read(path, before.st_size, (start, end), rate, consume, limits)
    except ClipError:
        refuse_changed(path, before)
        raise
    refuse_changed(path, before)
    return result


def read_clip(
    path: str | os.PathLike[str],
    rate: int | None = None,
    start: float | None = None,
    end: float | None = None,
    limits: Limits = LIMITS,
) -> Clip:
    """Read a clip, or a segment of one.

    Parameters
    ----------
    path, start, end, limits
        As in `read_through`.
    rate : int, optional
        Resample to this rate in Hz (soxr, quality HQ). Default: the file's own.

    Returns
    -------
    Clip
        With the warnings of `read_through`.

    Raises
    ------
    ClipError
        As `read_through`.

    Examples
    --------
    >>> import soundfile
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/a.wav", np.full((800, 2), 0.25), 8000)
    ...     clip = read_clip(f"{folder}/a.wav")
    >>> clip.samples.shape, clip.rate, clip.warnings[0].code
    ((800,), 8000, 'silence')
    """
    samples, facts = read_through(path, rate, joined, start, end, limits)
    return Clip(samples, facts.rate, Path(path), facts.warnings)


def clip_from_array(samples: ArrayLike, rate_in: int, rate: int | None = None, limits: Limits = LIMITS) -> Clip:
    """A clip from an array, held to the same rules as a file.

    Parameters
    ----------
    samples : (n,) or (n, channels) array
        Floating point with full scale 1, or uint8, int16 or int32 with their own full scale.
    rate_in : int
        Its rate in Hz.
    rate : int, optional
        Resample to this rate. Default: ``rate_in``.
    limits : Limits
        What is refused.

    Returns
    -------
    Clip

    Raises
    ------
    ClipError
        bad_array for a shape or type that is not allowed; the limits' and the signal's codes of `read_clip`.

    Examples
    --------
    >>> clip_from_array(np.array([[16384, 0], [0, -16384]], np.int16), 8000).samples.tolist()
    [0.25, -0.25]
    """
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[:, None]
    _refuse_array(array)
    limits.check_rate(rate_in, "the array")
    limits.check_channels(array.shape[1], "the array")
    limits.check_length(len(array), rate_in, "the array")
    source = Source("the array", rate_in, array.shape[1], partial(_array_blocks, array))
    passed = pass_through(source, rate or rate_in, joined, limits)
    return Clip(passed.result, rate or rate_in, None, passed.warnings)


def _read(
    path: Path,
    size: int,
    span: tuple[float | None, float | None],
    rate: int | None,
    consume: Consumer[T],
    limits: Limits,
) -> tuple[T, Facts]:
    with open_recording(path, size, limits) as recording:
        segment = segment_of(recording, *span)
        if segment.wanted is not None and segment.wanted <= _DENSEST * size:  # else the header lies
            limits.check_length(segment.wanted, recording.rate, recording.name)
        take = partial(recording.blocks, segment.first, segment.last)
        source = Source(recording.name, recording.rate, recording.channels, take)
        rate = rate or recording.rate
        passed = pass_through(source, rate, consume, limits)
        warnings = (*shortfall(recording, segment, passed.frames), *segment.warnings, *passed.warnings)
        return passed.result, Facts(passed.samples, rate, warnings, recording.channels, recording.coding)


def _refuse_array(array: NDArray[np.generic]) -> None:
    if array.ndim != 2:
        text, hint = f"shape {array.shape}", "(samples,) or (samples, channels) is allowed"
    elif not 0 < array.shape[1] <= max(1, array.shape[0]):
        text = f"shape {array.shape}: {array.shape[1]} channels of {array.shape[0]} samples"
        hint = "(samples, channels) is allowed: transpose it"
    elif array.dtype.kind != "f" and array.dtype.str[1:] not in FULL_SCALES:
        text, hint = f"type {array.dtype}", "floating point, uint8, int16 or int32 is allowed"
    else:
        return
    raise ClipError("bad_array", f"the array has {text}", hint)


def _array_blocks(array: NDArray[np.generic]) -> Iterator[Samples]:
    step = max(1, BLOCK // array.shape[1])
    for at in range(0, len(array), step):
        yield scaled(array[at : at + step])
