"""Music in five classes: what an accuracy is worth when the same artist is in training and test, and when not.

    python recipes/genre/run.py [DATA] [--seeds 5] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/music); see data_manifest/music.md.

The settings were fixed before any figure was seen: the preset "genre", components chosen by the amount of audio.
Two ways to cut the same clips into five folds: at random, and so that no artist is in two folds. The classifier, the
clips and their number are the same; only the question differs.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.features.frontend import PRESETS
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores


def right(clips: list[Example], folds: np.ndarray, settings: Training, jobs: int) -> np.ndarray:
    """Which clips are decided rightly by a classifier trained without their fold."""
    correct = np.zeros(len(clips), bool)
    for fold in np.unique(folds):
        outside = [clip for clip, where in zip(clips, folds, strict=True) if where != fold]
        classifier = fit_classes(outside, [], settings, jobs).classifier
        for index in np.flatnonzero(folds == fold):
            clip = clips[index]
            found = classifier.decide_frames(clip.frames, clip.seconds, clip.voiced_seconds)
            correct[index] = found.label == clip.entry.label
    return correct


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--jobs", type=int, default=cores())
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "music"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2

    clips, failures = read_examples(read_corpus(data / "manifest.csv"), PRESETS["genre"], chosen.jobs)
    for failure in failures:
        print(f"skipped {failure.entry.name}: {failure.error}")
    labels, artists = [c.entry.label for c in clips], [c.entry.group for c in clips]
    classes = len(set(labels))
    print(f"{len(clips)} clips, {classes} classes, {len(set(artists))} artists; chance {1 / classes:.2f}")
    for name, groups in (("random folds", [None] * len(clips)), ("artists disjoint", artists)):
        outcomes = []
        for seed in range(chosen.seeds):
            folds = group_folds(labels, groups, 5, seed)
            outcomes.append(right(clips, folds, Training(PRESETS["genre"], seed=seed), chosen.jobs))
        accuracies = [outcome.mean() for outcome in outcomes]
        sure = interval(outcomes[0], artists)
        print(
            f"{name:17} mean of {len(outcomes)} seeds {np.mean(accuracies):.3f}"
            f" (from {min(accuracies):.3f} to {max(accuracies):.3f});"
            f" 95 % interval of seed 0: {sure.low:.3f} to {sure.high:.3f} ({sure.method}, {sure.groups} artists)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
