"""One cloud of points, four kinds of covariance: what the variance-covariance matrix is for.

    python recipes/covariance/run.py [--out DIR] [--small] [--seed 0]

The points are invented, after a well-known picture: three vowels, spoken by many people, each shown by its first
two formants F1 and F2 (the resonances of the vocal tract, in hertz). A shorter vocal tract raises both formants, so
within a vowel they rise and fall together: each cluster is stretched, and lies aslant.

A mixture describes a cluster by its mean and its variance-covariance matrix, or by as much of that matrix as its
kind keeps. From one start, four mixtures are fitted to the same points; printed are how likely they make the points
and what they cost in numbers (BIC). Then: is our likelihood scikit-learn's, is the matrix that made the points
found again, and does BIC name the right kind when the points are made by another?
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from gmmaudio.gmm.covariance import KINDS, Full, Regulariser
from gmmaudio.gmm.em import Em, em, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import cut
from gmmaudio.gmm.start import k_means_start

Floats = NDArray[np.float64]

VOWELS = ("ee", "ah", "oo")
F1, F2 = 0, 1
MEANS = np.array([[300.0, 2300.0], [750.0, 1250.0], [350.0, 850.0]])  # Hz
WEIGHTS = np.array([0.3, 0.4, 0.3])
LENGTH = 0.12  # how far vocal tracts differ: both formants are multiplied by a number of this standard deviation
OWN = np.array([35.0, 60.0])  # Hz: how far each formant strays for itself
PALE, DARK = ("#7aa6d8", "#e8a66b", "#8cc28c"), ("#1f5a9c", "#b35a00", "#2c7a2c")
ORDER = ("spherical", "diag", "tied", "full")
EXACT = Em(iterations=2000, tolerance=1e-10, regulariser=Regulariser(relative_floor=0), min_occupancy=0)


def truth() -> Mixture:
    """The mixture that makes the points: what both formants share gives the covariance."""
    shared = LENGTH**2 * MEANS[:, :, None] * MEANS[:, None, :]
    return Mixture(WEIGHTS, MEANS, Full(shared + np.diag(OWN**2)))


def fit(frames: Floats, start: Mixture) -> Mixture:
    """Expectation maximisation from a start until nothing changes."""
    [found] = run([em(start, EXACT, frames.var(axis=0))], [cut(frames)])
    return found.mixture


def bic(mixture: Mixture, frames: Floats) -> float:
    """Schwarz's criterion, smaller is better: -2 log-likelihood, and log n for each number the mixture keeps."""
    return float(-2 * mixture.log_density(frames).sum() + mixture.parameters * np.log(len(frames)))


def oracle(frames: Floats, start: Mixture) -> float:
    """The log-likelihood, in nats per point, that scikit-learn reaches from the same start."""
    array = start.covariance.array
    peer = GaussianMixture(
        n_components=start.components,
        covariance_type=start.covariance.kind,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(array) if start.covariance.kind in ("tied", "full") else 1 / array,
        reg_covar=0,
        tol=EXACT.tolerance,
        max_iter=EXACT.iterations,
    )
    return float(peer.fit(frames).score(frames))


def entries(matrices: Floats) -> Floats:
    """The three different entries of 2 x 2 matrices: variance of F1, variance of F2, covariance."""
    return np.asarray(matrices[..., [F1, F2, F1], [F1, F2, F2]])


def found_entries(found: Mixture) -> Floats:
    """The entries of each vowel's matrix (3, 3); a vowel's component is the one with the nearest mean."""
    nearest = ((found.means - MEANS[:, None]) ** 2).sum(axis=2).argmin(axis=1)
    return entries(found.covariance.matrices(3, 2)[nearest])


def standard_errors(points: int) -> Floats:
    """How far off an entry should be: sqrt((S_ii S_jj + S_ij^2) / n) for n points of a Gaussian; (3, 3)."""
    true = truth().covariance.matrices(3, 2)
    variances = np.einsum("kii->ki", true)
    squares = variances[:, :, None] * variances[:, None, :] + true**2
    return np.sqrt(entries(squares) / (points * WEIGHTS[:, None]))


def recovered(points: int, draws: int, seed: int) -> Floats:
    """Found minus true, in standard errors, by the kind ``full``, each time from new points: (draws, 3, 3)."""
    samples = [truth().sample(points, np.random.default_rng([seed, draw]))[0] for draw in range(draws)]
    fits = run([em(truth(), EXACT, frames.var(axis=0)) for frames in samples], [cut(frames) for frames in samples])
    true = entries(truth().covariance.matrices(3, 2))
    return np.stack([found_entries(fit.mixture) - true for fit in fits]) / standard_errors(points)


def fitted_kinds(frames: Floats, seed: int) -> dict[str, tuple[Mixture, Mixture]]:
    """For each kind: where EM began, and where it ended."""
    starts = {kind: k_means_start(frames, 3, np.random.default_rng(seed), kind=kind) for kind in ORDER}
    return {kind: (start, fit(frames, start)) for kind, start in starts.items()}


def choices(points: int, seed: int) -> Floats:
    """BIC over the best of its row: points made by each kind (rows), fitted by each kind (columns)."""
    table = np.empty((4, 4))
    matrices = truth().covariance.matrices(3, 2)
    for row, kind in enumerate(ORDER):
        made = Mixture(WEIGHTS, MEANS, KINDS[kind].from_matrices(matrices, WEIGHTS))
        frames, _ = made.sample(points, seed)
        table[row] = [bic(found, frames) for _, found in fitted_kinds(frames, seed).values()]
    return table - table.min(axis=1, keepdims=True)


def draw_kind(axes: Axes, frames: Floats, vowel: NDArray[np.intp], mixture: Mixture, title: str) -> None:
    """The points, coloured by vowel, and the ellipses of 1 and 2 standard deviations of each component."""
    for index, colour in enumerate(PALE):
        some = frames[vowel == index]
        axes.scatter(some[:, F2], some[:, F1], s=3, color=colour, linewidths=0)
    for mean, matrix in zip(mixture.means, mixture.covariance.matrices(3, 2), strict=True):
        values, vectors = np.linalg.eigh(matrix)
        angle = np.degrees(np.arctan2(vectors[F1, 1], vectors[F2, 1]))  # of the longest axis; F2 lies along x
        for radius in (1, 2):
            height, width = 2 * radius * np.sqrt(values)
            axes.add_patch(Ellipse((mean[F2], mean[F1]), width, height, angle=angle, fill=False, lw=1.4))
    axes.set(xlim=(300, 3300), ylim=(-170, 1180), aspect="equal")
    axes.set_title(title, fontsize=10)


def picture(frames: Floats, vowel: NDArray[np.intp], fits: dict[str, Mixture], path: Path) -> None:
    """Four panels, one a kind."""
    figure = Figure(figsize=(9, 4.9), layout="compressed")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    best = min(bic(mixture, frames) for mixture in fits.values())
    shown = slice(1500)
    for axes, (kind, mixture) in zip(panels.flat, fits.items(), strict=True):
        numbers, over = mixture.covariance.parameters(3, 2), bic(mixture, frames) - best
        title = f"{kind}: {numbers} numbers for three matrices, BIC {'best' if over == 0 else f'+{over:.0f}'}"
        draw_kind(axes, frames[shown], vowel[shown], mixture, title)
    for axes in panels.flat:
        for name, colour, (x, y) in zip(VOWELS, DARK, ((2950, 130), (880, 900), (600, 130)), strict=True):
            axes.text(x, y, f'"{name}"', ha="center", color=colour, fontsize=10)
    note = {"va": "top", "fontsize": 8.5, "color": DARK[1], "family": "monospace", "linespacing": 1.4}
    panels[1, 1].text(1830, 1120, matrix_text(fits["full"]), **note)
    figure.supxlabel("second formant F2 (Hz)", fontsize=10)
    figure.supylabel("first formant F1 (Hz)", fontsize=10)
    figure.savefig(path, dpi=100)


def matrix_text(full: Mixture) -> str:
    """What the matrix of "ah" says."""
    v1, v2, c = found_entries(full)[1]
    return (
        f'"ah", Hz²:\nvariance of F1 {v1:8.0f}\nvariance of F2 {v2:8.0f}\n'
        f"covariance     {c:8.0f}\ncorrelation    {c / np.sqrt(v1 * v2):8.2f}"
    )


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer points: a second or two")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    points, draws = (900, 20) if chosen.small else (3000, 100)

    frames, vowel = truth().sample(points, chosen.seed)
    fits = fitted_kinds(frames, chosen.seed)
    best = min(bic(found, frames) for _, found in fits.values())
    print(f"{points} points of {len(VOWELS)} vowels, seed {chosen.seed}")
    print("kind       parameters  nats per point  BIC over best  scikit-learn, same start")
    for kind, (start, found) in fits.items():
        ours, theirs = found.log_density(frames).mean(), oracle(frames, start)
        over = bic(found, frames) - best
        print(
            f"{kind:10} {found.parameters:10} {ours:15.6f} {over:14.1f} {theirs:12.6f}, off by {abs(ours - theirs):.0e}"
        )

    print('\nthe matrix of "ah" (Hz²)  variance F1  variance F2  covariance')
    true, found = entries(truth().covariance.matrices(3, 2)), found_entries(fits["full"][1])
    rows = {"that made the points": true, "found": found, "standard error": standard_errors(points)}
    for name, values in rows.items():
        print(f"{name:24}" + "".join(f"{value:13.0f}" for value in values[1]))
    errors = recovered(points, draws, chosen.seed)
    print(f"found minus true in standard errors: {errors.size} entries of {draws} new draws:")
    print(f"mean {errors.mean():.2f} (theory 0), standard deviation {errors.std():.2f} (theory 1)")

    print("\nBIC over the best of its row; rows: what made the points, columns: what was fitted")
    print(f"{'':10}" + "".join(f"{kind:>11}" for kind in ORDER))
    for kind, row in zip(ORDER, choices(points, chosen.seed), strict=True):
        print(f"{kind:10}" + "".join(f"{value:11.1f}" for value in row))

    chosen.out.mkdir(parents=True, exist_ok=True)
    picture(frames, vowel, {kind: found for kind, (_, found) in fits.items()}, chosen.out / "covariance.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
