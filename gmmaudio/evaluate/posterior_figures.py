"""Figures that need posteriors, each with its interval: Cavg, Cllr, min-Cllr, the expected calibration error.

The posteriors are those under equal priors, so that their logarithms are log-likelihoods. A posterior of 0, which
only rounding gives, counts as 1e-300: about a thousand bits where it was the right label's. Clips of labels that the
model cannot answer count in Cavg, as out of set, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.evaluate.sure_figure import Figure, figure_of, interval_as_plain
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.checks import OUT_OF_SET, places
from gmmaudio.measures.language import average_cost
from gmmaudio.measures.multiclass import class_cllr, detection_llrs, min_class_cllr

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Prediction

Floats = NDArray[np.float64]

LEAST = 1e-300
RESAMPLES = 200  # min-Cllr takes milliseconds each


@dataclass(frozen=True, eq=False)
class Clips:
    """What the figures are computed from.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's label; `OUT_OF_SET` for one that the model cannot answer.
    posteriors, llrs : (n, L) float
        The latter as `gmmaudio.measures.multiclass.detection_llrs`.
    accepted : (n, L) bool
        Each label for which the likelihood exceeds the mean of the others; none of a clip that was refused.
    """

    truth: NDArray[np.intp]
    posteriors: Floats
    llrs: Floats
    accepted: NDArray[np.bool_]

    @property
    def inside(self) -> NDArray[np.intp]:
        """The clips whose label the model can answer."""
        return np.flatnonzero(self.truth != OUT_OF_SET)

    def among(self, chosen: NDArray[np.intp]) -> Clips:
        return Clips(self.truth[chosen], self.posteriors[chosen], self.llrs[chosen], self.accepted[chosen])


def _cavg(clips: Clips) -> float:
    return average_cost(clips.truth, clips.accepted).average


def _cllr(clips: Clips) -> float:
    return _mean(class_cllr(clips.truth, clips.llrs))


def _min_cllr(clips: Clips) -> float:
    return _mean(min_class_cllr(clips.truth, clips.llrs))


def _calibration_error(clips: Clips) -> float:
    right = clips.posteriors.argmax(axis=1) == clips.truth
    return reliability(right, np.minimum(clips.posteriors.max(axis=1), 1.0)).error


FIGURES: Mapping[str, tuple[Callable[[Clips], float], float]] = {
    "cavg": (_cavg, 1.0),
    "cllr": (_cllr, inf),
    "min_cllr": (_min_cllr, 1.0),
    "calibration_error": (_calibration_error, 1.0),
}
"""By name: the figure, and the greatest value that it can have. All are 0 at best; Cllr and min-Cllr are in bits."""


TITLES = {
    "cavg": "Cavg",
    "cllr": "Cllr (bits)",
    "min_cllr": "min-Cllr (bits)",
    "calibration_error": "calibration error",
}


def posterior_figures(
    truth: Sequence[str],
    answers: Sequence[str | None],
    posteriors: Sequence[Mapping[str, float]],
    labels: Sequence[str],
    groups: Sequence[str | None],
) -> dict[str, Figure]:
    """Cavg, Cllr, min-Cllr and calibration error of n clips, with intervals over groups.

    Parameters
    ----------
    truth : sequence of n str
    answers : sequence of n str or None
        None where refused: Cavg takes it that no label was accepted.
    posteriors : sequence of n dict
        Over all of ``labels``, under equal priors.
    labels : sequence of L str
        What the model can answer.
    groups : sequence of n str or None

    Returns
    -------
    dict of str to Figure
        "cavg": NIST's average cost, each label accepted where its likelihood exceeds the mean of the others;
        "cllr", "min_cllr": means over the labels of `gmmaudio.measures.multiclass.class_cllr` and ``min_class_cllr``;
        "calibration_error": of the likeliest label, refused or not. Empty where fewer than two of the labels have
        clips.

    Examples
    --------
    >>> sure = [{"cat": 0.9, "dog": 0.1}, {"cat": 0.1, "dog": 0.9}]
    >>> found = posterior_figures(["cat", "dog"], ["cat", "dog"], sure, ["cat", "dog"], [None, None])
    >>> found["cavg"][0], round(found["cllr"][0], 3), found["min_cllr"][0]      # log2(1 / 0.9)
    (0.0, 0.152, 0.0)
    """
    every = _clips(truth, answers, posteriors, labels)
    if every is None:
        return {}
    chosen = {"cavg": np.arange(len(truth))}
    return {
        name: _figure(figure, most, every, chosen.get(name, every.inside), groups)
        for name, (figure, most) in FIGURES.items()
    }


def figures_of(predictions: Sequence[Prediction], labels: Sequence[str]) -> dict[str, Figure]:
    """`posterior_figures` of decisions; empty unless every one has posteriors over all labels of the model."""
    said = _posteriors(predictions, labels)
    truth, answers = [clip.truth for clip in predictions], [clip.label for clip in predictions]
    return posterior_figures(truth, answers, said, labels, [clip.group for clip in predictions]) if said else {}


def clips_of(predictions: Sequence[Prediction], labels: Sequence[str]) -> Clips | None:
    """What the figures of decisions are computed from; None where there are none."""
    said = _posteriors(predictions, labels)
    truth, answers = [clip.truth for clip in predictions], [clip.label for clip in predictions]
    return _clips(truth, answers, said, labels) if said else None


def _posteriors(predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Mapping[str, float]]:
    """Of all clips, or none."""
    said = [clip.decision.posteriors for clip in predictions if clip.decision is not None]
    return said if len(said) == len(predictions) and all(set(one) == set(labels) for one in said) else []


def _clips(
    truth: Sequence[str],
    answers: Sequence[str | None],
    posteriors: Sequence[Mapping[str, float]],
    labels: Sequence[str],
) -> Clips | None:
    """None where fewer than two of the labels have clips."""
    rows = places(truth, labels)
    if len(labels) < 2 or len(set(rows.tolist()) - {OUT_OF_SET}) < 2:
        return None
    table = np.array([[found[label] for label in labels] for found in posteriors])
    llrs = detection_llrs(np.log(np.maximum(table, LEAST)))
    accepted = (llrs >= 0) & np.array([answer is not None for answer in answers])[:, None]
    return Clips(rows, table, llrs, accepted)


def as_plain(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Ready for JSON: each figure, and under its name and ``_interval`` [low, high], or null, with what it rests on."""
    plain: dict[str, Any] = {}
    for name, (value, sure) in figures.items():
        plain |= {name: value, **interval_as_plain(name, sure)}
    return plain


def figure_lines(figures: Mapping[str, Figure], calibrated: bool, clips: int) -> list[str]:
    """The figures for the terminal, one a line; how many clips, where these are not all."""
    doubt = "" if calibrated else "; posteriors not calibrated"
    return [f"{TITLES[name]:19}{shown_figure(figure, clips)}{doubt}" for name, figure in figures.items()]


def shown_figure(figure: Figure, clips: int) -> str:
    """A figure and its interval in one phrase."""
    value, sure = figure
    if sure is None:
        return f"{value:.3f}  (no interval)"
    others = "" if sure.clips == clips else f", {sure.clips} clips"
    return f"{value:.3f}  (95 % interval {sure.low:.3f} to {sure.high:.3f}, {sure.method}{others})"


def _figure(
    figure: Callable[[Clips], float],
    most: float,
    clips: Clips,
    chosen: NDArray[np.intp],
    groups: Sequence[str | None],
) -> Figure:
    among = clips.among(chosen)
    owners = [groups[i] for i in chosen]
    return figure_of(lambda some: figure(among.among(some)), owners, (0.0, most), resamples=RESAMPLES)


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))
