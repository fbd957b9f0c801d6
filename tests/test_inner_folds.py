"""Held-out scores: whom each scorer had heard, and what is said where nothing can be held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.examples import Example, Failure, read_example, read_examples
from gmmaudio.classify.gate import Gate
from gmmaudio.classify.inner_folds import (
    calibrate,
    clip_pieces,
    folds_at_most,
    held_out,
    outsiders,
    whole_clip,
    without_own,
)
from gmmaudio.classify.pieces import piece_examples, spans
from gmmaudio.classify.scorers import MixtureScorer, Scorer
from gmmaudio.classify.train import Training, fit_classes
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.measures.multiclass import multiclass_cllr


def example(label: str, group: str | None, number: int, frames: int = 40) -> Example:
    """Frames about the label's own corner, moved by something of the group's."""
    corner = "abcdef".index(label) * np.array([1.0, -0.5, 0.25])
    voice = np.random.default_rng([*(group or "").encode(), 1]).normal(0, 0.3, 3)
    values = corner + voice + np.random.default_rng([ord(label), number]).normal(size=(frames, 3))
    return Example(Entry(Path(f"{label}{number}.wav"), label, group), values.astype(np.float32), 0.4, 0.4, "", ())


def examples_of(labels: str, groups: Sequence[str | None], clips: int = 2) -> list[Example]:
    pairs = [(label, i) for label in labels for i in range(len(groups))]
    return [example(label, groups[i], 100 * i + j) for label, i in pairs for j in range(clips)]


@dataclass
class Recording:
    """Trains a Gaussian per label, and remembers whom it has heard and whom its scorers have scored."""

    heard: list[tuple[set[str], set[str]]] = field(default_factory=list)
    scored: list[tuple[int, bytes]] = field(default_factory=list)

    def __call__(self, examples: Sequence[Example]) -> MixtureScorer:
        number = len(self.heard)
        self.heard.append(({str(e.entry.group) for e in examples}, {e.entry.label for e in examples}))
        labels = sorted({e.entry.label for e in examples})
        frames = [np.concatenate([e.frames for e in examples if e.entry.label == label]) for label in labels]
        mixtures = tuple(
            Mixture(np.ones(1), own.mean(0, dtype=float)[None], Diagonal(own.var(0, dtype=float)[None]))
            for own in frames
        )
        recording = self

        class Scorer(MixtureScorer):
            def score(self, values: np.ndarray) -> np.ndarray:
                recording.scored.append((number, values.tobytes()))
                return super().score(values)

        return Scorer(mixtures)


GROUPS = ["ann", "bob", "cat", "dan", "eve"]


def test_no_clip_is_scored_by_a_scorer_that_heard_its_group() -> None:
    examples, record = examples_of("abc", GROUPS), Recording()
    folds = folds_at_most(examples, 4)
    found = held_out(examples, folds, record, whole_clip)
    owner = {e.frames.tobytes(): e for e in examples}
    assert len(record.scored) == len(examples) == len(found.scores)
    for number, frames in record.scored:
        assert str(owner[frames].entry.group) not in record.heard[number][0]
        assert record.heard[number][1] == {"a", "b", "c"}


def test_no_outsider_is_scored_by_a_scorer_that_heard_its_group_or_its_label() -> None:
    examples, record = examples_of("abcd", GROUPS), Recording()
    found = outsiders(examples, folds_at_most(examples, 4), record, whole_clip)
    owner = {e.frames.tobytes(): e for e in examples}
    assert {owner[frames].entry.label for _, frames in record.scored} == {"a", "b", "c", "d"}
    for number, frames in record.scored:
        own, (groups, labels) = owner[frames].entry, record.heard[number]
        assert str(own.group) not in groups
        assert labels == {"a", "b", "c", "d"} - {own.label}
    assert len(record.heard) == 4
    assert len({frozenset(groups) for groups, _ in record.heard}) == 4  # the four folds take turns
    rows = np.arange(len(found.truth))
    assert (found.scores[rows, found.truth] == -np.inf).all()
    assert np.isfinite(found.scores).sum() == 3 * len(rows)


def test_striking_a_label_out_is_training_without_it_where_labels_are_trained_apart() -> None:
    examples = examples_of("abcd", GROUPS)
    folds = folds_at_most(examples, 4)
    slow = outsiders(examples, folds, Recording(), whole_clip)
    quick = without_own(held_out(examples, folds, Recording(), whole_clip))
    of_clip = dict(zip(quick.clip.tolist(), quick.scores, strict=True))
    for clip, scores in zip(slow.clip.tolist(), slow.scores, strict=True):
        np.testing.assert_allclose(of_clip[clip], scores, rtol=1e-6)  # single precision, centred elsewhere


def test_calibration_and_gate_from_examples_with_the_same_bits_for_any_jobs() -> None:
    examples = examples_of("abcd", GROUPS, clips=4)
    one, two = (calibrate(examples, Recording(), whole_clip, separate=True, jobs=jobs) for jobs in (1, 3))
    assert one == two
    assert isinstance(one.calibration, Calibration)
    assert isinstance(one.gate, Gate)
    assert one.calibration.groups == 5
    assert one.calibration.clips == one.gate.levels[0].insiders == 80
    assert one.remarks == ()
    # A voice's own place makes 40 frames worth far less than 40 times a frame's log-likelihood ratio.
    assert one.calibration.scale * 40 / (40 + one.calibration.half) < 40 / 2


def test_a_label_of_one_group_leaves_everything_uncalibrated_and_says_so() -> None:
    examples = [*examples_of("ab", GROUPS), *examples_of("c", ["zoe"])]
    found = calibrate(examples, Recording(), whole_clip)
    assert (found.calibration, found.gate) == (None, None)
    assert len(found.remarks) == 1
    assert "not calibrated" in found.remarks[0]
    assert "'c'" in found.remarks[0]
    assert "one group" in found.remarks[0]


def test_known_labels_are_held_out_in_six_folds_and_outsiders_in_four() -> None:
    examples, recording = examples_of("abc", [*GROUPS, "fay", "gus", "hal"]), Recording()
    calibrate(examples, recording, whole_clip)
    everyone = {str(e.entry.group) for e in examples}
    known = [everyone - groups for groups, labels in recording.heard if labels == set("abc")]
    without = [everyone - groups for groups, labels in recording.heard if len(labels) == 2]
    assert (len(known), set.union(*known)) == (6, everyone)
    assert [len(groups) for groups in without] == [2, 2, 2]  # of eight groups a quarter


def test_two_groups_make_two_folds() -> None:
    folds = folds_at_most(examples_of("ab", ["ann", "bob"]), 6)
    assert set(folds.tolist()) == {0, 1}


def test_two_labels_are_calibrated_but_have_no_gate() -> None:
    found = calibrate(examples_of("ab", GROUPS), Recording(), whole_clip)
    assert found.calibration is not None
    assert found.gate is None
    assert "nothing is answered unknown" in found.remarks[0]


def test_without_a_rate_no_gate_is_learned_and_no_label_left_out() -> None:
    examples, recording = examples_of("abc", GROUPS), Recording()
    found = calibrate(examples, recording, whole_clip, false_accept=None)
    assert found.calibration == calibrate(examples, Recording(), whole_clip).calibration
    assert found.gate is None
    assert found.remarks == ()
    assert all(labels == set("abc") for _, labels in recording.heard)


@pytest.mark.parametrize("groups", [[None] * 6, ["ann", *[None] * 5], ["ann", "bob", *[None] * 4]])
def test_clips_of_which_most_have_no_group_are_not_calibrated(groups: list[str | None]) -> None:
    # Whether a fold shares a voice with another cannot be known, and such folds teach to be too sure.
    recording = Recording()
    found = calibrate(examples_of("abc", groups), recording, whole_clip, separate=True)
    assert (found.calibration, found.gate) == (None, None)
    assert f"{6 * groups.count(None)} of 36 clips have no group, and without groups that cannot" in found.remarks[0]
    assert recording.heard == []


def test_a_few_clips_without_a_group_are_told() -> None:
    found = calibrate(examples_of("abcd", [*GROUPS, None]), Recording(), whole_clip, separate=True)
    assert found.calibration is not None
    assert found.remarks[-1].startswith("8 of 48 clips have no group: if they share voices")


def test_training_that_fails_on_a_fold_is_a_remark() -> None:
    def fails(_: Sequence[Example]) -> MixtureScorer:
        raise DataError("too_few_frames", "label 'a' has 3 frames")

    found = calibrate(examples_of("abc", GROUPS), fails, whole_clip)
    assert found.calibration is None
    assert "label 'a' has 3 frames" in found.remarks[0]


def test_pieces_lie_end_to_end_and_evenly_spread() -> None:
    assert spans(30.0, 10.0) == [(0.0, 10.0), (10.0, 20.0), (20.0, 30.0)]
    # 60 parts of 1 s: the middles of three ranges of 20
    assert spans(60.0, 1.0) == [(10.0, 11.0), (30.0, 31.0), (50.0, 51.0)]
    assert spans(2.9, 3.0) == [(0.0, 2.9)]
    assert spans(2.8, 3.0) == []
    assert spans(10.0, 1.0, most=1) == [(5.0, 6.0)]
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="above 0"):
            spans(3.0, bad)


def test_a_piece_is_what_the_front_end_makes_of_its_samples_alone(corpus: Path, tmp_path: Path) -> None:
    entry = in_split(read_corpus(corpus), "train")[0]
    found = piece_examples(entry, PRESETS["speech"], [1.0, 0.5, 3.0])
    assert [len(found[length]) for length in (1.0, 0.5, 3.0)] == [2, 3, 0]
    samples, rate = soundfile.read(entry.path, dtype="float32")
    soundfile.write(tmp_path / "second.wav", samples[rate : 2 * rate], rate, subtype="FLOAT")
    alone = read_example(Entry(tmp_path / "second.wav", "x"), PRESETS["speech"])
    second = found[1.0][1]
    assert isinstance(second, Example)
    assert (second.entry.start, second.entry.end) == (1.0, 2.0)
    if rate == PRESETS["speech"].rate:
        np.testing.assert_array_equal(second.frames, alone.frames)
    else:  # resampled as a whole and then cut: the filter rings across the cut
        np.testing.assert_allclose(second.frames[5:-5], alone.frames[5:-5], atol=0.3)


def test_pieces_of_a_segment_are_placed_in_the_file(corpus: Path) -> None:
    entry = replace(in_split(read_corpus(corpus), "train")[0], start=0.5, end=2.0)
    pieces = piece_examples(entry, PRESETS["speech"], [0.75])[0.75]
    assert [(piece.entry.start, piece.entry.end) for piece in pieces] == [(0.5, 1.25), (1.25, 2.0)]


def test_a_silent_piece_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    rate = 8000
    samples = np.concatenate([np.zeros(rate), np.random.default_rng(0).normal(0, 0.1, rate)])
    soundfile.write(tmp_path / "half.wav", samples, rate)
    found = piece_examples(Entry(tmp_path / "half.wav", "x"), PRESETS["speech"], [1.0])[1.0]
    assert isinstance(found[0], Failure)
    assert found[0].error.code == "silence"
    assert isinstance(found[1], Example)


def test_the_pieces_of_a_clip_count_as_much_as_the_whole_at_each_length(corpus: Path) -> None:
    one = read_example(in_split(read_corpus(corpus), "train")[0], PRESETS["speech"])
    found = clip_pieces(PRESETS["speech"], (30.0, 1.0, 0.5))(one)
    assert [weight for _, weight in found] == pytest.approx([1.0, 1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    assert found[0][0] is one
    assert [part.seconds for part, _ in found] == [2.0, 1.0, 1.0, 0.5, 0.5, 0.5]


def test_what_training_speakers_teach_holds_for_others(corpus: Path) -> None:
    """The whole way on the synthetic corpus: three speakers train, calibrate and set the gate; the fourth is tested."""
    settings = Training(PRESETS["speech"], components=4)
    examples, _ = read_examples(in_split(read_corpus(corpus), "train"), settings.front_end)
    tests, _ = read_examples(in_split(read_corpus(corpus), "test"), settings.front_end)

    def train_fold(some: Sequence[Example]) -> Scorer:
        return fit_classes(some, [], settings).classifier.scorer

    found = calibrate(examples, train_fold, clip_pieces(settings.front_end, (1.0, 0.5)), separate=True)
    assert found.remarks == ()
    assert found.gate is not None
    assert [level.seconds for level in found.gate.levels] == [0.5, 1.0, 2.0]
    raw = fit_classes(examples, [], settings).classifier
    ready = replace(raw, calibration=found.calibration)
    truth = [raw.labels.index(example.entry.label) for example in tests]
    costs = []
    for classifier in (raw, ready):
        decisions = [classifier.decide_frames(e.frames, e.seconds, e.voiced_seconds) for e in tests]
        table = np.array([[decision.posteriors[label] for label in raw.labels] for decision in decisions])
        costs.append(multiclass_cllr(truth, np.log(np.maximum(table, 1e-300))))
    # Guessing costs log2 4 = 2 bits. Uncalibrated, an error costs hundreds; calibrated, less than guessing does.
    assert costs[1] < 2 < costs[0]
