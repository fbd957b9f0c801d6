"""Top-C scoring: exact with all components, by brute force with fewer, and nothing at all where nothing was adapted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from gmmaudio.errors import DataError
from gmmaudio.gmm.adapt import adapt
from gmmaudio.gmm.best import top_components
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import accumulate
from gmmaudio.gmm.topc import TopC
from tests.test_em import random_kind

PRECISIONS = [(np.float64, 1e-9), (np.float32, 1e-5)]


def family(kind: str, seed: int, count: int, everything: bool, k: int = 12) -> tuple[Mixture, tuple[Mixture, ...]]:
    """A background of k components in 3 dimensions, and mixtures adapted from it."""
    background = random_kind(kind, seed, k, 3)
    parts = [random_kind(kind, seed + 1 + i, 12, 3).sample(300, i)[0] for i in range(count)]
    return background, tuple(
        adapt(background, accumulate(background, part), 8.0, variances=everything, weights=everything) for part in parts
    )


def deviations(of: Mixture) -> np.ndarray:
    return np.sqrt(np.broadcast_to(of.covariance.array.reshape(of.components, -1), of.means.shape))


def joint(of: Mixture, frames: np.ndarray) -> np.ndarray:
    """Log weight + log density (n, k) by scipy."""
    return np.log(of.weights) + stats.norm(of.means, deviations(of)).logpdf(frames[:, None, :]).sum(axis=2)


def expected(over: Mixture, of: Mixture, other: Mixture) -> np.ndarray:
    """E[log weighted density of one's component less the other's] over the components of a third: by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)  # exact for polynomials of degree 9: these are of degree 2
    points = over.means[:, None, :] + deviations(over)[:, None, :] * nodes[:, None]  # (k, nodes, d)
    logs = [stats.norm(m.means[:, None, :], deviations(m)[:, None, :]).logpdf(points) @ np.ones(3) for m in (of, other)]
    return np.log(of.weights / other.weights) + (logs[0] - logs[1]) @ weights / weights.sum()


def by_brute_force(background: Mixture, mixtures: tuple[Mixture, ...], frames: np.ndarray, c: int) -> list[float]:
    """The definition, with scipy's densities."""
    common = joint(background, frames)
    best = np.zeros(common.shape, bool)
    np.put_along_axis(best, np.argsort(-common, axis=1)[:, :c], True, axis=1)
    ratios = []
    for mixture in mixtures:
        evaluated = best.copy()
        farthest = np.argsort(-expected(mixture, mixture, background))[: background.components // 64]
        evaluated[:, farthest] = True
        estimated = common + expected(background, mixture, background)
        each = logsumexp(np.where(evaluated, joint(mixture, frames), estimated), axis=1)
        ratios.append(float((each - logsumexp(common, axis=1)).mean()))
    return ratios


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("everything", [False, True])
def test_all_components_give_the_exact_ratio(kind: str, everything: bool, dtype: type, tolerance: float) -> None:
    background, adapted = family(kind, 3, 4, everything)
    frames = background.sample(2500, 1)[0].astype(dtype)  # more than two blocks
    wide = frames.astype(np.float64)
    exact = [(mixture.log_density(wide) - background.log_density(wide)).mean() for mixture in adapted]
    np.testing.assert_allclose(TopC(background, adapted, c=12).ratios(frames), exact, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize(("c", "k"), [(1, 12), (5, 12), (11, 12), (3, 130), (129, 130)])
def test_fewer_components_agree_with_brute_force(kind: str, c: int, k: int, dtype: type, tolerance: float) -> None:
    background, adapted = family(kind, 5, 3, everything=True, k=k)
    frames = adapted[1].sample(1500, 2)[0].astype(dtype)
    by_definition = by_brute_force(background, adapted, frames.astype(np.float64), c)
    np.testing.assert_allclose(TopC(background, adapted, c).ratios(frames), by_definition, atol=tolerance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 50))
def test_any_few_frames_agree_with_brute_force(seed: int, c: int, n: int) -> None:
    background, adapted = family("diag", seed % 50, 2, everything=True)
    frames = background.sample(n, seed)[0]
    by_definition = by_brute_force(background, adapted, frames, c)
    np.testing.assert_allclose(TopC(background, adapted, c).ratios(frames), by_definition, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 50), st.sampled_from([np.float32, np.float64]))
def test_a_mixture_that_was_not_adapted_has_no_ratio_at_all(seed: int, c: int, n: int, dtype: type) -> None:
    background, adapted = family("diag", seed % 50, 2, everything=True)
    frames = (2 * background.sample(n, seed)[0]).astype(dtype)
    assert TopC(background, (background,), c).ratios(frames)[0] == 0
    assert TopC(background, (adapted[0], background, adapted[1]), c).ratios(frames)[1] == 0


def at(*means: float) -> Mixture:
    """Components of variance 1 in one dimension, each with the same weight."""
    k = len(means)
    return Mixture(np.full(k, 1 / k), np.array(means)[:, None], Diagonal(np.ones((k, 1))))


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_a_frame_that_the_chosen_component_has_left_is_kept_by_the_others(dtype: type, tolerance: float) -> None:
    """At 0 components at 1 and -2 hold half of N(1) and of N(2); the first, the better, is adapted to be 10 away.

    It alone would say log N(10) - log N(1) = -49.5, though half the mixture is where it was.
    """
    density = stats.norm.pdf
    ratio = TopC(at(1, -2), (at(10, -2),), c=1).ratios(np.zeros((1, 1), dtype))
    by_hand = np.log((density(10) + density(2)) / (density(1) + density(2)))
    np.testing.assert_allclose(ratio, [by_hand], atol=tolerance)


def test_others_count_by_how_far_they_were_adapted() -> None:
    """The other component moves by 1.5 standard deviations: it counts exp(-1.5^2 / 2), wherever the frame is."""
    density = stats.norm.pdf
    ratio = TopC(at(1, -2), (at(1, -3.5),), c=1).ratios(np.zeros((1, 1)))
    by_hand = np.log((density(1) + density(2) * np.exp(-1.125)) / (density(1) + density(2)))
    np.testing.assert_allclose(ratio, [by_hand], atol=1e-12)


def test_a_component_that_moved_far_is_always_evaluated() -> None:
    """Of 64 components at 0, 10, 20 ... 630 that at 100 is moved to 0, where it was not among the best: log 2."""
    means = 10.0 * np.arange(64)
    moved = means.copy()
    moved[10] = 0
    ratio = TopC(at(*means), (at(*moved),), c=5).ratios(np.zeros((1, 1)))
    np.testing.assert_allclose(ratio, [np.log(2)], atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_nothing_cancels_where_the_others_hold_next_to_nothing(dtype: type, tolerance: float) -> None:
    """The other's share of the background, exp(-38), is less than either precision sees of a sum near 1.

    The frame is at 0, components at 0 and sqrt(76); the first is adapted to sqrt(200): exp(-100).
    """
    far = np.sqrt(76.0)
    ratio = TopC(at(0, far), (at(np.sqrt(200.0), far),), c=1).ratios(np.zeros((1, 1), dtype))
    np.testing.assert_allclose(ratio, [-38], atol=20 * tolerance)


@pytest.mark.parametrize("kind", ["diag", "spherical", "tied", "full"])
def test_the_best_components_are_those_of_the_largest_posteriors(kind: str) -> None:
    mixture = random_kind(kind, 2, 12, 3)
    frames = mixture.sample(1500, 0)[0]
    expected = np.argsort(-mixture.posteriors(frames), axis=1)[:, :5]
    assert np.array_equal(top_components(mixture, frames, 5), expected)


def test_what_cannot_be_scored_is_refused() -> None:
    background, adapted = family("diag", 3, 1, everything=False)
    for c in (0, 13):
        with pytest.raises(DataError, match="from 1 to 12"):
            TopC(background, adapted, c)
        with pytest.raises(DataError, match="from 1 to 12"):
            top_components(background, np.zeros((1, 3)), c)
    with pytest.raises(DataError, match="at least one frame"):
        TopC(background, adapted).ratios(np.zeros((0, 3)))
    with pytest.raises(DataError, match="row 0, column 1"):
        TopC(background, adapted).ratios([[0.0, np.nan, 0.0]])
    with pytest.raises(DataError, match="mixture 1 has") as caught:
        TopC(background, (*adapted, random_kind("diag", 1, 11, 3)))
    assert caught.value.code == "not_adapted"
    tied = random_kind("tied", 1, 12, 3)
    with pytest.raises(DataError, match="diag and spherical"):
        TopC(tied, (tied,))
