"""A decoder that dies, hangs, devours memory or lies, as the name of the file says that it is given.

Workers run it; each imports this module first, so it imports little.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from gmmaudio.corpus.audio import Facts, read_through

Array = np.ndarray


def hostile(path: str, rate: int | None, consume: Callable[[Iterator[Array]], Any], *more: Any) -> tuple[Any, Facts]:
    """Reads what it is given, unless the file's name says otherwise."""
    name = Path(path).stem

    def spoil(blocks: Iterator[Array]) -> Any:
        def spoiled() -> Iterator[Array]:
            yield next(blocks)
            if name == "late":
                os.kill(os.getpid(), signal.SIGSEGV)

        return consume(spoiled())

    if name == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "leaves":
        os._exit(7)
    if name == "hangs":
        time.sleep(60)
    if name == "devours":
        np.ones(2**36, np.uint8)
    if name.startswith("lies"):  # as code that has taken over the worker may
        for lie in LIES[int(name[4:])]:
            sys._getframe(1).f_locals["connection"].send_bytes(lie)
        time.sleep(60)
    if name == "babbles":
        connection = sys._getframe(1).f_locals["connection"]
        connection.send_bytes(b"S")
        while True:
            connection.send_bytes(block(*[0.0] * 10_000))
    if name in WAYS_TO_LINGER:
        linger(name, sys._getframe(1).f_locals["connection"])
    if name == "stumbles":
        raise ValueError("a bug")
    return read_through(path, rate, spoil if name == "late" else consume, *more)


WAYS_TO_LINGER = ["restarts", "sends nothing", "stalls", "stalls, forked", "trickles", "promises too much"]


def linger(way: str, connection: Connection) -> None:
    """Keep whoever reads this connection waiting for half a minute, with no time between two messages to notice."""
    over = time.monotonic() + 30
    if way == "stalls, forked" and os.fork():
        time.sleep(60)  # killed, it leaves a child that holds the connection
    if way == "promises too much":
        os.write(connection.fileno(), struct.pack("!i", 2**30))
    elif way != "restarts":
        connection.send_bytes(b"S")
    if way.startswith(("stalls", "trickles")):
        os.write(connection.fileno(), struct.pack("!i", 1000))  # the length of a message that does not come
    while time.monotonic() < over:
        if way in ("restarts", "sends nothing"):
            connection.send_bytes(b"S" if way == "restarts" else b"B")
        else:
            time.sleep(0.1)
            if way == "trickles":
                os.write(connection.fileno(), b"B")
            if os.getppid() == 1:
                os._exit(0)
    os._exit(0)


def block(*samples: float) -> bytes:
    """What a worker sends for a block."""
    return b"B" + np.array(samples, np.float32).tobytes()


LIES: list[tuple[bytes, ...]] = [
    (b"E{}",), (b"Z",), (b"E" + b"[" * 100_000,), (b"B123",), (b"D" + b'[1, 2, "x"]',), (b"Snothing",),
    (b'D[1, 8000, [], 1, ""]',), (b'D[Infinity, 1, [], 1, ""]',), (b"S", b"R"),
    (b"S", block(0.5, np.nan), b'D[2, 8000, [], 1, ""]'), (b"S", block(0.5, -np.inf), b'D[2, 8000, [], 1, ""]'),
    (b"S", block(1e3), b'D[1, 8000, [], 1, ""]'), (b"S", block(0.5), b'D[2, 8000, [], 1, ""]'),
    (b"S", block(0.5), b'D[1, 44100, [], 1, ""]'), (b"S", block(0.5), b'D[1, 8000, [], -1, ""]'),
    (b"S", block(0.5), b"S", b'D[1, 8000, [], 1, ""]'), (b"S", b'D[0, 44100, [], 1, ""]'),
]  # fmt: skip
