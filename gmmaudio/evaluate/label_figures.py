"""Each label as a detector: is this clip of it, or of another label? Its errors and what its posteriors cost.

A row takes apart what the headlines average: Cllr is the mean of the column, and Cavg of the closed set that of
(false accepts + false rejects) / 2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gmmaudio.evaluate.decision_figures import mean_figure
from gmmaudio.evaluate.posterior_figures import RESAMPLES, Clips, clips_of
from gmmaudio.evaluate.sure_figure import MOST_DRAWS, Figure, bits_in_brackets, figure_of, in_brackets, share_of
from gmmaudio.evaluate.trials import Trials, trials_of
from gmmaudio.measures.detection import area_under_curve, equal_error_rate
from gmmaudio.measures.multiclass import detector_cllr

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Evaluation

Floats = NDArray[np.float64]

PER_LABEL = ("equal_error_rate", "cllr", "false_accepts", "false_rejects")
HEADS = {
    "equal_error_rate": "EER, %",
    "cllr": "Cllr, bits",
    "false_accepts": "false accepts, %",
    "false_rejects": "false rejects, %",
}


def label_figures(found: Evaluation) -> dict[str, dict[str, Figure | None]]:
    """The figures of each label of the model, with intervals.

    Parameters
    ----------
    found : Evaluation

    Returns
    -------
    dict of str to dict of str to Figure or None
        Label to ``PER_LABEL``:

        "equal_error_rate": of the label against all other clips, by its lead (`gmmaudio.evaluate.trials`), each clip
        weighing the same.

        "cllr": bits, of the label's detector, one against the rest: its part of the evaluation's Cllr
        (`gmmaudio.measures.multiclass.detector_cllr`), each other label weighing the same. Not a part of the
        cost of naming one of all labels, ``multiclass_cllr``.

        "false_accepts", "false_rejects": at Cavg's threshold, a likelihood above the mean of the others: the mean over
        the other labels of the share of their clips that was accepted as this one; the share of the label's own
        clips that was not.

        Clips of labels that the model cannot answer count in the first alone. None for a label without clips. Empty
        where `gmmaudio.evaluate.posterior_figures` has no figures.

    Examples
    --------
    >>> from gmmaudio.classify.classifier import Decision
    >>> from gmmaudio.evaluate.evaluation import Evaluation, Prediction
    >>> said = [Decision(name, {name: 0.0, other: -1.0}, {name: 0.8, other: 0.2}, "logit", 1.0, 1.0, 1.0)
    ...         for name, other in (("cat", "dog"), ("dog", "cat"))]
    >>> clips = [Prediction(f"{one.label}.wav", one.label, one.label, decision=one) for one in said]
    >>> round(label_figures(Evaluation(clips, ["cat", "dog"]))["cat"]["cllr"].value, 3)      # log2(1 / 0.8)
    0.322
    """
    clips = clips_of(found.predictions, list(found.model_labels))
    if clips is None:
        return {}
    trials = trials_of(found)
    told: dict[str, dict[str, Figure | None]] = {}
    for own, label in enumerate(found.model_labels):
        errors = _errors(clips, own, found) if (clips.truth == own).any() else dict.fromkeys(PER_LABEL[1:])
        told[label] = {PER_LABEL[0]: None if trials is None else label_error(trials, label), **errors}
    return told


def _errors(clips: Clips, own: int, found: Evaluation) -> dict[str, Figure | None]:
    groups = found.groups
    truth, llrs, accepted = clips.truth, clips.llrs[:, own], clips.accepted[:, own]

    def groups_of(chosen: NDArray[np.intp]) -> list[str | None]:
        return [groups[i] for i in chosen]

    def cost(some: NDArray[np.intp]) -> float:
        return detector_cllr(truth[clips.inside[some]], own, llrs[clips.inside[some]])

    mine, others = (clips.inside[(truth[clips.inside] == own) == held] for held in (True, False))
    of_each = [found.model_labels[truth[i]] for i in others]
    return {
        "cllr": figure_of(cost, groups_of(clips.inside), (0.0, inf), resamples=RESAMPLES),
        "false_accepts": mean_figure(of_each, accepted[others].tolist(), groups_of(others), RESAMPLES),
        "false_rejects": share_of(~accepted[mine], groups_of(mine)),
    }


def detector_cell(name: str, one: Figure | None) -> str:
    """One of them with its interval, in few letters; a dash for none."""
    if one is None:
        return "-"
    return bits_in_brackets(one) if name == "cllr" else in_brackets(*one)


def label_error(trials: Trials, label: str) -> Figure | None:
    """The equal error rate of one label against the others; None where it lacks either kind of clip."""
    return _of_sides(trials, label, equal_error_rate, RESAMPLES)


def label_area(trials: Trials, label: str) -> Figure | None:
    """The area under the ROC curve of one label against the others; None where it lacks either kind of clip."""
    return _of_sides(trials, label, area_under_curve)


def _of_sides(
    trials: Trials, label: str, measure: Callable[[Floats, Floats], float], resamples: int = MOST_DRAWS
) -> Figure | None:
    detector = trials.detector(label)
    if detector is None:
        return None
    own, leads = detector

    def figure(some: NDArray[np.intp]) -> float:
        chosen = own[some]
        return measure(leads[some][chosen], leads[some][~chosen])

    return figure_of(figure, [clip.group for clip in trials.clips], work=trials.leads.size, resamples=resamples)
