"""Music in five classes: what an accuracy is worth when the same artist is in training and test, and when not.

    python recipes/genre/run.py [DATA] [--seeds 5] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/music); see data_manifest/music.md.

The settings were fixed before any figure was seen: the preset "genre", components chosen by the amount of audio.
Two ways to cut the same clips into five folds: at random, and so that no artist is in two folds. The classifier, the
clips and their number are the same; only the question differs. A clip answers as a whole: its score is the mean over
all of its frames. What `score --top 3` would show is counted, too: how often the right class is among the three best.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gmmaudio.classify.classifier import Decision
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.features.frontend import PRESETS
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores

TOP = 3


def decide(clips: list[Example], folds: np.ndarray, settings: Training, jobs: int) -> list[Decision]:
    """What a classifier trained without its fold says of each clip."""
    found: dict[int, Decision] = {}
    for fold in np.unique(folds):
        outside = [clip for clip, where in zip(clips, folds, strict=True) if where != fold]
        classifier = fit_classes(outside, [], settings, jobs).classifier
        for index in np.flatnonzero(folds == fold):
            clip = clips[index]
            found[int(index)] = classifier.decide_frames(clip.frames, clip.seconds, clip.voiced_seconds)
    return [found[index] for index in range(len(clips))]


def tags(decision: Decision) -> list[str]:
    """The labels of greatest score, best first."""
    return sorted(decision.scores, key=lambda label: decision.scores[label], reverse=True)[:TOP]


def told(outcomes: list[np.ndarray], artists: Sequence[str | None]) -> str:
    """The mean over the seeds, how far they lie apart, and the first one's interval over artists."""
    shares, sure = [outcome.mean() for outcome in outcomes], interval(outcomes[0], artists)
    return (
        f"mean of {len(outcomes)} seeds {np.mean(shares):.3f} (from {min(shares):.3f} to {max(shares):.3f});"
        f" 95 % interval of seed 0: {sure.low:.3f} to {sure.high:.3f} ({sure.method}, {sure.groups} artists)"
    )


def show_tags(clips: list[Example], decisions: list[Decision]) -> None:
    """The first clip of each class, with its best tags and their posteriors."""
    for label in sorted({clip.entry.label for clip in clips}):
        index = next(i for i, clip in enumerate(clips) if clip.entry.label == label)
        posteriors = decisions[index].posteriors
        print(f"  {label:12} " + "  ".join(f"{tag} {posteriors[tag]:.3f}" for tag in tags(decisions[index])))


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--seeds", type=int, default=5, help="how many seeds to try; default 5")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    chosen = options.parse_args(arguments)
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
        first, among = [], []
        for seed in range(chosen.seeds):
            folds = group_folds(labels, groups, 5, seed)
            decisions = decide(clips, folds, Training(PRESETS["genre"], seed=seed), chosen.jobs)
            first.append(np.array([d.label == truth for d, truth in zip(decisions, labels, strict=True)]))
            among.append(np.array([truth in tags(d) for d, truth in zip(decisions, labels, strict=True)]))
        print(f"{name:17} {told(first, artists)}")
        print(f"  among the best {TOP} {told(among, artists)}")
    print(f"the best {TOP} tags of one clip per class, with posteriors, artists disjoint (the last seed):")
    show_tags(clips, decisions)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
