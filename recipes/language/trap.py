"""Real voices in eight languages, where the recording tells the language: how one sees it, and what folds hide.

    python recipes/language/trap.py [DATA] [--seed 0] [--jobs 2]

DATA is the folder that holds manifest.csv (default: $GMMAUDIO_DATA/lid), with a voice (group) and a project (source)
for each clip. The audit looks at the recordings alone. Then the same classifier is cross-validated three ways: on
random folds, on folds that divide no voice, and on folds that divide no project. Only the gaps between them are
shown: none of the three shares tells how well languages are recognised.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from settings import right

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.corpus.splits import group_folds
from gmmaudio.errors import GmmaudioError
from gmmaudio.evaluate.audit import audit
from gmmaudio.features.frontend import PRESETS
from gmmaudio.measures.paired import compare
from gmmaudio.parallel import cores

FOLDS = 5
SETTINGS = Training(PRESETS["language"])  # fixed, for nothing is to be won here


def cross_validated(clips: Sequence[Example], keep: Sequence[str | None], seed: int, jobs: int) -> np.ndarray:
    """Which clips get their own label from a classifier trained on the other folds; ``keep`` is what is not divided."""
    folds = group_folds([clip.entry.label for clip in clips], keep, FOLDS, seed)
    correct = np.zeros(len(clips), bool)
    for fold in np.unique(folds):
        rest = [clip for clip, own in zip(clips, folds, strict=True) if own != fold]
        held = [clip for clip, own in zip(clips, folds, strict=True) if own == fold]
        correct[folds == fold] = right(fit_classes(rest, [], SETTINGS, jobs).classifier, held, jobs)
    return correct


def tell_gap(better: str, worse: str, found: dict[str, np.ndarray], units: Sequence[str | None]) -> None:
    gap = compare(found[better], found[worse], units)
    print(
        f"folds {better}: {100 * gap.difference:.0f} points more right than folds {worse} (95 % interval"
        f" {100 * gap.interval.low:.0f} to {100 * gap.interval.high:.0f}; {gap.interval.method}, {gap.interval.groups})"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    given = options.parse_args(arguments)
    data = given.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "lid"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    entries = read_corpus(data / "manifest.csv")
    print(audit(entries, jobs=given.jobs).as_text())
    clips, _ = read_examples(entries, SETTINGS.front_end, given.jobs)
    voices, projects = ([clip.entry.column(name) for clip in clips] for name in ("group", "source"))
    try:
        found = {
            name: cross_validated(clips, keep, given.seed, given.jobs)
            for name, keep in {"at random": [None] * len(clips), "by voice": voices, "by project": projects}.items()
        }
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print()
    tell_gap("at random", "by voice", found, voices)
    tell_gap("by voice", "by project", found, projects)
    tell_gap("at random", "by project", found, projects)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
