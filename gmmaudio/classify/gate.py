"""The gate: is the answer's label a better explanation of the clip than the other labels together, and by enough?

A clip that no label explains, of another language, of music, of noise, gives no label a clear lead over the rest. The
lead of the label answered is its log-likelihood ratio against the mean of all others, from calibrated
log-likelihoods. How likely a clip is as such says little: on the synthetic languages, steady noise was likelier than
speech.

The less is heard, the smaller is the lead of any label, right or wrong. So the lead that is demanded depends on the
number of frames: learned at a few durations, between them it changes linearly with the logarithm of that number, and
beyond them it stays. `gmmaudio.classify.gate_fit` learns it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.learned import number, table, thresholded
from gmmaudio.errors import DataError
from gmmaudio.tensors import require

Floats = NDArray[np.float64]

MOST_REFUSED = 0.10
MOST_LEVELS = 100
UNKNOWN = "unknown"
"""What a refused clip is called; no label may be called so."""


@dataclass(frozen=True)
class Level:
    """What is demanded of clips of about one duration, and what that costs.

    Parameters
    ----------
    seconds : float
        How long they are, typically; 0 where that is not known.
    frames : int
        Their number of frames, typically.
    threshold : float
        The least lead in nats with which such a clip is answered.
    accepted : float
        The share of unknown clips that was accepted: of clips of each label, held out, at the thresholds that the other
        labels set.
    accepted_low, accepted_high : float
        Its 95 % interval.
    refused, refused_low, refused_high : float
        The share of clips of known labels, of groups not heard in training, that was refused; and its interval.
    outsiders, insiders : int
        Pieces of unknown clips, and of known clips, that these rest on.
    """

    seconds: float
    frames: int
    threshold: float
    accepted: float
    accepted_low: float
    accepted_high: float
    refused: float
    refused_low: float
    refused_high: float
    outsiders: int
    insiders: int

    @property
    def bearable(self) -> bool:
        """Whether few enough clips of known labels are refused (10 %) to do so without being asked."""
        return self.refused <= MOST_REFUSED

    @property
    def duration(self) -> str:
        """How long they are, in words."""
        return f"{self.seconds:.3g} s ({self.frames} frames)"


@dataclass(frozen=True)
class Gate:
    """From which lead on an answer is given, and what that costs.

    Parameters
    ----------
    false_accept : float
        The share of unknown clips that was to be accepted, in (0, 1).
    levels : tuple of Level
        At least one; their frames increase.

    Examples
    --------
    >>> second = Level(1.0, 98, 1.0, 0.06, 0.03, 0.10, 0.30, 0.20, 0.40, 400, 400)
    >>> minute = Level(60.0, 5998, 3.0, 0.06, 0.03, 0.10, 0.02, 0.01, 0.05, 400, 400)
    >>> gate = Gate(0.05, (second, minute))
    >>> gate.threshold(50), gate.threshold(round((98 * 5998) ** 0.5)).round(3), gate.threshold(7000)
    (np.float64(1.0), np.float64(2.0), np.float64(3.0))
    >>> gate.accepts(np.array([2.0, 0.0, 0.0]), 0, frames=98), gate.accepts(np.array([2.0, 0.0, 0.0]), 0, frames=6000)
    (True, False)
    >>> gate.bearable(98), gate.bearable(5998)
    (False, True)
    """

    false_accept: float
    levels: tuple[Level, ...]

    def threshold(self, frames: int | NDArray[np.integer]) -> Floats:
        """The least lead in nats with which a clip of so many frames is answered; as ``frames``, at least 1."""
        return self._between(frames, [level.threshold for level in self.levels])

    def refused(self, frames: int | NDArray[np.integer]) -> Floats:
        """The share of clips of known labels, of so many frames, that are refused; as ``frames``."""
        return self._between(frames, [level.refused for level in self.levels])

    def bearable(self, frames: int) -> bool:
        """Whether few enough of them are (10 %) to refuse one without being asked."""
        return bool(self.refused(frames) <= MOST_REFUSED)

    def too_short(self, frames: int) -> bool:
        """Whether that is not so, but is for longer clips."""
        return not self.bearable(frames) and any(level.bearable and level.frames > frames for level in self.levels)

    def accepts(self, log_likelihoods: Floats, place: int, frames: int) -> bool:
        """Whether to answer with the label at this place.

        Parameters
        ----------
        log_likelihoods : (L,) float
            Calibrated, of all labels of the model: one that is not considered may still explain the clip better.
        place : int
        frames : int
            That they rest on.
        """
        return bool(lead(log_likelihoods, np.array(place)) >= self.threshold(frames))

    def _between(self, frames: int | NDArray[np.integer], values: list[float]) -> Floats:
        return interpolated(frames, [level.frames for level in self.levels], values)

    @property
    def summary(self) -> dict[str, str]:
        """The threshold at each duration and what it costs, in words."""
        several = len(self.levels) > 1  # a single one counts for all clips
        return {level.duration if several else "any duration": self._told(level) for level in self.levels}

    def _told(self, level: Level) -> str:
        usual = "used" if level.bearable else "too many, so that nothing is answered unknown there unless asked for"
        return (
            f"below a lead of {level.threshold:.2f} nats, set to accept {_percent(self.false_accept)} of unknown clips:"
            f" of labels held out {_percent(level.accepted)} were accepted (95 % interval"
            f" {_percent(level.accepted_low)} to {_percent(level.accepted_high)}; {level.outsiders} pieces),"
            f" of known labels {_percent(level.refused)} were refused ({_percent(level.refused_low)} to"
            f" {_percent(level.refused_high)}; {level.insiders} pieces); {usual}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values that `gate_from` reads back."""
        return {"false_accept": self.false_accept, "levels": [asdict(level) for level in self.levels]}


def interpolated(frames: int | NDArray[np.integer], at: list[int], values: list[float]) -> Floats:
    """Values between those that are known at some numbers of frames: linear in the logarithm, and constant outside.

    Examples
    --------
    >>> interpolated(np.array([5, 10, 30, 90, 1000]), [10, 90], [1.0, 2.0])
    array([1. , 1. , 1.5, 2. , 2. ])
    """
    result: Floats = np.interp(np.log(frames), np.log(at), values)
    return result


def lead(log_likelihoods: Floats, place: NDArray[np.integer]) -> Floats:
    """The log-likelihood ratio of one label against the mean likelihood of all others, in nats.

    Parameters
    ----------
    log_likelihoods : (..., L) float
        -infinity for labels that the scorer does not know: they are not among the others. At least one other is.
    place : (...) int

    Returns
    -------
    (...) float

    Examples
    --------
    >>> lead(np.log([0.5, 0.25, 0.25]), np.array(0)).round(3)           # log(0.5 / 0.25)
    np.float64(0.693)
    """
    at = np.asarray(place)[..., None]
    own = np.take_along_axis(log_likelihoods, at, -1)[..., 0]
    others = np.where(np.arange(log_likelihoods.shape[-1]) == at, -np.inf, log_likelihoods)
    counts = np.isfinite(others).sum(axis=-1)
    result: Floats = own - np.logaddexp.reduce(others, axis=-1) + np.log(counts)
    return result


def refuse_reserved(labels: Collection[str]) -> None:
    """Raise ``reserved_label`` if a label bears the name of the answer that there is none.

    Examples
    --------
    >>> refuse_reserved(["cat", "dog"])
    """
    if UNKNOWN in labels:
        raise DataError(
            "reserved_label",
            f"a label is called {UNKNOWN!r}, which is the answer to clips that no label explains",
            "leave these clips out, or give them the name of what they are",
        )


def gate_from(values: object) -> Gate:
    """The gate that plain values from a file describe, every one of them checked.

    Gates once had one threshold for all durations, and its figures, in the place of levels: they are read as well.

    Raises
    ------
    Broken
        Naming the value.
    """
    if isinstance(values, Mapping) and "threshold" in values:
        level = {"seconds": 0.0, "frames": 1, **values}
        values = {"false_accept": level.pop("false_accept", None), "levels": [level]}
    found = table(values, "gate", Gate.__dataclass_fields__)
    share, levels = found["false_accept"], found["levels"]
    require(number(share) and 0 < share < 1, "the gate's false_accept must lie in (0, 1)")
    fits = isinstance(levels, list) and 1 <= len(levels) <= MOST_LEVELS
    require(fits, f"the gate's levels must be a list of 1 to {MOST_LEVELS}")
    read = tuple(_level_from(level) for level in levels)
    require(all(a.frames < b.frames for a, b in pairwise(read)), "the frames of the gate's levels must increase")
    return Gate(float(share), read)


def _level_from(values: object) -> Level:
    level = thresholded(Level, "gate", values, {"frames": 1, "outsiders": 1, "insiders": 1}, ("threshold", "seconds"))
    require(level.seconds >= 0, "the gate's seconds must not be negative")
    return level


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
