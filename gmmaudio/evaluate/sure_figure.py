"""A figure and how sure one can be of it: how the interval is found, put into JSON, and put into few letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import Interval, group_index, interval
from gmmaudio.measures.resampling import Statistic, figure_interval

MOST_DRAWS, _LEAST_DRAWS, _WORK = 1000, 100, 3_000_000
"""Resamples, fewer where each takes long, so that a large evaluation does not wait for its intervals."""

_LETTERS = {"bootstrap": "b", "t": "t", "Wilson": "w"}
_NAMES = {"b": " (bootstrap)", "t": "", "w": " (Wilson)"}


class Figure(NamedTuple):
    """A figure and its 95 % interval; None where it cannot be had, as of an infinite cost."""

    value: float
    sure: Interval | None


def figure_of(
    statistic: Statistic,
    groups: Sequence[str | None],
    bounds: tuple[float, float] = (0.0, 1.0),
    work: int = 0,
    resamples: int = MOST_DRAWS,
) -> Figure:
    """A figure of n clips with its interval: over groups; over clips, and it says so, where groups do not allow one.

    They do not where without some one group the figure does not exist: a label whose clips are all of that group.

    Parameters
    ----------
    statistic : callable
        From (m,) clip numbers, some perhaps several times, to the figure.
    groups : sequence of n str or None
    bounds : (low, high), default (0, 1)
        Between which the figure lies.
    work : int, default n
        Values that each resample looks at: with many there are fewer resamples, 100 at least.
    resamples : int, default 1000
        Their number at most.

    Examples
    --------
    >>> right = np.array([1, 1, 0, 1])
    >>> found = figure_of(lambda chosen: float(right[chosen].mean()), ["ann", "ann", "bob", "eve"])
    >>> found.value, found.sure.method
    (0.75, 't over groups')
    """
    clips = len(groups)
    value = float(statistic(np.arange(clips)))
    draws = min(resamples, int(np.clip(_WORK / max(work, clips), _LEAST_DRAWS, MOST_DRAWS)))
    for owners in (groups, None):
        try:
            sure = figure_interval(statistic, clips, owners, bounds, resamples=draws)
        except DataError:
            continue
        known = group_index(groups, clips)
        whole = replace(sure, groups=0 if known is None else int(known.max()) + 1)
        return Figure(value, whole if np.isfinite(sure.high) else None)
    return Figure(value, None)


def share_of(right: Sequence[bool] | NDArray[np.bool_], groups: Sequence[str | None]) -> Figure:
    """The share of n clips for which something holds, with its interval.

    Examples
    --------
    >>> share_of([True, True, False, False], [None] * 4).sure.method
    'Wilson over clips'
    """
    return Figure(float(np.mean(right)), interval(right, groups))


def interval_as_plain(name: str, sure: Interval | None) -> dict[str, Any]:
    """Ready for JSON: ``NAME_interval`` [low, high], and what it rests on; the interval null where there is none.

    Examples
    --------
    >>> interval_as_plain("cavg", None)
    {'cavg_interval': None}
    """
    if sure is None:
        return {f"{name}_interval": None}
    return {
        f"{name}_interval": [sure.low, sure.high],
        f"{name}_interval_method": sure.method,
        f"{name}_clips": sure.clips,
        f"{name}_groups": sure.groups,
    }


def mark(sure: Interval) -> str:
    """The method in a letter, with a star where clips are the units.

    Examples
    --------
    >>> mark(interval([True, False], [None, None]))
    'w*'
    """
    method, _, units = sure.method.partition(" over ")
    return _LETTERS[method] + ("*" if units == "clips" else "")


def legend(marks: Iterable[str]) -> str:
    """What the marks stand for, those that occur.

    Examples
    --------
    >>> legend(["t", "w*"])
    't, w (Wilson) over groups, * over clips'
    """
    seen = set(marks)
    letters = [letter for letter in _NAMES if {letter, f"{letter}*"} & seen]
    stars = sum("*" in each for each in seen)
    units = "over groups" if not stars else "* over clips" if stars == len(seen) else "over groups, * over clips"
    return f"{', '.join(letter + _NAMES[letter] for letter in letters)} {units}"


def in_brackets(share: float | None, sure: Interval | None) -> str:
    """A share in per cent, its interval and the method's mark; a dash for none.

    Examples
    --------
    >>> in_brackets(0.5, interval([True, False], [None, None]))
    '50.0 (9.5-90.5 w*)'
    """
    if share is None:
        return "-"
    if sure is None:
        return f"{100 * share:.1f}"
    return f"{100 * share:.1f} ({100 * sure.low:.1f}-{100 * sure.high:.1f} {mark(sure)})"


def bits_in_brackets(cost: Figure) -> str:
    """A cost in bits, its interval and the method's mark.

    Examples
    --------
    >>> bits_in_brackets(Figure(0.25, Interval(0.125, 12.0, "t over groups", 9, 9)))
    '0.250 (0.125-12.0 t)'
    """
    value, sure = cost
    if sure is None:
        return bits(value)
    return f"{bits(value)} ({bits(sure.low)}-{bits(sure.high)} {mark(sure)})"


def bits(value: float) -> str:
    """A cost: three digits behind the point, or one from 10 on."""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
