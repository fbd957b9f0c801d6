"""Is a language that the model does not know answered "unknown"? Each of the twelve is held out of training in turn.

    python recipes/language/unknown.py [--work DIR] [--voices 36] [--clips-per-voice 5] [--seed 0] [--jobs 2]

The corpus is that of run.py. Only the thresholds count that training learned, one for each duration, for 5 % of unknown
clips, from the languages that it knows. Every turn is a training with calibration and gate, which trains seventeen
models inside; so, to bound the time, the setting is fixed: the front end and the rung that run.py chose on the training
voices, and 64 components.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from experiment import LENGTHS, options, speech
from gates import excess, gated, share
from settings import Pieces, read_pieces

from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.gate import Gate
from gmmaudio.classify.inner_folds import Pieces as Cut
from gmmaudio.classify.inner_folds import clip_pieces
from gmmaudio.classify.train import Training
from gmmaudio.errors import GmmaudioError
from gmmaudio.features.frontend import PRESETS
from gmmaudio.measures.detection import area_under_curve
from gmmaudio.measures.resampling import figure_interval

COMPONENTS = 64
METHOD = "supervector"


@dataclass(frozen=True)
class Turn:
    """One language held out: what its clips, and those of the others, led by beyond what was demanded.

    Of one length of piece; from 0 on they are accepted.
    """

    language: str
    gate: Gate
    known: np.ndarray
    unknown: np.ndarray
    voices: list[str | None]  # of the known

    @property
    def area(self) -> float:
        return area_under_curve(self.known, self.unknown)


def hold_out(
    clips: Sequence[Example], test: Sequence[Pieces], settings: Training, cut: Cut, jobs: int
) -> dict[float, list[Turn]]:
    """Train without each language in turn, and hear the test clips of all: by length of piece."""
    turns: dict[float, list[Turn]] = {length: [] for length in test[0]}
    for language in sorted({clip.entry.label for clip in clips}):
        classifier = gated([clip for clip in clips if clip.entry.label != language], settings, cut, jobs)
        assert classifier.gate is not None
        for length, found in turns.items():
            pieces = [piece for parts in test for piece in parts[length]]
            own = np.array([piece.entry.label == language for piece in pieces])
            beyond = excess(classifier, pieces, jobs)
            voices = [piece.entry.group for piece, is_own in zip(pieces, own, strict=True) if not is_own]
            found.append(Turn(language, classifier.gate, beyond[~own], beyond[own], voices))
    return turns


def tell_turns(turns: dict[float, list[Turn]]) -> None:
    """False accepts, false rejects and the area under the curve, for each length; then by language for the longest."""
    print(f"{'seconds':>7}  {'unknown':>7}  {'false accepts %':>20}  {'known':>6}  {'false rejects %':>20}  area")
    for length, every in turns.items():
        passed = np.concatenate([turn.unknown >= 0 for turn in every])
        refused = np.concatenate([turn.known < 0 for turn in every])
        languages = [turn.language for turn in every for _ in turn.unknown]
        areas = np.array([turn.area for turn in every])
        sure = figure_interval(lambda some, a=areas: float(a[some].mean()), len(areas), None, (0.0, 1.0))
        print(
            f"{length:>7g}  {len(passed):>7}  {share(passed, languages):>20}"
            f"  {len(refused):>6}  {share(refused, [v for turn in every for v in turn.voices]):>20}"
            f"  {areas.mean():.3f} ({sure.low:.3f}-{sure.high:.3f})"
        )
    longest = max(turns)
    print(f"\nby the language held out, {longest:g} s:")
    for turn in turns[longest]:
        accepts, rejects = (turn.unknown >= 0).mean(), (turn.known < 0).mean()
        print(
            f"  {turn.language:6} false accepts {100 * accepts:5.1f} %, false rejects {100 * rejects:4.1f} %,"
            f" area {turn.area:.3f}"
        )


def tell_thresholds(turns: Sequence[Turn]) -> None:
    """The thresholds by the language held out and by duration, and what training said of them."""
    print("\nlearned in training: lead in nats; % of languages held out that were accepted, of known ones refused")
    for turn in turns:
        told = [
            f"{level.seconds:.3g} s {level.threshold:5.2f} ({100 * level.accepted:4.1f}, {100 * level.refused:4.1f})"
            for level in turn.gate.levels
        ]
        print(f"  {turn.language:6} " + "   ".join(told))


def main(arguments: Sequence[str] | None = None) -> int:
    given = options(__doc__).parse_args(arguments)
    settings = Training(PRESETS["language"], COMPONENTS, given.seed, method=METHOD)
    try:
        training, test = speech(given)
        clips, _ = read_examples(training, settings.front_end, given.jobs)
        print(f"{METHOD}, {COMPONENTS} components; {len(clips)} training clips, less those of the language held out\n")
        lengths = [length for length in LENGTHS if length <= given.seconds]
        pieces = read_pieces(test, settings.front_end, lengths, given.jobs)
        turns = hold_out(clips, pieces, settings, cache(clip_pieces(settings.front_end)), given.jobs)
        tell_turns(turns)
        tell_thresholds(turns[max(turns)])
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
