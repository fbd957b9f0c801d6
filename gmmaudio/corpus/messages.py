"""What a decoder in another process says of a clip, read with doubt: bytes and JSON, never unpickled.

    READY once, then for each clip   START, block, block, ..., and DONE with the facts, or ERROR

A worker may have been taken over by what it read. So the samples are checked once more: whether they are finite, and
within what any clip may be.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gmmaudio.corpus.audio import Facts
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.passage import Samples
from gmmaudio.corpus.samples import ClipWarning
from gmmaudio.errors import ClipError

READY, START, BLOCK, DONE, ERROR = b"R", b"S", b"B", b"D", b"E"

_SLACK = 2**16  # samples by which resampling may lengthen a clip
_OVERSHOOT = 4.0  # times the peak that resampling may make of it


def understood(message: bytes) -> tuple[bytes, Any]:
    """A message's tag, and what it says: nothing, samples, Facts, or a ClipError.

    Raises
    ------
    ValueError, KeyError, TypeError, OverflowError, RecursionError
        For what is no message.

    Examples
    --------
    >>> understood(b"S")
    (b'S', None)
    """
    tag, body = message[:1], message[1:]
    match tag:
        case b"R" | b"S":
            return tag, None
        case b"B":
            return tag, np.frombuffer(body, np.float32)
        case b"D":
            samples, rate, warnings, channels, coding = json.loads(body)
            odd = tuple(ClipWarning(str(code), str(text)) for code, text in warnings)
            return tag, Facts(int(samples), int(rate), odd, int(channels), str(coding))
        case b"E":
            record = json.loads(body)
            return tag, ClipError(str(record["code"]), str(record["message"]), str(record["hint"]))
    raise ValueError(f"no such tag: {tag!r}")


class Doubt:
    """What the samples of one clip must be, whoever sends them."""

    def __init__(self, rate: int | None, limits: Limits) -> None:
        self.rate, self.limits, self.samples = rate, limits, 0

    def admits(self, block: Samples) -> bool:
        """Whether a further block holds something, finite, no louder than a resampler makes of it, and not too much."""
        self.samples += len(block)
        most = self.limits.max_seconds * (self.rate or self.limits.max_rate) + _SLACK
        loudest = float(np.abs(block).max(initial=0.0))  # NaN where one is
        return len(block) > 0 and self.samples <= most and loudest <= _OVERSHOOT * self.limits.peak

    def admits_facts(self, facts: Facts) -> bool:
        """Whether what is said in the end agrees with what came; only resampling may leave nothing of a clip."""
        if self.rate is None and not self.samples:
            return False
        rates = range(self.limits.min_rate, self.limits.max_rate + 1) if self.rate is None else (self.rate,)
        return facts.samples == self.samples and facts.rate in rates and 0 < facts.channels <= self.limits.max_channels
