"""Spoken digits, one speaker left out at a time: what the preset "speech" reaches, and how it was chosen.

    python recipes/digits/run.py [DATA] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/fsdd); see data_manifest/fsdd.md.

Two of the preset's settings, the number of coefficients and the reach of the deltas, were chosen on this very set, so
its own figure is a little flattering. The honest one is nested: for each speaker, the settings are chosen by
leaving out one speaker at a time among the other five, and only then are the sixth one's clips decided.
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
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores

CHOICES = {
    f"{n} coefficients, reach {reach}": FrontEnd(
        Mfcc(rate=8000, n_mfcc=n, n_mels=23), steps=(Normalise(variance=True), Deltas(order=2, reach=reach))
    )
    for n in (10, 12, 13, 16)
    for reach in (2, 3, 4)
}


def right(train: Sequence[Example], test: Sequence[Example], settings: Training, jobs: int) -> np.ndarray:
    """Which test clips are decided rightly after training on ``train``."""
    classifier = fit_classes(train, [], settings, jobs).classifier
    decisions = [classifier.decide_frames(e.frames, e.seconds, e.voiced_seconds) for e in test]
    return np.array([d.label == e.entry.label for d, e in zip(decisions, test, strict=True)])


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "fsdd"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2

    entries = read_corpus(data / "manifest.csv")
    speakers = sorted({str(e.group) for e in entries})
    outer: dict[tuple[str, str], np.ndarray] = {}
    inner: dict[tuple[str, str], list[float]] = {}
    for name, front_end in CHOICES.items():
        clips, _ = read_examples(entries, front_end, chosen.jobs)
        settings = Training(front_end)

        def held_out(
            left_out: set[str], test: str, clips: Sequence[Example] = clips, how: Training = settings
        ) -> np.ndarray:
            train = [c for c in clips if c.entry.group not in left_out]
            return right(train, [c for c in clips if c.entry.group == test], how, chosen.jobs)

        for speaker in speakers:
            outer[name, speaker] = held_out({speaker}, speaker)
        for a, b in combinations(speakers, 2):
            inner.setdefault((name, a), []).append(float(held_out({a, b}, b).mean()))
            inner.setdefault((name, b), []).append(float(held_out({a, b}, a).mean()))
        mean = np.mean([outer[name, s].mean() for s in speakers])
        marks = "  <- the preset" if front_end == PRESETS["speech"] else ""
        print(f"{name:28} leave one speaker out {mean:.4f}{marks}", flush=True)

    print("\nnested: chosen among the other five speakers")
    nested = []
    for speaker in speakers:
        best = max(CHOICES, key=lambda name, s=speaker: float(np.mean(inner[name, s])))
        nested.append(outer[best, speaker])
        print(f"    {speaker:9} {best:28} {nested[-1].mean():.4f}")
    everyone = [s for s, found in zip(speakers, nested, strict=True) for _ in found]
    sure = interval(np.concatenate(nested), everyone)
    print(f"nested mean of {len(speakers)} speakers {np.mean([n.mean() for n in nested]):.4f}", end="")
    print(f"  (95 % interval {sure.low:.3f} to {sure.high:.3f}, {sure.method})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
