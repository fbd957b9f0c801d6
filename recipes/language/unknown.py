"""What is answered where no language of the model is spoken: languages held out in turn, noise, sounds, music, silence.

Only the threshold that training learned, for 5 % of unknown clips, is used here; nothing is chosen on these figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from corpus import RATE, at_level
from noise import COLOURS, coloured, in_band
from settings import Pieces

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, read_example
from gmmaudio.classify.gate import lead
from gmmaudio.classify.inner_folds import Pieces as Cut
from gmmaudio.classify.train import Training, calibrated, fit_classes
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.errors import ClipError, DataError
from gmmaudio.measures.detection import area_under_curve
from gmmaudio.measures.intervals import interval
from gmmaudio.measures.resampling import figure_interval
from gmmaudio.parallel import map_in_order, one_blas_thread

NOISES, SILENCES = 60, 10


@dataclass(frozen=True)
class Turn:
    """One language held out: what its clips and those of the others led by, for one length of piece."""

    language: str
    threshold: float
    known: np.ndarray
    unknown: np.ndarray
    voices: list[str | None]  # of the known

    @property
    def area(self) -> float:
        return area_under_curve(self.known, self.unknown)


def leads(classifier: Classifier, examples: Sequence[Example], jobs: int) -> np.ndarray:
    """(n,) the lead of each example's likeliest label, in nats: what the gate looks at."""

    def one(example: Example) -> float:
        scores = classifier.scorer.score(example.frames)
        likelihoods = classifier.log_likelihoods(scores, len(example.frames))
        return float(lead(likelihoods, likelihoods.argmax()))

    with one_blas_thread():
        return np.array(list(map_in_order(one, examples, jobs)))


def gated(clips: Sequence[Example], settings: Training, cut: Cut, jobs: int) -> Classifier:
    """A classifier with calibration and gate, both learned inside these clips."""
    trained = calibrated(fit_classes(clips, [], settings, jobs), clips, settings, cut, jobs)
    if trained.classifier.gate is None:
        raise DataError("no_gate", f"no threshold could be learned: {trained.notes[-1]}", "take more languages, voices")
    return trained.classifier


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
            led = leads(classifier, pieces, jobs)
            voices = [piece.entry.group for piece, is_own in zip(pieces, own, strict=True) if not is_own]
            found.append(Turn(language, classifier.gate.threshold, led[~own], led[own], voices))
    return turns


def tell_turns(turns: dict[float, list[Turn]]) -> None:
    """False accepts, false rejects and the area under the curve, for each length; then by language for the longest."""
    print(f"{'seconds':>7}  {'unknown':>7}  {'false accepts %':>20}  {'known':>6}  {'false rejects %':>20}  area")
    for length, every in turns.items():
        passed = np.concatenate([turn.unknown >= turn.threshold for turn in every])
        refused = np.concatenate([turn.known < turn.threshold for turn in every])
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
        accepts, rejects = (turn.unknown >= turn.threshold).mean(), (turn.known < turn.threshold).mean()
        print(
            f"  {turn.language:6} threshold {turn.threshold:5.2f} nats: false accepts {100 * accepts:5.1f} %,"
            f" false rejects {100 * rejects:4.1f} %, area {turn.area:.3f}"
        )


def share(flags: np.ndarray, groups: Sequence[str | None]) -> str:
    """A share in percent, and its 95 % interval."""
    sure = interval(flags, groups)
    return f"{100 * flags.mean():.1f} ({100 * sure.low:.1f}-{100 * sure.high:.1f})"


def tell_sounds(classifier: Classifier, known: np.ndarray, kinds: dict[str, list[Entry]], jobs: int) -> None:
    """What a classifier of all languages says of other sounds; ``known`` are the leads of whole test clips."""
    assert classifier.gate is not None

    def one(entry: Entry) -> Example | ClipError:
        try:
            return read_example(entry, classifier.front_end)
        except ClipError as error:
            return error

    for kind, entries in kinds.items():
        with one_blas_thread():
            heard = list(map_in_order(one, entries, jobs))
        led = np.full(len(heard), -np.inf)  # what cannot be scored is not accepted either
        scored = [i for i, each in enumerate(heard) if isinstance(each, Example)]
        led[scored] = leads(classifier, [each for each in heard if isinstance(each, Example)], jobs)
        codes = sorted({each.code for each in heard if isinstance(each, ClipError)})
        lost = f"; {len(heard) - len(scored)} not scored ({', '.join(codes)})" if codes else ""
        accepts = share(led >= classifier.gate.threshold, [entry.group for entry in entries])
        area = area_under_curve(known, led)
        print(f"  {kind:12} {len(heard):>4} clips: false accepts {accepts} %, area {area:.3f}{lost}")


def other_sounds(work: Path, data: Path | None, seconds: float, seed: int) -> dict[str, list[Entry]]:
    """Clips that are no speech; ESC-10 and the music set only where they are there."""
    kinds = {
        "noise": [_written(work / f"noise-{i:02d}.wav", _noise(seconds, seed + i)) for i in range(NOISES)],
        "silence": [_written(work / f"silence-{i}.wav", np.zeros(round(seconds * RATE))) for i in range(SILENCES)],
    }
    for name in ("esc10", "music"):
        if data is not None and (data / name / "manifest.csv").is_file():
            kinds[name] = read_corpus(data / name / "manifest.csv")
        else:
            print(f"  {name}: not there (set GMMAUDIO_DATA)")
    return kinds


def _noise(seconds: float, seed: int) -> np.ndarray:
    """Steady noise as in the corpus: of its own colour, in a telephone's band or the full one."""
    rng = np.random.default_rng([seed, 2])
    noise = coloured(round(seconds * RATE), RATE, rng.uniform(*COLOURS), rng)
    return at_level(in_band(noise, RATE, telephone=rng.random() < 0.5))


def _written(path: Path, samples: np.ndarray) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return Entry(path, "none")
