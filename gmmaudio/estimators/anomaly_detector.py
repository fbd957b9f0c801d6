"""AnomalyDetector: normal clips in, a model of them and a threshold out, in the manner of scikit-learn's detectors."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from gmmaudio.classify.classifier import Classifier, Source
from gmmaudio.classify.floor import Floor
from gmmaudio.classify.model_file import save
from gmmaudio.classify.one_class import fit_one_class
from gmmaudio.classify.train import Trained
from gmmaudio.corpus.one_label import NORMAL
from gmmaudio.estimators.clips import decisions, entries_of, examples_of, training


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Tells clips that are unlike all it was trained on, by their likelihood; trained on normal clips alone.

    Parameters
    ----------
    preset : str, default "general"
        The front end: "general", "speech", "language", "genre", or a TOML file.
    components : "auto" or int, default "auto"
        Components of the mixture; "auto" goes by the amount of audio.
    false_alarms : float, default 0.05
        The share of normal clips that may be taken for anomalies, in (0, 1): it sets the threshold, on training clips
        held out in turn. At least ``1 / false_alarms - 1`` clips are needed.
    random_state : int, default 0
    n_jobs : int, optional
        Threads, as in joblib; the result has the same bits for any number.

    Attributes
    ----------
    offset_ : float
        The threshold, in mean nats per frame.
    classifier_ : Classifier
        What was trained; ``gmmaudio.load`` gives the same from a saved file. Its ``floor`` says what false alarms
        were measured.
    report_ : Trained
        What went into it; clips that failed are in ``report_.failures``.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(25, 8000))
    >>> detector = AnomalyDetector(components=1).fit([(clip, 16000) for clip in noise[:24]])
    >>> whistle = noise[24] + 0.3 * np.sin(np.arange(8000))
    >>> detector.predict([(noise[24], 16000), (whistle, 16000)])
    array([ 1, -1])
    """

    def __init__(
        self,
        preset: str = "general",
        components: str | int = "auto",
        false_alarms: float = 0.05,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.preset = preset
        self.components = components
        self.false_alarms = false_alarms
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, clips: Sequence[Source], y: None = None, groups: Sequence[str | None] | None = None) -> Any:
        """Train on normal clips.

        Parameters
        ----------
        clips : sequence of path or (samples, rate)
            Clips that cannot be used are left out, and are in ``report_.failures``.
        y : None
            Not used; there for scikit-learn.
        groups : sequence of str or None, optional
            Machine, session or recording of each clip: the threshold is set on groups that were not heard.

        Raises
        ------
        DataError
            ``bad_setting``, ``too_few_clips``, ``too_few_groups``, ``too_few_frames``, ``bad_shape``.
        """
        del y
        settings = training(self.preset, self.components, self.random_state)
        jobs = effective_n_jobs(self.n_jobs)
        entries = entries_of(clips, [NORMAL] * len(clips), groups)
        examples, failures = examples_of(clips, entries, settings.front_end, jobs)
        self.report_: Trained = fit_one_class(examples, failures, settings, self.false_alarms, jobs)
        self.classifier_: Classifier = self.report_.classifier
        floor: Floor = self.classifier_.floor  # type: ignore[assignment]  # it has been set just now
        self.offset_: float = floor.threshold
        return self

    def score_samples(self, clips: Sequence[Source]) -> NDArray[np.float64]:
        """Mean nats per frame (n,): the lower, the less normal.

        Raises
        ------
        ClipError
            A clip cannot be used; score them one by one with ``classifier_.score_all`` to have the others.
        """
        check_is_fitted(self)
        found = decisions(self.classifier_, clips, effective_n_jobs(self.n_jobs))
        return np.array([decision.scores[NORMAL] for decision in found])

    def decision_function(self, clips: Sequence[Source]) -> NDArray[np.float64]:
        """The same less the threshold: below 0 for anomalies."""
        return self.score_samples(clips) - self.offset_

    def predict(self, clips: Sequence[Source]) -> NDArray[np.int64]:
        """1 for clips taken for normal, -1 for anomalies, (n,)."""
        return np.where(self.decision_function(clips) < 0, -1, 1)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to a file, for ``gmmaudio.load`` and the command line."""
        check_is_fitted(self)
        save(self.classifier_, path)
