"""Learning the gate's threshold from clips of labels that the scorer did not know, and measuring what it costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.calibration_fit import HeldOut
from gmmaudio.classify.gate import Gate, lead
from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import Interval
from gmmaudio.measures.resampling import figure_interval

Floats = NDArray[np.float64]

FALSE_ACCEPT = 0.05


def fit_gate(
    calibration: Calibration, inside: HeldOut, outside: HeldOut, false_accept: float = FALSE_ACCEPT, seed: int = 0
) -> Gate:
    """The gate that accepts a given share of unknown clips; all labels weigh the same.

    Parameters
    ----------
    calibration : Calibration
    inside : HeldOut
        Clips of labels that the scorers knew. How many are refused is measured on whole clips: it depends on
        the duration, as the share of unknown clips accepted hardly does.
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
    weight, truth = balanced(outside), outside.truth
    threshold = upper_quantile(unknown, weight, false_accept)
    without = {
        own: upper_quantile(unknown[truth != own], weight[truth != own], false_accept) for own in np.unique(truth)
    }
    passed = unknown >= np.array([without[own] for own in truth])
    accepted, among = _share(passed, weight, [f"{own}" for own in truth], seed)
    whole = np.unique(inside.clip, return_index=True)[1]  # the first piece of each clip
    groups = [inside.group[i] for i in whole]
    refused, within = _share(known[whole] < threshold, balanced(inside)[whole], groups, seed)
    return Gate(
        threshold, false_accept, accepted, among.low, among.high, refused, within.low, within.high,
        len(unknown), len(whole),
    )  # fmt: skip


def best_leads(calibration: Calibration, found: HeldOut) -> Floats:
    """(n,) the lead of the likeliest label of each piece."""
    likelihoods = calibration.log_likelihoods(found.scores, found.frames)
    return lead(likelihoods, likelihoods.argmax(axis=1))


def balanced(found: HeldOut) -> Floats:
    """(n,) the weight of each piece, that of every label summing to 1."""
    totals = np.bincount(found.truth, found.weight)
    weight: Floats = found.weight / totals[found.truth]
    return weight


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


def _share(flags: NDArray[np.bool_], weight: Floats, groups: list[str | None], seed: int) -> tuple[float, Interval]:
    """A weighted share of the pieces, and its interval over groups."""

    def share(chosen: NDArray[np.intp]) -> float:
        return float(np.average(flags[chosen], weights=weight[chosen]))

    return share(np.arange(len(flags))), figure_interval(share, len(flags), groups, seed=seed, resamples=1000)
