"""Decisions along a recording: every window is decided as if it were a clip of its own.

The recording is read once, block by block; of its samples no more is kept than the windows at hand need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from gmmaudio.classify.classifier import Classifier, Decision, Floats
from gmmaudio.classify.smoothing import smoothed
from gmmaudio.corpus.audio import Clip, ClipWarning, Reader, Samples, read_through
from gmmaudio.errors import ClipError, DataError
from gmmaudio.parallel import map_in_order, one_blas_thread

_BYTES = 4  # of a sample
LONGEST = 1e6  # seconds of a window, or from one to the next: eleven days


@dataclass(frozen=True)
class Window:
    """A part of a clip in seconds, and what was decided, or why nothing could be."""

    start: float
    end: float
    found: Decision | ClipError


def windows_of(seconds: float, window: float, hop: float) -> list[tuple[float, float]]:
    """Starts and ends that cover ``seconds``. A rest shorter than half a window is left to the window before it.

    Examples
    --------
    >>> windows_of(5.0, 3.0, 2.0)
    [(0.0, 3.0), (2.0, 5.0)]
    >>> windows_of(7.0, 3.0, 3.0)
    [(0.0, 3.0), (3.0, 7.0)]
    """
    spans = [(0.0, min(window, seconds))]
    while (start := len(spans) * hop) < seconds and spans[-1][1] < seconds:
        rest = seconds - spans[-1][1]
        if start <= spans[-1][1] and rest < window / 2 and seconds - start < window:
            spans[-1] = (spans[-1][0], seconds)
        else:
            spans.append((start, min(start + window, seconds)))
    return spans


def cut(blocks: Iterable[Samples], rate: int, window: float, hop: float) -> Iterator[tuple[float, float, Samples]]:
    """The windows of samples that come in pieces of any size: starts and ends as of `windows_of`, and their samples.

    Examples
    --------
    >>> [len(samples) for _, _, samples in cut([np.zeros(40, np.float32), np.ones(30, np.float32)], 10, 3.0, 2.0)]
    [30, 30, 30]
    """
    kept, gone, number = bytearray(), 0, 0  # gone: samples before those that are kept

    def samples(start: float, end: float) -> Samples:
        first, last = (_BYTES * (round(at * rate) - gone) for at in (start, end))
        return np.frombuffer(kept[first:last], np.float32)

    for block in blocks:
        kept += block.data
        seen = (gone + len(kept) // _BYTES) / rate
        # A rest of half a window is no longer left to the window before it.
        while seen - ((start := number * hop) + window) >= window / 2:
            yield start, start + window, samples(start, start + window)
            number += 1
            unused = min(len(kept), _BYTES * max(0, round(number * hop * rate) - gone))
            del kept[:unused]
            gone += unused // _BYTES
    for start, end in windows_of((gone + len(kept) // _BYTES) / rate, window, hop)[number:]:
        yield start, end, samples(start, end)


def score_windows(
    classifier: Classifier,
    paths: Iterable[Path],
    windows: tuple[float, float],
    prior: Mapping[str, float] | None = None,
    among: Sequence[str] | None = None,
    jobs: int = 1,
    read: Reader = read_through,
    smooth: float | None = None,
) -> Iterator[tuple[Path, list[Window] | list[ClipError]]]:
    """Each path with its windows; a clip that cannot be read has one error in their place.

    Memory is that of the windows in hand, three per thread, and of the decisions of one recording.

    Parameters
    ----------
    classifier : Classifier
    paths : iterable of Path
    windows : (window, hop) in seconds
    prior, among, read
        As in ``Classifier.score_all``.
    jobs : int, default 1
        Threads that decide windows; one reads.
    smooth : float, optional
        Seconds between changes of the label on average, as `gmmaudio.classify.smoothing` has it. Default: every
        window is decided by itself.

    Raises
    ------
    DataError
        ``bad_setting`` for a window shorter than the model's, or a hop shorter than its frames' hop;
        ``unknown_label``, ``bad_prior``.
    """
    _check(classifier, windows)
    if smooth is not None and classifier.floor is not None:
        raise DataError("bad_setting", "smoothing is between labels, and the model has one", "leave --smooth out")
    return _each(classifier, paths, windows, classifier.log_prior(prior, among), jobs, read, smooth)


def _each(
    classifier: Classifier,
    paths: Iterable[Path],
    windows: tuple[float, float],
    log_prior: Floats,
    jobs: int,
    read: Reader,
    smooth: float | None,
) -> Iterator[tuple[Path, list[Window] | list[ClipError]]]:
    def decided(blocks: Iterator[Samples]) -> list[Window]:
        # Smoothing wants the scores of all labels, and sees to priors itself.
        decide = partial(_decide, classifier, log_prior if smooth is None else None)
        found = list(map_in_order(decide, cut(blocks, classifier.front_end.rate, *windows), jobs))
        if smooth is None:
            return found
        decisions = smoothed(classifier, [window.found for window in found], log_prior, windows, smooth)
        return [replace(window, found=one) for window, one in zip(found, decisions, strict=True)]

    with one_blas_thread():
        for path in paths:
            try:
                found, facts = read(path, classifier.front_end.rate, decided)
            except ClipError as error:
                yield path, [error]
            else:
                yield path, [_warned(window, facts.warnings) for window in found]


def _decide(classifier: Classifier, log_prior: Floats | None, part: tuple[float, float, Samples]) -> Window:
    start, end, samples = part
    try:
        return Window(start, end, classifier.decide(Clip(samples, classifier.front_end.rate), log_prior))
    except ClipError as error:
        return Window(start, end, error)


def _check(classifier: Classifier, windows: tuple[float, float]) -> None:
    """Refuse windows that hold no frame, or that are closer than frames."""
    front_end = classifier.front_end
    for name, value, samples in zip(
        ("window", "hop"), windows, (front_end.mfcc.window_samples, front_end.mfcc.hop_samples), strict=True
    ):
        least = samples / front_end.rate
        if not least <= value <= LONGEST:
            text = (
                f"a {name} of {value:g} s; the model's frames alone take {least:.3g} s, and {LONGEST:g} s are the most"
            )
            raise DataError("bad_setting", text, "for instance --window 3 --hop 1")


def _warned(window: Window, warnings: tuple[ClipWarning, ...]) -> Window:
    """With what was odd about the whole recording, which is known only at its end."""
    found = window.found
    if isinstance(found, ClipError):
        return window
    return replace(window, found=replace(found, warnings=(*warnings, *found.warnings)))
