"""What ``score`` says of a run as a whole, once, on stderr: what the flags and the model do that nobody may expect."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmmaudio.classify.classifier import Classifier

log = logging.getLogger("gmmaudio")


def note_never_unknown(classifier: Classifier) -> None:
    """That the gate refuses too many known clips at every duration to be used without being asked."""
    gate = classifier.gate
    if gate is not None and classifier.unknown == "auto" and not any(level.bearable for level in gate.levels):
        log.info(
            "note: nothing is answered unknown: at every duration this model would refuse too many clips of its own"
            " labels as well; --unknown always answers it"
        )
