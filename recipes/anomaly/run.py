"""A machine that sounds wrong: learn from its normal sound alone, and say when it is not normal.

    python recipes/anomaly/run.py [DATA] [--out DIR] [--small] [--seed 0] [--false-alarms 0.05]

A mixture is fitted to the frames of normal clips; a clip's score is its mean log-likelihood per frame, and it is called
an anomaly below a threshold that lets a stated share of normal clips be called so. Without DATA three machines are
invented (machines.py), with faults that do not change the clips' energy; with it, the sections in a folder are taken
(sections.py says how it must be laid out).

Printed, for each section and as their mean, are the area under the ROC curve and the partial area up to a tenth of
false alarms, as in DCASE's task 2; what a threshold on the energy would do; and what false alarms come of three ways
to set the threshold, on days that nobody heard before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, harmonic_mean

import numpy as np
from drawing import picture
from heard import WAYS, Heard, hear, pooled
from sections import NORMAL, in_folder, invented
from sklearn.metrics import roc_auc_score

from gmmaudio.errors import GmmaudioError
from gmmaudio.evaluate.anomalies import MOST_FALSE_ALARMS


def energy_area(heard: Heard) -> float:
    """The AUC of the energy, whichever way round does better."""
    area = roc_auc_score(heard.odd, heard.levels)
    return float(max(area, 1 - area))


def off_scikit_learn(heard: Heard) -> float:
    """The larger difference of either area from scikit-learn's."""
    found = heard.figures
    ours = (found.auc.value, found.partial_auc.value)
    theirs = (roc_auc_score(heard.odd, -heard.scores, max_fpr=most) for most in (None, MOST_FALSE_ALARMS))
    return float(max(abs(a - b) for a, b in zip(ours, theirs, strict=True)))


def tell_sections(heard: Sequence[Heard]) -> None:
    """A row a section, and the means by both rules of DCASE."""
    width = max(15, *(len(one.section.name) for one in heard))
    print(f"{'section':{width}} normal  anomalous    AUC  partial AUC  AUC of energy  false alarms  misses")
    rows = []
    for one in heard:
        found = one.figures
        rows.append((found.auc.value, found.partial_auc.value, energy_area(one)))
        print(
            f"{one.section.name:{width}} {found.normal:6} {found.anomalous:10} {rows[-1][0]:6.3f} {rows[-1][1]:12.3f}"
            f" {rows[-1][2]:14.3f} {found.false_alarms.value:13.3f} {found.misses.value:7.3f}"
        )
    for name, mean in (("arithmetic mean", fmean), ("harmonic mean", harmonic_mean)):
        area, first, energy = (mean(column) for column in zip(*rows, strict=True))
        print(f"{name:{width}} {'':17} {area:6.3f} {first:12.3f} {energy:14.3f}")


def tell_kinds(heard: Sequence[Heard]) -> None:
    """The AUC of each kind of anomaly against all normal clips, the mean over sections."""
    kinds = sorted({kind for one in heard for kind in one.kinds} - {NORMAL})
    for kind in kinds if len(kinds) > 1 else []:
        areas = []
        for one in heard:
            chosen = np.array([own in (NORMAL, kind) for own in one.kinds])
            areas.append(roc_auc_score(one.odd[chosen], -one.scores[chosen]))
        print(f"{kind:15} AUC {fmean(areas):.3f}  (from {min(areas):.3f} to {max(areas):.3f})")


def tell_thresholds(heard: Sequence[Heard], false_alarms: float) -> None:
    """False alarms and misses by the way the threshold was set."""
    print(f"threshold set for {100 * false_alarms:g} % ...      false alarms, of all sections   misses")
    for way in WAYS:
        if way in heard[0].thresholds:
            found = pooled(heard, way)
            print(f"{way:26} {found.false_alarms!s:>28} {found.misses.value:11.3f}")


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="a folder of clips; default: machines are invented")
    options.add_argument("--out", type=Path, help="folder of the picture; default: this one, or with DATA the current")
    options.add_argument("--small", action="store_true", help="fewer and shorter invented clips: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    options.add_argument("--false-alarms", type=float, default=0.05, help="of normal clips; default 0.05")
    chosen = options.parse_args(arguments)
    out = chosen.out or (Path(__file__).parent if chosen.data is None else Path())
    try:
        sections = invented(chosen.seed, chosen.small) if chosen.data is None else in_folder(chosen.data)
        heard = [hear(section, chosen.false_alarms, chosen.seed) for section in sections]
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status

    if chosen.small and chosen.data is None:
        print("the small form, for a quick look: its figures are no results")
    learnt = sum(len(section.train) for section in sections)
    print(f"{len(heard)} sections, {learnt} normal clips to learn from, seed {chosen.seed}")
    tell_sections(heard)
    print(f"largest difference from scikit-learn's areas: {max(map(off_scikit_learn, heard)):.0e}\n")
    tell_kinds(heard)
    print()
    tell_thresholds(heard, chosen.false_alarms)
    out.mkdir(parents=True, exist_ok=True)
    picture(heard, chosen.false_alarms, out / "anomaly.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
