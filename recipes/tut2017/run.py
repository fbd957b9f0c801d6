"""Acoustic scenes of TUT 2017: the challenge's own Gaussian mixture baseline, fold by fold.

    python recipes/tut2017/run.py [DATA] [--jobs 2]

DATA is the folder that holds meta.txt, audio/ and evaluation_setup/ (default:
$GMMAUDIO_DATA/TUT-acoustic-scenes-2017-development); see data_manifest/tut2017.md.

The settings are those of the baseline (its task1.defaults.yaml, set "gmm"): 44.1 kHz, mean of the channels; windows of
40 ms every 20 ms, Hamming, in an FFT of 2048; magnitudes through 40 Slaney mel filters up to 22,050 Hz; 20 MFCC with
c0, deltas and accelerations over 9 frames: 60 values. Each fold standardises them by its training frames; each scene
gets 16 diagonal components, at most 40 iterations, a gain of less than 1e-3 ends them, nothing is added to the
variances. A clip goes to the scene of greatest summed log-likelihood. What differs: our own k-means start, and zeros
instead of a mirror image around a clip (two of its 501 frames).
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from gmmaudio import GaussianMixture
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import DataError
from gmmaudio.evaluate.cross_validation import CrossValidation
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.evaluation_text import extent, headline, with_interval
from gmmaudio.evaluate.heldout import refuse_straddling
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.vad import EnergyVad
from gmmaudio.parallel import cores

FOLDS = (1, 2, 3, 4)
COMPONENTS, ITERATIONS, GAIN = 16, 40, 1e-3
EVERY_FRAME = EnergyVad(threshold=-1e9)
FRONT_END = FrontEnd(
    Mfcc(
        rate=44_100,
        window=0.040,
        hop=0.020,
        n_fft=2048,
        n_mfcc=20,
        n_mels=40,
        low=0.0,
        high=22_050.0,
        shape="hamming",
        periodic=True,
        centred=True,
        preemphasis=0.0,
        remove_mean=False,
        scale=1.0,
        power=1.0,
        mel="slaney",
        triangles="hz",
        norm="area",
        nyquist=True,
        log="db",
        floor=1e-10,
        top_db=80.0,
        lifter=0.0,
    ),
    EVERY_FRAME,
    (Deltas(order=2, reach=4),),
)


@dataclass(frozen=True)
class Fold:
    """Clips by name: those to train on, those to be decided about."""

    training: Sequence[str]
    test: Sequence[str]


def rows(path: Path) -> list[list[str]]:
    """The fields of a file whose lines are fields with tabs between them."""
    return [line.split("\t") for line in path.read_text("utf-8").splitlines() if line]


def read_meta(data: Path) -> dict[str, Entry]:
    """The clips of meta.txt by name: scene, and the place of recording as group."""
    found = {}
    for name, scene, place in rows(data / "meta.txt"):
        found[name] = Entry(data / name, scene, place, name=name)
    return found


def read_fold(data: Path, fold: int, clips: dict[str, Entry]) -> Fold:
    """One fold's lists, checked: the scenes agree with meta.txt, the two lists of test clips with one another."""
    setup = data / "evaluation_setup"
    training, truth = rows(setup / f"fold{fold}_train.txt"), rows(setup / f"fold{fold}_evaluate.txt")
    for name, scene, *_ in [*training, *truth]:
        if clips[name].label != scene:
            raise DataError(
                "different_truth", f"fold {fold}: {name} is {scene} there and {clips[name].label} in meta.txt"
            )
    test = [row[0] for row in rows(setup / f"fold{fold}_test.txt")]
    if sorted(test) != sorted(row[0] for row in truth):
        raise DataError("different_clips", f"fold {fold}: the lists of test clips and of their truth differ")
    found = Fold([row[0] for row in training], test)
    names, sides = [*found.training, *found.test], ["training"] * len(training) + ["test"] * len(test)
    refuse_straddling([clips[name].group for name in names], sides)
    return found


def mixture_of(frames: NDArray[np.float32], jobs: int) -> GaussianMixture:
    """One scene's mixture; where the baseline stops before it has converged, so does this."""
    settings = {"covariance_type": "diag", "tol": GAIN, "max_iter": ITERATIONS, "reg_covar": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(COMPONENTS, **settings, random_state=0, n_jobs=jobs).fit(frames)


def decide(training: Sequence[Example], test: Sequence[Example], jobs: int) -> list[Prediction]:
    """Fit a mixture to each scene, and give each test clip the scene of greatest summed log-likelihood."""
    frames = np.concatenate([clip.frames for clip in training])
    mean, spread = frames.mean(axis=0, dtype=np.float64), frames.std(axis=0, dtype=np.float64)

    def standardised(clips: Sequence[Example]) -> NDArray[np.float32]:
        return ((np.concatenate([clip.frames for clip in clips]) - mean) / spread).astype(np.float32)

    scenes = sorted({clip.entry.label for clip in training})
    mixtures = []
    for scene in scenes:
        own = standardised([clip for clip in training if clip.entry.label == scene])
        mixtures.append(mixture_of(own, jobs))
    found = []
    for clip in test:
        values = standardised([clip])
        sums = [mixture.score_samples(values).sum() for mixture in mixtures]
        label = scenes[int(np.argmax(sums))]
        found.append(Prediction(clip.entry.name, clip.entry.label, label, clip.entry.group, clip.seconds))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    chosen = options.parse_args(arguments)
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "TUT-acoustic-scenes-2017-development"
    if not (data / "meta.txt").is_file():
        print(f"no meta.txt in {data}: give the folder, or see data_manifest/tut2017.md", file=sys.stderr)
        return 2

    clips = read_meta(data)
    folds = {fold: read_fold(data, fold, clips) for fold in FOLDS}
    examples, failures = read_examples(list(clips.values()), FRONT_END, chosen.jobs)
    for failure in failures:
        print(f"skipped {failure.entry.name}: {failure.error}")
    by_name = {example.entry.name: example for example in examples}
    print(f"{len(examples)} clips, {len({clip.label for clip in clips.values()})} scenes, {len(folds)} folds")
    every, fold_of = [], []
    for fold, names in folds.items():
        training = [by_name[name] for name in names.training if name in by_name]
        test = [by_name[name] for name in names.test if name in by_name]
        found = Evaluation(decide(training, test, chosen.jobs), sorted({clip.entry.label for clip in training}))
        print(
            f"fold {fold}: {headline(found)}; {extent(found)};"
            f" mean over scenes {with_interval(found.balanced_accuracy, found.balanced_interval)}"
        )
        every += found.predictions
        fold_of += [str(fold)] * len(found.predictions)
    pooled = Evaluation(every, sorted({clip.truth for clip in every}))
    print(f"mean of the folds {with_interval(*CrossValidation(pooled, fold_of).mean)}")
    print(f"all clips {headline(pooled)}; {extent(pooled)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
