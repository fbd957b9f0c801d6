"""Timelines: windows as a recording streams, smoothing against all paths counted, files that others read, pictures."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gmmaudio.classify.annotations import audacity, runs, text_grid
from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.classify.gate import Gate
from gmmaudio.classify.model_file import load
from gmmaudio.classify.smoothing import MISLEADING, bounded, log_posteriors, log_stay, smoothed
from gmmaudio.classify.timeline import Window, cut, score_windows, windows_of
from gmmaudio.classify.train import Trained
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.corpus.synth import LANGUAGES, Speaker, speak, write_corpus
from gmmaudio.errors import ClipError, DataError
from gmmaudio.evaluate.durations import evaluate_durations
from gmmaudio.evaluate.timeline_picture import timeline_figure, timeline_picture
from tests.test_classifier import BEARABLE, CALIBRATED, two_gaussians

Array = NDArray[Any]
Capture = pytest.CaptureFixture[str]
RATE = 16000
SILENCE = ClipError("silence", "nothing is loud enough")


def speech(place: int, seconds: float, seed: int) -> Array:
    """A speaker of the middle of all that the corpus draws."""
    voice = Speaker("voice", scale=1.0, pitch=160.0, pace=1.0)
    return speak(LANGUAGES[place], voice, seconds, RATE, np.random.default_rng(seed))


# --- windows ---------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(1, 120),
    st.integers(1, 150),
    st.sampled_from([8, 10, 16]),
)
def test_windows_cut_from_blocks_are_those_of_the_whole(sizes: list[int], window: int, hop: int, rate: int) -> None:
    samples = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    found = list(cut(blocks, rate, window / rate, hop / rate))
    assert [(start, end) for start, end, _ in found] == windows_of(len(samples) / rate, window / rate, hop / rate)
    for start, end, part in found:
        np.testing.assert_array_equal(part, samples[round(start * rate) : round(end * rate)])


def test_no_more_is_kept_than_the_windows_need() -> None:
    def minutes() -> Iterator[Array]:
        for _ in range(600):
            yield np.zeros(8000, np.float32)

    tracemalloc.start()
    try:
        count = sum(1 for _ in cut(minutes(), 8000, 3.0, 1.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == len(windows_of(600.0, 3.0, 1.0))
    assert peak < 1.5e6  # one and a half windows, a block, and copies; all of it would be 19 MB


def test_a_silent_window_is_an_abstention_and_not_the_end(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([speech(0, 4, 1), np.zeros(4 * RATE), speech(0, 4, 2)]), RATE)
    for smooth in (None, 5.0):
        ((_, windows),) = score_windows(trained.classifier, [path], (1.0, 1.0), smooth=smooth)
        codes = [getattr(window.found, "code", None) for window in windows if isinstance(window, Window)]
        assert codes[:4] == codes[8:] == [None] * 4
        assert codes[5:7] == ["silence"] * 2  # the resampler rings into those beside them


def test_warnings_of_the_recording_are_each_window_s(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.clip(9 * speech(0, 4, 1), -1, 1), RATE)  # clipped, which is known only at its end
    ((_, windows),) = score_windows(trained.classifier, [path], (2.0, 2.0))
    decisions = [one.found for one in windows if isinstance(one, Window)]
    assert all(isinstance(one, Decision) and "clipped" in [w.code for w in one.warnings] for one in decisions)


def test_any_number_of_threads_and_a_missing_file_among_good_ones(trained: Trained, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav")]
    for seed, path in enumerate(paths):
        soundfile.write(path, speech(seed, 5, seed), RATE)
    paths[1].unlink()
    one, many = (list(score_windows(trained.classifier, paths, (1.0, 0.5), jobs=n, smooth=3.0)) for n in (1, 4))
    assert isinstance(one[1][1][0], ClipError)
    assert [path for path, _ in one] == paths
    for (_, alone), (_, together) in zip(one[::2], many[::2], strict=True):
        assert [window.found for window in alone if isinstance(window, Window)] == [
            window.found for window in together if isinstance(window, Window)
        ]


@pytest.mark.parametrize(("window", "hop"), [(0.001, 1.0), (3.0, 0.001), (1e7, 1.0), (1.0, 1e305)])
def test_windows_shorter_or_closer_than_frames_or_endless_are_refused(
    trained: Trained, window: float, hop: float
) -> None:
    with pytest.raises(DataError, match="the model's frames alone") as caught:
        score_windows(trained.classifier, [], (window, hop))  # at once, before anything is asked of it
    assert caught.value.code == "bad_setting"
    assert "--window 3" in caught.value.hint
    assert len(caught.value.message.split("alone take ")[1].split(",")[0]) <= len("0.0255 s")  # a few digits


# --- smoothing -------------------------------------------------------------------------------------------------------


def transitions(prior: Array, stay: float) -> Array:
    """The matrix that smoothing.py's first lines state."""
    return np.exp(stay) * np.eye(len(prior)) + (1 - np.exp(stay)) * prior


@pytest.mark.parametrize("seed", range(6))
def test_posteriors_are_the_sums_over_all_paths(seed: int) -> None:
    generator = np.random.default_rng(seed)
    length, states = generator.integers(1, 6), generator.integers(1, 5)
    evidence = 3 * generator.standard_normal((length, states))
    prior, stay = generator.dirichlet(np.ones(states)), -generator.uniform(0.01, 2)
    matrix = transitions(prior, stay)
    expected = np.zeros((length, states))
    for path in product(range(states), repeat=int(length)):
        chance = prior[path[0]] * np.prod([matrix[a, b] for a, b in pairwise(path)])
        chance *= np.exp(sum(evidence[t, state] for t, state in enumerate(path)))
        for t, state in enumerate(path):
            expected[t, state] += chance
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_posteriors(evidence, np.log(prior), stay)), expected, rtol=1e-10)


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.7, 0.2, 0.1], [0.05] * 20])
def test_labels_change_every_so_many_seconds_on_average(prior: list[float]) -> None:
    hop, seconds = 1e-6, 20.0
    matrix = transitions(np.array(prior), log_stay(np.log(prior), hop, seconds))
    changes = (np.array(prior) * (1 - np.diag(matrix))).sum() / hop
    assert changes == pytest.approx(1 / seconds, rel=1e-5)


def test_the_chain_over_two_hops_is_the_chain_over_their_sum() -> None:
    prior = np.array([0.6, 0.3, 0.1])
    one, two = (transitions(prior, log_stay(np.log(prior), hop, 10.0)) for hop in (1.0, 2.0))
    np.testing.assert_allclose(one @ one, two, rtol=1e-12)


def test_without_memory_windows_stand_alone_and_without_change_they_are_one() -> None:
    generator = np.random.default_rng(0)
    evidence, prior = generator.standard_normal((7, 3)), np.log([0.5, 0.3, 0.2])
    alone = np.exp(evidence + prior)
    np.testing.assert_allclose(
        np.exp(log_posteriors(evidence, prior, -1e9)), alone / alone.sum(axis=1, keepdims=True), rtol=1e-12
    )
    together = np.exp(evidence.sum(axis=0) + prior)
    np.testing.assert_allclose(
        np.exp(log_posteriors(evidence, prior, 0.0)), np.tile(together / together.sum(), (7, 1)), rtol=1e-12
    )


def test_labels_that_change_all_the_time_are_drawn_anew_in_every_window() -> None:
    assert log_stay(np.log([0.7, 0.3]), 1.0, 5e-324) == -np.inf
    evidence, prior = np.log([[0.9, 0.1], [0.2, 0.8]]), np.log([0.7, 0.3])
    alone = np.exp(evidence + prior)  # Bayes' rule, window by window
    found = np.exp(log_posteriors(evidence, prior, -np.inf))
    np.testing.assert_allclose(found, alone / alone.sum(axis=1, keepdims=True), rtol=1e-12)


def test_windows_that_leave_gaps_count_in_full_and_no_more() -> None:
    classifier = replace(two_gaussians(), calibration=CALIBRATED)
    (one,) = smoothed(classifier, decided(classifier, [1.0]), np.log([0.5, 0.5]), (1.0, 5.0), 4.0)
    assert isinstance(one, Decision)
    assert one.posteriors["high"] == pytest.approx(bounded_ratio(1.0) / (1 + bounded_ratio(1.0)), abs=1e-12)


def test_states_left_out_stay_out_and_nothing_overflows() -> None:
    evidence = np.array([[0.0, -5e7, 1e6], [-5e7, 0.0, 1e6], [0.0, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        prior = np.log([0.5, 0.5, 0.0])
    for stay in (0.0, -1e-9, -1.0, -1e9):
        found = np.exp(log_posteriors(bounded(evidence, prior), prior, stay))
        assert np.isfinite(found).all()
        assert (found[:, 2] == 0).all()


def test_a_window_in_a_hundred_may_mislead() -> None:
    # By hand: 0.99 l / m + 0.01.
    likelihoods = np.array([[0.6, 0.3, 1e-300]])
    expected = np.log([[1.0, 0.99 * 0.5 + 0.01, 0.01]])
    assert MISLEADING == 0.01
    np.testing.assert_allclose(bounded(np.log(likelihoods), np.zeros(3)), expected, atol=1e-12)


def decided(classifier: Classifier, leads: Sequence[float | None]) -> list[Decision | ClipError]:
    """One window per lead of "high" in nats, as `test_classifier` computes them; None: silence."""
    found: list[Decision | ClipError] = []
    for lead in leads:
        frames = np.zeros((1, 30))
        if lead is not None:
            frames[0, 0] = (lead - 0.075 - 0.125) / 2  # 1/4 (4 x 2 x + 0.5) + 3/4 x 0.1 = lead
        found.append(SILENCE if lead is None else classifier.decide_frames(frames, 1.0, 0.01))
    return found


def test_smoothed_decisions_by_hand() -> None:
    """The calibrated Gaussians of `test_classifier`; posteriors from all paths, counted with their transitions."""
    classifier = replace(two_gaussians(), calibration=CALIBRATED)
    leads = [2.0, -0.5, None, 1.0]
    found = smoothed(classifier, decided(classifier, leads), np.log([0.5, 0.5]), (2.0, 1.0), 4.0)
    ratios = [1.0 if lead is None else bounded_ratio(lead) ** 0.5 for lead in leads]  # hop / window is a half
    matrix = transitions(np.array([0.5, 0.5]), -1 / (4 * 0.5))
    total, high = 0.0, np.zeros(4)
    for path in product((0, 1), repeat=4):
        chance = np.prod([matrix[a, b] for a, b in pairwise(path)])
        chance *= np.prod([ratio if state else 1.0 for state, ratio in zip(path, ratios, strict=True)])
        total, high = total + chance, high + chance * np.array(path)
    assert isinstance(found[2], ClipError)
    for place in (0, 1, 3):
        one = found[place]
        assert isinstance(one, Decision)
        assert one.posteriors["high"] == pytest.approx(high[place] / total, abs=1e-9)
        assert one.label == "high"  # the second alone is "low"
        assert one.margin == pytest.approx(one.scores["high"] - one.scores["low"])


def bounded_ratio(lead: float) -> float:
    """Likelihood of "high" over "low" when one window in a hundred misleads."""
    weaker = 0.99 * np.exp(-abs(lead)) + 0.01
    return float(1 / weaker if lead > 0 else weaker)


def test_unknown_is_the_gate_s_answer_for_a_window_alone_and_is_smoothed_like_a_label() -> None:
    classifier = replace(two_gaussians(), calibration=CALIBRATED, gate=Gate(0.05, (BEARABLE,)), unknown="always")
    leads = [0.61, 0.59, -0.59, -0.61]
    windows, equal = decided(classifier, leads), np.log([0.5, 0.5])
    alone = smoothed(classifier, windows, equal, (1.0, 1.0), 1e-9)
    assert [one.label for one in alone if isinstance(one, Decision)] == ["high", None, None, "low"]
    assert [one.label for one in alone if isinstance(one, Decision)] == [
        one.label for one in windows if isinstance(one, Decision)
    ]
    # One unsure window among sure ones is not unknown; one sure window among unsure ones is.
    among_sure = smoothed(classifier, decided(classifier, [3.0, 3.0, 0.3, 3.0, 3.0]), equal, (1.0, 1.0), 30.0)
    assert [one.label for one in among_sure if isinstance(one, Decision)] == ["high"] * 5
    doubts = smoothed(classifier, decided(classifier, [0.1] * 8 + [0.8] + [0.1] * 8), equal, (1.0, 1.0), 30.0)
    assert [one.label for one in doubts if isinstance(one, Decision)] == [None] * 17
    for one in among_sure + doubts:
        assert isinstance(one, Decision)
        assert sum(one.posteriors.values()) == pytest.approx(1)


def test_a_window_too_short_for_the_gate_does_not_speak_of_unknown() -> None:
    unbearable = replace(BEARABLE, frames=1, refused=0.4)
    classifier = replace(two_gaussians(), calibration=CALIBRATED, gate=Gate(0.05, (unbearable, BEARABLE)))
    (short,) = decided(classifier, [0.1])
    assert isinstance(short, Decision)
    long = classifier.decide_frames(np.zeros((100, 30)), 1.0, 1.0)
    assert (short.label, long.label) == ("high", None)

    def labels(windows: list[Decision | ClipError], seconds: float) -> list[str | None]:
        found = smoothed(classifier, windows, np.log([0.5, 0.5]), (1.0, 1.0), seconds)
        return [one.label for one in found if isinstance(one, Decision)]

    assert labels([long, short, long], 1e-9) == [None, "high", None]  # each by itself
    assert labels([long] * 8 + [short] + [long] * 8, 30.0) == [None] * 17  # its neighbours know
    assert labels([short] * 3, 1e-9) == ["high"] * 3

    def warned(seconds: float) -> list[list[str]]:
        windows: list[Decision | ClipError] = [*[long] * 8, short, *[long] * 8]
        found = smoothed(classifier, windows, np.log([0.5, 0.5]), (1.0, 1.0), seconds)
        return [[warning.code for warning in one.warnings] for one in found if isinstance(one, Decision)]

    # Answered unknown, nothing is to be said of its being too short for that; of the calibration there is.
    assert warned(1e-9)[7:10] == [[], ["shorter_than_calibrated", "too_short_for_unknown"], []]
    assert warned(30.0)[7:10] == [[], ["shorter_than_calibrated"], []]


def test_a_window_is_asked_for_the_lead_of_its_own_frames(trained: Trained, tmp_path: Path) -> None:
    """At about a second no lead is enough, at about three any is: so windows of 1 s are unknown, of 3 s not."""
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(0, 6, 1), RATE)
    all_refused, none = replace(BEARABLE, frames=120, threshold=1e9), replace(BEARABLE, frames=150, threshold=-1e9)
    calibration = Calibration(1.0, 100.0, (0.0,) * 4, (0.0,) * 4, 1, 8, 4)
    gated = replace(trained.classifier, calibration=calibration, gate=Gate(0.05, (all_refused, none)))
    for seconds, unknown in ((1.0, True), (3.0, False)):
        ((_, windows),) = score_windows(gated, [path], (seconds, 1.0))
        found = [one.found for one in windows if isinstance(one, Window) and isinstance(one.found, Decision)]
        assert len(found) >= 4
        assert {one.unknown for one in found} == {unknown}
    durations = evaluate_durations(gated, [Entry(path, "arvi", "g0"), Entry(path, "belun", "g1")], (3.0, 1.0))
    assert [one.refused.sum() for one in durations.found.values()] == [0, 6]  # of two clips, three pieces of 1 s each


def test_labels_not_asked_for_are_left_out(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(0, 6, 1), RATE)
    ((_, windows),) = score_windows(trained.classifier, [path], (2.0, 1.0), among=["belun", "kesto"], smooth=5.0)
    for window in windows:
        assert isinstance(window, Window)
        assert isinstance(window.found, Decision)
        assert set(window.found.scores) == set(window.found.posteriors) == {"belun", "kesto"}
        assert window.found.label in ("belun", "kesto")


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More voices than ``corpus`` has, so that what is calibrated on voices held out says something."""
    return write_corpus(tmp_path_factory.mktemp("voices"), speakers=8, clips=2, seconds=4.0)


@pytest.fixture(scope="module")
def calibrated(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("calibrated") / "m.safetensors"
    flags = ["--split", "train", "--preset", "speech", "--components", "8"]
    assert main(["train", str(voices), "-o", str(model), *flags]) == 0
    assert load(model).calibration is not None
    return model


@pytest.fixture(scope="module")
def joined(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """44 s of training voices, one every 4 s; what is spoken when stands in TRUTH."""
    entries = in_split(read_corpus(voices), "train")
    clips = {
        name: [soundfile.read(one.path)[0] for one in entries if one.label == name][::2] for name in ("domar", "belun")
    }
    parts = [*clips["domar"][:4], *clips["belun"][:3], np.zeros(8 * RATE), *clips["domar"][4:6]]
    path = tmp_path_factory.mktemp("joined") / "joined.flac"
    soundfile.write(path, np.concatenate(parts), RATE)
    return path


TRUTH = [(0.0, 16.0, "domar"), (16.0, 28.0, "belun"), (36.0, 44.0, "domar")]


def timeline(model: Path, recording: Path, capsys: Capture, form: str, *flags: str) -> str:
    command = ["score", str(model), str(recording), "--window", "2", "--hop", "0.5", "--smooth", "10", *flags]
    assert main([*command, "--unknown", "never", "--format", form]) == 0
    return capsys.readouterr().out


def parse_audacity(text: str) -> list[tuple[float, float, str]]:
    rows = [line.split("\t") for line in text.splitlines()]
    return [(float(start), float(end), label) for start, end, label in rows]


TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<![\w"])(-?\d+(?:\.\d+)?)(?![\w"\]])')


def parse_text_grid(text: str) -> list[tuple[float, float, str]]:
    """As Praat's manual says a file is read: free-standing numbers, quoted texts, flags; the rest is comment."""
    found: list[Any] = []
    for quoted, flag, number in TOKEN.findall(text):
        found.append(float(number) if number else flag if flag else quoted.replace('""', '"'))
    head, (kind, name, low, high, size), rest = found[:6], found[6:11], found[11:]
    assert head[:2] == ["ooTextFile", "TextGrid"]
    assert head[4:] == ["exists", 1]
    assert (kind, name, head[2:4]) == ("IntervalTier", "labels", [low, high])
    assert len(rest) == 3 * size
    intervals = [(rest[i], rest[i + 1], rest[i + 2]) for i in range(0, len(rest), 3)]
    assert (intervals[0][0], intervals[-1][1]) == (low, high)
    assert all(one[1] == two[0] for one, two in pairwise(intervals))
    return intervals


def test_changes_are_found_within_a_window_in_every_format(calibrated: Path, joined: Path, capsys: Capture) -> None:
    labels = parse_audacity(timeline(calibrated, joined, capsys, "audacity"))
    assert [label for _, _, label in labels] == [label for _, _, label in TRUTH]
    for found, true in zip(labels, TRUTH, strict=True):
        assert found[:2] == pytest.approx(true[:2], abs=2.0)
    intervals = parse_text_grid(timeline(calibrated, joined, capsys, "textgrid"))
    assert [one for one in intervals if one[2]] == labels
    assert len(intervals) == 4  # silence is an empty one
    rows = [json.loads(line) for line in timeline(calibrated, joined, capsys, "jsonl").splitlines()]
    assert json.loads(timeline(calibrated, joined, capsys, "json")) == rows
    table = list(csv.DictReader(timeline(calibrated, joined, capsys, "csv").splitlines()))
    text = timeline(calibrated, joined, capsys, "text").splitlines()
    spans = windows_of(44.0, 2.0, 0.5)
    assert len(rows) == len(table) == len(text) == len(spans)
    for row, cells, line, (start, end) in zip(rows, table, text, spans, strict=True):
        assert (row["start"], row["end"]) == (start, end) == (float(cells["start"]), float(cells["end"]))
        if "error" in row:
            assert row["error"]["code"] == cells["error"] == "silence"
        else:
            middle = (start + end) / 2
            assert row["label"] == cells["label"] == next(name for low, high, name in labels if low <= middle <= high)
            assert f"{start:.2f}-{end:.2f} s]  {row['label']} " in line


def test_smoothing_mends_single_windows(calibrated: Path, joined: Path) -> None:
    """No less of the truth than without, and fewer changes."""
    classifier = replace(load(calibrated), gate=None)
    found = []
    for smooth in (None, 10.0):
        ((_, windows),) = score_windows(classifier, [joined], (1.0, 0.5), smooth=smooth)
        found.append(runs([one for one in windows if isinstance(one, Window)]))
    alone, together = found
    assert len(together) < len(alone)
    assert agreement(together) >= agreement(alone)
    assert agreement(together) > 0.9


def agreement(found: Sequence[Any]) -> float:
    """The share of the seconds with speech that have the true label."""
    shared = sum(
        max(0.0, min(one.end, high) - max(one.start, low))
        for one in found
        for low, high, label in TRUTH
        if one.label == label
    )
    return shared / sum(high - low for low, high, _ in TRUTH)


# --- files -----------------------------------------------------------------------------------------------------------


def window(start: float, end: float, label: str | None, labels: Sequence[str] = ("a", "b")) -> Window:
    posteriors = {name: 1.0 / len(labels) for name in labels}
    return Window(start, end, Decision(label, posteriors, posteriors, "loglik", 0.0, end - start, end - start))


def test_runs_by_hand() -> None:
    found = runs([window(0, 3, "a"), window(1, 4, "a"), window(2, 5, "b"), Window(3, 6, SILENCE), window(4, 7, None)])
    assert [(run.start, run.end, run.label) for run in found] == [
        (0, 3, "a"), (3, 4, "b"), (4, 5, None), (5, 7, "unknown"),
    ]  # fmt: skip
    apart = runs([window(0, 1, "a"), window(5, 6, "a")])
    assert [(run.start, run.end, run.label) for run in apart] == [(0, 1, "a"), (1, 5, None), (5, 6, "a")]
    last = runs([window(0, 3, "a"), window(3, 7, "b")])  # a rest left to the last window
    assert [(run.start, run.end, run.label) for run in last] == [(0, 3, "a"), (3, 7, "b")]


def test_labels_of_any_kind_survive_the_files() -> None:
    odd = 'he said "no"', "tab\there", "line\nbreak", "中文", '"', "12 <exists> 3"
    windows = [window(place, place + 1, label, odd) for place, label in enumerate(odd)]
    shown = ['he said "no"', "tab\\there", "line\\nbreak", "中文", '"', "12 <exists> 3"]
    assert [label for _, _, label in parse_text_grid(text_grid(windows))] == shown
    assert [label for _, _, label in parse_audacity(audacity(windows))] == shown


def test_the_text_grid_is_praat_s_own_layout() -> None:
    """The minimal file of Praat's manual, "TextGrid file formats", with one tier; it writes no indentation there."""
    expected = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0.000000
xmax = 2.300000
tiers? <exists>
size = 1
item []:
item [1]:
class = "IntervalTier"
name = "labels"
xmin = 0.000000
xmax = 2.300000
intervals: size = 1
intervals [1]:
xmin = 0.000000
xmax = 2.300000
text = ""
"""
    found = text_grid([Window(0.0, 2.3, SILENCE)])
    assert [line.strip() for line in found.splitlines()] == expected.splitlines()


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--hop", "1"], "--hop needs --window"),
        (["--smooth", "10"], "--smooth needs --window"),
        (["--format", "audacity"], "--format audacity needs --window"),
        (["--format", "textgrid"], "--format textgrid needs --window"),
        (["--plot", "a.png"], "--plot needs --window"),
        (["--window", "3", "--plot", "a.bmp"], "a picture is one of"),
        (["--window", "3", "--plot", "none/a.png"], "none does not exist"),
    ],
)
def test_flags_that_make_no_sense_exit_2(flags: list[str], said: str, model: Path, capsys: Capture) -> None:
    assert main(["score", str(model), "a.wav", *flags]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--format", "audacity"], ["--format", "textgrid"], ["--plot", "a.png"]])
def test_one_recording_per_file(flags: list[str], model: Path, capsys: Capture) -> None:
    assert main(["score", str(model), "a.wav", "b.wav", "--window", "3", *flags]) == 2
    assert "takes one recording, got 2" in capsys.readouterr().err


def test_a_recording_that_cannot_be_read_is_told_where_the_file_has_no_place(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    picture = tmp_path / "a.png"
    flags = ["--window", "3", "--format", "textgrid", "--plot", str(picture)]
    assert main(["score", str(model), str(tmp_path / "a.wav"), *flags]) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert "[empty_file]" in said.err
    assert not picture.exists()


def test_the_command_draws(calibrated: Path, joined: Path, tmp_path: Path, capsys: Capture) -> None:
    picture = tmp_path / "timeline.png"
    timeline(calibrated, joined, capsys, "audacity", "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


# --- the picture -----------------------------------------------------------------------------------------------------


def areas(figure: Any) -> list[Array]:
    return [path.vertices for collection in figure.axes[1].collections for path in collection.get_paths()]


def test_areas_lie_on_each_other_and_are_as_high_as_posteriors() -> None:
    def sure(start: float, a: float) -> Window:
        one = {"a": a, "b": 1 - a}
        return Window(start, start + 1, Decision("a", one, one, "loglik", 0.0, 1.0, 1.0))

    figure = timeline_figure([sure(0, 0.25), sure(1, 0.75), Window(2, 3, SILENCE), sure(3, 0.5)], ["a", "b"])
    first, second, third, fourth = areas(figure)
    assert sorted({round(y, 6) for y in first[:, 1]}) == [0.0, 0.25, 0.75]
    assert sorted({round(y, 6) for y in second[:, 1]}) == [0.25, 0.75, 1.0]
    assert (first[:, 0].min(), first[:, 0].max()) == (second[:, 0].min(), second[:, 0].max()) == (0, 2)
    assert {round(y, 6) for y in third[:, 1]} == {0.0, 0.5}
    assert (fourth[:, 0].min(), fourth[:, 0].max()) == (3, 4)  # nothing is drawn where nothing was decided


@pytest.mark.parametrize("count", [1, 2, 10, 20, 30])
def test_each_label_has_a_colour_of_its_own_and_a_name_in_the_legend(count: int) -> None:
    labels = [f"label {place}" for place in range(count)]
    figure = timeline_figure([window(0, 3, "label 0", labels), window(3, 6, None, labels)], labels, "a$b$\n")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["unknown", *reversed(labels)]
    assert len({patch.get_facecolor() for patch in legend.get_patches()}) == count + 1
    assert figure.get_suptitle() == "a$b$?"


@pytest.mark.parametrize(("seconds", "first"), [(10, "0"), (600, "0:00"), (7200, "0:00")])
def test_from_seconds_to_hours(seconds: int, first: str, tmp_path: Path) -> None:
    windows = [window(start, start + 3, "a" if start % 100 < 50 else "b") for start in range(0, seconds - 2, 3)]
    figure = timeline_figure(windows, ["a", "b"])
    figure.canvas.draw()
    names = [text.get_text() for text in figure.axes[1].get_xticklabels() if text.get_text()]
    assert first in names
    assert len(names) <= 15
    timeline_picture(windows, ["a", "b"], tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.bmp'"):
        timeline_picture([window(0, 3, "a")], ["a", "b"], tmp_path / "a.bmp")


# --- an hour ---------------------------------------------------------------------------------------------------------

MEASURED = """
import sys
from pathlib import Path
from gmmaudio.cli import main
status = main(sys.argv[1:])
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/status is Linux's")
def test_an_hour_within_300_mb(calibrated: Path, tmp_path: Path) -> None:
    """An hour of 44.1 kHz stereo FLAC, in 3580 windows of 3 s, smoothed, with a picture."""
    hour = tmp_path / "hour.flac"
    minute = np.concatenate([speech(place, 15, place) for place in range(4)])
    wide = np.interp(np.arange(60 * 44100) / 44100, np.arange(len(minute)) / RATE, minute)
    noise = 0.003 * np.random.default_rng(0).standard_normal((len(wide), 2))
    with soundfile.SoundFile(hour, "w", 44100, 2, "PCM_16") as file:
        for _ in range(60):
            file.write(0.5 * wide[:, None] + noise)
    flags = ["--window", "3", "--hop", "1", "--smooth", "20", "--format", "jsonl", "--plot", tmp_path / "hour.png"]
    command = [sys.executable, "-c", MEASURED, "score", calibrated, hour, *flags]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["end"] == 3600.0
    assert len(rows) == len(windows_of(3600.0, 3.0, 1.0))
    megabytes = int(done.stderr.split()[-1]) / 1024
    print(f"an hour: {megabytes:.0f} MB resident at most")
    assert megabytes < 300
