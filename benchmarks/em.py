"""EM and scoring beside scikit-learn and beside the machine's own limit, in one run.

    python benchmarks/em.py [--quick] [--repeats 5]

39 dimensions, a seeded diagonal mixture, the same start for all, cores as many as there are (the limit, ours and
scikit-learn's BLAS alike). Per case:

- the limit: the time that this machine's fastest sgemm takes for the two products of an iteration (8 N K D
  floating-point operations), plus N K exponentials by numpy on all cores, both measured here and now;
- one EM iteration: ours on float32 frames, and scikit-learn's on float32 and float64;
- log-likelihood alone (scoring): ours and scikit-learn's on float32;
- the growth of anonymous memory (RssAnon of /proc/self/status, sampled) over the data during our iterations.

Then the cost as a power of N, D and K. Ratios are what to trust; absolute times are this machine's, today.
"""

from __future__ import annotations

import argparse
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture

from gmmaudio.gmm.covariance import Diagonal, Regulariser
from gmmaudio.gmm.em import Em, em, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import cut
from gmmaudio.parallel import cores, map_in_order, one_blas_thread

CASES = ((200_000, 64), (200_000, 512), (1_000_000, 64))
GOALS = {CASES[0]: 0.65, CASES[1]: 0.80, CASES[2]: 0.70}
D = 39


def best(call: Callable[[], object], repeats: int) -> float:
    """The least wall time of several calls, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def limit(n: int, k: int, repeats: int) -> float:
    """Seconds that the products and exponentials of one iteration must take here at least."""
    frames, parameters = np.ones((8192, 80), np.float32), np.ones((80, k), np.float32)
    out = np.empty((8192, k), np.float32)
    product = min(
        best(lambda: np.matmul(frames, parameters, out=out), 10 * repeats) / (2 * 8192 * 80 * k),
        best(lambda: np.matmul(out.T, frames), 10 * repeats) / (2 * 8192 * 80 * k),
    )
    blocks = [np.full((k, 2048), -1.0, np.float32) for _ in range(2 * cores())]
    with ThreadPoolExecutor(cores()) as pool:
        exp = best(lambda: list(pool.map(lambda block: np.exp(block).sum(), blocks)), 5 * repeats)
    return 8 * n * k * D * product + n * k * exp / (len(blocks) * k * 2048)


def drawn(n: int, k: int, d: int = D) -> tuple[np.ndarray, Mixture]:
    """Frames of a seeded mixture, and another mixture to start from."""
    generator = np.random.default_rng(0)
    truth = Mixture(
        np.full(k, 1 / k),
        2 * generator.standard_normal((k, d)),
        Diagonal(generator.uniform(0.5, 2.0, (k, d))),
    )
    start = Mixture(truth.weights, truth.means + 0.3 * generator.standard_normal((k, d)), truth.covariance)
    return truth.sample(n, 1)[0].astype(np.float32), start


def ours(frames: np.ndarray, start: Mixture, iterations: int) -> Callable[[], object]:
    settings = Em(iterations, -np.inf, Regulariser(add=1e-6, relative_floor=0), min_occupancy=0)
    shards = cut(frames)
    return lambda: run([em(start, settings, np.ones(frames.shape[1]))], [shards], cores())


def peer(start: Mixture, iterations: int) -> GaussianMixture:
    return GaussianMixture(
        start.components, covariance_type="diag", tol=0, max_iter=iterations, weights_init=start.weights,
        means_init=start.means, precisions_init=1 / start.covariance.array,
    )  # fmt: skip


def sklearns(frames: np.ndarray, start: Mixture, iterations: int) -> Callable[[], object]:
    def fit() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer(start, iterations).fit(frames)

    return fit


def per_iteration(make: Callable[[int], Callable[[], object]], repeats: int) -> float:
    """Seconds per EM iteration: the difference between five iterations and one, so that set-up does not count."""
    return (best(make(5), repeats) - best(make(1), repeats)) / 4


def scoring(frames: np.ndarray, start: Mixture) -> Callable[[], object]:
    pieces = [shard.load() for shard in cut(frames)]

    def score() -> None:
        with one_blas_thread():
            list(map_in_order(start.log_density, pieces, cores()))

    return score


def memory(call: Callable[[], object]) -> float:
    """The growth of anonymous memory during a call, in MiB; NaN where /proc does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")

    def anonymous() -> int:
        return int(status.read_text().split("RssAnon:")[1].split()[0])

    before, most, done = anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    call()
    done.set()
    watcher.join()
    return max(0, most[0] - before) / 1024


def case(n: int, k: int, repeats: int) -> None:
    frames, start = drawn(n, k)
    grown = memory(ours(frames, start, 2))
    floor = limit(n, k, repeats)
    mine = per_iteration(lambda count: ours(frames, start, count), repeats)
    single = per_iteration(lambda count: sklearns(frames, start, count), 1)
    double = per_iteration(lambda count: sklearns(frames.astype(np.float64), start, count), 1)
    scored = best(scoring(frames, start), repeats)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = peer(start, 1).fit(frames[:5000])
    theirs = best(lambda: fitted.score_samples(frames), 1)
    print(f"\nN={n:,} K={k}", end="")
    print(f"  limit {floor:.4f} s   one EM iteration {mine:.4f} s   {floor / mine:.0%} of the limit", end="")
    print(f" (goal {GOALS[n, k]:.0%})" if (n, k) in GOALS else "")
    print(f"  scikit-learn float32 {single:.3f} s: {single / mine:.1f} times ours; ", end="")
    print(f"float64 {double:.3f} s: {double / mine:.1f} times ours (goals 4 and 8)")
    print(f"  scoring {n / scored / 1e6:.2f} million frames/s; scikit-learn float32 takes", end="")
    print(f" {theirs / scored:.1f} times ours (goal 4)")
    print(f"  anonymous memory over the data {grown:.1f} MiB (goal 25)")


def slopes(repeats: int) -> None:
    """Cost as a power of each size, from three sizes each: 1 is linear."""
    print("\ncost as a power of (1 is linear):")
    base = {"n": 200_000, "k": 64, "d": D}
    for name, sizes in {"n": (100_000, 200_000, 400_000), "k": (64, 128, 256), "d": (32, 64, 128)}.items():
        times = []
        for size in sizes:
            shape = {**base, name: size}
            frames, start = drawn(shape["n"], shape["k"], shape["d"])
            times.append(per_iteration(lambda count, f=frames, s=start: ours(f, s, count), repeats))
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        table = ", ".join(f"{size:,}: {seconds:.4f} s" for size, seconds in zip(sizes, times, strict=True))
        print(f"  {name.upper()}  {slope:.2f}   ({table})")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="the first case only")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    print(f"{cores()} cores, numpy {np.__version__}, least of {chosen.repeats} runs, D={D}")
    for n, k in CASES[:1] if chosen.quick else CASES:
        case(n, k, chosen.repeats)
    if not chosen.quick:
        slopes(chosen.repeats)


if __name__ == "__main__":
    main()
