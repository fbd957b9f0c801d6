"""Fisher vectors: the gradients by finite differences, their scale by sampling, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.fisher import fisher_vector, gradients
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics, accumulate
from tests.conftest import random_mixture
from tests.test_em import random_kind


def slopes(values: np.ndarray, density: Callable[[np.ndarray], float], step: float = 1e-5) -> np.ndarray:
    """Central differences of a density in each of some values (k, d)."""
    found = np.empty_like(values)
    for place in np.ndindex(*values.shape):
        move = np.zeros_like(values)
        move[place] = step
        found[place] = (density(values + move) - density(values - move)) / (2 * step)
    return found


def test_the_gradients_are_those_of_the_mean_log_density() -> None:
    mixture = random_mixture(1, components=3, dimension=2, spread=1.5)
    frames = random_mixture(2, components=3, dimension=2).sample(50, 0)[0]
    w, s = mixture.weights[:, None], np.sqrt(mixture.covariance.array)
    in_means, in_deviations = gradients(mixture, accumulate(mixture, frames))
    by_means = slopes(mixture.means, lambda m: replace(mixture, means=m).log_density(frames).mean())
    by_deviations = slopes(s, lambda v: replace(mixture, covariance=Diagonal(v**2)).log_density(frames).mean())
    np.testing.assert_allclose(in_means, by_means * s / np.sqrt(w), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(in_deviations, by_deviations * s / np.sqrt(2 * w), rtol=1e-6, atol=1e-8)


def test_frames_of_the_background_have_gradients_of_unit_variance() -> None:
    """Where components do not overlap the scaling is exact: each value has mean 0 and variance 1 / frames."""
    mixture = random_mixture(3, components=2, dimension=3, spread=40.0)
    clips = [mixture.sample(100, seed)[0] for seed in range(400)]
    values = np.array([np.concatenate(gradients(mixture, accumulate(mixture, clip))).ravel() for clip in clips])
    # 400 draws: a mean is off by 1/20 of a deviation, a variance by sqrt(2 / 400) = 0.07 of itself; five times that.
    np.testing.assert_allclose(values.mean(axis=0) * 10, 0, atol=0.25)
    np.testing.assert_allclose(values.var(axis=0) * 100, 1, atol=0.36)


def test_a_fisher_vector_by_hand() -> None:
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[-50.0], [50.0]]), Diagonal(np.array([[4.0], [1.0]])))
    # All three frames are the first component's, of deviation 2: z = 0, 1, 2. In the means (0 + 1 + 2) / 3 / sqrt(1/2)
    # = sqrt 2; in the deviations ((0 - 1) + (1 - 1) + (4 - 1)) / 3 / sqrt(2 / 2) = 2/3; in the second's nothing.
    expected = np.sqrt([np.sqrt(2), 0, 2 / 3, 0])
    found = fisher_vector(mixture, accumulate(mixture, [[-50.0], [-48.0], [-46.0]]))
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_length_one_and_no_matter_how_often_the_clip_is_repeated(seed: int, n: int) -> None:
    mixture = random_mixture(seed % 20)
    frames = random_mixture(seed % 7 + 30).sample(n, seed)[0]
    once, thrice = (fisher_vector(mixture, accumulate(mixture, np.tile(frames, (times, 1)))) for times in (1, 3))
    assert np.linalg.norm(once) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(once, thrice, atol=1e-6)


def test_moments_about_another_centre_give_the_same_vector() -> None:
    mixture = random_mixture(4)
    statistics = accumulate(mixture, mixture.sample(60, 1)[0])
    moved = statistics.about(statistics.centre + 2.5)
    np.testing.assert_allclose(fisher_vector(mixture, moved), fisher_vector(mixture, statistics), atol=1e-6)


def test_what_has_no_fisher_vector_is_refused() -> None:
    mixture = random_mixture(4)
    for kind, other in (("full", random_kind("full", 1, 4, 3)), ("spherical", random_kind("spherical", 1, 4, 3))):
        with pytest.raises(DataError, match=f"got {kind}"):
            fisher_vector(other, accumulate(other, np.zeros((2, 3))))
    with pytest.raises(DataError, match="do not fit") as caught:
        fisher_vector(mixture, accumulate(random_mixture(4, components=5), np.zeros((2, 3))))
    assert caught.value.code == "not_additive"
    with pytest.raises(DataError, match="at least one frame"):
        fisher_vector(mixture, Statistics.zero(mixture))
