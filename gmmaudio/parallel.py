"""Work spread over cores so that the result has the same bits for any number of workers.

Two rules give that: results are consumed in the order of the tasks, never in the order of arrival, and BLAS is
held to one thread, so that the cut of a matrix product never depends on how many cores there are.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Task = TypeVar("Task")
Result = TypeVar("Result")
Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""A function and tasks to results in the order of the tasks."""


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Limit:
    """The process-wide limit, set when the first holder comes and lifted when the last one goes.

    A library that was loaded in between, such as scipy's own BLAS, is limited as the next holder comes.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.limits: list[Any] = []
        self.controller: Any = None
        self.modules = 0

    def hold(self) -> None:
        with self.lock:
            if self.holders == 0 or self.modules != len(sys.modules):
                self.limits.append(self._controller().limit(limits=1, user_api="blas"))
            self.holders += 1

    def release(self) -> None:
        with self.lock:
            self.holders -= 1
            while self.holders == 0 and self.limits:
                self.limits.pop().restore_original_limits()

    def _controller(self) -> Any:
        """What knows the BLAS libraries; to look for them takes longer than a clip, so only after further imports."""
        if self.controller is None or self.modules != len(sys.modules):
            self.controller, self.modules = ThreadpoolController(), len(sys.modules)
        return self.controller


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread for the duration of a ``with`` block.

    The limit holds for the whole process; blocks on several threads may overlap, and the last to end lifts it.
    """
    _LIMIT.hold()
    try:
        yield
    finally:
        _LIMIT.release()


def map_in_order(fn: Callable[[Task], Result], tasks: Iterable[Task], jobs: int = 1) -> Iterator[Result]:
    """Apply ``fn`` to every task on ``jobs`` threads and yield the results in the order of the tasks.

    Only a few tasks per worker are in flight at any time, so memory does not grow with the number of tasks and
    ``tasks`` may be a generator.

    Parameters
    ----------
    fn : callable
        Should spend its time in code that releases the interpreter lock (numpy, decoding).
    tasks : iterable
    jobs : int, default 1
        With 1 no thread is started.

    Examples
    --------
    >>> list(map_in_order(abs, [-3, 2, -1], jobs=2))
    [3, 2, 1]
    """
    with workers(jobs) as each:
        yield from each(fn, tasks)


@contextmanager
def workers(jobs: int) -> Iterator[Each]:
    """``map_in_order`` for many calls: its threads, and the memory that they work in, live as long as the block.

    Examples
    --------
    >>> with workers(2) as each:
    ...     list(each(abs, [-3, 2])), list(each(abs, [-1]))
    ([3, 2], [1])
    """
    if jobs <= 1:
        yield map
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield partial(_in_flight, pool, 3 * jobs)


def _in_flight(
    pool: ThreadPoolExecutor, most: int, fn: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Result]:
    """Results in the order of the tasks, so many of which are under way at most."""
    remaining = iter(tasks)
    running: deque[Future[Result]] = deque(pool.submit(fn, task) for task in islice(remaining, most))
    try:
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(fn, task) for task in islice(remaining, 1))
    finally:
        for future in running:
            future.cancel()


def map_reduce(
    fn: Callable[[Task], Result],
    shards: Iterable[Task],
    add: Callable[[Result, Result], Result],
    jobs: int = 1,
) -> Result:
    """Apply ``fn`` to every shard and add the results up in shard order.

    Examples
    --------
    >>> map_reduce(len, ["ab", "cde"], lambda a, b: a + b)
    5
    """
    results = map_in_order(fn, shards, jobs)
    total = next(results)
    for result in results:
        total = add(total, result)
    return total
