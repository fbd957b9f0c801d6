"""The headline figures of a report, each with its interval and what it means, and how they stand on its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import counted
from gmmaudio.evaluate.markup import Markup, tag
from gmmaudio.evaluate.open_set import SHARES, OpenSet
from gmmaudio.evaluate.open_set import TITLES as OPEN_TITLES
from gmmaudio.evaluate.posterior_figures import TITLES
from gmmaudio.evaluate.sure_figure import Figure, figure_of
from gmmaudio.evaluate.tables import number, percent
from gmmaudio.evaluate.trials import Trials
from gmmaudio.measures.detection import area_under_curve, equal_error_rate
from gmmaudio.measures.intervals import Interval

_MEANINGS = {
    "cavg": "misses and false alarms, NIST's average",
    "cllr": "cost of the posteriors; 1 at chance, 0 at best",
    "min_cllr": "the same, were they calibrated",
    "calibration_error": "how far confidence is off",
}
_OPEN_MEANINGS = {
    "false_accepts": "unknown clips that got a label",
    "false_rejects": "clips of the labels answered unknown",
    "cavg": "NIST's average, unknown clips among the others",
    "auc": "known against unknown; 0.5 by chance",
    "equal_error_rate": "known against unknown, at its own threshold",
}


@dataclass(frozen=True)
class Headline:
    """One figure.

    Parameters
    ----------
    name : str
    value : float
    sure : Interval or None
        None where it cannot be had.
    meaning : str
        In a few words.
    share : bool, default True
        Whether it is a share, to be shown in per cent.
    """

    name: str
    value: float
    sure: Interval | None
    meaning: str
    share: bool = True


def headlines_of(found: Evaluation, trials: Trials | None) -> list[Headline]:
    """Accuracy and balanced accuracy; where there are scores, equal error rate and ROC area; what posteriors tell."""
    return [
        Headline("accuracy", found.accuracy, found.interval, "clips decided rightly"),
        Headline("balanced accuracy", found.balanced_accuracy, found.balanced_interval, "mean recall of the classes"),
        *([] if trials is None else _of_trials(trials)),
        *(
            Headline(TITLES[name], value, sure, _meaning(name, found.calibrated), name == "calibration_error")
            for name, (value, sure) in found.posterior_figures.items()
        ),
    ]


def open_set_headlines(found: OpenSet) -> list[Headline]:
    """What became of clips labelled unknown, as far as it can be told."""
    return [
        Headline(OPEN_TITLES[name], *figure, _OPEN_MEANINGS[name], name in SHARES)
        for name, figure in found.figures.items()
        if figure is not None
    ]


def _meaning(name: str, calibrated: bool) -> str:
    """What it says; and of posteriors that are not calibrated, that they are not, unless it does not go by them."""
    return _MEANINGS[name] + ("" if calibrated or name == "min_cllr" else "; posteriors not calibrated")


def headlines(found: Sequence[Headline]) -> Markup:
    """The figures that come first, each with a bar for its interval."""
    return tag("div", *map(_headline, found), class_="figures")


def _headline(figure: Headline) -> Markup:
    sure, shown = figure.sure, percent if figure.share else partial(number, digits=3)
    parts = [tag("h3", figure.name), tag("b", shown(figure.value)), tag("small", figure.meaning)]
    if sure is None:
        parts.append(tag("small", "no interval"))
    else:
        bar = [_bar(figure.value, sure)] if sure.high <= 1 else []
        parts += [
            *bar,
            tag("small", f"95 % interval {shown(sure.low)} to {shown(sure.high)}, {sure.method}"),
            tag("small", _extent(sure)),
        ]
    return tag("div", *parts, class_="figure")


def _bar(value: float, sure: Interval) -> Markup:
    """The interval and the figure between 0 and 1."""
    at = f"left:{100 * value:.2f}%"
    spread = f"left:{100 * sure.low:.2f}%;width:{100 * (sure.high - sure.low):.2f}%"
    return tag("div", tag("i", style=spread), tag("u", style=at), class_="range", aria_hidden="true")


def _extent(sure: Interval) -> str:
    groups = f"{counted(sure.groups, 'group')}" if sure.groups else "no groups known"
    return f"n = {counted(sure.clips, 'clip')}, {groups}"


def _of_trials(trials: Trials) -> list[Headline]:
    if not trials.truth.any():
        return []
    error, area = error_figure(trials), area_figure(trials)
    return [
        Headline("equal error rate", *error, "each label against the rest"),
        Headline("ROC area", *area, "1 at best, 0.5 by chance", share=False),
    ]


def error_figure(trials: Trials) -> Figure:
    """The equal error rate of all labels pooled."""
    groups = [clip.group for clip in trials.clips]
    return figure_of(lambda some: equal_error_rate(*trials.sides(some)), groups, work=trials.leads.size)


def area_figure(trials: Trials) -> Figure:
    """The area under the ROC curve of all labels pooled."""
    groups = [clip.group for clip in trials.clips]
    return figure_of(lambda some: area_under_curve(*trials.sides(some)), groups, work=trials.leads.size)
