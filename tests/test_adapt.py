"""MAP adaptation against Reynolds' equations written out, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.errors import DataError
from gmmaudio.gmm.adapt import adapt
from gmmaudio.gmm.covariance import KINDS, Diagonal
from gmmaudio.gmm.em import maximise
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics, accumulate
from tests.test_em import random_kind

ALL = sorted(KINDS)
UNTIED = [kind for kind in ALL if kind != "tied"]


def own_statistics(mixture: Mixture, frames: float) -> Statistics:
    """The statistics of data that have exactly the mixture's own moments and shares."""
    occupancy = frames * mixture.weights
    means = mixture.means - mixture.centre
    second = mixture.covariance.moments(occupancy, means)
    return Statistics(
        occupancy, occupancy[:, None] * means, second, 0.0, frames, mixture.centre, mixture.covariance.kind
    )


def reynolds(mixture: Mixture, frames: np.ndarray, relevance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equations 11 to 14 with one loop per component; the covariances as matrices (k, d, d)."""
    k, d = mixture.means.shape
    posteriors = mixture.posteriors(frames)
    matrices = mixture.covariance.matrices(k, d)
    weights, means, covariances = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
    for i in range(k):
        n = posteriors[:, i].sum()
        alpha = n / (n + relevance)
        first = posteriors[:, i] @ frames / n
        second = (frames * posteriors[:, [i]]).T @ frames / n
        weights[i] = alpha * n / len(frames) + (1 - alpha) * mixture.weights[i]
        means[i] = alpha * first + (1 - alpha) * mixture.means[i]
        old = matrices[i] + np.outer(mixture.means[i], mixture.means[i])
        covariances[i] = alpha * second + (1 - alpha) * old - np.outer(means[i], means[i])
    return weights / weights.sum(), means, covariances


@pytest.mark.parametrize("kind", UNTIED)
@pytest.mark.parametrize("relevance", [0.5, 4.0, 16.0])
def test_adaptation_is_reynolds_s_update_written_out(kind: str, relevance: float) -> None:
    mixture = random_kind(kind, 1, 4, 3)
    frames = random_kind(kind, 2, 4, 3).sample(200, 0)[0]
    adapted = adapt(mixture, accumulate(mixture, frames), relevance, variances=True, weights=True)
    weights, means, matrices = reynolds(mixture, frames, relevance)
    np.testing.assert_allclose(adapted.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(adapted.means, means, rtol=1e-12, atol=1e-12)
    # Of a diagonal kind the equations hold per dimension, of a spherical one for the mean over dimensions.
    expected = KINDS[kind].from_matrices(matrices, weights).array
    np.testing.assert_allclose(adapted.covariance.array, expected, rtol=1e-12, atol=1e-12)


def test_a_tied_background_gets_reynolds_s_means_and_weights() -> None:
    mixture = random_kind("tied", 1, 4, 3)
    frames = random_kind("tied", 2, 4, 3).sample(200, 0)[0]
    adapted = adapt(mixture, accumulate(mixture, frames), weights=True)
    weights, means, _ = reynolds(mixture, frames, 16.0)
    np.testing.assert_allclose(adapted.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(adapted.means, means, rtol=1e-12, atol=1e-12)
    assert adapted.covariance is mixture.covariance


def test_one_component_by_hand() -> None:
    one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    # Four frames, mean 2 and mean square 5, relevance 12: alpha is 1/4. Mean 2/4; variance 5/4 + 3/4 - 1/4.
    adapted = adapt(one, accumulate(one, np.array([[1.0], [1.0], [3.0], [3.0]])), relevance=12, variances=True)
    assert adapted.means[0, 0] == pytest.approx(0.5, rel=1e-15)
    assert adapted.covariance.array[0, 0] == pytest.approx(1.75, rel=1e-15)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(UNTIED), st.integers(0, 10**6), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_data_with_the_background_s_moments_change_nothing(
    kind: str, seed: int, frames: float, relevance: float
) -> None:
    """The case where bob.learn.em 3.3.1, which adds the mean for the mean squared, gives a variance of -0.714."""
    mixture = random_kind(kind, seed, 3, 2)
    same = adapt(mixture, own_statistics(mixture, frames), relevance, variances=True, weights=True)
    np.testing.assert_allclose(same.weights, mixture.weights, rtol=1e-12)
    np.testing.assert_allclose(same.means, mixture.means, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(same.covariance.array, mixture.covariance.array, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", UNTIED)
def test_relevance_to_infinity_is_the_background_and_to_zero_the_likeliest(kind: str) -> None:
    mixture = random_kind(kind, 1, 3, 2)
    statistics = accumulate(mixture, random_kind(kind, 2, 3, 2).sample(300, 0)[0])
    likeliest = maximise(statistics)
    for relevance, limit in ((1e13, mixture), (1e-12, likeliest)):
        adapted = adapt(mixture, statistics, relevance, variances=True, weights=True)
        # The distance to the limit is of the order of 300 / 1e13, or of 1e-12 over the least occupancy.
        np.testing.assert_allclose(adapted.weights, limit.weights, rtol=1e-9)
        np.testing.assert_allclose(adapted.means, limit.means, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(adapted.covariance.array, limit.covariance.array, rtol=1e-9, atol=1e-9)


def test_means_alone_are_adapted_unless_asked_otherwise() -> None:
    mixture = random_kind("diag", 1, 3, 2)
    statistics = accumulate(mixture, random_kind("diag", 2, 3, 2).sample(300, 0)[0])
    plain = adapt(mixture, statistics)
    assert not np.allclose(plain.means, mixture.means)
    assert plain.covariance is mixture.covariance
    assert plain.weights is mixture.weights
    assert adapt(mixture, statistics, means=False).means is mixture.means


@pytest.mark.parametrize("kind", UNTIED)
def test_variances_about_means_that_stay(kind: str) -> None:
    mixture = random_kind(kind, 1, 3, 2)
    frames = random_kind(kind, 2, 3, 2).sample(300, 0)[0]
    kept = adapt(mixture, accumulate(mixture, frames), 16.0, means=False, variances=True)
    # The posterior-weighted spread about the old mean, mixed with the old covariance.
    posteriors, matrices = mixture.posteriors(frames), mixture.covariance.matrices(3, 2)
    expected = np.empty((3, 2, 2))
    for i in range(3):
        n = posteriors[:, i].sum()
        away = frames - mixture.means[i]
        expected[i] = ((away * posteriors[:, [i]]).T @ away + 16 * matrices[i]) / (n + 16)
    expected = KINDS[kind].from_matrices(expected, mixture.weights).array
    np.testing.assert_allclose(kept.covariance.array, expected, rtol=1e-11, atol=1e-11)


def test_no_data_change_nothing() -> None:
    mixture = random_kind("diag", 1, 3, 2)
    same = adapt(mixture, Statistics.zero(mixture), variances=True, weights=True)
    np.testing.assert_allclose(same.weights, mixture.weights, rtol=1e-14)
    np.testing.assert_allclose(same.means, mixture.means, rtol=1e-14)
    np.testing.assert_allclose(same.covariance.array, mixture.covariance.array, rtol=1e-12)


def test_what_cannot_be_adapted_is_refused() -> None:
    diag, tied = random_kind("diag", 1, 3, 2), random_kind("tied", 1, 3, 2)
    for relevance in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(DataError, match="relevance"):
            adapt(diag, Statistics.zero(diag), relevance)
    with pytest.raises(DataError, match="tied covariance cannot be adapted"):
        adapt(tied, Statistics.zero(tied), variances=True)
    with pytest.raises(DataError, match="cannot adapt a background") as caught:
        adapt(diag, Statistics.zero(tied))
    assert caught.value.code == "not_additive"
    with pytest.raises(DataError, match="cannot adapt a background"):
        adapt(diag, Statistics.zero(random_kind("diag", 1, 4, 2)))
