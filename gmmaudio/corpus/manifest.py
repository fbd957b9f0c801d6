"""Where the clips are and what they are called: a folder of label folders, or a CSV, to entries.

    corpus/                      path,label,group,fold
      dog/1.wav, 2.wav ...       dog/1.wav,dog,kennel-3,1
      rain/x/3.flac ...          rain/x/3.flac,rain,garden,2

A CSV has the columns path and label, optionally group, split, fold, start, end (seconds) and tags; any further column
is kept as text.
"""

from __future__ import annotations

import logging
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gmmaudio.corpus.folders import AUDIO, clips_under, expand, is_audio, is_folder, survey, visible
from gmmaudio.corpus.table import Fence, bad_line, fence, read_table
from gmmaudio.errors import DataError, ManifestError
from gmmaudio.files import printable

__all__ = ["AUDIO", "Entry", "clips_under", "expand", "in_split", "read_corpus", "require_classes"]

_log = logging.getLogger("gmmaudio")
_SPLIT_NAMES = {"train", "training", "test", "testing", "dev", "eval", "valid", "validation", "val"}
_HINT = "give a folder that holds a folder per label, or a CSV with the columns path and label"


@dataclass(frozen=True)
class Entry:
    """One labelled clip, or a segment of one.

    Parameters
    ----------
    path : Path
        The audio file.
    label : str
        What it is an example of.
    group : str or None
        Speaker, artist or source recording: what must not stand in both training and test. A segment without one
        has its file's name.
    split, fold : str or None
        The part of a fixed division that it belongs to.
    start, end : float or None
        The segment in seconds; None for the clip's own beginning or end.
    columns : mapping of str to str
        The row of the CSV, as text; empty for a folder.
    name : str
        The path as the manifest writes it, or relative to the folder, with forward slashes: what results print.
        Default: ``path``.
    """

    path: Path
    label: str
    group: str | None = None
    split: str | None = None
    fold: str | None = None
    start: float | None = None
    end: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.as_posix())

    def column(self, name: str) -> str | None:
        """The value in a column, one of the standard ones or a further one; None where it is missing or empty.

        Parameters
        ----------
        name : str
            ``label``, ``group``, ``split``, ``fold``, or a column of the CSV.

        Returns
        -------
        str or None

        Examples
        --------
        >>> Entry(Path("a.wav"), "dog", columns={"speaker": "rex"}).column("speaker")
        'rex'
        """
        if name in {"label", "group", "split", "fold"}:
            value: str | None = getattr(self, name)
            return value
        return self.columns.get(name) or None


def read_corpus(data: Path, root: Path | None = None) -> list[Entry]:
    """The entries of a folder of label folders, or of a CSV.

    Parameters
    ----------
    data : Path
        A folder, of which each direct sub-folder is a label and holds that label's clips at any depth; or a CSV
        file in UTF-8.
    root : Path, optional
        The folder that the paths of a CSV are relative to, and may not leave. Default: the CSV's own. With ``/``,
        relative paths are relative to the CSV's folder, and any path is allowed.

    Returns
    -------
    list of Entry
        Sorted by path for a folder, in the order of the rows for a CSV; at least one.

    Raises
    ------
    DataError
        no_such_data, unreadable_data, not_regular_file; for a folder no_labels, no_clips, empty_class,
        unreadable_folder.
    ManifestError
        bad_manifest, with the line; path_escapes_root.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "my.csv").write_text("path,label,speaker\\na.wav,dog,rex\\n")
    ...     [entry] = read_corpus(Path(folder, "my.csv"))
    >>> entry.name, entry.label, entry.column("speaker")
    ('a.wav', 'dog', 'rex')
    """
    data = Path(data)
    try:
        mode = data.stat().st_mode
    except FileNotFoundError as error:
        raise DataError("no_such_data", f"{printable(data)} does not exist", _HINT) from error
    except (OSError, ValueError) as error:
        text = f"{printable(data)} cannot be read: {getattr(error, 'strerror', error)}"
        raise DataError("unreadable_data", text, _HINT) from error
    if stat.S_ISDIR(mode):
        return _read_folder(data)
    if not stat.S_ISREG(mode):
        raise DataError("not_regular_file", f"{printable(data)} is a pipe or a device", _HINT)
    if is_audio(data):
        raise DataError("no_labels", f"{printable(data)} is one clip, without a label", _HINT)
    return _read_csv(data, root)


def require_classes(entries: Sequence[Entry]) -> None:
    """Refuse entries from which no classifier can be trained.

    Parameters
    ----------
    entries : sequence of Entry
        What is to be trained on.

    Raises
    ------
    DataError
        no_clips, or one_class.

    Examples
    --------
    >>> require_classes([Entry(Path("a.wav"), "dog"), Entry(Path("b.wav"), "cat")])
    """
    labels = {entry.label for entry in entries}
    if not labels:
        raise DataError("no_clips", "there is no clip to train on", "look at the fold or the split that was chosen")
    if len(labels) == 1:
        raise DataError(
            "one_class",
            f"there is only one label, {printable(labels.pop())!r}, with {len(entries)} clips; two are needed",
            "give clips of a second label, in a folder of its own or with rows in the CSV",
        )


def in_split(entries: Sequence[Entry], split: str | None) -> list[Entry]:
    """The entries of one split.

    Parameters
    ----------
    entries : sequence of Entry
        All of them.
    split : str or None
        The value that their ``split`` has; None for all entries.

    Returns
    -------
    list of Entry
        In the same order; at least one where a split is named.

    Raises
    ------
    DataError
        unknown_split.

    Examples
    --------
    >>> [entry.name for entry in in_split([Entry(Path("a.wav"), "dog", split="dev")], "dev")]
    ['a.wav']
    """
    chosen = [entry for entry in entries if split is None or entry.split == split]
    if split is not None and not chosen:
        known = ", ".join(sorted({repr(entry.split) for entry in entries if entry.split})) or "none"
        raise DataError("unknown_split", f"no clip is in the split {split!r}; there are: {known}", "correct --split")
    return chosen


def _read_folder(data: Path) -> list[Entry]:
    folders = [path for path in visible(data) if is_folder(path)]
    stray = [path for path in visible(data) if not is_folder(path)]
    if not folders:
        raise _no_labels(data, stray)
    found = {folder.name: survey(folder, data) for folder in folders}
    _note_ignored(data, stray, sum(others for _, others in found.values()))
    if {name.casefold() for name in found} <= _SPLIT_NAMES:
        _log.warning("the labels are %s: are these splits? Give one of the folders inside", ", ".join(found))
    empty = [label for label, (clips, _) in found.items() if not clips]
    if empty:
        code = "no_clips" if len(empty) == len(found) else "empty_class"
        names = ", ".join(printable(label) for label in empty[:5]) + (" ..." if len(empty) > 5 else "")
        text = f"{printable(data)}: {len(empty)} of {len(found)} label folders hold no audio: {names}"
        raise DataError(code, text, f"fill or remove them; {_HINT}")
    return [
        Entry(clip, label, name=clip.relative_to(data).as_posix())
        for label, (clips, _) in found.items()
        for clip in clips
    ]


def _no_labels(data: Path, files: list[Path]) -> DataError:
    clips = sum(map(is_audio, files))
    tables = [path for path in files if path.suffix.lower() == ".csv"]
    held = f"holds no label folders, but files: {clips} of audio, {len(files) - clips} of other kinds"
    text = f"{printable(data)} {held if files else 'is empty'}"
    # One that is called manifest.csv before any other.
    tables.sort(key=lambda path: path.name.lower() != "manifest.csv")
    hint = f"pass the CSV itself: {printable(tables[0])}" if tables else _HINT
    return DataError("no_labels" if clips or tables else "no_clips", text, hint)


def _note_ignored(data: Path, stray: list[Path], others: int) -> None:
    clips = sum(map(is_audio, stray))
    if clips:
        _log.warning("%s: %d audio files outside the label folders are not used", printable(data), clips)
    if others := others + len(stray) - clips:
        _log.info("%s: %d files that are not audio are ignored", printable(data), others)


def _read_csv(table: Path, root: Path | None) -> list[Entry]:
    bounds = fence(table, root)
    entries: list[Entry] = []
    lines: dict[tuple[str, float, float], tuple[int, str]] = {}
    for line, row in read_table(table, ("path", "label")):
        entry = _entry(table, line, row, bounds)
        key = (os.path.normpath(entry.path), entry.start or 0.0, math.inf if entry.end is None else entry.end)
        if key in lines:
            raise _repeated(table, line, entry, *lines[key])
        lines[key] = line, entry.label
        entries.append(entry)
    if not entries:
        raise bad_line(table, 1, "there is a header, but no row", "add a row for each clip: its path and its label")
    return entries


def _repeated(table: Path, line: int, entry: Entry, earlier: int, label: str) -> ManifestError:
    what = f"{printable(entry.name)!r} (same path, start and end)"
    if label == entry.label:
        return bad_line(table, line, f"{what} stands in line {earlier} already")
    return bad_line(table, line, f"{what} has the label {entry.label!r}, but {label!r} in line {earlier}")


def _entry(table: Path, line: int, row: dict[str, str], bounds: Fence) -> Entry:
    for column in ("path", "label"):
        if not row[column].strip():
            raise bad_line(table, line, f"the {column} is empty")
    columns = {name: value if name == "path" else value.strip() for name, value in row.items()}
    start, end = (_seconds(table, line, name, columns.get(name, "")) for name in ("start", "end"))
    if end is not None and (start or 0.0) >= end:
        raise bad_line(table, line, f"the segment from {start or 0:g} to {end:g} s is empty")
    name = row["path"].replace(os.sep, "/")
    return Entry(
        bounds.admit(table, line, row["path"]),
        columns["label"],
        # Segments of one recording belong together, unless the manifest says more.
        columns.get("group") or (name if start is not None or end is not None else None),
        columns.get("split") or None,
        columns.get("fold") or None,
        start,
        end,
        columns,
        name,
    )


def _seconds(table: Path, line: int, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise bad_line(table, line, f"{name} is {text!r}; a number of seconds from 0 on is allowed")
    return value
