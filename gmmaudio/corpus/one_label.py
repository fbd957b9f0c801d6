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


def read_one_label(data: Path, root: Path | None = None, label: str = NORMAL) -> list[Entry]:
    """The entries of a corpus; a folder that holds clips and no folders is taken for clips of one label.

    Parameters
    ----------
    data, root : Path
        As in `gmmaudio.corpus.manifest.read_corpus`, which also says what is raised.
    label : str, default "normal"
        What such clips are called.

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
    clips = clips_alone(data)
    if clips is None:
        return read_corpus(data, root)
    tables = [path for path in visible(data) if path.suffix.lower() == ".csv"]
    if not clips:
        hint = f"pass the CSV itself: {printable(tables[0])}" if tables else "give a folder of clips, or a CSV"
        raise DataError("no_clips", f"{printable(data)} holds no audio", hint)
    for table in tables:
        _log.warning("%s is not read; pass it instead of its folder if it says the clips' groups", printable(table))
    return [Entry(clip, label, name=clip.name) for clip in clips]


def clips_alone(data: Path) -> list[Path] | None:
    """The clips of a folder that holds no folders, sorted; None for anything else."""
    if not is_folder(data):
        return None
    there = visible(data)
    return None if any(map(is_folder, there)) else [path for path in there if is_audio(path)]


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
