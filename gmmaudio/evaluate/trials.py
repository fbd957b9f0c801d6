"""The scores behind an evaluation's decisions, as trials: is this clip of that label?

Scores of different clips have different levels: a loud clip may lie high under all labels. What can be
compared is a label's lead: its score less the best of the others' on the same clip. A clip is decided for the label
whose lead is above zero. Where posteriors are calibrated they decide, and their logarithms stand for the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.classifier import Decision
from gmmaudio.measures.detection import ErrorRates, error_rates

if TYPE_CHECKING:
    from gmmaudio.evaluate.evaluation import Evaluation, Prediction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """Leads and posteriors of the clips that have them.

    Parameters
    ----------
    clips : sequence of Prediction
        Those with scores for the same labels, two at least.
    labels : tuple of str
        In the order of the columns.
    leads : (n, L) float
        Of each label on each clip.
    truth : (n, L) bool
        Whether the clip is of the label.
    """

    clips: Sequence[Prediction]
    labels: tuple[str, ...]
    leads: Floats
    truth: NDArray[np.bool_]

    @property
    def targets(self) -> Floats:
        """Leads of the true labels (T,)."""
        return self.leads[self.truth]

    @property
    def others(self) -> Floats:
        """Leads of all labels on clips that are not of them (N,)."""
        return self.leads[~self.truth]

    def sides(self, chosen: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Targets and others among the clips chosen (m,)."""
        found, truth = self.leads[chosen], self.truth[chosen]
        return found[truth], found[~truth]

    def detector(self, label: str) -> tuple[NDArray[np.bool_], Floats] | None:
        """Which clips are of a label (n,), and its leads (n,); None where it lacks either kind of clip."""
        if label not in self.labels:
            return None
        column = self.labels.index(label)
        own = self.truth[:, column]
        return None if own.all() or not own.any() else (own, self.leads[:, column])

    @property
    def label_rates(self) -> dict[str, ErrorRates]:
        """The error rates of each label that has clips, against the others."""
        found = {label: self.detector(label) for label in self.labels}
        return {label: error_rates(one[1][one[0]], one[1][~one[0]]) for label, one in found.items() if one}

    @property
    def margins(self) -> Floats:
        """Best score less second best, of each clip (n,)."""
        return np.asarray(self.leads.max(axis=1))

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each clip was decided rightly (n,)."""
        return np.array([clip.label == clip.truth for clip in self.clips])

    @property
    def likeliest_right(self) -> NDArray[np.bool_]:
        """Whether each clip is of its likeliest label, be it refused or not (n,)."""
        return np.asarray(np.take_along_axis(self.truth, self.leads.argmax(axis=1)[:, None], axis=1)[:, 0])

    @property
    def confidences(self) -> Floats:
        """The posterior of the best label of each clip (n,)."""
        best = [max(clip.decision.posteriors.values()) for clip in self.clips if clip.decision is not None]
        return np.minimum(best, 1.0)


def trials_of(found: Evaluation) -> Trials | None:
    """The trials of an evaluation; None where no clip has scores, or the clips were scored for different labels.

    Examples
    --------
    >>> from gmmaudio.classify.classifier import Decision
    >>> from gmmaudio.evaluate.evaluation import Evaluation, Prediction
    >>> said = Decision("cat", {"cat": -1.0, "dog": -3.0}, {"cat": 0.9, "dog": 0.1}, "loglik", 2.0, 1.0, 1.0)
    >>> trials_of(Evaluation([Prediction("a.wav", "cat", "cat", decision=said)], ["cat", "dog"])).leads
    array([[ 2., -2.]])
    """
    decided = [clip for clip in found.predictions if clip.decision is not None]
    known = list(zip(decided, evidence([clip.decision for clip in decided if clip.decision]), strict=True))
    finite = [(clip, scores) for clip, scores in known if np.isfinite(list(scores.values())).all()]
    sets = {tuple(scores) for _, scores in known}
    if not finite or len(sets) != 1 or len(labels := sets.pop()) < 2:
        return None
    clips = [clip for clip, _ in finite]
    scores = np.array([list(scores.values()) for _, scores in finite])
    truth = np.array([[label == clip.truth for label in labels] for clip in clips])
    return Trials(clips, labels, leads(scores), truth)


def evidence(decisions: Sequence[Decision]) -> list[Mapping[str, float]]:
    """What decisions went by, per label: the logarithms of posteriors where all are calibrated; else scores.

    Of classifiers of several folds some may be calibrated and others not; their evidence must be of one kind.
    """
    if not all(decision.calibrated for decision in decisions):
        return [decision.scores for decision in decisions]
    return [
        {label: float(np.log(max(value, 1e-300))) for label, value in decision.posteriors.items()}
        for decision in decisions
    ]


def leads(scores: Floats) -> Floats:
    """Each label's score less the best of the others': (n, L) to (n, L), L at least 2.

    Examples
    --------
    >>> leads(np.array([[5.0, 2.0, 1.0]]))
    array([[ 3., -3., -4.]])
    """
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    rest = scores.copy()
    rest[rows, best] = -np.inf
    found = scores - scores[rows, best][:, None]
    found[rows, best] = scores[rows, best] - rest.max(axis=1)
    return np.asarray(found)
