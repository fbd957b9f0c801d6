"""The costs of language recognition as NIST's evaluations count them, and identification errors.

They serve any set of classes; "language" is the field's word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import OUT_OF_SET, classes

P_TARGET = 0.5
"""The prior of the language asked for, in the LRE evaluation plans of 2007 and 2009."""

P_OUT_OF_SET = 0.2
"""The prior of a language outside the set, there, in the open-set test. The others share what is left."""


@dataclass(frozen=True)
class DetectionCost:
    """Cavg, and what it is the average of.

    Attributes
    ----------
    average : float
        Cavg, in [0, 1]: the mean of ``per_language``.
    per_language : tuple of L float or None
        The cost of each target language; None where it has no clips.
    miss : tuple of L float or None
        The share of the language's own clips that were not accepted as it.
    false_alarm : tuple of L float or None
        The mean over the other languages of the share of their clips that were accepted as it.
    false_alarm_out_of_set : tuple of L float or None
        The share of out-of-set clips that were accepted as it; None in the closed set.
    """

    average: float
    per_language: tuple[float | None, ...]
    miss: tuple[float | None, ...]
    false_alarm: tuple[float | None, ...]
    false_alarm_out_of_set: tuple[float | None, ...]


def average_cost(truth: ArrayLike, accepted: ArrayLike) -> DetectionCost:
    """Cavg: the cost of detecting each language, averaged over the languages.

    For target language t, with costs of 1 for a miss and for a false alarm,

        C(t) = P_target P_miss(t) + sum over j != t of P_nontarget P_fa(t, j) + P_oos P_fa(t, out of set)

    where P_target = 0.5, P_oos = 0.2 if there are clips out of the set (open set) and else 0 (closed set), and
    P_nontarget = (1 - P_target - P_oos) / (L - 1). All rates are per language, so the numbers of clips do
    not matter. Languages without clips can be neither missed nor taken for another: they are left out, and
    L counts the others.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's language; -1 for a clip of none of them.
    accepted : (n, L) bool
        The decision "it is this language" for each clip and language, each made on its own: none, one or
        several may be True. From scores at a threshold: ``scores >= threshold``; for log-likelihood ratios
        (`gmmaudio.measures.multiclass.detection_llrs`) Cavg's priors and costs call for the threshold 0.

    Returns
    -------
    DetectionCost
        0 for perfect decisions, 0.5 for accepting nothing, and for accepting everything.

    Raises
    ------
    DataError
        ``bad_shape``, ``length_mismatch``, ``class_not_listed`` or ``one_class``.

    References
    ----------
    NIST, "The 2007 NIST Language Recognition Evaluation Plan" and that of 2009, section 3: performance
    measures. Computed as NIST's scorer ``score_lre07.v01d.pl`` does (in Kaldi, egs/lre07/v1), but for
    languages without clips, at which it stops.

    Examples
    --------
    >>> cost = average_cost([0, 1, 2], [[True, False, False], [True, True, False], [False, False, False]])
    >>> cost.per_language
    (0.25, 0.0, 0.5)
    >>> cost.average
    0.25
    """
    decided = _decisions(accepted)
    rows = classes(truth, decided.shape)
    there = np.unique(rows[rows != OUT_OF_SET])
    rates = np.array([decided[rows == own].mean(axis=0) for own in there])  # (languages there, L)
    miss = 1 - rates[np.arange(len(there)), there]
    alarm = (rates.sum(axis=0)[there] - (1 - miss)) / (len(there) - 1)
    outside = decided[rows == OUT_OF_SET]
    p_outside = P_OUT_OF_SET if len(outside) else 0.0
    costs = P_TARGET * miss + (1 - P_TARGET - p_outside) * alarm
    if len(outside):
        costs += p_outside * outside.mean(axis=0)[there]
    size = decided.shape[1]
    spread = {int(column): i for i, column in enumerate(there)}
    return DetectionCost(
        float(costs.mean()),
        _filled(costs, spread, size),
        _filled(miss, spread, size),
        _filled(alarm, spread, size),
        _filled(outside.mean(axis=0)[there], spread, size) if len(outside) else (None,) * size,
    )


@dataclass(frozen=True)
class IdentificationError:
    """How often the wrong language was named.

    Attributes
    ----------
    overall : float
        The share of all clips that got another label than their own, or none.
    average : float
        The mean of ``per_language``: every language weighs the same.
    per_language : tuple of L float or None
        The share of each language's clips; None where it has none.
    """

    overall: float
    average: float
    per_language: tuple[float | None, ...]


def identification_error(truth: ArrayLike, predicted: ArrayLike, size: int) -> IdentificationError:
    """The share of clips that were given another language than their own.

    Parameters
    ----------
    truth : (n,) int
        The column of each clip's language, or -1 for a clip of none of them: such a clip is wrong unless it
        is refused, and counts in ``overall`` only.
    predicted : (n,) int
        The language named; -1 where the answer was refused, which is wrong for every clip in the set.
    size : int
        The number L of languages.

    Returns
    -------
    IdentificationError

    Raises
    ------
    DataError
        ``bad_shape``, ``length_mismatch``, ``class_not_listed`` or ``one_class``.

    Examples
    --------
    >>> identification_error([0, 0, 0, 1], [0, 0, 1, 1], 3)
    IdentificationError(overall=0.25, average=0.16666666666666666, per_language=(0.3333333333333333, 0.0, None))
    """
    answers = np.asarray(predicted)
    if answers.ndim != 1 or len(answers) == 0 or not np.issubdtype(answers.dtype, np.integer):
        raise DataError("bad_shape", f"got predictions of shape {answers.shape}, type {answers.dtype}; (n,) of int")
    rows = classes(truth, (len(answers), size))
    if answers.min() < OUT_OF_SET or answers.max() >= size:
        raise DataError("class_not_listed", f"got answers from {answers.min()} to {answers.max()} for {size} languages")
    wrong = rows != answers
    errors = tuple(float(wrong[rows == own].mean()) if (rows == own).any() else None for own in range(size))
    known = [error for error in errors if error is not None]
    return IdentificationError(float(wrong.mean()), sum(known) / len(known), errors)


def _decisions(accepted: ArrayLike) -> NDArray[np.bool_]:
    decided = np.asarray(accepted)
    if decided.ndim != 2 or len(decided) == 0 or decided.shape[1] < 2 or not np.isin(decided, (0, 1)).all():
        raise DataError(
            "bad_shape",
            f"got decisions of shape {decided.shape}, type {decided.dtype}; (n, L) of True and False is needed, "
            "with n >= 1 and L >= 2",
            "compare scores with a threshold first",
        )
    return decided.astype(np.bool_)


def _filled(values: NDArray[np.float64], places: dict[int, int], size: int) -> tuple[float | None, ...]:
    """The values at their columns, None elsewhere."""
    return tuple(float(values[places[column]]) if column in places else None for column in range(size))
