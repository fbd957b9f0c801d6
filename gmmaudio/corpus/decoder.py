"""From a path to blocks of frames, or to the coded error that says why not.

All that stands between the file system and libsndfile. What can be found out before opening is: a pipe would
keep us waiting for ever, and the decoder's own reasons do not tell damage from a format it does not know.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from gmmaudio.corpus.containers import FOREIGN, READABLE, Header, read_header
from gmmaudio.corpus.limits import Limits
from gmmaudio.errors import ClipError
from gmmaudio.files import printable

BLOCK = 2**16
"""Samples in a block, all channels together: they stay in the cache."""

UNKNOWN = 2**62
"""More frames than any file holds; libsndfile says 2**63 - 1 where a header leaves it open."""

_WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}

# libsndfile keeps the reason why a file did not open in a global variable. The header has been read once before,
# so that it lies in memory and the lock is held briefly.
_OPENING = threading.Lock()


@dataclass(frozen=True)
class Recording:
    """An open file: its decoder, what its bytes say, and its name as messages print it."""

    name: str
    sound: soundfile.SoundFile
    header: Header

    @property
    def rate(self) -> int:
        """Frames per second."""
        return int(self.sound.samplerate)

    @property
    def channels(self) -> int:
        """Samples per frame."""
        return int(self.sound.channels)

    @property
    def promised(self) -> int | None:
        """Frames that the header promises; None where it leaves that open."""
        frames, header = int(self.sound.frames), self.header
        if frames >= UNKNOWN:
            return None
        if header.promised is None or header.promised <= header.present:
            return frames
        width = _WIDTHS.get(self.sound.subtype, 0) * self.channels
        # Where a frame is no fixed number of bytes, in proportion.
        return header.promised // width if width else frames * header.promised // max(1, header.present)


def regular_file(path: Path) -> os.stat_result:
    """The state of a file that may be opened.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    os.stat_result

    Raises
    ------
    ClipError
        no_such_file, permission, symlink_loop, unreadable, not_regular_file, empty_file.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise _unreachable(error, path) from error
    name = printable(path)
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise ClipError("not_regular_file", f"{name}: this is {what}, not a regular file", "name an audio file")
    if found.st_size == 0:
        raise ClipError("empty_file", f"{name}: the file has 0 bytes", "copy or record it again")
    return found


def refuse_changed(path: Path, before: os.stat_result) -> None:
    """Raise a ClipError ``changed`` unless the file is what it was.

    Parameters
    ----------
    path : Path
        The file.
    before : os.stat_result
        What `regular_file` returned before it was read.
    """
    was = f"{before.st_size} bytes, {before.st_mtime:.3f}"
    try:
        after = path.stat()
    except OSError:
        now = "it is gone"
    else:
        if _identity(after) == _identity(before):
            return
        now = f"{after.st_size} bytes, {after.st_mtime:.3f}"
    text = f"{printable(path)}: changed while it was read: before {was} (seconds since 1970); now {now}"
    raise ClipError("changed", text, "wait until the file is complete")


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
    name = printable(path)
    try:
        with path.open("rb") as file:
            header = read_header(file, size)
    except OSError as error:
        raise _unreachable(error, path) from error
    with _open(path, header, limits) as sound:
        if sound.format == "RAW":  # guessed from the extension: the decoder would make noise of a text
            raise _not_audio(name, header)
        limits.check_rate(sound.samplerate, name)
        limits.check_channels(sound.channels, name)
        # After each block soundfile would seek to where it already is: that breaks off in some FLACs, changes
        # an MP3's bits at the joints, and costs time.
        sound.seekable = lambda: False
        yield Recording(name, sound, header)


def blocks(recording: Recording, first: int, last: int | None) -> Iterator[NDArray[np.float32]]:
    """The frames from ``first`` up to ``last``, block by block.

    Parameters
    ----------
    recording : Recording
        An open file.
    first : int
        The first frame wanted.
    last : int or None
        The frame behind the last; None for the end of the file.

    Yields
    ------
    (n, channels) float32 array
        At least one frame; the next block overwrites it.

    Raises
    ------
    ClipError
        decode_error, with the position.
    """
    step = max(1, BLOCK // recording.channels)
    buffer = np.empty((step, recording.channels), np.float32)
    at, stop = first, UNKNOWN if last is None else last
    try:
        _move(recording.sound, first, buffer)
        while at < stop and len(block := recording.sound.read(min(step, stop - at), out=buffer)):
            yield block
            at += len(block)
    except soundfile.LibsndfileError as error:
        where = f"within {step} frames from frame {at} ({at / recording.rate:.2f} s) on"
        raise ClipError(
            "decode_error",
            f"{recording.name}: damaged {where}: {_reason(error)}",
            "nothing of it is used: copy the file again, or cut out what is whole",
        ) from error


def _move(sound: soundfile.SoundFile, first: int, buffer: NDArray[np.float32]) -> None:
    """Stand at a frame: by seeking where that is exact, else by decoding what comes before it."""
    if soundfile.SoundFile.seekable(sound):
        # In Ogg, a seek of libsndfile may land half a block off, or without the frames that Opus builds on.
        target = 0 if sound.format == "OGG" else min(first, sound.frames)
        if sound.tell() != target:
            sound.seek(target)
        first -= target
    while first > 0:
        read = len(sound.read(min(first, len(buffer)), out=buffer))
        first = first - read if read else 0


def _identity(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ino


def _unreachable(error: OSError | ValueError, path: Path) -> ClipError:
    name, number = printable(path), getattr(error, "errno", None)
    if number in {errno.ENOENT, errno.ENOTDIR, None}:
        what = "a link to a file that is not there" if path.is_symlink() else "no such file"
        return ClipError("no_such_file", f"{name}: {what}", "check the spelling and the root folder")
    if number == errno.ELOOP:
        return ClipError("symlink_loop", f"{name}: a symbolic link that leads back to itself", "remove the link")
    if number in {errno.EACCES, errno.EPERM}:
        return ClipError("permission", f"{name}: permission denied", "check who may read the file and its folders")
    return ClipError("unreadable", f"{name}: {os.strerror(number or 0)}", "check the path and the disk")


def _open(path: Path, header: Header, limits: Limits) -> soundfile.SoundFile:
    if header.kind in FOREIGN:
        raise _unsupported(printable(path), header.kind)
    try:
        with _OPENING:
            # Bytes, so that a name which is not UTF-8 reaches the system unchanged.
            return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else os.fspath(path))
    except soundfile.LibsndfileError as error:
        raise _not_opened(printable(path), header, limits, _reason(error)) from error
    except TypeError as error:  # a name that ends in .raw
        raise _not_audio(printable(path), header) from error


def _not_opened(name: str, header: Header, limits: Limits, reason: str) -> ClipError:
    wav = header.wav
    if header.kind == "Ogg with another codec":
        return _unsupported(name, header.kind)
    if wav is not None and wav.channels and wav.rate and header.promised is not None:
        limits.check_rate(wav.rate, name)
        limits.check_channels(wav.channels, name)
        return _unsupported(name, f"WAV of {wav.bits} bits in format {wav.tag:#06x}")
    if header.kind not in READABLE:
        return _not_audio(name, header)
    if header.kind == "MP3":  # of which the decoder says that the file does not exist
        reason = "no frame in it can be decoded"
    text = f"{name}: the header of this {header.kind} file cannot be read: {reason}"
    return ClipError("corrupt_header", text, "copy or export the file again")


def _not_audio(name: str, header: Header) -> ClipError:
    return ClipError("not_audio", f"{name}: not an audio file; found: {header.kind}", "remove it, or export it as WAV")


def _unsupported(name: str, what: str) -> ClipError:
    command = f"ffmpeg -i {shlex.quote(name)} out.wav"
    return ClipError("unsupported_codec", f"{name}: {what} cannot be decoded", f"convert it: {command}")


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).strip().rstrip(".").removeprefix("Error : ")
