"""A CSV manifest as rows of text, each with its line, and the fence around the paths in it.

UTF-8 with or without a byte-order mark, any line ends. Whatever else is wrong is a ManifestError that names the line.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from gmmaudio.corpus.folders import MOST_BYTES, is_folder
from gmmaudio.errors import DataError, ManifestError
from gmmaudio.files import printable


def read_table(table: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file.

    Parameters
    ----------
    table : Path
        A regular file.
    required : tuple of str
        Columns that must be there.

    Yields
    ------
    line : int
        Where the row begins; the first line is 1.
    row : dict of str to str
        Column name to text.

    Raises
    ------
    ManifestError
        bad_manifest.
    DataError
        unreadable_data.
    """
    names: list[str] = []
    for line, fields in _records(table, _text(table)):
        if not names:
            names = [name.strip() for name in fields]
            _check_header(table, line, names, required)
        elif len(fields) != len(names):
            raise bad_line(table, line, f"{len(fields)} fields, where the header has {len(names)}")
        else:
            yield line, dict(zip(names, fields, strict=True))
    if not names:
        raise bad_line(table, 1, "the file is empty")


def bad_line(table: Path, line: int, text: str, hint: str = "") -> ManifestError:
    """The error for something impossible in a line.

    Parameters
    ----------
    table : Path
        The CSV file.
    line : int
        Counted from 1.
    text, hint : str
        What is wrong, and what to do.

    Returns
    -------
    ManifestError
        ``bad_manifest``.
    """
    return ManifestError("bad_manifest", f"{printable(table)}, line {line}: {printable(text)}", hint)


@dataclass(frozen=True)
class Fence:
    """Where relative paths begin, and the folder that no path may leave.

    Parameters
    ----------
    folder : Path
        What relative paths are relative to.
    bound : Path or None
        The real path of the folder that holds everything; None: no bound, and absolute paths are allowed.
    known : dict of Path to bool
        Whether the folders met so far lie within: a manifest names thousands of clips in a few folders.
    """

    folder: Path
    bound: Path | None
    known: dict[Path, bool] = field(default_factory=dict, repr=False, compare=False)

    def admit(self, table: Path, line: int, text: str) -> Path:
        """The path that a row means.

        Parameters
        ----------
        table : Path
            The CSV file.
        line : int
            Of the row.
        text : str
            Its path.

        Returns
        -------
        Path

        Raises
        ------
        ManifestError
            path_escapes_root, for an absolute path, or one that leaves the bound by ``..`` or by a link.
        """
        path = self.folder / text
        if self.bound is None or (not Path(text).is_absolute() and self._holds(path, self.bound)):
            return path
        raise ManifestError(
            "path_escapes_root",
            f"{printable(table)}, line {line}: the path {printable(text)!r} leaves the root {printable(self.bound)}",
            "give the folder that holds all the clips as --root; with --root / any path is allowed",
        )

    def _holds(self, path: Path, bound: Path) -> bool:
        if path.name == ".." or os.path.islink(path):  # noqa: PTH114 (the method raises where a name is too long)
            return Path(os.path.realpath(path)).is_relative_to(bound)
        folder = path.parent
        if folder not in self.known:
            self.known[folder] = Path(os.path.realpath(folder)).is_relative_to(bound)
        return self.known[folder]


def fence(table: Path, root: Path | None) -> Fence:
    """The fence for a manifest.

    Parameters
    ----------
    table : Path
        The CSV file.
    root : Path or None
        What the user gave; None for the CSV's own folder; ``/`` for no fence.

    Returns
    -------
    Fence

    Raises
    ------
    DataError
        no_such_data, where the root is no folder.
    """
    if root is None:
        return Fence(table.parent, Path(os.path.realpath(table.parent)))
    real = Path(os.path.realpath(root))
    if real.parent == real:
        return Fence(table.parent, None)
    if not is_folder(real):
        raise DataError("no_such_data", f"the root {printable(root)} is not a folder", "correct --root")
    return Fence(root, real)


def _text(table: Path) -> str:
    try:
        with table.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        text = f"{printable(table)} cannot be read: {error.strerror}"
        raise DataError("unreadable_data", text, "check who may read it") from error
    if len(data) > MOST_BYTES:
        raise bad_line(table, 1, f"the file is longer than {MOST_BYTES} bytes")
    if b"\0" in data:
        raise bad_line(table, _line_of(data, data.index(b"\0")), "a zero byte: this is no text in UTF-8", _other(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_line(table, _line_of(data, error.start), "not text in UTF-8", _other(data)) from error


def _other(data: bytes) -> str:
    """What to do about a file that is no text."""
    if data[8:9] == b"{":  # as safetensors begin: a length in eight bytes, then JSON
        return "this looks like a model; evaluate takes one, before the data: gmmaudio evaluate MODEL DATA"
    return "save the table as CSV, in UTF-8"


def _line_of(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _records(table: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, and the line where they begin."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise bad_line(table, line, str(error)) from error


def _advice(name: str, names: list[str], required: tuple[str, ...]) -> str:
    """What to do about a column that is missing."""
    if len(names) == 1 and (other := next((mark for mark in (";", "\t", "|") if mark in names[0]), None)):
        return f"the fields look separated by {other!r}; save the table as CSV with commas"
    near = get_close_matches(name.casefold(), [known.casefold() for known in names], n=1)
    if near:
        like = next(known for known in names if known.casefold() == near[0])
        return f"is it {like!r}? Then call it {name!r}"
    return f"{', '.join(required[:-1])} and {required[-1]} are needed, in the first line"


def _check_header(table: Path, line: int, names: list[str], required: tuple[str, ...]) -> None:
    listed = ", ".join(names)
    for name in required:
        if name not in names:
            raise bad_line(
                table,
                line,
                f"the column {name!r} is missing; the columns are: {listed}",
                _advice(name, names, required),
            )
    if len(set(names)) < len(names):
        raise bad_line(table, line, f"two columns have the same name: {listed}")
