"""Twelve languages, one synthesiser, voices that training has not heard: identification from 3 s of speech.

    python recipes/language/run.py [--work DIR] [--voices 24] [--clips-per-voice 2] [--seed 0] [--jobs 2]

The speech is made by espeak-ng (apt-get install espeak-ng): numbers read aloud, see corpus.py. It is synthetic, and
no accuracy on it says anything about people. It is an experiment under control: microphone, room and codec are
the same for all languages, so only the language can give itself away.

The voices were picked among espeak-ng's hundred variants before any test figure was seen, for speaking clearly, and
that makes the task easy: see corpus.py. Settings are chosen by cross-validation over the training voices, on 3 s
cuts; the test voices have no say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Plan, make_corpus

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.errors import GmmaudioError
from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores

COMPONENTS = 64
FRONT_ENDS = {
    "MFCC + deltas, mean removed": FrontEnd(Mfcc(rate=16000), steps=(Normalise(), Deltas(order=1))),
    "shifted deltas 7-1-3-7": FrontEnd(Mfcc(rate=16000, n_mfcc=7), steps=(Normalise(), ShiftedDeltas())),
    "preset language": PRESETS["language"],
}


def cuts(entries: Sequence[Entry], seconds: float, whole: float) -> list[Entry]:
    """Every clip of ``whole`` seconds as many segments of ``seconds`` as fit."""
    count = int(whole // seconds)
    return [replace(e, start=i * seconds, end=(i + 1) * seconds) for e in entries for i in range(count)]


def right(train: Sequence[Example], test: Sequence[Example], settings: Training, jobs: int) -> np.ndarray:
    """Which test cuts are decided rightly after training on ``train``."""
    classifier = fit_classes(train, [], settings, jobs).classifier
    decisions = [classifier.decide_frames(e.frames, e.seconds, e.voiced_seconds) for e in test]
    return np.array([d.label == e.entry.label for d, e in zip(decisions, test, strict=True)])


def by_cross_validation(entries: list[Entry], front_end: FrontEnd, whole: float, seed: int, jobs: int) -> float:
    """Accuracy at 3 s over three folds of the training voices."""
    folds = group_folds([e.label for e in entries], [e.group for e in entries], 3, seed)
    clips, _ = read_examples(entries, front_end, jobs)
    fold_of = {e.path: fold for e, fold in zip(entries, folds, strict=True)}
    short, _ = read_examples(cuts(entries, 3.0, whole), front_end, jobs)
    correct = [
        right(
            [c for c in clips if fold_of[c.entry.path] != fold],
            [c for c in short if fold_of[c.entry.path] == fold],
            Training(front_end, COMPONENTS, seed),
            jobs,
        )
        for fold in range(3)
    ]
    return float(np.concatenate(correct).mean())


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, default=Path(__file__).parent / "work", help="where the clips go")
    options.add_argument("--voices", type=int, default=24)
    options.add_argument("--clips-per-voice", type=int, default=2)
    options.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--jobs", type=int, default=cores())
    chosen = options.parse_args()
    plan = Plan(voices=chosen.voices, clips_per_voice=chosen.clips_per_voice, seconds=chosen.seconds, seed=chosen.seed)
    folder = chosen.work / f"clean-{plan.voices}-{plan.clips_per_voice}-{plan.seconds:g}-{plan.seed}"
    try:
        made = folder / "manifest.csv"
        entries = read_corpus(made if made.exists() else make_corpus(folder, plan, chosen.jobs))
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    training, test = in_split(entries, "train"), in_split(entries, "test")
    voices = [len({e.group for e in part}) for part in (training, test)]
    print(f"{len({e.label for e in entries})} languages; {len(training)} clips of {voices[0]} voices to train on,")
    print(f"{len(test)} clips of {voices[1]} other voices to test on; {COMPONENTS} components per language\n")

    scores = {
        name: by_cross_validation(training, front_end, plan.seconds, plan.seed, chosen.jobs)
        for name, front_end in FRONT_ENDS.items()
    }
    for name, accuracy in scores.items():
        print(f"training voices only, three folds, 3 s: {name:28} error {1 - accuracy:.4f}")
    best = max(scores, key=lambda name: scores[name])
    print(f"chosen: {best}\n")

    clips, _ = read_examples(training, FRONT_ENDS[best], chosen.jobs)
    for seconds in (3.0, plan.seconds):
        held_out, failures = read_examples(cuts(test, seconds, plan.seconds), FRONT_ENDS[best], chosen.jobs)
        correct = right(clips, held_out, Training(FRONT_ENDS[best], COMPONENTS, plan.seed), chosen.jobs)
        sure = interval(correct, [e.entry.group for e in held_out])
        print(
            f"test voices, {seconds:4.1f} s: error {1 - correct.mean():.4f}"
            f"  (95 % interval {1 - sure.high:.4f} to {1 - sure.low:.4f}, {sure.method};"
            f" {sure.clips} cuts of {sure.groups} voices, {len(failures)} failed)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
