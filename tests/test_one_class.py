"""Models of one label: the threshold's law, measured false alarms, the command line, evaluation, the estimator."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from itertools import permutations
from math import floor
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
from hypothesis import given
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

import gmmaudio
from gmmaudio.classify.examples import Example
from gmmaudio.classify.floor import Floor, floor_from
from gmmaudio.classify.model_file import from_bytes, load, to_bytes
from gmmaudio.classify.one_class import fit_one_class, share_refused, threshold_for, train_one_class
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.classify.train import Training, train
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.corpus.one_label import read_one_label
from gmmaudio.errors import ClipError, DataError, ModelError
from gmmaudio.evaluate.anomalies import Anomalies, evaluate_one_class, figures
from gmmaudio.evaluate.evaluation import Prediction
from gmmaudio.evaluate.heldout import evaluate
from gmmaudio.measures.detection import area_under_curve
from gmmaudio.tensors import Broken

Capture = pytest.CaptureFixture[str]
RATE = 22050
ONE = Training(components=1)


def sound(generator: np.random.Generator, odd: bool = False) -> np.ndarray:
    """Half a second of noise; an odd one whistles."""
    whistle = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE // 2) / RATE)
    return 0.05 * generator.normal(size=RATE // 2) + odd * whistle


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train``: 30 normal clips, no label folders. ``test``: 12 normal, 8 anomalies of two kinds, and a CSV."""
    top, generator = tmp_path_factory.mktemp("machine"), np.random.default_rng(0)
    rows = ["path,label,section"]
    for folder, count in {"train": 30, "test/normal": 12, "test/whistle": 4, "test/hum": 4}.items():
        (top / folder).mkdir(parents=True)
        for i in range(count):
            soundfile.write(top / folder / f"{i:02}.wav", sound(generator, folder[5:] in ("whistle", "hum")), RATE)
            if folder != "train":
                rows.append(f"{folder[5:]}/{i:02}.wav,{folder[5:]},s{i % 2}")
    (top / "test" / "all.csv").write_text("\n".join(rows) + "\n")
    return top


@pytest.fixture(scope="module")
def model(machine: Path) -> Path:
    path = machine / "m.safetensors"
    assert main(train_command(machine, path)) == 0
    return path


def train_command(machine: Path, path: Path) -> list[str]:
    return ["train", str(machine / "train"), "--one-class", "--components", "1", "-o", str(path)]


def example(frames: np.ndarray, group: str | None, name: str) -> Example:
    return Example(
        Entry(Path(name), "normal", group), frames.astype(np.float32), 1.0, 1.0, sha256(name.encode()).hexdigest(), ()
    )


def days(generator: np.random.Generator, count: int, each: int, spread: float) -> list[Example]:
    """Clips of 40 frames in three dimensions; those of one day lie around a centre of their own."""
    found = []
    for day in range(count):
        centre = spread * generator.normal(size=3)
        found += [example(centre + generator.normal(size=(40, 3)), f"{day}", f"{day}-{i}") for i in range(each)]
    return found


def parsed(capsys: Capture) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# The threshold


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60, unique=True), st.floats(0.02, 0.6))
def test_law_of_the_threshold(scores: list[float], rate: float) -> None:
    # Exchangeable scores: each of the n + 1 is equally likely to be the new one. Counted over all of them, exactly
    # floor(rate (n + 1)) fall below the threshold that the others set.
    values = np.array(scores)
    wanted = floor(rate * len(values) + 1e-9)
    below = sum(v < threshold_for(np.delete(values, i), rate) for i, v in enumerate(values))
    assert below == max(1, wanted)


def test_false_alarms_on_new_clips_are_those_asked_for() -> None:
    generator = np.random.default_rng(1)
    trained = fit_one_class(days(generator, 100, 2, 0.0), [], ONE, 0.1)
    new = days(generator, 1000, 1, 0.0)
    unknown = [trained.classifier.decide_frames(one.frames, 1.0, 1.0).unknown for one in new]
    # A binomial's standard error of 1000 clips is 0.0095, that of a threshold set on 200 is 0.021.
    assert np.mean(unknown) == pytest.approx(0.1, abs=4 * np.hypot(0.0095, 0.021))
    found = trained.classifier.floor
    assert found is not None
    assert found.refused_low <= 0.1 <= found.refused_high
    assert (found.clips, found.groups, found.shortest) == (200, 100, 40)


def test_days_held_out_keep_the_promise_where_clips_held_out_break_it() -> None:
    # Twelve days, far apart: a clip's siblings give it away, and another day is another place.
    generator = np.random.default_rng(2)
    heard = days(generator, 12, 20, 2.0)
    flat = [example(one.frames, None, one.entry.name) for one in heard]
    new = days(generator, 300, 1, 2.0)
    alarms = []
    for examples in (heard, flat):
        classifier = fit_one_class(examples, [], Training(components=12), 0.1).classifier
        alarms.append(np.mean([classifier.decide_frames(one.frames, 1.0, 1.0).unknown for one in new]))
    assert alarms[0] < 0.3 < 0.4 < alarms[1]


@pytest.mark.parametrize(
    ("clips", "rate", "groups", "code"),
    [(18, 0.05, 18, "too_few_clips"), (3, 0.2, 3, "too_few_clips"), (40, 0.05, 1, "too_few_groups")],
)
def test_too_little_for_a_threshold(clips: int, rate: float, groups: int, code: str) -> None:
    examples = days(np.random.default_rng(0), groups, clips // groups, 0.0)
    with pytest.raises(DataError) as caught:
        fit_one_class(examples, [], ONE, rate)
    assert caught.value.code == code
    assert caught.value.hint


@given(st.sampled_from([[0, 0, 1], [0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 1, 2]]), st.floats(1e-6, 1 - 1e-13))
def test_what_is_measured_is_right_on_average_for_few_clips(folds: list[int], rate: float) -> None:
    # Of exchangeable scores every order is equally likely, and over all of them a new clip is below rank r of m others
    # in r of m + 1 cases: with r = rate (m + 1) the mean share is the rate.
    found = [share_refused(np.array(order), np.array(folds), rate, [None] * len(folds)) for order in orders(len(folds))]
    assert np.mean([refused for refused, _ in found]) == pytest.approx(rate, abs=1e-8)
    assert all(0 <= sure.low <= refused <= sure.high <= 1 for refused, sure in found)


def orders(count: int) -> list[tuple[float, ...]]:
    return list(permutations([float(each) for each in range(count)]))


@pytest.mark.parametrize(("clips", "rate"), [(19, 0.05), (39, 0.05), (30, 0.05), (19, 0.999999999999)])
def test_what_is_measured_is_the_rate_of_the_threshold(clips: int, rate: float) -> None:
    # One clip held out each time, of exchangeable scores: the k-th smallest of n refuses k / (n + 1) of new clips.
    scores = np.random.default_rng(0).normal(size=clips)
    k = int((scores < threshold_for(scores, rate)).sum()) + 1
    refused, _ = share_refused(scores, np.arange(clips), k / (clips + 1), [None] * clips)
    assert refused == pytest.approx(k / (clips + 1), abs=1e-9)


def test_nearly_all_may_be_refused() -> None:
    found = fit_one_class(days(np.random.default_rng(0), 5, 6, 0.0), [], ONE, 0.999999999999).classifier.floor
    assert found is not None
    assert found.refused_low <= 30 / 31 <= found.refused_high  # at the largest of 30 scores


def test_nineteen_clips_are_enough_for_five_per_cent() -> None:
    # 1 / (19 + 1): the smallest of nineteen scores.
    found = fit_one_class(days(np.random.default_rng(0), 19, 1, 0.0), [], ONE).classifier.floor
    assert found is not None
    assert found.clips == 19
    assert "one clip sets it, the least likely of all: an odd one sets it far too low; 39 are safer" in found.summary


def test_thirty_nine_clips_do_not_hang_on_one() -> None:
    # 2 / (39 + 1): the second smallest.
    found = fit_one_class(days(np.random.default_rng(0), 39, 1, 0.0), [], ONE).classifier.floor
    assert found is not None
    assert "one clip" not in found.summary


@pytest.mark.parametrize(
    ("settings", "rate"), [(Training(method="map"), 0.05), (ONE, 0.0), (ONE, 1.0), (ONE, float("nan")), (ONE, 1e-320)]
)
def test_settings_that_make_no_sense(settings: Training, rate: float) -> None:
    with pytest.raises(DataError, match=r"method|rate") as caught:
        fit_one_class(days(np.random.default_rng(0), 30, 1, 0.0), [], settings, rate)
    assert caught.value.code == "bad_setting"


# The model and the command line


def test_same_bits_for_any_number_of_threads_and_from_a_store(machine: Path, model: Path, tmp_path: Path) -> None:
    again, stored = tmp_path / "again.safetensors", tmp_path / "stored.safetensors"
    assert main([*train_command(machine, again), "--jobs", "1"]) == 0
    assert again.read_bytes() == model.read_bytes()
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labelled" / "normal").symlink_to(machine / "train")
    assert main(["features", str(tmp_path / "labelled"), "-o", str(tmp_path / "store")]) == 0
    command = ["train", str(tmp_path / "store"), "--one-class", "--components", "1", "-o", str(stored)]
    assert main(command) == 0
    assert stored.read_bytes() == model.read_bytes()


def test_scores_keep_the_contract(machine: Path, model: Path, capsys: Capture) -> None:
    paths = [str(machine / "test" / name / "00.wav") for name in ("normal", "whistle")]
    assert main(["score", str(model), *paths, "--format", "jsonl"]) == 0
    normal, odd = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (normal["label"], normal["unknown"], odd["label"], odd["unknown"]) == ("normal", False, None, True)
    threshold = load(model).floor.threshold  # type: ignore[union-attr]
    for row in (normal, odd):
        assert (row["score_kind"], row["margin"], row["calibrated"]) == ("loglik", None, False)
        assert row["threshold"] == threshold
        assert row["posteriors"] == {"normal": 1.0}  # a softmax over one label, as the contract says; the README warns
    assert odd["scores"]["normal"] < threshold <= normal["scores"]["normal"]
    classifier = load(model)
    [mixture] = classifier.scorer.mixtures  # type: ignore[attr-defined]
    samples, rate = soundfile.read(paths[1])
    frames = classifier.front_end.voiced_frames((samples.astype(np.float32),)).values.astype(float)
    variances = mixture.covariance.array
    logs = -0.5 * ((frames - mixture.means) ** 2 / variances + np.log(2 * np.pi * variances)).sum(axis=1)
    assert rate == classifier.front_end.rate
    assert odd["scores"]["normal"] == pytest.approx(logs.mean(), rel=1e-4)  # one Gaussian, written out

    assert main(["score", str(model), *paths]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "  normal  -" in first
    assert "  unknown  -" in second
    assert f"(threshold {threshold:.3f})" in second
    assert main(["score", str(model), paths[1], "--unknown", "never", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "normal"


def test_windows_shorter_than_the_training_clips_are_warned_of(machine: Path, model: Path, capsys: Capture) -> None:
    path = str(machine / "test" / "whistle" / "00.wav")
    assert main(["score", str(model), path, "--window", "0.2", "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) > 1
    for row in rows:
        assert row["unknown"]
        assert "shorter_than_calibrated" in [warning["code"] for warning in row["warnings"]]
    assert main(["score", str(model), path, "--window", "0.2", "--smooth", "3"]) == 2
    assert "one" in capsys.readouterr().err


def test_inspect_says_what_the_threshold_rests_on(model: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["inspect", str(model), "--format", "json", "--plot", str(tmp_path / "m.png")]) == 0
    facts = parsed(capsys)
    assert facts["labels"] == ["normal"]
    said = facts["unknown"]
    assert (said["false_alarms"], said["clips"], said["groups"]) == (0.05, 30, 0)
    assert (tmp_path / "m.png").stat().st_size > 1000
    assert main(["inspect", str(model)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("unknown: "))
    assert "false alarms on 5 % of normal clips" in line
    assert "30 clips, no groups known" in line


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["train", "train", "-o", "x"], "--one-class"),  # a folder without label folders
        (["train", "one", "-o", "x"], "--one-class"),
        (["crossval", "one"], "[one_class]"),
        (["train", "test", "--one-class", "-o", "x"], "there are 3: 'hum', 'normal', 'whistle'"),
        (["train", "train", "--one-class", "--false-alarms", "0.01", "-o", "x"], "0.04 (--false-alarms)"),
        (["train", "train", "--one-class", "--false-alarms", "1e-320", "-o", "x"], "from 1e-06 to less than 1"),
        (["train", "train", "--one-class", "--false-alarms", "1e-6", "-o", "x"], "0.0001 %; 999999 can"),
        (["train", "train", "--one-class", "--method", "map", "-o", "x"], "'ml'"),
        (["train", "train", "--one-class", "--no-calibration", "-o", "x"], "always learns"),
        (["train", "test", "--false-alarms", "0.1", "-o", "x"], "add --one-class"),
        (["evaluate", "m.safetensors", "test", "--report", "x"], "--report compares labels"),
        (["evaluate", "m.safetensors", "test", "--durations", "1"], "--durations compares labels"),
        (["evaluate", "m.safetensors", "strange"], "none of the clips has the model's label"),
    ],
)
def test_refusals(
    command: list[str], says: str, machine: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    del model
    monkeypatch.chdir(machine)
    for name, target in (("one/normal", "train"), ("strange/well", "test/normal")):
        if not Path(name).exists():
            Path(name).parent.mkdir()
            Path(name).symlink_to(machine / target)
    assert main(command) == 2
    assert says in capsys.readouterr().err
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["crossval", "train"], "a folder that holds a folder per label"),
        (["crossval", "one"], "there is only one label"),
        (["audit", "train"], "a folder that holds a folder per label"),
        (["features", "train", "-o", "x"], "a folder that holds a folder per label"),
        (["evaluate", "two.safetensors", "train"], "a folder that holds a folder per label"),
        (["train", "empty", "-o", "x"], "a folder that holds a folder per label"),
        (["train", "empty", "--one-class", "-o", "x"], "empty holds no audio"),
        (["train", "tables", "--one-class", "-o", "x"], "pass the CSV itself: tables/a.csv"),
        (["train", "train/00.wav", "-o", "x"], "is one clip, without a label"),
    ],
)
def test_one_class_is_advised_only_where_it_would_help(
    command: list[str], says: str, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("tables").mkdir()
    Path("tables", "a.csv").write_text("path,label\n")
    Path("train").symlink_to(machine / "train")
    Path("one").mkdir()
    Path("one", "normal").symlink_to(machine / "train")
    if "two.safetensors" in command:
        assert main(["train", str(machine / "test"), "--components", "1", "-o", "two.safetensors"]) == 0
    capsys.readouterr()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "one-class" not in told


@pytest.mark.parametrize("value", ["0", "1", "nan", "-0.1", "much"])
def test_shares_that_are_none(value: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "data", "--one-class", "-o", "x", f"--false-alarms={value}"])
    assert caught.value.code == 2
    assert "--false-alarms" in capsys.readouterr().err


def test_a_folder_of_clips_is_normal_and_others_are_read_as_ever(machine: Path, tmp_path: Path) -> None:
    flat = read_one_label(machine / "train")
    assert [entry.name for entry in flat] == [f"{i:02}.wav" for i in range(30)]
    assert {entry.label for entry in flat} == {"normal"}
    assert read_one_label(machine / "test") == read_corpus(machine / "test")
    assert len(read_one_label(machine / "test" / "all.csv")) == 20
    with pytest.raises(DataError) as caught:
        read_one_label(tmp_path)
    assert caught.value.code == "no_clips"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", float("nan")),
        ("refused", 1.5),
        ("false_alarms", "0.05"),
        ("clips", 0),
        ("shortest", 1.0),
        ("refused", 0.01),
        ("refused_low", 0.05),
        ("refused_high", 0.03),
        ("false_alarms", 0),
        ("false_alarms", 1.0),
        ("groups", 201),
    ],
)
def test_a_floor_from_a_file_is_checked(name: str, value: object) -> None:
    good = Floor(-40.0, 0.05, 0.04, 0.02, 0.08, 200, 10, 400)
    assert floor_from(good.as_dict()) == good
    with pytest.raises(Broken, match=name.partition("_")[0]):
        floor_from(good.as_dict() | {name: value})
    with pytest.raises(Broken, match="must have"):
        floor_from({key: kept for key, kept in good.as_dict().items() if key != name})


def test_a_floor_belongs_to_one_label(model: Path) -> None:
    classifier = load(model)
    two = replace(classifier, labels=("a", "b"), scorer=MixtureScorer(classifier.scorer.mixtures * 2))
    data = to_bytes(two)
    with pytest.raises(ModelError) as caught:
        from_bytes(data, "spoilt")
    assert caught.value.code == "invalid_model"
    assert "floor" in caught.value.message
    assert to_bytes(from_bytes(to_bytes(classifier), "same")) == to_bytes(classifier)


# Evaluation


def test_a_folder_of_clips_is_evaluated_as_normal(machine: Path, model: Path, tmp_path: Path, capsys: Capture) -> None:
    """Whatever the model calls what is normal."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fine").symlink_to(machine / "train")
    renamed = tmp_path / "fine.safetensors"
    command = ["train", str(tmp_path / "data"), "--one-class", "--components", "1", "-o", str(renamed)]
    assert main(command) == 0
    for path in (model, renamed):
        capsys.readouterr()
        assert main(["evaluate", str(path), str(machine / "test" / "normal"), "--format", "json"]) == 0
        found = parsed(capsys)
        below = [row["score"] < found["threshold"] for row in found["predictions"]]
        assert (found["normal"], found["anomalous"], found["auc"]) == (12, 0, None)
        assert found["false_alarms"] == np.mean(below)


def test_evaluation_agrees_with_scikit_learn_and_with_counting(machine: Path, model: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(model), str(machine / "test" / "all.csv"), "--format", "json"]) == 0
    found = parsed(capsys)
    rows = found["predictions"]
    odd = np.array([row["kind"] != "normal" for row in rows])
    scores = np.array([row["score"] for row in rows])
    assert (found["normal"], found["anomalous"], found["clips"]) == (12, 8, 20)
    assert found["auc"] == pytest.approx(roc_auc_score(odd, -scores))
    assert found["partial_auc"] == pytest.approx(roc_auc_score(odd, -scores, max_fpr=0.1))
    below = scores < found["threshold"]
    assert found["false_alarms"] == below[~odd].mean()
    assert found["misses"] == (~below)[odd].mean() == 0
    for name in ("auc", "partial_auc", "false_alarms", "misses"):
        low, high = found[f"{name}_interval"]
        assert 0 <= low <= found[name] <= high <= 1
    assert found["labels"] == ["normal", "unknown"]
    assert found["confusion"] == [[int((~below & ~odd).sum()), int((below & ~odd).sum())], [0, 8]]
    assert {row["truth"] for row in rows} == {"normal", "unknown"}
    assert found["accuracy"] == (below == odd).mean()
    assert {name: (part["normal"], part["anomalous"]) for name, part in found["sections"].items()} == {
        "s0": (6, 4),
        "s1": (6, 4),
    }

    assert main(["evaluate", str(model), str(machine / "test" / "all.csv")]) == 0
    text = capsys.readouterr().out
    assert f"AUC                {found['auc']:.3f}" in text
    assert "harmonic mean" in text


def test_means_over_sections_by_hand() -> None:
    # Section a: both anomalies below both normal clips, AUC 1. Section b: one of two below, AUC 1/2.
    scores = {"a": [(3, "ok"), (2, "ok"), (1, "bad"), (0, "bad")], "b": [(1, "ok"), (0, "bad"), (2, "bad")]}
    clips, sections = [], []
    for section, rows in scores.items():
        for score, kind in rows:
            decision = gmmaudio.Decision("ok", {"ok": float(score)}, {"ok": 1.0}, "loglik", None, 1.0, 1.0)
            clips.append(Prediction(f"{section}{score}", kind, "ok", None, 1.0, decision=decision))
            sections.append(section)
    found = Anomalies(clips, "ok", 0.5, sections)
    assert found.by_section["b"].auc.value == 0.5  # type: ignore[union-attr]
    assert found.means["auc_arithmetic"] == 0.75
    assert found.means["auc_harmonic"] == pytest.approx(2 / 3)  # 2 / (1 / 1 + 1 / 0.5)
    assert found.overall.misses.value == 0.5  # type: ignore[union-attr]
    assert Anomalies(clips[:4], "ok", 0.5, sections[:4]).means == {}


def test_clips_of_one_kind_have_no_area() -> None:
    found = figures(np.array([2.0, 0.0]), np.array([False, False]), 1.0, [None, None])
    assert (found.auc, found.partial_auc, found.misses) == (None, None, None)
    assert found.false_alarms is not None
    assert found.false_alarms.value == 0.5
    assert found.as_dict()["auc_interval"] is None


def test_training_clips_are_refused_in_evaluation(machine: Path, model: Path, capsys: Capture) -> None:
    entries = read_one_label(machine / "train")
    with pytest.raises(DataError) as caught:
        evaluate_one_class(load(model), entries)
    assert caught.value.code == "leakage"
    assert any("LEAKED" in text for text in evaluate_one_class(load(model), entries, allow_leaks=True).warnings)
    with pytest.raises(DataError, match="of one label") as caught:
        evaluate(load(model), entries)
    with pytest.raises(DataError, match="not of one label") as caught:
        evaluate_one_class(train(read_corpus(machine / "test"), ONE).classifier, entries)
    assert main(["evaluate", str(model), str(machine / "train")]) == 2  # a folder without label folders
    capsys.readouterr()


# The estimator


def test_the_estimator_trains_what_the_command_line_trains(machine: Path, model: Path, tmp_path: Path) -> None:
    entries = read_one_label(machine / "train")
    detector = gmmaudio.AnomalyDetector(components=1, n_jobs=2).fit([entry.path for entry in entries])
    assert to_bytes(detector.classifier_) == model.read_bytes()
    assert to_bytes(train_one_class(entries, ONE).classifier) == model.read_bytes()
    detector.save(tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == model.read_bytes()
    tests = [machine / "test" / name / "00.wav" for name in ("normal", "whistle")]
    np.testing.assert_array_equal(detector.predict(tests), [1, -1])
    np.testing.assert_allclose(detector.decision_function(tests), detector.score_samples(tests) - detector.offset_)
    assert clone(detector).get_params() == detector.get_params()


def test_the_estimator_on_arrays_bad_clips_and_groups() -> None:
    generator = np.random.default_rng(3)
    clips: list[Any] = [(sound(generator), RATE) for _ in range(24)]
    groups = [f"{i // 4}" for i in range(24)]
    detector = gmmaudio.AnomalyDetector(components=1).fit([*clips, (np.zeros(0), RATE)], groups=[*groups, "x"])
    assert [failure.error.code for failure in detector.report_.failures] == ["empty_audio"]
    assert detector.classifier_.floor.groups == 6
    with pytest.raises(ClipError):
        detector.predict([(np.zeros(0), RATE)])
    with pytest.raises(DataError) as caught:
        detector.fit(clips, groups=["a"])
    assert caught.value.code == "bad_shape"
    odd = detector.score_samples([(sound(generator, odd=True), RATE) for _ in range(5)])
    assert area_under_curve(-odd, -detector.score_samples(clips)) == 1
