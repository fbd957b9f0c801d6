"""k-means or a mixture: hard or soft assignment, and what the hard one costs.

    python recipes/kmeans-or-mixture/run.py [--out DIR] [--small] [--seed 0]

k-means gives each point wholly to the nearest centre (hard assignment) and moves each centre to the mean of its
points. A mixture gives each point to all components, in shares that add up to one (soft assignment, the posterior),
and from these shares it also learns how wide each cluster is and which way it lies. Three demonstrations:

1. k-means is what a mixture becomes when all components are round, equally heavy, and of one variance that shrinks
   to nothing: the shares harden to 0 and 1, and the centres go where those of scikit-learn's KMeans go.
2. A long cloud beside a small round one: k-means cuts the long one in two, a mixture of full covariances keeps it
   whole.
3. A point that belongs to one class with probability 0.6, by a formula, and what is lost when that is rounded to 1.

All points are made up, in arbitrary units.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from gmmaudio.gmm.covariance import Full, Regulariser, Spherical
from gmmaudio.gmm.em import Em, em, maximise, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import cut
from gmmaudio.gmm.start import assign, cluster_means, from_clusters, plus_plus
from gmmaudio.gmm.statistics import accumulate

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

NO_FLOOR = Regulariser(relative_floor=0)
BLUE, ORANGE = "#3b76b5", "#d9822b"


# 1. k-means as the limit of a mixture

CLOUDS = Mixture(
    np.array([0.4, 0.3, 0.2, 0.1]),
    np.array([[0.0, 0.0], [3.0, 0.5], [1.0, 3.0], [4.0, 3.5]]),
    Spherical(np.array([1.0, 0.6, 0.8, 0.4])),
)
VARIANCES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Step:
    """What a mixture of one fixed variance has in common with k-means from the same start."""

    variance: float
    agreement: float  # share of the points given to the same cluster
    largest_share: float  # a point's largest posterior, on average: 1 is hard
    distance: float  # between the centres, at most


def round_mixture(centres: Floats, variance: float) -> Mixture:
    """Equal weights and one variance for all: only the centres are left to learn."""
    k = len(centres)
    return Mixture(np.full(k, 1 / k), centres, Spherical(np.full(k, variance)))


def soft_centres(frames: Floats, centres: Floats, variance: float) -> Floats:
    """Expectation maximisation of the centres alone: each is the mean of all points, weighted by their shares."""
    for _ in range(2000):
        moved = maximise(accumulate(round_mixture(centres, variance), frames)).means
        if np.allclose(moved, centres, rtol=0, atol=1e-10):
            break
        centres = moved
    return centres


def hard_centres(frames: Floats, centres: Floats) -> Floats:
    """k-means (Lloyd's passes): the same two steps, each point wholly with the nearest centre."""
    while True:
        moved = cluster_means(frames, assign(frames, centres), centres)
        if np.array_equal(moved, centres):
            return centres
        centres = moved


def oracle(frames: Floats, start: Floats) -> KMeans:
    """scikit-learn's k-means from the same start."""
    return KMeans(len(start), init=start, n_init=1, max_iter=2000, tol=0).fit(frames)


def limit(points: int, seed: int) -> tuple[list[Step], float]:
    """Ever smaller variances against scikit-learn's k-means; and how far our own k-means is from it."""
    frames, _ = CLOUDS.sample(points, seed)
    start = plus_plus(frames, CLOUDS.components, np.random.default_rng(seed))
    peer = oracle(frames, start)
    steps = []
    for variance in VARIANCES:
        centres = soft_centres(frames, start, variance)
        shares = round_mixture(centres, variance).posteriors(frames)
        same = float((shares.argmax(axis=1) == peer.labels_).mean())
        distance = float(np.abs(centres - peer.cluster_centers_).max())
        steps.append(Step(variance, same, float(shares.max(axis=1).mean()), distance))
    return steps, float(np.abs(hard_centres(frames, start) - peer.cluster_centers_).max())


# 2. A long cloud beside a small round one


def long_and_round() -> Mixture:
    """A long cloud, aslant, and a round one beside its middle."""
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    long = turn @ np.diag([36.0, 0.5]) @ turn.T
    return Mixture(np.array([0.7, 0.3]), np.array([[0.0, 0.0], [-2.4, 3.2]]), Full(np.stack([long, 0.5 * np.eye(2)])))


def regrouped(frames: Floats, labels: Labels, kind: str) -> Labels:
    """The most likely component of each point, in a mixture whose EM begins with these groups."""
    settings = Em(iterations=2000, tolerance=1e-9, regulariser=NO_FLOOR, min_occupancy=0)
    start = from_clusters(frames, labels, 2, NO_FLOOR, kind)
    [fit] = run([em(start, settings, frames.var(axis=0))], [cut(frames)])
    return fit.mixture.posteriors(frames).argmax(axis=1)


def groupings(frames: Floats, truth: Labels, seed: int) -> dict[str, Labels]:
    """The groups that k-means finds, the best of ten starts; and mixtures, most of which begin with those groups."""
    hard = KMeans(2, n_init=10, random_state=seed).fit(frames).labels_.astype(np.intp)
    return {
        "k-means": hard,
        "mixture, diag": regrouped(frames, hard, "diag"),
        "mixture, diag, from the truth": regrouped(frames, truth, "diag"),
        "mixture, full": regrouped(frames, hard, "full"),
        "the mixture that made them": long_and_round().posteriors(frames).argmax(axis=1),
    }


# 3. A point that is 60 % one class and 40 % another

PAIR = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), Spherical(np.ones(2)))
# Means -1 and 1, variance 1, equal weights: P(first | x) = 1 / (1 + exp(2 x)), which is 0.6 at x = -log(0.6 / 0.4) / 2.
SIXTY = -log(0.6 / 0.4) / 2
ERROR = (1 - erf(1 / sqrt(2))) / 2  # the share of points on the wrong side of 0: a normal variable beyond 1
HARD_MEAN = sqrt(2 / pi) * exp(-1 / 2) + 1 - 2 * ERROR  # the mean of the points right of 0: E|x|, x normal around 1


@dataclass(frozen=True)
class Loss:
    """What rounding the posterior does to points of two overlapping classes."""

    near: float  # among points whose posterior of the first class is within 0.58 and 0.62: the share that is in it
    error: float  # points given to the wrong class
    foreseen: float  # 1 - largest posterior, on average: the error as the mixture expects it; k-means expects none
    hard_mean: float  # the right centre found by k-means
    soft_mean: float  # the right centre found by the mixture


def loss(points: int, seed: int) -> Loss:
    frames, truth = PAIR.sample(points, seed)
    shares = PAIR.posteriors(frames)
    near = (shares[:, 0] > 0.58) & (shares[:, 0] < 0.62)
    return Loss(
        near=float((truth[near] == 0).mean()),
        error=float((shares.argmax(axis=1) != truth).mean()),
        foreseen=float(1 - shares.max(axis=1).mean()),
        hard_mean=float(hard_centres(frames, PAIR.means)[1, 0]),
        soft_mean=float(soft_centres(frames, PAIR.means, 1.0)[1, 0]),
    )


# The picture


def draw_limit(axes: Axes, steps: list[Step]) -> None:
    variances = [step.variance for step in steps]
    axes.semilogx(variances, [step.agreement for step in steps], "o-", color=BLUE)
    axes.semilogx(variances, [step.largest_share for step in steps], "s--", color=ORANGE)
    axes.text(0.02, 0.6, "points in the same cluster\nas with k-means", color=BLUE, fontsize=9)
    axes.text(0.02, 0.4, "largest posterior of a point,\non average", color=ORANGE, fontsize=9)
    axes.invert_xaxis()
    axes.set(xlabel="variance of every component (squared units)", ylabel="share", ylim=(0, 1.05))
    axes.set_title("1. A mixture hardens into k-means", fontsize=10)


def draw_groups(axes: Axes, frames: Floats, labels: Labels, title: str) -> None:
    axes.scatter(frames[:, 0], frames[:, 1], s=4, c=np.array([BLUE, ORANGE])[labels], linewidths=0)
    axes.set(xlabel="x (arbitrary units)", ylabel="y (arbitrary units)", aspect="equal")
    axes.set_title(title, fontsize=10)


def draw_sixty(axes: Axes) -> None:
    x = np.linspace(-4, 4, 400)
    axes.plot(x, PAIR.posteriors(x[:, None])[:, 0], color=BLUE)
    axes.step([-4, 0, 4], [1, 1, 0], where="pre", color=ORANGE, ls="--")
    axes.plot([SIXTY], [0.6], "o", color="black")
    text = f"x = {SIXTY:.3f}:\n60 % first class,\n40 % second"
    axes.annotate(text, (SIXTY, 0.6), (-3.8, 0.3), fontsize=9, arrowprops={"arrowstyle": "-"})
    axes.text(0.6, 0.4, "soft: the posterior\nof the first class", color=BLUE, fontsize=9)
    axes.text(0.15, 0.93, "hard: first class or not", color=ORANGE, fontsize=9)
    axes.set(xlabel="x (arbitrary units)", ylabel="probability", ylim=(-0.03, 1.05))
    axes.set_title("3. What rounding hides", fontsize=10)


def picture(steps: list[Step], frames: Floats, found: dict[str, Labels], truth: Labels, path: Path) -> None:
    figure = Figure(figsize=(9, 6.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2)
    draw_limit(panels[0, 0], steps)
    draw_sixty(panels[1, 0])
    shown = slice(1500)
    for axes, name in zip(panels[:, 1], ("k-means", "mixture, full"), strict=True):
        labels = found[name] if np.mean(found[name] == truth) > 0.5 else 1 - found[name]  # the long cloud is blue
        title = f"2. {name}: adjusted Rand index {adjusted_rand_score(truth, labels):.2f}"
        draw_groups(axes, frames[shown], labels[shown], title)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer points: a second or two")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    points, many = (600, 20_000) if chosen.small else (2000, 200_000)

    steps, ours = limit(points, chosen.seed)
    print(f"1. {points} points of {CLOUDS.components} round clouds, seed {chosen.seed}; k-means is scikit-learn's")
    print("variance  points as in k-means  largest posterior  centres apart")
    for step in steps:
        print(f"{step.variance:8g} {step.agreement:21.4f} {step.largest_share:18.4f} {step.distance:14.1e}")
    print(f"hard assignment, our own {ours:51.1e}")

    frames, truth = long_and_round().sample(points, chosen.seed)
    found = groupings(frames, truth, chosen.seed)
    print(f"\n2. {points} points of a long cloud and a round one\n{'':30}adjusted Rand index")
    for name, labels in found.items():
        print(f"{name:30}{adjusted_rand_score(truth, labels):19.3f}")

    share, seen = PAIR.posteriors(np.array([[SIXTY]]))[0, 0], loss(many, chosen.seed)
    print(f"\n3. The posterior at x = {SIXTY:.6f}: {share:.15f}")
    print(f"{many} points of the two classes{'':22}measured   in theory")
    print(f"in the first class, where the posterior says 0.58 to 0.62 {seen.near:9.4f} {0.6:10.4f}")
    print(f"given to the wrong class {seen.error:42.4f} {ERROR:10.4f}")
    print(f"the mixture expects to be wrong; k-means never does {seen.foreseen:15.4f} {ERROR:10.4f}")
    print(f"right centre (true: 1) found by k-means {seen.hard_mean:27.4f} {HARD_MEAN:10.4f}")
    print(f"right centre (true: 1) found by the mixture {seen.soft_mean:23.4f} {1:10.4f}")

    chosen.out.mkdir(parents=True, exist_ok=True)
    picture(steps, frames, found, truth, chosen.out / "kmeans-or-mixture.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
