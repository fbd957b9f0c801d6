"""Which rows of a corpus take part: by a fold, by any column; and the groups that such a choice divides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import get_close_matches

from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import DataError


def column_folds(entries: Sequence[Entry], column: str) -> list[str]:
    """The fold of each entry, as a column names it.

    Parameters
    ----------
    entries : sequence of Entry
        At least one.
    column : str
        ``group``, ``fold``, ``split``, ``label``, or any further column of the CSV.

    Returns
    -------
    list of str
        One for each entry.

    Raises
    ------
    DataError
        no_such_column; empty_cells, where some entries have nothing in it.

    Examples
    --------
    >>> from pathlib import Path
    >>> column_folds([Entry(Path("a.wav"), "dog", group="rex"), Entry(Path("b.wav"), "cat", group="tom")], "group")
    ['rex', 'tom']
    """
    values = [entry.column(column) for entry in entries]
    filled = [value for value in values if value is not None]
    if not filled:
        raise _no_such_column(entries, column)
    if len(filled) < len(values):
        first = next(entry.name for entry, value in zip(entries, values, strict=True) if value is None)
        text = (
            f"the column {column!r} is empty for {len(values) - len(filled)} of {len(values)} clips, as for {first!r}"
        )
        raise DataError("empty_cells", text, "fill it in for every clip")
    return filled


def in_fold(entries: Sequence[Entry], column: str, fold: str) -> list[bool]:
    """Whether each entry has ``fold`` in a column.

    Parameters
    ----------
    entries : sequence of Entry
    column, fold : str

    Returns
    -------
    list of bool
        At least one of them true.

    Raises
    ------
    DataError
        unknown_fold, and what ``column_folds`` raises.

    Examples
    --------
    >>> from pathlib import Path
    >>> in_fold([Entry(Path("a.wav"), "dog", fold="1"), Entry(Path("b.wav"), "cat", fold="2")], "fold", "2")
    [False, True]
    """
    values = column_folds(entries, column)
    if fold not in values:
        known = sorted(set(values))
        text = f"no clip has {fold!r} in the column {column!r}; there are: {', '.join(known[:20])}"
        near = get_close_matches(fold, known, n=1)
        raise DataError("unknown_fold", text, f"did you mean {near[0]!r}?" if near else "")
    return [value == fold for value in values]


def straddling_groups(groups: Sequence[str | None], sides: Sequence[Hashable]) -> dict[str, int]:
    """Groups that stand on more than one side of a split.

    Parameters
    ----------
    groups : (n,) sequence of str or None
        The group of each entry; None is no group.
    sides : (n,) sequence
        Its side, such as a fold, or whether it is for training.

    Returns
    -------
    dict of str to int
        Each such group, sorted, with its number of entries on all sides.

    Examples
    --------
    >>> straddling_groups(["x", "x", "y", None], ["train", "test", "test", "train"])
    {'x': 2}
    """
    pairs = [(group, side) for group, side in zip(groups, sides, strict=True) if group is not None]
    sides_of = Counter(group for group, _ in set(pairs))
    clips_of = Counter(group for group, _ in pairs)
    return {group: clips_of[group] for group in sorted(sides_of) if sides_of[group] > 1}


def _no_such_column(entries: Sequence[Entry], column: str) -> DataError:
    standard = [name for name in ("label", "group", "split", "fold") if any(entry.column(name) for entry in entries)]
    further = {name for entry in entries for name, value in entry.columns.items() if value} - {"path", *standard}
    known = [*standard, *sorted(further)]
    near = get_close_matches(column, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"name one of: {', '.join(known)}"
    return DataError("no_such_column", f"the clips have no column {column!r}; they have: {', '.join(known)}", hint)
