"""Examples: labelled clips turned into frames. A clip that cannot be used becomes a failure, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.audio import Clip, ClipWarning, Reader, hashed, read_through, sample_hash
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, NothingLeft
from gmmaudio.features.frames import Voiced
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.parallel import map_in_order, one_blas_thread


@dataclass(frozen=True, eq=False)
class Example:
    """One labelled clip, ready for training or scoring.

    Parameters
    ----------
    entry : Entry
    frames : (n, d) float32
        The voiced frames, n at least 1.
    seconds, voiced_seconds : float
        Length of the clip, and of the frames that count.
    sample_hash : str
        SHA-256 of the samples at the front end's rate.
    warnings : tuple of ClipWarning
    """

    entry: Entry
    frames: NDArray[np.float32]
    seconds: float
    voiced_seconds: float
    sample_hash: str
    warnings: tuple[ClipWarning, ...]


@dataclass(frozen=True)
class Failure:
    """One labelled clip that cannot be used, and why."""

    entry: Entry
    error: ClipError

    def record(self) -> dict[str, Any]:
        """As an evaluation or an audit lists it."""
        return {"path": self.entry.name, "error": self.error.record()}


T = TypeVar("T")
Progress = Callable[[int, int], None]
ExampleReader = Callable[[Sequence[Entry], FrontEnd, int, Progress | None], tuple[list[Example], list[Failure]]]


def read_examples(
    entries: Sequence[Entry],
    front_end: FrontEnd,
    jobs: int = 1,
    progress: Progress | None = None,
    read: Reader = read_through,
) -> tuple[list[Example], list[Failure]]:
    """Examples and failures, each in the order of the entries.

    Parameters
    ----------
    entries : sequence of Entry
    front_end : FrontEnd
    jobs : int, default 1
        Threads, one file each.
    progress : callable, optional
        Called with the number of clips done and their total.
    read : Reader
        Default: in this process; `gmmaudio.corpus.isolate.isolated` makes one that decodes in others.

    Raises
    ------
    NothingLeft
        Every clip failed; the code is that of the first.
    """

    def one(entry: Entry) -> Example | Failure:
        try:
            return read_example(entry, front_end, read)
        except ClipError as error:
            return Failure(entry, error)

    with one_blas_thread():
        results = list(counted(map_in_order(one, entries, jobs), len(entries), progress))
    return parted(results)


def parted(results: Sequence[Example | Failure]) -> tuple[list[Example], list[Failure]]:
    """Examples and failures apart, each in order; ``NothingLeft`` where there are failures only."""
    examples = [result for result in results if isinstance(result, Example)]
    failures = [result for result in results if isinstance(result, Failure)]
    if failures and not examples:
        first = failures[0]
        name, many = first.entry.name, len(failures) > 1
        told = f"none of the {len(failures)} clips can be used; the first, {name}" if many else f"{name} cannot be used"
        message = f"{told}: {first.error.message}"
        raise NothingLeft(first.error.code, message, first.error.hint)
    return examples, failures


def read_example(entry: Entry, front_end: FrontEnd, read: Reader = read_through) -> Example:
    """One example, or the ClipError that says why not."""

    def consume(blocks: Iterator[NDArray[np.float32]]) -> tuple[Voiced, str]:
        digest = sha256()
        return front_end.voiced_frames(hashed(blocks, digest)), digest.hexdigest()

    (voiced, digest), facts = read(entry.path, front_end.rate, consume, entry.start, entry.end)
    return Example(entry, voiced.values, facts.seconds, voiced.seconds, digest, facts.warnings)


def example_of(entry: Entry, clip: Clip, front_end: FrontEnd) -> Example:
    """The example that an entry's clip, at the front end's rate, makes."""
    voiced = front_end.voiced_frames((clip.samples,))
    seconds = len(clip.samples) / clip.rate
    return Example(entry, voiced.values, seconds, voiced.seconds, sample_hash(clip.samples), clip.warnings)


def counted(results: Iterable[T], total: int, progress: Progress | None) -> Iterable[T]:
    """Pass results on, telling ``progress`` after each."""
    for done, result in enumerate(results, 1):
        if progress is not None:
            progress(done, total)
        yield result
