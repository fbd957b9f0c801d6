"""Top-C scoring of real clips against evaluating every component: what it costs, and what it changes.

    python benchmarks/top_c.py [DATA] [--components 512] [--runs 5]

DATA is the folder of ESC-10 with its manifest.csv (default: $GMMAUDIO_DATA/esc10). A background is fitted to all
frames of folds 2 to 5 (preset "general": 20 MFCC with deltas and delta-deltas), each of the ten classes is
MAP-adapted from it (means only, relevance 16), and the clips of fold 1 are scored. "Everything" is every component of
every class: one matrix product per class and block of 1024 frames, made ready once for all clips, so that it stays in
the cache as the other side does. One thread for either side; the runs alternate, and the ratio is the median of the
runs' own ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.adapt import adapt
from gmmaudio.gmm.em import Em, fit_from, run
from gmmaudio.gmm.evaluation import Evaluation
from gmmaudio.gmm.mixture import Mixture, exponentiate
from gmmaudio.gmm.shards import cut, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.gmm.statistics import accumulate
from gmmaudio.gmm.topc import BLOCK, TopC
from gmmaudio.parallel import cores, one_blas_thread

Real = NDArray[np.floating]
GOAL = 1 / 3


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


def material(data: Path) -> tuple[dict[str, Real], list[Real]]:
    """The training frames of each label, and the frames of each clip to be scored."""
    entries = read_corpus(data / "manifest.csv")
    train, test = ([e for e in entries if (e.fold == "1") is held] for held in (False, True))
    parts: list[list[Example]] = [read_examples(some, PRESETS["general"], cores())[0] for some in (train, test)]
    labels = sorted({example.entry.label for example in parts[0]})
    frames = {label: np.concatenate([e.frames for e in parts[0] if e.entry.label == label]) for label in labels}
    return frames, [example.frames for example in parts[1]]


def fit_background(frames: Real, components: int) -> Mixture:
    generator = np.random.default_rng(0)
    shards = cut(frames)
    sample = sample_frames(shards, sample_size(components), generator)
    fit = fit_from(sample, lambda some: k_means_start(some, components, generator), Em(iterations=10))
    return run([fit], [shards], cores())[0].mixture


def seconds(scorer: Everything | TopC, clips: list[Real]) -> float:
    start = time.perf_counter()
    for clip in clips:
        scorer.score(clip)
    return time.perf_counter() - start


def report(c: int, everything: Everything, top: TopC, clips: list[Real], runs: int) -> float:
    """Print one row of the table; returns the cost ratio."""
    full, some = (np.stack([scorer.score(clip) for clip in clips]) for scorer in (everything, top))
    ratios = [seconds(top, clips) / seconds(everything, clips) for _ in range(runs)]
    ratio, change = statistics.median(ratios), np.abs(full - some)
    turned = int((full.argmax(axis=1) != some.argmax(axis=1)).sum())
    print(
        f"top-{c:<4} {change.mean():12.4f} {change.max():12.4f} {turned:9} of {len(clips)}"
        f" {ratio:9.2f}  (from {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return ratio


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--components", type=int, default=512)
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    frames, clips = material(data)
    background = fit_background(np.concatenate(list(frames.values())), chosen.components)
    adapted = tuple(adapt(background, accumulate(background, values)) for values in frames.values())
    everything = Everything(background, adapted)
    print(
        f"{chosen.components} components, {background.dimension} dimensions, {len(adapted)} classes; {len(clips)} clips"
        f" of {np.mean([len(clip) for clip in clips]):.0f} frames"
    )
    print("          nats per frame: mean        worst   decisions turned   cost ratio")
    with one_blas_thread():
        each = seconds(everything, clips) / sum(map(len, clips))
        ratios = [report(c, everything, TopC(background, adapted, c), clips, chosen.runs) for c in (5, 10)]
    print(f"everything: {1e6 * each:.1f} microseconds per frame; the goal is a cost ratio of at most {GOAL:.2f}")
    return 0 if max(ratios) <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
