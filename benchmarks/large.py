"""A fit over more frames than fit in memory: how much anonymous memory it takes over the start.

    python benchmarks/large.py [--gb 10] [--goal 500] [--jobs 2] [--folder DIR]

The frames (39 dimensions, float32) come first from a source that generates each shard anew whenever it is asked, then
from a memory-mapped .npy file of the same frames, written to a temporary folder in DIR and removed afterwards. Each
time a mixture of 64 components is fitted for two iterations, with the sample, the start and the round for the global
variance that every fit has. Anonymous memory (RssAnon of /proc/self/status, sampled by a thread) is what cannot be
given back; pages of the mapped file are the kernel's to drop and do not count. Leaves with 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.em import Em, Fit, fit_from, run
from gmmaudio.gmm.shards import Shard, cut, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.parallel import cores

D, K, ITERATIONS = 39, 64, 2
PART = 16_384  # frames that the source generates at a time: 2.6 MB
MEANS = (2 * np.random.default_rng(0).standard_normal((K, D))).astype(np.float32)


def part(seed: int, n: int) -> NDArray[np.float32]:
    """``n`` frames around the means; the same for the same seed."""
    generator = np.random.default_rng(seed)
    frames = generator.standard_normal((n, D), dtype=np.float32)
    frames += MEANS[generator.integers(K, size=n)]
    return frames


def sizes(total: int) -> list[int]:
    return [min(PART, total - start) for start in range(0, total, PART)]


def generated(total: int) -> list[Shard]:
    """Shards that are made anew each time they are read."""

    def source(seed: int, n: int) -> Callable[[], NDArray[np.float32]]:
        return lambda: part(seed, n)

    return [Shard(source(seed, n)) for seed, n in enumerate(sizes(total))]


def write(path: Path, total: int) -> None:
    """The same frames as one .npy file, written part by part."""
    with path.open("wb") as file:
        header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (total, D)}
        np.lib.format.write_array_header_1_0(file, header)
        for seed, n in enumerate(sizes(total)):
            part(seed, n).tofile(file)


class Watch:
    """The peak of anonymous memory in MB while a ``with`` block runs."""

    def __enter__(self) -> Watch:
        self.peak = anonymous()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self) -> None:
        while not self.done.wait(0.005):
            self.peak = max(self.peak, anonymous())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def anonymous() -> float:
    """This process's anonymous memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def fit(shards: Sequence[Shard], jobs: int) -> Fit:
    generator = np.random.default_rng(0)
    sample = sample_frames(shards, sample_size(K), generator)
    settings = Em(iterations=ITERATIONS, tolerance=-np.inf)
    return run([fit_from(sample, lambda some: k_means_start(some, K, generator), settings)], [shards], jobs)[0]


def measure(name: str, shards: Callable[[], Sequence[Shard]], jobs: int, before: float) -> float:
    """Fit, print one line, and return the growth over ``before`` in MB."""
    start = time.perf_counter()
    with Watch() as watch:
        found = fit(shards(), jobs)
    seconds = time.perf_counter() - start
    print(
        f"{name:14} {watch.peak - before:7.0f} MB of anonymous memory over the start; {seconds:.0f} s;"
        f" {found.log_likelihood[-1]:.6f} nats per frame",
        flush=True,
    )
    return watch.peak - before


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gb", type=float, default=10)
    options.add_argument("--goal", type=float, default=500, help="MB")
    options.add_argument("--jobs", type=int, default=cores())
    options.add_argument("--folder", type=Path, help="where the file is put; default the system's temporary folder")
    chosen = options.parse_args()
    total = int(chosen.gb * 1e9 / (4 * D))
    print(f"{total} frames of {D} float32 values: {chosen.gb:g} GB; {K} components, {ITERATIONS} iterations")
    before = anonymous()
    growth = [measure("generated", lambda: generated(total), chosen.jobs, before)]
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path = Path(folder) / "frames.npy"
        write(path, total)
        growth.append(measure("memory-mapped", lambda: cut(np.load(path, mmap_mode="r")), chosen.jobs, before))
    print(f"the goal is at most {chosen.goal:g} MB")
    return 0 if max(growth) <= chosen.goal else 1


if __name__ == "__main__":
    raise SystemExit(main())
