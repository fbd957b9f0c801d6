"""How sure one can be of a figure: confidence intervals that know which clips belong together.

Clips of one group (speaker, artist, source recording) are alike, so a thousand clips of six speakers may tell
little more about the next speaker than six clips would. Whole groups are therefore the units here wherever
groups are known. `interval` serves an accuracy, the ratio of two sums over groups: clips right to clips;
`gmmaudio.measures.resampling` serves any other figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtrit

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import flags

BOOTSTRAP_GROUPS = 20
"""From this number of groups up the bootstrap is used; fewer have too few different resamples."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval for an accuracy or another figure, and what it rests on.

    Attributes
    ----------
    low, high : float
        low <= figure <= high and low < high, within the bounds of the figure: 0 and 1 for an accuracy.
    method : str
        ``"bootstrap over groups"``, ``"t over groups"``, ``"Wilson over groups"``, or the like over clips.
    clips : int
        The number of clips.
    groups : int
        The number of groups, a clip without one being a group of its own; 0 if no clip has a group.
    """

    low: float
    high: float
    method: str
    clips: int
    groups: int


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion of n independent trials.

    Parameters
    ----------
    right : int
        Successes, 0 to n.
    n : int
        Trials, at least 1.
    level : float
        The confidence level, in [0.5, 0.9999], default 0.95.

    Returns
    -------
    (low, high) : tuple of float
        In [0, 1]; contains right / n; never of zero width, also at 0 and at n.

    Raises
    ------
    DataError
        ``bad_count`` or ``bad_level``.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927, 209-212;
    method 3 of Newcombe, Statistics in Medicine 17, 1998, 857-872.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    if not 0 <= right <= n or n < 1:
        raise DataError("bad_count", f"got {right} right of {n}; 0 <= right <= n and n >= 1 are needed")
    z = normal_quantile(level)
    share = right / n
    centre = share + z * z / (2 * n)
    spread = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and at n one bound is the share itself; rounding must not move it past.
    low = 0.0 if right == 0 else (centre - spread) / scale
    high = 1.0 if right == n else (centre + spread) / scale
    return float(low), float(high)


def interval(
    correct: ArrayLike,
    groups: Sequence[str | None] | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> Interval:
    """A confidence interval for the accuracy, by the method that its groups allow.

    ====================================  ===============================================================
    no groups known, or all in one        Wilson over clips
    every clip right, or every one wrong  Wilson over groups: n is the number of groups, on the safe side,
                                          for how much the groups differ cannot be seen
    fewer than 20 groups                  t over groups: ratio estimator, groups - 1 degrees of freedom, on
                                          the logit scale
    20 groups or more                     bootstrap over groups: whole groups resampled; percentiles,
                                          moved outwards as t's quantiles are from the normal's
    ====================================  ===============================================================

    The two group intervals are widened, where needed, to hold Wilson's over clips: clips of one group never
    tell more than as many independent clips. (Surveys do the same when they cut off design effects below 1.)
    So the interval always contains the accuracy, has a width, and stays within [0, 1].

    Parameters
    ----------
    correct : (n,) bool
        Whether each clip was decided rightly.
    groups : sequence of n str or None, optional
        The group of each clip; None for a clip makes it a group of its own. If all are None, no groups are
        known.
    level : float
        The confidence level, in [0.5, 0.9999], default 0.95.
    seed : int
        Of the bootstrap, default 0: the same seed gives the same interval.
    resamples : int
        Of the bootstrap, default 2000; more make the bounds steadier.

    Returns
    -------
    Interval

    Raises
    ------
    DataError
        ``bad_shape`` (not a non-empty (n,) of True and False), ``length_mismatch``, ``bad_level`` or
        ``bad_resamples``.

    References
    ----------
    Ratio estimator and its variance: Cochran, "Sampling Techniques", 3rd ed., 1977, section 3.12 (proportions
    in cluster sampling). Logit scale: as R's survey::svyciprop, method "xlogit". Resampling whole groups:
    Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8. Expanded percentiles:
    Hesterberg, "What Teachers Should Know about the Bootstrap", arXiv:1411.5279.

    Examples
    --------
    >>> speakers = ["ann"] * 3 + ["bob"] * 3 + ["eve"] * 2
    >>> interval([1, 1, 1, 1, 0, 0, 1, 1], speakers).method
    't over groups'
    >>> perfect = interval([True] * 8, speakers)
    >>> round(perfect.low, 3), perfect.high, perfect.method
    (0.439, 1.0, 'Wilson over groups')
    """
    if resamples < 1:
        raise DataError("bad_resamples", f"got {resamples} resamples; at least 1 is needed", "take 2000")
    right = flags(correct)
    hits, sizes = _totals(right, groups)
    clips, count = len(right), len(sizes)
    over_clips = wilson(int(right.sum()), clips, level)
    if count < 2:
        return Interval(*over_clips, "Wilson over clips", clips, count)
    if right.all() or not right.any():
        return Interval(*wilson(count * bool(right[0]), count, level), "Wilson over groups", clips, count)
    if count < BOOTSTRAP_GROUPS:
        method, bounds = "t over groups", _t_bounds(hits, sizes, level)
    else:
        method, bounds = "bootstrap over groups", _bootstrap_bounds(hits, sizes, level, seed, resamples)
    low, high = max(0.0, min(bounds[0], over_clips[0])), min(1.0, max(bounds[1], over_clips[1]))
    return Interval(low, high, method, clips, count)


def _t_bounds(hits: NDArray[np.int64], sizes: NDArray[np.int64], level: float) -> tuple[float, float]:
    """logit(share) -/+ t error: the variance of a ratio is that of the groups' residuals, linearised."""
    count, clips = len(sizes), sizes.sum()
    share = hits.sum() / clips
    error = np.sqrt(count / (count - 1) * np.sum((hits - share * sizes) ** 2)) / clips
    # The derivative of the logit carries the error over to its scale, where the interval may be symmetric.
    reach = t_quantile(count, level) * error / (share * (1 - share))
    return float(expit(logit(share) - reach)), float(expit(logit(share) + reach))


def _bootstrap_bounds(
    hits: NDArray[np.int64], sizes: NDArray[np.int64], level: float, seed: int, resamples: int
) -> tuple[float, float]:
    """Expanded percentiles of the share over resamples of the groups, one at a time to bound the memory."""
    draw, count = np.random.default_rng(seed), len(sizes)
    shares = np.empty(resamples)
    for i in range(resamples):
        chosen = draw.integers(count, size=count)
        shares[i] = hits[chosen].sum() / sizes[chosen].sum()
    tail = expanded_tail(count, level)
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)


def _totals(
    right: NDArray[np.bool_], groups: Sequence[str | None] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Clips right and clips of each group, in the order in which the groups first occur."""
    index = group_index(groups, len(right))
    if index is None:
        return right[:0].astype(np.int64), right[:0].astype(np.int64)
    return np.bincount(index, weights=right).astype(np.int64), np.bincount(index).astype(np.int64)


def group_index(groups: Sequence[str | None] | None, clips: int) -> NDArray[np.intp] | None:
    """(n,) number of each clip's group, in the order in which they first occur; None if no groups are known."""
    if groups is not None and len(groups) != clips:
        raise DataError("length_mismatch", f"got {clips} clips and {len(groups)} groups; one each is needed")
    if groups is None or all(group is None for group in groups):
        return None
    places: dict[object, int] = {}
    index = [places.setdefault((i,) if group is None else group, len(places)) for i, group in enumerate(groups)]
    return np.array(index, dtype=np.intp)


def normal_quantile(level: float) -> float:
    """How many standard errors an interval reaches to either side."""
    return float(ndtri(0.5 + _checked(level) / 2))


def t_quantile(count: int, level: float) -> float:
    """The same, where the standard error was estimated from this number of units."""
    return float(stdtrit(count - 1, 0.5 + _checked(level) / 2))


def expanded_tail(count: int, level: float) -> float:
    """The share of resamples to leave out at either end, for this number of units."""
    return float(ndtr(-t_quantile(count, level) * np.sqrt(count / (count - 1))))


def _checked(level: float) -> float:
    if not 0.5 <= level <= 0.9999:
        raise DataError("bad_level", f"got the confidence level {level}; it lies in [0.5, 0.9999]", "take 0.95")
    return level
