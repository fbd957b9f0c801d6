"""Decisions along a recording: every window is decided as if it were a clip of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.corpus.audio import Clip, Reader, read_through
from gmmaudio.errors import ClipError, DataError
from gmmaudio.parallel import map_in_order, one_blas_thread


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


def score_windows(
    classifier: Classifier,
    paths: Iterable[Path],
    windows: tuple[float, float],
    prior: Mapping[str, float] | None = None,
    among: Sequence[str] | None = None,
    jobs: int = 1,
    read: Reader = read_through,
) -> Iterator[tuple[Path, list[Window] | list[ClipError]]]:
    """Each path with its windows; a clip that cannot be read has one error in their place.

    Parameters
    ----------
    classifier : Classifier
    paths : iterable of Path
    windows : (window, hop) in seconds
    prior, among, jobs, read
        As in ``Classifier.score_all``.
    """
    shortest = classifier.front_end.mfcc.window_samples / classifier.front_end.rate
    if windows[0] < shortest:
        raise DataError("bad_setting", f"a window of {windows[0]} s; the model's frames alone take {shortest} s")
    log_prior = classifier.log_prior(prior, among)

    def one(path: Path) -> tuple[Path, list[Window] | list[ClipError]]:
        try:
            clip = classifier.read(path, read)
        except ClipError as error:
            return path, [error]
        spans = windows_of(len(clip.samples) / clip.rate, *windows)
        return path, [Window(start, end, decide(clip, start, end)) for start, end in spans]

    def decide(clip: Clip, start: float, end: float) -> Decision | ClipError:
        part = clip.samples[round(start * clip.rate) : round(end * clip.rate)]
        try:
            return classifier.decide(Clip(part, clip.rate, clip.path, clip.warnings), log_prior)
        except ClipError as error:
            return error

    with one_blas_thread():
        yield from map_in_order(one, paths, jobs)
