"""A timeline as other programs read it: Audacity's label track, and Praat's TextGrid.

Both hold stretches of time that do not overlap. Where windows do, each speaks for its part up to the middle of what it
shares with the next; then neighbours with one label are joined.

References
----------
Audacity's manual, "Importing and Exporting Labels", standard format. Praat's manual, "TextGrid file formats".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gmmaudio.classify.classifier import Decision
from gmmaudio.classify.gate import UNKNOWN
from gmmaudio.classify.timeline import Window
from gmmaudio.files import printable

TIER = "labels"
"""The name of the TextGrid's only tier."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording in seconds and its label, ``unknown`` among them; None where nothing was decided."""

    start: float
    end: float
    label: str | None


def stretches(windows: Sequence[Window]) -> list[Stretch]:
    """What each window speaks for.

    Examples
    --------
    >>> from gmmaudio.errors import ClipError
    >>> silence = ClipError("silence", "nothing is loud enough")
    >>> [(one.start, one.end) for one in stretches([Window(0.0, 3.0, silence), Window(1.0, 4.0, silence)])]
    [(0.0, 2.0), (2.0, 4.0)]
    """
    starts, ends = [window.start for window in windows], [window.end for window in windows]
    for place in range(1, len(windows)):
        if ends[place - 1] > starts[place]:
            middle = (windows[place - 1].end + windows[place].start) / 2
            ends[place - 1] = starts[place] = middle
    return [Stretch(*parts) for parts in zip(starts, ends, map(_label, windows), strict=True)]


def runs(windows: Sequence[Window]) -> list[Stretch]:
    """Neighbours with one label joined; from the first window's start to the last one's end, without a gap."""
    joined = []
    for label, group in groupby(_without_gaps(stretches(windows)), key=lambda one: one.label):
        members = list(group)
        joined.append(Stretch(members[0].start, members[-1].end, label))
    return joined


def audacity(windows: Sequence[Window]) -> str:
    """Lines of start, end and label, apart by tabs; nothing where nothing was decided."""
    return "".join(
        f"{run.start:.6f}\t{run.end:.6f}\t{printable(run.label)}\n" for run in runs(windows) if run.label is not None
    )


def text_grid(windows: Sequence[Window]) -> str:
    """Praat's long text format with one tier of intervals; the text is empty where nothing was decided."""
    found = runs(windows)
    span = [f"xmin = {found[0].start:.6f}", f"xmax = {found[-1].end:.6f}"]
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *span, "tiers? <exists>", "size = 1"]
    tier = ['class = "IntervalTier"', f"name = {_quoted(TIER)}", *span, f"intervals: size = {len(found)}"]
    lines = [*head, "item []:", "    item [1]:", *(8 * " " + line for line in tier)]
    for number, run in enumerate(found, 1):
        values = [f"xmin = {run.start:.6f}", f"xmax = {run.end:.6f}", f"text = {_quoted(run.label or '')}"]
        lines += [8 * " " + f"intervals [{number}]:", *(12 * " " + value for value in values)]
    return "\n".join(lines) + "\n"


def _label(window: Window) -> str | None:
    return (window.found.label or UNKNOWN) if isinstance(window.found, Decision) else None


def _without_gaps(found: Sequence[Stretch]) -> Iterator[Stretch]:
    """Empty stretches where windows do not touch."""
    for place, one in enumerate(found):
        if place and one.start > found[place - 1].end:
            yield Stretch(found[place - 1].end, one.start, None)
        yield one


def _quoted(text: str) -> str:
    """A text as Praat writes it: a quote within it stands twice."""
    return '"' + printable(text).replace('"', '""') + '"'
