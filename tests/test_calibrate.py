"""Calibration: known distortions undone, scikit-learn as oracle, laws, hostile files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from gmmaudio.classify import calibration_fit
from gmmaudio.classify.calibrate import Calibration, calibration_from, worth
from gmmaudio.classify.calibration_fit import HeldOut, fit_calibration
from gmmaudio.errors import DataError
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.multiclass import class_cllr, detection_llrs, min_class_cllr
from gmmaudio.tensors import Broken

LONG, SHORT = np.array([0.6, -0.4, 0.1, -0.3]), np.array([-0.2, 0.3, 0.2, -0.3])
SCALE, HALF = 3.0, 256.0


def clips_of(count: int, seed: int = 0, frames: tuple[int, ...] = (100, 300, 1000)) -> HeldOut:
    """Clips whose log-likelihoods are those of the model with the numbers above, by construction.

    Draw evidence z ~ N(m e_k, I) of label k: its log-likelihoods are m z_k, up to a constant. The scores are what
    the model's formula, solved for s, makes of them; so the right calibration gives back m z_k.
    """
    draw = np.random.default_rng(seed)
    truth = np.arange(count) % 4
    n = np.array(frames)[draw.integers(len(frames), size=count)]
    share = (n / (n + HALF))[:, None]
    strength = 3 * np.sqrt(share)  # longer clips hold more
    evidence = strength * (draw.normal(size=(count, 4)) + strength * np.eye(4)[truth])
    scores = ((evidence - (1 - share) * SHORT) / share - LONG) / SCALE
    return HeldOut(truth, scores, n, np.ones(count), np.arange(count), [None] * count, n / 100)


def test_by_hand() -> None:
    found = Calibration(2.0, 50.0, (1.0, 0.0), (0.0, 4.0), 10, 4, 2)
    # g(150) = 3/4: 3/4 (2 x 1 + 1) + 1/4 x 0 = 9/4, and 3/4 (2 x 0 + 0) + 1/4 x 4 = 1
    np.testing.assert_allclose(found.log_likelihoods(np.array([1.0, 0.0]), 150), [2.25, 1.0], rtol=1e-15)
    many = found.log_likelihoods(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([150, 50]))
    np.testing.assert_allclose(many, [[2.25, 1.0], [0.5, 2.0]], rtol=1e-15)


def test_a_known_distortion_is_found_again() -> None:
    found = fit_calibration(clips_of(10_000))
    assert found.half == HALF  # a power of two among those that are tried
    assert found.scale == pytest.approx(SCALE, rel=0.05)
    # The standard error of an offset is about 0.1 here; a constant for all labels means nothing.
    np.testing.assert_allclose(found.long - np.mean(found.long), LONG - LONG.mean(), atol=0.35)
    np.testing.assert_allclose(found.short - np.mean(found.short), SHORT - SHORT.mean(), atol=0.35)
    assert (found.shortest, found.clips, found.groups) == (100, 10_000, 0)


def test_new_clips_come_out_calibrated_at_every_duration() -> None:
    found = fit_calibration(clips_of(5000, seed=1))
    new = clips_of(30_000, seed=2)
    likelihoods = found.log_likelihoods(new.scores, new.frames)
    for frames in (100, 300, 1000):
        rows = new.frames == frames
        posterior = np.exp(likelihoods[rows] - np.logaddexp.reduce(likelihoods[rows], axis=1, keepdims=True))
        right = posterior.argmax(axis=1) == new.truth[rows]
        assert reliability(right, np.minimum(posterior.max(axis=1), 1)).error < 0.02
        llrs = detection_llrs(likelihoods[rows])
        least = np.mean(min_class_cllr(new.truth[rows], llrs))
        assert np.mean(class_cllr(new.truth[rows], llrs)) < least + 0.01


def test_without_durations_and_priors_it_is_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's multinomial regression on one feature per label, tied by hand: binary, where scale is free."""
    monkeypatch.setattr(calibration_fit, "OFFSET_SPREAD", 1e6)
    draw = np.random.default_rng(5)
    truth = np.repeat([0, 1], [150, 50])
    score = draw.normal(size=200) + 1.5 * truth
    frames = np.full(200, 200)
    scores, clips = np.stack([0 * score, score], 1), np.arange(200)
    found = fit_calibration(HeldOut(truth, scores, frames, np.ones(200), clips, [None] * 200, frames / 100))
    # Of each clip a share 1 - e + e/2 has its own label, and e/2 the other, e = 1/201; classes weigh the same.
    doubt = 1 / 201 / 2
    weight = np.where(truth == 0, 1 / 150, 1 / 50)
    oracle = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(
        np.tile(score, 2)[:, None],
        np.concatenate([truth, 1 - truth]),
        np.concatenate([weight * (1 - doubt), weight * doubt]),
    )
    share = worth(np.array(200), found.half)
    slope = share * found.scale
    offset = share * (found.long[1] - found.long[0]) + (1 - share) * (found.short[1] - found.short[0])
    assert slope == pytest.approx(oracle.coef_[0, 0], abs=1e-5)
    assert offset == pytest.approx(oracle.intercept_[0], abs=1e-5)


def test_at_the_optimum_the_slope_is_nought() -> None:
    """The condition for it, written out: residuals, weighed by what each number moves, balance the offsets' prior."""
    clips = clips_of(300, seed=11)
    found = fit_calibration(clips)
    likelihoods = found.log_likelihoods(clips.scores, clips.frames)
    posterior = np.exp(likelihoods - np.logaddexp.reduce(likelihoods, axis=1, keepdims=True))
    residual = posterior - ((1 - 1 / 301) * np.eye(4)[clips.truth] + 1 / 301 / 4)
    share = worth(clips.frames, found.half)[:, None]
    prior = 1 / (2.0**2 * 300)  # a standard deviation of 2 nats, and 300 clips, each a group of its own
    np.testing.assert_allclose((share * residual).sum(axis=0) / 300, -prior * np.array(found.long), atol=1e-7)
    np.testing.assert_allclose(((1 - share) * residual).sum(axis=0) / 300, -prior * np.array(found.short), atol=1e-7)
    centred = clips.scores - clips.scores.mean(axis=1, keepdims=True)
    assert np.sum(share * residual * centred) / 300 == pytest.approx(0, abs=1e-6)


def test_slope_and_curvature_are_those_of_the_loss() -> None:
    """By central differences."""
    clips = clips_of(300, seed=12)
    targets = np.eye(4)[clips.truth] * 0.99 + 0.0025
    problem = calibration_fit._Problem(clips.scores, worth(clips.frames, 256.0), targets, np.full(300, 1 / 300), 300)
    at = np.random.default_rng(0).normal(0, 0.3, 9)
    slope, curvature = problem.slope_and_curvature(at)
    steps = 1e-5 * np.eye(9)
    by_loss = [(problem.loss(at + step) - problem.loss(at - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(slope, by_loss, atol=1e-8)
    by_slope = [
        (problem.slope_and_curvature(at + step)[0] - problem.slope_and_curvature(at - step)[0]) / 2e-5 for step in steps
    ]
    np.testing.assert_allclose(curvature, by_slope, atol=1e-7)


def test_more_clips_of_a_label_are_no_prior() -> None:
    few = clips_of(1000, seed=3)
    # Label 0 comes three times: as if it had three times the clips, of the same kind. Groups keep the units equal.
    rows = np.concatenate([np.arange(1000), np.repeat(np.flatnonzero(few.truth == 0), 2)])
    groups = [str(clip) for clip in few.clip]
    few = replace(few, group=groups)
    many = HeldOut(
        few.truth[rows], few.scores[rows], few.frames[rows], few.weight[rows], few.clip[rows],
        [groups[i] for i in rows], few.seconds[rows],
    )  # fmt: skip
    one, other = fit_calibration(few), fit_calibration(many)
    np.testing.assert_allclose(other.long, one.long, atol=1e-6)
    assert other.scale == pytest.approx(one.scale, abs=1e-6)


def test_separable_clips_get_finite_numbers_and_few_of_them_less_certainty() -> None:
    sure = []
    for count in (8, 80, 800):
        truth = np.arange(count) % 4
        scores = 9.0 * np.eye(4)[truth]
        clips, frames, ones = np.arange(count), np.full(count, 300), np.ones(count)
        found = fit_calibration(HeldOut(truth, scores, frames, ones, clips, [None] * count, 3 * ones))
        likelihoods = found.log_likelihoods(scores[0], 300)
        sure.append(float(np.exp(likelihoods - np.logaddexp.reduce(likelihoods))[0]))
    # Scores that all clips of a label share can be mapped to the smoothed target itself: 1 - 3/4 e, e = 1/(1 + n).
    np.testing.assert_allclose(sure, [1 - 0.75 / 9, 1 - 0.75 / 81, 1 - 0.75 / 801], atol=1e-6)


def test_clips_of_few_voices_get_less_certainty_than_of_many() -> None:
    truth = np.arange(80) % 4
    voices = [("ann", "bob")[i // 4 % 2] for i in range(80)]
    found = HeldOut(truth, np.eye(4)[truth], np.full(80, 300), np.ones(80), np.arange(80), voices, np.full(80, 3.0))
    one, many = fit_calibration(found), fit_calibration(replace(found, group=[None] * 80))
    for fitted, units in ((one, 2 * 4), (many, 80)):  # both voices speak all four labels
        logits = fitted.log_likelihoods(np.eye(4)[0], 300)
        assert np.exp(logits - np.logaddexp.reduce(logits))[0] == pytest.approx(1 - 0.75 / (1 + units), abs=1e-6)
    assert (one.groups, many.groups) == (2, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: replace(found, scores=np.ones_like(found.scores)), "same for all labels"),
        (lambda found: replace(found, scores=-found.scores), "does not score higher"),
        (lambda found: replace(found, truth=np.minimum(found.truth, 2)), "no held-out clip"),
    ],
)
def test_reasons_why_not(change, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words) as caught:
        fit_calibration(change(clips_of(400)))
    assert caught.value.code == "cannot_calibrate"


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**31), st.permutations(range(4)))
def test_laws(seed: int, order: list[int]) -> None:
    found = clips_of(200, seed)
    fitted = fit_calibration(found)
    # A constant for each clip changes nothing.
    moved = fit_calibration(replace(found, scores=found.scores + np.linspace(-50, 50, 200)[:, None]))
    assert moved.half == fitted.half
    np.testing.assert_allclose(moved.long, fitted.long, atol=1e-5)
    # Labels in another order are the same labels.
    places = np.argsort(order)
    turned = fit_calibration(replace(found, truth=places[found.truth], scores=found.scores[:, order]))
    assert turned.half == fitted.half
    np.testing.assert_allclose(turned.long, np.array(fitted.long)[order], atol=1e-5)
    np.testing.assert_allclose(turned.short, np.array(fitted.short)[order], atol=1e-5)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.1, 1e5))
def test_a_longer_clip_is_surer(frames: int, more: int, half: float) -> None:
    found = Calibration(1.5, half, (0.0, 0.0), (0.0, 0.0), 1, 2, 0)
    scores = np.array([0.2, -0.1])
    gap = [float(-np.diff(found.log_likelihoods(scores, n))[0]) for n in (frames, frames + more)]
    assert 0 < gap[0] < gap[1] < 1.5 * 0.3


def test_back_from_plain_values() -> None:
    found = Calibration(2.0, 50.0, (1.0, 0.0), (0.0, 4.0), 10, 4, 2)
    assert calibration_from(json.loads(json.dumps(found.as_dict(), allow_nan=False)), 2) == found
    with pytest.raises(Broken, match="one finite number per label"):
        calibration_from(found.as_dict(), 3)


@pytest.mark.parametrize(("frames", "nearest"), [(30, 32.0), (300, 256.0), (3000, 4096.0)])
def test_clips_of_one_length_say_nothing_of_durations(frames: int, nearest: float) -> None:
    """Then half is what is least strange: the power of two nearest, as a ratio, to that length."""
    assert fit_calibration(clips_of(400, 0, (frames,))).half == nearest


def test_in_words() -> None:
    found = Calibration(2.0, 50.0, (1.0, 0.0), (0.0, 4.0), 10, 4, 2)
    assert found.summary == (
        "calibrated on 4 clips held out (2 groups); 50 frames are worth half of an endless clip; the shortest had 10"
    )


HOSTILE = [None, "1", True, -1, 0, float("nan"), float("inf"), 1e300, 10**400, [1.0], {}, [], ["a", "b"], [True, 1.0],
           [float("nan"), 0.0], [1e300, 0.0]]  # fmt: skip


@pytest.mark.parametrize("name", ["scale", "half", "long", "short", "shortest", "clips", "groups"])
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:9])
def test_hostile_values_are_refused(name: str, value: object) -> None:
    good = Calibration(2.0, 50.0, (1.0, 0.0), (0.0, 4.0), 10, 4, 2).as_dict()
    if name == "groups" and value == 0 and value is not True:
        assert calibration_from({**good, name: value}, 2).groups == 0
        return
    with pytest.raises(Broken, match=f"calibration's {name}"):
        calibration_from({**good, name: value}, 2)


@pytest.mark.parametrize("values", [None, [], 3, {}, {"scale": 1.0}])
def test_what_is_no_calibration_at_all(values: object) -> None:
    with pytest.raises(Broken, match="calibration"):
        calibration_from(values, 2)
