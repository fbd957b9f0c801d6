"""Which clips of many are copies of one another: pairs of peaks vote for an offset, and the peaks decide.

    fingerprints -> index of pair hashes -> pairs of clips with votes for one offset -> peaks that coincide there

The index makes it quick: only clips that share pairs of peaks at one offset are looked at closely. There, the peaks
of both that lie on the same point (two frames and a bin either way) are counted in the part where the clips overlap,
and held against what chance gives: for peaks of the same frequencies, scattered evenly over time.

How sure is it: the number of chance coincidences is taken as Poisson's. 5,000 clips of 5 s have 1.2e7 pairs with 1200
offsets each, 1.6e10 trials: by that, 12 digits would do. But peaks come in clusters, and takes of one word by one
speaker are alike: among 4.5e6 pairs of spoken digits, takes that are no copies reached 15. So 17 digits are asked for.
Clips of tones, hums and beats share peaks without being copies; therefore a share of all peaks must match as well.

References
----------
Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
Chernoff's bound for Poisson's tail: P(X >= k) <= exp(k - m) (m / k)^k for k > m; Mitzenmacher and Upfal,
"Probability and Computing", 2005, theorem 5.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.features.fingerprint import HOP, RATE, STEP, Fingerprint, pair_hashes
from gmmaudio.parallel import map_in_order

SURE = 17.0
"""Decimal digits: chance must give so many matching peaks in fewer than one of 10^SURE trials."""

SHARE = 0.25
"""The share of the peaks, where two clips overlap, that must match."""

_VOTES = 4  # pairs of peaks that must agree on an offset before a pair of clips is looked at closely,
_VOTING = 200  # and one of so many of the clip that has fewer: long clips agree by chance more often
_AMPLE = 100  # peaks, by which a copy is sure to be known
_NEAR = 2  # frames either way within which two peaks coincide: 16 ms
_CHUNK = 2**21  # meetings of hashes at a time: 16 MB each for a few arrays

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Match:
    """Two clips that hold the same recording.

    Parameters
    ----------
    first, second : int
        Their places in the sequence of fingerprints; first is less.
    offset : float
        Seconds from the beginning of the first clip to that of the second, to about 0.02 s.
    seconds : float
        How long they overlap at that offset.
    share : float
        The share of peaks there that match.
    sureness : float
        Decimal digits: chance would give as many in one of 10^sureness trials.
    """

    first: int
    second: int
    offset: float
    seconds: float
    share: float
    sureness: float


@dataclass(frozen=True, eq=False)
class _Index:
    """Entries sorted by hash, then by clip; ``rank`` leads from the order of clips to that."""

    clips: NDArray[np.int32]
    times: NDArray[np.int32]
    own: Integers  # for each entry, where those of its hash and its clip end,
    ends: Integers  # and where all of its hash do
    rank: Integers
    bounds: Integers  # of each clip in the order of clips


def comparable(peaks: Fingerprint) -> bool:
    """Whether a clip has peaks enough for a perfect copy of it to be told from chance.

    Parameters
    ----------
    peaks : Fingerprint

    Returns
    -------
    bool

    Examples
    --------
    >>> few = Fingerprint(np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32), 10)
    >>> comparable(few)
    False
    """
    if len(peaks) >= _AMPLE:
        return True
    return len(pair_hashes(peaks)[0]) >= _VOTES and _compare([peaks, peaks], 0, 1, 0).sureness >= SURE


def near_copies(fingerprints: Sequence[Fingerprint], jobs: int = 1) -> list[Match]:
    """All pairs of clips that hold the same recording, or parts of it that overlap.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Those that are not `comparable` match nothing.
    jobs : int, default 1
        Threads; the result is the same for any number.

    Returns
    -------
    list of Match
        Sorted by first, then second.

    Examples
    --------
    >>> from gmmaudio.features.fingerprint import fingerprint
    >>> noise = np.random.default_rng(0).standard_normal((2, 24000)).astype(np.float32)
    >>> clips = [noise[0], noise[1], noise[0, 4000:] / 4]
    >>> [match] = near_copies([fingerprint(clip, 8000) for clip in clips])
    >>> match.first, match.second, round(match.offset, 1)
    (0, 2, 0.5)
    """
    index = _index(fingerprints)
    found: list[Match] = []
    for candidates in map_in_order(lambda chunk: _candidates(index, *chunk), _chunks(index), jobs):
        for first, second, offset in candidates.tolist():
            match = _compare(fingerprints, first, second, offset)
            if match.share >= SHARE and match.sureness >= SURE:
                found.append(match)
    return found


def _index(fingerprints: Sequence[Fingerprint]) -> _Index:
    pairs = [pair_hashes(each) if comparable(each) else _NOTHING for each in fingerprints]
    sizes = [len(hashes) for hashes, _ in pairs]
    hashes = np.concatenate([_NOTHING[0], *(hashes for hashes, _ in pairs)])
    times = np.concatenate([_NOTHING[1], *(times for _, times in pairs)])
    order = np.argsort(hashes, kind="stable")  # stable: entries of one hash stay in the order of clips
    hashes = hashes[order]
    clips = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[order]
    changes = np.diff(hashes, append=hashes[-1:] + 1) != 0
    own, ends = _run_ends(changes | (np.diff(clips, append=-1) != 0)), _run_ends(changes)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return _Index(clips, times[order], own, ends, rank, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))


def _run_ends(changes: NDArray[np.bool_]) -> Integers:
    """For each entry, where its run ends: behind the next that is the last of one."""
    last = np.flatnonzero(changes) + 1
    return np.repeat(last, np.diff(last, prepend=0))


_NOTHING = (np.empty(0, np.uint32), np.empty(0, np.int32))


def _chunks(index: _Index) -> Iterator[tuple[int, int]]:
    """Ranges of clips whose hashes meet about as many of later clips as fit in memory at a time."""
    meetings = np.concatenate([[0], np.cumsum((index.ends - index.own)[index.rank])])[index.bounds]
    first, clips = 0, len(meetings) - 1
    while first < clips:
        last = int(np.searchsorted(meetings, meetings[first] + _CHUNK, side="right")) - 1
        last = min(clips, max(last, first + 1))
        yield first, last
        first = last


def _candidates(index: _Index, first: int, last: int) -> Integers:
    """Rows of first clip, second clip and offset: for each pair with votes enough, the offset with most."""
    ranks = index.rank[index.bounds[first] : index.bounds[last]]
    counts = index.ends[ranks] - index.own[ranks]
    mine, theirs = np.repeat(ranks, counts), _runs(index.own[ranks], counts)
    # One number for each (first clip, second clip, offset); offsets lie within +-reach.
    reach = int(index.times.max(initial=0)) + 2
    pair = (index.clips[mine] - first) * np.int64(len(index.bounds)) + index.clips[theirs]
    keys, votes = np.unique(
        pair * (2 * reach) + (index.times[mine].astype(np.int64) - index.times[theirs] + reach), return_counts=True
    )
    near = votes.copy()  # a peak may fall into the next frame: neighbouring offsets vote together
    adjacent = np.diff(keys) == 1
    near[:-1] += np.where(adjacent, votes[1:], 0)
    near[1:] += np.where(adjacent, votes[:-1], 0)
    keys, near = keys[near >= _VOTES], near[near >= _VOTES]
    pair, offset = np.divmod(keys, 2 * reach)
    order = np.lexsort((offset, -near, pair))
    best = order[np.flatnonzero(np.diff(pair[order], prepend=-1))]
    one, two = np.divmod(pair[best], len(index.bounds))
    sizes = np.diff(index.bounds)
    enough = near[best] * _VOTING >= np.minimum(sizes[one + first], sizes[two])
    found: Integers = np.stack([one + first, two, offset[best] - reach], axis=1)[enough]
    return found


def _compare(fingerprints: Sequence[Fingerprint], first: int, second: int, steps: int) -> Match:
    """Count the peaks that coincide when the second clip begins about ``steps`` steps after the first."""
    a, b = fingerprints[first], fingerprints[second]
    apart = _differences(a, b)
    offset, together = _best_offset(apart, steps * STEP)
    begin, end = max(0, offset), min(a.frames, b.frames + offset)
    peaks = min(_within(a.times, begin, end), _within(b.times, begin - offset, end - offset))
    share = min(1.0, together / max(1, peaks))
    sureness = _sureness(together, (2 * _NEAR + 1) * len(apart) * max(0, end - begin) / (a.frames * b.frames))
    return Match(first, second, offset * HOP / RATE, (end - begin) * HOP / RATE, share, sureness)


def _best_offset(apart: Integers, near: int) -> tuple[int, int]:
    """The offset in frames, within a step of ``near``, at which most peaks coincide; and how many do."""
    around = apart - near + STEP + _NEAR
    width = 2 * (STEP + _NEAR) + 1
    counts = np.bincount(around[(around >= 0) & (around < width)], minlength=width)
    together = np.convolve(counts, np.ones(2 * _NEAR + 1, np.int64), mode="valid")
    ties = np.flatnonzero(together == together.max())
    best = int(ties[len(ties) // 2])
    return near - STEP + best, int(together[best])


def _sureness(together: int, chance: float) -> float:
    """-log10 of Chernoff's bound for so many coincidences where ``chance`` are expected."""
    if together <= chance:
        return 0.0
    return (chance - together + together * math.log(together / chance)) / math.log(10)


def _within(times: NDArray[np.int32], begin: int, end: int) -> int:
    return int(np.searchsorted(times, end) - np.searchsorted(times, begin))


def _differences(a: Fingerprint, b: Fingerprint) -> Integers:
    """Frames from a peak of b to one of a, for all pairs of them that differ by one bin at most."""
    order = np.argsort(b.bins, kind="stable")
    bins = b.bins[order]
    low, high = np.searchsorted(bins, a.bins - 1), np.searchsorted(bins, a.bins + 1, side="right")
    theirs = order[_runs(low, high - low)]
    return np.repeat(a.times, high - low).astype(np.int64) - b.times[theirs]


def _runs(starts: Integers, counts: Integers) -> Integers:
    """start, start + 1, ... for each start, as many as its count: in one array."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
