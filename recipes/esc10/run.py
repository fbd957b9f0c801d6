"""ESC-10: ten environmental sounds, the five official folds, one Gaussian mixture per class.

    python recipes/esc10/run.py [DATA] [--seeds 5] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/esc10); see data_manifest/esc10.md.

The setting for a test fold is chosen inside the other four: each of the four is held out in turn, and the setting with
the most clips right over them is taken (ties: the first of the list). The test fold has no say. Everything chosen
is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores

FRONT_ENDS = {
    "13 MFCC + deltas": FrontEnd(Mfcc(rate=22050, n_mfcc=13), steps=(Deltas(order=1),)),
    "20 MFCC + deltas": FrontEnd(Mfcc(rate=22050, n_mfcc=20), steps=(Deltas(order=1),)),
    "20 MFCC + 2 deltas": FrontEnd(Mfcc(rate=22050, n_mfcc=20), steps=(Deltas(order=2),)),
}
COMPONENTS = (8, 16)
Setting = tuple[str, int]


def right(train: Sequence[Example], test: Sequence[Example], settings: Training, jobs: int) -> np.ndarray:
    """Which test clips are decided rightly after training on ``train``."""
    classifier = fit_classes(train, [], settings, jobs).classifier
    decisions = [classifier.decide_frames(e.frames, e.seconds, e.voiced_seconds) for e in test]
    return np.array([d.label == e.entry.label for d, e in zip(decisions, test, strict=True)])


def nested(clips: dict[str, list[Example]], seed: int, jobs: int) -> tuple[np.ndarray, dict[str, Setting]]:
    """Which clips are decided rightly when they are in the test fold, and the setting chosen for each fold."""
    folds = sorted({e.entry.fold for e in next(iter(clips.values()))})
    settings = {(name, k): Training(FRONT_ENDS[name], k, seed) for name in FRONT_ENDS for k in COMPONENTS}

    def parts(name: str, held_out: Sequence[str]) -> tuple[list[Example], dict[str, list[Example]]]:
        train = [e for e in clips[name] if e.entry.fold not in held_out]
        return train, {fold: [e for e in clips[name] if e.entry.fold == fold] for fold in held_out}

    # Training without folds f and g serves both: as f's inner round that tests g, and as g's that tests f.
    inner: dict[tuple[str, Setting], int] = dict.fromkeys(((f, s) for f in folds for s in settings), 0)
    for setting, how in settings.items():
        for f, g in combinations(folds, 2):
            train, test = parts(setting[0], (f, g))
            correct = right(train, test[f] + test[g], how, jobs)
            inner[g, setting] += int(correct[: len(test[f])].sum())
            inner[f, setting] += int(correct[len(test[f]) :].sum())
    chosen = {fold: max(settings, key=lambda setting, fold=fold: inner[fold, setting]) for fold in folds}
    outcome = []
    for fold, setting in chosen.items():
        train, test = parts(setting[0], (fold,))
        outcome.append(right(train, test[fold], settings[setting], jobs))
    return np.concatenate(outcome), chosen


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--seeds", type=int, default=5, help="how many seeds to try; default 5")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2

    entries = read_corpus(data / "manifest.csv")
    clips = {}
    for name, front_end in FRONT_ENDS.items():
        clips[name], failures = read_examples(entries, front_end, chosen.jobs)
        for failure in failures:
            print(f"skipped {failure.entry.name}: {failure.error}")

    outcomes = []
    for seed in range(chosen.seeds):
        correct, settings = nested(clips, seed, chosen.jobs)
        outcomes.append(correct)
        print(f"seed {seed}: accuracy {correct.mean():.4f}; chosen inside the other four folds:", flush=True)
        for fold, (name, k) in settings.items():
            print(f"    fold {fold}: {name}, {k} components")

    ordered = sorted(clips[next(iter(clips))], key=lambda e: str(e.entry.fold))
    accuracies = [outcome.mean() for outcome in outcomes]
    sure = interval(outcomes[0], [e.entry.group for e in ordered])
    print(
        f"\nmean accuracy of {len(outcomes)} seeds: {np.mean(accuracies):.4f}"
        f"  (from {min(accuracies):.4f} to {max(accuracies):.4f})"
    )
    print(
        f"95 % interval of seed 0: {sure.low:.3f} to {sure.high:.3f}"
        f" ({sure.method}; {sure.clips} clips, {sure.groups} groups)"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
