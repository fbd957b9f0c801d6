"""Means and variances over a window that moves along the frames, by cumulative sums in float64.

The sums begin anew every block, around the block's own mean. So their rounding does not grow with the clip, large
offsets do no harm, and memory is bounded by the window.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

BLOCK = 2048  # frames per block, or the window where that is longer


def centred(n: int, window: int) -> tuple[Indices, Indices]:
    """A window around each of n frames, moved inwards at the edges: all have the same length if the clip has it.

    Returns
    -------
    first, last : (n,)
        Frame t's window is the frames from ``first[t]`` up to, but not with, ``last[t]``.

    Examples
    --------
    >>> centred(5, 3)
    (array([0, 0, 1, 2, 2]), array([3, 3, 4, 5, 5]))
    """
    first = np.clip(np.arange(n) - window // 2, 0, max(n - window, 0))
    return first, np.minimum(first + window, n)


def running(values: Real, first: Indices, last: Indices, squares: bool) -> Iterator[tuple[slice, Floats, Floats]]:
    """The mean and variance of each frame's window, block after block.

    Parameters
    ----------
    values : (n, d)
    first, last : (n,)
        Each frame's window; neither may ever fall. No window is empty.
    squares : bool
        Whether variances are wanted; else they are zero.

    Yields
    ------
    rows : slice
        Which frames.
    means, variances : (b, d)
        Variances are those of the window's frames around their mean; never negative.
    """
    n, d = values.shape
    step = max(BLOCK, int((last - first).max(initial=0)))
    scratch = np.empty((min(3 * step, n) + 1, d))  # fresh memory for each sum would cost more than the sum
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        low, high = first[start], last[rows.stop - 1]
        head, tail = first[rows] - low, last[rows] - low
        share = 1 / (tail - head)[:, None]
        totals, part = scratch[: high - low + 1], scratch[1 : high - low + 1]
        origin = values[low:high].mean(axis=0, dtype=np.float64)
        np.subtract(values[low:high], origin, out=part)
        means, variances = _sums(totals, head, tail, share), np.zeros(0)
        if squares:
            np.subtract(values[low:high], origin, out=part)
            np.square(part, out=part)
            variances = _sums(totals, head, tail, share)
            variances -= np.square(means, out=totals[: len(means)])
            np.maximum(variances, 0, out=variances)
        means += origin
        yield rows, means, variances


def _sums(totals: Floats, head: Indices, tail: Indices, share: Floats) -> Floats:
    """``share`` of the sums from row head up to tail (b, d); what is summed stands behind the first row, and goes."""
    totals[0] = 0
    np.cumsum(totals[1:], axis=0, out=totals[1:])
    result = totals.take(tail, axis=0)
    result -= totals.take(head, axis=0)
    result *= share
    return result
