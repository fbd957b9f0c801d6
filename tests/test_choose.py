"""Choosing the number of components: the formulae against scikit-learn, and a number that is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from gmmaudio.errors import DataError
from gmmaudio.gmm.choose import aic, bic, choose_components, hold_out
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.em import Em
from gmmaudio.gmm.mixture import Mixture
from tests.conftest import random_mixture
from tests.test_em import random_kind

ALL = sorted(KINDS)


def islands(n: int) -> np.ndarray:
    """Four round clouds of unit variance, 12 apart."""
    generator = np.random.default_rng(1)
    centres = np.array([[0, 0], [12, 0], [0, 12], [12, 12]])
    return np.asarray(generator.standard_normal((n, 2)) + centres[generator.integers(4, size=n)])


@pytest.mark.parametrize("kind", ALL)
def test_bic_and_aic_are_scikit_learn_s_on_its_own_parameters(kind: str) -> None:
    frames = random_kind(kind, 1, 3, 3).sample(400, 0)[0]
    theirs = GaussianMixture(3, covariance_type=kind, random_state=0, max_iter=300).fit(frames)
    ours = Mixture(theirs.weights_, theirs.means_, KINDS[kind](theirs.covariances_))
    total = float(ours.log_density(frames).sum())
    assert bic(total, ours.parameters, len(frames)) == pytest.approx(theirs.bic(frames), rel=1e-9)
    assert aic(total, ours.parameters) == pytest.approx(theirs.aic(frames), rel=1e-9)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("criterion", ["bic", "held-out"])
def test_a_known_number_is_found(kind: str, criterion: str) -> None:
    choice = choose_components(islands(3000), range(2, 7), criterion, kind)
    assert choice.criterion == criterion
    # BIC charges a fifth component log(3000) / 2 = 4 nats a parameter, and finds none to pay for them. Held-out
    # frames lose so little by a superfluous component that the number is 4 or hardly worse than the one chosen.
    if criterion == "bic":
        assert choice.chosen.components == 4
    four = next(row for row in choice.candidates if row.components == 4)
    assert four.cost(criterion) - choice.chosen.cost(criterion) < 0.01
    for row in choice.candidates:
        if row.components < 4:
            # Two islands under one Gaussian: its variance along the line between them is 37, and log sqrt(37) is 1.8.
            assert row.log_likelihood < four.log_likelihood - 0.2


def test_the_table_is_of_the_fits_themselves() -> None:
    frames = islands(800).astype(np.float32)
    choice = choose_components(frames, [4, 2], "aic", em=Em(iterations=3, tolerance=-np.inf))
    assert [row.components for row in choice.candidates] == [4, 2]
    for row in choice.candidates:
        density = row.fit.mixture.log_density(frames)
        assert row.log_likelihood == pytest.approx(density.mean(), rel=1e-12)
        # k - 1 weights, 2 k means, 2 k variances.
        assert row.parameters == 5 * row.components - 1
        assert row.aic == pytest.approx(-2 * density.sum() + 2 * row.parameters, rel=1e-12)
        assert row.held_out is None
    assert choice.chosen is choice.candidates[0]
    assert choice.why.startswith("Akaike's information criterion is best with 4 components: 2, the next best, is ")
    assert choice.why.endswith("it is the largest number tried, so more may be better still")
    assert " *" in str(choice).splitlines()[1]


def test_held_out_is_the_density_of_groups_that_the_fit_has_not_seen() -> None:
    # Each group is a point of its own: only components on points that were seen can be high, so the held-out value
    # is far below, and a split that put one group on both sides would not be.
    generator = np.random.default_rng(0)
    points = 100 * generator.standard_normal((10, 2))
    groups = np.repeat(np.arange(10), 100)
    frames = points[groups] + 0.1 * generator.standard_normal((1000, 2))
    apart = choose_components(frames, [8], "held-out", groups=groups).chosen
    mixed = choose_components(frames, [8], "held-out").chosen
    assert apart.held_out is not None
    assert mixed.held_out is not None
    assert apart.held_out < apart.log_likelihood - 50
    assert abs(mixed.held_out - mixed.log_likelihood) < 1


def test_a_fifth_of_the_groups_is_held_out_whole() -> None:
    groups = np.array(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])[np.arange(95) % 10]
    mask = hold_out(groups, 95, 0)
    assert len(set(groups[mask])) == 2
    assert not set(groups[mask]) & set(groups[~mask])
    assert np.array_equal(mask, hold_out(groups, 95, 0))
    assert not np.array_equal(mask, hold_out(groups, 95, 1))
    assert hold_out([1, 2], 2, 0).sum() == 1


def test_same_bits_for_any_number_of_workers() -> None:
    frames = random_mixture(1).sample(20_000, 0)[0].astype(np.float32)
    one, two = (choose_components(frames, [2, 5], "held-out", jobs=jobs, em=Em(iterations=4)) for jobs in (1, 2))
    for a, b in zip(one.candidates, two.candidates, strict=True):
        assert np.array_equal(a.fit.mixture.means, b.fit.mixture.means)
        assert (a.bic, a.held_out) == (b.bic, b.held_out)


def test_what_cannot_be_chosen_from() -> None:
    frames = islands(50)
    for numbers in ([], [0, 1], [2, 2]):
        with pytest.raises(DataError, match="distinct and at least 1"):
            choose_components(frames, numbers)
    with pytest.raises(DataError, match="'icl', known are bic, aic, held-out"):
        choose_components(frames, [1], "icl")
    with pytest.raises(DataError, match="at least 60 frames, got 50"):
        choose_components(frames, [60])
    with pytest.raises(DataError, match=r"shape \(50,\), got \(49,\)"):
        choose_components(frames, [1], "held-out", groups=np.arange(49))
    with pytest.raises(DataError, match="at least 2 groups"):
        choose_components(frames, [1], "held-out", groups=np.zeros(50))
    frames[20, 1] = np.nan
    with pytest.raises(DataError, match="row 20, column 1 is nan"):
        choose_components(frames, [1])
    with pytest.raises(DataError, match="frames must be"):
        choose_components(np.zeros(5), [1])
