"""An evaluation in words, for the terminal: its figures in lines, its tables in columns."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from gmmaudio.evaluate.confusions import top_confusions
from gmmaudio.evaluate.decision_figures import PER_CLASS
from gmmaudio.evaluate.label_figures import HEADS, detector_cell
from gmmaudio.evaluate.posterior_figures import figure_lines
from gmmaudio.evaluate.sure_figure import in_brackets, legend, mark
from gmmaudio.measures.intervals import Interval

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Evaluation

_FULL_TABLE = 15  # more classes than this make a confusion matrix that no terminal can show
TOP_CONFUSIONS = 15
_NAME_WIDTH = 24
_LINE = 79


def as_text(found: Evaluation) -> str:
    """A report: the figures, a table per class, and what was taken for what."""
    tables = _matrix if len(found.labels) <= _FULL_TABLE else _top_confusions
    parts = [_summary(found), _class_table(found), _detector_table(found), tables(found)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def shown(label: str) -> str:
    """A label as a terminal can bear it: printable, and not too long for a table."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in label)
    return clean if len(clean) <= _NAME_WIDTH else clean[: _NAME_WIDTH - 2] + ".."


def headline(found: Evaluation) -> str:
    """The accuracy with its interval, in one line."""
    return with_interval(found.accuracy, found.interval)


def with_interval(share: float, sure: Interval | None) -> str:
    """A share in per cent with its interval.

    Examples
    --------
    >>> with_interval(0.5, Interval(0.25, 0.75, "t over groups", 40, 8))
    '50.0 %  (95 % interval 25.0 to 75.0 %, t over groups)'
    """
    if sure is None:
        return f"{_percent(share)} %  (no interval)"
    return f"{_percent(share)} %  (95 % interval {_percent(sure.low)} to {_percent(sure.high)} %, {sure.method})"


def extent(found: Evaluation) -> str:
    """How many clips and groups the figures rest on, in words."""
    return extent_of(found.interval)


def extent_of(sure: Interval) -> str:
    """How many clips and groups an interval rests on, in words."""
    groups = f" in {counted(sure.groups, 'group')}" if sure.groups else ", no groups known"
    return counted(sure.clips, "clip") + groups


def _summary(found: Evaluation) -> list[str]:
    refused = f", {found.refused.sum()} of them refused, as unknown" if found.refused.any() else ""
    lines = [
        f"accuracy           {headline(found)}",
        f"balanced accuracy  {with_interval(found.balanced_accuracy, found.balanced_interval)}",
        f"measured on        {extent(found)}{refused}",
    ]
    lines += figure_lines(found.posterior_figures, found.calibrated, found.interval.clips)
    if found.open_set is not None:
        lines += found.open_set.lines()
    if found.errors:
        lines.append(f"failed             {counted(len(found.errors), 'clip')} could not be scored, not counted above")
    return lines + [f"warning: {text}" for text in caveats(found)]


def caveats(found: Evaluation) -> list[str]:
    """What the figures must not be read without."""
    warnings = list(found.warnings)
    if found.not_in_model:
        names = ", ".join(shown(label) for label in found.not_in_model)
        lost = sum(clip.truth in found.not_in_model for clip in found.predictions)
        known = [label for label in found.labels if label not in found.not_in_model]
        near = [get_close_matches(label, known, n=1) for label in found.not_in_model]
        meant = ", ".join(shown(one[0]) for one in near if one)
        hint = f" (did you mean {meant}?)" if meant else ""
        warnings.append(f"the model does not know {names}{hint}: {counted(lost, 'clip')}, all counted as wrong")
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
    """A row per class; on the left how many clips and groups are of it, and how many were taken for it."""
    rows = [["class", "clips", "answers", *PER_CLASS[:2], "F1"]]
    marks = []
    for label, row in found.per_class.items():
        sure = found.class_intervals[label]
        marks += [mark(one) for one in sure.values() if one is not None]
        sizes = [_size(sure[name]) for name in ("recall", "precision")]
        rows.append([shown(label), *sizes, *(in_brackets(row[name], sure[name]) for name in PER_CLASS)])
    return [*_columns(rows), f"per cent, and 95 % interval: {legend(marks)}; clips and answers: n/groups"]


def _detector_table(found: Evaluation) -> list[str]:
    """A row per label of the model: how well it is told from the others. Nothing without posteriors."""
    if not found.label_figures:
        return []
    rows, marks = [["label", *HEADS.values()]], []
    for label, row in found.label_figures.items():
        marks += [mark(one.sure) for one in row.values() if one and one.sure]
        rows.append([shown(label), *(detector_cell(name, one) for name, one in row.items())])
    doubt = "" if found.calibrated else "; posteriors not calibrated"
    last = f"per cent, bits, and 95 % interval: {legend(marks)}"
    return [f"detection: each label against the others{doubt}", *_columns(rows), last]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([f"{row[0]:{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def _size(sure: Interval | None) -> str:
    """Clips and groups."""
    return "0" if sure is None else f"{sure.clips}/{sure.groups or '-'}"


def _matrix(found: Evaluation) -> list[str]:
    """The confusion matrix; columns are headed by the labels, or by numbers where some label is too long."""
    names = [shown(label) for label in found.labels]
    table = np.column_stack([found.confusion, found.refused]) if found.refused.any() else found.confusion
    room = (_LINE - max(map(len, names))) // table.shape[1] - 2
    heads, digits = names, len(str(table.max()))
    if max(map(len, names)) > max(digits, room):
        heads = [str(i + 1) for i in range(len(names))]
        names = [f"{head:>2} {name}" for head, name in zip(heads, names, strict=True)]
    width, side = max(digits, 3, *map(len, heads)), max(map(len, names))
    title = "confusion: rows are the truth, columns the answer"
    if found.refused.any():
        heads = [*heads, "?"]
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
