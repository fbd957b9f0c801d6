"""Held-out evaluation and cross-validation: what is trained on what, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, read_examples
from gmmaudio.classify.inner_folds import whole_clip
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.classify.train import Training, train
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import DataError, NothingLeft
from gmmaudio.evaluate.durations import evaluate_durations
from gmmaudio.evaluate.heldout import cross_validate, evaluate
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture

FRONT_END = FrontEnd(Mfcc(rate=8000, n_mfcc=5, n_mels=20))
SETTINGS = Training(FRONT_END, components=1)


def tone(path: Path, hertz: float, seed: int, seconds: float = 0.5) -> Path:
    """A buzz whose timbre is its pitch's, with a little noise of its own."""
    t = np.arange(round(seconds * 8000)) / 8000
    noise = np.random.default_rng(seed).standard_normal(len(t))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * t) + 0.01 * noise, 8000)
    return path


def entry(folder: Path, label: str, hertz: float, number: int, **columns: str) -> Entry:
    name = f"{label}-{number}.wav"
    return Entry(tone(folder / name, hertz, number), label, name=name, **columns)  # type: ignore[arg-type]


@pytest.fixture
def contradicting(tmp_path: Path) -> list[Entry]:
    """In fold 1 a is low and b is high; in fold 2 it is the other way round."""
    return [
        entry(tmp_path, label, hertz, number + 10 * int(fold), fold=fold, group=f"{fold}{label}{number}")
        for fold, a, b in (("1", 300, 2500), ("2", 2500, 300))
        for label, hertz in (("a", a), ("b", b))
        for number in range(3)
    ]


def test_a_fold_is_decided_without_its_own_clips(contradicting: list[Entry]) -> None:
    # Whoever was trained on the other fold gets every clip wrong; whoever saw the fold itself, some right.
    found = cross_validate(contradicting, [e.fold or "" for e in contradicting], SETTINGS)
    assert found.pooled.accuracy == 0
    assert dict(found.folds) == {"1": 0.0, "2": 0.0}
    assert [p.path for p in found.pooled.predictions] == [e.name for e in contradicting]
    assert {(p.truth, p.label) for p in found.pooled.predictions} == {("a", "b"), ("b", "a")}


def test_a_fold_is_decided_by_all_the_others(contradicting: list[Entry], tmp_path: Path) -> None:
    # Fold 3 is as fold 1, but has one clip a label: what folds 2 and 3 teach is mostly fold 2, so fold 1 is all wrong,
    # though fold 3 alone would have taught it rightly.
    third = [entry(tmp_path, label, hertz, 31, fold="3", group=label) for label, hertz in (("a", 300), ("b", 2500))]
    every = [*contradicting, *third]
    found = cross_validate(every, [e.fold or "" for e in every], SETTINGS)
    assert (found.folds["1"], found.folds["2"]) == (0, 0)


def test_truth_stays_truth(tmp_path: Path) -> None:
    # Three clips of a that all sound like b: b is answered, a is the truth; never the other way.
    known = [entry(tmp_path, "a", 300, 1), entry(tmp_path, "b", 2500, 2)]
    classifier = train(known, SETTINGS).classifier
    found = evaluate(classifier, [entry(tmp_path, "a", 2500, number) for number in (3, 4, 5)])
    assert [(p.truth, p.label) for p in found.predictions] == [("a", "b")] * 3
    assert found.confusion.tolist() == [[0, 3], [0, 0]]


def test_a_group_on_both_sides_is_refused(contradicting: list[Entry]) -> None:
    torn = [replace(e, group="one") for e in contradicting]
    with pytest.raises(DataError, match="'one'") as caught:
        cross_validate(torn, [e.fold or "" for e in torn], SETTINGS)
    assert caught.value.code == "leakage"
    allowed = cross_validate(torn, [e.fold or "" for e in torn], SETTINGS, allow_leaks=True)
    assert any("LEAKED" in text for text in allowed.as_dict()["warnings"])


def test_the_same_samples_in_two_folds_are_refused(tmp_path: Path, contradicting: list[Entry]) -> None:
    twin = tmp_path / "twin.wav"
    twin.write_bytes(contradicting[0].path.read_bytes())
    copied = [*contradicting, Entry(twin, "a", group="new", fold="2", name="twin.wav")]
    with pytest.raises(DataError, match="same samples in two folds"):
        cross_validate(copied, [e.fold or "" for e in copied], SETTINGS)


def test_the_model_s_own_clips_are_refused(contradicting: list[Entry]) -> None:
    classifier = train(contradicting[:6], SETTINGS).classifier
    with pytest.raises(DataError, match="trained on 2 of the 8 clips") as caught:
        evaluate(classifier, [*contradicting[6:], *contradicting[:2]])
    assert caught.value.code == "leakage"
    found = evaluate(classifier, contradicting[:6], allow_leaks=True)
    assert found.accuracy == 1
    assert any("LEAKED:" in text for text in found.as_dict()["warnings"])


def test_folds_of_which_none_is_trained_for_are_refused(contradicting: list[Entry]) -> None:
    labels = [entry.label for entry in contradicting]
    with pytest.raises(DataError, match="each label is in one fold only") as caught:
        cross_validate(contradicting, labels, SETTINGS)
    assert caught.value.code == "no_common_labels"
    assert "--fold-by" in caught.value.hint


def test_a_label_in_one_fold_only_is_said(contradicting: list[Entry], tmp_path: Path) -> None:
    more = [*contradicting, *(entry(tmp_path, "c", 1200, n, fold="2", group=f"c{n}") for n in (1, 2))]
    found = cross_validate(more, [e.fold or "" for e in more], SETTINGS)
    assert any("'c' are in fold '2'" in text for text in found.as_dict()["warnings"])


def test_failures_are_kept_and_only_failures_are_an_error(contradicting: list[Entry], tmp_path: Path) -> None:
    classifier = train(contradicting[:6], SETTINGS).classifier
    bad = Entry(tmp_path / "none.wav", "a", name="none.wav")
    found = evaluate(classifier, [contradicting[6], bad])
    assert [row["path"] for row in found.errors] == ["none.wav"]
    with pytest.raises(NothingLeft) as caught:
        evaluate(classifier, [bad])
    assert caught.value.exit_status == 4


def test_automatic_components_by_hand(tmp_path: Path) -> None:
    # 8000 Hz, 25 ms windows every 10 ms: 30 s have 2998 frames; 2998 / (50 * 5) = 11.99, and 0.5 s is worth 1.
    long = Entry(tone(tmp_path / "long.wav", 300, 1, 30.0), "a")
    short = Entry(tone(tmp_path / "short.wav", 2500, 2, 0.5), "b")
    trained = train([long, short], Training(FRONT_END))
    assert [row.components for row in trained.classes] == [11, 1]
    assert [row.frames for row in trained.classes] == [2998, 48]


def test_margin_and_voiced_seconds_by_hand() -> None:
    at = lambda mean: Mixture(np.ones(1), np.full((1, 5), mean), Diagonal(np.ones((1, 5))))  # noqa: E731
    classifier = Classifier(("x", "y", "z"), MixtureScorer((at(0.0), at(1.0), at(3.0))), FRONT_END)
    silence, buzz = np.zeros(4000), 0.3 * np.sin(np.arange(4000) / 3)
    decision = classifier.score((np.concatenate([buzz, silence]), 8000))
    # Windows of 200 samples every 80: those that begin before sample 4000 hold some of the buzz, 50 of them.
    assert decision.voiced_seconds == pytest.approx(0.50)
    assert decision.seconds == pytest.approx(1.0)
    frames = np.zeros((7, 5))
    # log N(0; m) falls short of log N(0; 0) by m^2/2 a dimension: scores 0, -2.5, -22.5 apart, best minus second 2.5.
    assert classifier.decide_frames(frames, 1, 1).margin == pytest.approx(2.5)


def test_folds_that_could_not_be_calibrated_say_why(tmp_path: Path) -> None:
    entries = [
        entry(tmp_path, label, hertz, number, fold=str(number % 3), group=f"{label}{number}")
        for label, hertz in (("a", 300), ("b", 2500))
        for number in range(6)
    ]
    folds = [e.fold or "" for e in entries]
    groupless = cross_validate([replace(e, group=None) for e in entries], folds, SETTINGS, pieces=whole_clip)
    (reason,) = groupless.pooled.warnings
    assert "8 of 8 clips have no group" in reason
    # Of a there are the groups 0, 1, 2 alone; without fold 0 two of them are left, and one without fold 1 or 2.
    pairs = [replace(e, group="a-") if e.label == "a" and e.fold != "0" else e for e in entries]
    (reason,) = cross_validate(pairs, folds, SETTINGS, allow_leaks=True, pieces=whole_clip).pooled.warnings[-1:]
    assert reason.startswith("without fold 0: posteriors are not calibrated")


def test_a_clip_that_cannot_be_scored_is_an_error_and_the_others_go_on(contradicting: list[Entry]) -> None:
    trained = train(contradicting, SETTINGS)
    many = contradicting[:5]

    class Stumbling(MixtureScorer):
        def score(self, values: np.ndarray) -> np.ndarray:
            return np.full(2, np.nan) if values.tobytes() == bad else super().score(values)

    frames = read_examples(many, FRONT_END)[0]
    bad = frames[3].frames.tobytes()
    assert isinstance(trained.classifier.scorer, MixtureScorer)
    classifier = replace(trained.classifier, scorer=Stumbling(trained.classifier.scorer.mixtures))
    found = evaluate(classifier, many, allow_leaks=True)
    assert [clip.path for clip in found.predictions] == [e.name for e in many if e is not many[3]]
    assert [(error["path"], error["error"]["code"]) for error in found.errors] == [(many[3].name, "out_of_range")]
    short = evaluate_durations(classifier, many, [0.5]).found[0.5]
    assert [error["path"] for error in short.errors] == [many[3].name]
    assert len(short.predictions) == 4


def test_a_label_called_unknown_is_refused_before_any_clip_is_read(tmp_path: Path) -> None:
    entries = [Entry(tmp_path / f"{label}{i}.wav", label, fold=str(i)) for label in ("a", "unknown") for i in (0, 1)]
    for run in (
        lambda read: train(entries, SETTINGS, read=read),
        lambda read: cross_validate(entries, [e.fold or "" for e in entries], SETTINGS, read=read),
    ):
        with pytest.raises(DataError) as caught:
            run(lambda *_: pytest.fail("read"))
        assert caught.value.code == "reserved_label"


def test_each_fold_is_calibrated_on_pieces_of_the_others(tmp_path: Path) -> None:
    """Every clip is cut when one of the other two folds is held out, never when its own is."""
    entries = [
        entry(tmp_path, label, hertz, number, fold=str(number % 3), group=f"{label}{number}")
        for label, hertz in (("a", 300), ("b", 900), ("c", 2500))
        for number in range(12)
    ]
    heard: list[str | None] = []

    def cut(example: Example) -> list[tuple[Example, float]]:
        heard.append(example.entry.name)
        return whole_clip(example)

    found = cross_validate(entries, [e.fold or "" for e in entries], SETTINGS, pieces=cut)
    assert found.pooled.warnings == []
    assert not any(clip.decision is None or clip.decision.unknown for clip in found.pooled.predictions)
    assert sorted(map(str, heard)) == sorted(2 * [e.name for e in entries])
    assert all(clip.decision is not None and clip.decision.calibrated for clip in found.pooled.predictions)
