"""How good a set of decisions is: accuracy, the confusion matrix, and precision, recall and F1 per class.

Conventions, the same in every function here:

- ``truth`` and ``predicted`` are sequences of n labels, in this order. Swapping them swaps precision and
  recall and transposes the confusion matrix: a mistake that has changed published tables.
- A prediction may be None: the classifier refused to answer ("unknown"). It counts as wrong everywhere.
- ``labels`` are the L classes to report, in the order to report them; `label_set` makes them. A class that
  the model has never heard of is a class like any other: each of its clips is an error.
- A ratio of 0 to 0 is None, never NaN: precision of a class that was never answered, recall of a class
  without clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError


def validate(truth: Sequence[str], predicted: Sequence[str | None]) -> None:
    """Refuse what cannot be measured.

    Raises
    ------
    DataError
        ``length_mismatch``, ``no_decisions`` (both empty) or ``no_truth`` (a true label is None).

    Examples
    --------
    >>> validate(["cat", "dog"], ["cat", None])
    """
    if len(truth) != len(predicted):
        raise DataError(
            "length_mismatch",
            f"got {len(truth)} true labels and {len(predicted)} predictions; one of each per clip is needed",
            "check that both lists come from the same clips",
        )
    if len(truth) == 0:
        raise DataError("no_decisions", "got no decisions; at least one is needed", "score some clips first")
    if any(label is None for label in truth):
        raise DataError(
            "no_truth",
            "a true label is None; only predictions may be None",
            "leave out clips without a label",
        )


def label_set(truth: Sequence[str], predicted: Sequence[str | None], known: Iterable[str] = ()) -> tuple[str, ...]:
    """Every label that plays a part, sorted: true, predicted, or known to the model.

    Parameters
    ----------
    truth, predicted : sequence of n labels
        A prediction may be None.
    known : iterable of str
        The labels that the model can answer, default none.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> label_set(["cat", "emu"], ["dog", None], known=["cat", "dog", "fox"])
    ('cat', 'dog', 'emu', 'fox')
    """
    return tuple(sorted({*truth, *known, *(label for label in predicted if label is not None)}))


def accuracy(truth: Sequence[str], predicted: Sequence[str | None]) -> float:
    """The share of all clips whose prediction is right, in [0, 1].

    Every clip weighs the same, whatever its class or fold.

    Raises
    ------
    DataError
        As `validate`.

    Examples
    --------
    >>> accuracy(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", None])
    0.5
    """
    validate(truth, predicted)
    return sum(map(_same, truth, predicted)) / len(truth)


def balanced_accuracy(truth: Sequence[str], predicted: Sequence[str | None]) -> float:
    """The mean of the classes' recalls, in [0, 1]: every class that has clips weighs the same.

    Raises
    ------
    DataError
        As `validate`.

    References
    ----------
    Brodersen, Ong, Stephan and Buhmann, "The balanced accuracy and its posterior distribution", ICPR 2010;
    without their correction for chance.

    Examples
    --------
    >>> balanced_accuracy(["cat", "cat", "cat", "dog"], ["cat", "cat", "cat", None])
    0.5
    """
    rows = per_class(truth, predicted, label_set(truth, predicted)).values()
    recalls = [row["recall"] for row in rows if row["recall"] is not None]
    return sum(recalls) / len(recalls)


def confusion(truth: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]) -> NDArray[np.int64]:
    """Which class was taken for which: (L, L) counts, rows the truth, columns the prediction.

    Refused clips have no column; `refused` counts them, so that ``confusion(...).sum() + refused(...).sum()``
    is the number of clips.

    Parameters
    ----------
    truth, predicted : sequence of n labels
        A prediction may be None.
    labels : sequence of L str
        Rows and columns, in this order; all labels that occur must be among them.

    Raises
    ------
    DataError
        As `validate`; ``label_not_listed`` or ``label_twice`` where ``labels`` does not fit.

    Examples
    --------
    >>> confusion(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", None], ["cat", "dog"])
    array([[1, 1],
           [0, 1]])
    """
    rows, columns = _positions(truth, predicted, labels)
    answered = columns >= 0
    size = len(labels)
    cells = np.bincount(rows[answered] * size + columns[answered], minlength=size * size)
    return cells.reshape(size, size).astype(np.int64)


def refused(truth: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]) -> NDArray[np.int64]:
    """How many clips of each class got no answer: (L,) counts. The arguments and errors are `confusion`'s.

    Examples
    --------
    >>> refused(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", None], ["cat", "dog"])
    array([0, 1])
    """
    rows, columns = _positions(truth, predicted, labels)
    return np.bincount(rows[columns < 0], minlength=len(labels)).astype(np.int64)


def per_class(
    truth: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Precision, recall, F1 and the number of clips of each class.

    precision = right / answered so, recall = right / clips of the class, and F1, their harmonic mean,
    = 2 right / (answered so + clips of the class). The arguments and errors are `confusion`'s.

    Returns
    -------
    dict
        label -> {"precision", "recall", "f1", "clips"}, in the order of ``labels``. Precision is None for a
        class that was never answered, recall for a class without clips, F1 for a class with neither.

    References
    ----------
    van Rijsbergen, "Information Retrieval", 2nd ed., 1979, chapter 7.

    Examples
    --------
    >>> table = per_class(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", None], ["cat", "dog", "emu"])
    >>> table["cat"]
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666, 'clips': 2}
    >>> table["emu"]
    {'precision': None, 'recall': None, 'f1': None, 'clips': 0}
    """
    table = confusion(truth, predicted, labels)
    right = table.diagonal().tolist()
    answered = table.sum(axis=0).tolist()
    clips = (table.sum(axis=1) + refused(truth, predicted, labels)).tolist()
    return {
        label: {
            "precision": _ratio(right[i], answered[i]),
            "recall": _ratio(right[i], clips[i]),
            "f1": _ratio(2 * right[i], answered[i] + clips[i]),
            "clips": clips[i],
        }
        for i, label in enumerate(labels)
    }


def _same(true: str, answer: str | None) -> bool:
    return bool(true == answer)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _positions(
    truth: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The row and the column of each clip, (n,) each; the column of a refused clip is -1."""
    validate(truth, predicted)
    places = {label: i for i, label in enumerate(labels)}
    if len(places) < len(labels):
        raise DataError("label_twice", f"got {len(labels)} labels, {len(places)} of them different", "drop doubles")
    strange = sorted({*truth, *(label for label in predicted if label is not None)} - set(places))
    if strange:
        raise DataError(
            "label_not_listed",
            f"{strange[0]!r} occurs among the clips but not among the {len(labels)} labels",
            "take the labels from label_set(truth, predicted, known)",
        )
    rows = np.array([places[label] for label in truth], dtype=np.intp)
    columns = np.array([-1 if label is None else places[label] for label in predicted], dtype=np.intp)
    return rows, columns
