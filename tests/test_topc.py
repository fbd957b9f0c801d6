"""Top-C scoring: all components give the full score, fewer never more than it, and each frame's best are the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gmmaudio.errors import DataError
from gmmaudio.gmm.adapt import adapt
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import accumulate
from gmmaudio.gmm.topc import TopC, top_components
from tests.test_em import random_kind


def family(kind: str, seed: int, count: int, everything: bool) -> tuple[Mixture, tuple[Mixture, ...]]:
    """A background of 12 components in 3 dimensions, and mixtures adapted from it."""
    background = random_kind(kind, seed, 12, 3)
    parts = [random_kind(kind, seed + 1 + i, 12, 3).sample(300, i)[0] for i in range(count)]
    return background, tuple(
        adapt(background, accumulate(background, part), 8.0, variances=everything, weights=everything) for part in parts
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("everything", [False, True])
def test_all_components_give_the_full_score(kind: str, everything: bool, dtype: type, tolerance: float) -> None:
    background, adapted = family(kind, 3, 4, everything)
    frames = background.sample(2500, 1)[0].astype(dtype)  # more than two blocks
    expected = [mixture.log_density(frames.astype(np.float64)).mean() for mixture in adapted]
    np.testing.assert_allclose(TopC(background, adapted, c=12).score(frames), expected, rtol=tolerance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 50))
def test_fewer_components_never_score_more(seed: int, c: int, n: int) -> None:
    background, adapted = family("diag", seed % 50, 2, everything=True)
    frames = background.sample(n, seed)[0]
    some, all_of_them = (TopC(background, (background, *adapted), count).score(frames) for count in (c, 12))
    assert (some <= all_of_them + 1e-9).all()
    more = TopC(background, (background, *adapted), min(c + 1, 12)).score(frames)
    assert (some <= more + 1e-9).all(), "each further component adds a positive density"
    # The background's own c best of 12 hold at least c / 12 of its density.
    assert some[0] >= all_of_them[0] + np.log(c / 12) - 1e-9


def test_one_component_is_scored_where_the_background_is_best() -> None:
    background, (mixture,) = family("diag", 5, 1, everything=True)
    frames = background.sample(40, 0)[0]

    def joint(of: Mixture) -> np.ndarray:
        normal = stats.norm(of.means, np.sqrt(of.covariance.array))
        return np.log(of.weights) + normal.logpdf(frames[:, None, :]).sum(axis=2)

    best = joint(background).argmax(axis=1)
    expected = joint(mixture)[np.arange(40), best].mean()
    assert TopC(background, (mixture,), c=1).score(frames)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["diag", "spherical", "tied", "full"])
def test_the_best_components_are_those_of_the_largest_posteriors(kind: str) -> None:
    mixture = random_kind(kind, 2, 12, 3)
    frames = mixture.sample(1500, 0)[0]
    expected = np.argsort(-mixture.posteriors(frames), axis=1)[:, :5]
    assert np.array_equal(top_components(mixture, frames, 5), expected)


def test_a_ratio_against_the_background_needs_no_second_pass() -> None:
    background, adapted = family("diag", 7, 2, everything=False)
    frames = adapted[0].sample(500, 0)[0]
    scores = TopC(background, (background, *adapted), c=12).score(frames)
    expected = adapted[0].log_density(frames).mean() - background.log_density(frames).mean()
    assert scores[1] - scores[0] == pytest.approx(expected, rel=1e-9)


def test_the_same_mixture_and_no_difference_at_all() -> None:
    background, _ = family("diag", 8, 0, everything=False)
    frames = background.sample(10, 0)[0]
    expected = background.log_density(frames).mean()
    np.testing.assert_allclose(TopC(background, (background,), c=12).score(frames), [expected], rtol=1e-12)


def test_what_cannot_be_scored_is_refused() -> None:
    background, adapted = family("diag", 3, 1, everything=False)
    for c in (0, 13):
        with pytest.raises(DataError, match="from 1 to 12"):
            TopC(background, adapted, c)
        with pytest.raises(DataError, match="from 1 to 12"):
            top_components(background, np.zeros((1, 3)), c)
    with pytest.raises(DataError, match="at least one frame"):
        TopC(background, adapted).score(np.zeros((0, 3)))
    with pytest.raises(DataError, match="row 0, column 1"):
        TopC(background, adapted).score([[0.0, np.nan, 0.0]])
    with pytest.raises(DataError, match="mixture 1 has") as caught:
        TopC(background, (*adapted, random_kind("diag", 1, 11, 3)))
    assert caught.value.code == "not_adapted"
    tied = random_kind("tied", 1, 12, 3)
    with pytest.raises(DataError, match="diag and spherical"):
        TopC(tied, (tied,))
