"""EM or gradient ascent? Both climb the same likelihood; what each costs, and where each ends.

    python recipes/em-or-gradient/run.py [--out DIR] [--small] [--seed 0]

It is often said that the likelihood of a mixture cannot be climbed by its gradient. It can. The weights have to sum to
one and the variances to stay positive, which a plain step does not respect; but with weights as a softmax and variances
as exponentials every step gives a mixture, and the gradient falls out of the sums that EM's E-step makes anyway. So
one pass through the frames costs the same for all three ways compared here, from the same starts:

* EM;
* accelerated EM, which looks ahead along its steps;
* gradient ascent by scipy's L-BFGS-B, whose bounds are EM's floors.

On six clouds far apart, and on the same clouds pushed together; from 50 starts each; and with no floor, where the
likelihood has no largest value at all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent))
from gradient import by_differences, em_step_by_gradient, packed, slopes, unconstrained, unpacked

from gmmaudio import Mixture, Statistics
from gmmaudio.gmm.accelerate import accelerated_em
from gmmaudio.gmm.covariance import Diagonal, Regulariser
from gmmaudio.gmm.em import Em, em, maximise, run
from gmmaudio.gmm.shards import cut
from gmmaudio.gmm.start import random_start
from gmmaudio.gmm.statistics import accumulate
from gmmaudio.parallel import one_blas_thread

Floats = NDArray[np.float64]

WEIGHTS = np.array([0.25, 0.2, 0.2, 0.15, 0.1, 0.1])
GRID = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1.0]])
SPACINGS = {"apart": 6.0, "overlapping": 2.5}  # of the clouds' centres, in standard deviations
FLOOR = 1e-3  # of a column's variance: the least that a component's may be
NONE = 1e-20  # as good as no floor
COLOURS = {"EM": "#c65d00", "accelerated EM": "#2c7a2c", "gradient (L-BFGS-B)": "#1f5a9c"}
NEAR, CLOSE = 1e-2, 1e-4  # nats per frame: from where a climb ends
SAME = 1e-3  # nats per frame: less than this below the best end is the best end
MOST = 2000  # passes through the frames


def clouds(spacing: float) -> Mixture:
    """Six round clouds on a grid."""
    return Mixture(WEIGHTS, spacing * GRID, Diagonal(np.ones((6, 2))))


# Three ways to climb


@dataclass
class Trace:
    """The likelihood of each mixture that was asked for, and when; nats per frame and seconds."""

    likelihood: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def e_step(self, mixture: Mixture, frames: ArrayLike, weights: ArrayLike | None = None) -> Statistics:
        """``accumulate``, written down."""
        statistics = accumulate(mixture, frames, weights)
        self.likelihood.append(statistics.mean_log_likelihood)
        self.seconds.append(time.perf_counter() - self.began)
        return statistics

    @property
    def best(self) -> Floats:
        """The largest likelihood so far, pass by pass."""
        return np.maximum.accumulate(self.likelihood)

    def passes(self, within: float) -> int:
        """How many passes it took to come so near to its end."""
        return int((self.best < self.best[-1] - within).sum()) + 1


@dataclass(frozen=True)
class Climb:
    """Where a climb went, and where it ended."""

    trace: Trace
    mixture: Mixture


def by_em(way: Callable[..., Any]) -> Callable[[Floats, Mixture, float, int], Climb]:
    """EM, or its accelerated form."""

    def climb(frames: Floats, start: Mixture, floor: float, most: int) -> Climb:
        settings = Em(most, tolerance=1e-8, regulariser=Regulariser(relative_floor=floor), min_occupancy=0)
        trace = Trace()
        [fit] = run([way(start, settings, frames.var(axis=0))], [cut(frames)], e_step=trace.e_step)
        return Climb(trace, fit.mixture)

    return climb


def by_gradient(frames: Floats, start: Mixture, floor: float, most: int) -> Climb:
    """L-BFGS-B on the unconstrained numbers; the floor is a bound on the log variances."""
    shape, trace = start.means.shape, Trace()
    least = np.log(floor * frames.var(axis=0))

    def downhill(numbers: Floats) -> tuple[float, Floats]:
        mixture = unpacked(numbers, shape)
        statistics = trace.e_step(mixture, frames)
        return -trace.likelihood[-1], -unconstrained(mixture, slopes(mixture, statistics))

    k, d = shape
    bounds = [(None, None)] * (k + k * d) + [(low, None) for low in np.tile(least, k)]
    options = {"maxfun": most, "maxiter": most, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20}
    with one_blas_thread():  # as ``run`` does
        found = minimize(downhill, packed(start), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Climb(trace, unpacked(found.x, shape))


WAYS = {"EM": by_em(em), "accelerated EM": by_em(accelerated_em), "gradient (L-BFGS-B)": by_gradient}
Climbs = dict[str, list[Climb]]


def climbs(frames: Floats, components: int, starts: int, floor: float, most: int, seed: int) -> Climbs:
    """Every way from the same starts: components around frames drawn at random."""
    made = [random_start(frames, components, np.random.default_rng([seed, index])) for index in range(starts)]
    return {way: [climb(frames, start, floor, most) for start in made] for way, climb in WAYS.items()}


# What comes out


def ends(found: Climbs) -> dict[str, Floats]:
    """How far below the best end of all each climb ends, in nats per frame."""
    best = max(climb.trace.best[-1] for some in found.values() for climb in some)
    return {way: np.array([best - climb.trace.best[-1] for climb in some]) for way, some in found.items()}


def tell_gradient(frames: Floats, start: Mixture) -> None:
    """Is the gradient right, is EM's step one of its steps, and what does a plain step break?"""
    statistics = accumulate(start, frames)
    found, stepped = slopes(start, statistics), maximise(statistics)
    exact, rough = unconstrained(start, found), by_differences(frames, start)
    new = np.concatenate([stepped.weights, stepped.means.ravel(), stepped.covariance.array.ravel()])
    print(f"gradient from the E-step against finite differences: {np.abs(exact - rough).max():.0e} apart")
    apart = np.abs(em_step_by_gradient(start, statistics) - new).max()
    print(f"EM's step against a matrix times the gradient: {apart:.0e} apart")
    print(f"weights after a plain step of length 1 sum to {(start.weights + found.weights).sum():.2f}")


def tell_climbs(name: str, found: Climbs) -> None:
    below = ends(found)
    good = np.all([some < SAME for some in below.values()], axis=0)
    print(f"\nclouds {name}, {len(good)} starts; all three ways reach the best end from {good.sum()} of them")
    print(f"{'':23}median passes to within    the same, these    ends at    worst end")
    print(f"{'':23}{NEAR:g}     {CLOSE:g} nats         {good.sum():2} starts        the best    (nats below)")
    for way, some in found.items():
        near, close = (np.array([climb.trace.passes(limit) for climb in some]) for limit in (NEAR, CLOSE))
        few = [f"{np.median(passes[good]):6.0f}" if good.any() else "     -" for passes in (near, close)]
        print(
            f"{way:20} {np.median(near):7.0f} {np.median(close):9.0f}     {few[0]} {few[1]}"
            f" {(below[way] < SAME).sum():15} {below[way].max():14.3f}"
        )


def tell_seconds(name: str, found: Climbs) -> None:
    """What depends on the machine: the one part that is not the same each time."""
    for way, some in found.items():
        took = [climb.trace.seconds[climb.trace.passes(CLOSE) - 1] for climb in some]
        each = sum(climb.trace.seconds[-1] for climb in some) / sum(len(climb.trace.best) for climb in some)
        print(f"{name:12} {way:20} {1e3 * np.median(took):8.1f} ms, {1e6 * each:6.0f} us a pass")


def collapsed(found: Climbs, frames: Floats) -> dict[str, int]:
    """How many climbs end with a component that has shrunk onto a frame."""
    tiny = 1e-8 * frames.var(axis=0)
    return {way: sum(bool((c.mixture.covariance.array < tiny).any()) for c in some) for way, some in found.items()}


def spike(frames: Floats, deviations: Floats) -> Floats:
    """The log-likelihood (nats) with one of two components on the first frame, for each of its deviations."""
    wide = frames.var(axis=0)
    means = np.stack([frames[0], frames.mean(axis=0)])
    narrow = [np.full(2, deviation**2) for deviation in deviations]
    pairs = [Mixture(np.full(2, 0.5), means, Diagonal(np.stack([variances, wide]))) for variances in narrow]
    return np.array([pair.log_density(frames).sum() for pair in pairs])


def tell_singular(frames: Floats, starts: int, seed: int) -> None:
    print(f"\n{len(frames)} frames of one Gaussian, four components, {starts} starts: collapsed onto a frame")
    for floor, what in ((NONE, "no floor"), (FLOOR, f"floor {FLOOR:g}")):
        found = collapsed(climbs(frames, 4, starts, floor, 500, seed), frames)
        print(f"{what:12}" + "   ".join(f"{way} {count}" for way, count in found.items()))
    shrunk = spike(frames, np.array([1e-4, 1e-5]))
    print(
        f"a component on one frame, ten times narrower: {np.diff(shrunk)[0]:+.4f} nats (theory {2 * np.log(10):+.4f})"
    )


# The picture


def draw_climb(by_pass: Axes, by_time: Axes, name: str, found: Climbs, index: int) -> None:
    """How far below its end each way is, pass by pass and over time."""
    for way, some in found.items():
        trace = some[index].trace
        gap = np.maximum(trace.best[-1] - trace.best, 1e-9)
        by_pass.loglog(np.arange(1, len(gap) + 1), gap, color=COLOURS[way], label=way)
        by_time.loglog(1e3 * np.array(trace.seconds), gap, color=COLOURS[way])
    for axes, what in ((by_pass, "passes through the frames"), (by_time, "time (ms)")):
        axes.set(xlabel=what, ylabel="nats below its end", ylim=(1e-6, 1))
        axes.grid(alpha=0.3)
        axes.xaxis.set_minor_formatter(NullFormatter())
    by_pass.set_title(f"Clouds {name}", fontsize=10)


def draw_ends(axes: Axes, found: Climbs) -> None:
    """Where the climbs end, the best first."""
    for (way, below), dash in zip(ends(found).items(), ("-", "--", ":"), strict=True):
        axes.plot(np.arange(1, len(below) + 1), np.sort(below), dash, color=COLOURS[way], label=way, lw=1.8)
    axes.set(xlabel="start, the best end first", ylabel="nats below the best end")
    axes.set_title(f"Where {len(below)} starts end (clouds apart)", fontsize=10)
    axes.grid(alpha=0.3)


def draw_spike(axes: Axes, frames: Floats) -> None:
    deviations = np.logspace(0.5, -7, 100)
    axes.semilogx(deviations, spike(frames, deviations), color="#222222")
    axes.invert_xaxis()
    axes.set(xlabel="standard deviation of a component on one frame", ylabel="log-likelihood (nats)")
    axes.set_title("Without a floor there is no top", fontsize=10)
    axes.grid(alpha=0.3)


def picture(cases: dict[str, Climbs], few: Floats, path: Path) -> None:
    figure = Figure(figsize=(9, 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 2)
    for column, (name, found) in enumerate(cases.items()):
        good = np.all([some < SAME for some in ends(found).values()], axis=0)
        draw_climb(panels[0, column], panels[1, column], name, found, int(good.argmax()))
    panels[0, 0].legend(fontsize=8.5, frameon=False, loc="lower left")
    draw_ends(panels[2, 0], cases["apart"])
    draw_spike(panels[2, 1], few)
    figure.savefig(path, dpi=92)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer frames and starts: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    n, starts, most = (400, 4, 300) if chosen.small else (2000, 50, MOST)

    samples = {name: clouds(spacing).sample(n, chosen.seed)[0] for name, spacing in SPACINGS.items()}
    tell_gradient(samples["overlapping"], random_start(samples["overlapping"], 6, np.random.default_rng(chosen.seed)))
    cases = {name: climbs(frames, 6, starts, FLOOR, most, chosen.seed) for name, frames in samples.items()}
    for name, found in cases.items():
        tell_climbs(name, found)
    few = np.random.default_rng(chosen.seed).standard_normal((40, 2))
    tell_singular(few, starts, chosen.seed)
    print(f"\non this machine, median time to within {CLOSE:g} nats")
    for name, found in cases.items():
        tell_seconds(name, found)

    chosen.out.mkdir(parents=True, exist_ok=True)
    picture(cases, few, chosen.out / "em-or-gradient.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
