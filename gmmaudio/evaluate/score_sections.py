"""The sections of the report's page that show scores: histograms, the ROC curve, reliability."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gmmaudio.classify.classifier import Decision
from gmmaudio.evaluate import charts
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import extent_of, with_interval
from gmmaudio.evaluate.figures import area_figure, error_figure, headlines, open_set_headlines
from gmmaudio.evaluate.label_figures import HEADS, detector_cell
from gmmaudio.evaluate.markup import Markup, tag
from gmmaudio.evaluate.open_set import OpenSet
from gmmaudio.evaluate.posterior_figures import shown_figure
from gmmaudio.evaluate.sure_figure import Figure, legend, mark
from gmmaudio.evaluate.tables import Cell, table
from gmmaudio.evaluate.trials import Trials
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.detection import equal_error_rate, error_rates
from gmmaudio.measures.intervals import interval


def scores(trials: Trials | None) -> Markup | None:
    """How far apart right and wrong, own and other, lie."""
    if trials is None:
        return None
    measure = unit(next(clip.decision for clip in trials.clips if clip.decision is not None))
    right = trials.right
    by_outcome: list[charts.Series] = [
        ("right", trials.margins[right], "right"),
        ("wrong", trials.margins[~right], "wrong"),
    ]
    by_label: list[charts.Series] = [
        ("clips of the label", trials.targets, "right"),
        ("others", trials.others, "wrong"),
    ]
    drawn = [
        figure(
            charts.histogram("Margins of clips decided rightly and wrongly", f"margin, {measure}", "clips", by_outcome),
            "Margin: the best score less the second best. Errors should crowd at zero. End bins hold what lies beyond.",
        )
    ]
    if trials.truth.any():
        title = "Leads of labels on their own clips and on others"
        drawn.append(
            figure(
                charts.histogram(title, f"lead, {measure}", "% of each", by_label, shares=True),
                "Lead: a label's score less the best of the others'. Above zero, the clip is given that label.",
            )
        )
    return tag("section", tag("h2", "Scores"), tag("div", *drawn, class_="charts"))


def unit(decision: Decision) -> str:
    """What scores and leads are measured in."""
    if decision.calibrated:
        return "nats of log posterior"
    return "nominal nats" if decision.score_kind == "logit" else "nats per frame"


def curves(trials: Trials | None, off: Figure | None) -> Markup | None:
    """ROC and DET curves, and reliability with the calibration error, if it is known; nothing without own clips."""
    if trials is None or not trials.truth.any():
        return None
    drawn = _roc(trials), _det(trials), _reliability(trials, off)
    return tag("section", tag("h2", "Detection and calibration"), tag("div", *drawn, class_="charts"))


def open_set(found: OpenSet | None) -> Markup | None:
    """Clips labelled unknown: whether the model says so."""
    if found is None:
        return None
    known, unknown = found.sides
    measure = unit(next(clip.decision for clip in found.known if clip.decision is not None))
    kinds: list[charts.Series] = [("of the labels", known, "right"), ("unknown", unknown, "wrong")]
    leads = charts.histogram("Leads of known and unknown clips", f"lead, {measure}", "% of each", kinds, shares=True)
    equal = equal_error_rate(known, unknown)
    title = f"DET curve: known clips refused against unknown ones accepted; equal error rate {100 * equal:.1f} %"
    dot = "The dot: equal error rate, as above, on the curve's convex hull."
    words = "Misses are known clips refused, false alarms unknown ones accepted, at every threshold of the lead."
    drawn = [
        figure(leads, "Lead: the likeliest label's likelihood against the mean of all others."),
        figure(charts.det(title, error_rates(known, unknown), equal), f"{words} {dot}"),
    ]
    answers = Counter(clip.label or "(refused)" for clip in found.unknown)
    rows: list[list[Cell]] = [[(label, None), (str(count), count)] for label, count in answers.most_common()]
    note = f" {found.note[0].upper()}{found.note[1:]}." if found.note else ""
    return tag(
        "section",
        tag("h2", "Unknown clips"),
        tag("p", f"{found.extent}.{note}", class_="pale"),
        headlines(open_set_headlines(found)),
        tag("div", *drawn, class_="charts"),
        table(["answer", "clips"], rows, "What the unknown clips were taken for."),
    )


def detectors(found: Evaluation) -> Markup | None:
    """A sortable row per label: its errors as a detector."""
    if not found.label_figures:
        return None
    rows: list[list[Cell]] = [
        [(label, None), *((detector_cell(name, one), one and one.value) for name, one in row.items())]
        for label, row in found.label_figures.items()
    ]
    marks = legend(mark(one.sure) for row in found.label_figures.values() for one in row.values() if one and one.sure)
    doubt = "" if found.calibrated else " Posteriors are not calibrated, and Cllr shows it."
    words = (
        "Each label against the others. False accepts and rejects at Cavg's threshold, a likelihood above the mean of"
        f" the others': accepts are a mean over the other labels. In brackets 95 % intervals: {marks}.{doubt}"
    )
    return tag("section", tag("h2", "Label by label, as detectors"), table(["label", *HEADS.values()], rows, words))


def _roc(trials: Trials) -> Markup:
    rates = error_rates(trials.targets, trials.others)
    error, area = error_figure(trials), area_figure(trials)
    words = (
        f"Each label against the rest, all pooled. Equal error rate {with_interval(*error)}; area"
        f" {shown_figure(area, area.sure.clips if area.sure else 0)}{_resting(area)}."
    )
    return figure(charts.roc("ROC curve", *rates.roc), words)


def _det(trials: Trials) -> Markup:
    rates, error = error_rates(trials.targets, trials.others), error_figure(trials)
    behind = trials.label_rates if len(trials.labels) <= charts.MOST_CURVES else {}
    title = f"DET curve: misses against false alarms; equal error rate {100 * error.value:.1f} %"
    words = (
        "The same on axes on which normally distributed scores make a line; down and left is better. The dot: equal"
        f" error rate {with_interval(*error)}, on the curve's convex hull."
    )
    return figure(charts.det(title, rates, error.value, behind), words)


def _reliability(trials: Trials, off: Figure | None) -> Markup:
    """Of the clips that the calibration error rests on: those of a label that the model can answer."""
    own = trials.truth.any(axis=1)
    right = trials.likeliest_right[own]
    found = reliability(right, trials.confidences[own])
    groups = np.array([clip.group for clip in trials.clips], object)[own]
    points = [found.point == point for point in range(len(found.count))]
    sure = [interval(right[held], groups[held].tolist()) for held in points]
    calibrated = all(clip.decision.calibrated for clip in trials.clips if clip.decision is not None)
    title = "Calibrated posteriors" if calibrated else "Posteriors as they come, not calibrated"
    doubt = (
        ""
        if calibrated
        else ("These posteriors are not calibrated: far too sure, for frames of a clip are not independent. ")
    )
    told = f"; they are off by {with_interval(*off)}{_resting(off)}" if off else ""
    words = (
        f"{doubt}On the dashed line, answers are right as often as they say{told}."
        f" Whiskers are 95 % intervals, {legend(map(mark, sure))}."
    )
    return figure(charts.reliability_diagram(title, found, sure), words)


def _resting(one: Figure) -> str:
    return f"; {extent_of(one.sure)}" if one.sure else ""


def figure(drawing: Markup, words: str) -> Markup:
    """A drawing with its caption."""
    return tag("figure", drawing, tag("figcaption", words))
