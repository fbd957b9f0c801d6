"""The most frequent confusions: what remains readable of a confusion matrix of a hundred classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """Clips of one class that were taken for another.

    Parameters
    ----------
    truth, answer : int
        Places among the labels; an answer one past the last means refused.
    clips, of : int
        So many clips, of so many of the true class.
    """

    truth: int
    answer: int
    clips: int
    of: int


def top_confusions(counts: NDArray[np.int64], refused: Sequence[int] | NDArray[np.int64], most: int) -> list[Confusion]:
    """The most frequent confusions, the most frequent first, in the labels' order where equal.

    Parameters
    ----------
    counts : (L, L) int
        Rows the truth, columns the answer.
    refused : (L,) int
        Clips of each class that got no label.
    most : int
        How many, at most.

    Examples
    --------
    >>> top_confusions(np.array([[2, 1], [3, 4]]), [0, 2], 2)
    [Confusion(truth=1, answer=0, clips=3, of=9), Confusion(truth=1, answer=2, clips=2, of=9)]
    """
    table = np.column_stack([counts, refused])
    clips = table.sum(axis=1)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, table.shape), strict=True)
    return [Confusion(int(i), int(j), int(table[i, j]), int(clips[i])) for i, j in pairs if table[i, j]]
