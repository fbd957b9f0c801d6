"""Files that are whole or absent, a lock that dies with its holder, and paths as a message may print them.

The only file that leans on POSIX, beside memory.py: where a platform cannot flush a folder, that step is left out.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gmmaudio.errors import DataError, StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

TEMPORARY = ".gmmaudio-*.tmp"
"""How the names of temporary files look."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is never seen half-written, even after a crash.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and are then renamed over
    ``path``. A writer that dies leaves the old file, or none, and a temporary file whose name
    (``.gmmaudio-PID-RANDOM.tmp``) says which process it belonged to.

    Parameters
    ----------
    path : Path
        Where the file shall stand; an existing regular file is replaced.
    data : bytes
        Its whole content.

    Raises
    ------
    DataError
        ``no_such_folder`` where the folder is missing; ``not_regular_file`` where ``path`` is a folder, or a
        device, which a rename would destroy.
    OSError
        When the disk is full or the folder cannot be written to; the temporary file is then removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "a.bin"), b"whole")
    ...     Path(folder, "a.bin").read_bytes()
    b'whole'
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """As ``write_atomically``, for a file written in parts: it takes its name when the ``with`` block ends well.

    Parameters
    ----------
    path : Path
        Where the file shall stand; an existing regular file is replaced.

    Yields
    ------
    binary file
        The temporary one, open for writing. Where the block raises, it is removed and ``path`` is left as it was.

    Raises
    ------
    DataError, OSError
        As ``write_atomically``.
    """
    path = Path(path)
    check_target(path)
    temporary = path.parent / f".gmmaudio-{os.getpid()}-{os.urandom(8).hex()}.tmp"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def printable(path: str | os.PathLike[str]) -> str:
    """A path on one line, in characters that any output can take.

    Bytes that are not UTF-8, line ends and control characters are shown as escapes.

    Parameters
    ----------
    path : str or PathLike
        Any path, as Python holds it.

    Returns
    -------
    str
        The same text where it is printable.

    Examples
    --------
    >>> printable("über/new\\nline.wav")
    'über/new\\\\nline.wav'
    """
    text = os.fspath(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def check_target(path: Path) -> None:
    """Raise ``no_such_folder`` or ``not_regular_file`` where a file cannot stand."""
    if not path.parent.is_dir():
        raise DataError(
            "no_such_folder",
            f"{printable(path)} cannot be written: the folder {printable(path.parent)} does not exist",
            "create the folder first",
        )
    if path.exists() and not path.is_file():
        raise DataError(
            "not_regular_file",
            f"{printable(path)} is a folder or a device, not a file that can be replaced",
            "give the name of a file",
        )


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock for the duration of a ``with`` block; it dies with the process, however that ends.

    The file holds the process's number while the lock is held, and is empty afterwards; it is never removed, for
    then two could hold locks on two files of one name.

    Parameters
    ----------
    path : Path
        A file in an existing folder; made where it is missing.

    Raises
    ------
    StoreError
        ``in_use``, naming the process that holds it.
    DataError
        ``cannot_lock``, where the file system has no locks.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, alone(Path(folder, ".lock")):
    ...     int(Path(folder, ".lock").read_text()) == os.getpid()
    True
    """
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        try:
            _seize(file)
        except (BlockingIOError, PermissionError) as error:
            holder = file.read(20).decode("ascii", "replace").strip() or "unknown"
            text = f"{printable(path.parent)} is in use by process {printable(holder)}"
            raise StoreError("in_use", text, "wait until it is done, or end it") from error
        except OSError as error:
            text = f"{printable(path)} cannot be locked: {error.strerror}"
            raise DataError("cannot_lock", text, "choose a folder on a file system that has locks") from error
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def remove_leftovers(folder: Path) -> int:
    """Remove the temporary files that dead writers left; return their number.

    Only for a folder in which nobody else writes, as ``alone`` makes sure.
    """
    left = list(folder.glob(TEMPORARY))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _seize(file: BinaryIO) -> None:
    """Lock a file or raise BlockingIOError or PermissionError at once; closing it, or dying, sets it free."""
    if sys.platform == "win32":
        file.seek(1 << 30)  # far behind the text, which others shall read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, on the platforms and file systems that can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
