"""Decisions along a recording, smoothed: which label when, if labels stay for a while.

A hidden Markov chain in continuous time: at random moments (Poisson) the label is drawn anew from the prior p, so
often that it changes every S seconds on average. From one window to the next, ``hop`` seconds later, it goes from
k to j with probability

    e [k = j] + (1 - e) p_j      e = exp(-hop / (S (1 - sum of p^2)))

One window in a hundred is allowed to mislead: with likelihoods l, the largest of them m, it speaks by
log(0.99 l / m + 0.01), so that a door's slam, or a model far too sure of itself, weighs 4.6 nats and no more. Of that
hop / window count, for so many windows hear each second. Where nothing could be decided, as in silence, there is no
evidence, and the chain goes through. Forward and backward sums give the posteriors of each window given the whole
recording, and the answer is the label with the largest: it has the fewest wrong windows to be expected. S towards 0
leaves the labels as they are, S without end gives one answer for all of the recording.

"Unknown" is one more state where the model may refuse a clip, with the prior of an average label. Its log-likelihood is
what the gate demands: the mean of all labels but the best, plus the threshold. So where labels have equal priors a
window alone is unknown where the gate says so; a prior that favours the best label, which the gate does not look at,
speaks against unknown here. A window between others that know better is not unknown. A window with too little sound
for the gate to be used does not speak for unknown, nor against it: it is as likely there as the labels are on average.

Windows that follow each other are taken to be independent given the label. They are not quite, one voice speaks in
many, and so smoothed posteriors are surer than they should be.

References
----------
Forward and backward sums: Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77 (1989), eqs. 18-28.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.classifier import TOO_SHORT, Classifier, Decision
from gmmaudio.classify.gate import lead
from gmmaudio.errors import ClipError

Floats = NDArray[np.float64]

MISLEADING = 0.01
"""The share of windows that say nothing, or the wrong thing."""


def log_stay(log_prior: Floats, hop: float, seconds: float) -> float:
    """Log of e, the probability that no label is drawn within ``hop`` seconds.

    Parameters
    ----------
    log_prior : (K,) float
    hop, seconds : float
        From one window to the next, and between changes of the label on average.

    Examples
    --------
    >>> log_stay(np.log([0.5, 0.5]), hop=1.0, seconds=10.0)     # half of what is drawn is no change: every 5 s
    -0.2
    """
    change = 1 - float(np.exp(2 * log_prior).sum())
    return -hop / seconds / change if change > 1e-12 else 0.0


def log_posteriors(log_likelihoods: Floats, log_prior: Floats, stay: float) -> Floats:
    """Log posteriors of every state at every window, given all windows.

    Parameters
    ----------
    log_likelihoods : (T, K) float
        Up to a constant per window.
    log_prior : (K,) float
        -infinity for states that are left out.
    stay : float
        What `log_stay` returns.

    Returns
    -------
    (T, K) float
        Their exponentials add up to 1 over K.

    Examples
    --------
    >>> evidence = np.log([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]])
    >>> np.exp(log_posteriors(evidence, np.log([0.5, 0.5]), stay=-0.2)).round(2)[1]
    array([0.94, 0.06])
    """
    with np.errstate(divide="ignore"):
        drawn = np.log(-np.expm1(stay)) + log_prior
    forward, backward = log_likelihoods.copy(), np.zeros_like(log_likelihoods)
    forward[0] += log_prior
    for t in range(1, len(forward)):
        before = forward[t - 1]
        forward[t] += np.logaddexp(stay + before, drawn + np.logaddexp.reduce(before))
    for t in range(len(backward) - 2, -1, -1):
        after = log_likelihoods[t + 1] + backward[t + 1]
        backward[t] = np.logaddexp(stay + after, np.logaddexp.reduce(drawn + after))
    joint = forward + backward
    result: Floats = joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)
    return result


def bounded(log_likelihoods: Floats, log_prior: Floats) -> Floats:
    """Log-likelihoods (T, K) if a window in a hundred misleads, up to a constant per window.

    States of prior zero do not count.

    Examples
    --------
    >>> bounded(np.array([[0.0, -1.0, -1000.0]]), np.log([0.4, 0.3, 0.3])).round(2)
    array([[ 0.  , -0.98, -4.61]])
    """
    best = log_likelihoods[:, np.isfinite(log_prior)].max(axis=1, keepdims=True)
    result: Floats = np.logaddexp(np.log1p(-MISLEADING) + log_likelihoods - best, np.log(MISLEADING))
    return result


def smoothed(
    classifier: Classifier,
    found: Sequence[Decision | ClipError],
    log_prior: Floats,
    windows: tuple[float, float],
    seconds: float,
) -> list[Decision | ClipError]:
    """Decisions with posteriors, and labels, given all of the recording; scores remain each window's own.

    Parameters
    ----------
    classifier : Classifier
    found : sequence of Decision or ClipError
        Of the windows in order, with the scores of all labels. Errors are passed on.
    log_prior : (labels,) float
        As ``classifier.log_prior`` returns it.
    windows : (window, hop) in seconds
    seconds : float
        Between changes of the label, on average.
    """
    window, hop = windows
    frames = _frames(classifier, found)
    asked = [bool(count) and classifier.may_refuse(count) for count in frames]
    likelihoods = _log_likelihoods(classifier, found, frames)
    if any(asked):
        unknown = [
            _of_unknown(classifier, row, log_prior, count if may else 0)
            for row, count, may in zip(likelihoods, frames, asked, strict=True)
        ]
        likelihoods = np.column_stack([likelihoods, unknown])
        count = np.isfinite(log_prior).sum()
        log_prior = np.append(log_prior + np.log(count / (count + 1)), -np.log(count + 1))
    evidence = min(1.0, hop / window) * bounded(likelihoods, log_prior)
    certain = log_posteriors(evidence, log_prior, log_stay(log_prior, hop, seconds))
    return [
        _given(classifier.labels, one, row) if isinstance(one, Decision) else one
        for one, row in zip(found, certain, strict=True)
    ]


def _frames(classifier: Classifier, found: Sequence[Decision | ClipError]) -> list[int]:
    """What each window's decision rests on; 0 where there is none."""
    frame = classifier.front_end.mfcc.hop_samples / classifier.front_end.rate
    return [round(one.voiced_seconds / frame) if isinstance(one, Decision) else 0 for one in found]


def _log_likelihoods(classifier: Classifier, found: Sequence[Decision | ClipError], frames: Sequence[int]) -> Floats:
    """Of labels, all the same where nothing was decided; (windows, labels)."""
    result = np.zeros((len(found), len(classifier.labels)))
    for row, one, count in zip(result, found, frames, strict=True):
        if isinstance(one, Decision):
            row[:] = classifier.log_likelihoods(np.array(list(one.scores.values())), count)
    return result


def _of_unknown(classifier: Classifier, log_likelihoods: Floats, log_prior: Floats, frames: int) -> float:
    """The log-likelihood below which the gate refuses the best label; the labels' average where it is not asked."""
    if classifier.gate is None or not frames:
        return float(np.logaddexp.reduce(log_likelihoods + log_prior))
    best = int((log_likelihoods + log_prior).argmax())
    return float(log_likelihoods[best] - lead(log_likelihoods, np.array(best)) + classifier.gate.threshold(frames))


def _given(labels: Sequence[str], decision: Decision, row: Floats) -> Decision:
    """A window's decision with other posteriors: those of labels, and that of unknown where there is one more."""
    kept = [place for place in range(len(labels)) if row[place] > -np.inf]
    own = row[kept]
    best = int(own.argmax())
    known = own[best] >= row[len(labels) :].max(initial=-np.inf)
    scores = {labels[place]: decision.scores[labels[place]] for place in kept}
    others = [score for name, score in scores.items() if name != labels[kept[best]]]
    return replace(
        decision,
        label=labels[kept[best]] if known else None,
        scores=scores,
        posteriors=dict(zip(scores, np.exp(own - np.logaddexp.reduce(own)).tolist(), strict=True)),
        margin=scores[labels[kept[best]]] - max(others) if others else None,
        warnings=tuple(each for each in decision.warnings if known or each.code != TOO_SHORT),  # its neighbours know
    )
