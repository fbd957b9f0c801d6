"""ESC-10: the three rungs side by side on the five official folds, and clip by clip against maximum likelihood.

    python recipes/esc10/rungs.py [DATA] [--seed 0] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/esc10); see data_manifest/esc10.md.

As in run.py the setting for a test fold (front end, components) is chosen inside the other four, for each rung by
itself. The clips are decoded once per front end; a background serves "map" and "supervector" alike. What is fixed: the
library's defaults for everything else, such as relevance and penalty.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from run import FRONT_ENDS, right

from gmmaudio.classify.backend import Backend, train_backend
from gmmaudio.classify.background import Adaptation, Background, adapt_labels, fit_background
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.scorers import Scorer
from gmmaudio.classify.train import Training
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.gmm.shards import gather
from gmmaudio.measures.intervals import interval
from gmmaudio.measures.paired import compare
from gmmaudio.parallel import cores, map_in_order, one_blas_thread

COMPONENTS = {"ml": (8, 16), "map": (32, 64), "supervector": (32, 64)}
Outcome = tuple[str, str, int]  # rung, front end, components


def by_background(
    train: Sequence[Example], test: Sequence[Example], components: int, seed: int, jobs: int
) -> dict[str, np.ndarray]:
    """Which test clips either rung that needs a background decides rightly."""
    labels = sorted({clip.entry.label for clip in train})
    clips = [[clip.frames for clip in train if clip.entry.label == label] for label in labels]
    shards = [gather(pieces) for pieces in clips]
    background = fit_background(shards, Background(components, seed), jobs).mixture
    scorers: dict[str, Scorer] = {
        "map": adapt_labels(background, shards, Adaptation(), jobs),
        "supervector": train_backend(background, clips, Backend(), jobs).scorer,
    }
    truth = np.array([labels.index(clip.entry.label) for clip in test])
    with one_blas_thread():
        return {
            rung: np.array([s.argmax() for s in map_in_order(scorer.score, [c.frames for c in test], jobs)]) == truth
            for rung, scorer in scorers.items()
        }


def outcomes(
    name: str, train: Sequence[Example], test: Sequence[Example], seed: int, jobs: int
) -> Iterator[tuple[Outcome, np.ndarray]]:
    """Which test clips are decided rightly, for every rung and number of components."""
    for k in COMPONENTS["ml"]:
        yield ("ml", name, k), right(train, test, Training(FRONT_ENDS[name], k, seed), jobs)
    for k in COMPONENTS["map"]:
        for rung, correct in by_background(train, test, k, seed, jobs).items():
            yield (rung, name, k), correct


def nested(
    clips: dict[str, list[Example]], seed: int, jobs: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Outcome]]]:
    """For each rung the clips decided rightly, fold by fold, and the setting chosen for each fold."""
    folds = sorted({clip.entry.fold for clip in next(iter(clips.values()))})
    inner: dict[tuple[str, Outcome], int] = {}
    outer: dict[tuple[str, Outcome], np.ndarray] = {}
    for name, every in clips.items():
        inside = {fold: [clip for clip in every if clip.entry.fold == fold] for fold in folds}
        for out in [*((fold,) for fold in folds), *combinations(folds, 2)]:
            train = [clip for clip in every if clip.entry.fold not in out]
            test = [clip for fold in out for clip in inside[fold]]
            for setting, correct in outcomes(name, train, test, seed, jobs):
                if len(out) == 1:
                    outer[out[0], setting] = correct
                    continue
                (f, g), cut = out, len(inside[out[0]])  # trained without f and g: each tests a choice for the other
                inner[g, setting] = inner.get((g, setting), 0) + int(correct[:cut].sum())
                inner[f, setting] = inner.get((f, setting), 0) + int(correct[cut:].sum())
        print(f"{name}: done", file=sys.stderr, flush=True)
    settings = dict.fromkeys(setting for _, setting in inner)
    chosen = {
        rung: {fold: max((s for s in settings if s[0] == rung), key=lambda s, f=fold: inner[f, s]) for fold in folds}
        for rung in COMPONENTS
    }
    return {rung: np.concatenate([outer[fold, chosen[rung][fold]] for fold in folds]) for rung in COMPONENTS}, chosen


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    given = options.parse_args()
    data = given.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    entries = read_corpus(data / "manifest.csv")
    clips = {name: read_examples(entries, front_end, given.jobs)[0] for name, front_end in FRONT_ENDS.items()}
    correct, chosen = nested(clips, given.seed, given.jobs)
    groups = [e.entry.group for e in sorted(next(iter(clips.values())), key=lambda e: str(e.entry.fold))]
    for rung, hits in correct.items():
        sure = interval(hits, groups)
        print(f"{rung:12} accuracy {hits.mean():.4f}  (95 % interval {sure.low:.3f} to {sure.high:.3f}, {sure.method})")
        for fold, (_, name, k) in chosen[rung].items():
            print(f"    fold {fold}: {name}, {k} components")
    for rung in ("map", "supervector"):
        pair = compare(correct[rung], correct["ml"], groups)
        print(
            f"{rung} against ml: right where ml is wrong {pair.first_only}, the other way round {pair.second_only}"
            f" (p = {pair.p:.2g}); difference {pair.interval.low:+.3f} to {pair.interval.high:+.3f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
