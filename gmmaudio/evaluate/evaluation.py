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
from gmmaudio.evaluate.confusions import top_confusions
from gmmaudio.evaluate.posterior_figures import Figure, as_plain, figure_lines, figures_of
from gmmaudio.measures import metrics
from gmmaudio.measures.intervals import Interval, interval

if TYPE_CHECKING:
    from gmmaudio.classify.classifier import Decision

_FULL_TABLE = 15  # more classes than this make a confusion matrix that no terminal can show
TOP_CONFUSIONS = 15
_NAME_WIDTH = 24
_LINE = 79


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
    """

    path: str
    truth: str
    label: str | None
    group: str | None = None
    seconds: float | None = None
    start: float | None = None
    end: float | None = None
    decision: Decision | None = None


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
        correct = [clip.truth == clip.label for clip in self.predictions]
        return interval(correct, [clip.group for clip in self.predictions])

    @cached_property
    def posterior_figures(self) -> dict[str, Figure]:
        """Cavg, Cllr, min-Cllr and calibration error; empty unless all clips have posteriors of all model labels."""
        return figures_of(self.predictions, list(self.model_labels))

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
        ``min_cllr`` and ``calibration_error``, each with its ``_interval``. ``refused`` stands beside
        ``confusion``, one count per row. ``groups`` is 0 where none are known.
        """
        sure = self.interval
        return {
            "clips": sure.clips,
            "groups": sure.groups,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "accuracy_interval": [sure.low, sure.high],
            "accuracy_interval_method": sure.method,
            "calibrated": self.calibrated,
            **as_plain(self.posterior_figures),
            "labels": list(self.labels),
            "not_in_model": list(self.not_in_model),
            "confusion": self.confusion.tolist(),
            "refused": self.refused.tolist(),
            "per_class": self.per_class,
            "predictions": [_row(clip) for clip in self.predictions],
            "errors": list(self.errors),
            "warnings": caveats(self),
        }

    def as_text(self) -> str:
        """A report for the terminal: the figures, a table per class, and what was taken for what."""
        tables = _matrix if len(self.labels) <= _FULL_TABLE else _top_confusions
        return "\n".join([*_summary(self), "", *_class_table(self), "", *tables(self)])


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


def shown(label: str) -> str:
    """A label as a terminal can bear it: printable, and not too long for a table."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in label)
    return clean if len(clean) <= _NAME_WIDTH else clean[: _NAME_WIDTH - 2] + ".."


def headline(found: Evaluation) -> str:
    """The accuracy with its interval, in one line."""
    sure = found.interval
    bounds = f"{_percent(sure.low)} to {_percent(sure.high)} %"
    return f"{_percent(found.accuracy)} %  (95 % interval {bounds}, {sure.method})"


def extent(found: Evaluation) -> str:
    """How many clips and groups the figures rest on, in words."""
    clips, groups = found.interval.clips, found.interval.groups
    return counted(clips, "clip") + (f" in {counted(groups, 'group')}" if groups else ", no groups known")


def _summary(found: Evaluation) -> list[str]:
    refused = f", {found.refused.sum()} of them refused, as unknown" if found.refused.any() else ""
    lines = [
        f"accuracy           {headline(found)}",
        f"balanced accuracy  {_percent(found.balanced_accuracy)} %",
        f"measured on        {extent(found)}{refused}",
    ]
    lines += figure_lines(found.posterior_figures, found.calibrated)
    if found.errors:
        lines.append(f"failed             {counted(len(found.errors), 'clip')} could not be scored, not counted above")
    return lines + [f"warning: {text}" for text in caveats(found)]


def caveats(found: Evaluation) -> list[str]:
    """What the figures must not be read without."""
    warnings = list(found.warnings)
    if found.not_in_model:
        names = ", ".join(shown(label) for label in found.not_in_model)
        lost = sum(clip.truth in found.not_in_model for clip in found.predictions)
        warnings.append(f"the model does not know {names}: {counted(lost, 'clip')}, all counted as wrong")
    single = sum(clip.group is None for clip in found.predictions)
    if single == len(found.predictions):
        warnings.append(
            "no groups (speaker, artist, source recording) are known. If clips share one, the\n"
            "  interval is too narrow; if training and test share one, the accuracy is too high."
        )
    elif single:
        warnings.append(f"{counted(single, 'clip')} without a group: each counts as a group of its own")
    elif found.interval.groups == 1:
        warnings.append("all clips are of one group: the interval says nothing about any other")
    return warnings


def _class_table(found: Evaluation) -> list[str]:
    width = max(5, *(len(shown(label)) for label in found.labels))
    lines = [f"{'class':{width}}  clips  precision  recall     F1   (%)"]
    for label, row in found.per_class.items():
        figures = f"{_percent(row['precision']):>9}  {_percent(row['recall']):>6}  {_percent(row['f1']):>5}"
        lines.append(f"{shown(label):{width}}  {row['clips']:>5}  {figures}")
    return lines


def _matrix(found: Evaluation) -> list[str]:
    """The confusion matrix; columns are headed by the starts of the labels, or by numbers if these clash."""
    names = [shown(label) for label in found.labels]
    table = np.column_stack([found.confusion, found.refused]) if found.refused.any() else found.confusion
    room = (_LINE - max(map(len, names))) // table.shape[1] - 2
    width = max(len(str(table.max())), min(8, room), 3)
    heads = [name[:width] for name in names]
    if len(set(heads)) < len(heads):
        heads = [str(i + 1) for i in range(len(names))]
        names = [f"{head:>2} {name}" for head, name in zip(heads, names, strict=True)]
    side = max(map(len, names))
    title = "confusion: rows are the truth, columns the answer"
    if found.refused.any():
        heads.append("?")
        title += " (? refused)"
    lines = [title, " " * side + "".join(f"  {head:>{width}}" for head in heads)]
    for name, row in zip(names, table.tolist(), strict=True):
        lines.append(f"{name:{side}}" + "".join(f"  {count or '.':>{width}}" for count in row))
    return lines


def _top_confusions(found: Evaluation) -> list[str]:
    names = [*(shown(label) for label in found.labels), "(refused)"]
    top = top_confusions(found.confusion, found.refused, TOP_CONFUSIONS)
    if not top:
        return ["no confusions"]
    left, right = max(len(names[one.truth]) for one in top), max(len(names[one.answer]) for one in top)
    return ["most frequent confusions"] + [
        f"{names[one.truth]:{left}}  taken for  {names[one.answer]:{right}}  {one.clips:>5} of {one.of}" for one in top
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
