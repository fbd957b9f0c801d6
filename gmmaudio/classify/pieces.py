"""Pieces of clips: a clip as it would have been, had the recording stopped sooner.

A piece goes through the front end by itself, for a front end that normalises by the clip, or looks across frames,
does something else to one second than to ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gmmaudio.classify.examples import Example, Failure, example_of
from gmmaudio.corpus.audio import Clip, Reader, joined, read_through
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import FrontEnd

LENGTHS = (30.0, 10.0, 3.0, 1.0)
"""Seconds; the last three are those of NIST's language recognition evaluations."""

MOST = 3
"""Pieces of one length that are cut from one clip: more of them would mostly repeat one another."""

SLACK = 0.05
"""The share of a length by which a clip may fall short of it."""


def spans(seconds: float, length: float, most: int = MOST) -> list[tuple[float, float]]:
    """Starts and ends, in seconds, of the pieces of one length: parts end to end, and evenly spread if there are many.

    Parameters
    ----------
    seconds : float
        The length of the clip.
    length : float
        That of the pieces, above 0. A clip up to 5 % shorter still makes one.
    most : int, default 3
        Of the parts that the clip falls into, so many at most are taken, in the middle of as many equal ranges.

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> spans(10.0, 3.0)
    [(0.0, 3.0), (3.0, 6.0), (6.0, 9.0)]
    >>> spans(10.0, 1.0)
    [(1.0, 2.0), (5.0, 6.0), (8.0, 9.0)]
    >>> spans(9.8, 10.0), spans(9.0, 10.0)
    ([(0.0, 9.8)], [])
    """
    if not length > 0 or most < 1:
        raise DataError("bad_setting", f"pieces of {length} s, at most {most}; both must be above 0")
    parts = int(seconds / length + SLACK)
    chosen = range(parts) if parts <= most else [(2 * i + 1) * parts // (2 * most) for i in range(most)]
    return [(i * length, min((i + 1) * length, seconds)) for i in chosen]


def cut(clip: Clip, start: float, end: float) -> Clip:
    """The part of a clip between two times in seconds."""
    return Clip(clip.samples[round(start * clip.rate) : round(end * clip.rate)], clip.rate, clip.path, clip.warnings)


def piece_examples(
    entry: Entry,
    front_end: FrontEnd,
    lengths: Sequence[float] = LENGTHS,
    most: int = MOST,
    read: Reader = read_through,
) -> dict[float, list[Example | Failure]]:
    """The pieces of an entry's clip, which is read once: examples, or failures in their place, by length.

    Parameters
    ----------
    entry : Entry
    front_end : FrontEnd
    lengths : sequence of float
        In seconds. One that the clip does not reach has no pieces.
    most : int, default 3
        Pieces per length, as in `spans`.
    read : Reader
        As in `gmmaudio.classify.examples.read_examples`.

    Raises
    ------
    ClipError
        The clip as a whole cannot be read.
    """
    samples, facts = read(entry.path, front_end.rate, joined, entry.start, entry.end)
    clip = Clip(samples, facts.rate, entry.path, facts.warnings)
    seconds, base = len(clip.samples) / clip.rate, entry.start or 0.0

    def one(start: float, end: float) -> Example | Failure:
        part = replace(entry, start=base + start, end=base + end)
        try:
            return example_of(part, cut(clip, start, end), front_end)
        except ClipError as error:
            return Failure(part, error)

    return {length: [one(*span) for span in spans(seconds, length, most)] for length in lengths}
