"""Can the classes be told apart without hearing what is in the clips? Then a model may learn just that.

The story of the machine that learned the microphone: all clips of one class came from one recorder, and the model
knew the recorder. Here a plain nearest-neighbour rule sees nothing but a recording's properties (or another column
of the manifest), decides about clips of groups that it has not seen, and is held against guessing.

References
----------
Nearest neighbours: Cover and Hart, IEEE Trans. Information Theory 13(1), 1967; on ranks, so that no unit counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.splits import group_folds
from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import Interval, interval

NEIGHBOURS = 5
FOLDS = 5
LEVEL = 0.99
"""Several properties are tried, so the interval that must lie above chance is wider than the usual one."""

LEAST_GAIN = 0.05
"""How far above chance the accuracy must lie before it is worth a word."""

ALONE = 0.9
"""Recall and precision from which one property is said to tell a class from the rest."""

Floats = NDArray[np.float64]
Values = Sequence[float] | Sequence[str]


@dataclass(frozen=True)
class Telling:
    """How well some properties tell the classes apart.

    Parameters
    ----------
    names : tuple of str
        The properties used.
    accuracy : float
        The share of clips decided rightly, by cross-validation.
    chance : float
        What always naming the most frequent class would give.
    interval : Interval
        At 99 %, over groups where there are any.
    disjoint : bool
        Whether the groups of the clips decided were kept out of the training.
    alone : tuple of str
        Classes told from all others, with recall and precision of 0.9 and more.
    """

    names: tuple[str, ...]
    accuracy: float
    chance: float
    interval: Interval
    disjoint: bool
    alone: tuple[str, ...]

    @property
    def above_chance(self) -> bool:
        """Whether the accuracy is surely, and by enough to matter, above chance."""
        return self.interval.low > self.chance and self.accuracy >= self.chance + LEAST_GAIN

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "properties": list(self.names),
            "accuracy": self.accuracy,
            "chance": self.chance,
            "interval": [self.interval.low, self.interval.high],
            "level": LEVEL,
            "groups": self.interval.groups,
            "group_disjoint": self.disjoint,
            "classes_told_alone": list(self.alone),
        }


def telling(
    values: Mapping[str, Values], labels: Sequence[str], groups: Sequence[str | None], seed: int = 0
) -> Telling | None:
    """How well properties tell the labels apart, on groups that were not seen.

    Parameters
    ----------
    values : mapping of str to n numbers, or n texts
        A column for each property; one with a single value is left out.
    labels : sequence of n str
    groups : sequence of n str or None
        Where they do not allow folds that keep them apart, single clips are held out instead.
    seed : int, default 0
        Of the folds.

    Returns
    -------
    Telling or None
        None where nothing varies, there is one class, or there are too few clips for folds.

    Examples
    --------
    >>> clips = {"rate": [8000, 16000] * 20, "level": [-20.0] * 40}
    >>> found = telling(clips, ["a", "b"] * 20, [f"speaker {i // 2}" for i in range(40)])
    >>> found.names, found.accuracy, found.alone, found.above_chance
    (('rate',), 1.0, ('a', 'b'), True)
    """
    varied = {name: column for name, column in values.items() if len(set(column)) > 1}
    counts = Counter(labels)
    if not varied or len(counts) < 2:
        return None
    folds, disjoint = _folds(labels, groups, seed)
    if folds is None:
        return None
    answers = _neighbours(_coordinates(varied), np.asarray(labels), folds)
    right = [answer == label for answer, label in zip(answers, labels, strict=True)]
    chance = max(counts.values()) / len(labels)
    sure = interval(right, groups, LEVEL)
    return Telling(tuple(varied), sum(right) / len(right), chance, sure, disjoint, _told_alone(labels, answers, counts))


def _folds(labels: Sequence[str], groups: Sequence[str | None], seed: int) -> tuple[NDArray[np.int64] | None, bool]:
    """Folds that keep groups apart if possible, else plain ones, else none; and whether they keep groups apart."""
    known = any(group is not None for group in groups)
    for names in [groups, [None] * len(labels)] if known else [groups]:
        for count in (FOLDS, 3, 2):
            try:
                return group_folds(labels, names, count, seed), names is groups and known
            except DataError:
                continue
    return None, False


def _coordinates(values: Mapping[str, Values]) -> Floats:
    """A column of ranks from 0 to 1 for numbers; for texts one column for each, so that any two are equally far."""
    columns: list[Floats] = []
    for column in values.values():
        if isinstance(column[0], str):
            names = np.asarray(column)
            columns += [(names == name) / np.sqrt(2) for name in np.unique(names)]
        else:
            _, place, count = np.unique(np.asarray(column, np.float64), return_inverse=True, return_counts=True)
            columns.append(((np.cumsum(count) - (count + 1) / 2) / max(1, len(column) - 1))[place])
    return np.stack(columns, axis=1)


def _neighbours(points: Floats, labels: NDArray[np.str_], folds: NDArray[np.int64]) -> list[str]:
    """For each point, what most of its nearest in the other folds are; those equally near vote as well."""
    names, numbers = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(points), len(names)))
    for fold in np.unique(folds):
        train = np.flatnonzero(folds != fold)
        member = np.eye(len(names))[numbers[train]]
        for block in np.array_split(np.flatnonzero(folds == fold), 1 + len(points) // 500):
            far = sum(np.abs(points[block, None, d] - points[None, train, d]) ** 2 for d in range(points.shape[1]))
            limit = np.partition(far, min(NEIGHBOURS, len(train)) - 1, axis=1)[:, min(NEIGHBOURS, len(train)) - 1]
            votes[block] = (far <= limit[:, None] + 1e-12) @ member
    return [str(name) for name in names[votes.argmax(axis=1)]]


def _told_alone(labels: Sequence[str], answers: Sequence[str], counts: Mapping[str, int]) -> tuple[str, ...]:
    named = Counter(answers)
    hits = Counter(label for label, answer in zip(labels, answers, strict=True) if label == answer)
    return tuple(name for name in sorted(counts) if hits[name] >= ALONE * max(counts[name], named[name]))
