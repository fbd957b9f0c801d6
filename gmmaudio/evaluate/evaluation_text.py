"""An evaluation in words, for the terminal: its figures in lines, its tables in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmaudio.evaluate.confusions import top_confusions
from gmmaudio.evaluate.posterior_figures import figure_lines

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Evaluation

_FULL_TABLE = 15  # more classes than this make a confusion matrix that no terminal can show
TOP_CONFUSIONS = 15
_NAME_WIDTH = 24
_LINE = 79


def as_text(found: Evaluation) -> str:
    """A report: the figures, a table per class, and what was taken for what."""
    tables = _matrix if len(found.labels) <= _FULL_TABLE else _top_confusions
    return "\n".join([*_summary(found), "", *_class_table(found), "", *tables(found)])


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
