"""Starts: k-means++ against scikit-learn's, Lloyd passes, units, given parameters, few distinct frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans, kmeans_plusplus

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS, Diagonal, Full, Regulariser
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.start import (
    assign,
    cluster_means,
    given_start,
    k_means_start,
    plus_plus,
    random_frames,
    random_start,
    sample_size,
    within,
)
from tests.conftest import random_mixture

ALL = sorted(KINDS)
STARTS = [k_means_start, random_start]


def squares(frames: np.ndarray, centres: np.ndarray) -> float:
    """The sum of squared distances to the nearest centre, written out."""
    return float(((frames[:, None] - centres) ** 2).sum(axis=2).min(axis=1).sum())


def clouds(k: int, d: int, n: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Frames of equal round clouds, and which cloud each is of."""
    centres = apart * np.random.default_rng(0).standard_normal((k, d))
    truth = Mixture(np.full(k, 1 / k), centres, Diagonal(np.ones((k, d))))
    return truth.sample(n, 1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_plus_plus_finds_every_distant_cloud(dtype: type) -> None:
    # Clouds a thousand deviations apart: once seeded, a cloud's share of the squared distances is about 1e-6.
    frames, cloud = clouds(20, 5, 5000, apart=1000)
    seeds = plus_plus(frames.astype(dtype), 20, np.random.default_rng(0))
    assert seeds.dtype == dtype
    rows = [int((frames.astype(dtype) == seed).all(axis=1).argmax()) for seed in seeds]
    assert sorted(cloud[rows]) == list(range(20))


def test_plus_plus_is_as_good_as_scikit_learn_s() -> None:
    frames, _ = clouds(30, 8, 5000, apart=1.5)
    ours = [squares(frames, plus_plus(frames, 30, np.random.default_rng(s))) for s in range(15)]
    theirs = [squares(frames, kmeans_plusplus(frames, 30, random_state=s)[0]) for s in range(15)]
    chance = [squares(frames, random_frames(frames, 30, np.random.default_rng(s))) for s in range(15)]
    # Means of 15 seeds each; such means of scikit-learn's own have a deviation of 0.35 %.
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.03)
    assert np.mean(ours) < 0.9 * np.mean(chance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_a_lloyd_pass_never_raises_the_squared_distance(seed: int, k: int) -> None:
    frames = random_mixture(seed).sample(300, seed)[0]
    centres = plus_plus(frames, k, np.random.default_rng(seed))
    for _ in range(4):
        moved = cluster_means(frames, assign(frames, centres), centres)
        assert squares(frames, moved) <= squares(frames, centres) * (1 + 1e-12)
        centres = moved


def test_lloyd_passes_are_scikit_learn_s() -> None:
    frames, _ = clouds(6, 3, 1000, apart=1.0)
    centres = start = frames[:6]
    for _ in range(200):
        centres = cluster_means(frames, assign(frames, centres), centres)
    peer = KMeans(6, init=start, n_init=1, max_iter=200, tol=0).fit(frames)
    np.testing.assert_allclose(centres, peer.cluster_centers_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(assign(frames, centres), peer.labels_)


def test_the_deviation_within_clusters_by_hand() -> None:
    frames = np.array([[0.0, 5], [2, 5], [10, 5], [14, 5]])
    nearest, centres = np.array([0, 0, 1, 1]), np.array([[1.0, 5], [12, 5]])
    # Distances 1, 1, 2, 2 in the first column: the root of 10 / 4. None in the second, which is left as it is.
    np.testing.assert_allclose(within(frames, nearest, centres), [np.sqrt(2.5), 1])


def test_an_empty_cluster_keeps_its_centre() -> None:
    centres = np.array([[0.0], [99.0]])
    np.testing.assert_array_equal(cluster_means(np.array([[1.0], [3.0]]), np.array([0, 0]), centres), [[2], [99]])


def test_random_frames_are_drawn_once_each() -> None:
    frames = np.arange(50.0)[:, None]
    np.testing.assert_array_equal(np.sort(random_frames(frames, 50, np.random.default_rng(1)), axis=0), frames)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", ALL)
def test_every_start_gives_a_mixture_near_the_data(start: object, kind: str) -> None:
    frames, _ = clouds(5, 3, 2000, apart=4)
    mixture = start(frames, 5, np.random.default_rng(0), kind=kind)
    assert mixture.covariance.kind == kind
    assert mixture.components == 5
    assert (mixture.weights > 0).all()
    np.testing.assert_allclose(mixture.weights.sum(), 1)
    # A sample is far likelier under clusters of its own than under one Gaussian, even if two clouds share a cluster.
    one = start(frames, 1, np.random.default_rng(0), kind=kind)
    assert mixture.log_density(frames).mean() > one.log_density(frames).mean() + 0.3


@pytest.mark.parametrize("start", STARTS)
def test_one_component_is_the_mean_and_the_variance(start: object) -> None:
    frames = random_mixture(3).sample(400, 0)[0]
    one = start(frames, 1, np.random.default_rng(0))
    np.testing.assert_allclose(one.means[0], frames.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(one.covariance.array[0], frames.var(axis=0), rtol=1e-9)


@pytest.mark.parametrize("start", STARTS)
def test_a_start_does_not_depend_on_units(start: object) -> None:
    frames, _ = clouds(8, 4, 1500, apart=1.5)
    units = 2.0 ** np.array([-20, 0, 3, 15])  # powers of two: not one bit of a mantissa changes
    plain = start(frames, 8, np.random.default_rng(5), passes=3)
    other = start(frames * units, 8, np.random.default_rng(5), passes=3)
    np.testing.assert_allclose(other.weights, plain.weights, rtol=1e-12)
    np.testing.assert_allclose(other.means, plain.means * units, rtol=1e-6)
    np.testing.assert_allclose(other.covariance.array, plain.covariance.array * units**2, rtol=1e-6)


@pytest.mark.parametrize("start", STARTS)
def test_a_seed_fixes_the_bits(start: object) -> None:
    frames = random_mixture(1).sample(500, 0)[0].astype(np.float32)
    one, same, other = (start(frames, 7, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.means, same.means)
    assert not np.array_equal(one.means, other.means)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "frames",
    [
        np.eye(3)[np.arange(300) % 3],
        np.zeros((50, 3)),
        np.eye(3)[np.arange(60) % 3] + 1e6,
        np.eye(3)[np.arange(60) % 3] * 1e-9,
    ],
    ids=["three rows", "one row", "far off", "tiny"],
)
def test_fewer_distinct_frames_than_components(start: object, frames: np.ndarray, dtype: type) -> None:
    mixture = start(frames.astype(dtype), 6, np.random.default_rng(0), passes=4)
    assert np.isfinite(mixture.log_density(frames.astype(dtype))).all()
    assert (mixture.covariance.array > 0).all()


@pytest.mark.parametrize("start", STARTS)
def test_fewer_frames_than_components_is_an_error(start: object) -> None:
    with pytest.raises(DataError, match="8 components need at least 8 frames, got 4") as caught:
        start(np.zeros((4, 2)), 8, np.random.default_rng(0))
    assert caught.value.code == "too_few_frames"


def test_the_sample_is_bounded() -> None:
    # 50 frames a component, and not fewer than 10,000.
    assert [sample_size(k) for k in (1, 64, 512)] == [10_000, 10_000, 25_600]


def test_given_parameters_replace_a_start_s() -> None:
    start = random_mixture(2)
    means, matrices = np.ones((4, 3)), Full(np.tile(np.diag([1.0, 2, 3]), (4, 1, 1)))
    mixture = given_start(start, weights=[1, 1, 0, 2], means=means, covariance=matrices)
    np.testing.assert_array_equal(mixture.weights, [0.25, 0.25, 0, 0.5])
    assert mixture.means is not start.means
    np.testing.assert_array_equal(mixture.means, means)
    assert mixture.covariance is matrices
    same = given_start(start)
    np.testing.assert_allclose(same.weights, start.weights, rtol=1e-15)
    np.testing.assert_array_equal(same.means, start.means)


@pytest.mark.parametrize(
    ("given_ones", "match"),
    [
        ({"weights": [1, 1, 1]}, "weights must be finite and of shape"),
        ({"weights": [1, 1, 1, -1]}, "weights must not be negative"),
        ({"weights": [0, 0, 0, 0]}, "must not all be zero"),
        ({"means": np.full((4, 3), np.nan)}, "means must be finite"),
        ({"means": np.zeros((3, 4))}, r"means must be finite and of shape \(4, 3\), got shape \(3, 4\)"),
        ({"covariance": Diagonal(np.ones((3, 3)))}, "covariances must be finite and of shape"),
        ({"covariance": Diagonal(np.zeros((4, 3)))}, "covariances must be positive"),
        ({"covariance": Full(np.tile(np.ones((3, 3)), (4, 1, 1)))}, "covariances must be positive"),
    ],
)
def test_given_parameters_that_cannot_be(given_ones: dict[str, object], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        given_start(random_mixture(2), **given_ones)
    assert caught.value.code == "bad_start"


def test_the_default_regulariser_follows_the_data_s_scale() -> None:
    frames = np.column_stack([np.repeat([0.0, 1000.0], 50), np.repeat([0.0, 1.0], 50)])
    mixture = k_means_start(frames, 2, np.random.default_rng(0), regulariser=Regulariser(relative_floor=0.5))
    # Two points that are clusters without any spread: what is left is half of the columns' variances 500^2 and 1/4.
    assert (mixture.covariance.array >= np.array([500.0**2, 0.25]) / 2 * (1 - 1e-9)).all()
