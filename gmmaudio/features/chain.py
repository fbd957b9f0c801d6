"""The steps after the extractor, run over chunks of frames, so that hours of sound need no more than their result.

A step says in ``halo`` how many frames to either side a frame's result depends on; None means the whole clip. Steps in
a row that have a number run together over chunks with so many frames more on either side. Chunks are counted from the
start of the clip, on every path: the bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from gmmaudio.features.frames import Frames, Real

CHUNK = 4096  # frames


class Step(Protocol):
    """What turns frames into as many others."""

    @property
    def halo(self) -> int | None:
        """The frames to either side that a frame's result depends on; None: the whole clip."""

    def dimension(self, d: int) -> int:
        """Values per frame, given those of the frames that come in."""

    def __call__(self, frames: Frames) -> Frames: ...


def run(steps: Sequence[Step], frames: Frames) -> Frames:
    """All frames after all steps."""
    for group in _groups(steps):
        values = group[0](frames).values if group[0].halo is None else _local(group, frames, len(frames.values), False)
        frames = replace(frames, values=values)
    return frames


def run_voiced(steps: Sequence[Step], frames: Frames) -> Real:
    """The voiced frames (m, d) after all steps; the others are never held at their full width."""
    *before, last = _groups(steps) or [[]]
    frames = run([step for group in before for step in group], frames)
    if not last or last[0].halo is None:
        return run(last, frames).selected()
    return _local(last, frames, int(np.count_nonzero(frames.voiced)), True)


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """Runs of local steps, and whole-clip steps each alone."""
    found: list[list[Step]] = []
    for step in steps:
        if found and step.halo is not None and found[-1][0].halo is not None:
            found[-1].append(step)
        else:
            found.append([step])
    return found


def _local(steps: Sequence[Step], frames: Frames, rows: int, voiced: bool) -> Real:
    """The results of local steps, of all frames or of the voiced ones, into one array of so many rows."""
    d = frames.values.shape[1]
    for step in steps:
        d = step.dimension(d)
    result, at = np.empty((rows, d), np.float32), 0
    for here, part in _chunks(frames, sum(step.halo or 0 for step in steps)):
        for step in steps:
            part = step(part)
        kept = part.values[here]
        if voiced:
            kept = kept[part.voiced[here]]
        result[at : at + len(kept)] = kept
        at += len(kept)
    return result


def _chunks(frames: Frames, halo: int) -> Iterator[tuple[slice, Frames]]:
    """Chunks with their halo, and where in them the chunk proper lies."""
    n = len(frames.values)
    for start in range(0, n, CHUNK):
        stop, first = min(n, start + CHUNK), max(0, start - halo)
        around = slice(first, min(n, stop + halo))
        part = replace(frames, values=frames.values[around], voiced=frames.voiced[around])
        yield slice(start - first, stop - first), part
