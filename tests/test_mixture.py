"""The density, posteriors and sampling of a mixture, against scipy, closed forms and bad arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import accumulate
from tests.conftest import random_mixture


def by_scipy(mixture: Mixture, frames: np.ndarray) -> np.ndarray:
    """Log weight + log density (n, k), one component at a time."""
    return np.stack(
        [
            np.log(w) + stats.multivariate_normal(m, np.diag(v)).logpdf(frames)
            for w, m, v in zip(mixture.weights, mixture.means, mixture.covariance.variances, strict=True)
        ],
        axis=1,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_log_density_and_posteriors_agree_with_scipy(dtype: type, tolerance: float) -> None:
    mixture = random_mixture(1)
    frames = mixture.sample(5000, seed=2)[0].astype(dtype)
    joint = by_scipy(mixture, frames.astype(np.float64))
    expected = logsumexp(joint, axis=1)
    np.testing.assert_allclose(mixture.log_density(frames), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(mixture.posteriors(frames), np.exp(joint - expected[:, None]), atol=10 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_frames_of_any_likelihood_in_any_order_agree_with_scipy(dtype: type, tolerance: float) -> None:
    # Log densities from -2 to -20,000 nats, mixed within blocks and rising from block to block: no offset fits all.
    mixture = random_mixture(1)
    generator = np.random.default_rng(2)
    scales = np.concatenate([generator.permutation(np.geomspace(0.1, 100, 5000)), np.geomspace(0.1, 100, 5000)])
    frames = (scales[:, None] * generator.standard_normal((10_000, 3))).astype(dtype)
    joint = by_scipy(mixture, frames.astype(np.float64))
    expected = logsumexp(joint, axis=1)
    assert expected.max() > -10
    assert expected.min() < -10_000
    np.testing.assert_allclose(mixture.log_density(frames), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(mixture.posteriors(frames), np.exp(joint - expected[:, None]), atol=50 * tolerance)
    statistics = accumulate(mixture, frames)
    shares = np.exp(joint - expected[:, None])
    np.testing.assert_allclose(statistics.occupancy, shares.sum(axis=0), rtol=tolerance)
    assert statistics.log_likelihood == pytest.approx(expected.sum(), rel=tolerance)


def test_one_dimension_is_the_normal_density() -> None:
    one = Mixture(np.ones(1), np.array([[2.0]]), Diagonal(np.array([[9.0]])))
    # The standard normal density at its mean is 1/sqrt(2 pi); a deviation of 3 divides it by 3.
    assert np.exp(one.log_density([[2.0]])[0]) == pytest.approx(1 / (3 * np.sqrt(2 * np.pi)), rel=1e-14)


def test_a_huge_offset_costs_float32_nothing_that_its_input_still_had() -> None:
    near = random_mixture(3)
    far = Mixture(near.weights, near.means + 4096.0, near.covariance)
    frames = near.sample(1000, seed=4)[0].astype(np.float32).astype(np.float64)
    # Shifting data and means by the same number shifts no density; 4096 costs a float32 number its last 2^-12.
    shifted = (frames + 4096).astype(np.float32)
    exact = near.log_density(shifted.astype(np.float64) - 4096)
    np.testing.assert_allclose(far.log_density(shifted), exact, rtol=1e-5, atol=1e-5)


def test_samples_have_the_mixture_s_moments() -> None:
    mixture = random_mixture(5)
    frames, component = mixture.sample(200_000, seed=6)
    mean = mixture.weights @ mixture.means
    variance = mixture.weights @ (mixture.covariance.variances + mixture.means**2) - mean**2
    # Six standard errors of a mean over 200,000 draws.
    np.testing.assert_allclose(frames.mean(axis=0), mean, atol=6 * np.sqrt(variance.max() / 200_000))
    np.testing.assert_allclose(frames.var(axis=0), variance, rtol=0.03)
    np.testing.assert_allclose(np.bincount(component) / 200_000, mixture.weights, atol=0.01)


def test_same_seed_same_sample() -> None:
    mixture = random_mixture(7)
    assert np.array_equal(mixture.sample(10, seed=1)[0], mixture.sample(10, seed=1)[0])
    assert not np.array_equal(mixture.sample(10, seed=1)[0], mixture.sample(10, seed=2)[0])


@pytest.mark.parametrize(
    ("frames", "code", "words"),
    [
        (np.zeros(3), "bad_shape", r"shape \(3,\)"),
        (np.zeros((2, 4)), "bad_shape", "3 dimensions, the frames 4"),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), "non_finite", "row 1, column 1 is nan"),
        (np.array([[0, 0, np.inf]]), "non_finite", "row 0, column 2 is inf"),
        (np.array([["a", "b", "c"]]), "not_numeric", "dtype <U1"),
    ],
)
def test_frames_that_cannot_be_used(frames: np.ndarray, code: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        random_mixture(1).log_density(frames)
    assert caught.value.code == code


def test_a_bad_value_far_down_is_found_where_it_is() -> None:
    frames = np.zeros((10_000, 3), np.float32)
    frames[7777, 2] = np.nan
    with pytest.raises(DataError, match="row 7777, column 2"):
        random_mixture(1).log_density(frames)
