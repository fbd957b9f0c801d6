"""What the measures ask of their numbers before they count: shapes, and no NaN.

Conventions, the same in all measures of scores:

- ``truth`` (n,) holds the column of each clip's class, 0 to L - 1, or `OUT_OF_SET` for a clip of none of the
  classes; it comes before scores and decisions, (n, L).
- A higher score speaks for the class. Scores may be infinite where a measure says so, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError

OUT_OF_SET = -1
"""The place of a clip whose class is none of the classes asked for."""


def places(truth: Sequence[str], labels: Sequence[str]) -> NDArray[np.intp]:
    """The column of each label among ``labels``, `OUT_OF_SET` for one that is not among them.

    Parameters
    ----------
    truth : sequence of n str
    labels : sequence of L str
        The classes, in the order of the columns of the scores.

    Returns
    -------
    (n,) int

    Raises
    ------
    DataError
        ``label_twice``.

    Examples
    --------
    >>> places(["fr", "de", "xx"], ["de", "fr"])
    array([ 1,  0, -1])
    """
    columns = {label: i for i, label in enumerate(labels)}
    if len(columns) < len(labels):
        raise DataError("label_twice", f"got {len(labels)} labels, {len(columns)} of them different", "drop doubles")
    return np.array([columns.get(label, OUT_OF_SET) for label in truth], dtype=np.intp)


def one_row(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """(n,) numbers, n at least 1, none of them NaN; ``what`` names them in the error."""
    row = _floats(values, what)
    if row.ndim != 1 or len(row) == 0:
        raise DataError("bad_shape", f"got {what} of shape {row.shape}; a non-empty (n,) is needed")
    if np.isnan(row).any():
        raise DataError("not_a_number", f"{int(np.isnan(row).sum())} of {len(row)} {what} are NaN")
    return row


def flags(values: ArrayLike) -> NDArray[np.bool_]:
    """(n,) True and False, n at least 1."""
    row = np.asarray(values)
    if row.ndim != 1 or len(row) == 0 or not np.isin(row, (0, 1)).all():
        raise DataError(
            "bad_shape", f"got shape {row.shape}, type {row.dtype}; a non-empty (n,) of True and False is needed"
        )
    return row.astype(np.bool_)


def table(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """(n, L) numbers for at least one clip and two classes, none of them NaN."""
    rows = _floats(values, what)
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] < 2:
        raise DataError("bad_shape", f"got {what} of shape {rows.shape}; (n, L) with n >= 1 and L >= 2 is needed")
    if np.isnan(rows).any():
        raise DataError("not_a_number", f"{int(np.isnan(rows).sum())} of {rows.size} {what} are NaN")
    return rows


def classes(truth: ArrayLike, shape: tuple[int, int]) -> NDArray[np.intp]:
    """(n,) columns of a table of this shape, or `OUT_OF_SET`; two classes at least have clips."""
    rows = np.asarray(truth)
    clips, columns = shape
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise DataError("bad_shape", f"got truth of shape {rows.shape}, type {rows.dtype}; (n,) of int is needed")
    if len(rows) != clips:
        raise DataError("length_mismatch", f"got {len(rows)} true classes and {clips} rows; one each is needed")
    if rows.min() < OUT_OF_SET or rows.max() >= columns:
        raise DataError(
            "class_not_listed",
            f"got classes from {rows.min()} to {rows.max()}; columns are 0 to {columns - 1}, out of set {OUT_OF_SET}",
        )
    if len(set(rows.tolist()) - {OUT_OF_SET}) < 2:
        raise DataError("one_class", "fewer than two classes have clips; nothing can be told apart", "add clips")
    return rows.astype(np.intp)


def in_set(truth: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same classes, if none of them is `OUT_OF_SET`."""
    outside = int((truth == OUT_OF_SET).sum())
    if outside:
        raise DataError("out_of_set", f"{outside} clips are of no class listed; this measure has no place for them")
    return truth


def _floats(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("bad_shape", f"the {what} are not an array of numbers") from error
