"""Scores, posteriors, priors, windows; the same bits alone, among many and for any number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.classify.gate import Gate, Level
from gmmaudio.classify.model_file import to_bytes
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.classify.supervector import SupervectorScorer
from gmmaudio.classify.timeline import Window, score_windows, windows_of
from gmmaudio.classify.train import Trained, Training, train
from gmmaudio.corpus.audio import read_clip
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture
from tests.conftest import random_mixture


def test_stacked_scores_are_each_mixture_s_own() -> None:
    mixtures = tuple(random_mixture(seed, components=seed + 1, dimension=5, spread=9 * seed) for seed in range(1, 5))
    frames = mixtures[0].sample(3000, 0)[0]  # of the others some frames are hundreds of nats away
    expected = [mixture.log_density(frames).mean() for mixture in mixtures]
    np.testing.assert_allclose(MixtureScorer(mixtures).score(frames), expected, rtol=1e-12)


def test_a_frame_far_from_everything_is_still_a_number() -> None:
    scorer = MixtureScorer((random_mixture(1), random_mixture(2)))
    assert np.isfinite(scorer.score(np.full((3, 3), 1e4, np.float32))).all()


def two_gaussians() -> Classifier:
    """Labels "low" and "high": unit Gaussians at -1 and 1 in each of 30 dimensions."""
    at = lambda mean: Mixture(np.ones(1), np.full((1, 30), mean), Diagonal(np.ones((1, 30))))  # noqa: E731
    return Classifier(("low", "high"), MixtureScorer((at(-1.0), at(1.0))), PRESETS["speech"])


def test_posteriors_are_bayes_rule() -> None:
    frames = np.zeros((2, 30))
    frames[:, 0] = 0.25
    # Per frame log N(x; 1) - log N(x; -1) = 2 x, here 0.5; two frames: odds of e to 1.
    decision = two_gaussians().decide_frames(frames, 0.1, 0.02)
    assert decision.label == "high"
    assert decision.margin == pytest.approx(0.5, abs=1e-9)
    assert decision.posteriors["high"] == pytest.approx(np.e / (1 + np.e), abs=1e-9)
    # A prior of 4 to 1 for the other side turns it round: e against 4.
    prior = two_gaussians().log_prior({"low": 0.8, "high": 0.2}, None)
    turned = two_gaussians().decide_frames(frames, 0.1, 0.02, log_prior=prior)
    assert turned.label == "low"
    assert turned.posteriors["low"] == pytest.approx(4 / (4 + np.e), abs=1e-9)


def test_among_leaves_the_others_out() -> None:
    classifier = two_gaussians()
    decision = classifier.decide_frames(np.ones((1, 30)), 1, 1, log_prior=classifier.log_prior(None, ["low"]))
    assert decision.label == "low"
    assert decision.posteriors == {"low": 1.0}
    assert decision.margin is None


CALIBRATED = Calibration(4.0, 3.0, (0.0, 0.5), (0.0, 0.1), 2, 8, 4)


def test_posteriors_of_a_calibrated_classifier_are_bayes_rule_on_its_log_likelihoods() -> None:
    classifier = replace(two_gaussians(), calibration=CALIBRATED)
    frames = np.zeros((1, 30))
    frames[0, 0] = 0.25
    # The scores differ by 0.5; one frame holds 1/4: 1/4 (4 x 0.5 + 0.5) + 3/4 x 0.1 = 0.7
    decision = classifier.decide_frames(frames, 0.1, 0.01)
    assert decision.calibrated
    assert decision.posteriors["high"] == pytest.approx(1 / (1 + np.exp(-0.7)), abs=1e-9)
    assert decision.margin == pytest.approx(0.5, abs=1e-9)  # in the score's unit, as before
    # Priors act on them without any training: odds of exp(0.7) against 4.
    prior = classifier.log_prior({"low": 0.8, "high": 0.2}, None)
    turned = classifier.decide_frames(frames, 0.1, 0.01, log_prior=prior)
    assert turned.label == "low"
    assert turned.posteriors["low"] == pytest.approx(4 / (4 + np.exp(0.7)), abs=1e-9)
    assert classifier.decide_frames(frames, 1, 1, log_prior=classifier.log_prior(None, ["low"])).label == "low"


def test_a_longer_clip_of_the_same_kind_is_surer() -> None:
    classifier = replace(two_gaussians(), calibration=replace(CALIBRATED, long=(0.0, 0.0), short=(0.0, 0.0)))
    sure = [
        classifier.decide_frames(np.full((n, 30), 0.01), 1, 1).posteriors["high"] for n in (1, 3, 10, 30, 1000, 3000)
    ]
    assert (np.diff(sure) > 0).all()
    assert sure[-1] < 1 / (1 + np.exp(-4 * 0.6))  # 30 x 2 x 0.01 per frame: however long, this much and no more


def test_a_clip_shorter_than_calibration_ever_saw_is_warned_of() -> None:
    classifier = replace(two_gaussians(), calibration=replace(CALIBRATED, shortest=6))
    three, six = (classifier.decide_frames(np.ones((n, 30)), 0.05 * n, 0.01 * n) for n in (3, 6))
    assert [warning.code for warning in three.warnings] == ["shorter_than_calibrated"]
    assert "0.03 s of sound" in three.warnings[0].message
    assert "0.06 s" in three.warnings[0].message
    assert six.warnings == ()


BEARABLE = Level(1.0, 100, 0.6, 0.05, 0.0, 0.1, 0.1, 0.0, 0.2, 50, 50)


def test_a_clip_that_no_label_explains_is_unknown() -> None:
    classifier = replace(two_gaussians(), calibration=CALIBRATED, gate=Gate(0.05, (BEARABLE,)))
    frames = np.zeros((1, 30))
    frames[0, 0] = 0.25  # as above: "high" leads by 0.7 nats
    assert classifier.decide_frames(frames, 1, 1).label == "high"
    frames[0, 0] = 0.0  # 1/4 x 0.5 + 3/4 x 0.1 = 0.2
    refused = classifier.decide_frames(frames, 1, 1)
    assert refused.label is None
    assert refused.unknown
    assert refused.posteriors["high"] == pytest.approx(1 / (1 + np.exp(-0.2)), abs=1e-9)  # as if it were known
    # Asked about "low" only, it need not say so of what "high" explains better.
    among = classifier.log_prior(None, ["low"])
    assert classifier.decide_frames(np.ones((1, 30)), 1, 1, log_prior=among).label is None


def test_where_the_gate_refuses_too_many_it_is_asked_only_on_request_and_the_clip_says_so() -> None:
    short = replace(BEARABLE, frames=10, refused=0.104)  # above the 10 % that are borne, if by little
    classifier = replace(two_gaussians(), calibration=CALIBRATED, gate=Gate(0.05, (short, BEARABLE)))

    def decided(frames: int, unknown: str) -> Decision:
        # Of frames at 0 both labels have the same score; the offsets, 0.5 at most, are no lead of 0.6.
        return replace(classifier, unknown=unknown).decide_frames(np.zeros((frames, 30)), 0.2, 0.01 * frames)

    found = {(frames, how): decided(frames, how) for frames in (10, 100) for how in ("auto", "always", "never")}
    refused = {key: one.unknown for key, one in found.items()}
    assert refused == {
        (10, "auto"): False, (10, "always"): True, (10, "never"): False,
        (100, "auto"): True, (100, "always"): True, (100, "never"): False,
    }  # fmt: skip
    codes = {key: [warning.code for warning in one.warnings] for key, one in found.items()}
    assert codes.pop((10, "auto")) == ["too_short_for_unknown"]
    assert not any(codes.values())
    text = found[10, "auto"].warnings[0].message
    assert "0.10 s of sound" in text
    assert "10.4 % of the clips that it should know" in text


@pytest.mark.parametrize("kind", ["mixtures", "supervector"])
def test_a_model_too_narrow_for_float32_gives_an_error_and_no_nan(kind: str) -> None:
    # At distance 1e3 the exponent is 1e6 / 2e-37: beyond float32's 3.4e38.
    narrow = Mixture(np.ones(1), np.zeros((1, 30)), Diagonal(np.full((1, 30), 1e-37)))
    linear = SupervectorScorer(narrow, np.ones((2, 60)), np.zeros(2))
    scorer = MixtureScorer((narrow, narrow)) if kind == "mixtures" else linear
    classifier = Classifier(("low", "high"), scorer, PRESETS["speech"])
    with pytest.raises(ClipError) as caught:
        classifier.decide_frames(np.full((3, 30), 1e3, np.float32), 0.1, 0.03)
    assert caught.value.code == "out_of_range"


def test_logits_are_per_clip_whatever_its_length() -> None:
    class Logits:
        score_kind = "logit"

        def score(self, frames: np.ndarray) -> np.ndarray:
            return np.array([0.0, 1.0]) + 0 * frames[0, 0]

    classifier = replace(two_gaussians(), scorer=Logits())
    for frames in (1, 100):
        found = classifier.decide_frames(np.zeros((frames, 30)), 1, 1)
        assert found.posteriors["high"] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-12)


@pytest.mark.parametrize(
    ("prior", "among", "code", "words"),
    [
        (None, ["hihg"], "unknown_label", "did you mean 'high'"),
        ({"loow": 1.0}, None, "unknown_label", "did you mean 'low'"),
        ({"low": -1.0}, None, "bad_prior", "not negative"),
        ({"low": float("nan")}, None, "bad_prior", "finite"),
        ({"low": 0.0}, ["low"], "bad_prior", "no label is left"),
        (None, ["xyzzy"], "unknown_label", "take labels from this list"),
    ],
)
def test_priors_that_make_no_sense(prior: dict | None, among: list | None, code: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        two_gaussians().log_prior(prior, among)
    assert caught.value.code == code
    assert caught.value.hint


def test_weights_whose_sum_would_overflow_are_weights() -> None:
    prior = two_gaussians().log_prior({"low": 1e308, "high": 1e308}, None)
    assert prior == pytest.approx([-np.log(2)] * 2, abs=1e-12)


def test_the_training_clips_are_recognised(corpus: Path, trained: Trained) -> None:
    entries = in_split(read_corpus(corpus), "train")
    found = list(trained.classifier.score_all([entry.path for entry in entries], jobs=2))
    right = sum(isinstance(d, Decision) and d.label == e.label for d, e in zip(found, entries, strict=True))
    assert right >= 30  # of 48: guessing gets 12, and 30 or more with a probability of 2e-8 (binomial)


def test_a_clip_has_the_same_bits_alone_and_among_others(corpus: Path, trained: Trained) -> None:
    paths = [entry.path for entry in read_corpus(corpus)]
    among = list(trained.classifier.score_all(paths, jobs=3))
    for path, decision in list(zip(paths, among, strict=True))[::7]:
        assert isinstance(decision, Decision)
        assert trained.classifier.score(path).scores == decision.scores


def test_samples_in_memory_score_like_the_file(corpus: Path, trained: Trained) -> None:
    import soundfile

    path = read_corpus(corpus)[0].path
    samples, rate = soundfile.read(path, dtype="float32")
    assert trained.classifier.score((samples, rate)).scores == trained.classifier.score(path).scores


def test_a_bad_clip_leaves_its_neighbours_as_they_were(corpus: Path, trained: Trained, tmp_path: Path) -> None:
    good = [entry.path for entry in read_corpus(corpus)[:2]]
    bad = tmp_path / "bad.wav"
    bad.write_text("this is not audio")
    found = list(trained.classifier.score_all([good[0], bad, good[1]], jobs=2))
    assert isinstance(found[1], ClipError)
    assert found[1].code == "not_audio"
    for decision, path in zip(found[::2], good, strict=True):
        assert isinstance(decision, Decision)
        assert decision.scores == trained.classifier.score(path).scores


def test_the_model_has_the_same_bytes_for_any_jobs_and_for_the_same_seed(corpus: Path) -> None:
    entries = in_split(read_corpus(corpus), "train")[::2]
    settings = Training(PRESETS["speech"], components=3, seed=7)
    one, again, many = (to_bytes(train(entries, settings, jobs).classifier) for jobs in (1, 1, 4))
    assert one == again == many
    other = to_bytes(train(entries, Training(PRESETS["speech"], components=3, seed=8)).classifier)
    assert other != one


def test_windows_cover_the_recording() -> None:
    assert windows_of(10, 3, 3) == [(0, 3), (3, 6), (6, 10)]  # the rest is shorter than half a window
    assert windows_of(11, 3, 3) == [(0, 3), (3, 6), (6, 9), (9, 11)]
    assert windows_of(2, 3, 1) == [(0, 2)]
    assert windows_of(4, 3, 1) == [(0, 3), (1, 4)]


def test_a_window_is_scored_like_a_clip_of_its_own(corpus: Path, trained: Trained) -> None:
    path = read_corpus(corpus)[0].path
    ((_, windows),) = score_windows(trained.classifier, [path], (0.5, 0.5))
    clip = read_clip(path, 8000)
    second = windows[1]
    assert isinstance(second, Window)
    assert isinstance(second.found, Decision)
    assert (second.start, second.end) == (0.5, 1.0)
    alone = trained.classifier.score((clip.samples[4000:8000], 8000))
    assert second.found.scores == alone.scores
