"""From a path to a Recording, or to the coded error that says why not: all that stands between it and libsndfile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from gmmaudio.corpus.containers import BY_PYAV, FOREIGN, READABLE, Header, read_header
from gmmaudio.corpus.excess import goes_on
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.recording import (
    BLOCK,
    UNKNOWN,
    Recording,
    corrupt_header,
    damaged,
    not_audio,
    unreachable,
    unsupported,
)
from gmmaudio.errors import ClipError
from gmmaudio.files import printable

_WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
_OGG_SLACK = 8192  # the longest block of Vorbis: whole files from some encoders lack a part of their last

# libsndfile keeps the reason why a file did not open in a global variable. The header has been read once before,
# so that it lies in memory and the lock is held briefly.
_OPENING = threading.Lock()


@contextmanager
def open_recording(path: Path, size: int, limits: Limits) -> Iterator[Recording]:
    """Open a file for decoding, and close it at the end.

    Parameters
    ----------
    path : Path
        A regular file.
    size : int
        Its length in bytes.
    limits : Limits
        The rates and the number of channels that are allowed.

    Yields
    ------
    Recording

    Raises
    ------
    ClipError
        not_audio, unsupported_codec, corrupt_header, unsupported_rate, unsupported_channels, permission.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file, size)
            header = replace(header, goes_on=goes_on(file, size, header))
    except OSError as error:
        raise unreachable(error, path) from error
    with _decoder(path, header, limits) as recording:
        limits.check_rate(recording.rate, recording.name)
        limits.check_channels(recording.channels, recording.name)
        yield recording


def _decoder(path: Path, header: Header, limits: Limits) -> AbstractContextManager[Recording]:
    if header.kind in BY_PYAV:
        from gmmaudio.corpus.av_decoder import open_with_av  # only where such a file is met

        return open_with_av(path, header)
    if header.kind in FOREIGN:
        raise unsupported(printable(path), header.kind)
    return _open_with_soundfile(path, header, limits)


@contextmanager
def _open_with_soundfile(path: Path, header: Header, limits: Limits) -> Iterator[Recording]:
    name = printable(path)
    with _open(path, header, limits) as sound:
        if sound.format == "RAW":  # guessed from the extension: the decoder would make noise of a text
            raise not_audio(name, header)
        # After each block soundfile would seek to where it already is: that breaks off in some FLACs, changes
        # an MP3's bits at the joints, and costs time.
        sound.seekable = lambda: False
        yield Recording(
            name,
            sound.samplerate,
            sound.channels,
            _promised(sound, header),
            partial(blocks, sound, name, sound.frames if header.tagged else UNKNOWN),
            _OGG_SLACK if sound.format == "OGG" else 0,
            None if header.ends else min(UNKNOWN, sound.frames),
            header.goes_on,
            header.coding,
        )


def _promised(sound: soundfile.SoundFile, header: Header) -> int | None:
    frames = int(sound.frames)
    if frames >= UNKNOWN:
        return None
    if header.promised is None or header.promised <= header.present:
        return frames
    width = _WIDTHS.get(sound.subtype, 0) * sound.channels
    # Where a frame is no fixed number of bytes, in proportion.
    return header.promised // width if width else frames * header.promised // max(1, header.present)


def blocks(
    sound: soundfile.SoundFile, name: str, end: int, first: int, last: int | None
) -> Iterator[NDArray[np.float32]]:
    """The frames from ``first`` up to ``last``, block by block, as `Recording.blocks` hands them out.

    Parameters
    ----------
    sound : SoundFile
        Open.
    name : str
        As messages print it.
    end : int
        The frame behind which no more is read.
    first : int
        The first frame wanted.
    last : int or None
        The frame behind the last; None for the end.

    Yields
    ------
    (n, channels) float32 array
        At least one frame; the next block overwrites it.

    Raises
    ------
    ClipError
        decode_error, with the position.
    """
    step = max(1, BLOCK // sound.channels)
    take = _taking(sound, step)
    at, stop = first, end if last is None else min(end, last)
    try:
        _move(sound, first, take, step)
        while at < stop and len(block := take(min(step, stop - at))):
            yield block
            at += len(block)
    except soundfile.LibsndfileError as error:
        where = f"within {step} frames from frame {at} ({at / sound.samplerate:.2f} s) on"
        raise damaged(name, where, _reason(error)) from error


def _taking(sound: soundfile.SoundFile, step: int) -> Callable[[int], NDArray[np.float32]]:
    """A function from a number of frames, at most ``step``, to the next so many, which overwrite the last."""
    buffer = np.empty((step, sound.channels), np.float32)
    if sound.subtype != "PCM_16":
        return lambda frames: sound.read(frames, out=buffer)
    integers = np.empty((step, sound.channels), np.int16)

    def take(frames: int) -> NDArray[np.float32]:
        found = sound.read(frames, out=integers)  # to make floats of them takes libsndfile three times as long
        np.multiply(found, np.float32(2**-15), out=buffer[: len(found)])
        return buffer[: len(found)]

    return take


def _move(sound: soundfile.SoundFile, first: int, take: Callable[[int], NDArray[np.float32]], step: int) -> None:
    """Stand at a frame: by seeking where that is exact, else by decoding what comes before it."""
    if soundfile.SoundFile.seekable(sound):
        # In Ogg, a seek of libsndfile may land half a block off, or without the frames that Opus builds on.
        target = 0 if sound.format == "OGG" else min(first, sound.frames)
        if sound.tell() != target:
            sound.seek(target)
        first -= target
    while first > 0:
        read = len(take(min(first, step)))
        first = first - read if read else 0


def _open(path: Path, header: Header, limits: Limits) -> soundfile.SoundFile:
    try:
        with _OPENING:
            # Bytes, so that a name which is not UTF-8 reaches the system unchanged.
            return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else os.fspath(path))
    except soundfile.LibsndfileError as error:
        raise _not_opened(printable(path), header, limits, _reason(error)) from error
    except TypeError as error:  # a name that ends in .raw
        raise not_audio(printable(path), header) from error


def _not_opened(name: str, header: Header, limits: Limits, reason: str) -> ClipError:
    wav = header.wav
    if header.kind == "Ogg with another codec":
        return unsupported(name, header.kind)
    if wav is not None and wav.channels and wav.rate and header.promised is not None:
        limits.check_rate(wav.rate, name)
        limits.check_channels(wav.channels, name)
        return unsupported(name, f"WAV of {wav.bits} bits in format {wav.tag:#06x}")
    if header.kind not in READABLE:
        return not_audio(name, header)
    if header.kind == "MP3":  # of which the decoder says that the file does not exist
        reason = "no frame in it can be decoded"
    return corrupt_header(name, header.kind, reason)


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).strip().rstrip(".").removeprefix("Error : ")
