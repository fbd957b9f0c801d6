"""One audio file, or one array, to one Clip: checked, decoded, mixed down, resampled.

    path -> decoder -> blocks -> mono -> resampled -> Clip

A clip that cannot be used is a ClipError with a stable code; one that can, but is odd, carries warnings. No
memory is ever allocated from a number in a header: blocks have a fixed size, and only the mono result grows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.corpus.decoder import (
    BLOCK,
    UNKNOWN,
    Recording,
    blocks,
    open_recording,
    refuse_changed,
    regular_file,
)
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.samples import (
    ClipWarning,
    Traits,
    flush,
    measure,
    mix,
    nothing,
    oddities,
    refuse_broken,
    sample_hash,
)
from gmmaudio.errors import ClipError

__all__ = ["Clip", "ClipWarning", "Limits", "clip_from_array", "read_clip", "sample_hash"]

Samples = NDArray[np.float32]

LIMITS = Limits()
OVERSHOOT = 0.5
"""Seconds by which a segment may end behind the clip (as in Kaldi's extract-segments)."""

_DENSEST = 5000  # frames per byte; FLAC packs 4,700 frames of silence into one
_OGG_SLACK = 8192  # the longest block of Vorbis: whole files from some encoders lack a part of their last
_FULL_SCALES = {"u1": 2**7, "i2": 2**15, "i4": 2**31}


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
class _Source:
    """Blocks of (n, channels) float32, each time from the beginning; the next may overwrite the last."""

    name: str
    rate: int
    channels: int
    blocks: Callable[[], Iterator[Samples]]


@dataclass(frozen=True)
class _Segment:
    """Frames ``first`` up to ``last`` (None: the end); ``wanted`` of them should be there (None: unknown)."""

    first: int
    last: int | None
    wanted: int | None
    warnings: tuple[ClipWarning, ...] = ()


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
    path : path
        WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, W64, RF64 or CAF. The channels are averaged.
    rate : int, optional
        Resample to this rate in Hz (soxr, quality HQ). Default: the file's own.
    start, end : float, optional
        The segment in seconds. Default: the whole clip. What stands before it is skipped, not decoded; but
        Ogg is decoded from its beginning, because seeks in it are not exact.
    limits : Limits
        What is refused.

    Returns
    -------
    Clip
        Its warnings: truncated, segment_cut, bandwidth, phase_cancelled, clipped, silence.

    Raises
    ------
    ClipError
        The file: no_such_file, permission, symlink_loop, not_regular_file, empty_file, unreadable, and
        changed when it is no longer what it was. The container: not_audio, unsupported_codec, corrupt_header,
        decode_error. The limits: unsupported_rate, unsupported_channels, too_long, out_of_range_segment. The
        signal: empty_audio, non_finite, out_of_range.

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
    path = Path(path)
    before = regular_file(path)
    try:
        clip = _read(path, before.st_size, (start, end), rate, limits)
    except ClipError:
        refuse_changed(path, before)
        raise
    refuse_changed(path, before)
    return clip


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
    source = _Source("the array", rate_in, array.shape[1], partial(_array_blocks, array))
    mono, _, warnings = _gather(source, rate or rate_in, limits)
    return Clip(mono, rate or rate_in, None, warnings)


def _read(path: Path, size: int, span: tuple[float | None, float | None], rate: int | None, limits: Limits) -> Clip:
    with open_recording(path, size, limits) as recording:
        segment = _segment(recording, *span)
        if segment.wanted is not None and segment.wanted <= _DENSEST * size:  # else the header lies
            limits.check_length(segment.wanted, recording.rate, recording.name)
        take = partial(blocks, recording, segment.first, segment.last)
        source = _Source(recording.name, recording.rate, recording.channels, take)
        rate = rate or recording.rate
        samples, frames, warnings = _gather(source, rate, limits)
        return Clip(samples, rate, path, (*_shortfall(recording, segment, frames), *segment.warnings, *warnings))


def _segment(recording: Recording, start: float | None, end: float | None) -> _Segment:
    promised, rate = recording.promised, recording.rate
    begin, stop = start or 0.0, math.inf if end is None else end
    seconds = math.inf if promised is None else promised / rate
    if not 0 <= begin < stop or 0 < seconds <= begin or (end is not None and end > seconds + OVERSHOOT):
        raise ClipError(
            "out_of_range_segment",
            f"{recording.name}: the segment {begin:g} to {stop:g} s does not lie within {seconds:.3f} s",
            "start must be less than end, and both within the clip",
        )
    first, last = round(begin * rate), None if end is None else round(end * rate)
    if promised is None:
        return _Segment(first, last, None if last is None else last - first)
    if last is None or last <= promised:
        return _Segment(first, last, (promised if last is None else last) - first)
    text = f"the segment ends {(last - promised) / rate:.3f} s behind the clip, and was cut there"
    return _Segment(first, last, promised - first, (ClipWarning("segment_cut", text),))


def _shortfall(recording: Recording, segment: _Segment, frames: int) -> tuple[ClipWarning, ...]:
    """A warning where fewer frames came than were promised, or where the end of the stream is missing."""
    slack = _OGG_SLACK if recording.sound.format == "OGG" else 0
    if segment.wanted is not None and frames < segment.wanted - slack:
        text = f"cut short: {segment.wanted} frames were promised, {frames} were read"
    elif not recording.header.ends and segment.first + frames >= min(UNKNOWN, recording.sound.frames):
        text = f"cut short: the stream does not end where the file does, after {frames} frames"
    else:
        return ()
    return (ClipWarning("truncated", text),)


def _gather(source: _Source, rate: int, limits: Limits) -> tuple[Samples, int, tuple[ClipWarning, ...]]:
    """The mono samples at a rate, the frames they were made from, and the warnings."""
    limits.check_rate(rate, "the rate asked for")
    samples, traits = _mono(source, rate, limits)
    refuse_broken(traits, source.name, limits)
    warnings = oddities(traits)
    if traits.cancelled:
        samples, _ = _mono(source, rate, limits, traits.louder)
    if source.rate < rate:
        text = f"its {source.rate} Hz hold nothing above {source.rate / 2:g} Hz; {rate} Hz were asked for"
        warnings = (ClipWarning("bandwidth", text), *warnings)
    return samples, traits.frames, warnings


def _mono(source: _Source, rate: int, limits: Limits, channel: int | None = None) -> tuple[Samples, Traits]:
    resample = _resampler(source.rate, rate)
    traits = nothing(source.channels)
    result = bytearray()  # grows in place, where joining arrays would need the memory twice
    with np.errstate(all="ignore"):  # what is not finite is counted instead
        for block in source.blocks():
            flush(block)
            mono = mix(block, channel)
            traits = traits + measure(block, mono)
            limits.check_length(traits.frames, source.rate, source.name)
            result += resample(mono, False).data
        result += resample(np.empty(0, np.float32), True).data
    return np.frombuffer(result, np.float32), traits


def _resampler(rate_in: int, rate: int) -> Callable[[Samples, bool], Samples]:
    """A function of a block, and of whether it is the last."""
    if rate_in == rate:
        return lambda mono, _: mono
    import soxr  # only where a rate changes

    stream = soxr.ResampleStream(rate_in, rate, 1, dtype="float32", quality="HQ")
    return lambda mono, last: stream.resample_chunk(mono, last=last)


def _refuse_array(array: NDArray[np.generic]) -> None:
    if array.ndim != 2:
        text, hint = f"shape {array.shape}", "(samples,) or (samples, channels) is allowed"
    elif not 0 < array.shape[1] <= max(1, array.shape[0]):
        text = f"shape {array.shape}: {array.shape[1]} channels of {array.shape[0]} samples"
        hint = "(samples, channels) is allowed: transpose it"
    elif array.dtype.kind != "f" and array.dtype.str[1:] not in _FULL_SCALES:
        text, hint = f"type {array.dtype}", "floating point, uint8, int16 or int32 is allowed"
    else:
        return
    raise ClipError("bad_array", f"the array has {text}", hint)


def _array_blocks(array: NDArray[np.generic]) -> Iterator[Samples]:
    step = max(1, BLOCK // array.shape[1])
    scale = np.float32(1 / _FULL_SCALES.get(array.dtype.str[1:], 1))
    middle = np.float32(128 if array.dtype == np.uint8 else 0)
    for at in range(0, len(array), step):
        yield (array[at : at + step].astype(np.float32) - middle) * scale
