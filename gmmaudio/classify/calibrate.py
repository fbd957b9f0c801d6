"""Calibration: from a clip's scores and its number of frames to log-likelihoods that can be taken at their word.

A mixture's log-likelihood over a clip is far too sure, for the frames of a clip are not independent, and what is
odd about a voice or a recording stays odd however long it goes on. So n frames are worth

    g(n) = n / (n + half)

of what an endless clip would be worth, and the log-likelihood of label k, in nats and up to a constant per clip, is

    l_k = g(n) (scale s_k + long_k) + (1 - g(n)) short_k

where s_k is the score: mean per frame, or a logit per clip. The offsets correct labels that score too high or too
low, in long clips and in short ones. Posteriors are the softmax of l + log prior, so that priors, and labels left
out, need no new training. `gmmaudio.classify.calibration_fit` learns the numbers.

References
----------
Affine calibration of multiclass scores: Brümmer and van Leeuwen, "On calibration of language recognition scores",
Odyssey 2006. Saturation with duration: if a label's mean score varies between recordings with variance B and between
frames with W, that of n frames has variance B + W / n, and its worth in nats goes with 1 / (B + W / n); half = W / B.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.learned import count, number, table
from gmmaudio.tensors import require

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How scores become log-likelihoods.

    Parameters
    ----------
    scale : float
        Nats per unit of score in an endless clip, above 0.
    half : float
        Frames that are worth half of endlessly many, above 0.
    long, short : tuple of L float
        Offsets in nats, one per label: of an endless clip, and of one without frames.
    shortest : int
        Frames of the shortest clip that it was learned from.
    clips, groups : int
        Clips that it was learned from, and groups among them (0: none known).

    Examples
    --------
    >>> calibration = Calibration(2.0, 100.0, (0.0, 0.0), (0.0, 0.0), 10, 40, 8)
    >>> calibration.log_likelihoods(np.array([3.0, 1.0]), 100)     # half of 2 x 3 and of 2 x 1
    array([3., 1.])
    """

    scale: float
    half: float
    long: tuple[float, ...]
    short: tuple[float, ...]
    shortest: int
    clips: int
    groups: int

    def log_likelihoods(self, scores: Floats, frames: int | NDArray[np.integer]) -> Floats:
        """Log-likelihoods in nats, up to a constant per clip.

        Parameters
        ----------
        scores : (L,) or (n, L) float
        frames : int, or (n,) int
            The number of frames that each clip's scores rest on, at least 1.

        Returns
        -------
        As ``scores``.
        """
        share = worth(np.asarray(frames), self.half)[..., None]
        result: Floats = share * (self.scale * scores + np.array(self.long)) + (1 - share) * np.array(self.short)
        return result

    @property
    def summary(self) -> str:
        """What it was learned from, and what it says of durations, in one line."""
        known = f"{self.groups} groups" if self.groups else "no groups known"
        return (
            f"calibrated on {self.clips} clips held out ({known}); {self.half:g} frames are worth half of an endless"
            f" clip; the shortest had {self.shortest}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values that `calibration_from` reads back."""
        return {**asdict(self), "long": list(self.long), "short": list(self.short)}


def worth(frames: NDArray[np.integer], half: float) -> Floats:
    """g(n): the share of an endless clip's evidence that n frames hold, in (0, 1).

    Examples
    --------
    >>> worth(np.array([100, 300]), half=100.0)
    array([0.5 , 0.75])
    """
    return np.asarray(frames / (frames + half))


def calibration_from(values: object, labels: int) -> Calibration:
    """The calibration of so many labels that plain values from a file describe, every one of them checked.

    Raises
    ------
    Broken
        Naming the value.
    """
    found = table(values, "calibration", Calibration.__dataclass_fields__)
    for name in ("scale", "half"):
        require(number(found[name]) and found[name] > 0, f"the calibration's {name} must be a finite number above 0")
    for name in ("long", "short"):
        right = isinstance(found[name], list) and len(found[name]) == labels and all(map(number, found[name]))
        require(right, f"the calibration's {name} must be one finite number per label")
    for name, least in (("shortest", 1), ("clips", 1), ("groups", 0)):
        require(count(found[name], least), f"the calibration's {name} must be a whole number of at least {least}")
    return Calibration(
        float(found["scale"]),
        float(found["half"]),
        tuple(map(float, found["long"])),
        tuple(map(float, found["short"])),
        found["shortest"],
        found["clips"],
        found["groups"],
    )
