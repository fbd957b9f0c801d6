"""Top-C scoring of real clips against evaluating every component: what it costs, and what it changes.

    python benchmarks/top_c.py [DATA] [--preset general] [--labels 10] [--components 512] [--fold 0] [--seconds 3]

DATA is a folder with a manifest.csv (default: $GMMAUDIO_DATA/esc10). Where the manifest has a split "train", nothing
else is looked at. One fold is scored, the beginning of each clip, and the others are trained on: the manifest's own
folds, or three that divide no group. For ten languages: make the corpus with recipes/language/corpus.py, and ask for
--preset language. A background is fitted to the training frames of the first labels; each label is MAP-adapted from it
(relevance 16): everything, as is the default of the rung "map", and then the means only.

A score is a clip's mean log-likelihood ratio against the background. "Everything" is every component of the background
and of every label: one matrix product each per block of 1024 frames, made ready once for all clips, so that it stays in
the cache as the other side does. Cost is processor time of one thread: of each side the sum over the clips of the least
of the runs, clip by clip in turn, so that what else the machine does counts as little as it can.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.background import Adaptation, Background, Labels, adapt_labels, fit_background
from gmmaudio.classify.examples import read_examples
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.best import BLOCK
from gmmaudio.gmm.em import Em
from gmmaudio.gmm.evaluation import Evaluation
from gmmaudio.gmm.mixture import Mixture, exponentiate
from gmmaudio.gmm.shards import gather
from gmmaudio.gmm.topc import TopC
from gmmaudio.parallel import cores, one_blas_thread

Real = NDArray[np.floating]
GOAL_MEAN, GOAL_WORST, GOAL_COST = 0.01, 0.05, 1 / 3  # nats per frame, nats per frame, of evaluating everything
MARGIN = 0.1  # nats per frame: no decision with a larger one may turn
FOLDS = 3
SHOWN = (5, 10, 14)
DEFAULT = "means, variances and weights adapted"
WAYS = {DEFAULT: Adaptation(), "means adapted": Adaptation(variances=False, weights=False)}


@dataclass(frozen=True, eq=False)
class Everything:
    """Every component of every mixture, as fast as plain numpy does it. The mixtures share the background's centre."""

    background: Mixture
    mixtures: tuple[Mixture, ...]

    @cached_property
    def ready(self) -> list[Evaluation]:
        centre = self.background.centre
        return [m.covariance.evaluate(m.weights, m.means - centre, np.float32) for m in self.mixtures]

    def score(self, frames: Real) -> NDArray[np.float64]:
        """Mean log-likelihood per frame of each mixture."""
        totals = np.zeros(len(self.mixtures))
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK]
            centred = block - self.background.centre.astype(np.float32)
            design = np.zeros((len(block), self.ready[0].width), np.float32)
            design[:, : block.shape[1]] = centred
            self.ready[0].complete(design, centred)
            joint = np.empty((len(block), self.background.components), np.float32)
            for index, ready in enumerate(self.ready):
                ready.joint(design, joint, 0.0)
                density, _ = exponentiate(joint)
                totals[index] += density.sum(dtype=np.float64)
        return totals / len(frames)


def _beginning(entry: Entry, seconds: float) -> Entry:
    start = entry.start or 0.0
    return replace(entry, start=start, end=start + seconds)


@dataclass(frozen=True)
class Sides:
    """What to train on and what to score, of some labels."""

    labels: list[str]
    train: list[Entry]
    held: list[Entry]

    @classmethod
    def of(cls, entries: list[Entry], count: int, fold: int, seconds: float) -> Sides:
        if any(e.split == "train" for e in entries):
            entries = in_split(entries, "train")
        labels = sorted({e.label for e in entries})[:count]
        entries = [e for e in entries if e.label in labels]
        folds = [e.fold for e in entries]
        if None in folds:
            folds = [str(f) for f in group_folds([e.label for e in entries], [e.group for e in entries], FOLDS, 0)]
        own = sorted(set(map(str, folds)))[fold]
        train = [e for e, f in zip(entries, folds, strict=True) if f != own]
        held = [_beginning(e, seconds) for e, f in zip(entries, folds, strict=True) if f == own]
        return cls(labels, train, held)


@dataclass(frozen=True, eq=False)
class Material:
    """The training frames of each label; the frames of each clip to be scored, and which label it is of."""

    frames: Labels
    clips: list[Real]
    truth: NDArray[np.intp]

    @classmethod
    def read(cls, sides: Sides, preset: str) -> Material:
        train, held = (read_examples(side, PRESETS[preset], cores())[0] for side in (sides.train, sides.held))
        frames = [gather([e.frames for e in train if e.entry.label == label]) for label in sides.labels]
        return cls(frames, [e.frames for e in held], np.array([sides.labels.index(e.entry.label) for e in held]))


def seconds(score: Callable[[Real], object], clip: Real) -> float:
    start = time.thread_time()
    score(clip)
    return time.thread_time() - start


def cost(ours: Callable[[Real], object], theirs: Callable[[Real], object], clips: list[Real], runs: int) -> float:
    """The ratio of processor times, each clip's least of the runs, added up."""
    taken = [[(seconds(ours, clip), seconds(theirs, clip)) for clip in clips] for _ in range(runs)]
    least = np.min(taken, axis=0).sum(axis=0)
    return float(least[0] / least[1])


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    mean: float
    worst: float
    turned: int
    margin: float
    error: float
    cost: float

    @property
    def missed(self) -> str:
        """The goals that were missed, by name."""
        kept = {
            "mean": self.mean < GOAL_MEAN,
            "worst": self.worst <= GOAL_WORST,
            "margin": self.margin <= MARGIN,
            "cost": self.cost <= GOAL_COST,
        }
        return ", ".join(name for name, good in kept.items() if not good)

    def __str__(self) -> str:
        return (
            f"{self.mean:8.4f} {self.worst:8.4f} {self.turned:8} {self.margin:8.3f} {100 * self.error:8.1f} %"
            f" {self.cost:8.2f}   {'MISSED: ' + self.missed if self.missed else 'reached'}"
        )


def compared(everything: Everything, top: TopC, material: Material, runs: int) -> Row:
    """What top-C changes and costs; the first mixture of everything is the background."""
    full = np.stack([everything.score(clip) for clip in material.clips])
    full = full[:, 1:] - full[:, :1]
    some = np.stack([top.ratios(clip) for clip in material.clips])
    ranked = np.sort(full, axis=1)
    turned = full.argmax(axis=1) != some.argmax(axis=1)
    return Row(
        np.abs(full - some).mean(),
        np.abs(full - some).max(),
        int(turned.sum()),
        float((ranked[:, -1] - ranked[:, -2])[turned].max(initial=0)),
        float((some.argmax(axis=1) != material.truth).mean()),
        cost(top.ratios, everything.score, material.clips, runs),
    )


def table(background: Mixture, adaptation: Adaptation, material: Material, runs: int) -> dict[int, Row]:
    """The rows of one way to adapt, printed as they come."""
    mixtures = adapt_labels(background, material.frames, adaptation, cores()).mixtures
    everything = Everything(background, (background, *mixtures))
    rows = {}
    with one_blas_thread():
        full = np.stack([everything.score(clip)[1:] for clip in material.clips])
        print(f"    everything {100 * (full.argmax(axis=1) != material.truth).mean():42.1f} % {1:8.2f}")
        for c in SHOWN:
            rows[c] = compared(everything, TopC(background, mixtures, c), material, runs)
            print(f"    top-{c:<6} {rows[c]}", flush=True)
    return rows


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--preset", choices=PRESETS, default="general")
    options.add_argument("--labels", type=int, default=10)
    options.add_argument("--components", type=int, default=512)
    options.add_argument("--fold", type=int, default=0)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--runs", type=int, default=7)
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    sides = Sides.of(read_corpus(data / "manifest.csv"), chosen.labels, chosen.fold, chosen.seconds)
    material = Material.read(sides, chosen.preset)
    background = fit_background(material.frames, Background(chosen.components, em=Em(iterations=10)), cores()).mixture
    print(
        f"{chosen.components} components, {background.dimension} dimensions, {len(sides.labels)} labels; fold"
        f" {chosen.fold}: {len(material.clips)} clips of {np.mean([len(clip) for clip in material.clips]):.0f} frames"
    )
    print(f"goal: mean {GOAL_MEAN}, worst {GOAL_WORST} nats per frame, turned to margin {MARGIN}, cost {GOAL_COST:.2f}")
    rows = {}
    for way, adaptation in WAYS.items():
        print(f"{way}\n                   mean    worst   turned  to margin    error     cost")
        rows[way] = table(background, adaptation, material, chosen.runs)
    return 1 if rows[DEFAULT][10].missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
