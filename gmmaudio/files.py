"""Files that are whole or absent, and paths as a message may print them.

The only file that leans on POSIX: where a platform cannot flush a folder, that step is left out.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gmmaudio.errors import DataError


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
    path = Path(path)
    check_target(path)
    temporary = path.parent / f".gmmaudio-{os.getpid()}-{os.urandom(8).hex()}.tmp"
    try:
        _write_through(temporary, data)
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


def _write_through(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


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
