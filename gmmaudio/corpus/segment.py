"""Which frames of a recording are wanted, and whether they came."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gmmaudio.corpus.recording import Recording
from gmmaudio.corpus.samples import ClipWarning
from gmmaudio.errors import ClipError

OVERSHOOT = 0.5
"""Seconds by which a segment may end behind the clip (as in Kaldi's extract-segments)."""


@dataclass(frozen=True)
class Segment:
    """Frames ``first`` up to ``last`` (None: the end); ``wanted`` of them should be there (None: unknown)."""

    first: int
    last: int | None
    wanted: int | None
    warnings: tuple[ClipWarning, ...] = ()


def segment_of(recording: Recording, start: float | None, end: float | None) -> Segment:
    """The frames between two times in seconds (None: the recording's own start and end).

    Raises
    ------
    ClipError
        out_of_range_segment.
    """
    promised, rate = recording.promised, recording.rate
    begin, stop = start or 0.0, math.inf if end is None else end
    seconds = math.inf if promised is None else promised / rate
    if not 0 <= begin < stop or 0 < seconds <= begin or (end is not None and end > seconds + OVERSHOOT):
        raise ClipError(
            "out_of_range_segment",
            f"{recording.name}: the segment {begin:g} to {stop:g} s does not lie within {seconds:.3f} s",
            "start must be less than end, and both within the clip",
        )
    first, last = round(begin * rate), None if end is None else round(end * rate)
    if promised is None:
        return Segment(first, last, None if last is None else last - first)
    if last is None or last <= promised:
        return Segment(first, last, (promised if last is None else last) - first)
    text = f"the segment ends {(last - promised) / rate:.3f} s behind the clip, and was cut there"
    return Segment(first, last, promised - first, (ClipWarning("segment_cut", text),))


def shortfall(recording: Recording, segment: Segment, frames: int) -> tuple[ClipWarning, ...]:
    """A warning where fewer frames came than were promised, or the stream does not end where its header says."""
    if segment.wanted is not None and frames < segment.wanted - recording.slack:
        text = f"cut short: {segment.wanted} frames were promised, {frames} were read"
    elif recording.torn is not None and segment.first + frames >= recording.torn:
        text = f"cut short: the stream does not end where the file does, after {frames} frames"
    elif recording.goes_on and segment.last is None:
        text = f"more audio stands behind the {segment.first + frames} frames that the header promises: it was not read"
        return (ClipWarning("unread", text),)
    else:
        return ()
    return (ClipWarning("truncated", text),)
