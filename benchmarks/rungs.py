"""The three rungs side by side on a labelled corpus, whole groups held out: settings as they come, nothing chosen.

    python benchmarks/rungs.py MANIFEST [--preset general] [--folds 5 | --by-group | --by-fold] [--seed 0] [--jobs 2]

Folds never divide a group; --by-group leaves one group out at a time, --by-fold takes the manifest's own folds. The
clips are decoded once. Every rung has the library's defaults and automatic components.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gmmaudio.classify.backend import Backend, train_backend
from gmmaudio.classify.background import Adaptation, Background, adapt_labels, fit_background
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.scorers import Scorer
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.shards import gather
from gmmaudio.measures.intervals import interval
from gmmaudio.measures.paired import compare
from gmmaudio.parallel import cores, map_in_order, one_blas_thread

Seconds = dict[str, float]


def scorers(train: Sequence[Example], preset: str, seed: int, jobs: int, spent: Seconds) -> dict[str, Scorer]:
    """A scorer of each rung, its labels sorted; the seconds that each took are added to ``spent``."""
    labels = sorted({clip.entry.label for clip in train})
    clips = [[clip.frames for clip in train if clip.entry.label == label] for label in labels]
    shards = [gather(pieces) for pieces in clips]
    marks = [time.perf_counter()]
    plain = fit_classes(train, [], Training(PRESETS[preset], seed=seed), jobs).classifier.scorer
    marks.append(time.perf_counter())
    background = fit_background(shards, Background(seed=seed), jobs).mixture
    marks.append(time.perf_counter())
    adapted = adapt_labels(background, shards, Adaptation(), jobs)
    marks.append(time.perf_counter())
    linear = train_backend(background, clips, Backend(), jobs).scorer
    marks.append(time.perf_counter())
    for name, taken in zip(("ml", "background", "map", "supervector"), np.diff(marks), strict=True):
        spent[name] = spent.get(name, 0.0) + float(taken)
    print(f"    background of {background.components} components", flush=True)
    return {"ml": plain, "map": adapted, "supervector": linear}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("manifest", type=Path)
    options.add_argument("--preset", choices=PRESETS, default="general")
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--by-group", action="store_true")
    options.add_argument("--by-fold", action="store_true")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    options.add_argument("--jobs", type=int, default=cores())
    chosen = options.parse_args()
    clips, _ = read_examples(read_corpus(chosen.manifest), PRESETS[chosen.preset], chosen.jobs)
    truth, groups = [c.entry.label for c in clips], [c.entry.group for c in clips]
    if chosen.by_group or chosen.by_fold:
        folds = np.array([str(c.entry.group if chosen.by_group else c.entry.fold) for c in clips])
    else:
        folds = group_folds(truth, groups, chosen.folds, chosen.seed)
    labels, spent = sorted(set(truth)), Seconds()
    right: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        train = [clip for clip, where in zip(clips, folds, strict=True) if where != fold]
        for rung, scorer in scorers(train, chosen.preset, chosen.seed, chosen.jobs, spent).items():
            with one_blas_thread():
                scores = list(map_in_order(scorer.score, [clips[i].frames for i in inside], chosen.jobs))
            hits = right.setdefault(rung, np.zeros(len(clips), bool))
            hits[inside] = [labels[s.argmax()] == truth[i] for s, i in zip(scores, inside, strict=True)]
    for rung, hits in right.items():
        sure = interval(hits, groups)
        print(f"{rung:12} accuracy {hits.mean():.4f}  (95 % interval {sure.low:.3f} to {sure.high:.3f}, {sure.method})")
    for rung in ("map", "supervector"):
        pair = compare(right[rung], right["ml"], groups)
        print(
            f"{rung} against ml: right where ml is wrong {pair.first_only}, the other way round {pair.second_only}"
            f" (p = {pair.p:.2g}); difference {pair.interval.low:+.3f} to {pair.interval.high:+.3f}"
        )
    print("seconds of training: " + ", ".join(f"{name} {taken:.1f}" for name, taken in spent.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
