"""Top-C scoring of real clips against evaluating every component: what it costs, and what it changes.

    python benchmarks/top_c.py [DATA] [--preset general] [--labels 10] [--components 512] [--runs 5]

DATA is a folder with a manifest.csv (default: $GMMAUDIO_DATA/esc10). Where the manifest has splits, "train" is trained
on and the first 3 s of each clip of "test" are scored; otherwise the clips of fold 1 are. For ten languages: make the
corpus with recipes/language/corpus.py, and ask for --preset language. A background is fitted to the training frames of
the first labels; each label is MAP-adapted from it (relevance 16), first the means only, as is usual with top-C, then
everything, as is the default of the rung "map". "Ratio" is the score less the background's own, whose missing
components make up for some of the label's. "Everything" is every component of the background and of every label: one
matrix product each per block of 1024 frames, made ready once for all clips, so that it stays in the cache as the other
side does. One thread for either side; the runs alternate, and the cost is the median of the runs' own ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.background import Adaptation, Background, Labels, adapt_labels, fit_background
from gmmaudio.classify.examples import read_examples
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
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
SECONDS = 3.0
WAYS = {
    "means adapted": Adaptation(variances=False, weights=False),
    "means, variances and weights adapted": Adaptation(),
}


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


def sides(entries: list[Entry], count: int) -> tuple[list[Entry], list[Entry]]:
    """The entries to train on and to score, of the first labels."""
    chosen = [e for e in entries if e.label in sorted({e.label for e in entries})[:count]]
    if any(e.split == "test" for e in chosen):
        return in_split(chosen, "train"), [replace(e, start=0.0, end=SECONDS) for e in in_split(chosen, "test")]
    return [e for e in chosen if e.fold != "1"], [e for e in chosen if e.fold == "1"]


def material(data: Path, preset: str, count: int) -> tuple[Labels, list[Real]]:
    """The training frames of each label, and the frames of each clip to be scored."""
    train, test = sides(read_corpus(data / "manifest.csv"), count)
    examples = read_examples(train, PRESETS[preset], cores())[0]
    labels = sorted({example.entry.label for example in examples})
    frames = [gather([e.frames for e in examples if e.entry.label == label]) for label in labels]
    return frames, [example.frames for example in read_examples(test, PRESETS[preset], cores())[0]]


def seconds(scorer: Everything | TopC, clips: list[Real]) -> float:
    start = time.perf_counter()
    for clip in clips:
        scorer.score(clip)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    mean: float
    worst: float
    ratio_mean: float
    ratio_worst: float
    turned: int
    turned_margin: float
    cost: float

    @property
    def reached(self) -> bool:
        small = self.mean < GOAL_MEAN and self.worst <= GOAL_WORST and self.turned_margin <= MARGIN
        return bool(small and self.cost <= GOAL_COST)

    def __str__(self) -> str:
        return (
            f"{self.mean:10.4f} {self.worst:8.4f} {self.ratio_mean:12.4f} {self.ratio_worst:8.4f}"
            f" {self.turned:6} (margin {self.turned_margin:.3f}) {self.cost:8.2f}{'   goal reached' * self.reached}"
        )


def compared(everything: Everything, top: TopC, clips: list[Real], runs: int) -> Row:
    """What top-C changes and costs; the first mixture of either side is the background."""
    full, some = (np.stack([scorer.score(clip) for clip in clips]) for scorer in (everything, top))
    cost = statistics.median(seconds(top, clips) / seconds(everything, clips) for _ in range(runs))
    change = np.abs(full - some)[:, 1:]
    ratio = np.abs((full - full[:, :1]) - (some - some[:, :1]))[:, 1:]
    ranked = np.sort(full[:, 1:], axis=1)
    turned = full[:, 1:].argmax(axis=1) != some[:, 1:].argmax(axis=1)
    margin = float((ranked[:, -1] - ranked[:, -2])[turned].max(initial=0))
    return Row(change.mean(), change.max(), ratio.mean(), ratio.max(), int(turned.sum()), margin, cost)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--preset", choices=PRESETS, default="general")
    options.add_argument("--labels", type=int, default=10)
    options.add_argument("--components", type=int, default=512)
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    labels, clips = material(data, chosen.preset, chosen.labels)
    background = fit_background(labels, Background(chosen.components, em=Em(iterations=10)), cores()).mixture
    print(
        f"{chosen.components} components, {background.dimension} dimensions, {len(labels)} labels; {len(clips)} clips"
        f" of {np.mean([len(clip) for clip in clips]):.0f} frames"
    )
    rows: dict[tuple[str, int], Row] = {}
    for way, adaptation in WAYS.items():
        family = (background, *adapt_labels(background, labels, adaptation, cores()).mixtures)
        everything = Everything(background, family)
        print(f"{way}\n           change: mean    worst  ratio: mean    worst turned                     cost")
        with one_blas_thread():
            for c in (5, 10, 14, 16):
                rows[way, c] = compared(everything, TopC(background, family, c), clips, chosen.runs)
                print(f"    top-{c:<2} {rows[way, c]}", flush=True)
    print(f"nats per frame; goal: mean {GOAL_MEAN}, worst {GOAL_WORST}, cost {GOAL_COST:.2f}")
    return 0 if rows["means adapted", 10].reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
