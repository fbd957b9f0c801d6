"""What an evaluation found: the decisions made on labelled clips, and the figures that follow from them.

`Evaluation` is the value that ``evaluate`` and ``crossval`` hand back; it shows itself as JSON and as text.
Clips that could not be scored are listed as errors and are not in the figures; clips that the classifier
refused to decide are, as wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.evaluate import evaluation_text
from gmmaudio.evaluate.decision_figures import balanced_figure, class_intervals
from gmmaudio.evaluate.label_figures import label_figures
from gmmaudio.evaluate.posterior_figures import as_plain, figures_of
from gmmaudio.evaluate.sure_figure import Figure, interval_as_plain
from gmmaudio.measures import metrics
from gmmaudio.measures.intervals import Interval, interval

if TYPE_CHECKING:
    from gmmaudio.classify.classifier import Decision
    from gmmaudio.evaluate.open_set import OpenSet


@dataclass(frozen=True)
class Prediction:
    """One clip, what it is, and what it was taken for.

    Attributes
    ----------
    path : str
        The clip, as the corpus names it.
    truth : str
        Its label.
    label : str or None
        The label it was given; None where the classifier refused to decide ("unknown").
    group : str or None
        The speaker, artist or source recording, if known.
    seconds : float or None
        Its length, if known.
    start, end : float or None
        The part of the file in seconds, where it is not the whole.
    decision : Decision or None
        What the classifier said in full: scores, posteriors, margin; None where only the label is known.
    sample_hash : str or None
        Of the samples that it was decided by, if known: by that the clip is known again.
    frames : int or None
        How many it was decided by, if known.
    """

    path: str
    truth: str
    label: str | None
    group: str | None = None
    seconds: float | None = None
    start: float | None = None
    end: float | None = None
    decision: Decision | None = None
    sample_hash: str | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """Decisions on labelled clips.

    Parameters
    ----------
    predictions : sequence of Prediction
        One per clip that was scored, at least one.
    model_labels : sequence of str
        What the model can answer. A true label that is not among them is reported, and its clips are errors.
    errors : sequence of dict
        One per clip that failed: {"path": str, "error": {"code", "message", "hint"}}; default none.
    warnings : sequence of str
        What whoever made the evaluation has to say about it, such as a leak; default nothing.
    open_set : OpenSet, optional
        What became of clips labelled "unknown", which are not among the predictions. Default: there are none.

    Raises
    ------
    DataError
        ``no_decisions`` if there are no predictions.

    Examples
    --------
    >>> clips = [Prediction("a.wav", "cat", "cat", "tom"), Prediction("b.wav", "dog", "cat", "rex")]
    >>> found = Evaluation(clips, ["cat", "dog"])
    >>> found.accuracy, found.as_dict()["confusion"]
    (0.5, [[1, 0], [1, 0]])
    """

    predictions: Sequence[Prediction]
    model_labels: Sequence[str]
    errors: Sequence[dict[str, Any]] = ()
    warnings: Sequence[str] = ()
    open_set: OpenSet | None = None

    def __post_init__(self) -> None:
        if not self.predictions:
            raise DataError(
                "no_decisions",
                f"no clip was scored, {len(self.errors)} failed; an evaluation needs at least one",
                "see the errors of the single clips",
            )

    @property
    def truth(self) -> list[str]:
        """The true labels, one per prediction."""
        return [clip.truth for clip in self.predictions]

    @property
    def predicted(self) -> list[str | None]:
        """The labels given, one per prediction; None where refused."""
        return [clip.label for clip in self.predictions]

    @property
    def groups(self) -> list[str | None]:
        """The groups, one per prediction; None where not known."""
        return [clip.group for clip in self.predictions]

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, of the clips and of the model, sorted: the rows and columns of the tables."""
        return metrics.label_set(self.truth, self.predicted, self.model_labels)

    @property
    def not_in_model(self) -> tuple[str, ...]:
        """Labels of clips that the model cannot answer, sorted."""
        return tuple(sorted(set(self.truth) - set(self.model_labels)))

    @property
    def accuracy(self) -> float:
        """The share of clips decided rightly, in [0, 1]."""
        return metrics.accuracy(self.truth, self.predicted)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have clips, in [0, 1]."""
        return metrics.balanced_accuracy(self.truth, self.predicted)

    @cached_property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy, over groups where they are known."""
        return interval([clip.truth == clip.label for clip in self.predictions], self.groups)

    @cached_property
    def balanced_interval(self) -> Interval | None:
        """That of the balanced accuracy."""
        return balanced_figure(self.truth, self.predicted, self.groups).sure

    @cached_property
    def class_intervals(self) -> dict[str, dict[str, Interval | None]]:
        """Label to the intervals of its precision, recall and F1; None where ``per_class`` has None."""
        sides = self.truth, self.predicted, self.groups
        return {label: class_intervals(*sides, label) for label in self.labels}

    @cached_property
    def posterior_figures(self) -> dict[str, Figure]:
        """Cavg, Cllr, min-Cllr and calibration error; empty unless all clips have posteriors of all model labels."""
        return figures_of(self.predictions, list(self.model_labels))

    @cached_property
    def label_figures(self) -> dict[str, dict[str, Figure | None]]:
        """Each label of the model as a detector: `gmmaudio.evaluate.label_figures`; empty as ``posterior_figures``."""
        return label_figures(self)

    @property
    def calibrated(self) -> bool:
        """Whether the posteriors of all clips are calibrated."""
        return all(clip.decision is not None and clip.decision.calibrated for clip in self.predictions)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(L, L) counts over ``labels``: rows the truth, columns the label given."""
        return metrics.confusion(self.truth, self.predicted, self.labels)

    @property
    def refused(self) -> NDArray[np.int64]:
        """(L,) clips of each true class that got no label."""
        return metrics.refused(self.truth, self.predicted, self.labels)

    @property
    def per_class(self) -> dict[str, dict[str, float | None]]:
        """Label to its precision, recall, F1 and clips, as `gmmaudio.measures.metrics.per_class`."""
        return metrics.per_class(self.truth, self.predicted, self.labels)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: plain numbers, lists and strings, no NaN.

        Where clips have posteriors, also what `gmmaudio.evaluate.posterior_figures` gives: ``cavg``, ``cllr``,
        ``min_cllr`` and ``calibration_error``; and in each row of ``per_class`` that is of the model, what
        `gmmaudio.evaluate.label_figures` gives: ``equal_error_rate``, ``cllr``, ``false_accepts``, ``false_rejects``.
        Where clips are labelled "unknown", ``open_set`` is `OpenSet.as_dict`. Beside each figure stand its
        ``_interval``, ``_interval_method``, ``_clips`` and ``_groups``; beside ``accuracy`` the last two are plain
        ``clips`` and ``groups``. ``refused`` stands beside ``confusion``, one count per row. ``groups`` is 0 where none
        are known.
        """
        sure = self.interval
        return {
            "clips": sure.clips,
            "groups": sure.groups,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            **interval_as_plain("balanced_accuracy", self.balanced_interval),
            "accuracy_interval": [sure.low, sure.high],
            "accuracy_interval_method": sure.method,
            "calibrated": self.calibrated,
            **as_plain(self.posterior_figures),
            **({} if self.open_set is None else {"open_set": self.open_set.as_dict()}),
            "labels": list(self.labels),
            "not_in_model": list(self.not_in_model),
            "confusion": self.confusion.tolist(),
            "refused": self.refused.tolist(),
            "per_class": {label: self._class_row(label, row) for label, row in self.per_class.items()},
            "predictions": [_row(clip) for clip in self.predictions],
            "errors": list(self.errors),
            "warnings": evaluation_text.caveats(self),
        }

    def _class_row(self, label: str, row: dict[str, float | None]) -> dict[str, Any]:
        plain: dict[str, Any] = dict(row)
        for name, sure in self.class_intervals[label].items():
            plain |= interval_as_plain(name, sure)
        for name, figure in self.label_figures.get(label, {}).items():
            plain |= {name: figure and figure.value, **interval_as_plain(name, figure and figure.sure)}
        return plain

    def as_text(self) -> str:
        """A report for the terminal: the figures, a table per class, and what was taken for what."""
        return evaluation_text.as_text(self)


def _row(clip: Prediction) -> dict[str, Any]:
    seconds = clip.seconds if clip.seconds is not None and isfinite(clip.seconds) else None
    row: dict[str, Any] = {
        "path": clip.path,
        "truth": clip.truth,
        "label": clip.label,
        "group": clip.group,
        "seconds": seconds,
    }
    if clip.start is not None or clip.end is not None:
        row |= {"start": clip.start, "end": clip.end}
    if clip.decision is not None:
        said = clip.decision.as_dict()
        row |= {key: said[key] for key in ("scores", "score_kind", "posteriors", "calibrated", "margin")}
    return row
