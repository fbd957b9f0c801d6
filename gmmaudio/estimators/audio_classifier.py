"""AudioClassifier: clips and labels in scikit-learn's manner, the training run and the model file behind it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from gmmaudio.classify.classifier import Classifier, Source
from gmmaudio.classify.model_file import save
from gmmaudio.classify.train import Trained, calibrated, fit_classes
from gmmaudio.corpus.manifest import require_classes
from gmmaudio.estimators.clips import decisions, entries_of, examples_of, training


class AudioClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of whole clips.

    Parameters
    ----------
    preset : str, default "general"
        The front end: "general", "speech", "language", "genre", or a TOML file.
    method : "ml", "map" or "supervector", default "ml"
        One mixture per label, by maximum likelihood; a background mixture adapted to each label; a linear machine on
        what sets a clip apart from the background.
    components : "auto" or int, default "auto"
        Components per label, or of the background; "auto" goes by the amount of audio.
    calibrate : bool, default False
        Calibrate the posteriors, on folds of the training clips that divide no group. Takes several times as long.
    random_state : int, default 0
    n_jobs : int, optional
        Threads, as in joblib; the result has the same bits for any number.

    Attributes
    ----------
    classes_ : (n_labels,) array of str
    classifier_ : Classifier
        What was trained; ``gmmaudio.load`` gives the same from a saved file.
    report_ : Trained
        What went into it, label by label; clips that failed are in ``report_.failures``.

    Examples
    --------
    >>> t = np.arange(16000) / 16000
    >>> low, high = (np.sin(2 * np.pi * f * t) + 0.01 * np.sin(np.arange(16000) ** 2) for f in (300, 3000))
    >>> model = AudioClassifier(components=1).fit([(low, 16000), (high, 16000)], ["low", "high"])
    >>> model.predict([(high[:8000], 16000)])
    array(['high'], dtype='<U4')
    """

    def __init__(
        self,
        preset: str = "general",
        method: str = "ml",
        components: str | int = "auto",
        random_state: int = 0,
        n_jobs: int | None = None,
        calibrate: bool = False,
    ) -> None:
        self.preset = preset
        self.method = method
        self.components = components
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.calibrate = calibrate

    def fit(
        self, clips: Sequence[Source], labels: Sequence[str], groups: Sequence[str | None] | None = None
    ) -> AudioClassifier:
        """Train on clips.

        Parameters
        ----------
        clips : sequence of path or (samples, rate)
            Clips that cannot be used are left out, and are in ``report_.failures``.
        labels : sequence of str
        groups : sequence of str or None, optional
            Speaker, artist or recording of each clip; kept, as a hash, so that evaluation can warn.

        Raises
        ------
        DataError
            ``bad_setting``, ``one_class``, ``empty_class``, ``too_few_frames``, ``bad_shape``.
        """
        settings = training(self.preset, self.components, self.random_state, self.method)
        entries = entries_of(clips, labels, groups)
        require_classes(entries)
        jobs = effective_n_jobs(self.n_jobs)
        examples, failures = examples_of(clips, entries, settings.front_end, jobs)
        trained = fit_classes(examples, failures, settings, jobs)
        if self.calibrate:
            trained = calibrated(trained, examples, settings, jobs=jobs)
        self.report_: Trained = trained
        self.classifier_: Classifier = self.report_.classifier
        self.classes_: NDArray[Any] = np.array(self.classifier_.labels)
        return self

    def predict(self, clips: Sequence[Source]) -> NDArray[Any]:
        """The label of each clip (n,).

        Raises
        ------
        ClipError
            A clip cannot be used; score them one by one with ``classifier_.score_all`` to have the others.
        """
        best = self.predict_proba(clips).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, clips: Sequence[Source]) -> NDArray[np.float64]:
        """Posteriors (n, n_labels); far too sure of themselves without ``calibrate``."""
        check_is_fitted(self)
        found = decisions(self.classifier_, clips, effective_n_jobs(self.n_jobs))
        return np.array([[d.posteriors[str(label)] for label in self.classes_] for d in found])

    def score(self, clips: Sequence[Source], labels: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The accuracy on clips and their true labels."""
        return float(super().score(clips, labels, sample_weight))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the classifier to a model file, for ``gmmaudio.load`` and the command line."""
        check_is_fitted(self)
        save(self.classifier_, path)
