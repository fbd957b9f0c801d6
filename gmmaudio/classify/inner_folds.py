"""Calibration and gate learned from inside the training data, by folds that are held out in turn.

Each fold is scored by a scorer that was trained without it, and no group stands in two folds. How a scorer is
trained is a function passed in, so that all methods are held out in the same manner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.calibration_fit import HeldOut, fit_calibration
from gmmaudio.classify.examples import Example
from gmmaudio.classify.gate import Gate
from gmmaudio.classify.gate_fit import FALSE_ACCEPT, fit_gate, least_clips, scarce_durations
from gmmaudio.classify.pieces import LENGTHS, SLACK, piece_examples
from gmmaudio.classify.scorers import Scorer
from gmmaudio.corpus.audio import Reader, read_through
from gmmaudio.corpus.splits import group_folds
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.parallel import map_in_order, one_blas_thread

KNOWN_FOLDS = 6
"""Scorers that have heard five sixths of the clips are nearly as good as that of all; of fewer they would be worse, and
teach to be less sure than one may be."""
OUTSIDE_FOLDS = 4
"""Each label's outsiders are of one fold only, and must not be too few."""

Pieces = Callable[[Example], list[tuple[Example, float]]]
"""From a clip to pieces of it, the whole first, and what each piece counts."""

TrainFold = Callable[[Sequence[Example]], Scorer]
"""From the examples of some folds to a scorer of their labels, in sorted order."""


@dataclass(frozen=True)
class Learned:
    """What could be learned, and what is to be said about it.

    Parameters
    ----------
    calibration : Calibration or None
    gate : Gate or None
    remarks : tuple of str
        Why one of them is missing, or what it must not be trusted with.
    """

    calibration: Calibration | None = None
    gate: Gate | None = None
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """All of it in words, the gate with a line for each duration."""
        told = [] if self.calibration is None else [self.calibration.summary]
        if self.gate is not None:
            told += [f"unknown at {duration} {text}" for duration, text in self.gate.summary.items()]
        return [*told, *self.remarks]


def calibrate(
    examples: Sequence[Example],
    train_fold: TrainFold,
    pieces: Pieces,
    separate: bool = False,
    false_accept: float | None = FALSE_ACCEPT,
    seed: int = 0,
    jobs: int = 1,
) -> Learned:
    """Learn a calibration and a gate; where that cannot be done, say why.

    Parameters
    ----------
    examples : sequence of Example
        The training data, of two labels at least.
    train_fold : callable
    pieces : callable
        `clip_pieces` of the front end, or `whole_clip`.
    separate : bool, default False
        Whether ``train_fold`` trains each label by itself, so that leaving one out is striking out its score. It
        saves as many trainings as there are labels.
    false_accept : float or None, default 0.05
        The share of unknown clips that the gate may let through. None learns no gate, which saves most of the time
        unless ``separate``.
    seed : int, default 0
        Of the folds and of the gate's intervals.
    jobs : int, default 1
        Threads; the result has the same bits for any number.
    """
    lacking = sum(example.entry.group is None for example in examples)
    if 2 * lacking > len(examples):
        return Learned(remarks=(_GROUPLESS.format(lacking, len(examples)),))
    with one_blas_thread():
        learned = _learned(examples, train_fold, pieces, separate, false_accept, seed, jobs)
    if lacking and learned.calibration is not None:
        return replace(learned, remarks=(*learned.remarks, _PARTLY.format(lacking, len(examples))))
    return learned


_GROUPLESS = (
    "posteriors are not calibrated, and nothing is answered unknown: {} of {} clips have no group, and without groups"
    " that cannot be learned, for clips that share a voice or a recording teach to be too sure"
)
_PARTLY = "{} of {} clips have no group: if they share voices or recordings, posteriors are surer than they should be"


def _learned(
    examples: Sequence[Example],
    train_fold: TrainFold,
    pieces: Pieces,
    separate: bool,
    false_accept: float | None,
    seed: int,
    jobs: int,
) -> Learned:
    try:
        folds = folds_at_most(examples, KNOWN_FOLDS, seed)
        inside = held_out(examples, folds, train_fold, pieces, jobs)
        calibration = fit_calibration(inside)
    except DataError as error:
        text = f"posteriors are not calibrated, and nothing is answered unknown: {error.message}"
        return Learned(remarks=(text,))
    if false_accept is None:
        return Learned(calibration)
    try:
        if separate:
            outside = without_own(inside)
        else:
            outside = outsiders(examples, folds_at_most(examples, OUTSIDE_FOLDS, seed), train_fold, pieces, jobs)
    except DataError as error:
        return Learned(calibration, None, (f"nothing is answered unknown: {error.message}",))
    gate = fit_gate(calibration, inside, outside, false_accept, seed)
    few = scarce_durations(outside, least_clips(false_accept))
    return Learned(calibration, gate, (_scarce(few, false_accept, gate),) if few else ())


def _scarce(few: Sequence[float], false_accept: float, gate: Gate) -> str:
    """Why the gate has no line for some durations."""
    return (
        f"unknown has no threshold of its own at about {', '.join(f'{seconds:.3g}' for seconds in few)} s: fewer than"
        f" {least_clips(false_accept)} clips of labels held out are that long, or all are of one label; "
        + ("all durations share one" if len(gate.levels) == 1 else "it is that of the nearest duration which has one")
    )


def clip_pieces(front_end: FrontEnd, lengths: Sequence[float] = LENGTHS, read: Reader = read_through) -> Pieces:
    """A clip whole, and cut to each of the lengths that it exceeds; it is read again and each piece has its own frames.

    Each length counts as much as the whole, however many pieces there are.
    """
    return partial(_clip_pieces, front_end, tuple(lengths), read)


def _clip_pieces(
    front_end: FrontEnd, lengths: tuple[float, ...], read: Reader, example: Example
) -> list[tuple[Example, float]]:
    shorter = [length for length in lengths if length * (1 + SLACK) < example.seconds]
    try:
        found = piece_examples(example.entry, front_end, shorter, read=read)
    except ClipError:  # it could be read a moment ago; the whole is there still
        found = {}
    parts = [[part for part in parts if isinstance(part, Example)] for parts in found.values()]
    return [(example, 1.0), *((part, 1 / len(same)) for same in parts for part in same)]


def whole_clip(example: Example) -> list[tuple[Example, float]]:
    """A clip whole and nothing else: for examples without a file to be cut. Durations are then as they come."""
    return [(example, 1.0)]


def folds_at_most(examples: Sequence[Example], most: int, seed: int = 0) -> NDArray[np.int64]:
    """A fold for each example, no group in two of them and every label in two at least.

    At most so many, and fewer where some label has not as many groups.

    Raises
    ------
    DataError
        As `gmmaudio.corpus.splits.group_folds`, where not even two folds can be made.
    """
    labels, groups = [e.entry.label for e in examples], [e.entry.group for e in examples]
    for count in range(most, 2, -1):
        with suppress(DataError):
            return group_folds(labels, groups, count, seed)
    return group_folds(labels, groups, 2, seed)


def held_out(
    examples: Sequence[Example],
    folds: Sequence[int] | NDArray[np.int64],
    train_fold: TrainFold,
    pieces: Pieces,
    jobs: int = 1,
) -> HeldOut:
    """Score the pieces of each fold's clips by a scorer trained on the other folds.

    Parameters
    ----------
    examples : sequence of n Example
    folds : (n,) int
        As `folds_at_most` gives them.
    train_fold : callable
    pieces : callable
        `clip_pieces` of a front end, or `whole_clip`.
    jobs : int, default 1
        Threads; the scores have the same bits for any number.

    Raises
    ------
    DataError
        What training raises; for lack of frames, say.
    """
    rows = []
    for fold in np.unique(folds):
        inside = [i for i, own in enumerate(folds) if own == fold]
        scorer = train_fold([example for example, own in zip(examples, folds, strict=True) if own != fold])
        rows += _scored(scorer, examples, inside, pieces, jobs)
    return _gathered(rows, examples)


def outsiders(
    examples: Sequence[Example],
    folds: Sequence[int] | NDArray[np.int64],
    train_fold: TrainFold,
    pieces: Pieces,
    jobs: int = 1,
) -> HeldOut:
    """Score clips of each label by a scorer that knows neither the label nor the clips' groups.

    For each label in turn one scorer is trained on the other labels, without one fold, and hears that fold's clips
    of the label; the folds take turns. The label's own score is -infinity. Takes as many trainings as there
    are labels; parameters as in `held_out`.

    Raises
    ------
    DataError
        ``too_few_labels`` for fewer than three; and what training raises.
    """
    labels = sorted({example.entry.label for example in examples})
    _require_three(len(labels))
    rows = []
    for place, label in enumerate(labels):
        own = [i for i, example in enumerate(examples) if example.entry.label == label]
        there = sorted({int(folds[i]) for i in own})
        fold = there[place % len(there)]
        scorer = train_fold(
            [e for e, other in zip(examples, folds, strict=True) if other != fold and e.entry.label != label]
        )
        inside = [i for i in own if folds[i] == fold]
        found = _scored(scorer, examples, inside, pieces, jobs)
        rows += [replace(row, scores=np.insert(row.scores, place, -np.inf)) for row in found]
    return _gathered(rows, examples)


def without_own(found: HeldOut) -> HeldOut:
    """`outsiders` for nothing, where each label is trained by itself: its score is struck out for its own clips.

    Raises
    ------
    DataError
        ``too_few_labels`` for fewer than three.
    """
    _require_three(found.scores.shape[1])
    scores = found.scores.copy()
    scores[np.arange(len(scores)), found.truth] = -np.inf
    return replace(found, scores=scores)


def _require_three(labels: int) -> None:
    if labels < 3:
        raise DataError("too_few_labels", f"there are {labels} labels, and with one held out nothing to tell apart")


@dataclass(frozen=True)
class _Row:
    """A piece of one of the clips, scored; of its frames only their number is kept."""

    clip: int
    scores: NDArray[np.float64]
    frames: int
    seconds: float
    weight: float


def _scored(
    scorer: Scorer, examples: Sequence[Example], chosen: Sequence[int], pieces: Pieces, jobs: int
) -> list[_Row]:
    def one(index: int) -> list[_Row]:
        return [
            _Row(index, scorer.score(part.frames), len(part.frames), part.seconds, weight)
            for part, weight in pieces(examples[index])
        ]

    with one_blas_thread():
        return [row for rows in map_in_order(one, chosen, jobs) for row in rows]


def _gathered(rows: Sequence[_Row], examples: Sequence[Example]) -> HeldOut:
    places = {label: place for place, label in enumerate(sorted({example.entry.label for example in examples}))}
    clips = [examples[row.clip].entry for row in rows]
    return HeldOut(
        truth=np.array([places[entry.label] for entry in clips]),
        scores=np.stack([row.scores for row in rows]),
        frames=np.array([row.frames for row in rows]),
        weight=np.array([row.weight for row in rows]),
        clip=np.array([row.clip for row in rows]),
        group=[entry.group for entry in clips],
        seconds=np.array([row.seconds for row in rows]),
    )
