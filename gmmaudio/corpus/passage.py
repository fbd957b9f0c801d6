"""Blocks of many channels on their way to whoever wants them: mono, at one rate, checked as they pass.

    source blocks -> flushed, mixed, measured -> resampled -> the consumer's

The consumer never sees a sample that is not finite or out of range, and what it made of a clip that turns out to be
broken is dropped. Memory does not grow with the clip's length, unless the consumer's own does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.samples import ClipWarning, Traits, flush, measure, mix, nothing, oddities, refuse_broken
from gmmaudio.errors import ClipError

T = TypeVar("T")
Samples = NDArray[np.float32]
Consumer = Callable[[Iterator[Samples]], T]


@dataclass(frozen=True)
class Source:
    """Blocks of (n, channels) float32, each time from the beginning; the next may overwrite the last."""

    name: str
    rate: int
    channels: int
    blocks: Callable[[], Iterator[Samples]]


@dataclass(frozen=True)
class Passed(Generic[T]):
    """What the consumer made of a source, the frames read, the samples handed on, and what was odd."""

    result: T
    frames: int
    samples: int
    warnings: tuple[ClipWarning, ...]


def joined(blocks: Iterator[Samples]) -> Samples:
    """All blocks as one array: the consumer that wants the whole clip.

    Examples
    --------
    >>> joined(iter([np.zeros(2, np.float32), np.ones(1, np.float32)])).tolist()
    [0.0, 0.0, 1.0]
    """
    result = bytearray()  # grows in place, where joining arrays would need the memory twice
    for block in blocks:
        result += block.data
    return np.frombuffer(result, np.float32)


def pass_through(source: Source, rate: int, consume: Consumer[T], limits: Limits) -> Passed[T]:
    """Hand a source's blocks to a consumer.

    Parameters
    ----------
    source : Source
    rate : int
        Resample to this rate in Hz.
    consume : callable
        Given an iterator of (n,) float32 blocks, which are its own to keep. Called a second time,
        with the louder channel, where the channels cancel each other.
    limits : Limits

    Returns
    -------
    Passed

    Raises
    ------
    ClipError
        unsupported_rate, too_long, empty_audio, non_finite, out_of_range; and what the source or the consumer
        raises, the source's first.
    """
    limits.check_rate(rate, "the rate asked for")
    passage = _Passage(source, rate, limits)
    result = attempt(consume, passage.blocks())
    passage.refuse()
    warnings = oddities(passage.traits)
    if passage.traits.cancelled:
        passage = _Passage(source, rate, limits, passage.traits.louder)
        result = attempt(consume, passage.blocks())
        passage.refuse()
    if isinstance(result, ClipError):
        raise result
    if source.rate < rate:
        text = f"its {source.rate} Hz hold nothing above {source.rate / 2:g} Hz; {rate} Hz were asked for"
        warnings = (ClipWarning("bandwidth", text), *warnings)
    return Passed(result, passage.traits.frames, passage.samples, warnings)


def attempt(consume: Consumer[T], blocks: Iterator[Samples]) -> T | ClipError:
    """What a consumer makes of blocks, or its ClipError; all blocks have passed, whether it took them or not."""
    try:
        result: T | ClipError = consume(blocks)
    except ClipError as error:
        result = error
    for _ in blocks:  # what a consumer leaves is checked as well
        pass
    return result


class _Passage:
    """One way through a source, and what was found on it."""

    def __init__(self, source: Source, rate: int, limits: Limits, channel: int | None = None) -> None:
        self.source, self.rate, self.limits, self.channel = source, rate, limits, channel
        self.traits: Traits = nothing(source.channels)
        self.samples = 0
        self.error: ClipError | None = None

    def blocks(self) -> Iterator[Samples]:
        """The blocks, checked; the error that ends them is kept, should a consumer swallow it."""
        try:
            for block in self._resampled():
                self.samples += len(block)
                yield block
        except ClipError as error:
            self.error = error
            raise

    def refuse(self) -> None:
        """Raise the error that ended the blocks, if one did."""
        if self.error is not None:
            raise self.error

    def _resampled(self) -> Iterator[Samples]:
        resample = _resampler(self.source.rate, self.rate)
        for mono in self._mono():
            if len(block := resample(mono, False)):
                yield block
        if len(block := resample(np.empty(0, np.float32), True)):
            yield block

    def _mono(self) -> Iterator[Samples]:
        source = self.source
        for block in source.blocks():
            with np.errstate(all="ignore"):  # what is not finite is counted instead
                flush(block)
                mono = mix(block, self.channel)
                self.traits = self.traits + measure(block, mono)
            self.limits.check_length(self.traits.frames, source.rate, source.name)
            if not self.traits.bad and self.traits.peak <= self.limits.peak:  # else the rest is only counted
                yield mono
        refuse_broken(self.traits, source.name, self.limits)


def _resampler(rate_in: int, rate: int) -> Callable[[Samples, bool], Samples]:
    """A function of a block, and of whether it is the last."""
    if rate_in == rate:
        return lambda mono, _: mono
    import soxr  # only where a rate changes

    stream = soxr.ResampleStream(rate_in, rate, 1, dtype="float32", quality="HQ")
    return lambda mono, last: stream.resample_chunk(mono, last=last)
