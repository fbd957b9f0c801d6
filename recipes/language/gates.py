"""Classifiers with a gate for what no language explains, and what the gate looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example
from gmmaudio.classify.gate import lead
from gmmaudio.classify.inner_folds import Pieces
from gmmaudio.classify.train import Training, calibrated, fit_classes
from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import map_in_order, one_blas_thread


def gated(clips: Sequence[Example], settings: Training, cut: Pieces, jobs: int) -> Classifier:
    """A classifier with calibration and gate, both learned inside these clips."""
    trained = calibrated(fit_classes(clips, [], settings, jobs), clips, settings, cut, jobs)
    if trained.classifier.gate is None:
        raise DataError("no_gate", f"no threshold could be learned: {trained.notes[-1]}", "take more languages, voices")
    return trained.classifier


def excess(classifier: Classifier, examples: Sequence[Example], jobs: int) -> np.ndarray:
    """(n,) the lead of each example's likeliest label less what the gate demands of its frames, in nats.

    From 0 on the example is answered, below it is unknown.
    """
    gate = classifier.gate
    assert gate is not None

    def one(example: Example) -> float:
        scores = classifier.scorer.score(example.frames)
        likelihoods = classifier.log_likelihoods(scores, len(example.frames))
        return float(lead(likelihoods, likelihoods.argmax()) - gate.threshold(len(example.frames)))

    with one_blas_thread():
        return np.array(list(map_in_order(one, examples, jobs)))


def share(flags: np.ndarray, groups: Sequence[str | None]) -> str:
    """A share in percent, and its 95 % interval."""
    sure = interval(flags, groups)
    return f"{100 * flags.mean():.1f} ({100 * sure.low:.1f}-{100 * sure.high:.1f})"
