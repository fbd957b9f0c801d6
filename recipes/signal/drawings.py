"""The pictures of the signal recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from denoise import HOP, RATE, Floats, Spectra, power
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pauses import Talk, fitted, log_energy, threshold, truth_of_frames, with_noise

DB = 10 / np.log(10)  # decibels to the nat
GREY, ORANGE, BLUE, GREEN = "#8c8c8c", "#d9822b", "#1f5a9c", "#2c7a2c"
DETECTORS = {
    "two Gaussians": ORANGE,
    "four, the quietest is the pause": BLUE,
    "package: MixtureVad": GREEN,
    "best threshold there is": "black",
}
SHOWN = 95  # frames of the spectrograms: 1.5 s
FILTERS = {
    "spectral subtraction": GREY,
    "Wiener, average spectrum": ORANGE,
    "Wiener, decision-directed": GREEN,
    "mixture, posterior mean": BLUE,
    "Wiener, knowing the speech": "black",
}


def draw_pauses(talk: Talk, wrong: Mapping[int, Mapping[str, Floats]], path: Path) -> None:
    """The energies of one clip under two and under four Gaussians; errors over noise."""
    energy = log_energy(with_noise(talk.samples, 10, np.random.default_rng(0)))
    truth = truth_of_frames(talk.marks, len(energy))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
    for axes, components in zip(panels, (2, 4), strict=False):
        draw_energies(axes, energy, truth, components)
    panels[0].set_ylabel("share of frames per dB", fontsize=9)
    panels[0].legend(fontsize=8, frameon=False, loc="upper right")
    for way, colour in DETECTORS.items():
        panels[2].plot(list(wrong), [100 * row[way].mean() for row in wrong.values()], "o-", color=colour, label=way)
    panels[2].set_xlabel("speech over noise (dB)", fontsize=9)
    panels[2].set_ylabel("frames taken for the wrong one (%)", fontsize=9)
    panels[2].set(ylim=(0, 38))
    panels[2].legend(fontsize=8, frameon=False, loc="upper right")
    figure.savefig(path, dpi=100)


def draw_energies(axes: Axes, energy: Floats, truth: Floats, components: int) -> None:
    """A histogram with the truth in colour, the Gaussians, and where speech begins."""
    mixture, level = fitted(energy, components), energy * DB
    bins = np.linspace(level.min(), level.max(), 50)
    share = np.full(len(level), 1 / len(level) / (bins[1] - bins[0]))
    parts, weights = [level[~truth], level[truth]], [share[~truth], share[truth]]
    axes.hist(parts, bins, weights=weights, stacked=True, color=["#b9c6d3", "#f0c9a0"], label=["pause", "speech"])
    x = np.linspace(level.min(), level.max(), 400)
    for weight, mean, variance in zip(mixture.weights_, mixture.means_[:, 0], mixture.covariances_, strict=True):
        deviation = DB * np.sqrt(variance)
        density = np.exp(-(((x - DB * mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
        axes.plot(x, weight * density, color=BLUE if mean == mixture.means_.min() else ORANGE, lw=1.5)
    axes.axvline(DB * threshold(mixture), color="black", lw=1, ls="--")
    error = 100 * np.mean((energy > threshold(mixture)) != truth)
    axes.set_title(f"{components} Gaussians: {error:.0f} % wrong", fontsize=10)
    axes.set_xlabel("energy of a frame (dB)", fontsize=9)
    axes.set(ylim=(0, 0.25))


def draw_denoising(shown: Mapping[str, Spectra], table: Mapping[int, Mapping[str, Floats]], path: Path) -> None:
    """Three spectrograms, and the gain of each way."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([[*shown], ["gain"] * 3], height_ratios=[1, 1.1])
    for name, values in shown.items():
        level = 10 * np.log10(power(values[:SHOWN]).T + 1e-9)
        extent = (0, SHOWN * HOP / RATE, 0, RATE / 2000)
        image = panels[name].imshow(
            level, origin="lower", aspect="auto", extent=extent, vmin=-10, vmax=40, cmap="magma"
        )
        panels[name].set_title(name, fontsize=10)
        panels[name].set_xlabel("time (s)", fontsize=9)
    panels[next(iter(shown))].set_ylabel("frequency (kHz)", fontsize=9)
    figure.colorbar(image, ax=panels[list(shown)[-1]], label="power (dB)")
    for way, colour in FILTERS.items():
        gains = [row[way].mean() - row["nothing done"].mean() for row in table.values()]
        panels["gain"].plot(list(table), gains, "o-", color=colour, label=way)
    panels["gain"].set(xlabel="signal-to-noise before (dB)", ylabel="gain (dB)", ylim=(0, 18), xticks=list(table))
    panels["gain"].legend(fontsize=9, frameon=False, loc="upper right", ncols=2)
    figure.savefig(path, dpi=85)
