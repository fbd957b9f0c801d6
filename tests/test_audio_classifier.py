"""The clip-level estimator: what it learns is what the command line learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import gmmaudio
from gmmaudio.classify.model_file import to_bytes
from gmmaudio.classify.train import Training, train
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import PRESETS


def test_it_trains_the_same_model_as_the_training_run(corpus: Path, tmp_path: Path) -> None:
    entries = in_split(read_corpus(corpus), "train")
    model = gmmaudio.AudioClassifier("speech", components=2, n_jobs=2)
    model.fit([e.path for e in entries], [e.label for e in entries], [e.group for e in entries])
    direct = train(entries, Training(PRESETS["speech"], components=2)).classifier
    assert to_bytes(model.classifier_) == to_bytes(direct)
    model.save(tmp_path / "m.safetensors")
    path = entries[0].path
    assert gmmaudio.load(tmp_path / "m.safetensors").score(path).label == model.predict([path])[0]
    assert 0.5 <= model.score([e.path for e in entries], [e.label for e in entries]) <= 1  # chance is 0.25
    np.testing.assert_allclose(model.predict_proba([path]).sum(axis=1), 1)
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("estimator", "method", "more"),
    [
        *((gmmaudio.AudioClassifier, name, ()) for name in ("predict", "predict_proba")),
        (gmmaudio.AudioClassifier, "score", (["x"],)),
        *((gmmaudio.AnomalyDetector, name, ()) for name in ("predict", "decision_function", "score_samples")),
    ],
)
def test_nothing_is_predicted_before_a_fit(estimator: type, method: str, more: tuple[object, ...]) -> None:
    with pytest.raises(NotFittedError):
        getattr(estimator(), method)([(np.zeros(8000), 8000)], *more)
    for one in (gmmaudio.AudioClassifier(), gmmaudio.AnomalyDetector()):
        with pytest.raises(NotFittedError):
            one.save("never.safetensors")


def test_bad_clips_are_left_out_of_training_and_raised_in_prediction(corpus: Path, tmp_path: Path) -> None:
    entries = in_split(read_corpus(corpus), "train")[::4]
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"")
    paths, labels = [*(e.path for e in entries), bad], [*(e.label for e in entries), "arvi"]
    model = gmmaudio.AudioClassifier("speech", components=1).fit(paths, labels)
    assert [f.entry.path for f in model.report_.failures] == [bad]
    with pytest.raises(ClipError) as caught:
        model.predict([bad])
    assert caught.value.code == "empty_file"


@pytest.mark.parametrize(
    ("settings", "labels", "code"),
    [
        ({"method": "magic"}, ["a", "b"], "bad_setting"),
        ({"components": "many"}, ["a", "b"], "bad_setting"),
        ({"preset": "jazz"}, ["a", "b"], "unknown_preset"),
        ({}, ["a"], "bad_shape"),
        ({}, ["a", "a"], "one_class"),
    ],
)
def test_what_cannot_be_fitted(settings: dict, labels: list[str], code: str) -> None:
    noise = np.random.default_rng(0).standard_normal(8000) / 10
    with pytest.raises(DataError) as caught:
        gmmaudio.AudioClassifier(**settings).fit([(noise, 8000), (noise, 8000)], labels)
    assert caught.value.code == code
