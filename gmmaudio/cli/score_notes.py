"""What ``score`` says of a run as a whole, once, on stderr: what the flags and the model do that nobody may expect."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gmmaudio.files import printable

if TYPE_CHECKING:
    from pathlib import Path

    from gmmaudio.classify.classifier import Classifier
    from gmmaudio.classify.results import Found, Results

log = logging.getLogger("gmmaudio")


def note_never_unknown(classifier: Classifier) -> None:
    """That the gate refuses too many known clips at every duration to be used without being asked."""
    gate = classifier.gate
    if gate is not None and classifier.unknown == "auto" and not any(level.bearable for level in gate.levels):
        log.info(
            "note: nothing is answered unknown: at every duration this model would refuse too many clips of its own"
            " labels as well; --unknown always answers it"
        )


def note_prior(labels: Sequence[str], prior: Mapping[str, float] | None, among: Sequence[str] | None) -> None:
    """Which labels a prior leaves out: they count 1, which beside weights that sum to 1 is much."""
    left = [label for label in among or labels if label not in prior] if prior else []
    if left:
        names = ", ".join(map(printable, left[:5])) + (", ..." if len(left) > 5 else "")
        log.info("note: --prior leaves out %s: each of these counts 1; --among does without them", names)
    idle = [label for label in prior or () if among is not None and label not in among]
    if idle:
        log.info("note: --prior has %s, which --among does without", ", ".join(map(printable, idle[:5])))


def note_gaps(window: float, hop: float) -> None:
    """That windows lie apart, and what is between them is not heard."""
    if hop > window:
        log.info("note: windows of %g s every %g s: the %.4g s between them are never heard", window, hop, hop - window)


def noting_short(results: Results, window: float) -> Iterator[tuple[Path, Sequence[Found]]]:
    """Pass results of windows on; at the end tell how many recordings were shorter than a window."""
    from gmmaudio.classify.timeline import Window

    seen = short = 0
    for path, found in results:
        yield path, found
        heard = [one for one in found if isinstance(one, Window)]
        seen += bool(heard)
        short += len(heard) == 1 and heard[0].end - heard[0].start < window
    if short:
        which = "the recording is" if seen == 1 else f"{short} of {seen} recordings are"
        log.info("note: %s shorter than the window of %g s, and decided whole", which, window)
