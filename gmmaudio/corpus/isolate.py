"""Decoding in processes of its own, for audio that nobody vouches for: a decoder that crashes or hangs costs one clip.

    this process, a thread per clip              a worker, started anew when it dies
    path, rate, segment, limits          ->      read_through
    the consumer                         <-      START, block, block, ..., and DONE with the facts, or ERROR

A worker may have been taken over by what it read: what it says is doubted (`gmmaudio.corpus.messages`), and however it
goes about it, it cannot keep a clip waiting.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any, TypeVar

from gmmaudio.corpus.audio import LIMITS, Facts, Reader, read_through
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.messages import BLOCK, DONE, ERROR, READY, START, Doubt, understood
from gmmaudio.corpus.passage import Consumer, Samples, attempt
from gmmaudio.errors import ClipError
from gmmaudio.files import printable
from gmmaudio.memory import cap_memory

T = TypeVar("T")

SECONDS = 120.0
MEMORY = 2**30

_START_UP = 60.0  # seconds for a worker to come up, which are no clip's
_PASSES = 2  # times that a clip is read at most: again where its channels cancel each other
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
            return _follow(worker, Doubt(rate, limits), consume)
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
        return _Worker(self.target, self.memory)  # without the lock: it may take long to come up


class _Worker:
    """A process that reads clips, one at a time, and our end of the pipe to it."""

    def __init__(self, read: Reader, memory: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, read, memory), daemon=True)
        self.process.start()
        theirs.close()
        self.name, self.left, self.seconds = "a worker", _START_UP, _START_UP
        self.last: tuple[bytes, Any] = READY, None
        self.receive()

    @property
    def answered(self) -> bool:
        """Whether it has said its last word on a clip, and waits for the next."""
        return self.last[0] in (DONE, ERROR) and not self.connection.closed

    def ask(self, path: str, seconds: float, request: tuple[Any, ...]) -> None:
        self.name, self.left, self.seconds = printable(path), seconds, seconds
        self.last = START, None
        with suppress(OSError), self._in_time():  # should it have died while it waited, its answer will say so
            self.connection.send((path, *request))

    def receive(self) -> tuple[bytes, Any]:
        """The next message; where there is none, an error in its place."""
        try:
            with self._in_time():
                message = self.connection.recv_bytes(_LARGEST)
            self.last = understood(message)
        except (EOFError, OSError):
            self._ended()
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.distrust()
        if self.left <= 0:
            self._fail("decoder_timeout", f"decoding took longer than {self.seconds:g} s", "look at the file")
        return self.last

    def blocks(self, doubt: Doubt) -> Iterator[Samples]:
        """The blocks of one pass over the clip; what no decoder would send ends them, and the worker."""
        doubt.samples = 0
        while (message := self.receive())[0] == BLOCK:
            if not doubt.admits(message[1]):
                self.distrust()
                break
            yield message[1]
        if self.last[0] == ERROR:
            raise self.last[1]

    def distrust(self) -> None:
        """End a worker that does not keep to what was agreed."""
        self._fail("decoder_crashed", "the decoder spoke nonsense", "the file is made to do this: leave it out")

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.join()

    def _ended(self) -> None:
        self.process.join(5)
        if self.process.exitcode is None:  # it lives, and only its messages have ended
            self.distrust()
        else:
            text = f"the decoder crashed ({_ending(self.process.exitcode)})"
            self._fail("decoder_crashed", text, "the file is damaged, or made to do this: leave it out")

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Take what is spent here from the worker's time, and cut it off where that runs out."""
        began, timer = monotonic(), threading.Timer(self.left, self._cut_off)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            self.left -= monotonic() - began

    def _cut_off(self) -> None:
        self.process.kill()
        with suppress(OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as pipe:
            pipe.shutdown(socket.SHUT_RDWR)  # for a child of its own may hold the other end

    def _fail(self, code: str, text: str, hint: str) -> None:
        self.stop()
        self.last = ERROR, ClipError(code, f"{self.name}: {text}", hint)


def _follow(worker: _Worker, doubt: Doubt, consume: Consumer[T]) -> tuple[T, Facts]:
    """Hand the worker's blocks to the consumer, once per pass, and take the last pass's result."""
    tag, said = worker.receive()
    result: T | ClipError = ClipError("decoder_crashed", f"{worker.name}: the decoder sent nothing")
    for _ in range(_PASSES):
        if tag == START:
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


def _ending(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"signal {-status}, {signal.strsignal(-status)}"
    return f"exit status {status}"


# --- in the worker ---------------------------------------------------------------------------------------------------


def _serve(connection: Connection, read: Reader, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it will end it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where decoders write notes of their own
    capped = cap_memory(memory)
    connection.send_bytes(READY)
    while True:
        try:
            path, *request = connection.recv()
        except EOFError:
            return
        try:
            tag, said = _answer(connection, read, path, request)
        except MemoryError:
            text = f"decoding took more than {memory / 2**20:.0f} MiB" if capped else "there was not memory enough"
            tag, said = ERROR, ClipError("decoder_crashed", f"{printable(path)}: {text}", "leave it out").record()
        connection.send_bytes(tag + json.dumps(said).encode())


def _answer(connection: Connection, read: Reader, path: str, request: list[Any]) -> tuple[bytes, Any]:
    """Send the blocks of a clip, and give the last message and what it says."""
    rate, start, end, limits = request

    def send(blocks: Iterator[Samples]) -> None:
        connection.send_bytes(START)
        for block in blocks:
            connection.send_bytes(BLOCK + block.tobytes())

    try:
        _, facts = read(path, rate, send, start, end, limits)
    except ClipError as error:
        return ERROR, error.record()
    odd = [[each.code, each.message] for each in facts.warnings]
    return DONE, [facts.samples, facts.rate, odd, facts.channels, facts.coding]
