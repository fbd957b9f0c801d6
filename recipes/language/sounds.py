"""Sounds that are no language: noise, silence, and real ones where they are there; and what is answered to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from corpus import RATE, at_level
from gates import excess, share
from noise import COLOURS, coloured, in_band

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, read_example
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.errors import ClipError
from gmmaudio.measures.detection import area_under_curve
from gmmaudio.parallel import map_in_order, one_blas_thread

NOISES, SILENCES = 60, 10

Kinds = dict[str, list[Entry]]


def tell_sounds(classifier: Classifier, test: Sequence[Example], kinds: Kinds, jobs: int) -> None:
    """What a classifier with a gate says of other sounds, and of the test clips, whole."""
    known = excess(classifier, test, jobs)
    refused = share(known < 0, [clip.entry.group for clip in test])
    print(f"\nother sounds, heard by the model of all languages, which refuses {refused} % of the test clips:")

    def one(entry: Entry) -> Example | ClipError:
        try:
            return read_example(entry, classifier.front_end)
        except ClipError as error:
            return error

    for kind, entries in kinds.items():
        with one_blas_thread():
            heard = list(map_in_order(one, entries, jobs))
        found = np.full(len(heard), -np.inf)  # what cannot be scored is not accepted either
        scored = [i for i, each in enumerate(heard) if isinstance(each, Example)]
        found[scored] = excess(classifier, [each for each in heard if isinstance(each, Example)], jobs)
        codes = sorted({each.code for each in heard if isinstance(each, ClipError)})
        lost = f"; {len(heard) - len(scored)} not scored ({', '.join(codes)})" if codes else ""
        accepts = share(found >= 0, [entry.group for entry in entries])
        area = area_under_curve(known, found)
        print(f"  {kind:12} {len(heard):>4} clips: false accepts {accepts} %, area {area:.3f}{lost}")


def other_sounds(work: Path, data: Path | None, seconds: float, seed: int) -> Kinds:
    """Clips that are no speech; ESC-10 and the music set only where they are there."""
    kinds = {
        "noise": [_written(work / f"noise-{i:02d}.wav", _noise(seconds, seed + i)) for i in range(NOISES)],
        "silence": [_written(work / f"silence-{i}.wav", np.zeros(round(seconds * RATE))) for i in range(SILENCES)],
    }
    for name in ("esc10", "music"):
        if data is not None and (data / name / "manifest.csv").is_file():
            kinds[name] = read_corpus(data / name / "manifest.csv")
        else:
            print(f"{name} is not there (set GMMAUDIO_DATA)")
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
