"""What each start costs and what it buys, with plain and with accelerated EM; and what acceleration saves.

    python benchmarks/starts.py [DATA] [--corpus esc10] [--seeds 5] [--components 128] [--frames 50000]

Twice: on MFCC frames of real clips (13 coefficients with deltas and delta-deltas; voiced frames only, so no digital
silence), and on frames drawn from a mixture of as many components in as many dimensions. DATA is the folder that
holds the corpus with its manifest.csv (default: $GMMAUDIO_DATA). Part of the clips is held out.

First table: the cost of the start, in plain EM iterations over all frames on the same cores; then E-steps until an
iteration gains less than 1e-3 nats per frame, and the log-likelihood per frame reached, on the training frames and on
those held out. Second table: E-steps to the likelihood that plain EM reaches after 10, 20, 40 and 80, from the default
start and with re-seeding off: plain EM, SQUAREM, and ours. Medians over the seeds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.examples import read_examples
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.gmm.accelerate import accelerated_em
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.em import Em, Fitting, Way, em, maximise, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.restarts import best_of, splitting
from gmmaudio.gmm.shards import cut, sample_frames
from gmmaudio.gmm.start import k_means_start, random_start, sample_size
from gmmaudio.parallel import cores, one_blas_thread

Frames = NDArray[np.float32]
RATES = {"esc10": (22050, 40), "music": (22050, 40), "fsdd": (8000, 23)}  # and mel filters
HELD_OUT = 20_000
SETTINGS = Em(iterations=300)


@dataclass(frozen=True, eq=False)
class Material:
    """Frames to fit and frames held out."""

    name: str
    train: Frames
    held: Frames


def real_frames(data: Path, corpus: str, frames: int) -> Material:
    """Frames of five sevenths of a corpus's clips, drawn once, and of the others."""
    rate, filters = RATES[corpus]
    front_end = FrontEnd(Mfcc(rate=rate, n_mfcc=13, n_mels=filters), steps=(Deltas(order=2),))
    examples, _ = read_examples(read_corpus(data / corpus / "manifest.csv"), front_end, cores())
    generator = np.random.default_rng(0)
    order = generator.permutation(len(examples))
    parts = np.split(order, [len(order) * 2 // 7])
    held, train = (np.concatenate([examples[index].frames for index in part]) for part in parts)
    return Material(f"MFCC of {corpus}", some(train, frames, generator), some(held, HELD_OUT, generator))


def some(frames: Frames, wanted: int, generator: np.random.Generator) -> Frames:
    return sample_frames([*cut(frames)], wanted, generator)


def drawn(components: int, frames: int, dimension: int = 39) -> Material:
    """Frames of one mixture whose components overlap somewhat."""
    generator = np.random.default_rng(0)
    truth = Mixture(
        generator.dirichlet(np.full(components, 5.0)),
        0.6 * generator.standard_normal((components, dimension)),
        Diagonal(generator.uniform(0.3, 2.0, (components, dimension))),
    )
    train, held = (truth.sample(n, seed)[0].astype(np.float32) for n, seed in ((frames, 1), (HELD_OUT, 2)))
    return Material("drawn from a mixture", train, held)


Start = Callable[[Frames, int, np.random.Generator], Fitting]


def starts(settings: Em, spread: NDArray[np.float64], way: Way) -> dict[str, Start]:
    """Name to a function from a sample, the number of components and a generator to the whole fit."""

    def of(start: Callable[..., Mixture], passes: int) -> Start:
        return lambda sample, k, generator: way(start(sample, k, generator, passes=passes), settings, spread)

    def several(sample: Frames, k: int, generator: np.random.Generator) -> Fitting:
        return best_of((k_means_start(sample, k, generator) for _ in range(4)), settings, spread, way)

    def growing(sample: Frames, k: int, generator: np.random.Generator) -> Fitting:
        return splitting(k_means_start(sample, 1, generator, passes=0), k, settings, spread, way)

    return {
        "random frames": of(random_start, 0),
        "random frames, 5 passes": of(random_start, 5),
        "k-means++": of(k_means_start, 0),
        "k-means++, 2 passes": of(k_means_start, 2),
        "k-means++, 5 passes (default)": of(k_means_start, 5),
        "k-means++, 20 passes": of(k_means_start, 20),
        "best of 4 k-means++": several,
        "splitting": growing,
    }


def iteration_seconds(material: Material, start: Mixture) -> float:
    """The least time of one plain EM iteration over the training frames."""
    one, times = replace(SETTINGS, iterations=2, tolerance=-np.inf), []
    for _ in range(5):
        began = time.perf_counter()
        run([em(start, one, np.ones(material.train.shape[1]))], [cut(material.train)], cores())
        times.append((time.perf_counter() - began) / 2)
    return min(times)


def trial(material: Material, name: str, way: Way, k: int, seed: int) -> tuple[float, int, float, float]:
    """Seconds until the last fit begins, E-steps of the last fit, log-likelihood in training and held out."""
    marks: list[float] = []

    def marked(start: Mixture, settings: Em, spread: NDArray[np.float64]) -> Fitting:
        marks.append(time.perf_counter())
        return (yield from way(start, settings, spread))

    generator, shards = np.random.default_rng(seed), cut(material.train)
    spread = material.train.var(axis=0, dtype=np.float64)
    with one_blas_thread():
        began = time.perf_counter()
        sample = sample_frames(shards, sample_size(k), generator)
        (fit,) = run([starts(SETTINGS, spread, marked)[name](sample, k, generator)], [shards], cores())
    train, held = (float(fit.mixture.log_density(part).mean()) for part in (material.train, material.held))
    return marks[0] - began, len(fit.log_likelihood), train, held


def start_table(material: Material, k: int, seeds: int) -> None:
    print(f"\n{material.name}: {material.train.shape[0]} frames of {material.train.shape[1]}, {k} components")
    print(
        f"{'':30} {'cost':>6}   {'plain':>5} {'train':>9} {'held out':>9}   {'accel.':>6} {'train':>9} {'held out':>9}"
    )
    first = k_means_start(material.train[: sample_size(k)], k, np.random.default_rng(0))
    unit = iteration_seconds(material, first)
    for name in starts(SETTINGS, np.ones(1), em):
        plain, fast = (
            np.median([trial(material, name, way, k, seed) for seed in range(seeds)], axis=0)
            for way in (em, accelerated_em)
        )
        cost = min(plain[0], fast[0]) / unit
        print(
            f"{name:30} {cost:6.1f}   {plain[1]:5.0f} {plain[2]:9.3f} {plain[3]:9.3f}"
            f"   {fast[1]:6.0f} {fast[2]:9.3f} {fast[3]:9.3f}",
            flush=True,
        )


def squarem(start: Mixture, settings: Em, spread: NDArray[np.float64]) -> Fitting:
    """SQUAREM (Varadhan and Roland 2008, scheme S3) on log weights, means and log variances; falls back like ours."""

    def step(seen: object) -> Mixture:
        return maximise(seen, settings.regulariser, spread)

    def point(mixture: Mixture) -> NDArray[np.float64]:
        return np.column_stack([np.log(mixture.weights), mixture.means, np.log(mixture.covariance.array)])

    def mixture_at(x: NDArray[np.float64]) -> Mixture:
        weights, d = np.exp(x[:, 0] - x[:, 0].max()), len(spread)
        least = settings.regulariser.least(spread)
        return Mixture(weights / weights.sum(), x[:, 1 : d + 1], Diagonal(np.maximum(np.exp(x[:, d + 1 :]), least)))

    here, seen = start, (yield start)
    while True:
        first = step(seen)
        seen = yield first
        reached, second = seen.mean_log_likelihood, step(seen)
        x0, x1, x2 = (point(mixture) for mixture in (here, first, second))
        rise, bend = x1 - x0, x2 - 2 * x1 + x0
        # Squared lengths in units of each component's own deviations and weight: the Fisher information's diagonal.
        scale = first.weights[:, None] * np.hstack(
            [np.ones((len(x1), 1)), 1 / first.covariance.array, np.full_like(first.means, 0.5)]
        )
        length = max(1.0, float(np.sqrt((scale * rise**2).sum() / (scale * bend**2).sum())))
        here = mixture_at(x0 + 2 * length * rise + length**2 * bend)
        seen = yield here
        if not seen.mean_log_likelihood >= reached:
            here = second
            seen = yield here


def climb(fit: Fitting, material: Material, steps: int) -> NDArray[np.float64]:
    """The best log-likelihood after each of so many E-steps; a fit that ends before has its last for the rest."""
    reached: list[float] = []

    def watched() -> Fitting:
        mixture = next(fit)
        while len(reached) < steps:
            seen = yield mixture
            reached.append(seen.mean_log_likelihood)
            try:
                mixture = fit.send(seen)
            except StopIteration:
                break

    run([watched()], [cut(material.train)], cores())
    return np.maximum.accumulate(np.pad(reached, (0, steps - len(reached)), mode="edge"))


def speed_table(material: Material, k: int, seeds: int) -> None:
    marks, steps = (10, 20, 40, 80), 80
    settings = Em(iterations=10**6, tolerance=-np.inf, min_occupancy=0)
    spread = material.train.var(axis=0, dtype=np.float64)
    ways = {"plain EM": em, "SQUAREM": squarem, "accelerated_em": accelerated_em}
    counts: dict[str, list[list[float]]] = {name: [] for name in ways}
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        start = k_means_start(some(material.train, sample_size(k), generator), k, generator)
        climbs = {name: climb(way(start, settings, spread), material, steps) for name, way in ways.items()}
        for name, values in climbs.items():
            counts[name].append([int(np.searchsorted(values, climbs["plain EM"][m - 1])) + 1 for m in marks])
    print(f"\n{'E-steps to the likelihood after':32}" + "".join(f"{m:6}" for m in marks))
    for name, rows in counts.items():
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"{name:32}" + "".join(f"{m:6.0f}" if m <= steps else f"{f'>{steps}':>6}" for m in middle))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--corpus", choices=RATES, default="esc10")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--components", type=int, default=128)
    options.add_argument("--frames", type=int, default=50_000)
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", "."))
    if not (data / chosen.corpus / "manifest.csv").is_file():
        print(f"no {chosen.corpus}/manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    print(f"{cores()} cores, medians of {chosen.seeds} seeds, nats per frame")
    for material in (
        real_frames(data, chosen.corpus, chosen.frames),
        drawn(chosen.components, chosen.frames),
    ):
        start_table(material, chosen.components, chosen.seeds)
        speed_table(material, chosen.components, chosen.seeds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
