"""Which clips of many are copies of one another: pairs of peaks vote for an offset, and the peaks decide.

    fingerprints -> index of pair hashes -> pairs of clips with votes for one offset -> peaks that coincide there

`gmmaudio.features.candidates` makes it quick: only clips that share pairs of peaks at one offset are looked at
closely. There, the peaks of both that lie on the same point (two frames and a bin either way) are counted in the part
where the clips overlap, and held against what chance gives: for peaks of the same frequencies, scattered evenly over
time.

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
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.features.candidates import NO_PAIRS, VOTES, Integers, candidates, runs
from gmmaudio.features.fingerprint import HOP, RATE, STEP, Fingerprint, pair_hashes

SURE = 17.0
"""Decimal digits: chance must give so many matching peaks in fewer than one of 10^SURE trials."""

SHARE = 0.25
"""The share of the peaks, where two clips overlap, that must match."""

_AMPLE = 100  # peaks, by which a copy is sure to be known
_NEAR = 2  # frames either way within which two peaks coincide: 16 ms


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
    return len(pair_hashes(peaks)[0]) >= VOTES and _compare([peaks, peaks], 0, 1, 0).sureness >= SURE


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
    pairs = [pair_hashes(each) if comparable(each) else NO_PAIRS for each in fingerprints]
    found: list[Match] = []
    for first, second, offset in candidates(pairs, jobs):
        match = _compare(fingerprints, first, second, offset)
        if match.share >= SHARE and match.sureness >= SURE:
            found.append(match)
    return found


def _compare(fingerprints: Sequence[Fingerprint], first: int, second: int, steps: int) -> Match:
    """Count the peaks that coincide when the second clip begins about ``steps`` steps after the first."""
    a, b = fingerprints[first], fingerprints[second]
    offset, together = _best_offset(a, b, steps * STEP)
    begin, end = max(0, offset), min(a.frames, b.frames + offset)
    peaks = min(_within(a.times, begin, end), _within(b.times, begin - offset, end - offset))
    share = min(1.0, together / max(1, peaks))
    sureness = _sureness(together, (2 * _NEAR + 1) * _alike(a, b) * max(0, end - begin) / (a.frames * b.frames))
    return Match(first, second, offset * HOP / RATE, (end - begin) * HOP / RATE, share, sureness)


def _best_offset(a: Fingerprint, b: Fingerprint, near: int) -> tuple[int, int]:
    """The offset in frames, within a step of ``near``, at which most peaks coincide; and how many do."""
    reach = STEP + _NEAR
    counts = np.bincount(_differences(a, b, near, reach) + reach, minlength=2 * reach + 1)
    together = np.convolve(counts, np.ones(2 * _NEAR + 1, np.int64), mode="valid")
    ties = np.flatnonzero(together == together.max())
    best = int(ties[len(ties) // 2])
    return near - STEP + best, int(together[best])


def _differences(a: Fingerprint, b: Fingerprint, near: int, reach: int) -> Integers:
    """By how many frames, ``reach`` at most, more than ``near`` a peak of a comes later than one of b's.

    For all pairs of peaks that differ by one bin at most.
    """
    order = np.argsort(b.bins, kind="stable")  # by bin, then by time
    times, span = b.times[order], b.frames + 1  # a bin and a time as one number: bin * span + time
    places = b.bins[order].astype(np.int64) * span + times
    bins = (a.bins + np.array([[-1], [0], [1]])) * span
    begin = np.searchsorted(places, bins + np.clip(a.times - near - reach, 0, b.frames)).ravel()
    end = np.searchsorted(places, bins + np.clip(a.times - near + reach + 1, 0, b.frames)).ravel()
    return np.repeat(np.tile(a.times, 3), end - begin) - times[runs(begin, end - begin)] - near


def _alike(a: Fingerprint, b: Fingerprint) -> int:
    """Pairs of peaks that differ by one bin at most."""
    width = max(a.bins.max(initial=0), b.bins.max(initial=0)) + 2
    one, two = np.bincount(a.bins, minlength=width), np.bincount(b.bins, minlength=width)
    return int(one @ np.convolve(two, [1, 1, 1], mode="same"))


def _sureness(together: int, chance: float) -> float:
    """-log10 of Chernoff's bound for so many coincidences where ``chance`` are expected."""
    if together <= chance:
        return 0.0
    return (chance - together + together * math.log(together / chance)) / math.log(10)


def _within(times: NDArray[np.int32], begin: int, end: int) -> int:
    return int(np.searchsorted(times, end) - np.searchsorted(times, begin))
