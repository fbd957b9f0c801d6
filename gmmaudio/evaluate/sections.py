"""The sections of the report's page, each a function from what was found to markup, or None where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmmaudio.evaluate import charts
from gmmaudio.evaluate.confusions import top_confusions
from gmmaudio.evaluate.cross_validation import CrossValidation
from gmmaudio.evaluate.decision_figures import PER_CLASS
from gmmaudio.evaluate.durations import COLUMNS, Durations
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import TOP_CONFUSIONS, caveats, extent, with_interval
from gmmaudio.evaluate.finding import Finding
from gmmaudio.evaluate.label_figures import label_area
from gmmaudio.evaluate.markup import Markup, tag
from gmmaudio.evaluate.posterior_figures import TITLES
from gmmaudio.evaluate.score_sections import figure, unit
from gmmaudio.evaluate.sure_figure import Figure, bits_in_brackets, in_brackets, legend, mark, share_of
from gmmaudio.evaluate.tables import DENSE, Cell, facts, matrix, number, percent, table
from gmmaudio.evaluate.trials import Trials
from gmmaudio.evaluate.worst import Mistake
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
    rows: list[list[Cell]] = []
    for one in top_confusions(found.confusion, found.refused, TOP_CONFUSIONS):
        truth, answer = names[one.truth], found.labels[one.answer] if one.answer < len(found.labels) else None
        own = [clip for clip in found.predictions if clip.truth == truth]
        share = share_of([clip.label == answer for clip in own], [clip.group for clip in own])
        rows.append([(truth, None), (names[one.answer], None), (str(one.clips), one.clips), *_share_cells(share)])
    heads = ["truth", "answer", "so", "of the class", *SHARE_HEADS[1:]]
    return table(heads, rows, "The most frequent confusions.")


def classes(found: Evaluation, trials: Trials | None) -> Markup:
    """A sortable row per class."""
    heads = ["class", "clips", "answers", "minutes", "precision, %", "recall, %", "F1, %"]
    rows = [_class_row(found, label, row) for label, row in found.per_class.items()]
    known: list[Interval | None] = [one for row in found.class_intervals.values() for one in row.values()]
    if trials is not None:
        heads.append("AUC")
        for label, cells in zip(found.per_class, rows, strict=True):
            area = label_area(trials, label)
            cells.append((_area(area), None if area is None else area.value))
            known += [] if area is None else [area.sure]
    marks = legend(mark(one) for one in known if one is not None)
    caption = (
        "Click a column's head to sort. In brackets 95 % intervals, of the method that the letter says:"
        f" {marks}. Clips are those of the class, answers those taken for it: n / groups."
    )
    return tag("section", tag("h2", "Class by class"), table(heads, rows, caption))


def _class_row(found: Evaluation, label: str, row: Mapping[str, float | None]) -> list[Cell]:
    clips = [clip for clip in found.predictions if clip.truth == label]
    minutes = sum(clip.seconds for clip in clips if clip.seconds is not None and np.isfinite(clip.seconds)) / 60
    sure = found.class_intervals[label]
    return [
        (label, None),
        _size(sure["recall"]),
        _size(sure["precision"]),
        (f"{minutes:.1f}", minutes),
        *((in_brackets(row[name], sure[name]), row[name]) for name in PER_CLASS),
    ]


def _size(sure: Interval | None) -> Cell:
    """Clips and groups, sorted by the clips."""
    return ("0", 0) if sure is None else (f"{sure.clips} / {sure.groups or '-'}", sure.clips)


def _area(area: Figure | None) -> str:
    if area is None or area.sure is None:
        return number(None if area is None else area.value, 3)
    return f"{area.value:.3f} ({area.sure.low:.3f}-{area.sure.high:.3f} {mark(area.sure)})"


def folds(found: Evaluation | CrossValidation) -> Markup | None:
    """The accuracy of each fold, where there are folds."""
    if isinstance(found, Evaluation):
        return None
    rows: list[list[Cell]] = [[(name, None), *_share_cells(figure)] for name, figure in found.figures.items()]
    count, shares = len(rows), found.folds.values()
    span = f"{percent(min(shares))} to {percent(max(shares))}"
    caption = f"{count} folds, from {span}; their mean is {with_interval(*found.mean)}."
    return tag("section", tag("h2", "Fold by fold"), table(["fold", *SHARE_HEADS], rows, caption))


SHARE_HEADS = ("accuracy", "95 % interval", "method", "clips", "groups")


def _share_cells(figure: Figure) -> list[Cell]:
    """A share and all that it rests on."""
    value, sure = figure
    if sure is None:
        return [(percent(value), value), *[("-", None)] * 4]
    bounds = f"{percent(sure.low)} to {percent(sure.high)}"
    sizes: list[Cell] = [(str(sure.clips), sure.clips), (str(sure.groups or "-"), sure.groups)]
    return [(percent(value), value), (bounds, sure.low), (sure.method, None), *sizes]


def durations(found: Durations | None) -> Markup | None:
    """The accuracy and what posteriors tell when clips are cut short, and what could not be had of them."""
    if found is None:
        return None
    lengths = sorted(found.found)
    cut = [found.found[length] for length in lengths]
    rows: list[list[Cell]] = [
        [(f"{length:g}", length), *_share_cells(Figure(one.accuracy, one.interval)), *_cost_cells(one)]
        for length, one in zip(lengths, cut, strict=True)
    ]
    title = "Accuracy by length of clip"
    sure = [one.interval for one in cut]
    drawing = charts.with_intervals(title, "seconds", lengths, [one.accuracy for one in cut], sure)
    marks = [mark(one.sure) for each in cut for one in each.posterior_figures.values() if one.sure]
    words = f" In brackets 95 % intervals: {legend(marks)}." if marks else ""
    heads = ["seconds", *SHARE_HEADS, *(TITLES[name] for name in COLUMNS)]
    numbers = table(heads, rows, f"A clip here is a piece of so many seconds.{words}")
    notes = [f"{length:g} s: {text}" for length in lengths for text in found.found[length].warnings]
    notes += found.too_long.values()
    lost = [tag("ul", *(tag("li", text) for text in dict.fromkeys(notes)))] if notes else []
    drawn = figure(drawing, "Whiskers are 95 % intervals.")
    return tag("section", tag("h2", "How much sound it takes"), drawn, numbers, *lost)


def _cost_cells(found: Evaluation) -> list[Cell]:
    figures = [found.posterior_figures.get(name) for name in COLUMNS]
    return [("-", None) if one is None else (bits_in_brackets(one), one.value) for one in figures]


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
    measure = "" if clip.decision is None else unit(clip.decision)
    lead = "" if one.lead is None else f", by {one.lead:.2f} {measure}"
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


def model(known: Mapping[str, Any], found: Evaluation | CrossValidation) -> Markup | None:
    """What is known of the model and its training; of a cross-validation's models, how they were trained."""
    title = "The model" if isinstance(found, Evaluation) else "How each fold's model was trained"
    return tag("section", tag("h2", title), facts(known)) if known else None


def command(line: str) -> Markup | None:
    """What made the report."""
    return tag("section", tag("h2", "The command"), tag("pre", line)) if line else None
