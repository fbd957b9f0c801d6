"""The sections of the report's page, each a function from what was found to markup, or None where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmmaudio.classify.classifier import Decision
from gmmaudio.evaluate import charts
from gmmaudio.evaluate.confusions import top_confusions
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import TOP_CONFUSIONS, caveats, extent
from gmmaudio.evaluate.figures import recall_intervals
from gmmaudio.evaluate.finding import Finding
from gmmaudio.evaluate.markup import Markup, tag
from gmmaudio.evaluate.tables import DENSE, Cell, facts, matrix, number, percent, table
from gmmaudio.evaluate.trials import Trials
from gmmaudio.evaluate.worst import Mistake
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.detection import area_under_curve, equal_error_rate, error_rates
from gmmaudio.measures.intervals import Interval

_MOST_ERRORS = 300  # rows of the list of all errors
_SHOWN_CLIPS = 5


def warnings(found: Evaluation) -> Markup | None:
    """What the figures must not be read without."""
    texts = caveats(found)
    if not texts:
        return None
    return tag("div", *(tag("p", " ".join(text.split())) for text in texts), class_="notice", role="note")


def findings(found: Sequence[Finding] | None) -> Markup | None:
    """What an audit of the data found, if there was one."""
    if found is None:
        return None
    told = [_finding(one) for one in found] or [
        tag("p", "Nothing: no copies, no divided groups, no tell-tale recordings.")
    ]
    return tag("section", tag("h2", "What the audit found"), *told)


def _finding(one: Finding) -> Markup:
    rows = [" = ".join(row) for row in one.clips]
    more = [f"and {len(rows) - _SHOWN_CLIPS} more"] if len(rows) > _SHOWN_CLIPS else []
    parts = [tag("p", tag("b", f"{one.severity.capitalize()}: "), one.message)]
    if rows:
        parts.append(tag("ul", *(tag("li", row) for row in rows[:_SHOWN_CLIPS] + more)))
    if one.hint:
        parts.append(tag("p", f"What to do: {one.hint}"))
    return tag("div", *parts, class_="notice note" if one.severity == "note" else "notice", data_code=one.code)


def confusion(found: Evaluation) -> Markup:
    """Who was taken for whom."""
    text = "Rows are the truth, columns the answer; numbers are clips, the colour is the share of the row: blue right, "
    parts = [tag("h2", "What was taken for what"), matrix(found, text + "orange wrong.")]
    if len(found.labels) > DENSE:
        parts.append(_confusions(found))
    return tag("section", *parts)


def _confusions(found: Evaluation) -> Markup:
    """The most frequent confusions, which a large matrix hides."""
    names = [*found.labels, "(refused)"]
    rows: list[list[Cell]] = [
        [
            (names[one.truth], None),
            (names[one.answer], None),
            (str(one.clips), one.clips),
            (percent(one.clips / one.of), one.clips / one.of),
        ]
        for one in top_confusions(found.confusion, found.refused, TOP_CONFUSIONS)
    ]
    return table(["truth", "answer", "clips", "of the class"], rows, "The most frequent confusions.")


def classes(found: Evaluation, trials: Trials | None) -> Markup:
    """A sortable row per class."""
    sure = recall_intervals(found)
    heads = ["class", "clips", "groups", "minutes", "precision", "recall", "95 % interval", "F1"]
    rows = [_class_row(found, label, row, sure.get(label)) for label, row in found.per_class.items()]
    if trials is not None:
        heads.append("AUC")
        for label, cells in zip(found.per_class, rows, strict=True):
            area = trials.area(label)
            cells.append((number(area, 3), area))
    caption = "Click a column's head to sort. The interval is the recall's, over groups where they are known."
    return tag("section", tag("h2", "Class by class"), table(heads, rows, caption))


def _class_row(found: Evaluation, label: str, row: Mapping[str, float | None], sure: Interval | None) -> list[Cell]:
    clips = [clip for clip in found.predictions if clip.truth == label]
    groups = len({clip.group for clip in clips if clip.group is not None})
    minutes = sum(clip.seconds for clip in clips if clip.seconds is not None and np.isfinite(clip.seconds)) / 60
    bounds = "-" if sure is None else f"{percent(sure.low)} to {percent(sure.high)}"
    return [
        (label, None),
        (str(len(clips)), len(clips)),
        (str(groups or "-"), groups),
        (f"{minutes:.1f}", minutes),
        (percent(row["precision"]), row["precision"]),
        (percent(row["recall"]), row["recall"]),
        (bounds, None if sure is None else sure.low),
        (percent(row["f1"]), row["f1"]),
    ]


def folds(accuracies: Mapping[str, float]) -> Markup | None:
    """The accuracy of each fold."""
    if not accuracies:
        return None
    values = list(accuracies.values())
    rows: list[list[Cell]] = [[(name, None), (percent(value), value)] for name, value in accuracies.items()]
    span = f"{percent(min(values))} to {percent(max(values))}"
    caption = f"{len(values)} folds, from {span}; their mean is {percent(float(np.mean(values)))}."
    return tag("section", tag("h2", "Fold by fold"), table(["fold", "accuracy"], rows, caption))


def scores(trials: Trials | None) -> Markup | None:
    """How far apart right and wrong, own and other, lie."""
    if trials is None:
        return None
    unit = _unit(next(clip.decision for clip in trials.clips if clip.decision is not None))
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
        _figure(
            charts.histogram("Margins of clips decided rightly and wrongly", f"margin, {unit}", "clips", by_outcome),
            "Margin: the best score less the second best. Errors should crowd at zero. End bins hold what lies beyond.",
        )
    ]
    if trials.truth.any():
        title = "Leads of labels on their own clips and on others"
        drawn.append(
            _figure(
                charts.histogram(title, f"lead, {unit}", "% of each", by_label, shares=True),
                "Lead: a label's score less the best of the others'. Above zero, the clip is given that label.",
            )
        )
    return tag("section", tag("h2", "Scores"), tag("div", *drawn, class_="charts"))


def _unit(decision: Decision) -> str:
    if decision.calibrated:
        return "nats of log posterior"
    return "log-odds" if decision.score_kind == "logit" else "nats per frame"


def curves(trials: Trials | None) -> Markup | None:
    """ROC curve and reliability."""
    if trials is None:
        return None
    drawn = []
    if trials.truth.any():
        rates = error_rates(trials.targets, trials.others)
        area, eer = area_under_curve(trials.targets, trials.others), equal_error_rate(trials.targets, trials.others)
        words = f"Each label against the rest, all pooled: area {area:.3f}, equal error rate {percent(eer)}."
        drawn.append(_figure(charts.roc("ROC curve", *rates.roc), words))
    found = reliability(trials.right, trials.confidences)
    known = all(clip.decision.calibrated for clip in trials.clips if clip.decision is not None)
    doubt = (
        "" if known else " The posteriors are not calibrated: far too sure, for frames of a clip are not independent."
    )
    words = (
        f"On the dashed line, answers are right as often as they say; they are off by {percent(found.error)}.{doubt}"
    )
    drawn.append(_figure(charts.reliability_diagram("Reliability of the posteriors", found), words))
    return tag("section", tag("h2", "Detection and calibration"), tag("div", *drawn, class_="charts"))


def _figure(drawing: Markup, words: str) -> Markup:
    return tag("figure", drawing, tag("figcaption", words))


def durations(found: Mapping[float, Evaluation]) -> Markup | None:
    """The accuracy when clips are cut short."""
    if not found:
        return None
    lengths = sorted(found)
    cut = [found[length] for length in lengths]
    rows: list[list[Cell]] = [
        [
            (f"{length:g}", length),
            (str(len(one.predictions)), len(one.predictions)),
            (percent(one.accuracy), one.accuracy),
            (f"{percent(one.interval.low)} to {percent(one.interval.high)}", one.interval.low),
        ]
        for length, one in zip(lengths, cut, strict=True)
    ]
    title = "Accuracy by length of clip"
    sure = [one.interval for one in cut]
    drawing = charts.with_intervals(title, "seconds", lengths, [one.accuracy for one in cut], sure)
    caption = f"95 % intervals, {sure[-1].method}."
    heads = ["seconds", "clips", "accuracy", "95 % interval"]
    parts = [_figure(drawing, "Whiskers are 95 % intervals."), tag("div", table(heads, rows, caption))]
    return tag("section", tag("h2", "How much sound it takes"), tag("div", *parts, class_="charts"))


def mistakes(found: Sequence[Mistake], of: Evaluation) -> Markup | None:
    """The errors made most surely, to be listened to, and a list of all."""
    wrong = [clip for clip in of.predictions if clip.label != clip.truth]
    if not wrong:
        return None
    words = "The wrong answers that lead the truth by most. Often it is the label that is wrong, or the recording."
    if any(one.excerpt is not None for one in found):
        words += " The sounds are parts of the clips: where these must not be passed on, nor must this page."
    cards = tag("div", *(_mistake(one) for one in found), class_="mistakes")
    heads = ["clip", "truth", "answer", "group"]
    rows: list[list[Cell]] = [
        [(_place(clip.path, clip.start, clip.end), None), (clip.truth, None), (clip.label or "(refused)", None),
         (clip.group or "-", None)]
        for clip in wrong[:_MOST_ERRORS]
    ]  # fmt: skip
    more = f", the first {_MOST_ERRORS} of them" if len(wrong) > _MOST_ERRORS else ""
    every = tag("details", tag("summary", f"All errors: {len(wrong)} of {extent(of)}{more}"), table(heads, rows, ""))
    return tag("section", tag("h2", "The worst errors"), tag("p", words, class_="pale"), cards, every)


def _mistake(one: Mistake) -> Markup:
    clip = one.clip
    unit = "" if clip.decision is None else _unit(clip.decision)
    lead = "" if one.lead is None else f", by {one.lead:.2f} {unit}"
    parts = [
        tag("p", tag("b", clip.label or "(refused)"), " instead of ", tag("strong", clip.truth), lead, class_="said")
    ]
    if one.silence:
        parts.append(tag("p", f"No sound: {one.silence}.", class_="pale"))
    if one.excerpt is not None:
        sound = f"excerpt of {clip.path}"
        parts += [
            tag("img", src=one.excerpt.picture, alt=f"spectrogram of the {sound}", loading="lazy"),
            tag("audio", src=one.excerpt.sound, controls="", preload="metadata", aria_label=sound),
        ]
    parts.append(tag("p", _place(clip.path, clip.start, clip.end)))
    told = [f"group {clip.group}"] if clip.group else []
    if one.excerpt is not None:
        told.append(f"heard: {one.excerpt.start:.1f} to {one.excerpt.end:.1f} s")
    return tag("article", *parts, tag("p", "; ".join(told), class_="pale"), class_="mistake")


def _place(path: str, start: float | None, end: float | None) -> str:
    return (
        path
        if start is None and end is None
        else f"{path} [{start or 0:g} to {'end' if end is None else f'{end:g}'} s]"
    )


def failed(found: Evaluation) -> Markup | None:
    """Clips that could not be scored."""
    if not found.errors:
        return None
    rows: list[list[Cell]] = [
        [(str(one["path"]), None), (str(one["error"]["code"]), None), (str(one["error"]["message"]), None)]
        for one in found.errors
    ]
    caption = "These clips could not be scored and are in no figure."
    return tag("section", tag("h2", "Clips that failed"), table(["clip", "code", "reason"], rows, caption))


def model(known: Mapping[str, Any]) -> Markup | None:
    """What is known of the model and its training."""
    return tag("section", tag("h2", "The model"), facts(known)) if known else None


def command(line: str) -> Markup | None:
    """What made the report."""
    return tag("section", tag("h2", "The command"), tag("pre", line)) if line else None
