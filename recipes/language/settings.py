"""Which front end, and how many components for each rung: chosen by the training voices alone, on 3 s pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.pieces import piece_examples
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import Entry
from gmmaudio.corpus.splits import group_folds
from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.parallel import map_in_order, one_blas_thread

SECONDS = 3.0
FOLDS = 3
FRONT_ENDS = {
    "MFCC + deltas, mean removed": FrontEnd(Mfcc(rate=8000), steps=(Normalise(), Deltas(order=1))),
    "shifted deltas 7-1-3-7, mean removed": FrontEnd(Mfcc(rate=8000, n_mfcc=7), steps=(Normalise(), ShiftedDeltas())),
    "preset language": PRESETS["language"],
}
COMPONENTS = {"ml": (32, 64), "map": (128, 256), "supervector": (128, 256)}

Pieces = dict[float, list[Example]]
"""The pieces of a clip, by their length in seconds."""


@dataclass(frozen=True)
class Choice:
    """A rung's settings, and its error on held-out training voices."""

    settings: Training
    error: float


@dataclass(frozen=True)
class Material:
    """Clips through one front end: whole, and each clip's pieces."""

    clips: list[Example]
    pieces: list[Pieces]


def read_material(entries: Sequence[Entry], front_end: FrontEnd, lengths: Sequence[float], jobs: int) -> Material:
    """All of some entries' clips, and pieces of them at some lengths; pieces without speech are left out."""
    clips, _ = read_examples(entries, front_end, jobs)
    return Material(clips, read_pieces([clip.entry for clip in clips], front_end, lengths, jobs))


def read_pieces(entries: Sequence[Entry], front_end: FrontEnd, lengths: Sequence[float], jobs: int) -> list[Pieces]:
    """Each clip's pieces at some lengths; those without speech are left out."""

    def one(entry: Entry) -> Pieces:
        found = piece_examples(entry, front_end, lengths)
        return {length: [part for part in parts if isinstance(part, Example)] for length, parts in found.items()}

    with one_blas_thread():
        return list(map_in_order(one, entries, jobs))


def right(classifier: Classifier, examples: Sequence[Example], jobs: int) -> np.ndarray:
    """Which examples get their own label."""

    def one(example: Example) -> bool:
        decision = classifier.decide_frames(example.frames, example.seconds, example.voiced_seconds)
        return decision.label == example.entry.label

    with one_blas_thread():
        return np.array(list(map_in_order(one, examples, jobs)))


def held_out_error(material: Material, settings: Training, jobs: int) -> float:
    """The share of pieces named wrongly, over folds of the voices."""
    entries = [clip.entry for clip in material.clips]
    folds = group_folds([e.label for e in entries], [e.group for e in entries], FOLDS, settings.seed)
    outcomes = []
    for fold in range(FOLDS):
        rest = [clip for clip, own in zip(material.clips, folds, strict=True) if own != fold]
        classifier = fit_classes(rest, [], settings, jobs).classifier
        held = [p for parts, own in zip(material.pieces, folds, strict=True) if own == fold for p in parts[SECONDS]]
        outcomes.append(right(classifier, held, jobs))
    return float(1 - np.concatenate(outcomes).mean())


def choose(entries: Sequence[Entry], seed: int, jobs: int) -> dict[str, Choice]:
    """The settings of each rung; prints what was tried.

    The front end is the one with which plain maximum likelihood errs least; each rung's components are then chosen.
    """
    least, components = np.inf, COMPONENTS["ml"][0]
    for name, candidate in FRONT_ENDS.items():
        read = read_material(entries, candidate, (SECONDS,), jobs)
        error = held_out_error(read, Training(candidate, components, seed), jobs)
        print(f"  {name:37} ml, {components} components: error {100 * error:4.1f} %", flush=True)
        if error < least:
            least, best, front_end, material = error, name, candidate, read
    print(f"front end: {best}")
    return {rung: _with_components(material, front_end, rung, seed, jobs) for rung in COMPONENTS}


def _with_components(material: Material, front_end: FrontEnd, rung: str, seed: int, jobs: int) -> Choice:
    tried = [Training(front_end, k, seed, method=rung) for k in COMPONENTS[rung]]
    choices = [Choice(settings, held_out_error(material, settings, jobs)) for settings in tried]
    told = ", ".join(f"{100 * one.error:.1f} % with {one.settings.components}" for one in choices)
    best = min(choices, key=lambda one: one.error)
    print(f"  {rung:12} error {told}; {best.settings.components} components taken", flush=True)
    return best
