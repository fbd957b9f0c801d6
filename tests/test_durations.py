"""Figures that need posteriors, and evaluation by duration: by hand, against the measures, on the synthetic corpus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.classify.gate import Gate, Level
from gmmaudio.classify.train import Trained
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.errors import DataError
from gmmaudio.evaluate.durations import evaluate_durations, lengths_from
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.posterior_figures import posterior_figures
from gmmaudio.measures.cllr import cllr

LABELS = ["cat", "dog", "emu"]


def test_figures_by_hand() -> None:
    truth = ["cat", "cat", "dog", "emu"]
    rows = [[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]
    said = [dict(zip(LABELS, row, strict=True)) for row in rows]
    found = posterior_figures(truth, ["cat", "dog", "dog", "emu"], said, LABELS, list("abcd"))
    # Accepted where the posterior exceeds 1/3, its value for knowing nothing: cat, dog, dog, emu. Misses: cat 1/2.
    # False alarms: dog on one of two cats. C(cat) = 1/2 x 1/2; C(dog) = 1/2 x mean(1/2, 0); C(emu) = 0.
    assert found["cavg"][0] == pytest.approx((0.25 + 0.125 + 0) / 3, abs=1e-12)
    # Confidences 0.8, 0.6, 0.8, 0.5 in bins of 1/15; right, wrong, right, right.
    assert found["calibration_error"][0] == pytest.approx((0.2 + 0.6 + 0.2 + 0.5) / 4, abs=1e-12)
    # emu's detector: odds against the mean of the others are 2 p / (1 - p).
    llr = [np.log(2 * p / (1 - p)) for p in (0.1, 0.2, 0.1, 0.5)]
    emu = (cllr([llr[3]], [llr[0], llr[1]]) + cllr([llr[3]], [llr[2]])) / 2  # the other labels weigh the same
    cat = (cllr([np.log(8), np.log(0.5)], [np.log(2 / 9)]) + cllr([np.log(8), np.log(0.5)], [np.log(2 / 3)])) / 2
    dog = (cllr([np.log(8)], [np.log(2 / 9), np.log(3)]) + cllr([np.log(8)], [np.log(2 / 3)])) / 2
    assert found["cllr"][0] == pytest.approx((cat + dog + emu) / 3, abs=1e-12)
    assert 0 <= found["min_cllr"][0] <= found["cllr"][0]


def test_a_refused_clip_accepts_nothing() -> None:
    said = [{"cat": 0.9, "dog": 0.1}, {"cat": 0.1, "dog": 0.9}]
    given, refused = (
        posterior_figures(["cat", "dog"], answers, said, ["cat", "dog"], [None, None])["cavg"][0]
        for answers in (["cat", "dog"], [None, None])
    )
    assert given == 0.0
    assert refused == 0.5  # Cavg of a system that accepts nothing


def test_a_clip_out_of_set_counts_in_cavg_alone() -> None:
    said = [{"cat": 0.9, "dog": 0.1}, {"cat": 0.1, "dog": 0.9}, {"cat": 0.99, "dog": 0.01}]
    found = posterior_figures(["cat", "dog", "yak"], ["cat", "dog", "cat"], said, ["cat", "dog"], [None] * 3)
    closed = posterior_figures(["cat", "dog"], ["cat", "dog"], said[:2], ["cat", "dog"], [None] * 2)
    assert found["cavg"][0] == pytest.approx(0.2 / 2)  # NIST's prior for out of set, accepted by one of two labels
    for name in ("cllr", "min_cllr", "calibration_error"):
        assert found[name][0] == closed[name][0]


def test_a_posterior_rounded_to_nothing_costs_a_lot_and_not_infinitely_much() -> None:
    said = [{"cat": 0.0, "dog": 1.0}, {"cat": 0.0, "dog": 1.0}]
    found = posterior_figures(["cat", "dog"], ["dog", "dog"], said, ["cat", "dog"], [None] * 2)
    bits = 300 * np.log2(10)
    assert found["cllr"][0] == pytest.approx(bits / 2, rel=1e-6)  # each detector: 1/2 of its side for the one clip


def test_without_two_labels_there_are_no_figures() -> None:
    assert posterior_figures(["cat"], ["cat"], [{"cat": 1.0}], ["cat"], [None]) == {}
    assert posterior_figures(["cat"], ["cat"], [{"cat": 0.5, "dog": 0.5}], ["cat", "dog"], [None]) == {}


def predictions(count: int, seed: int = 0) -> list[Prediction]:
    """Clips of three labels whose posteriors are right by construction: the truth is drawn from them."""
    draw = np.random.default_rng(seed)
    clips = []
    for i, row in enumerate(draw.dirichlet([0.4] * 3, size=count)):
        truth, said = LABELS[draw.choice(3, p=row)], dict(zip(LABELS, row.tolist(), strict=True))
        label = max(said, key=lambda name: said[name])
        decision = Decision(label, said, said, "logit", 0.1, 1.0, 1.0, calibrated=True)
        clips.append(Prediction(f"{i}.wav", truth, label, f"g{i % 24}", 1.0, decision=decision))
    return clips


def test_an_evaluation_shows_them_with_intervals() -> None:
    found = Evaluation(predictions(1500), LABELS)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["calibrated"] is True
    for name in ("cavg", "cllr", "min_cllr", "calibration_error"):
        low, high = plain[f"{name}_interval"]
        assert low <= plain[name] <= high
    assert plain["calibration_error"] < 0.05  # posteriors are right by construction; 1500 clips in 15 bins
    assert plain["cllr"] < plain["min_cllr"] + 0.03
    text = found.as_text()
    assert "min-Cllr (bits)    0." in text
    assert "not calibrated" not in text


def test_an_evaluation_without_posteriors_shows_none() -> None:
    found = Evaluation([replace(clip, decision=None) for clip in predictions(20)], LABELS)
    assert found.posterior_figures == {}
    assert "cllr" not in found.as_dict()
    assert "Cllr" not in found.as_text()
    assert found.as_dict()["calibrated"] is False


def test_a_figure_that_hangs_on_one_group_has_an_interval_over_clips() -> None:
    clips = [replace(clip, group=clip.truth) for clip in predictions(60) if clip.truth != "emu"]
    plain = Evaluation(clips, LABELS).as_dict()  # without either group one label is left, and no Cavg
    low, high = plain["cavg_interval"]
    assert low < plain["cavg"] < high
    assert plain["cavg_interval_method"].endswith("over clips")
    assert plain["cavg_groups"] == 2


@pytest.mark.parametrize("text", ["", "3,", "3,x", "3,3", "0", "-1,3", "nan", "inf", "1e-320", "3,0.001"])
def test_durations_that_make_no_sense(text: str) -> None:
    with pytest.raises(DataError, match="3,1"):
        lengths_from(text)


def test_pieces_by_length(corpus: Path, trained: Trained) -> None:
    entries = in_split(read_corpus(corpus), "test")  # 4 labels, one speaker each, 4 clips of 2 s
    found = evaluate_durations(trained.classifier, entries, lengths_from("30,2,0.5"), jobs=2)
    assert list(found.found) == [2.0, 0.5]
    assert list(found.too_long) == [30.0]
    assert [len(each.predictions) for each in found.found.values()] == [16, 48]
    whole = found.found[2.0].predictions[0]
    assert whole.decision is not None
    assert whole.decision.scores == trained.classifier.score(entries[0].path).scores
    assert (whole.start, whole.end) == (0.0, 2.0)
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [row["duration"] for row in read["durations"]] == [2.0, 0.5]
    assert read["durations"][0]["identification_error"] == pytest.approx(1 - found.found[2.0].accuracy)
    for row in read["durations"]:
        low, high = row["identification_error_interval"]
        assert 0 <= low <= row["identification_error"] <= high <= 1
        assert low < high
    assert {"cavg", "cllr", "min_cllr", "calibration_error", "clips", "groups"} <= set(read["durations"][0])
    lines = found.as_text().splitlines()
    assert lines[0].split()[:3] == ["seconds", "pieces", "groups"]
    assert lines[1].split()[:2] == ["2", "16"]
    assert float(lines[1].split()[3]) == pytest.approx(100 * (1 - found.found[2.0].accuracy), abs=0.0501)
    assert lines[1].split()[4] == "0.0"  # refused
    assert len(max(lines, key=len)) <= 110
    assert "no clip of the model's labels is as long as 30 s" in found.as_text().splitlines()
    assert read["too_long"] == [30.0]


def test_short_clips_are_left_out_and_counted_and_bad_files_are_errors(
    corpus: Path, trained: Trained, tmp_path: Path
) -> None:
    good = in_split(read_corpus(corpus), "test")[:2]
    bad = Entry(tmp_path / "none.wav", good[0].label)
    short = replace(good[0], start=0.0, end=0.6)
    found = evaluate_durations(trained.classifier, [*good, bad, short], [1.0, 0.5])
    assert [len(each.predictions) for each in found.found.values()] == [4, 7]
    assert "1 of 4 clips are shorter, and left out" in found.found[1.0].warnings
    assert [error["path"] for error in found.found[1.0].errors] == [bad.name]


def wary(classifier: Classifier) -> Classifier:
    """A classifier whose gate lets nothing through."""
    level = Level(1.0, 100, 1e9, 0.05, 0.0, 0.1, 0.0, 0.0, 0.1, 9, 9)
    return replace(classifier, gate=Gate(0.05, (level,)), unknown="always")


def test_unknown_clips_that_are_too_short_leave_the_other_figures_alone(corpus: Path, trained: Trained) -> None:
    known = in_split(read_corpus(corpus), "test")
    short = [replace(known[0], label="unknown", start=0.0, end=0.6), replace(known[5], label="unknown", end=0.6)]
    plain = evaluate_durations(replace(trained.classifier, gate=None), known, [1.0, 0.5]).found
    found = evaluate_durations(wary(trained.classifier), [*known, *short], [1.0, 0.5]).found
    assert [each.open_set is None for each in found.values()] == [True, False]
    for length, each in found.items():
        assert each.predicted == plain[length].predicted
        assert each.accuracy == plain[length].accuracy
    assert found[0.5].open_set.as_dict()["false_rejects"] == 1.0  # type: ignore[union-attr]


def test_a_length_of_unknown_clips_alone_says_what_is_left_out(corpus: Path, trained: Trained) -> None:
    entries = in_split(read_corpus(corpus), "test")
    known = [replace(entry, start=0.0, end=0.6) for entry in entries[:4]]
    unknown = [replace(entry, label="unknown") for entry in entries[4:7]]
    found = evaluate_durations(wary(trained.classifier), [*known, *unknown], [1.0, 0.5])
    # Clips of 2 s hold two pieces of 1 s each.
    said = "no clip of the model's labels is as long as 1 s; 6 pieces of clips labelled unknown are left out"
    assert said in found.as_text().splitlines()
    assert found.as_dict()["too_long_notes"] == [said]


def test_nothing_is_long_enough(corpus: Path, trained: Trained) -> None:
    with pytest.raises(DataError, match="no piece of 60, 30 s"):
        evaluate_durations(trained.classifier, in_split(read_corpus(corpus), "test")[:1], [60.0, 30.0])


def test_a_calibrated_classifier_is_less_sure_of_less(corpus: Path, trained: Trained) -> None:
    calibration = Calibration(1.0, 200.0, (0.0,) * 4, (0.0,) * 4, 50, 10, 3)
    classifier = replace(trained.classifier, calibration=calibration)
    entry = in_split(read_corpus(corpus), "test")[0]
    found = evaluate_durations(classifier, [entry], [2.0, 0.3])
    sure = {n: np.mean([max(c.decision.posteriors.values()) for c in e.predictions]) for n, e in found.found.items()}  # type: ignore[union-attr]
    assert sure[2.0] > sure[0.3]
    warned = [[w.code for w in c.decision.warnings] for c in found.found[0.3].predictions]  # type: ignore[union-attr]
    assert all("shorter_than_calibrated" in codes for codes in warned)
