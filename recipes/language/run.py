"""Twelve languages, one synthesiser, noise and telephones, voices that training has not heard: three rungs compared.

    python recipes/language/run.py [--work DIR] [--voices 36] [--clips-per-voice 5] [--seed 0] [--jobs 2]

The speech is made by espeak-ng (apt-get install espeak-ng): numbers read aloud, see corpus.py, each clip with noise of
its own colour and level and in a band of its own. It is synthetic, and no accuracy on it says anything about people. It
is an experiment under control: nothing but the language differs between the languages.

Front end and components are chosen by cross-validation over the training voices, the best rung by the same figures;
calibration and the thresholds of "unknown" are learned on folds inside training. The test voices have no say.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))
from experiment import LENGTHS, options, speech
from gates import gated
from settings import choose
from sounds import other_sounds, tell_sounds

from gmmaudio.classify.examples import read_examples
from gmmaudio.classify.inner_folds import clip_pieces
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import GmmaudioError
from gmmaudio.evaluate.durations import Durations, evaluate_durations
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.measures.calibration import Reliability, equal_count, reliability
from gmmaudio.measures.paired import compare
from gmmaudio.measures.resampling import figure_interval

HARD_FROM = 0.05  # the error of plain maximum likelihood from which on the rungs are compared


def correct(found: Evaluation) -> np.ndarray:
    return np.array([clip.label == clip.truth for clip in found.predictions])


def tell_pair(rungs: Mapping[str, Durations], best: str) -> None:
    """The best rung against plain maximum likelihood, at each length; the longest hard one is the one asked about."""
    asked = None
    for length, plain in rungs["ml"].found.items():
        own, other = correct(rungs[best].found[length]), correct(plain)
        voices = [clip.group for clip in plain.predictions]
        found = compare(own, other, voices)
        print(
            f"  {length:g} s: {100 * (1 - own.mean()):.1f} % against {100 * (1 - other.mean()):.1f} %;"
            f" right where ml is wrong {found.first_only}, the other way round {found.second_only} (p = {found.p:.2g});"
            f" difference of accuracies {100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f} points"
        )
        if 1 - other.mean() >= HARD_FROM and (asked is None or length > asked[0]):
            asked = (length, own, other, voices)
    if asked is None:
        print(f"  plain maximum likelihood errs less than {100 * HARD_FROM:g} % at all lengths")
        return
    length, own, other, voices = asked

    def ratio(some: np.ndarray) -> float:
        return float((~own[some]).sum() / max(1, (~other[some]).sum()))

    sure, figure = figure_interval(ratio, len(own), voices, (0.0, np.inf)), ratio(np.arange(len(own)))
    print(
        f"  the longest at which ml errs at least {100 * HARD_FROM:g} %: {length:g} s; error there {figure:.2f} times"
        f" that of ml (95 % interval {sure.low:.2f} to {sure.high:.2f}): {kept(figure <= 0.5)} (at most 0.50)"
    )


def tell_calibration(rungs: Mapping[str, Durations]) -> None:
    """Whether Cllr and calibration error keep to their limits."""
    for rung, durations in rungs.items():
        for length, found in durations.found.items():
            figures = {name: value for name, (value, _) in found.posterior_figures.items()}
            least, error = figures["min_cllr"], figures["calibration_error"]
            most = least + max(0.15 * least, 0.03)
            print(
                f"  {rung:12} {length:>4g} s: Cllr {figures['cllr']:.3f}, at most {most:.3f}:"
                f" {kept(figures['cllr'] <= most)}; calibration error {error:.3f}, below 0.050: {kept(error < 0.05)}"
            )


def kept(good: bool) -> str:
    return "kept" if good else "MISSED"


def reliability_of(found: Evaluation) -> Reliability:
    """Confidence and accuracy in bins of as many answers each: most are sure, and equal widths would hide them."""
    sure = [min(1.0, max(clip.decision.posteriors.values())) for clip in found.predictions if clip.decision]
    return reliability(correct(found), sure, equal_count(sure, 10))


def draw_reliability(durations: Durations, path: Path) -> None:
    """A panel for each length: the share right against the confidence, a dot for every tenth of the answers."""
    figure = Figure(figsize=(3.4 * len(durations.found), 4.0), layout="compressed")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(durations.found), sharey=True, squeeze=False)[0]
    for axes, (length, found) in zip(panels, durations.found.items(), strict=True):
        shown = reliability_of(found)
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
        axes.plot(shown.confidence, shown.accuracy, "o-", color="#0b3c6f", markersize=4)
        axes.set(title=f"{length:g} s", xlabel="confidence", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    panels[0].set_ylabel("share right")
    figure.savefig(path, dpi=100)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    picture = Path(__file__).parent / "reliability.png"
    parser.add_argument("--picture", type=Path, default=picture, help="the reliability diagram")
    given = parser.parse_args(arguments)
    try:
        measure(*speech(given), given)
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def measure(training: list[Entry], test: list[Entry], given: argparse.Namespace) -> None:
    """The whole experiment, printed as it goes."""
    print("training voices only, three folds, 3 s:")
    choices = choose(training, given.seed, given.jobs)
    best = min(choices, key=lambda rung: choices[rung].error)
    print(f"best rung there: {best}\n")
    lengths = tuple(length for length in LENGTHS if length <= given.seconds)
    front_end = choices[best].settings.front_end
    clips, _ = read_examples(training, front_end, given.jobs)
    cut = cache(clip_pieces(front_end))  # the same clips are asked for many times
    models, rungs = {}, {}
    for rung, choice in choices.items():
        models[rung] = gated(clips, choice.settings, cut, given.jobs)
        # A refusal is not an error of identification: the gate has a table of its own below.
        rungs[rung] = evaluate_durations(replace(models[rung], gate=None), test, lengths, given.jobs)
        print(f"{rung}: test voices\n{rungs[rung].as_text()}\n", flush=True)
    print(f"{best} against ml, clip by clip:")
    tell_pair(rungs, best)
    print("\ncalibration on test voices:")
    tell_calibration(rungs)
    draw_reliability(rungs[best], given.picture)
    print(f"\nunknown, {best}; learned in training:")
    for duration, told in models[best].gate.summary.items():
        print(f"  {duration} {told}", flush=True)
    data = os.environ.get("GMMAUDIO_DATA")
    sounds = other_sounds(given.work / "sounds", Path(data) if data else None, given.seconds, given.seed)
    tell_sounds(models[best], read_examples(test, front_end, given.jobs)[0], sounds, given.jobs)


if __name__ == "__main__":
    raise SystemExit(main())
