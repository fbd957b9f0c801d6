"""The scikit-learn face: scikit-learn's own checks, its GaussianMixture from the same start, its tools around ours."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from threadpoolctl import threadpool_limits

from gmmaudio import GaussianMixture, MixtureClassifier
from gmmaudio.errors import DataError
from gmmaudio.estimators import RegularisationWarning
from gmmaudio.gmm.covariance import KINDS
from tests.test_em import random_kind

ALL = sorted(KINDS)
ESTIMATORS = [
    GaussianMixture(),
    GaussianMixture(covariance_type="diag", missing="marginalise"),
    MixtureClassifier(),
    MixtureClassifier(covariance_type="full", priors="empirical"),
]
CHECKS = [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)]


@pytest.fixture(autouse=True, scope="module")
def on_one_thread() -> Iterator[None]:
    """Threads only slow scikit-learn's small fits down."""
    with threadpool_limits(1):
        yield


def name_of(value: Any) -> str:
    return getattr(getattr(value, "func", value), "__name__", None) or repr(value)


# Three checks of sample_weight fit classes that consist of one row repeated, and are told so.
@pytest.mark.filterwarnings("ignore:.* variances have collapsed:gmmaudio.estimators.RegularisationWarning")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=name_of)
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def start_of(kind: str, seed: int = 12) -> dict[str, Any]:
    """A start that says everything, as scikit-learn takes it: five components, four columns."""
    mixture = random_kind(kind, seed, 5, 4)
    precisions = np.linalg.inv(mixture.covariance.matrices(5, 4))
    shaped = {
        "full": precisions,
        "tied": precisions[0],
        "diag": np.einsum("kii->ki", precisions),
        "spherical": precisions[:, 0, 0],
    }[kind]
    return {"weights_init": mixture.weights, "means_init": mixture.means, "precisions_init": shaped}


def rows_of(kind: str, n: int = 1000) -> np.ndarray:
    return random_kind(kind, 11, 5, 4).sample(n, 1)[0]


def assert_alike(ours: Any, theirs: Any, rtol: float) -> None:
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "lower_bound_"):
        expected = getattr(theirs, name)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=rtol, atol=rtol * scale, err_msg=name)
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=rtol)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    assert ours.n_features_in_ == theirs.n_features_in_


@pytest.mark.parametrize("reg_covar", [1e-6, 1e-3])
@pytest.mark.parametrize("kind", ALL)
def test_the_same_start_gives_scikit_learn_s_fit(kind: str, reg_covar: float) -> None:
    rows = rows_of(kind)
    settings = {"covariance_type": kind, "reg_covar": reg_covar, "tol": 5e-4, "max_iter": 500, **start_of(kind)}
    ours, theirs = (cls(5, **settings).fit(rows) for cls in (GaussianMixture, Theirs))
    assert ours.n_iter_ > 10
    assert_alike(ours, theirs, 1e-7)
    fresh = random_kind(kind, 11, 5, 4).sample(300, 2)[0]
    for name in ("predict_proba", "score_samples", "score", "predict", "bic", "aic"):
        got, expected = getattr(ours, name)(fresh), getattr(theirs, name)(fresh)
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9, err_msg=name)
        assert np.shape(got) == np.shape(expected)
    for got, expected in zip(ours.sample(70), theirs.sample(70), strict=True):
        assert got.shape == expected.shape
    assert (np.diff(ours.sample(70)[1]) >= 0).all(), "in the components' order, as there"


@pytest.mark.parametrize("kind", ALL)
def test_float32_follows_scikit_learn_in_float64(kind: str) -> None:
    rows = rows_of(kind)
    settings = {"covariance_type": kind, "tol": 0, "max_iter": 15, **start_of(kind)}
    with pytest.warns(ConvergenceWarning):
        ours, theirs = GaussianMixture(5, **settings).fit(rows.astype(np.float32)), Theirs(5, **settings).fit(rows)
    # float32 rows differ from float64 ones by 6e-8; fifteen iterations of EM carry that on.
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=2e-4)
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-5)


@pytest.mark.parametrize("given", ["weights_init", "means_init", "precisions_init"])
@pytest.mark.parametrize("kind", ALL)
def test_a_part_of_the_start_may_be_given(kind: str, given: str) -> None:
    part = {given: start_of(kind)[given]}
    model = GaussianMixture(5, covariance_type=kind, max_iter=0, random_state=0, **part).fit(rows_of(kind))
    name = given.replace("_init", "_")
    np.testing.assert_allclose(getattr(model, name), part[given], rtol=1e-9, atol=1e-12)
    assert model.n_iter_ == 0
    assert model.lower_bounds_ == []


@pytest.mark.parametrize("kind", ALL)
def test_a_whole_weight_repeats_the_row(kind: str) -> None:
    rows = rows_of(kind, 400)
    weights = np.arange(400) % 4  # some rows are left out altogether
    settings = {"covariance_type": kind, "tol": 1e-3, "max_iter": 500, **start_of(kind)}
    weighted = GaussianMixture(5, **settings).fit(rows, sample_weight=weights)
    assert_alike(weighted, Theirs(5, **settings).fit(rows.repeat(weights, axis=0)), 1e-7)


def test_warm_start_goes_on_where_the_last_fit_ended() -> None:
    rows = rows_of("full")
    settings = {"tol": 0, "max_iter": 4, "warm_start": True, **start_of("full")}
    with pytest.warns(ConvergenceWarning):
        ours, theirs = (cls(5, **settings).fit(rows).fit(rows) for cls in (GaussianMixture, Theirs))
    assert_alike(ours, theirs, 1e-9)
    with pytest.warns(ConvergenceWarning):
        once = Theirs(5, tol=0, max_iter=8, **start_of("full")).fit(rows)
    np.testing.assert_allclose(ours.means_, once.means_, rtol=1e-9)


def test_warm_start_compares_with_the_last_bound() -> None:
    rows = rows_of("diag")
    ours, theirs = (
        cls(5, covariance_type="diag", warm_start=True, max_iter=500, **start_of("diag")).fit(rows)
        for cls in (GaussianMixture, Theirs)
    )
    assert ours.fit(rows).n_iter_ == theirs.fit(rows).n_iter_ == 1


BLOBS = make_blobs(600, centers=[[0, 0], [8, 0], [0, 8], [8, 8]], cluster_std=0.7, random_state=3)[0]


def sorted_rows(array: np.ndarray) -> np.ndarray:
    return array[np.lexsort(array.round(3).T)]


def test_starts_mean_what_they_mean_in_scikit_learn() -> None:
    def means(init: str) -> np.ndarray:
        return GaussianMixture(4, init_params=init, max_iter=0, random_state=0).fit(BLOBS).means_

    # k-means finds well separated clusters whoever runs it.
    expected = Theirs(4, max_iter=0, random_state=0, n_init=5).fit(BLOBS).means_
    np.testing.assert_allclose(sorted_rows(means("kmeans")), sorted_rows(expected), rtol=1e-6)
    assert all((row == BLOBS).all(axis=1).any() for row in means("random_from_data")), "random rows are the means"
    # A random quarter of the rows has their mean, to six standard errors (the blobs' spread is 4 either way).
    np.testing.assert_allclose(means("random"), np.tile(BLOBS.mean(axis=0), (4, 1)), atol=6 * 4.1 / np.sqrt(150 / 1.5))
    seeds = means("k-means++")
    assert len(np.unique(seeds.round(6), axis=0)) == 4
    assert (BLOBS.min(axis=0) <= seeds).all()
    assert (seeds <= BLOBS.max(axis=0)).all()


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data", "random"])
def test_more_starts_never_give_less(init: str) -> None:
    rows = rows_of("diag", 500)

    def fitted(n_init: int, n_jobs: int = 1) -> GaussianMixture:
        return GaussianMixture(
            6, covariance_type="diag", init_params=init, n_init=n_init, random_state=4, n_jobs=n_jobs, max_iter=500
        ).fit(rows)

    one, many = fitted(1), fitted(6)
    assert many.lower_bound_ >= one.lower_bound_
    assert many.lower_bound_ == many.lower_bounds_[-1]
    assert np.array_equal(many.means_, fitted(6, n_jobs=3).means_), "the same bits on three threads"


def test_a_seed_decides() -> None:
    def fitted(seed: Any) -> np.ndarray:
        return GaussianMixture(4, init_params="random_from_data", max_iter=0, random_state=seed).fit(BLOBS).means_

    assert np.array_equal(fitted(1), fitted(1))
    assert not np.array_equal(fitted(1), fitted(2))
    state = np.random.RandomState(0)
    assert not np.array_equal(fitted(state), fitted(state)), "a generator moves on, as in scikit-learn"


def test_scores_have_the_same_bits_on_any_number_of_threads() -> None:
    rows = np.tile(rows_of("full"), (12, 1))
    model = GaussianMixture(3, random_state=0).fit(rows[:500])
    alone = model.score_samples(rows), model.predict_proba(rows)
    model.n_jobs = 4
    assert np.array_equal(alone[0], model.score_samples(rows))
    assert np.array_equal(alone[1], model.predict_proba(rows))


def test_attributes_set_by_hand_are_a_model() -> None:
    model = GaussianMixture(2, covariance_type="full")
    model.weights_, model.means_ = np.array([0.3, 0.7]), np.array([[0.0, 0.0], [3.0, 1.0]])
    model.covariances_ = np.array([[[1.0, 0.5], [0.5, 2.0]], [[1.0, 0.0], [0.0, 1.0]]])
    parts = [multivariate_normal(m, c).pdf([1.0, 1.0]) for m, c in zip(model.means_, model.covariances_, strict=True)]
    expected = np.log(0.3 * parts[0] + 0.7 * parts[1])  # the definition, densities by scipy
    assert model.score_samples([[1.0, 1.0]])[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pickled_model_and_its_clone(dtype: type) -> None:
    rows = BLOBS.astype(dtype)
    model = GaussianMixture(4, random_state=0).fit(rows)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(model.predict_proba(rows), again.predict_proba(rows))
    with pytest.raises(NotFittedError):
        clone(model).predict(rows)
    assert clone(model).get_params() == model.get_params()


# Warnings and errors


@pytest.mark.parametrize("scale", [1e-5, 1.0])
def test_a_large_reg_covar_is_said(scale: float) -> None:
    # Variances of about 17 scale^2: 1e-6 is far more than a thousandth of them at scale 1e-5, and nothing at 1.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GaussianMixture(2, random_state=0).fit(BLOBS * scale)
    said = [str(w.message) for w in caught if w.category is RegularisationWarning]
    assert len(said) == (1 if scale < 1 else 0)
    assert all("2 of 2 columns" in text for text in said)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reg_covar", [0, 1e-6])
@pytest.mark.parametrize("kind", ALL)
def test_collapsed_components_are_said_or_refused(kind: str, reg_covar: float, dtype: type) -> None:
    rows = np.repeat(np.eye(3), 20, axis=0).astype(dtype)  # three distinct rows
    model = GaussianMixture(3, covariance_type=kind, reg_covar=reg_covar, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(rows)
        except DataError as error:
            assert error.code == "collapsed"
            return
    assert any("collapsed" in str(w.message) for w in caught)
    assert np.isfinite(model.score_samples(rows)).all()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1, got 0"),
        ({"n_components": 2.5}, "n_components must be a whole number"),
        ({"tol": -1}, "tol must be a number of at least 0"),
        ({"reg_covar": np.nan}, "reg_covar must be"),
        ({"max_iter": -1}, "max_iter must be"),
        ({"n_init": True}, "n_init must be"),
        ({"verbose_interval": 0}, "verbose_interval must be"),
        ({"covariance_type": "diagonal"}, "one of diag, full, spherical, tied; got 'diagonal'"),
        ({"init_params": "best"}, "init_params must be one of"),
        ({"missing": None}, "missing must be one of error, marginalise; got None"),
        ({"n_components": 4, "weights_init": [0.5, 0.5]}, r"weights_init must be finite numbers of shape \(4,\)"),
        ({"n_components": 2, "weights_init": [0.5, 0.6]}, "sum to 1, got sum 1.1"),
        ({"n_components": 2, "weights_init": [1.5, -0.5]}, "must not be negative"),
        ({"means_init": [[0.0, np.inf]]}, "means_init must be finite"),
        ({"precisions_init": [[[1.0, 0.0], [0.0, -1.0]]]}, "precisions_init must be .*positive definite"),
        ({"precisions_init": [[[1.0, 0.3], [0.0, 1.0]]]}, "precisions_init must be .*symmetric"),
        ({"covariance_type": "diag", "precisions_init": [[1.0, 0.0]]}, "precisions_init must be positive"),
        ({"n_components": 601}, "n_components = 601, n_samples = 600"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        GaussianMixture(**settings).fit(BLOBS)


def test_rows_that_cannot_be_used() -> None:
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        GaussianMixture().fit([[1.0, 2.0]])
    with pytest.raises(DataError, match=r"contains NaN: row 1, column 0 .*\n.*marginalise"):
        GaussianMixture().fit([[0.0, 0.0], [np.nan, 1.0]])
    with pytest.raises(DataError, match=r"infinity \(-inf\): row 0, column 1"):
        GaussianMixture(missing="marginalise").fit([[np.nan, -np.inf], [0.0, 0.0]])
    with pytest.raises(DataError, match="NaN: row 5000, column 1"):
        GaussianMixture().fit(BLOBS).score(np.where(np.arange(12_000).reshape(-1, 2) == 10_001, np.nan, 0.0))
    with pytest.raises(DataError, match="NaN: row 0, column 1"):
        MixtureClassifier().fit([[0.0, np.nan], [1.0, 1.0]], [0, 1])
    with pytest.raises(DataError, match="n_samples = 1"):
        GaussianMixture(2).fit(BLOBS[:3], sample_weight=[0, 0, 1])
    with pytest.raises(DataError, match="at least 1, got 0"):
        GaussianMixture().fit(BLOBS).sample(0)


def test_verbose_prints_every_so_many_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(ConvergenceWarning):
        GaussianMixture(4, tol=0, max_iter=6, verbose=1, verbose_interval=3, random_state=0).fit(BLOBS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["iteration 3", "iteration 6"]


# Missing values


def test_missing_values_leave_the_marginal_density() -> None:
    rows = rows_of("full", 800)
    model = GaussianMixture(1, missing="marginalise").fit(rows)
    np.testing.assert_allclose(model.covariances_[0], np.cov(rows.T, bias=True) + 1e-6 * np.eye(4), rtol=1e-9)
    gapped = rows[:5].copy()
    gapped[:, [0, 2]] = np.nan
    mean, matrix = model.means_[0], model.covariances_[0]
    seen = multivariate_normal(mean[[1, 3]], matrix[np.ix_([1, 3], [1, 3])])  # the marginal of a Gaussian
    np.testing.assert_allclose(model.score_samples(gapped), seen.logpdf(rows[:5][:, [1, 3]]), rtol=1e-9)
    slopes = matrix[np.ix_([0, 2], [1, 3])] @ np.linalg.inv(matrix[np.ix_([1, 3], [1, 3])])
    filled = model.impute(gapped)
    # The conditional mean of a Gaussian (Bishop 2006, equation 2.81).
    np.testing.assert_allclose(filled[:, [0, 2]], mean[[0, 2]] + (rows[:5][:, [1, 3]] - mean[[1, 3]]) @ slopes.T)
    np.testing.assert_array_equal(filled[:, [1, 3]], rows[:5][:, [1, 3]])


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_with_gaps_finds_the_means(init: str, dtype: type) -> None:
    gapped = BLOBS.copy().astype(dtype)
    gapped[np.random.default_rng(0).random(gapped.shape) < 0.1] = np.nan
    model = GaussianMixture(4, missing="marginalise", init_params=init, n_init=5, random_state=0, max_iter=500)
    means = sorted_rows(model.fit(gapped).means_.round(0))
    np.testing.assert_array_equal(means, sorted_rows(np.array([[0.0, 0], [8, 0], [0, 8], [8, 8]])))
    assert model.predict(gapped).shape == (600,)
    assert not np.isnan(model.impute(gapped)).any()


def test_without_gaps_marginalising_changes_nothing() -> None:
    plain, open_to_gaps = (
        GaussianMixture(4, missing=missing, random_state=0).fit(BLOBS) for missing in ("error", "marginalise")
    )
    np.testing.assert_allclose(open_to_gaps.means_, plain.means_, rtol=1e-12)
    np.testing.assert_allclose(open_to_gaps.predict_proba(BLOBS), plain.predict_proba(BLOBS), atol=1e-12)


# Streams


def test_a_stream_mixes_each_batch_in() -> None:
    old, new = BLOBS[:200], BLOBS[200:260]
    model = GaussianMixture(1).fit(old).partial_fit(new)
    gain = 3**-0.6  # (batches + 2)^-0.6 with one batch seen (Liang and Klein 2009)
    np.testing.assert_allclose(model.means_[0], (1 - gain) * old.mean(axis=0) + gain * new.mean(axis=0), rtol=1e-9)
    assert model.lower_bound_ == pytest.approx(Theirs(1).fit(old).score(new), rel=1e-9)
    model.fit(old)
    np.testing.assert_allclose(model.means_[0], old.mean(axis=0), rtol=1e-9, err_msg="fit begins anew")


@pytest.mark.parametrize("missing", ["error", "marginalise"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stream_from_nothing_finds_the_means(dtype: type, missing: str) -> None:
    generator = np.random.default_rng(0)
    model = GaussianMixture(4, missing=missing, random_state=0)
    for _ in range(40):
        batch = BLOBS[generator.choice(600, 100)].astype(dtype)
        if missing == "marginalise":
            batch[generator.random(batch.shape) < 0.1] = np.nan
        model.partial_fit(batch)
    assert model.n_iter_ == 40
    np.testing.assert_array_equal(
        sorted_rows(model.means_.round(0)), sorted_rows(np.array([[0, 0], [8, 0], [0, 8], [8, 8.0]]))
    )


def test_a_stream_weighs_its_rows() -> None:
    weights = np.arange(100) % 3
    settings = {"n_components": 5, **start_of("full")}
    weighted = GaussianMixture(**settings).partial_fit(rows_of("full", 100), sample_weight=weights)
    repeated = GaussianMixture(**settings).partial_fit(rows_of("full", 100).repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-9, atol=1e-12)


def test_what_a_stream_refuses() -> None:
    with pytest.raises(DataError, match="n_components = 4, n_samples = 3"):
        GaussianMixture(4).partial_fit(BLOBS[:3])
    with pytest.raises(ValueError, match="expecting 2 features"):
        GaussianMixture().partial_fit(BLOBS).partial_fit(BLOBS[:, :1])


# scikit-learn's tools around both


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_grid_search_over_a_pipeline(dtype: type) -> None:
    model = make_pipeline(StandardScaler(), GaussianMixture(random_state=0))
    grid = {"gaussianmixture__n_components": [1, 4], "gaussianmixture__covariance_type": ["diag", "spherical"]}
    search = GridSearchCV(model, grid, cv=3).fit(BLOBS.astype(dtype))
    assert search.best_params_["gaussianmixture__n_components"] == 4, "four blobs were drawn"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_validated_classifiers(dtype: type) -> None:
    rows, labels = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), MixtureClassifier(covariance_type="full", random_state=0))
    # The Gaussian classifier's error on iris is known to be 2 to 3 % (Fisher's data); chance is 67 %.
    assert cross_val_score(model, rows.astype(dtype), labels, cv=5).mean() > 0.95
    grid = {"mixtureclassifier__n_components": [1, 2], "mixtureclassifier__priors": ["equal", "empirical"]}
    search = GridSearchCV(model, grid, cv=3).fit(rows.astype(dtype), labels)
    assert search.best_score_ > 0.95


# MixtureClassifier


@pytest.mark.parametrize("priors", ["empirical", [0.2, 0.3, 0.5]])
def test_one_diagonal_component_is_naive_bayes(priors: Any) -> None:
    rows, labels = load_iris(return_X_y=True)
    rows, labels = rows[20:], labels[20:]
    weights = np.random.default_rng(0).integers(1, 4, len(rows))
    ours = MixtureClassifier(reg_covar=0, priors=priors).fit(rows, labels, weights)
    given = None if isinstance(priors, str) else priors
    theirs = GaussianNB(var_smoothing=0, priors=given).fit(rows, labels, weights)
    np.testing.assert_allclose(ours.priors_, theirs.class_prior_, rtol=1e-12)
    for name in ("predict_joint_log_proba", "predict_log_proba", "predict_proba", "predict"):
        np.testing.assert_allclose(getattr(ours, name)(rows), getattr(theirs, name)(rows), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ours.decision_function(rows), theirs.predict_joint_log_proba(rows), rtol=1e-6)
    assert ours.score(rows, labels) == theirs.score(rows, labels)


@pytest.mark.parametrize("kind", ALL)
def test_every_class_is_a_mixture_of_its_own(kind: str) -> None:
    labels = np.where(BLOBS[:, 0] > 4, "right", "left")  # two blobs each
    model = MixtureClassifier(2, covariance_type=kind, tol=1e-9, max_iter=500, random_state=0).fit(BLOBS, labels)
    expected = [
        Theirs(2, covariance_type=kind, tol=1e-9, max_iter=500, random_state=0).fit(BLOBS[labels == c])
        for c in ("left", "right")
    ]
    joint = np.stack([mixture.score_samples(BLOBS) for mixture in expected], axis=1) + np.log(0.5)
    np.testing.assert_allclose(model.predict_joint_log_proba(BLOBS), joint, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.decision_function(BLOBS), joint[:, 1] - joint[:, 0], rtol=1e-5, atol=1e-5)
    assert model.classes_.tolist() == ["left", "right"]
    assert [mixture.covariance.kind for mixture in model.mixtures_] == [kind, kind]
    assert model.n_iter_.tolist() == pytest.approx([mixture.n_iter_ for mixture in expected], abs=10)
    assert model.converged_.all()


def test_classes_have_the_same_bits_on_any_number_of_threads() -> None:
    labels = (BLOBS[:, 0] > 4).astype(int)
    one, three = (MixtureClassifier(3, random_state=0, n_jobs=jobs).fit(BLOBS, labels) for jobs in (1, 3))
    assert np.array_equal(one.predict_joint_log_proba(BLOBS), three.predict_joint_log_proba(BLOBS))


def test_a_prior_of_zero_excludes_a_class() -> None:
    labels = (BLOBS[:, 0] > 4).astype(int)
    model = MixtureClassifier(priors=[1, 0]).fit(BLOBS, labels)
    assert (model.predict(BLOBS) == 0).all()
    np.testing.assert_array_equal(model.predict_proba(BLOBS), np.tile([1.0, 0.0], (600, 1)))


def test_what_the_classifier_refuses() -> None:
    labels = np.array(["a"] * 598 + ["b"] * 2)
    with pytest.raises(DataError, match="class 'b': expected n_samples >= n_components, .* n_samples = 2"):
        MixtureClassifier(3).fit(BLOBS, labels)
    with pytest.raises(DataError, match="priors must be one of empirical, equal; got 'flat'"):
        MixtureClassifier(priors="flat").fit(BLOBS, labels)
    with pytest.raises(DataError, match=r"priors must be finite numbers of shape \(2,\)"):
        MixtureClassifier(priors=[1, 0, 0]).fit(BLOBS, labels)
    with pytest.raises(DataError, match="max_iter must be a whole number of at least 1"):
        MixtureClassifier(max_iter=0).fit(BLOBS, labels)


def test_what_the_classifier_warns_of() -> None:
    labels = np.where(BLOBS[:, 0] > 4, "right", "left")
    with pytest.warns(ConvergenceWarning, match="class 'left', class 'right'"):
        MixtureClassifier(2, tol=0, max_iter=2).fit(BLOBS, labels)
    with pytest.warns(RegularisationWarning, match=r"reg_covar=0.1 is more than 0.001 of the variance of 2 of 2"):
        MixtureClassifier(reg_covar=0.1).fit(BLOBS, labels)
