"""The gate: is the answer's label a better explanation of the clip than the other labels together, and by enough?

A clip that no label explains, of another language, of music, of noise, gives no label a clear lead over the rest. The
lead of the label answered is its log-likelihood ratio against the mean of all others, from calibrated
log-likelihoods, which know how long the clip is: one threshold serves all durations. How likely a clip is as such
says little: on the synthetic languages, steady noise was likelier than speech.

`gmmaudio.classify.gate_fit` learns the threshold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.learned import thresholded
from gmmaudio.errors import DataError
from gmmaudio.tensors import require

Floats = NDArray[np.float64]

MOST_REFUSED = 0.10
UNKNOWN = "unknown"
"""What a refused clip is called; no label may be called so."""


@dataclass(frozen=True)
class Gate:
    """From which lead on an answer is given, and what that costs.

    Parameters
    ----------
    threshold : float
        The least lead in nats.
    false_accept : float
        The share of unknown clips that was to be accepted, in (0, 1).
    accepted : float
        The share that was accepted: of clips of each label, held out, at the threshold that the other labels set.
    accepted_low, accepted_high : float
        Its 95 % interval.
    refused, refused_low, refused_high : float
        The share of whole clips of known labels, of groups not heard in training, that was refused; and its interval.
    outsiders, insiders : int
        Pieces of unknown clips, and known clips, that these rest on.

    Examples
    --------
    >>> gate = Gate(1.0, 0.05, 0.06, 0.03, 0.10, 0.08, 0.05, 0.12, 400, 400)
    >>> gate.accepts(np.array([3.0, 0.0, 0.0]), 0), gate.accepts(np.array([0.5, 0.0, 0.0]), 0)
    (True, False)
    """

    threshold: float
    false_accept: float
    accepted: float
    accepted_low: float
    accepted_high: float
    refused: float
    refused_low: float
    refused_high: float
    outsiders: int
    insiders: int

    def accepts(self, log_likelihoods: Floats, place: int) -> bool:
        """Whether to answer with the label at this place.

        Parameters
        ----------
        log_likelihoods : (L,) float
            Calibrated, of all labels of the model: one that is not considered may still explain the clip better.
        place : int
        """
        return bool(lead(log_likelihoods, np.array(place)) >= self.threshold)

    @property
    def bearable(self) -> bool:
        """Whether it refuses few enough clips of known labels (10 %) to be used without being asked for."""
        return self.refused <= MOST_REFUSED

    @property
    def summary(self) -> str:
        """The threshold and what it costs, in one line."""
        usual = "" if self.bearable else "; too many, so that nothing is answered unknown unless asked for"
        return (
            f"unknown below a lead of {self.threshold:.2f} nats, set to accept {_percent(self.false_accept)} of unknown"
            f" clips: of labels held out {_percent(self.accepted)} were accepted (95 % interval"
            f" {_percent(self.accepted_low)} to {_percent(self.accepted_high)}; {self.outsiders} pieces),"
            f" of whole clips of known labels {_percent(self.refused)} were refused ({_percent(self.refused_low)} to"
            f" {_percent(self.refused_high)}; {self.insiders} clips){usual}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values that `gate_from` reads back."""
        return asdict(self)


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

    Raises
    ------
    Broken
        Naming the value.
    """
    found = thresholded(Gate, "gate", values, {"outsiders": 1, "insiders": 1})
    require(0 < found.false_accept < 1, "the gate's false_accept must lie in (0, 1)")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
