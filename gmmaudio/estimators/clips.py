"""Clips as estimators are given them, paths or (samples, rate): to examples to be trained on, and to decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gmmaudio.classify.classifier import Classifier, Decision, Source
from gmmaudio.classify.examples import Example, Failure, example_of, parted, read_example
from gmmaudio.classify.methods import AUTO, Training
from gmmaudio.corpus.audio import clip_from_array
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import FrontEnd, preset
from gmmaudio.parallel import map_in_order, one_blas_thread


def training(named: str, components: object, seed: int, method: str = "ml") -> Training:
    """The settings that an estimator's parameters stand for.

    Raises
    ------
    DataError
        ``bad_setting``.
    """
    if components == "auto":
        components = AUTO
    if not hasattr(components, "__index__"):
        raise DataError("bad_setting", f"components {components!r}, allowed are 'auto' and whole numbers")
    return Training(preset(named), int(components), seed, method=method)


def entries_of(
    clips: Sequence[Source], labels: Sequence[str], groups: Sequence[str | None] | None = None
) -> list[Entry]:
    """An entry for each clip.

    Raises
    ------
    DataError
        ``bad_shape`` where the lengths differ.
    """
    groups = [None] * len(clips) if groups is None else groups
    if not len(clips) == len(labels) == len(groups):
        text = f"{len(clips)} clips, {len(labels)} labels and {len(groups)} groups; one of each per clip is needed"
        raise DataError("bad_shape", text)
    return [Entry(_name(c, i), str(y), g) for i, (c, y, g) in enumerate(zip(clips, labels, groups, strict=True))]


def examples_of(
    clips: Sequence[Source], entries: Sequence[Entry], front_end: FrontEnd, jobs: int
) -> tuple[list[Example], list[Failure]]:
    """The examples of clips, and those that cannot be used.

    Raises
    ------
    NothingLeft
        Where none can.
    """

    def one(task: tuple[Source, Entry]) -> Example | Failure:
        source, entry = task
        try:
            if isinstance(source, tuple):
                return example_of(entry, clip_from_array(*source, front_end.rate), front_end)
            return read_example(entry, front_end)
        except ClipError as error:
            return Failure(entry, error)

    with one_blas_thread():
        return parted(list(map_in_order(one, zip(clips, entries, strict=True), jobs)))


def decisions(classifier: Classifier, clips: Sequence[Source], jobs: int) -> Iterator[Decision]:
    """What a classifier says of each clip; the error of one that cannot be used is raised."""
    for found in classifier.score_all(clips, jobs=jobs):
        if isinstance(found, ClipError):
            raise found
        yield found


def _name(source: Source, index: int) -> Path:
    return Path(f"clip {index}") if isinstance(source, tuple) else Path(source)
