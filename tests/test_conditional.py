"""Marginal and conditional densities: the product rule, scipy's densities and its numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from gmmaudio.errors import DataError
from gmmaudio.gmm.conditional import condition, marginal
from gmmaudio.gmm.covariance import KINDS, Full
from gmmaudio.gmm.mixture import Mixture
from tests.test_em import random_kind

ALL = sorted(KINDS)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6), st.data())
def test_the_joint_density_is_the_marginal_times_the_conditional(kind: str, seed: int, data: st.DataObject) -> None:
    mixture = random_kind(kind, seed, 3, 4)
    known = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    others = [i for i in range(4) if i not in known]
    for frame in mixture.sample(3, seed)[0]:
        both = marginal(mixture, known).log_density(frame[None, known])
        rest = condition(mixture, known, frame[known])
        assert rest.covariance.kind == kind
        assert rest.weights.sum() == pytest.approx(1, rel=1e-12)
        np.testing.assert_allclose(
            both + rest.log_density(frame[None, others]), mixture.log_density(frame[None]), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("kind", ALL)
def test_a_marginal_is_the_density_with_the_other_dimension_integrated_out(kind: str) -> None:
    mixture = random_kind(kind, 4, 3, 2)

    def density(other: float, value: float) -> float:
        return float(np.exp(mixture.log_density([[other, value]]))[0])

    for value in (-1.0, 0.5, 2.0):
        expected, error = integrate.quad(density, -40, 40, args=(value,), limit=200, points=list(mixture.means[:, 0]))
        assert error < 1e-7
        found = np.exp(marginal(mixture, [1]).log_density([[value]]))[0]
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_a_marginal_keeps_the_order_asked_for(kind: str) -> None:
    mixture = random_kind(kind, 5, 3, 4)
    turned = marginal(mixture, [2, 0])
    assert turned.covariance.kind == kind
    frames = mixture.sample(20, 0)[0]
    matrices = mixture.covariance.matrices(3, 4)
    expected = sum(
        w * stats.multivariate_normal(m[[2, 0]], s[np.ix_([2, 0], [2, 0])]).pdf(frames[:, [2, 0]])
        for w, m, s in zip(mixture.weights, mixture.means, matrices, strict=True)
    )
    np.testing.assert_allclose(np.exp(turned.log_density(frames[:, [2, 0]])), expected, rtol=1e-10)


def test_regression_to_the_mean() -> None:
    # Two standard normal marks with correlation r: given one is x, the other has mean r x and variance 1 - r^2.
    r, x = 0.6, 2.5
    cloud = Mixture(np.ones(1), np.zeros((1, 2)), Full(np.array([[[1, r], [r, 1]]])))
    rest = condition(cloud, [1], [x])
    assert rest.means[0, 0] == pytest.approx(r * x, rel=1e-15)
    assert rest.covariance.array[0, 0, 0] == pytest.approx(1 - r * r, rel=1e-15)


def test_a_component_out_of_the_question_keeps_a_positive_weight() -> None:
    mixture = random_kind("diag", 1, 2, 2)
    far = Mixture(mixture.weights, np.array([[0.0, 0.0], [1e3, 5.0]]), mixture.covariance)
    rest = condition(far, [0], [0.0])
    assert (rest.weights > 0).all()
    alone = stats.norm(0, np.sqrt(mixture.covariance.array[0, 1])).logpdf(5.0)  # of the near component
    assert rest.log_density([[5.0]])[0] == pytest.approx(alone, rel=1e-10)


@pytest.mark.parametrize("dimensions", [[], [0, 0], [-1], [3], [0.5], [[0]], [True]])
def test_dimensions_that_cannot_be_used(dimensions: list[int]) -> None:
    mixture = random_kind("full", 1, 2, 3)
    for ask in (lambda: marginal(mixture, dimensions), lambda: condition(mixture, dimensions, [0.0])):
        with pytest.raises(DataError, match="distinct whole numbers from 0 to 2") as caught:
            ask()
        assert caught.value.code == "bad_dimensions"


def test_values_that_cannot_be_used() -> None:
    mixture = random_kind("full", 1, 2, 3)
    with pytest.raises(DataError, match="none is left"):
        condition(mixture, [0, 1, 2], [0.0, 0.0, 0.0])
    with pytest.raises(DataError, match="1 dimensions, the frames 2"):
        condition(mixture, [0], [0.0, 1.0])
    with pytest.raises(DataError, match="finite"):
        condition(mixture, [0], [np.nan])
