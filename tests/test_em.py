"""Statistics, the M-step and EM: laws of addition, scikit-learn from the same start, degenerate data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS, Diagonal, Regulariser
from gmmaudio.gmm.em import Em, em, fit_from, maximise, reseed, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, cut, sample_frames
from gmmaudio.gmm.start import k_means_start
from gmmaudio.gmm.statistics import Statistics, accumulate, tally
from tests.conftest import random_mixture


def assert_same(a: Statistics, b: Statistics, rtol: float) -> None:
    for name in ("occupancy", "first", "second", "log_likelihood", "frames"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, atol=rtol, err_msg=name)


def test_statistics_by_hand() -> None:
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), Diagonal(np.ones((2, 1))))
    frames = np.array([[0.0], [2.0]])
    # Posteriors by Bayes: 1/2 at 0; at 2 the odds are exp(-1/2) to exp(-9/2), that is e^4 to 1 for the right one.
    right = np.array([0.5, np.exp(4) / (1 + np.exp(4))])
    s = accumulate(mixture, frames)
    np.testing.assert_allclose(s.occupancy, [2 - right.sum(), right.sum()], rtol=1e-12)
    np.testing.assert_allclose(s.first[:, 0], [2 * (1 - right[1]), 2 * right[1]], rtol=1e-12)
    np.testing.assert_allclose(s.second[:, 0], [4 * (1 - right[1]), 4 * right[1]], rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(0, 400), st.booleans())
def test_statistics_add_up_over_any_cut(seed: int, n: int, where: int, single: bool) -> None:
    mixture = random_mixture(seed)
    frames = mixture.sample(n, seed)[0].astype(np.float32 if single else np.float64)
    a, b = accumulate(mixture, frames[:where]), accumulate(mixture, frames[where:])
    assert_same(a + b, accumulate(mixture, frames), 1e-4 if single else 1e-10)
    assert_same(a + b, b + a, 0)
    assert_same(a + Statistics.zero(mixture), a, 0)


def test_statistics_of_different_mixtures_do_not_add() -> None:
    one, other = random_mixture(1), random_mixture(2)
    with pytest.raises(DataError, match="one mixture"):
        _ = accumulate(one, one.means) + accumulate(other, other.means)


def test_a_weight_of_two_is_the_frame_twice() -> None:
    mixture = random_mixture(1)
    frames = mixture.sample(300, 0)[0]
    weights = np.arange(300) % 3
    assert_same(accumulate(mixture, frames, weights), accumulate(mixture, frames.repeat(weights, axis=0)), 1e-10)


@pytest.mark.parametrize("weights", [[1.0], [np.nan] * 4, [-1.0, 1, 1, 1]])
def test_weights_that_cannot_be_used(weights: list[float]) -> None:
    with pytest.raises(DataError, match="weights must"):
        accumulate(random_mixture(1), np.zeros((4, 3)), weights)


def by_sklearn(frames: np.ndarray, start: Mixture, reg_covar: float, iterations: int) -> list[float]:
    """The mean log-likelihood of each iteration's mixture in scikit-learn, in float64."""
    values = []
    for count in range(1, iterations + 1):
        model = GaussianMixture(
            start.components,
            covariance_type="diag",
            reg_covar=reg_covar,
            max_iter=count,
            tol=0,
            weights_init=start.weights,
            means_init=start.means,
            precisions_init=1 / start.covariance.variances,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(frames)
        values.append(float(model.score(frames)))
    return values


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_log_likelihood_per_iteration_is_scikit_learn_s(dtype: type, tolerance: float) -> None:
    truth = random_mixture(11, components=6, dimension=5, spread=1.0)
    frames = truth.sample(3000, 1)[0].astype(dtype)
    start = random_mixture(12, components=6, dimension=5, spread=1.0)
    plain = Em(iterations=21, tolerance=-np.inf, regulariser=Regulariser(add=1e-3, relative_floor=0), min_occupancy=0)
    (fit,) = run([em(start, plain, np.ones(5))], [cut(frames, size=700)])
    expected = by_sklearn(frames.astype(np.float64), start, 1e-3, 20)
    np.testing.assert_allclose(fit.log_likelihood[1:21], expected, rtol=tolerance)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_em_never_lowers_the_likelihood(seed: int, components: int) -> None:
    frames = random_mixture(seed).sample(500, seed)[0]
    start = k_means_start(frames, components, np.random.default_rng(seed), passes=0)
    free = Em(iterations=15, tolerance=-np.inf, regulariser=Regulariser(relative_floor=0), min_occupancy=0)
    (fit,) = run([em(start, free, np.ones(3))], [[Shard(frames)]])
    assert np.diff(fit.log_likelihood).min() > -1e-9


def test_a_mixture_is_found_again() -> None:
    truth = random_mixture(21, components=3, dimension=2, spread=6.0)
    frames, _ = truth.sample(30_000, 0)
    (fit,) = run([fit_from(frames, lambda s: k_means_start(s, 3, np.random.default_rng(0)), Em())], [cut(frames)])
    assert fit.converged
    nearest = ((fit.mixture.means[:, None] - truth.means) ** 2).sum(axis=2).argmin(axis=0)
    # Six standard errors of a mean over at least 3,000 frames of variance at most 2.
    np.testing.assert_allclose(fit.mixture.means[nearest], truth.means, atol=6 * np.sqrt(2 / 3000))
    np.testing.assert_allclose(fit.mixture.weights[nearest], truth.weights, atol=0.02)


def test_same_bits_for_any_number_of_workers() -> None:
    frames = random_mixture(31, 8, 10).sample(40_000, 0)[0].astype(np.float32)

    def fitted(jobs: int) -> Mixture:
        seeds = np.random.SeedSequence(5).spawn(2)
        fits = [
            fit_from(frames[:5000], lambda s, g=g: k_means_start(s, 8, np.random.default_rng(g)), Em()) for g in seeds
        ]
        return run(fits, [cut(frames, size=1000), cut(frames, size=3000)], jobs)[1].mixture

    one = fitted(1)
    for jobs in (2, 5):
        other = fitted(jobs)
        assert np.array_equal(one.means, other.means)
        assert np.array_equal(one.covariance.variances, other.covariance.variances)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "kind",
    ["constant column", "three distinct rows", "huge offset", "tiny scale", "all the same", "one row each"],
)
def test_degenerate_data_never_gives_nan(kind: str, dtype: type) -> None:
    base = np.random.default_rng(0).standard_normal((500, 5))
    frames = {
        "constant column": base * [1, 1, 0, 1, 1],
        "three distinct rows": base[np.arange(600) % 3],
        "huge offset": base + 1e6,
        "tiny scale": base * 1e-5,
        "all the same": np.ones((500, 5)),
        "one row each": base[:8],
    }[kind].astype(dtype)
    (fit,) = run([fit_from(frames, lambda s: k_means_start(s, 8, np.random.default_rng(0)), Em())], [[Shard(frames)]])
    for values in (
        fit.mixture.weights,
        fit.mixture.means,
        fit.mixture.covariance.variances,
        fit.log_likelihood,
    ):
        assert np.isfinite(values).all()
    assert (fit.mixture.covariance.variances > 0).all()
    assert np.isfinite(fit.mixture.log_density(frames)).all()
    if kind in ("constant column", "three distinct rows", "all the same"):
        assert fit.floored > 0, "what was floored is said"


def test_the_relative_floor_follows_the_scale() -> None:
    frames = np.random.default_rng(0).standard_normal((2000, 2))

    def fitted(scale: float) -> Mixture:
        values = frames * scale
        start = lambda s: k_means_start(s, 4, np.random.default_rng(1))  # noqa: E731
        return run([fit_from(values, start, Em(tolerance=0))], [[Shard(values)]])[0].mixture

    small, large = fitted(2.0**-20), fitted(1.0)
    np.testing.assert_allclose(small.covariance.variances * 2.0**40, large.covariance.variances, rtol=1e-8)


def test_fewer_frames_than_components_is_an_error() -> None:
    with pytest.raises(DataError, match="8 components need at least 8 frames, got 4"):
        k_means_start(np.zeros((4, 2)), 8, np.random.default_rng(0))


def test_a_starved_component_is_reseeded_from_the_heaviest() -> None:
    mixture = Mixture(np.array([0.9, 0.1]), np.array([[0.0], [50.0]]), Diagonal(np.ones((2, 1))))
    better, moved = reseed(mixture, np.array([900.0, 1.0]), least=5)
    assert moved == 1
    # The heaviest is split half a standard deviation to either side.
    np.testing.assert_allclose(np.sort(better.means[:, 0]), [-0.5, 0.5])
    np.testing.assert_allclose(better.weights, [0.5, 0.5])


def test_maximise_of_all_frames_in_one_component_is_their_mean_and_variance() -> None:
    frames = np.random.default_rng(0).standard_normal((1000, 3)) * [1, 5, 0.1] + [0, 100, -3]
    one = Mixture(np.ones(1), np.zeros((1, 3)), Diagonal(np.ones((1, 3))))
    best = maximise(accumulate(one, frames))
    np.testing.assert_allclose(best.means[0], frames.mean(axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(best.covariance.variances[0], frames.var(axis=0), rtol=1e-8)


def test_a_sample_is_bounded_without_repeats_and_seeded() -> None:
    parts = [Shard(np.arange(0, 30_000.0)[:, None]), Shard(lambda: np.arange(30_000.0, 50_000)[:, None])]
    sample = sample_frames(parts, 10_000, np.random.default_rng(3))
    assert sample.shape == (10_000, 1)
    assert len(np.unique(sample)) == 10_000
    assert np.array_equal(sample, sample_frames(parts, 10_000, np.random.default_rng(3)))
    assert (sample >= 30_000).mean() == pytest.approx(0.4, abs=0.03)  # the second part's share


def random_kind(kind: str, seed: int, components: int, dimension: int) -> Mixture:
    """A mixture of any kind of covariance, near to the others."""
    generator = np.random.default_rng(seed)
    roots = generator.standard_normal((components, dimension, dimension)) / 2 + np.eye(dimension)
    near = random_mixture(seed, components, dimension, spread=1.5)
    matrices = roots @ np.swapaxes(roots, 1, 2) + 0.3 * np.eye(dimension)
    return Mixture(near.weights, near.means, KINDS[kind].from_matrices(matrices, near.weights))


ALL = sorted(KINDS)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
@pytest.mark.parametrize("kind", ALL)
def test_every_kind_s_likelihood_per_iteration_is_scikit_learn_s(kind: str, dtype: type, tolerance: float) -> None:
    frames = random_kind(kind, 11, 5, 4).sample(2500, 1)[0].astype(dtype)
    start = random_kind(kind, 12, 5, 4)
    plain = Em(iterations=21, tolerance=-np.inf, regulariser=Regulariser(add=1e-3, relative_floor=0), min_occupancy=0)
    (fit,) = run([em(start, plain, np.ones(4))], [cut(frames, size=700)])
    precisions = {
        "diag": lambda: 1 / start.covariance.array,
        "spherical": lambda: 1 / start.covariance.array,
        "tied": lambda: np.linalg.inv(start.covariance.array),
        "full": lambda: np.linalg.inv(start.covariance.array),
    }[kind]()
    expected = []
    for count in range(1, 21):
        model = GaussianMixture(
            5, covariance_type=kind, reg_covar=1e-3, max_iter=count, tol=0, weights_init=start.weights,
            means_init=start.means, precisions_init=precisions,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(frames.astype(np.float64))
        expected.append(model.score(frames.astype(np.float64)))
    np.testing.assert_allclose(fit.log_likelihood[1:21], expected, rtol=tolerance)


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_s_density_is_scipy_s(kind: str) -> None:
    mixture = random_kind(kind, 3, 4, 3)
    frames = mixture.sample(500, 2)[0]
    matrices = mixture.covariance.matrices(4, 3)
    joint = [
        np.log(w) + stats.multivariate_normal(m, s).logpdf(frames)
        for w, m, s in zip(mixture.weights, mixture.means, matrices, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(frames), logsumexp(joint, axis=0), rtol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6), st.integers(1, 200), st.integers(0, 200), st.booleans())
def test_every_kind_s_statistics_add_up(kind: str, seed: int, n: int, where: int, weighted: bool) -> None:
    mixture = random_kind(kind, seed, 3, 2)
    frames = mixture.sample(n, seed)[0]
    weights = np.random.default_rng(seed).uniform(0, 2, n) if weighted else np.ones(n)
    parts = accumulate(mixture, frames[:where], weights[:where]) + accumulate(mixture, frames[where:], weights[where:])
    assert_same(parts, accumulate(mixture, frames, weights if weighted else None), 1e-9)
    assert_same(parts + Statistics.zero(mixture), parts, 0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6))
def test_moments_about_another_point_are_those_of_moved_frames(kind: str, seed: int) -> None:
    mixture = random_kind(kind, seed, 3, 2)
    frames = mixture.sample(50, seed)[0]
    step = np.random.default_rng(seed).standard_normal(2)
    there = Mixture(mixture.weights, mixture.means - step, mixture.covariance)
    direct = accumulate(there, frames - step)
    # Frames moved by -step, with moments about c, are frames with moments about c + step.
    moved = accumulate(mixture, frames).about(direct.centre + step)
    for name in ("occupancy", "first", "second"):
        np.testing.assert_allclose(getattr(moved, name), getattr(direct, name), rtol=1e-8, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6))
def test_a_model_s_own_moments_give_it_back(kind: str, seed: int) -> None:
    mixture = random_kind(kind, seed, 3, 2)
    occupancy = mixture.weights * 100
    means = mixture.means - mixture.centre
    own = Statistics(
        occupancy, occupancy[:, None] * means, mixture.covariance.moments(occupancy, means), 0.0, 100.0, mixture.centre,
        kind,
    )  # fmt: skip
    again = maximise(own)
    np.testing.assert_allclose(again.means, mixture.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(again.covariance.array, mixture.covariance.array, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", ALL)
def test_a_hard_tally_is_each_cluster_s_own_moments(kind: str) -> None:
    frames = random_kind(kind, 5, 3, 2).sample(300, 0)[0]
    nearest = np.arange(300) % 3
    best = maximise(tally(frames, nearest, 3, kind))
    np.testing.assert_allclose(best.means, [frames[nearest == c].mean(axis=0) for c in range(3)], rtol=1e-9)
    own = np.stack([np.cov(frames[nearest == c].T, bias=True) for c in range(3)])
    expected = KINDS[kind].from_matrices(own, np.full(3, 1 / 3)).array
    np.testing.assert_allclose(best.covariance.array, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ALL)
def test_samples_have_the_kind_s_covariance(kind: str) -> None:
    mixture = random_kind(kind, 7, 2, 3)
    frames, component = mixture.sample(200_000, 1)
    for c, matrix in enumerate(mixture.covariance.matrices(2, 3)):
        np.testing.assert_allclose(np.cov(frames[component == c].T), matrix, atol=0.04 * np.abs(matrix).max())


@pytest.mark.parametrize("kind", ALL)
def test_no_kind_collapses_on_few_distinct_rows(kind: str) -> None:
    frames = np.random.default_rng(0).standard_normal((4, 3))[np.arange(400) % 4]
    (fit,) = run(
        [fit_from(frames, lambda s: k_means_start(s, 6, np.random.default_rng(0), kind=kind), Em())], [[Shard(frames)]]
    )
    assert np.isfinite(fit.log_likelihood).all()
    assert np.isfinite(fit.mixture.covariance.array).all()
    assert np.isfinite(fit.mixture.log_density(frames)).all()
