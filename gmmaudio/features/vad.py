"""Which frames count: Kaldi's threshold on log energy, or a mixture of two levels fitted to the clip.

Both look at a clip's raw log energies, one number per frame, in nats: the sum of squares over the window, on the
scale of 16-bit integers, as in Kaldi.

References
----------
Povey et al. (2011), The Kaldi speech recognition toolkit; ivector/voice-activity-detection.cc.
Ashman, Bird and Zepf (1994), Detecting bimodality in astronomical datasets (when two modes are two).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Regulariser, Tied
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard

Real = NDArray[np.float32]
Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

MAX_CONTEXT = 1000  # frames
LOUDEST = 1e9  # nats, far beyond any frame's
SILENCE = 7.0  # nats: digital silence and dither lie below
POINTS = 256  # quantiles that stand for a clip's energies, however long it is
LEAST_SHARE = 0.02  # a component with less is outliers, not a level
ASHMAN = 2.0  # two normal distributions are told apart from here on


@dataclass(frozen=True)
class EnergyVad:
    """A frame is voiced when its log energy exceeds ``threshold + mean_scale * mean log energy of the clip``.

    With a ``context``, a frame is voiced when enough frames around it exceed that, itself among them.

    Parameters
    ----------
    threshold : float, default 7
        In nats. With the default (and ``mean_scale`` 0) only digital silence and dither fall below.
    mean_scale : float, default 0
        Kaldi's language recipe uses 0.5 with a threshold of 5.5: a clip's quieter half of the scale goes.
    context : int, default 0
        Frames to either side that are asked, too; fewer at the edges of the clip. More bridge short pauses, and
        drop short noises.
    proportion : float, default 0.6
        The share of them that must exceed the threshold; Kaldi's speaker recipes use 0.12 with a context of 2.

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> loud = np.array([9, 9, 0, 9, 9, 0, 0], np.float32)
    >>> EnergyVad()(loud).astype(int)
    array([1, 1, 0, 1, 1, 0, 0])
    >>> EnergyVad(context=1)(loud).astype(int)
    array([1, 1, 1, 1, 1, 0, 0])
    """

    threshold: float = SILENCE
    mean_scale: float = 0.0
    context: int = 0
    proportion: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.mean_scale <= LOUDEST:
            raise DataError("bad_setting", f"mean_scale {self.mean_scale}; 0 or more, at most {LOUDEST:g}")
        _check_level("threshold", self.threshold)
        _check_context(self.context, self.proportion)

    def __call__(self, log_energy: Real) -> Marks:
        """(n,) nats to (n,) bool."""
        if len(log_energy) == 0:
            return np.zeros(0, bool)
        mean = float(log_energy.mean(dtype=np.float64))
        loud: Marks = log_energy > self.threshold + self.mean_scale * mean
        return enough_around(loud, self.context, self.proportion)


@dataclass(frozen=True)
class MixtureVad:
    """A frame is voiced when the louder of two levels, a mixture fitted to the clip's own log energies, claims it.

    The threshold follows the recording's level and its noise. If the clip has one level only (steady noise, music,
    speech without a pause), every frame above ``silence`` is voiced. It has one level if the two means lie within
    ``separation``, or within two standard deviations (Ashman's D below 2), or if a component has less than 2 % of
    the frames or is not the likelier one at its own mean. Weak sounds at the edges of words may be lost, which
    short words feel: a ``context`` brings them back.

    Parameters
    ----------
    separation : float, default 2
        Nats between the two means (1 nat is 4.3 dB); less is one level.
    silence : float, default 7
        Frames at or below this are never voiced, and not looked at: digital silence and dither.
    context : int, default 0
    proportion : float, default 0.6
        As in ``EnergyVad``.

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> energy = np.random.default_rng(0).normal(np.repeat([10, 16], 50), 0.5).astype(np.float32)
    >>> np.flatnonzero(np.diff(MixtureVad()(energy)))
    array([49])
    """

    separation: float = 2.0
    silence: float = SILENCE
    context: int = 0
    proportion: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.separation <= LOUDEST:
            raise DataError("bad_setting", f"a separation of {self.separation} nats; more than 0, at most {LOUDEST:g}")
        _check_level("silence", self.silence)
        _check_context(self.context, self.proportion)

    def __call__(self, log_energy: Real) -> Marks:
        """(n,) nats to (n,) bool."""
        heard: Marks = log_energy > self.silence
        loud = heard & (log_energy > self._threshold(log_energy[heard]))
        return heard & enough_around(loud, self.context, self.proportion)

    def _threshold(self, log_energy: Real) -> float:
        """Where the louder level begins to be the likelier one, or minus infinity if there is one level only."""
        if len(log_energy) < 2 or np.ptp(log_energy) < self.separation:
            return -np.inf
        levels = two_levels(log_energy)
        order = levels.means[:, 0].argsort()
        (quiet, loud), weights = levels.means[order, 0], levels.weights[order]
        deviation = levels.covariance.deviations(2)[0, 0]
        threshold = (quiet + loud) / 2 + deviation**2 * np.log(weights[0] / weights[1]) / (loud - quiet)
        two = loud - quiet >= max(self.separation, ASHMAN * deviation) and weights.min() >= LEAST_SHARE
        return float(threshold) if two and quiet < threshold < loud else -np.inf


def two_levels(log_energy: Real) -> Mixture:
    """A mixture of two Gaussians of log energies (n,), fitted to evenly spaced quantiles of them.

    The two share one variance, so that the louder one's claim can only rise with the energy. EM starts from the
    quieter and the louder half: there is no chance in it.
    """
    from gmmaudio.gmm.em import Em, em, run  # scoring needs no learning code, save where a clip is fitted

    ranks = ((np.arange(POINTS) + 0.5) * len(log_energy) / POINTS).astype(np.intp)
    points = np.sort(log_energy)[ranks].astype(np.float64)
    quiet, loud = points[: POINTS // 2], points[POINTS // 2 :]
    variance = np.array([[(quiet.var() + loud.var()) / 2]])
    spread = np.array([points.var()])
    settings = Em(iterations=40, tolerance=1e-3, regulariser=Regulariser(), min_occupancy=0)
    least = settings.regulariser.least(spread)
    start = Mixture(np.full(2, 0.5), np.array([[quiet.mean()], [loud.mean()]]), Tied(np.maximum(variance, least)))
    return run([em(start, settings, spread)], [[Shard(points[:, None])]])[0].mixture


def enough_around(marks: Marks, context: int, proportion: float) -> Marks:
    """Whether at least a ``proportion`` of the marks within ``context`` frames to either side are set: (n,) to (n,)."""
    if context == 0:
        return marks
    n = len(marks)
    counts = np.concatenate([[0], np.cumsum(marks)])
    t = np.arange(n)
    first, last = np.maximum(t - context, 0), np.minimum(t + context + 1, n)
    enough: Marks = counts[last] - counts[first] >= np.float32(proportion) * (last - first).astype(np.float32)
    return enough


def _check_level(name: str, nats: float) -> None:
    if not -LOUDEST <= nats <= LOUDEST:
        raise DataError("bad_setting", f"a {name} of {nats} nats; {-LOUDEST:g} to {LOUDEST:g} are allowed")


def _check_context(context: int, proportion: float) -> None:
    if not (0 <= context <= MAX_CONTEXT and 0 < proportion < 1):
        raise DataError(
            "bad_setting",
            f"context {context} frames, proportion {proportion}; 0 to {MAX_CONTEXT}, and between 0 and 1",
        )
