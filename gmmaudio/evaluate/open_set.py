"""The open set: clips labelled "unknown", of none of the model's labels, and whether the model says so.

No model can be trained on such a label (`gmmaudio.classify.gate.refuse_reserved`), so that in a test it is free to say
what a clip is not. The clips of the model's labels are then asked twice: which label is it, refusals aside, as in any
evaluation; and, together with the unknown ones, whether the gate lets them through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.classify.gate import UNKNOWN, Gate
from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation_text import counted, with_interval
from gmmaudio.evaluate.posterior_figures import clips_of, shown_figure
from gmmaudio.evaluate.sure_figure import Figure, figure_of, interval_as_plain, share_of
from gmmaudio.evaluate.trials import evidence
from gmmaudio.measures.detection import area_under_curve, equal_error_rate
from gmmaudio.measures.language import average_cost
from gmmaudio.measures.multiclass import detection_llrs

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Prediction

Floats = NDArray[np.float64]

TITLES = {
    "false_accepts": "false accepts",
    "false_rejects": "false rejects",
    "cavg": "open-set Cavg",
    "auc": "open-set AUC",
    "equal_error_rate": "open-set EER",
}
SHARES = ("false_accepts", "false_rejects", "equal_error_rate")
"""Those that are shown in per cent."""

_NOTES = {
    "every": "",
    "some": "as with --unknown always: by itself, score answers unknown only where it refuses few known clips as long",
    "no": "as with --unknown always: by itself, score answers nothing unknown, as it would refuse too many known clips",
}


@dataclass(frozen=True)
class OpenSet:
    """What the gate makes of clips of the model's labels, and of clips of none.

    Parameters
    ----------
    known, unknown : sequence of Prediction
        At least one of each; the label of a clip that the gate refused is None.
    labels : sequence of str
        The model's.
    gated : bool
        Whether the model has learned when to refuse.
    unasked : "every", "some" or "no"
        Durations at which ``score`` refuses without ``--unknown always``, which is what is measured here.
    by_itself : (float, float), optional
        The false accepts and rejects where ``score`` is not told whether to refuse. Default: not known.
    """

    known: Sequence[Prediction]
    unknown: Sequence[Prediction]
    labels: Sequence[str]
    gated: bool
    unasked: str
    by_itself: tuple[float, float] | None = None

    @cached_property
    def figures(self) -> dict[str, Figure | None]:
        """The figures, with intervals; None for what the model or the clips do not allow.

        "false_accepts": the share of unknown clips that were given a label; "false_rejects": that of known clips that
        were not. None without a gate.

        "cavg": NIST's average cost with P_out_of_set = 0.2 (`gmmaudio.measures.language.average_cost`): of a
        clip that the gate lets through each label is accepted whose likelihood exceeds the mean of the others.
        Without a gate all are let through. None unless two labels have clips.

        "auc": the chance that a known clip's ``leads`` is above an unknown one's; "equal_error_rate": where, by that
        lead, as many known clips would be refused as unknown ones accepted.
        """
        cost = self._cost()
        return {
            "false_accepts": _share(self.unknown, refused=False) if self.gated else None,
            "false_rejects": _share(self.known, refused=True) if self.gated else None,
            "cavg": cost and self._figure(cost),
            "auc": self._figure(self._of_leads(area_under_curve)),
            "equal_error_rate": self._figure(self._of_leads(equal_error_rate)),
        }

    @property
    def sides(self) -> tuple[Floats, Floats]:
        """The leads of known and of unknown clips."""
        return self.leads[: len(self.known)], self.leads[len(self.known) :]

    @cached_property
    def leads(self) -> Floats:
        """(n,) of known and then unknown clips: how far the likeliest label leads the mean of the others.

        In nats, by calibrated posteriors, as the gate; where there are none, by scores, and in their unit: with scores
        of "loglik" or "llr" nats per frame, where the gate counts those of all frames.
        """
        every = [clip.decision for clip in (*self.known, *self.unknown) if clip.decision is not None]
        return leads_of(every, self.labels)

    def _figure(self, statistic: Callable[[NDArray[np.intp]], float]) -> Figure:
        return figure_of(statistic, [clip.group for clip in (*self.known, *self.unknown)])

    def _cost(self) -> Callable[[NDArray[np.intp]], float] | None:
        clips = clips_of([*self.known, *self.unknown], self.labels)
        if clips is None:
            return None

        def cost(some: NDArray[np.intp]) -> float:
            if (some < len(self.known)).all():
                raise DataError("no_unknown", "no clip is of none of the labels: this is the closed set's cost")
            return average_cost(clips.truth[some], clips.accepted[some]).average

        return cost

    def _of_leads(self, measure: Callable[[Floats, Floats], float]) -> Callable[[NDArray[np.intp]], float]:
        def figure(some: NDArray[np.intp]) -> float:
            known = some < len(self.known)
            return measure(self.leads[some[known]], self.leads[some[~known]])

        return figure

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: counts, each figure with its interval, and ``predictions``, the known clips first.

        In these ``label`` is null where the gate refused.
        """
        plain: dict[str, Any] = {"known": len(self.known), "unknown": len(self.unknown)}
        plain |= {"gated": self.gated, "unasked": self.unasked}
        for name, figure in self.figures.items():
            plain |= {name: figure and figure.value, **interval_as_plain(name, figure and figure.sure)}
        rows = [
            {"path": clip.path, "truth": clip.truth, "label": clip.label, "group": clip.group, "lead": lead}
            for clip, lead in zip((*self.known, *self.unknown), self.leads.tolist(), strict=True)
        ]
        return {**plain, "predictions": rows}

    def lines(self) -> list[str]:
        """The figures for the terminal."""
        told = [f"{'open set':19}{self.extent}"]
        for name, figure in self.figures.items():
            if figure is not None:
                told.append(f"{TITLES[name]:19}{shown(name, figure)}")
        return [*told, *([f"note: {self.note}"] if self.note else [])]

    @property
    def extent(self) -> str:
        """How many clips the figures rest on, in words."""
        return (
            f"{counted(len(self.unknown), 'clip')} labelled {UNKNOWN}, beside {len(self.known)} of the model's labels"
        )

    @property
    def note(self) -> str:
        """What is to be said of the gate; empty where it is used as a matter of course."""
        if not self.gated:
            return "the model has not learned when to answer unknown: there are no false accepts and rejects"
        measured = tuple(one.value for name in SHARES[:2] if (one := self.figures[name]))
        if self.by_itself is None or self.by_itself == measured:
            return _NOTES[self.unasked]
        accepts, rejects = (f"{100 * share:.1f} %" for share in self.by_itself)
        return f"{_NOTES[self.unasked]}; as score answers by itself: false accepts {accepts}, false rejects {rejects}"


def shown(name: str, figure: Figure) -> str:
    """One of the figures with its interval in one phrase."""
    if name in SHARES:
        return with_interval(*figure)
    return shown_figure(figure, figure.sure.clips if figure.sure else 0)


def leads_of(decisions: Sequence[Decision], labels: Sequence[str]) -> Floats:
    """(n,) the lead of the likeliest label over the mean of all others, in nats; not calibrated, as in `OpenSet.leads`.

    Examples
    --------
    >>> said = Decision("cat", {}, {"cat": 0.6, "dog": 0.3, "emu": 0.1}, "logit", 1.0, 1.0, 1.0, calibrated=True)
    >>> leads_of([said], ["cat", "dog", "emu"]).round(3)            # log(0.6 / 0.2)
    array([1.099])
    """
    told = evidence(decisions)
    return np.asarray(detection_llrs(np.array([[one[label] for label in labels] for one in told])).max(axis=1))


def asked(classifier: Classifier, labels: Collection[str]) -> Classifier:
    """The classifier as clips of these labels ask for it: with its gate if some are unknown, and else without."""
    return replace(classifier, unknown="always" if UNKNOWN in labels else "never")


def divided(predictions: Sequence[Prediction], classifier: Classifier) -> tuple[list[Prediction], OpenSet | None]:
    """Clips not labelled unknown, with the label that is likeliest; and, if there are others, the open set.

    Clips of further labels that the model lacks are none of the open set.
    """
    unknown = [clip for clip in predictions if clip.truth == UNKNOWN]
    known = [clip for clip in predictions if clip.truth in classifier.labels]
    if not unknown:
        return list(predictions), None
    gate = classifier.gate
    bearable = [level.bearable for level in gate.levels] if gate else [False]
    unasked = "every" if all(bearable) else "some" if any(bearable) else "no"
    how = gate is not None, unasked, _by_itself(gate, known, unknown)
    found = OpenSet(known, unknown, classifier.labels, *how) if known else None
    return [answered(clip) for clip in predictions if clip.truth != UNKNOWN], found


def answered(clip: Prediction) -> Prediction:
    """The prediction with the likeliest label, whatever the gate says."""
    if clip.label is not None or clip.decision is None:
        return clip
    posteriors = clip.decision.posteriors
    label = max(posteriors, key=lambda name: posteriors[name])
    return replace(clip, label=label, decision=replace(clip.decision, label=label))


def _by_itself(
    gate: Gate | None, known: Sequence[Prediction], unknown: Sequence[Prediction]
) -> tuple[float, float] | None:
    """False accepts and rejects with the gate asked only where it is bearable; None where that cannot be told."""
    if gate is None or not known or any(clip.frames is None for clip in (*known, *unknown)):
        return None
    refused = [
        [clip.label is None and clip.frames is not None and gate.bearable(clip.frames) for clip in side]
        for side in (unknown, known)
    ]
    return float(np.mean(np.logical_not(refused[0]))), float(np.mean(refused[1]))


def _share(clips: Sequence[Prediction], refused: bool) -> Figure:
    return share_of([(clip.label is None) == refused for clip in clips], [clip.group for clip in clips])
