"""Which pairs of many clips may be copies, and at which offset: an index of the hashes that they have in common.

    pairs of peaks -> index by hash -> meetings of two clips -> votes for an offset -> candidates

A loop says the same thing again and again: n repetitions of a hash meet those in another clip n^2 times. So a hash
counts so many times within a clip and no more; and meetings, be they many, are counted in parts of bounded size.

References
----------
Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.parallel import map_in_order

VOTES = 4
"""Pairs of peaks that must agree on an offset before two clips are looked at closely."""

_VOTING = 200  # and one of so many of the clip that has fewer: long clips agree by chance more often
_CHUNK = 2**21  # meetings of hashes at a time: 16 MB each for a few arrays
_OFTEN = 64  # times that a hash counts within a clip, the first ones: in 30 s of music one came 37 times at most

Integers = NDArray[np.int64]
Pairs = tuple[NDArray[np.uint32], NDArray[np.int32]]
"""Hashes of a clip's pairs of peaks, and their times in steps, as `gmmaudio.features.fingerprint.pair_hashes` gives."""

NO_PAIRS: Pairs = (np.empty(0, np.uint32), np.empty(0, np.int32))


@dataclass(frozen=True, eq=False)
class _Index:
    """Entries sorted by hash, then by clip; ``rank`` leads from the order of clips to that."""

    keys: Integers  # hash and clip as one number
    times: NDArray[np.int32]
    own: Integers  # for each entry, where those of its hash and its clip end,
    ends: Integers  # and where all of its hash do
    rank: Integers
    bounds: Integers  # of each clip in the order of clips

    @property
    def clips(self) -> int:
        """How many there are: the keys of one hash differ by less."""
        return len(self.bounds) - 1


@dataclass(frozen=True, eq=False)
class _Meetings:
    """Entries of one clip or of several, and for each, where those of its hash in later clips begin and end."""

    entries: Integers
    begins: Integers
    ends: Integers
    later: tuple[int, int]  # the clips that are met

    def total(self) -> Integers:
        """How many there are before each entry, and in all."""
        return np.concatenate([[0], np.cumsum(self.ends - self.begins)])


def candidates(clips: Iterable[Pairs], jobs: int = 1) -> Iterator[tuple[int, int, int]]:
    """Pairs of clips that share pairs of peaks at one offset.

    Parameters
    ----------
    clips : iterable of Pairs
    jobs : int, default 1
        Threads; the result is the same for any number.

    Yields
    ------
    tuple of int
        Places of the first clip and of the second, sorted by the first, and the steps from the beginning of the first
        to that of the second.

    Examples
    --------
    >>> times = np.arange(9, dtype=np.int32)
    >>> one, other = np.arange(9, dtype=np.uint32), np.arange(100, 109, dtype=np.uint32)
    >>> list(candidates([(one, times + 5), (other, times), (one, times)]))
    [(0, 2, 5)]
    """
    index = _index(clips)
    for found in map_in_order(lambda part: _candidates(index, part), _parts(index), jobs):
        yield from map(tuple, found.tolist())


def _index(clips: Iterable[Pairs]) -> _Index:
    kept = [NO_PAIRS, *(_seldom(*pairs) for pairs in clips)]
    hashes, times = (np.concatenate(column) for column in zip(*kept, strict=True))
    sizes = [len(hashes) for hashes, _ in kept[1:]]
    order = np.argsort(hashes, kind="stable")  # stable: entries of one hash stay in the order of clips
    keys = hashes[order].astype(np.int64) * len(sizes) + np.repeat(np.arange(len(sizes)), sizes)[order]
    own, ends = _run_ends(keys), _run_ends(hashes[order])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return _Index(keys, times[order], own, ends, rank, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))


def _seldom(hashes: NDArray[np.uint32], times: NDArray[np.int32]) -> Pairs:
    """A clip's entries, of each hash the first few."""
    order = np.lexsort((times, hashes))
    before = np.arange(len(order))
    before -= np.maximum.accumulate(np.where(np.diff(hashes[order], prepend=-1) != 0, before, 0))
    kept = order[before < _OFTEN]
    return hashes[kept], times[kept]


def _run_ends(values: NDArray[np.integer]) -> Integers:
    """For each of the sorted values, where its run of equal ones ends: behind the last of them."""
    last = np.flatnonzero(np.diff(values, append=values[-1:] + 1)) + 1
    return np.repeat(last, np.diff(last, prepend=0))


def _parts(index: _Index) -> Iterator[_Meetings]:
    """All meetings with later clips, about as many at a time as fit in memory."""
    total = np.concatenate([[0], np.cumsum((index.ends - index.own)[index.rank])])[index.bounds]
    for first, last in _ranges(total):
        entries = index.rank[index.bounds[first] : index.bounds[last]]
        later = (first + 1, index.clips)
        yield from _halved(index, _Meetings(entries, index.own[entries], index.ends[entries], later))


def _ranges(total: Integers) -> Iterator[tuple[int, int]]:
    """Ranges of items that are no more than a chunk together, or one; ``total`` is what stands before each."""
    first, count = 0, len(total) - 1
    while first < count:
        last = int(np.searchsorted(total, total[first] + _CHUNK, side="right")) - 1
        last = min(count, max(last, first + 1))
        yield first, last
        first = last


def _halved(index: _Index, met: _Meetings) -> Iterator[_Meetings]:
    """Meetings as they are, or, where they are too many, those with one half of the later clips and with the other."""
    low, high = met.later
    if met.total()[-1] <= _CHUNK or high - low <= 1:
        yield met
        return
    middle = (low + high) // 2
    own = index.keys[met.entries]
    cuts = np.clip(np.searchsorted(index.keys, own - own % index.clips + middle), met.begins, met.ends)
    yield from _halved(index, _Meetings(met.entries, met.begins, cuts, (low, middle)))
    yield from _halved(index, _Meetings(met.entries, cuts, met.ends, (middle, high)))


def _candidates(index: _Index, met: _Meetings) -> Integers:
    """Rows of first clip, second clip and offset: for each pair with votes enough, the offset with most."""
    reach = int(index.times.max(initial=0)) + 2  # offsets lie within +-reach
    keys, votes = _votes(index, met, reach)
    near = votes.copy()  # a peak may fall into the next frame: neighbouring offsets vote together
    adjacent = np.diff(keys) == 1
    near[:-1] += np.where(adjacent, votes[1:], 0)
    near[1:] += np.where(adjacent, votes[:-1], 0)
    keys, near = keys[near >= VOTES], near[near >= VOTES]
    pair, offset = np.divmod(keys, 2 * reach)
    order = np.lexsort((offset, -near, pair))
    best = order[np.flatnonzero(np.diff(pair[order], prepend=-1))]
    one, two = np.divmod(pair[best], index.clips)
    sizes = np.diff(index.bounds)
    enough = near[best] * _VOTING >= np.minimum(sizes[one], sizes[two])
    found: Integers = np.stack([one, two, offset[best] - reach], axis=1)[enough]
    return found


def _votes(index: _Index, met: _Meetings, reach: int) -> tuple[Integers, Integers]:
    """One number for each first clip, second clip and offset, in order; and how many meetings there are of it."""
    keys, votes = np.empty(0, np.int64), np.empty(0, np.int64)
    for first, last in _ranges(met.total()):
        begins = met.begins[first:last]
        counts = met.ends[first:last] - begins
        mine, theirs = np.repeat(met.entries[first:last], counts), runs(begins, counts)
        pairs = index.keys[mine] % index.clips * index.clips + index.keys[theirs] % index.clips
        offsets = index.times[mine].astype(np.int64) - index.times[theirs] + reach
        more, counts = np.unique(pairs * (2 * reach) + offsets, return_counts=True)
        keys, places = np.unique(np.concatenate([keys, more]), return_inverse=True)
        votes = np.bincount(places, np.concatenate([votes, counts])).astype(np.int64)
    return keys, votes


def runs(starts: Integers, counts: Integers) -> Integers:
    """start, start + 1, ... for each start, as many as its count: in one array."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
