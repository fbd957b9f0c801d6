"""Training on one label: a mixture of what is normal, and the threshold below which a clip is not.

The score is the mean log-likelihood of a clip's frames. The threshold follows from the share of normal clips that may
be refused, the false alarms, on scores of clips by mixtures that heard neither them nor their groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.examples import Example, ExampleReader, Failure, Progress, read_examples
from gmmaudio.classify.floor import Floor, clips_wanted, rank_of
from gmmaudio.classify.inner_folds import folds_at_most, held_out, whole_clip
from gmmaudio.classify.methods import Training, fit_scorer
from gmmaudio.classify.scorers import Scorer
from gmmaudio.classify.train import Trained, fit_classes
from gmmaudio.corpus.manifest import Entry
from gmmaudio.corpus.one_label import require_one_label
from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import Interval, interval

Floats = NDArray[np.float64]

FALSE_ALARMS = 0.05
LEAST_FALSE_ALARMS = 1e-6
"""The least rate of false alarms: it takes a million clips."""
FOLDS = 4


def train_one_class(
    entries: Sequence[Entry],
    settings: Training,
    false_alarms: float = FALSE_ALARMS,
    jobs: int = 1,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
) -> Trained:
    """Train a model of one label, which answers it or unknown.

    Parameters
    ----------
    entries : sequence of Entry
        All of one label. Where they have groups, these are never divided: the false alarms are then those on a group
        that was not heard. Without groups every clip is one of its own.
    settings : Training
        The method must be "ml".
    false_alarms : float, default 0.05
        The share of normal clips that may be refused, in [1e-6, 1). A smaller one lets more anomalies pass.
    jobs : int, default 1
        Threads; the model has the same bits for any number.
    progress : callable, optional
        Called with the number of clips read and their total.
    read : callable, default ``read_examples``
        Where the frames come from, as in ``train``.

    Raises
    ------
    DataError
        ``no_clips``, ``several_labels``, and as `fit_one_class`.
    """
    require_one_label(entries)
    _check(settings, false_alarms)
    examples, failures = read(entries, settings.front_end, jobs, progress)
    return fit_one_class(examples, failures, settings, false_alarms, jobs)


def fit_one_class(
    examples: Sequence[Example],
    failures: Sequence[Failure],
    settings: Training,
    false_alarms: float = FALSE_ALARMS,
    jobs: int = 1,
) -> Trained:
    """Train on examples of one label whose frames are there already; parameters as in `train_one_class`.

    Raises
    ------
    DataError
        ``bad_setting``; ``too_few_clips`` for the false-alarm rate, ``too_few_groups`` for fewer than two;
        ``too_few_frames``, ``reserved_label``.
    """
    _check(settings, false_alarms)
    _require_clips(len(examples), false_alarms)
    trained = fit_classes(examples, failures, settings, jobs, least=1)
    found = fit_floor(examples, settings, false_alarms, jobs)
    return replace(trained, classifier=replace(trained.classifier, floor=found), notes=(*trained.notes, found.summary))


def fit_floor(
    examples: Sequence[Example], settings: Training, false_alarms: float = FALSE_ALARMS, jobs: int = 1
) -> Floor:
    """The threshold for a false-alarm rate, and the rate measured: on scores of clips held out, fold by fold.

    The threshold is set on all of these scores. The rate is measured on each fold at the threshold that the other folds
    set, for at its own threshold a fold has the rate asked for by construction. So no clip has a say in the threshold
    that judges it; but the other folds' scores come from mixtures that heard it, as each fold is scored by a mixture of
    all the others.
    """

    def train_fold(some: Sequence[Example]) -> Scorer:
        return fit_scorer({some[0].entry.label: some}, settings, jobs).scorer

    folds = _folds(examples, settings.seed)
    found = held_out(examples, folds, train_fold, whole_clip, jobs)
    scores = found.scores[:, 0]
    rate = max(1, rank_of(len(scores), false_alarms)) / (len(scores) + 1)
    refused, sure = share_refused(scores, folds[found.clip], rate, found.group)
    return Floor(
        threshold_for(scores, false_alarms), false_alarms, refused, sure.low, sure.high,
        len(scores), sure.groups, int(found.frames.min()),
    )  # fmt: skip


def share_refused(
    scores: Floats, folds: NDArray[np.int64], rate: float, groups: Sequence[str | None]
) -> tuple[float, Interval]:
    """The share of clips below the threshold that the other folds' clips set for a rate.

    Of m other clips, that is their score of rank rate (m + 1). Few clips have no score of just this rank: where it lies
    between two, clips between these two scores count in proportion, so that exchangeable scores are refused at the rate
    exactly, on average. The interval reaches from that of the lower rank to that of the higher.

    Parameters
    ----------
    scores : (n,) float
    folds : (n,) int
        Of two values at least.
    rate : float
        In (0, 1).
    groups : (n,) sequence of str or None

    Examples
    --------
    >>> refused, sure = share_refused(np.arange(8.0), np.arange(8) % 2, 0.3, [None] * 8)
    >>> refused                       # at rank 1.5 of four: 0 < 1 is refused, 2 < 3 and 1 < 2 are by half
    0.25
    """
    below, above, part = np.zeros((3, len(scores)))
    for fold in np.unique(folds):
        own = folds == fold
        ranked = np.concatenate([[-np.inf], np.sort(scores[~own]), [np.inf]])
        rank = rank_of(len(ranked) - 2, rate)
        below[own], above[own] = scores[own] < ranked[rank], scores[own] < ranked[rank + 1]
        part[own] = rate * (len(ranked) - 1) - rank
    least, most = interval(below, groups), interval(above, groups)
    share = float(np.where(below, 1.0, above * part.clip(0)).mean())
    return share, replace(most, low=least.low)


def threshold_for(scores: Floats, false_alarms: float) -> float:
    """The score below which one more clip of the same kind falls with at most this probability.

    Of n scores and a new one that are exchangeable, the new one is below the k-th smallest with probability k / (n + 1)
    at most: k is the largest for which that is no more than asked, but at least 1.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, chapter 2 (conformal prediction).

    Examples
    --------
    >>> threshold_for(np.arange(39.0), 0.05)            # the second smallest: 2 / 40
    1.0
    """
    rank = max(1, rank_of(len(scores), false_alarms))
    return float(np.partition(scores, rank - 1)[rank - 1])


def _check(settings: Training, false_alarms: float) -> None:
    if settings.method != "ml":
        text = f"method {settings.method!r} tells labels apart; a model of one label is trained by 'ml'"
        raise DataError("bad_setting", text, "leave the method at its default")
    if not LEAST_FALSE_ALARMS <= false_alarms < 1:
        text = f"a false-alarm rate of {false_alarms}; from {LEAST_FALSE_ALARMS:g} to less than 1 is allowed"
        raise DataError("bad_setting", text, "take 0.05")


def _require_clips(clips: int, false_alarms: float) -> None:
    if rank_of(clips, false_alarms) < 1:
        wanted = clips_wanted(1, false_alarms)
        text = f"{clips} clips can show no false-alarm rate as low as {100 * false_alarms:g} %; {wanted} can"
        least = ceil(100 / (clips + 1)) / 100
        hint = f"give more clips, or cut long ones; or allow more: {least:.2f} (--false-alarms)"
        raise DataError("too_few_clips", text, hint)


def _folds(examples: Sequence[Example], seed: int) -> NDArray[np.int64]:
    try:
        return folds_at_most(examples, FOLDS, seed)
    except DataError as error:
        if error.code not in ("too_few_groups", "one_group_class"):
            raise
        text = f"false alarms are measured on groups not heard, and all {len(examples)} clips are of one group"
        hint = "record a second session; or leave groups out, and expect more false alarms than are measured"
        raise DataError("too_few_groups", text, hint) from error
