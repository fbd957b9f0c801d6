"""Confidence intervals for any figure of a set of clips: an error, Cavg, Cllr, a difference of two systems.

The figure is a function of the whole set, given as a function of clip numbers, so that it need not be a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import (
    BOOTSTRAP_GROUPS,
    Interval,
    expanded_tail,
    group_index,
    normal_quantile,
    t_quantile,
)

_ROUNDING = 1e-12  # a spread no larger, beside the figure, is none

Statistic = Callable[[NDArray[np.intp]], float]
"""From the numbers of clips, some of them perhaps several times, to the figure that they have together."""


def figure_interval(
    statistic: Statistic,
    clips: int,
    groups: Sequence[str | None] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> Interval:
    """A confidence interval for any figure, by the method that its groups allow.

    The units are groups; where none are known, or all clips are of one group, they are clips (and the method
    says so).

    ========================  ==============================================================================
    20 units or more          bootstrap: whole units resampled; percentiles, moved outwards as t's quantiles
                              are from the normal's
    fewer                     t: estimate -/+ t times the jackknife's standard error (each unit left out in
                              turn), units - 1 degrees of freedom
    no spread between units   Wilson: with n units alike, a share of up to w = z^2 / (n + z^2) may be unlike
                              them, anywhere within the bounds: from v - w (v - low) to v + w (high - v) for
                              the figure v. At a bound this is Wilson's interval for 0 or n of n.
    ========================  ==============================================================================

    The interval is cut off at the bounds, and always holds the figure. For an accuracy
    `gmmaudio.measures.intervals.interval` does better: it knows the variance of a share.

    A figure that resampling moves to one side, such as a calibration error (upwards) or min-Cllr
    (downwards, for its map is fitted to the resample), has an interval that leans to that side.

    Parameters
    ----------
    statistic : callable
        From (m,) int clip numbers in [0, clips), with repetitions, to a finite float. Where a resample lacks
        what it needs (a class), it may raise DataError; that resample is drawn again.
    clips : int
        The number n of clips, at least 1.
    groups : sequence of n str or None, optional
        The group of each clip; None for a clip makes it a group of its own.
    bounds : (low, high)
        Between which the figure lies, default 0 and 1; Cllr has (0, inf), a difference of shares (-1, 1).
    level : float
        The confidence level, in [0.5, 0.9999], default 0.95.
    seed : int
        Of the bootstrap, default 0: the same seed gives the same interval.
    resamples : int
        Of the bootstrap, default 2000; each evaluates the statistic once.

    Returns
    -------
    Interval
        Its method is ``"bootstrap over groups"``, ``"t over groups"``, ``"Wilson over groups"``, or the same
        over clips.

    Raises
    ------
    DataError
        ``bad_count``, ``length_mismatch``, ``bad_level``, ``bad_resamples``, ``no_interval`` where the figure
        is infinite or not a number; and what the statistic raises on all clips, on all but one unit, or on
        most resamples.

    References
    ----------
    Jackknife: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11. Resampling whole
    groups and expanded percentiles: as `gmmaudio.measures.intervals.interval`.

    Examples
    --------
    >>> costs = np.array([0.1, 0.9, 0.4, 0.3, 0.2, 1.5])
    >>> found = figure_interval(lambda chosen: costs[chosen].mean(), 6, bounds=(0, np.inf))
    >>> round(found.low, 3), round(found.high, 3), found.method
    (0.005, 1.129, 't over clips')
    """
    if clips < 1:
        raise DataError("bad_count", f"got {clips} clips; at least 1 is needed")
    if resamples < 1:
        raise DataError("bad_resamples", f"got {resamples} resamples; at least 1 is needed", "take 2000")
    index = group_index(groups, clips)
    known = 0 if index is None else int(index.max()) + 1
    unit = index if index is not None and known > 1 else np.arange(clips)
    members = np.split(np.argsort(unit, kind="stable"), np.bincount(unit).cumsum()[:-1])
    figure = _finite(statistic(np.arange(clips)))
    if len(members) < BOOTSTRAP_GROUPS:
        method, found = "t", _jackknife(statistic, members, figure, level)
    else:
        method, found = "bootstrap", _percentiles(statistic, members, level, seed, resamples)
    if found[1] - found[0] <= _ROUNDING * max(1.0, abs(figure)):
        method, found = "Wilson", _unseen(figure, bounds, len(members), level)
    low, high = max(bounds[0], min(found[0], figure)), min(bounds[1], max(found[1], figure))
    return Interval(low, high, f"{method} over {'groups' if known > 1 else 'clips'}", clips, known)


def _jackknife(
    statistic: Statistic, members: list[NDArray[np.intp]], figure: float, level: float
) -> tuple[float, float]:
    count = len(members)
    if count < 2:
        return figure, figure
    left_out = np.array([_finite(statistic(np.concatenate(members[:i] + members[i + 1 :]))) for i in range(count)])
    reach = t_quantile(count, level) * float(np.sqrt((count - 1) * left_out.var()))
    return figure - reach, figure + reach


def _percentiles(
    statistic: Statistic, members: list[NDArray[np.intp]], level: float, seed: int, resamples: int
) -> tuple[float, float]:
    draw, count = np.random.default_rng(seed), len(members)
    figures: list[float] = []
    refused = 0
    while len(figures) < resamples:
        chosen = np.concatenate([members[i] for i in draw.integers(count, size=count)])
        try:
            figures.append(_finite(statistic(chosen)))
        except DataError:
            refused += 1
            if refused > resamples:
                raise
    tail = expanded_tail(count, level)
    low, high = np.quantile(figures, [tail, 1 - tail])
    return float(low), float(high)


def _unseen(figure: float, bounds: tuple[float, float], count: int, level: float) -> tuple[float, float]:
    """What a share of the units, as large as could have stayed unseen, might move the figure to."""
    z2 = normal_quantile(level) ** 2
    share = z2 / (count + z2)
    low = figure - share * (figure - bounds[0]) if isfinite(bounds[0]) else -inf
    high = figure + share * (bounds[1] - figure) if isfinite(bounds[1]) else inf
    return low, high


def _finite(figure: float) -> float:
    if not isfinite(figure):
        raise DataError("no_interval", f"the figure is {figure}; an interval needs a finite one")
    return float(figure)
