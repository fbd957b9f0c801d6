"""Evaluation of a model of one label: how well its score tells normal clips from others, what its threshold costs.

Clips of the model's label are normal; those of any other are anomalies, whatever they are called. Where the corpus has
a column ``section`` (DCASE's task 2 calls so one machine, or one condition of it), the same is said of each section,
and the mean over sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, harmonic_mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import ExampleReader, Progress, read_examples
from gmmaudio.classify.gate import UNKNOWN
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.evaluation_text import shown
from gmmaudio.evaluate.heldout import parted, predicted, unleaked
from gmmaudio.evaluate.sure_figure import Figure, interval_as_plain, share_of
from gmmaudio.files import printable
from gmmaudio.measures.detection import area_under_curve, partial_area
from gmmaudio.measures.resampling import Statistic, figure_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_FALSE_ALARMS = 0.1
"""Up to which rate of false alarms the partial area goes: p of DCASE's task 2."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Figures:
    """What scores and a threshold make of normal clips and anomalies.

    Parameters
    ----------
    normal, anomalous : int
        Clips of either kind.
    auc, partial_auc : Figure or None
        The chance that a normal clip scores above an anomaly; the partial area up to a tenth of false alarms. None
        without clips of both kinds.
    false_alarms, misses : Figure or None
        The share of normal clips below the threshold, and of anomalies at or above it. None without such clips.
    """

    normal: int
    anomalous: int
    auc: Figure | None
    partial_auc: Figure | None
    false_alarms: Figure | None
    misses: Figure | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, each figure with its interval."""
        found: dict[str, Any] = {"normal": self.normal, "anomalous": self.anomalous}
        for name in ("auc", "partial_auc", "false_alarms", "misses"):
            rate: Figure | None = getattr(self, name)
            found |= {name: rate and rate.value, **interval_as_plain(name, rate and rate.sure)}
        return found


def figures(scores: Floats, anomalous: Flags, threshold: float, groups: Sequence[str | None]) -> Figures:
    """How well scores tell anomalies, which should score low, and what a threshold costs.

    Parameters
    ----------
    scores : (n,) float
    anomalous : (n,) bool
    threshold : float
        A clip below it is called an anomaly.
    groups : (n,) sequence of str or None
        The units of the intervals, where they are known.

    Examples
    --------
    >>> found = figures(np.array([3.0, 2.0, 1.0, 0.0]), np.array([False, False, True, True]), 0.5, [None] * 4)
    >>> found.auc.value, found.false_alarms.value, found.misses.value
    (1.0, 0.0, 0.5)
    """
    both = anomalous.any() and not anomalous.all()

    def curve(most: float) -> Figure | None:
        def area(chosen: NDArray[np.intp]) -> float:
            odd, known = scores[chosen[anomalous[chosen]]], scores[chosen[~anomalous[chosen]]]
            return partial_area(-odd, -known, most) if most < 1 else area_under_curve(-odd, -known)

        return _rate(area, len(scores), groups) if both else None

    def share(kind: Flags, wrong: Flags) -> Figure | None:
        own = [group for group, kept in zip(groups, kind, strict=True) if kept]
        return share_of(wrong[kind], own) if own else None

    below = scores < threshold
    rates = (curve(1.0), curve(MOST_FALSE_ALARMS), share(~anomalous, below), share(anomalous, ~below))
    return Figures(int((~anomalous).sum()), int(anomalous.sum()), *rates)


def _rate(statistic: Statistic, clips: int, groups: Sequence[str | None]) -> Figure:
    """With an interval, unless all clips of one kind are of one group."""
    try:
        sure = figure_interval(statistic, clips, groups, resamples=_RESAMPLES)
    except DataError:
        sure = None
    return Figure(statistic(np.arange(clips)), sure)


@dataclass(frozen=True)
class Anomalies:
    """Normal clips and anomalies, as a model of one label scored them.

    Parameters
    ----------
    predictions : sequence of Prediction
        As labelled, with the decision of each; at least one of the model's label.
    label : str
        The model's.
    threshold : float
    sections : sequence of str or None
        One per prediction.
    errors, warnings
        As in `gmmaudio.evaluate.evaluation.Evaluation`.
    """

    predictions: Sequence[Prediction]
    label: str
    threshold: float
    sections: Sequence[str | None]
    errors: Sequence[dict[str, Any]] = ()
    warnings: Sequence[str] = ()

    @cached_property
    def answers(self) -> Evaluation:
        """The same as an evaluation of two classes, the model's label and "unknown"."""
        told = [
            replace(p, truth=p.truth if p.truth == self.label else UNKNOWN, label=p.label or UNKNOWN, decision=None)
            for p in self.predictions
        ]
        return Evaluation(told, [self.label, UNKNOWN], self.errors, self.warnings)

    @cached_property
    def scores(self) -> Floats:
        """(n,) mean nats per frame."""
        return np.array([p.decision.scores[self.label] for p in self.predictions if p.decision is not None])

    @cached_property
    def overall(self) -> Figures:
        """The figures of all clips together."""
        return self._figures(np.arange(len(self.predictions)))

    @cached_property
    def by_section(self) -> dict[str, Figures]:
        """Those of each section, sorted by name; clips without one are left out."""
        names = np.array([section or "" for section in self.sections])
        return {str(name): self._figures(np.flatnonzero(names == name)) for name in np.unique(names) if name}

    @property
    def means(self) -> dict[str, float]:
        """The arithmetic mean over sections of either area (DCASE 2020) and their harmonic mean (since 2021).

        Empty for fewer than two sections that have both kinds of clips.
        """
        there = [found for found in self.by_section.values() if found.auc and found.partial_auc]
        if len(there) < 2:
            return {}
        areas = {name: [getattr(found, name).value for found in there] for name in ("auc", "partial_auc")}
        found = {f"{name}_arithmetic": fmean(values) for name, values in areas.items()}
        return found | {f"{name}_harmonic": harmonic_mean(values) for name, values in areas.items()}

    def _figures(self, chosen: NDArray[np.intp]) -> Figures:
        odd = np.array([self.predictions[i].truth != self.label for i in chosen])
        return figures(self.scores[chosen], odd, self.threshold, [self.predictions[i].group for i in chosen])

    def as_dict(self) -> dict[str, Any]:
        """What `Evaluation.as_dict` has of the two classes, and the figures.

        Each prediction has its ``score``, its label in the corpus as ``kind``, and its ``section``.
        """
        found = self.answers.as_dict()
        for row, clip, score, section in zip(
            found["predictions"], self.predictions, self.scores.tolist(), self.sections, strict=True
        ):
            row |= {"kind": clip.truth, "section": section, "score": score}
        sections = {name: part.as_dict() for name, part in self.by_section.items()}
        return {
            "threshold": self.threshold,
            **self.overall.as_dict(),
            "partial_auc_most": MOST_FALSE_ALARMS,
            "sections": sections,
            "section_means": self.means,
            **found,
        }

    def as_text(self) -> str:
        """For the terminal: the figures, a table of sections, and the two classes."""
        found = self.overall
        named = {
            "AUC": found.auc,
            "partial AUC": found.partial_auc,
            "false alarms": found.false_alarms,
            "misses": found.misses,
        }
        lines = [f"{name:17}  {'-' if rate is None else _told(rate)}" for name, rate in named.items()]
        lines += [
            f"threshold          {self.threshold:.3f} nats per frame",
            f"(95 % intervals in brackets; partial AUC: to {100 * MOST_FALSE_ALARMS:g} % of false alarms, chance 0.5)",
        ]
        return "\n".join([*lines, *_section_table(self), "", self.answers.as_text()])


def _told(rate: Figure) -> str:
    value, sure = rate
    return f"{value:.3f}" + (f"  ({sure.low:.3f} to {sure.high:.3f}, {sure.method})" if sure else "")


def _section_table(found: Anomalies) -> list[str]:
    if not found.by_section:
        return []
    width = max(15, *(len(shown(name)) for name in found.by_section))
    lines = ["", f"{'section':{width}}  normal  anomalous    auc  partial  false alarms  misses"]
    for name, part in found.by_section.items():
        rates = (part.auc, part.partial_auc, part.false_alarms, part.misses)
        auc, partial, alarms, misses = ("-" if rate is None else f"{rate.value:.3f}" for rate in rates)
        counts = f"{part.normal:6}  {part.anomalous:9}"
        lines.append(f"{shown(name):{width}}  {counts}  {auc:>5}  {partial:>7}  {alarms:>12}  {misses:>6}")
    for kind in ("arithmetic", "harmonic") if found.means else ():
        area, first = (found.means[f"{name}_{kind}"] for name in ("auc", "partial_auc"))
        lines.append(f"{kind + ' mean':{width}}  {'':17}  {area:.3f}  {first:7.3f}")
    return lines


def evaluate_one_class(
    classifier: Classifier,
    entries: Sequence[Entry],
    jobs: int = 1,
    allow_leaks: bool = False,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
) -> Anomalies:
    """Evaluate a model of one label on clips of it and of others; parameters as `gmmaudio.evaluate.heldout.evaluate`.

    Raises
    ------
    DataError
        ``bad_setting`` for a model of several labels, ``no_common_labels``, ``leakage``.
    """
    if classifier.floor is None:
        raise DataError("bad_setting", "the model is not of one label, with a threshold", "use evaluate")
    [label] = classifier.labels
    examples, failures = read(entries, classifier.front_end, jobs, progress)
    labels = sorted({example.entry.label for example in examples})
    if label not in labels:
        named = ", ".join(map(printable, labels[:5]))
        text = f"none of the clips has the model's label, {printable(label)!r}; they have {named}"
        raise DataError("no_common_labels", text, "label the normal clips as in training")
    warnings = unleaked(classifier, examples, allow_leaks)
    asked = replace(classifier, unknown="auto")
    told = predicted(asked, examples, jobs)
    pairs = zip(examples, told, strict=True)
    sections = [example.entry.column("section") for example, one in pairs if isinstance(one, Prediction)]
    clips, lost = parted(told)
    errors = [failure.record() for failure in (*failures, *lost)]
    return Anomalies(clips, label, classifier.floor.threshold, sections, errors, warnings)
