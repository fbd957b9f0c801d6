"""An open recording, whichever library decodes it; and the file before and behind it.

What can be found out before opening is: a pipe would keep us waiting for ever, and a decoder's own reasons do not
tell damage from a format that it does not know.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.containers import Header
from gmmaudio.errors import ClipError
from gmmaudio.files import printable

BLOCK = 2**16
"""Samples in a block, all channels together: they stay in the cache."""

UNKNOWN = 2**62
"""More frames than any file holds; libsndfile says 2**63 - 1 where a header leaves it open."""


@dataclass(frozen=True)
class Recording:
    """What an open file says of itself, and its blocks.

    Parameters
    ----------
    name : str
        As messages print it.
    rate, channels : int
        Frames per second, samples per frame.
    promised : int or None
        Frames that the header promises; None where it leaves that open.
    blocks : callable
        The frames from ``first`` up to ``last`` (None: the end), as (n, channels) float32 arrays of at least one
        frame; the next may overwrite the last. Raises a ClipError ``decode_error``, with the position.
    slack : int
        Frames by which a whole file may fall short of what it promises. Default 0.
    torn : int or None
        The frame at which a stream breaks off, where it lacks the mark of its end. Default None.
    goes_on : bool
        Whether audio stands behind what is promised, where no decoder reads it. Default False.
    coding : str
        Container and coding, such as ``"WAV 16 bit"``. Default empty.
    """

    name: str
    rate: int
    channels: int
    promised: int | None
    blocks: Callable[[int, int | None], Iterator[NDArray[np.float32]]]
    slack: int = 0
    torn: int | None = None
    goes_on: bool = False
    coding: str = ""


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
        raise unreachable(error, path) from error
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


def unreachable(error: OSError | ValueError, path: Path) -> ClipError:
    """The error for a file that the system does not hand out."""
    name, number = printable(path), getattr(error, "errno", None)
    if number in {errno.ENOENT, errno.ENOTDIR, None}:
        what = "a link to a file that is not there" if path.is_symlink() else "no such file"
        return ClipError("no_such_file", f"{name}: {what}", "check the spelling and the root folder")
    if number == errno.ELOOP:
        return ClipError("symlink_loop", f"{name}: a symbolic link that leads back to itself", "remove the link")
    if number in {errno.EACCES, errno.EPERM}:
        return ClipError("permission", f"{name}: permission denied", "check who may read the file and its folders")
    return ClipError("unreadable", f"{name}: {os.strerror(number or 0)}", "check the path and the disk")


def not_audio(name: str, header: Header) -> ClipError:
    """The error for a file that is something else."""
    return ClipError("not_audio", f"{name}: not an audio file; found: {header.kind}", "remove it, or export it as WAV")


def unsupported(name: str, what: str, remedy: str = "") -> ClipError:
    """The error for audio that no decoder here knows; the hint converts it, after the ``remedy``."""
    command = f"ffmpeg -i {shlex.quote(name)} out.wav"
    return ClipError("unsupported_codec", f"{name}: {what} cannot be decoded", f"{remedy}convert it: {command}")


def corrupt_header(name: str, kind: str, reason: str) -> ClipError:
    """The error for a known container whose beginning makes no sense."""
    text = f"{name}: the header of this {kind} file cannot be read: {reason}"
    return ClipError("corrupt_header", text, "copy or export the file again")


def damaged(name: str, where: str, reason: str) -> ClipError:
    """The error for frames that do not decode; ``where`` is their position, in words."""
    hint = "nothing of it is used: copy the file again, or cut out what is whole"
    return ClipError("decode_error", f"{name}: damaged {where}: {reason}", hint)


def _identity(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ino
