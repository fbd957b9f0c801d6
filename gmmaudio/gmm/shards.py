"""Shards: parts of the frames, each small enough to hold; what an E-step is run on, one by one.

Frames may be an array, a memory-mapped file, or anything that can be called for an array as often as asked, so
that data larger than memory are read anew in each iteration. Shards are cut by the data, never by the number of
workers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError

Real = NDArray[np.floating]
Floats = NDArray[np.float64]

SHARD = 32768  # frames per shard, at most


@dataclass(frozen=True, eq=False)
class Shard:
    """Some frames, and how often each counts.

    Parameters
    ----------
    frames : (n, d) array, or a callable that returns one
        A callable is asked in every iteration, and must give the same frames each time.
    weights : (n,) float64, optional
        Default: every frame counts once.
    """

    frames: Real | Callable[[], Real]
    weights: Floats | None = None

    def load(self) -> Real:
        """The frames (n, d)."""
        return self.frames() if callable(self.frames) else self.frames

    def __len__(self) -> int:
        """The number of frames; a callable is asked for them, unless it has a length of its own."""
        return len(self.frames if isinstance(self.frames, Sized) else self.load())


@dataclass(frozen=True, eq=False)
class Joined:
    """Pieces of frames that follow each other, put together anew each time they are asked for.

    Parameters
    ----------
    pieces : tuple of (n, d) arrays
        At least one.
    """

    pieces: tuple[Real, ...]

    def __call__(self) -> Real:
        return np.concatenate(self.pieces)

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


def bounds(total: int, size: int = SHARD) -> list[tuple[int, int]]:
    """Where so many frames are cut: an even number of shards, of the same size to a frame, unless one is enough.

    Even, so that two cores, or four, have the same to do in each iteration.

    Examples
    --------
    >>> bounds(4, size=8), bounds(9, size=4)
    ([(0, 4)], [(0, 2), (2, 4), (4, 6), (6, 9)])
    """
    count = 1 if 2 * total <= size else 2 * -(-total // (2 * size))
    ends = [total * index // count for index in range(count + 1)]
    return list(pairwise(ends))


def cut(frames: Real, weights: ArrayLike | None = None, size: int = SHARD) -> list[Shard]:
    """Shards of at most ``size`` frames, by ``bounds``; views, not copies.

    Parameters
    ----------
    frames : (n, d)
        Also a memory map.
    weights : (n,), optional
    size : int, default 32768

    Raises
    ------
    DataError
        ``bad_weights``.

    Examples
    --------
    >>> [shard.load().shape for shard in cut(np.zeros((5, 2)), size=3)]
    [(2, 2), (3, 2)]
    """
    counts = None if weights is None else check_weights(weights, len(frames))
    return [Shard(frames[a:b], None if counts is None else counts[a:b]) for a, b in bounds(len(frames), size)]


def gather(pieces: Sequence[Real], size: int = SHARD) -> list[Shard]:
    """The shards that ``cut`` would make of the pieces' concatenation, which is never made.

    A shard within one piece is a view of it; one that spans several joins their parts when it is read, so that of
    memory-mapped pieces no more than a shard per worker is in memory.

    Parameters
    ----------
    pieces : sequence of (n, d) arrays
        At least one, such as the frames of each clip; also memory maps.
    size : int, default 32768

    Examples
    --------
    >>> [shard.load()[:, 0].tolist() for shard in gather([np.zeros((1, 1)), np.ones((4, 1))], size=3)]
    [[0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    ends = list(accumulate(map(len, pieces)))
    begins, shards = [0, *ends[:-1]], []
    for start, stop in bounds(ends[-1], size):
        inside = slice(bisect_right(ends, start), bisect_left(ends, stop) + 1)
        parts = [
            piece[max(0, start - begin) : stop - begin]
            for piece, begin in zip(pieces[inside], begins[inside], strict=True)
        ] or [pieces[0]]  # all are empty
        shards.append(Shard(parts[0] if len(parts) == 1 else Joined(tuple(parts))))
    return shards


def sample_frames(shards: Sequence[Shard], wanted: int, seed: np.random.Generator) -> Real:
    """A random sample of ``wanted`` frames without replacement (all, if there are no more), in their order.

    Reads every shard once to draw, and once more to count where its length is not known. Frames of weight zero are
    never drawn; other weights do not change the chance.
    """
    ends = np.cumsum([len(_counted(shard)) for shard in shards])
    total = int(ends[-1])
    chosen = np.sort(seed.choice(total, size=min(total, wanted), replace=False))
    pieces = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    begins = np.concatenate([[0], ends[:-1]])
    drawn = [
        np.asarray(shard.load()[_counted(shard)[piece - begin]])
        for shard, piece, begin in zip(shards, pieces, begins, strict=True)
        if len(piece)
    ]
    return np.concatenate(drawn) if drawn else shards[0].load()[:0]


def _counted(shard: Shard) -> NDArray[np.intp]:
    """The rows of a shard whose weight is not zero."""
    return np.arange(len(shard)) if shard.weights is None else np.flatnonzero(shard.weights)


def check_weights(weights: ArrayLike, n: int) -> Floats:
    """Frame weights as (n,) float64, finite and not negative, or a DataError."""
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n,):
        raise DataError("bad_weights", f"weights must have shape ({n},), got {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError("bad_weights", "weights must be finite and not negative")
    return values
