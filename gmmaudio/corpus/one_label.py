"""Clips of one label, for a model of what is normal: a corpus as ever, or a folder with the clips themselves in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from gmmaudio.corpus.folders import is_audio, is_folder, visible
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.errors import DataError
from gmmaudio.files import printable

NORMAL = "normal"
"""The label of clips that stand in a folder without label folders."""

_log = logging.getLogger("gmmaudio")


def read_one_label(data: Path, root: Path | None = None) -> list[Entry]:
    """The entries of a corpus; a folder that holds clips and no folders is taken for clips of the label "normal".

    Parameters
    ----------
    data, root : Path
        As in `gmmaudio.corpus.manifest.read_corpus`, which also says what is raised.

    Returns
    -------
    list of Entry
        Sorted by path for a folder. Of how many labels is not asked: see `require_one_label`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "a.wav").touch()
    ...     [entry] = read_one_label(Path(folder))
    >>> entry.name, entry.label
    ('a.wav', 'normal')
    """
    if not is_folder(data):
        return read_corpus(data, root)
    there = visible(data)
    clips = [path for path in there if is_audio(path)]
    if not clips or any(map(is_folder, there)):
        return read_corpus(data, root)
    for table in (path for path in there if path.suffix.lower() == ".csv"):
        _log.warning("%s is not read; pass it instead of its folder if it says the clips' groups", printable(table))
    return [Entry(clip, NORMAL, name=clip.name) for clip in clips]


def require_one_label(entries: Sequence[Entry]) -> None:
    """Refuse entries of several labels, or none: what is normal must be said.

    Raises
    ------
    DataError
        no_clips, or several_labels.

    Examples
    --------
    >>> require_one_label([Entry(Path("a.wav"), "normal"), Entry(Path("b.wav"), "normal")])
    """
    labels = sorted({entry.label for entry in entries})
    if not labels:
        raise DataError("no_clips", "there is no clip to train on", "look at the fold or the split that was chosen")
    if len(labels) > 1:
        names = ", ".join(repr(printable(label)) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
        text = f"a model of one label is trained on clips of it alone, and there are {len(labels)}: {names}"
        hint = "give a folder or CSV of the normal clips only, or a split that holds no others (--split)"
        raise DataError("several_labels", text, hint)
