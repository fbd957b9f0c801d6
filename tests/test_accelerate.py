"""Accelerated EM, splitting and the best of several starts, against plain EM run to its end and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmmaudio.gmm.accelerate import accelerated_em, ahead
from gmmaudio.gmm.covariance import KINDS, Diagonal, Full, Regulariser
from gmmaudio.gmm.em import Em, em, fit_from, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.restarts import best_of, split, splitting
from gmmaudio.gmm.shards import Shard, cut
from gmmaudio.gmm.start import k_means_start, random_start
from gmmaudio.gmm.statistics import Statistics, accumulate
from tests.conftest import random_mixture

ALL = sorted(KINDS)
NO_FLOOR = Regulariser(relative_floor=0)
TO_THE_END = Em(iterations=20_000, tolerance=1e-12, regulariser=NO_FLOOR, min_occupancy=0)


def overlapping(kind: str) -> tuple[np.ndarray, Mixture]:
    """Frames of three round clouds whose centres are about two deviations apart, and a poor start."""
    means = np.array([[-1.2, 0.0], [1.2, 0.0], [0.0, 2.0]])
    equal = np.full(3, 1 / 3)
    round_ones = KINDS[kind].from_matrices(np.tile(np.eye(2), (3, 1, 1)), equal)
    frames = Mixture(equal, means, round_ones).sample(4000, 1)[0]
    moved = means + np.random.default_rng(3).standard_normal((3, 2)) / 2
    return frames, Mixture(equal, moved, round_ones)


def steps_to(history: tuple[float, ...], target: float) -> int:
    return next(count for count, value in enumerate(history, 1) if value >= target)


@pytest.mark.parametrize("kind", ALL)
def test_it_finds_plain_em_s_optimum_in_fewer_iterations(kind: str) -> None:
    frames, start = overlapping(kind)
    spread = frames.var(axis=0)
    plain, fast = run([em(start, TO_THE_END, spread), accelerated_em(start, TO_THE_END, spread)], [cut(frames)] * 2)
    assert plain.converged
    assert fast.converged
    # The oracle is plain EM until an iteration gains less than 1e-12 nats per frame.
    np.testing.assert_allclose(fast.log_likelihood[-1], plain.log_likelihood[-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(fast.mixture.means, plain.mixture.means, atol=1e-3)
    np.testing.assert_allclose(fast.mixture.weights, plain.mixture.weights, atol=1e-3)
    np.testing.assert_allclose(fast.mixture.covariance.array, plain.mixture.covariance.array, atol=1e-3)
    # To within 1e-7 of that optimum plain EM takes 51 (tied) to 497 (full) iterations here.
    near = plain.log_likelihood[-1] - 1e-7
    assert steps_to(fast.log_likelihood, near) * (2 if kind == "tied" else 5) <= steps_to(plain.log_likelihood, near)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ALL),
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.sampled_from([Regulariser(), NO_FLOOR, Regulariser(add=0.05, relative_floor=0)]),
    st.sampled_from([-np.inf, 1e-3]),
)
@example("full", 1040, 3, NO_FLOOR, -np.inf)  # a component collapses onto a plane
def test_the_likelihood_never_falls(
    kind: str, seed: int, components: int, regulariser: Regulariser, tolerance: float
) -> None:
    frames = random_mixture(seed, spread=1.0).sample(300, seed)[0]
    start = random_start(frames, components, np.random.default_rng(seed), kind=kind)
    chosen = Em(iterations=25, tolerance=tolerance, regulariser=regulariser, min_occupancy=0)
    (fit,) = run([accelerated_em(start, chosen, frames.var(axis=0))], [[Shard(frames)]])
    assert np.diff(fit.log_likelihood).min() >= 0
    assert len(fit.log_likelihood) <= 25
    if fit.converged or regulariser.add == 0:  # adding to variances, an M-step does not maximise
        assert fit.mixture.log_density(frames).mean() >= fit.log_likelihood[-1] - 1e-9


@pytest.mark.parametrize("kind", ALL)
def test_a_step_too_far_is_dropped_and_counted(kind: str) -> None:
    frames, start = overlapping(kind)
    tried = []

    def e_step(*of: object) -> Statistics:
        statistics = accumulate(*of)
        tried.append(statistics.mean_log_likelihood)
        return statistics

    (fit,) = run([accelerated_em(start, TO_THE_END, frames.var(axis=0))], [[Shard(frames)]], e_step=e_step)
    assert np.diff(tried).min() < -1e-9, "momentum overshoots at times"
    np.testing.assert_array_equal(fit.log_likelihood, np.maximum.accumulate(tried))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_ahead_is_linear_in_means_and_in_logs_of_the_rest(seed: int, share: float) -> None:
    before, step = random_mixture(seed), random_mixture(seed + 1)
    found = ahead(step, before, share, NO_FLOOR, np.ones(3))
    logs = (1 + share) * np.log(step.weights) - share * np.log(before.weights)
    np.testing.assert_allclose(found.weights, np.exp(logs) / np.exp(logs).sum(), rtol=1e-10)
    np.testing.assert_allclose(found.means, (1 + share) * step.means - share * before.means, rtol=1e-10, atol=1e-12)
    logs = (1 + share) * np.log(step.covariance.array) - share * np.log(before.covariance.array)
    np.testing.assert_allclose(found.covariance.array, np.exp(logs), rtol=1e-10)
    # The Cholesky factor of a diagonal matrix are its diagonal's roots: full matrices must say the same.
    a, b = (Mixture(m.weights, m.means, Full(m.covariance.matrices(4, 3))) for m in (step, before))
    full = ahead(a, b, share, NO_FLOOR, np.ones(3)).covariance
    np.testing.assert_allclose(full.matrices(4, 3), found.covariance.matrices(4, 3), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6), st.floats(0, 1))
def test_ahead_keeps_within_the_floor(kind: str, seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    spread = generator.uniform(0.1, 10, 3)

    def some() -> Mixture:
        roots = generator.standard_normal((2, 3, 3))
        near = random_mixture(seed, components=2)
        return Mixture(
            near.weights, near.means, KINDS[kind].from_matrices(roots @ np.swapaxes(roots, 1, 2), near.weights)
        )

    found = ahead(some(), some(), share, Regulariser(relative_floor=0.2), spread).covariance.matrices(2, 3)
    # Eigenvalues once columns are scaled to unit variance; one variance for all columns has the floors' mean.
    scale = spread.mean() * np.ones(3) if kind == "spherical" else spread
    assert np.linalg.eigvalsh(found / np.sqrt(np.outer(scale, scale))).min() >= 0.2 * (1 - 1e-9)


def starved() -> tuple[np.ndarray, Mixture]:
    """Frames with two far off, and a start that gives those a component of their own."""
    frames = np.concatenate([random_mixture(5, 3).sample(2000, 0)[0], [[1e3, 0, 0], [1e3, 1, 1]]])
    return frames, Mixture(np.full(2, 0.5), np.array([[0.0, 0, 0], [1e3, 0, 0]]), Diagonal(np.ones((2, 3))))


def test_a_starved_component_is_reseeded_and_the_fit_still_ends() -> None:
    frames, start = starved()
    (fit,) = run([accelerated_em(start, Em(iterations=100), frames.var(axis=0))], [cut(frames)])
    assert fit.reseeded >= 1
    # The two frames draw a component again and again: a re-seeding that has not paid is not repeated.
    assert fit.converged
    assert np.diff(fit.log_likelihood).min() >= 0
    assert fit.mixture.log_density(frames).mean() >= fit.log_likelihood[-1] - 1e-9


@pytest.mark.parametrize("iterations", range(1, 12))
def test_wherever_it_is_stopped_the_best_comes_out(iterations: int) -> None:
    frames, start = starved()
    (fit,) = run([accelerated_em(start, Em(iterations=iterations), frames.var(axis=0))], [cut(frames)])
    assert len(fit.log_likelihood) == iterations
    assert fit.mixture.log_density(frames).mean() >= max(fit.log_likelihood) - 1e-9


def test_same_bits_for_any_number_of_jobs_and_from_round_0() -> None:
    frames = random_mixture(31, 8, 10).sample(20_000, 0)[0].astype(np.float32)

    def fitted(jobs: int) -> np.ndarray:
        start = lambda sample: k_means_start(sample, 8, np.random.default_rng(1))  # noqa: E731
        return run([fit_from(frames[:4000], start, Em(), accelerated_em)], [cut(frames, size=3000)], jobs)[
            0
        ].mixture.means

    assert np.array_equal(fitted(1), fitted(3))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6), st.integers(1, 4))
def test_a_split_keeps_the_mean_and_the_weight(kind: str, seed: int, count: int) -> None:
    near = random_mixture(seed)
    mixture = Mixture(near.weights, near.means, KINDS[kind].from_matrices(near.covariance.matrices(4, 3), near.weights))
    halves = split(mixture, count)
    assert halves.components == 4 + count
    np.testing.assert_allclose(halves.weights.sum(), 1)
    np.testing.assert_allclose(halves.weights @ halves.means, near.weights @ near.means, rtol=1e-9, atol=1e-12)
    light = np.argsort(-near.weights)[count:]
    np.testing.assert_array_equal(halves.weights[light], near.weights[light])


@pytest.mark.parametrize("way", [em, accelerated_em])
def test_splitting_grows_to_any_number(way: object) -> None:
    truth = random_mixture(3, components=6, dimension=2, spread=2.0)
    frames = truth.sample(5000, 0)[0]
    one = k_means_start(frames, 1, np.random.default_rng(0), passes=0)
    spread = frames.var(axis=0)
    grown, alone = run([splitting(one, 6, Em(), spread, way), em(one, Em(), spread)], [cut(frames)] * 2)
    assert grown.mixture.components == 6
    # At least four fifths of the way from one Gaussian to the mixture that the frames were drawn from.
    best = truth.log_density(frames).mean()
    assert grown.log_likelihood[-1] > best - 0.2 * (best - alone.log_likelihood[-1])


@pytest.mark.parametrize("way", [em, accelerated_em])
def test_the_best_of_several_starts_goes_on(way: object) -> None:
    truth = random_mixture(4, components=4, dimension=2, spread=5.0)
    frames = truth.sample(4000, 0)[0]
    poor = replace(truth, means=np.tile(truth.means[:1], (4, 1)) + np.arange(4)[:, None] / 100)
    spread = frames.var(axis=0)
    first, last, alone, bad = run(
        [
            best_of([truth, poor], Em(min_occupancy=0), spread, way),
            best_of([poor, truth], Em(min_occupancy=0), spread, way),
            way(truth, Em(min_occupancy=0), spread),
            way(poor, replace(Em(min_occupancy=0), iterations=5), spread),
        ],
        [cut(frames)] * 4,
    )
    assert np.array_equal(first.mixture.means, last.mixture.means)
    assert first.log_likelihood[-1] >= alone.log_likelihood[-1] - 1e-3
    assert first.log_likelihood[-1] > bad.log_likelihood[-1] + 0.1
