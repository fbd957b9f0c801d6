"""Which files in a folder are clips.

A folder is walked whole, in an order that does not depend on the file system. Hidden files are left alone. Links
to folders are followed, but each folder is entered once, so that a loop of links ends.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gmmaudio.errors import DataError
from gmmaudio.files import printable

DECODED = frozenset((".wav", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"))
AUDIO = DECODED | {".m4a", ".m4b", ".aac", ".mp4", ".mov", ".wma", ".mka", ".mkv", ".webm"}
"""Extensions taken as audio, upper case or lower. The second half needs PyAV; what cannot be decoded becomes an error,
and is not lost."""

MOST_BYTES = 64 * 2**20
"""Largest manifest or list that is read."""

_log = logging.getLogger("gmmaudio")


def clips_under(folder: Path) -> list[Path]:
    """All audio files in a folder, at any depth.

    Parameters
    ----------
    folder : Path
        An existing folder.

    Returns
    -------
    list of Path
        Sorted. Whether a file is audio is told by its extension (AUDIO).

    Raises
    ------
    DataError
        ``unreadable_folder``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     for file in ("b.wav", "a.FLAC", "notes.txt", ".hidden.wav"):
    ...         Path(name, file).touch()
    ...     [clip.name for clip in clips_under(Path(name))]
    ['a.FLAC', 'b.wav']
    """
    return survey(folder)[0]


def survey(folder: Path, *above: Path) -> tuple[list[Path], int]:
    """The audio files in a folder, at any depth, and how many other files there are.

    Parameters
    ----------
    folder : Path
        An existing folder.
    *above : Path
        Folders that a link shall not lead back to.

    Returns
    -------
    clips : list of Path
        Sorted.
    others : int
        Files that are neither hidden nor audio.

    Raises
    ------
    DataError
        ``unreadable_folder``.
    """
    clips: list[Path] = []
    others, pending, seen = 0, [folder], {_identity(each) for each in above}
    while pending:
        here = pending.pop()
        if _identity(here) in seen:
            continue
        seen.add(_identity(here))
        for path in visible(here):
            if is_folder(path):
                pending.append(path)
            elif is_audio(path):
                clips.append(path)
            else:
                others += 1
    return sorted(clips, key=Path.as_posix), others


def visible(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name, without what is hidden or Python's own (``__pycache__``).

    Parameters
    ----------
    folder : Path
        An existing folder.

    Returns
    -------
    list of Path

    Raises
    ------
    DataError
        ``unreadable_folder``.
    """
    try:
        kept = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__pycache__")
        return sorted(kept, key=lambda path: path.name)
    except OSError as error:
        raise _unreadable(folder, error) from error


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False also where that cannot be found out, when `Path.is_dir` would raise."""
    return os.path.isdir(path)  # noqa: PTH112


def is_audio(path: Path) -> bool:
    """Whether the extension is one of AUDIO."""
    return path.suffix.lower() in AUDIO


def expand(paths: Sequence[str]) -> list[Path]:
    """The clips that a command line names.

    Parameters
    ----------
    paths : sequence of str
        Each one a file; a folder, which stands for the audio in it at any depth; or ``@LIST``, a text file with
        one file or folder per line, relative to the current folder. Blank lines are skipped; nothing else in it
        is special.

    Returns
    -------
    list of Path
        In the order given; folders sorted within. A file that does not exist stays in the list, and becomes an
        error of its own when it is read.

    Raises
    ------
    DataError
        ``unreadable_list`` or ``unreadable_folder``.

    Examples
    --------
    >>> [str(path) for path in expand(["b.wav", "a.wav"])]
    ['b.wav', 'a.wav']
    """
    return [clip for path in paths for item in _items(path) for clip in _clips_at(item)]


def _items(path: str) -> Iterator[Path]:
    if not path.startswith("@"):
        yield Path(path)
        return
    for line in _read_list(Path(path[1:])).removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        line = line.removesuffix(b"\r")
        if line.strip():
            yield Path(os.fsdecode(line))  # names that are not UTF-8 survive


def _clips_at(path: Path) -> list[Path]:
    if not is_folder(path):
        return [path]
    clips = clips_under(path)
    if not clips:
        _log.warning("%s holds no audio", printable(path))
    return clips


def _read_list(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        text = f"the list {printable(path)} cannot be read: {error.strerror}"
        hint = f"a file whose name begins with @ is given as ./@{printable(path)}"
        raise DataError("unreadable_list", text, hint) from error
    if len(data) > MOST_BYTES:
        text = f"the list {printable(path)} is longer than {MOST_BYTES} bytes"
        raise DataError("unreadable_list", text, "cut it into several")
    return data


def _identity(folder: Path) -> tuple[int, int]:
    try:
        state = folder.stat()
    except OSError as error:
        raise _unreadable(folder, error) from error
    return state.st_dev, state.st_ino


def _unreadable(folder: Path, error: OSError) -> DataError:
    text = f"the folder {printable(folder)} cannot be read: {error.strerror}"
    return DataError("unreadable_folder", text, "check who may read it, or leave it out")
