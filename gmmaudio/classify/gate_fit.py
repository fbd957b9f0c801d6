"""Learning the gate's thresholds from clips of labels that the scorer did not know, and measuring what they cost.

Pieces are gathered by their duration. Each duration gets the threshold that a given share of its outsiders reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.calibration_fit import HeldOut
from gmmaudio.classify.gate import Gate, Level, interpolated, lead
from gmmaudio.errors import DataError
from gmmaudio.measures.resampling import figure_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FALSE_ACCEPT = 0.05
RUNGS = 4
"""How many durations in a decade are told apart: 1, 1.8, 3.2, 5.6, 10 s and so on."""


def fit_gate(
    calibration: Calibration, inside: HeldOut, outside: HeldOut, false_accept: float = FALSE_ACCEPT, seed: int = 0
) -> Gate:
    """The gate that accepts a given share of unknown clips at each duration; all labels weigh the same.

    Parameters
    ----------
    calibration : Calibration
    inside : HeldOut
        Clips of labels that the scorers knew, and pieces of them. How many are refused is measured at the thresholds
        themselves; at those that outsiders of other folds, or of other labels, set, it was on average the same within
        a point on the synthetic languages.
    outside : HeldOut
        Clips of labels that they did not know, whose score is -infinity; of at least two labels.
    false_accept : float, default 0.05
        In (0, 1).
    seed : int, default 0
        Of the bootstrap behind the intervals.

    Raises
    ------
    DataError
        ``bad_setting``.
    """
    if not 0 < false_accept < 1:
        raise DataError("bad_setting", f"a false-accept rate of {false_accept}; it lies between 0 and 1", "take 0.05")
    known, unknown = best_leads(calibration, inside), best_leads(calibration, outside)
    parts = by_duration(inside, outside, least_clips(false_accept))
    frames = [part.frames for part in parts]

    def curve(kept: Flags) -> list[float]:
        """The threshold of each duration, as some of the outsiders set it."""
        chosen = [part.outside & kept for part in parts]
        return [upper_quantile(unknown[rows], balanced(outside, rows), false_accept) for rows in chosen]

    thresholds, passed = curve(np.ones(len(unknown), bool)), np.zeros(len(unknown), bool)
    for label in np.unique(outside.truth):
        own = outside.truth == label
        passed[own] = unknown[own] >= interpolated(outside.frames[own], frames, curve(~own))
    refused = known < interpolated(inside.frames, frames, thresholds)
    labels = [f"{label}" for label in outside.truth]
    levels = [
        Level(
            part.seconds, part.frames, threshold,
            *_share(passed, outside, part.outside, labels, seed),
            *_share(refused, inside, part.inside, inside.group, seed),
            int(part.outside.sum()), int(part.inside.sum()),
        )
        for part, threshold in zip(parts, thresholds, strict=True)
    ]  # fmt: skip
    return Gate(false_accept, tuple(levels))


def best_leads(calibration: Calibration, found: HeldOut) -> Floats:
    """(n,) the lead of the likeliest label of each piece."""
    likelihoods = calibration.log_likelihoods(found.scores, found.frames)
    return lead(likelihoods, likelihoods.argmax(axis=1))


@dataclass(frozen=True, eq=False)
class Part:
    """The pieces of about one duration.

    Parameters
    ----------
    seconds : float
    frames : int
        Medians.
    inside, outside : (n,) bool
        Which of the pieces these are.
    """

    seconds: float
    frames: int
    inside: Flags
    outside: Flags


def by_duration(inside: HeldOut, outside: HeldOut, least: int) -> list[Part]:
    """The pieces by duration, the shortest first.

    A duration of which there are fewer than ``least`` unknown clips, or clips of one label only, goes with the nearest
    other; all go together where none is left. Of two neighbours of which the longer has no more frames, the one with
    fewer unknown pieces does so, too: the longer, if there are as many.
    """
    ins, outs = _rungs(inside), _rungs(outside)
    kept = [rung for rung in np.unique(outs) if _enough(outside, outs == rung, least)] or [outs[0]]
    while True:
        near_in, near_out = (np.array(kept)[np.abs(rungs[:, None] - kept).argmin(axis=1)] for rungs in (ins, outs))
        parts = [_part(outside, near_in == rung, near_out == rung) for rung in kept]
        stuck = next((place for place, (one, more) in enumerate(pairwise(parts)) if more.frames <= one.frames), None)
        if stuck is None:
            return parts
        shorter, longer = (parts[place].outside.sum() for place in (stuck, stuck + 1))
        del kept[stuck + 1 if longer <= shorter else stuck]


def least_clips(false_accept: float) -> int:
    """From how many unknown clips on a duration has a threshold of its own: one of them may then be accepted."""
    return ceil(1 / false_accept)


def scarce_durations(outside: HeldOut, least: int) -> list[float]:
    """The durations in seconds, medians, that go with others because their unknown clips are too few, or of one label.

    Where there is one duration only, none does.
    """
    rungs = _rungs(outside)
    each = [rungs == rung for rung in np.unique(rungs)]
    few = [float(np.median(outside.seconds[rows])) for rows in each if not _enough(outside, rows, least)]
    return few if len(each) > 1 else []


def _rungs(found: HeldOut) -> Floats:
    result: Floats = np.round(RUNGS * np.log10(found.seconds))
    return result


def _enough(found: HeldOut, rows: Flags, least: int) -> bool:
    return len(np.unique(found.clip[rows])) >= least and len(np.unique(found.truth[rows])) > 1


def _part(outside: HeldOut, ins: Flags, outs: Flags) -> Part:
    return Part(float(np.median(outside.seconds[outs])), int(np.median(outside.frames[outs])), ins, outs)


def balanced(found: HeldOut, rows: Flags) -> Floats:
    """The weight of each of some pieces, that of every label summing to 1."""
    truth, weight = found.truth[rows], found.weight[rows]
    result: Floats = weight / np.bincount(truth, weight)[truth]
    return result


def upper_quantile(values: Floats, weight: Floats, share: float) -> float:
    """The least of the values, or what lies just above their greatest, that no more than a share reaches.

    Examples
    --------
    >>> upper_quantile(np.array([1.0, 4.0, 2.0, 3.0]), np.ones(4), 0.5)
    3.0
    """
    order = np.argsort(values)
    ranked, mass = values[order], np.cumsum(weight[order][::-1])[::-1] / weight.sum()
    first = np.searchsorted(ranked, ranked, side="left")  # equal values are reached together
    enough = np.flatnonzero(mass[first] <= share + 1e-12)
    return float(ranked[enough[0]]) if len(enough) else float(np.nextafter(ranked[-1], np.inf))


def _share(
    flags: Flags, found: HeldOut, rows: Flags, groups: Sequence[str | None], seed: int
) -> tuple[float, float, float]:
    """The share of some pieces that has a flag, all labels weighing the same; and its interval over groups."""
    chosen, weight = flags[rows], balanced(found, rows)
    owners = [group for group, own in zip(groups, rows, strict=True) if own]

    def share(some: NDArray[np.intp]) -> float:
        return float(np.average(chosen[some], weights=weight[some]))

    sure = figure_interval(share, len(chosen), owners, seed=seed, resamples=1000)
    return share(np.arange(len(chosen))), sure.low, sure.high
