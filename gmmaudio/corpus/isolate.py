"""Decoding in processes of its own, for audio that nobody vouches for: a decoder that crashes or hangs costs one clip.

    this process, a thread per clip              a worker, started anew when it dies
    path, rate, segment, limits          ->      read_through
    the consumer                         <-      START, block, block, ..., and DONE with the facts, or ERROR

What a worker says is bytes and JSON, never unpickled: it may have been taken over by what it read. So its samples are
checked once more: whether they are finite, and within what any clip may be.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any, TypeVar

import numpy as np

from gmmaudio.corpus.audio import LIMITS, Facts, Reader, read_through
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.passage import Consumer, Samples, attempt
from gmmaudio.corpus.samples import ClipWarning
from gmmaudio.errors import ClipError
from gmmaudio.files import printable
from gmmaudio.memory import cap_memory

T = TypeVar("T")

SECONDS = 120.0
MEMORY = 2**30

_START_UP = 60.0  # seconds for a worker to come up, which are no clip's
_READY, _START, _BLOCK, _DONE, _ERROR = b"R", b"S", b"B", b"D", b"E"
_SLACK = 2**16  # samples by which resampling may lengthen a clip
_OVERSHOOT = 4.0  # times the peak that resampling may make of it
_LARGEST = 2**28  # bytes in a message; a block, resampled from 4 to 384 kHz, has 25 million


@contextmanager
def isolated(seconds: float = SECONDS, memory: int = MEMORY, read: Reader = read_through) -> Iterator[Reader]:
    """A `Reader` that decodes in other processes, for as long as a ``with`` block lasts.

    There are as many workers as threads that read at the same time. The samples are the same as without. A program
    that uses it must guard its main part by ``if __name__ == "__main__"``, as Python's multiprocessing demands.

    Parameters
    ----------
    seconds : float
        Longest time that a clip may keep us waiting; the consumer's own is not counted. Default 120.
    memory : int
        Bytes that a worker may take beyond what it starts with, on Linux. Default 1 GiB.
    read : Reader
        What the workers run; a function at the top of a module.

    Yields
    ------
    Reader
        Raises what `read_through` raises, and a ClipError ``decoder_crashed`` or ``decoder_timeout``.

    Examples
    --------
    >>> from gmmaudio.classify.examples import read_examples          # doctest: +SKIP
    >>> with isolated() as read:                                      # doctest: +SKIP
    ...     examples, failures = read_examples(entries, front_end, jobs=4, read=read)
    """
    workers = _Workers(seconds, memory, read)
    try:
        yield workers.read
    finally:
        workers.close()


class _Workers:
    """Workers that wait for a clip; one more is started where none does."""

    def __init__(self, seconds: float, memory: int, read: Reader) -> None:
        self.seconds, self.memory, self.target = seconds, memory, read
        self.idle: list[_Worker] = []
        self.lock = threading.Lock()

    def read(
        self,
        path: str | os.PathLike[str],
        rate: int | None,
        consume: Consumer[T],
        start: float | None = None,
        end: float | None = None,
        limits: Limits = LIMITS,
    ) -> tuple[T, Facts]:
        """As `read_through`."""
        worker = self._take()
        try:
            worker.ask(os.fspath(path), self.seconds, (rate, start, end, limits))
            return _follow(worker, _Doubt(rate, limits), consume)
        finally:
            if worker.answered:
                self.idle.append(worker)
            else:
                worker.stop()

    def close(self) -> None:
        """Stop all workers."""
        while self.idle:
            self.idle.pop().stop()

    def _take(self) -> _Worker:
        with self.lock:
            while self.idle:
                worker = self.idle.pop()
                if worker.process.is_alive():
                    return worker
            return _Worker(self.target, self.memory)


class _Worker:
    """A process that reads clips, one at a time, and our end of the pipe to it."""

    def __init__(self, read: Reader, memory: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, read, memory), daemon=True)
        self.process.start()
        theirs.close()
        self.name, self.left, self.seconds = "a worker", _START_UP, _START_UP
        self.last: tuple[bytes, Any] = _READY, None
        self.receive()

    @property
    def answered(self) -> bool:
        """Whether it has said its last word on a clip, and waits for the next."""
        return self.last[0] in (_DONE, _ERROR) and not self.connection.closed

    def ask(self, path: str, seconds: float, request: tuple[Any, ...]) -> None:
        self.name, self.left, self.seconds = printable(path), seconds, seconds
        self.last = _START, None
        with suppress(OSError):  # should it have died while it waited, its answer will say so
            self.connection.send((path, *request))

    def receive(self) -> tuple[bytes, Any]:
        """The next message; where there is none, an error in its place."""
        began = monotonic()
        try:
            if self.connection.poll(max(0.0, self.left)):
                self.last = _understood(self.connection.recv_bytes(_LARGEST))
            else:
                self._fail("decoder_timeout", f"decoding took longer than {self.seconds:g} s", "look at the file")
        except (EOFError, OSError):
            self.process.join(5)
            text = f"the decoder crashed ({_ending(self.process.exitcode)})"
            self._fail("decoder_crashed", text, "the file is damaged, or made to do this: leave it out")
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.distrust()
        self.left -= monotonic() - began
        return self.last

    def blocks(self, doubt: _Doubt) -> Iterator[Samples]:
        """The blocks of one pass over the clip; what no decoder would send ends them, and the worker."""
        doubt.samples = 0
        while (message := self.receive())[0] == _BLOCK:
            if not doubt.admits(message[1]):
                self.distrust()
                break
            yield message[1]
        if self.last[0] == _ERROR:
            raise self.last[1]

    def distrust(self) -> None:
        """End a worker that does not keep to what was agreed."""
        self._fail("decoder_crashed", "the decoder spoke nonsense", "the file is made to do this: leave it out")

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.join()

    def _fail(self, code: str, text: str, hint: str) -> None:
        self.stop()
        self.last = _ERROR, ClipError(code, f"{self.name}: {text}", hint)


class _Doubt:
    """What the samples of one clip must be, whoever sends them."""

    def __init__(self, rate: int | None, limits: Limits) -> None:
        self.rate, self.limits, self.samples = rate, limits, 0

    def admits(self, block: Samples) -> bool:
        """Whether a further block is finite, no louder than a resampler makes of the peak, and not too much."""
        self.samples += len(block)
        most = self.limits.max_seconds * (self.rate or self.limits.max_rate) + _SLACK
        loudest = float(np.abs(block).max(initial=0.0))  # NaN where one is
        return self.samples <= most and loudest <= _OVERSHOOT * self.limits.peak

    def admits_facts(self, facts: Facts) -> bool:
        """Whether what is said in the end agrees with what came; only resampling may leave nothing of a clip."""
        if self.rate is None and not self.samples:
            return False
        rates = range(self.limits.min_rate, self.limits.max_rate + 1) if self.rate is None else (self.rate,)
        return facts.samples == self.samples and facts.rate in rates and 0 < facts.channels <= self.limits.max_channels


def _follow(worker: _Worker, doubt: _Doubt, consume: Consumer[T]) -> tuple[T, Facts]:
    """Hand the worker's blocks to the consumer, once per pass, and take the last pass's result."""
    tag, said = worker.receive()
    result: T | ClipError = ClipError("decoder_crashed", f"{worker.name}: the decoder sent nothing")
    while tag == _START:
        result = attempt(consume, worker.blocks(doubt))
        tag, said = worker.last
    if not isinstance(said, ClipError) and not (isinstance(said, Facts) and doubt.admits_facts(said)):
        worker.distrust()
        _, said = worker.last
    if isinstance(said, ClipError):
        raise said
    if isinstance(result, ClipError):
        raise result
    return result, said


def _understood(message: bytes) -> tuple[bytes, Any]:
    """A message's tag, and what it says: nothing, samples, Facts, or a ClipError."""
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


def _ending(status: int | None) -> str:
    """How a process ended, in words."""
    if status is not None and status < 0:
        return f"signal {-status}, {signal.strsignal(-status)}"
    return f"exit status {status}"


# --- in the worker ---------------------------------------------------------------------------------------------------


def _serve(connection: Connection, read: Reader, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it will end it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where decoders write notes of their own
    capped = cap_memory(memory)
    connection.send_bytes(_READY)
    while True:
        try:
            path, *request = connection.recv()
        except EOFError:
            return
        try:
            tag, said = _answer(connection, read, path, request)
        except MemoryError:
            text = f"decoding took more than {memory / 2**20:.0f} MiB" if capped else "there was not memory enough"
            tag, said = _ERROR, ClipError("decoder_crashed", f"{printable(path)}: {text}", "leave it out").record()
        connection.send_bytes(tag + json.dumps(said).encode())


def _answer(connection: Connection, read: Reader, path: str, request: list[Any]) -> tuple[bytes, Any]:
    """Send the blocks of a clip, and give the last message and what it says."""
    rate, start, end, limits = request

    def send(blocks: Iterator[Samples]) -> None:
        connection.send_bytes(_START)
        for block in blocks:
            connection.send_bytes(_BLOCK + block.tobytes())

    try:
        _, facts = read(path, rate, send, start, end, limits)
    except ClipError as error:
        return _ERROR, error.record()
    odd = [[each.code, each.message] for each in facts.warnings]
    return _DONE, [facts.samples, facts.rate, odd, facts.channels, facts.coding]
