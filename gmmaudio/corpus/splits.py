"""Folds and sides of a split that never divide a group.

A group (speaker, artist, source recording) on both sides makes the model recognise it instead of the label, and the
accuracy is then too good to be true.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from gmmaudio.errors import DataError
from gmmaudio.seeds import refuse_seed


def group_folds(labels: Sequence[str], groups: Sequence[str | None], n_folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Assign entries to folds: no group in two of them, and the labels spread as evenly as that allows.

    Parameters
    ----------
    labels : (n,) sequence of str
        The label of each entry.
    groups : (n,) sequence of str or None
        Its group; an entry without one is a group of its own.
    n_folds : int
        At least 2.
    seed : int
        Of the shuffling before the assignment. Default 0.

    Returns
    -------
    (n,) int array
        The fold of each entry, from 0 to ``n_folds - 1``.

    Raises
    ------
    DataError
        bad_folds for fewer than two; bad_setting for a seed that is not below 2^32; too_few_groups, when there are
        fewer groups, or clips of each label, than folds; one_group_class, when some training side would be without a
        label.

    Notes
    -----
    scikit-learn's StratifiedGroupKFold, or StratifiedKFold where no entry has a group.

    Examples
    --------
    >>> folds = group_folds(["a", "a", "b", "b"], ["x", "y", "x", "y"], 2)
    >>> bool(folds[0] == folds[2] != folds[1] == folds[3])
    True
    """
    names = _group_numbers(groups)
    _refuse_few(labels, names, n_folds)
    refuse_seed(seed)
    folds = np.full(len(labels), -1)
    kind = StratifiedKFold if all(group is None for group in groups) else StratifiedGroupKFold
    splitter = kind(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with fewer clips than folds is no error
        for fold, (_, test) in enumerate(splitter.split(names, np.asarray(labels), names)):
            folds[test] = fold
    _refuse_missing_labels(labels, names, folds)
    return folds


def _group_numbers(groups: Sequence[str | None]) -> NDArray[np.int64]:
    """A number for each group; entries without a group get one of their own."""
    known: dict[str, int] = {}
    return np.array(
        [at if group is None else known.setdefault(group, at) for at, group in enumerate(groups)], dtype=np.int64
    )


def _refuse_few(labels: Sequence[str], names: NDArray[np.int64], n_folds: int) -> None:
    if len(labels) != len(names):
        raise DataError("bad_folds", f"{len(labels)} labels and {len(names)} groups; one of each per clip is needed")
    if n_folds < 2:
        raise DataError("bad_folds", f"{n_folds} folds; at least 2 are needed", "ask for --folds 5, say")
    if (count := len(set(names.tolist()))) < n_folds:
        text = f"{len(labels)} clips in {count} groups cannot make {n_folds} folds"
        raise DataError("too_few_groups", text, f"ask for at most {count} folds, or record more groups")
    if max(Counter(labels).values()) < n_folds:
        text = f"no label has as many as {n_folds} clips, one for each fold"
        raise DataError("too_few_groups", text, "ask for fewer folds")


def _refuse_missing_labels(labels: Sequence[str], names: NDArray[np.int64], folds: NDArray[np.int64]) -> None:
    for label, fold in _labels_in_one_fold(labels, folds):
        count = len({int(name) for name, each in zip(names, labels, strict=True) if each == label})
        text = f"all clips of {label!r} fall into fold {fold}, so that none is left to train on when it is tested"
        if count == 1:
            raise DataError("one_group_class", f"{text}: they are one group", "it needs clips of a second group")
        raise DataError("one_group_class", f"{text}: it has {count} groups", "try another seed, or fewer folds")


def _labels_in_one_fold(labels: Sequence[str], folds: NDArray[np.int64]) -> Iterator[tuple[str, int]]:
    found: dict[str, set[int]] = {}
    for label, fold in zip(labels, folds, strict=True):
        found.setdefault(label, set()).add(int(fold))
    return ((label, min(where)) for label, where in sorted(found.items()) if len(where) == 1)
