"""How fast do cyclists ride? From a frequency table to a density, and how many peaks it has.

    python recipes/speeds/run.py [--out DIR] [--small] [--seed 0]

A counter on a cycle path writes down speeds. The riders are invented, so that the density behind them is known: first
commuters only (one peak), then racing cyclists with them (two), then children as well (three). From the frequency
table of the first comes a histogram, and from the histogram a Gaussian; for the others one Gaussian will not do, and a
mixture has to say how many it needs: the number with the smallest BIC. scikit-learn's ``GaussianMixture`` is asked,
too, and new riders are drawn many times to see how often the answer is right.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from sklearn.mixture import GaussianMixture as Peer

from gmmaudio import GaussianMixture, Mixture, choose_components
from gmmaudio.gmm.choose import Choice
from gmmaudio.gmm.covariance import Diagonal, Regulariser
from gmmaudio.gmm.em import Em

Floats = NDArray[np.float64]

WIDTH = 2.0  # km/h: of a class of the frequency table
EDGES = np.arange(0, 52, WIDTH)
MIDDLES = (EDGES[:-1] + EDGES[1:]) / 2
FINE = Em(iterations=1000, tolerance=1e-6, min_occupancy=0, regulariser=Regulariser(relative_floor=1e-3))
TRIED = range(1, 6)
BLUE, ORANGE, GREY = "#1f5a9c", "#c65d00", "#9a9a9a"
PALE = ("#a9c7e8", "#f0c79a", "#b5d8b5")


def riders(*groups: tuple[float, float, float]) -> Mixture:
    """A mixture from (share, mean, standard deviation) of each group of riders, speeds in km/h."""
    shares, means, deviations = np.array(groups).T
    return Mixture(shares, means[:, None], Diagonal(deviations[:, None] ** 2))


TRUTHS = {
    "commuters": riders((1, 19, 4)),
    "commuters, racers": riders((0.65, 18, 3), (0.35, 31, 3.5)),
    "children, commuters, racers": riders((0.25, 11, 1.8), (0.45, 19.5, 2.4), (0.3, 32, 3.2)),
}


# The frequency table and one Gaussian


@dataclass(frozen=True)
class Line:
    """A Gaussian and where it comes from, in km/h."""

    source: str
    mean: float
    deviation: float


def counts(speeds: Floats) -> NDArray[np.int64]:
    """The frequency table: riders in each class."""
    return np.histogram(speeds, EDGES)[0]


def of_table(table: NDArray[np.int64], components: int = 1, seed: int = 0) -> GaussianMixture:
    """A mixture fitted to the frequency table alone: the middle of each class counts as often as it was ridden."""
    model = GaussianMixture(components, random_state=seed, tol=1e-9, max_iter=5000, n_init=5, reg_covar=0)
    return model.fit(MIDDLES[:, None], sample_weight=table)


def lines(speeds: Floats) -> list[Line]:
    """One Gaussian from the table, the same less what the classes blur, from the speeds, and the true one."""
    model = of_table(counts(speeds))
    mean, variance = float(model.means_[0, 0]), float(model.covariances_[0, 0, 0])
    truth = TRUTHS["commuters"]
    return [
        Line("the frequency table", mean, variance**0.5),
        Line("the same, less width^2 / 12", mean, (variance - WIDTH**2 / 12) ** 0.5),
        Line("the speeds themselves (scipy)", *norm.fit(speeds)),
        Line("the truth", float(truth.means[0, 0]), float(truth.covariance.deviations(1)[0, 0])),
    ]


def expected(mixture: Mixture, n: int) -> Floats:
    """How many of n riders a mixture expects in each class."""
    deviations = mixture.covariance.deviations(mixture.components)
    below = norm.cdf((EDGES[:, None, None] - mixture.means) / deviations)[:, :, 0] @ mixture.weights
    return n * np.diff(below)


def chi_square(table: NDArray[np.int64], mixture: Mixture) -> float:
    """The chance that riders drawn from the mixture differ from it as much as the table does (Pearson 1900).

    Neighbouring classes are put together until at least five riders are expected; each number fitted costs a degree
    of freedom.
    """
    wanted, pools, total = expected(mixture, int(table.sum())), [0], 0.0
    for index, value in enumerate(wanted):
        total += value
        if total >= 5 and wanted[index + 1 :].sum() >= 5:
            pools.append(index + 1)
            total = 0.0
    seen, hoped = np.add.reduceat(table, pools), np.add.reduceat(wanted, pools)
    return float(chi2.sf(((seen - hoped) ** 2 / hoped).sum(), len(pools) - 1 - mixture.parameters))


# How many peaks


def choose(speeds: Floats, seed: int) -> Choice:
    """One to five Gaussians, and which number to take."""
    return choose_components(speeds[:, None], TRIED, seed=seed, em=FINE)


def peer_bic(speeds: Floats, components: int, seed: int) -> float:
    """scikit-learn's BIC of so many Gaussians, the best of three starts."""
    settings = {"tol": 1e-6, "max_iter": 1000, "n_init": 3, "reg_covar": 0}
    return float(Peer(components, random_state=seed, **settings).fit(speeds[:, None]).bic(speeds[:, None]))


def named(truth: Mixture, n: int, draws: int, seed: int) -> dict[str, int]:
    """Of so many draws of n riders: how often each criterion names the number of groups that made them."""
    right = {"bic": 0, "aic": 0}
    for draw in range(draws):
        speeds = truth.sample(n, np.random.default_rng([seed, draw]))[0][:, 0]
        candidates = choose(speeds, draw).candidates
        for criterion in right:
            costs = [row.cost(criterion) for row in candidates]
            right[criterion] += candidates[int(np.argmin(costs))].components == truth.components
    return right


def groups(mixture: Mixture) -> Floats:
    """Share in per cent, mean and standard deviation in km/h of each component (k, 3), the slowest first."""
    deviations = mixture.covariance.deviations(mixture.components)
    table = np.column_stack([100 * mixture.weights, mixture.means, deviations])
    return table[np.argsort(mixture.means[:, 0])]


# What is printed


def tell_table(table: NDArray[np.int64], mixture: Mixture) -> None:
    n, hoped = int(table.sum()), expected(mixture, int(table.sum()))
    print(f"{n} commuters\n   km/h  riders  density (per km/h)  one Gaussian expects")
    for low, seen, value in zip(EDGES[:-1], table, hoped, strict=True):
        if seen or value > 0.5:
            print(f"{low:3.0f} to {low + WIDTH:2.0f} {seen:6} {seen / n / WIDTH:13.4f} {value:20.1f}")


def tell_lines(found: list[Line]) -> None:
    print("\none Gaussian, from                mean  deviation (km/h)")
    for line in found:
        print(f"{line.source:29} {line.mean:8.3f} {line.deviation:8.3f}")


def tell_choice(name: str, speeds: Floats, choice: Choice, seed: int) -> None:
    print(f"\n{len(speeds)} riders: {name}")
    print("Gaussians  numbers  nats per rider      BIC  scikit-learn's      AIC")
    for row in choice.candidates:
        peer = peer_bic(speeds, row.components, seed)
        numbers = f"{row.components:9} {row.parameters:8} {row.log_likelihood:15.4f}"
        print(f"{numbers} {row.bic:8.1f} {peer:15.1f} {row.aic:8.1f}{'  *' if row is choice.chosen else ''}")


def tell_groups(found: Mixture, truth: Mixture, table: NDArray[np.int64]) -> None:
    """The groups found from the speeds, from the frequency table alone, and the true ones."""
    fitted = of_table(table, found.components)
    kind = Diagonal(fitted.covariances_[:, 0])
    of_classes = groups(Mixture(fitted.weights_, fitted.means_, kind))
    print("share, mean and deviation: of the speeds   of their frequency table       the truth")
    for row in zip(groups(found), of_classes, groups(truth), strict=True):
        print(f"{'':14}" + "".join(f"{a:10.1f} % {b:5.1f} {c:4.1f}" for a, b, c in row))


def tell_named(sizes: tuple[int, ...], draws: int, seed: int) -> None:
    print(f"\nhow often the number of groups is named, of {draws} draws (BIC, AIC)")
    print(f"{'':27}" + "".join(f"{n:>7} riders" for n in sizes))
    for name, truth in TRUTHS.items():
        right = [named(truth, n, draws, seed) for n in sizes]
        print(f"{name:27}" + "".join(f"{found['bic']:9}, {found['aic']:3}" for found in right))


# The picture


def draw_table(axes: Axes, table: NDArray[np.int64], line: Line) -> None:
    """The frequency table as bars of counts, and the Gaussian on the same scale."""
    n, x = int(table.sum()), np.linspace(0, 40, 400)
    axes.bar(MIDDLES, table, width=WIDTH, color=PALE[0], edgecolor="white")
    axes.plot(x, n * WIDTH * norm.pdf(x, line.mean, line.deviation), color=BLUE)
    text = f"one Gaussian:\nmean {line.mean:.1f} km/h,\ndeviation {line.deviation:.1f} km/h"
    axes.text(26, 0.7 * table.max(), text, color=BLUE, fontsize=9)
    axes.set(xlabel="speed (km/h)", ylabel=f"riders per class of {WIDTH:g} km/h", xlim=(0, 40))
    axes.set_title(f"A frequency table of {n} commuters", fontsize=10)


def draw_density(axes: Axes, speeds: Floats, choice: Choice, title: str) -> None:
    """A histogram of area one, one Gaussian, and the mixture with its parts."""
    x = np.linspace(0, 45, 500)
    one, found = choice.candidates[0].fit.mixture, choice.chosen.fit.mixture
    axes.hist(speeds, EDGES, density=True, color="#dddddd", edgecolor="white")
    for (share, mean, deviation), colour in zip(groups(found), PALE, strict=False):
        axes.fill_between(x, share / 100 * norm.pdf(x, mean, deviation), color=colour, alpha=0.6, lw=0)
        axes.text(mean, 0.004, f"{share:.0f} %", ha="center", fontsize=8.5)
    axes.plot(x, np.exp(one.log_density(x[:, None])), color=ORANGE, ls="--", label="one Gaussian")
    axes.plot(x, np.exp(found.log_density(x[:, None])), color=BLUE, label=f"a mixture of {found.components}")
    axes.set(xlabel="speed (km/h)", ylabel="density (per km/h)", xlim=(0, 45))
    axes.legend(fontsize=8.5, frameon=False, loc="upper right")
    axes.set_title(title, fontsize=10)


def draw_bic(axes: Axes, choices: dict[str, Choice]) -> None:
    """BIC over the smallest, a line for each sample."""
    for (name, choice), ink in zip(choices.items(), (GREY, ORANGE, BLUE), strict=True):
        over = [row.bic - choice.chosen.bic for row in choice.candidates]
        axes.plot(TRIED, over, "o-", color=ink, ms=4, label=name)
        axes.plot(choice.chosen.components, 0, "o", color=ink, ms=11, mfc="none")
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks([0, 10, 100, 1000], ["0", "10", "100", "1000"])
    axes.set(xlabel="number of Gaussians", ylabel="BIC over the smallest", xticks=list(TRIED), ylim=(-3, 2000))
    axes.legend(fontsize=8.5, frameon=False, loc="upper right")
    axes.set_title("How many Gaussians? Where BIC is smallest", fontsize=10)


def picture(
    table: NDArray[np.int64], line: Line, samples: dict[str, Floats], choices: dict[str, Choice], path: Path
) -> None:
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2)
    draw_table(panels[0, 0], table, line)
    for axes, name in zip((panels[0, 1], panels[1, 0]), list(TRUTHS)[1:], strict=True):
        draw_density(axes, samples[name], choices[name], f"{len(samples[name])} riders: {name}")
    draw_bic(panels[1, 1], choices)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer riders and draws: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    n, sizes, draws = (200, (50,), 5) if chosen.small else (600, (50, 200, 600), 40)
    samples = {name: truth.sample(n, chosen.seed)[0][:, 0] for name, truth in TRUTHS.items()}

    commuters = samples["commuters"][:200]
    table, found = counts(commuters), lines(commuters)
    gaussian = riders((1, found[1].mean, found[1].deviation))
    tell_table(table, gaussian)
    tell_lines(found)
    print(f"riders drawn from it differ as much with a chance of {chi_square(table, gaussian):.2f} (chi square)")

    choices = {name: choose(speeds, chosen.seed) for name, speeds in samples.items()}
    for name, choice in choices.items():
        tell_choice(name, samples[name], choice, chosen.seed)
        classes = counts(samples[name])
        tell_groups(choice.chosen.fit.mixture, TRUTHS[name], classes)
        chances = [chi_square(classes, row.fit.mixture) for row in (choice.candidates[0], choice.chosen)]
        print(f"chi square: one Gaussian {chances[0]:.0e}, the number chosen {chances[1]:.2f}")
    tell_named(sizes, draws, chosen.seed)

    chosen.out.mkdir(parents=True, exist_ok=True)
    picture(table, found[1], samples, choices, chosen.out / "speeds.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
