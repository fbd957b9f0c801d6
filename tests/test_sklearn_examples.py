"""What scikit-learn's gallery does with GaussianMixture, done with theirs and with ours: only the class differs.

Each function below tells the story of one page of scikit-learn's example gallery (section "Gaussian Mixture Models")
in our own words and gives its outcome as numbers; the test runs it with both classes and compares.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits

from gmmaudio import GaussianMixture as Ours

KINDS = ["spherical", "diag", "tied", "full"]


@pytest.fixture(autouse=True)
def unconverged_fits_are_part_of_the_examples() -> Iterator[None]:
    with warnings.catch_warnings(), threadpool_limits(1):  # threads only slow such small fits down
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def two_clouds(n: int, away: tuple[float, float], seed: int = 0) -> np.ndarray:
    """A stretched, rotated cloud of n points around zero and a round one of n points elsewhere."""
    generator = np.random.default_rng(seed)
    stretched = generator.standard_normal((n, 2)) @ np.array([[0.0, -0.1], [1.7, 0.4]])
    return np.concatenate([stretched, 0.7 * generator.standard_normal((n, 2)) + away])


def iris_accuracy(cls: type, kind: str) -> list[float]:
    """plot_gmm_covariances: the species' means as the start; is the component the species? On both parts of a split."""
    rows, species = load_iris(return_X_y=True)
    train, test = next(StratifiedKFold(n_splits=4).split(rows, species))
    means = np.array([rows[train][species[train] == label].mean(axis=0) for label in range(3)])
    model = cls(3, covariance_type=kind, max_iter=20, random_state=0)
    model.means_init = means
    model.fit(rows[train])
    return [float((model.predict(rows[part]) == species[part]).mean()) for part in (train, test)]


@pytest.mark.parametrize("kind", KINDS)
def test_covariances_on_iris(kind: str) -> None:
    # Starts and 20 iterations differ a little: a flower or two of 112 may change sides, one of 38.
    np.testing.assert_allclose(iris_accuracy(Ours, kind), iris_accuracy(Theirs, kind), atol=0.03)


def selected(cls: type) -> dict[str, Any]:
    """plot_gmm_selection: a grid search for the number and kind of components that minimise the BIC."""
    grid = {"n_components": range(1, 4), "covariance_type": KINDS}
    search = GridSearchCV(cls(random_state=0), grid, scoring=lambda model, rows: -model.bic(rows), cv=3)
    best = search.fit(two_clouds(500, (-4.0, 1.0)))
    return {**best.best_params_, "bic": -best.best_score_, "labels": best.best_estimator_.predict(best_rows())}


def best_rows() -> np.ndarray:
    return two_clouds(50, (-4.0, 1.0), seed=1)


def test_model_selection() -> None:
    ours, theirs = selected(Ours), selected(Theirs)
    assert (ours["n_components"], ours["covariance_type"]) == (2, "full"), "as the data were drawn"
    assert (theirs["n_components"], theirs["covariance_type"]) == (2, "full")
    assert ours["bic"] == pytest.approx(theirs["bic"], rel=1e-3)
    same = (ours["labels"] == theirs["labels"]).mean()
    assert max(same, 1 - same) == 1, "the same two clusters, in either order"


def density_on_a_grid(cls: type) -> np.ndarray:
    """plot_gmm_pdf: two components on a round cloud far out and a stretched one; the density for the contours."""
    generator = np.random.default_rng(0)
    round_cloud = 20 + generator.standard_normal((300, 2))
    stretched = generator.standard_normal((300, 2)) @ np.array([[0.0, -0.7], [3.5, 0.7]])
    model = cls(n_components=2, covariance_type="full", random_state=0)
    model.fit(np.vstack([round_cloud, stretched]))
    across, up = np.meshgrid(np.linspace(-20, 30, 40), np.linspace(-20, 40, 40))
    return model.score_samples(np.array([across.ravel(), up.ravel()]).T)


def test_density_estimation() -> None:
    # The clouds do not touch, so that there is one optimum: both end on it, within tol.
    np.testing.assert_allclose(density_on_a_grid(Ours), density_on_a_grid(Theirs), rtol=1e-3, atol=1e-2)


def from_each_start(cls: type, init: str) -> tuple[np.ndarray, float, bool]:
    """plot_gmm_init: where a start puts the means, and what EM makes of it."""
    rows = make_blobs(n_samples=800, centers=4, cluster_std=0.7, random_state=0)[0][:, ::-1]
    begun = cls(4, init_params=init, tol=1e-9, max_iter=0, random_state=3).fit(rows).means_
    done = cls(4, init_params=init, tol=1e-7, max_iter=2000, random_state=3, n_init=3).fit(rows)
    return begun, done.lower_bound_, done.converged_


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data", "random"])
def test_starts(init: str) -> None:
    (ours, ours_bound, ours_done), (theirs, theirs_bound, theirs_done) = (
        from_each_start(cls, init) for cls in (Ours, Theirs)
    )
    assert ours.shape == theirs.shape == (4, 2)
    assert ours_done
    assert theirs_done
    assert ours_bound == pytest.approx(theirs_bound, abs=1e-5), "the best of three starts is the same optimum"


def five_on_two_clouds(cls: type) -> tuple[float, int]:
    """plot_gmm: five components, where two clouds were drawn."""
    rows = two_clouds(500, (-6.0, 3.0))
    model = cls(n_components=5, covariance_type="full", random_state=0).fit(rows)
    return model.score(rows), len(np.unique(model.predict(rows)))


def test_too_many_components() -> None:
    (ours, used), (theirs, used_by_theirs) = five_on_two_clouds(Ours), five_on_two_clouds(Theirs)
    # Three superfluous components fit chance: each optimum is another, and none is far from the others.
    assert ours == pytest.approx(theirs, abs=0.02)
    assert used == used_by_theirs == 5, "EM uses all it has"


def along_a_sine(cls: type) -> tuple[float, np.ndarray]:
    """plot_gmm_sin: ten components along a noisy sine wave, and samples from them."""
    generator = np.random.default_rng(0)
    across = np.arange(100) * 4 * np.pi / 100 - 6
    noise = generator.normal(0, 0.1, (2, 100))
    rows = np.column_stack([across + noise[0], 3 * (np.sin(across) + noise[1])])
    model = cls(n_components=10, covariance_type="full", max_iter=100, n_init=3, random_state=0).fit(rows)
    return model.score(rows), model.sample(200)[0]


def test_a_sine_wave() -> None:
    (ours, drawn), (theirs, _) = along_a_sine(Ours), along_a_sine(Theirs)
    # Ten rows a component: the optimum found varies by tenths of a nat from start to start, for either class.
    assert ours > theirs - 0.2
    assert drawn.shape == (200, 2)
    distance = np.abs(drawn[:, 1] - 3 * np.sin(drawn[:, 0]))
    assert np.median(distance) < 0.5, "samples lie along the wave, whose noise is 0.3"
