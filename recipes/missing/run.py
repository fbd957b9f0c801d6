"""Values that are missing: leave them out of the sums, not the frames out of the data.

    python recipes/missing/run.py [--out DIR] [--small] [--seed 0]

The frames are invented: three kinds of sound (a vowel, a hiss, a pause), each frame the level of six frequency bands
in decibels. All bands rise and fall with the loudness, and tilt with the brightness, so that some bands say much about
the others. Then values go missing: single ones at random, or the two highest bands together, as in a telephone call.

Three ways to fit a mixture of full covariances to what is left: drop every row with a gap; fill each gap with its
column's mean; integrate the missing values out (``accumulate_missing``). Printed are how good a description of whole
frames comes out, how far the means are off, and how well gaps in new frames are filled in, against scikit-learn's
imputers and against the best possible: the mixture that made the frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from gmmaudio.gmm.covariance import Full
from gmmaudio.gmm.em import Em, fit_from, run
from gmmaudio.gmm.missing import accumulate_missing, impute, log_density_missing, mean_filled, start_missing
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import cut

Floats = NDArray[np.float64]
Table = dict[tuple[str, float, str], Floats]
Remove = Callable[[Floats, float, np.random.Generator], Floats]

BANDS = ("250 Hz", "500 Hz", "1 kHz", "2 kHz", "4 kHz", "8 kHz")
WEIGHTS = np.array([0.45, 0.25, 0.3])
MEANS = np.array([[62, 60, 52, 46, 38, 30], [30, 31, 34, 40, 50, 52], [32, 30, 28, 26, 24, 22.0]])  # dB
LOUDNESS = np.array([5.0, 4.0, 2.5])  # dB, of each kind of sound: all bands alike
BRIGHTNESS = np.array([4.0, 4.0, 2.5])  # dB at the outer bands: one end up, the other down
OWN = 2.0  # dB: how far each band strays for itself
SETTINGS = Em(iterations=200, tolerance=1e-4)
NOTHING = ("nothing", 0.0, "")
WAYS = ("drop rows", "fill with means", "integrate out")
COLOURS = {"drop rows": "#7a7a7a", "fill with means": "#c65d00", "integrate out": "#1f5a9c"}


def truth() -> Mixture:
    """The mixture that makes the frames."""
    tilt = np.linspace(-1, 1, len(BANDS))
    shared = LOUDNESS[:, None, None] ** 2 + BRIGHTNESS[:, None, None] ** 2 * np.outer(tilt, tilt)
    return Mixture(WEIGHTS, MEANS, Full(shared + OWN**2 * np.eye(len(BANDS))))


def at_random(frames: Floats, share: float, generator: np.random.Generator) -> Floats:
    """A copy in which each value is missing with this probability."""
    return np.where(generator.random(frames.shape) < share, np.nan, frames)


def telephone(frames: Floats, share: float, generator: np.random.Generator) -> Floats:
    """A copy in which a share of the rows lacks the last third of the columns."""
    found = frames.copy()
    found[generator.random(len(frames)) < share, -2:] = np.nan
    return found


CASES: dict[str, tuple[Remove, tuple[float, ...]]] = {
    "of values, at random": (at_random, (0.1, 0.2, 0.3, 0.4)),
    "of rows, 4 and 8 kHz": (telephone, (0.25, 0.5, 0.75, 0.9)),
}


def left_by(way: str, frames: Floats) -> Floats:
    """What a way of treating gaps leaves to be fitted."""
    if way == "drop rows":
        return frames[~np.isnan(frames).any(axis=1)]
    return mean_filled(frames) if way == "fill with means" else frames


def fit(frames: Floats, seed: int) -> Mixture:
    """Three components of full covariance; the same lines with gaps and without."""

    def start(sample: Floats) -> Mixture:
        return start_missing(sample, 3, np.random.default_rng(seed), kind="full")

    [found] = run([fit_from(frames, start, SETTINGS)], [cut(frames)], e_step=accumulate_missing)
    return found.mixture


def loss(mixture: Mixture, frames: Floats) -> float:
    """Nats per whole frame that the mixture describes new frames worse than the one that made them."""
    return float((truth().log_density(frames) - mixture.log_density(frames)).mean())


def error_of_means(mixture: Mixture) -> float:
    """How far the means are off, root mean square over sounds and bands, in dB."""
    nearest = ((mixture.means - MEANS[:, None]) ** 2).sum(axis=2).argmin(axis=1)
    return float(np.sqrt(((mixture.means[nearest] - MEANS) ** 2).mean()))


def compare(n: int, draws: int, test: Floats, seed: int) -> Table:
    """Rows used, loss and error of the means, by case, share and way; the mean over new draws."""
    found: dict[tuple[str, float, str], list[tuple[float, float, float]]] = {}
    for draw in range(draws):
        whole, _ = truth().sample(n, np.random.default_rng([seed, draw]))
        left = {NOTHING: whole}
        for case, (remove, shares) in CASES.items():
            for share in shares:
                frames = remove(whole, share, np.random.default_rng([seed, draw, 1]))
                left |= {(case, share, way): left_by(way, frames) for way in WAYS}
        for key, frames in left.items():
            mixture = fit(frames, draw)
            found.setdefault(key, []).append((float(len(frames)), loss(mixture, test), error_of_means(mixture)))
    return {key: np.mean(outcomes, axis=0) for key, outcomes in found.items()}


def expected(n: int) -> tuple[float, float]:
    """What loss and error of the means should be with nothing missing, for large n.

    The loss is parameters / 2n (Akaike 1973); a mean of n w frames of variance v has standard error sqrt(v / n w).
    """
    variances = np.einsum("kii->ki", truth().covariance.array)
    return truth().parameters / (2 * n), float(np.sqrt((variances / (n * WEIGHTS[:, None])).mean()))


def imputers(train: Floats, seed: int) -> dict[str, Callable[[Floats], Floats]]:
    """Ways to fill gaps in new frames, learnt from frames with gaps; the last one knows the truth."""
    chained = IterativeImputer(max_iter=100, tol=1e-2, random_state=seed).fit(train)
    neighbours = KNNImputer(n_neighbors=5).fit(train)
    fits = {way: fit(left_by(way, train), seed) for way in WAYS}
    means = np.nanmean(train, axis=0)
    return {
        "column mean": lambda frames: np.where(np.isnan(frames), means, frames),
        "scikit-learn, 5 neighbours": neighbours.transform,
        "mixture, filled with means": lambda frames: impute(fits["fill with means"], frames),
        "scikit-learn, linear regressions": chained.transform,
        "mixture, rows dropped": lambda frames: impute(fits["drop rows"], frames),
        "mixture, integrated out": lambda frames: impute(fits["integrate out"], frames),
        "the mixture that made them": lambda frames: impute(truth(), frames),
    }


def errors_of_filling(n: int, test: Floats, remove: Remove, share: float, seed: int) -> dict[str, float]:
    """Root mean square error in dB, over the gaps of new frames."""
    train = remove(truth().sample(n, np.random.default_rng([seed, 100]))[0], share, np.random.default_rng([seed, 101]))
    gapped = remove(test, share, np.random.default_rng([seed, 102]))
    gaps = np.isnan(gapped)
    return {
        name: float(np.sqrt(((fill(gapped) - test)[gaps] ** 2).mean())) for name, fill in imputers(train, seed).items()
    }


def oracle(frames: Floats) -> float:
    """The largest difference in log density from scipy's, asked row by row for the columns shown."""
    mixture = truth()
    expected = []
    for frame in frames:
        shown = np.flatnonzero(~np.isnan(frame))
        parts = [
            np.log(w)
            + (multivariate_normal(m[shown], s[np.ix_(shown, shown)]).logpdf(frame[shown]) if len(shown) else 0)
            for w, m, s in zip(mixture.weights, mixture.means, mixture.covariance.array, strict=True)
        ]
        expected.append(logsumexp(parts))
    return float(np.abs(log_density_missing(mixture, frames) - expected).max())


def draw_ellipses(axes: Axes, mixture: Mixture, columns: list[int], colour: str, dashed: bool, label: str) -> None:
    """Two standard deviations of each component in two of the columns."""
    for index, (mean, matrix) in enumerate(zip(mixture.means, mixture.covariance.array, strict=True)):
        values, vectors = np.linalg.eigh(matrix[np.ix_(columns, columns)])
        height, width = 4 * np.sqrt(values)
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        style = {"fill": False, "lw": 1.8, "ec": colour, "ls": (0, (3, 2)) if dashed else "-"}
        axes.add_patch(Ellipse(mean[columns], width, height, angle=angle, label=label if index == 0 else None, **style))


def draw_cloud(axes: Axes, way: str, frames: Floats, seed: int) -> None:
    """1 kHz against 8 kHz, where half of the rows lack the latter, and the mixture that comes out."""
    columns = [2, 5]
    left = left_by(way, frames)
    known = ~np.isnan(frames[:, 5])
    axes.scatter(*left[known][:, columns].T, s=4, color="#c2c2c2", linewidths=0)
    stripe = 11.5 if way == "integrate out" else left[~known][0, 5]
    axes.scatter(left[~known, 2], np.full((~known).sum(), stripe), s=22, marker="|", color="#e39a60", linewidths=0.8)
    note = "8 kHz missing" if way == "integrate out" else "filled in"
    axes.text(71.5, stripe + 1, note, ha="right", fontsize=8.5, color="#b35a00")
    draw_ellipses(axes, truth(), columns, "#222222", True, "made the frames")
    draw_ellipses(axes, fit(left, seed), columns, COLOURS[way], False, "found")
    axes.set_title(f"half the rows lack 8 kHz: {way}", fontsize=10)
    axes.set(xlabel="level at 1 kHz (dB)", xlim=(15, 73), ylim=(9, 70))
    axes.legend(fontsize=8.5, loc="upper right", frameon=False)


def draw_losses(axes: Axes, found: Table) -> None:
    """Loss against the share of values missing at random, a line a way."""
    case = next(iter(CASES))
    shares = CASES[case][1]
    for way, (x, y) in zip(WAYS, ((23, 0.12), (19, 3.7), (23, 0.052)), strict=True):
        values = [found[NOTHING][1], *(found[case, share, way][1] for share in shares)]
        axes.plot([0, *(100 * s for s in shares)], values, "o-", color=COLOURS[way], ms=4)
        axes.text(x, y, way, color=COLOURS[way], fontsize=9.5)
    axes.set(yscale="log", ylim=(0.03, 8), xlabel="values missing at random (%)", ylabel="loss (nats per frame)")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("how much worse whole new frames are described", fontsize=10)
    axes.grid(alpha=0.3)


def draw_filling(axes: Axes, errors: dict[str, float]) -> None:
    """A bar for each way to fill gaps, its name inside or beside it."""
    names = list(errors)[::-1]
    ours = "mixture, integrated out"
    axes.barh(names, [errors[n] for n in names], color=[COLOURS[WAYS[2]] if n == ours else "#c3ccd6" for n in names])
    for row, name in enumerate(names):
        inside = errors[name] > 10
        x = 0.3 if inside else errors[name] + 0.2
        axes.text(x, row, f"{errors[name]:.2f}  {name}", va="center", fontsize=9)
    axes.set(yticks=[], xlim=(0, 14), xlabel="root mean square error of the values filled in (dB)")
    axes.set_title("filling 20 % missing at random in new frames", fontsize=10)


def picture(frames: Floats, found: Table, errors: dict[str, float], seed: int, path: Path) -> None:
    """Two clouds above, two charts below."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2)
    for axes, way in zip(panels[0], WAYS[1:], strict=True):
        draw_cloud(axes, way, frames, seed)
    panels[0, 0].set_ylabel("level at 8 kHz (dB)")
    draw_losses(panels[1, 0], found)
    draw_filling(panels[1, 1], errors)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer frames, one draw: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    n, draws = (400, 1) if chosen.small else (1000, 4)
    test, _ = truth().sample(4000, np.random.default_rng([chosen.seed, 1000]))

    gapped = at_random(test[:200], 0.3, np.random.default_rng(chosen.seed))
    print(f"log density of what 200 frames show, largest difference from scipy: {oracle(gapped):.0e} nats")

    found = compare(n, draws, test, chosen.seed)
    print(f"\n{n} frames to learn from, mean of {draws} draws, seed {chosen.seed}")
    print("missing                     way               rows used   loss (nats)   means off (dB)")
    for (case, share, way), (rows, nats, off) in found.items():
        missing = f"{100 * share:.0f} % {case}" if share else case
        print(f"{missing:27} {way:16} {rows:10.0f} {nats:13.3f} {off:16.2f}")
    nats, off = expected(n)
    print(f"{'nothing, by theory':27} {'':16} {n:10} {nats:13.3f} {off:16.2f}")

    print("\nerror of the values filled in, dB        " + "".join(f"{case:>24}" for case in CASES))
    filling = [errors_of_filling(n, test, CASES[c][0], s, chosen.seed) for c, s in zip(CASES, (0.2, 0.5), strict=True)]
    print(f"{'':41}{'20 %':>24}{'50 %':>24}")
    for name in filling[0]:
        print(f"{name:41}" + "".join(f"{errors[name]:24.2f}" for errors in filling))

    chosen.out.mkdir(parents=True, exist_ok=True)
    whole, _ = truth().sample(n, np.random.default_rng([chosen.seed, 0]))
    frames = telephone(whole, 0.5, np.random.default_rng([chosen.seed, 0, 1]))
    picture(frames, found, filling[0], chosen.seed, chosen.out / "missing.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
