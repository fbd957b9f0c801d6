"""MixtureClassifier: one mixture per class on plain arrays, and Bayes' rule."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gmmaudio.estimators import checks, fitting
from gmmaudio.gmm.em import Fitting
from gmmaudio.gmm.shards import Shard, check_weights, cut, sample_frames
from gmmaudio.gmm.start import LEAST_SAMPLE, sample_size

Real = NDArray[np.floating]
Floats = NDArray[np.float64]


class MixtureClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One Gaussian mixture per class; a row goes to the class of largest prior times density (Bayes' rule).

    With one component it is a Gaussian naive Bayes classifier ("diag") or quadratic discriminant analysis ("full").

    Parameters
    ----------
    n_components : int, default 1
        Components of each class.
    covariance_type : {"diag", "full", "tied", "spherical"}, default "diag"
        "tied" ties the components of one class.
    tol : float, default 1e-3
        A class stops when its mean log-likelihood per row changes by less, in nats.
    reg_covar : float, default 1e-6
        Added to every variance, in squared units of the data; see ``RegularisationWarning``.
    relative_floor : float, default 0
        No variance falls below this share of the column's variance over all classes. For yes/no columns and rare
        categories, whose variance is zero where all rows of a component agree: 0.1 is a good start.
    max_iter : int, default 100
    priors : "equal", "empirical" or (n_classes,), default "equal"
        The classes' prior probabilities: the same for all; their shares of the (weighted) rows; or given in the order
        of ``classes_``.
    random_state : int, RandomState or None, default None
        Seeds the starts (k-means on a bounded sample of each class).
    n_jobs : int or None, default None
        Threads, as in scikit-learn. All classes are fitted side by side, with the same bits for any number.

    Attributes
    ----------
    classes_ : (n_classes,)
    mixtures_ : list of Mixture
        In the order of ``classes_``.
    priors_ : (n_classes,)
    n_iter_ : (n_classes,)
    converged_ : (n_classes,) bool
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have names

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> model = MixtureClassifier().fit(rows, ["low", "low", "high", "high"])
    >>> model.predict([[0.7], [8.0]]).tolist()
    ['low', 'high']
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "diag",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        relative_floor: float = 0.0,
        max_iter: int = 100,
        priors: str | ArrayLike = "equal",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.relative_floor = relative_floor
        self.max_iter = max_iter
        self.priors = priors
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> MixtureClassifier:
        """Fit one mixture to the rows of each class.

        Parameters
        ----------
        X : (n, n_features)
        y : (n,)
            The rows' classes.
        sample_weight : (n,), optional
            How often each row counts.

        Returns
        -------
        self

        Raises
        ------
        DataError
            ``bad_setting``, ``bad_weights``, ``too_few_frames`` (naming the class), ``collapsed``; a ValueError.
        """
        checks.require_common(self)
        checks.require_number("max_iter", self.max_iter, Integral, 1)
        values, y = validate_data(self, X, y, dtype=[np.float64, np.float32], order="C", ensure_all_finite=False)
        checks.require_finite(values)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = None if sample_weight is None else check_weights(sample_weight, len(values))
        rows = [np.flatnonzero(codes == c) for c in range(len(self.classes_))]
        members = [cut(values[own], None if weights is None else weights[own]) for own in rows]
        for label, shards in zip(self.classes_.tolist(), members, strict=True):
            checks.require_rows(shards, self.n_components, f"class {label!r}: ")
        self.priors_ = self._priors(np.bincount(codes, weights).astype(np.float64))
        first, *rest = fitting.generators(self.random_state, 1 + len(members))
        sample = sample_frames(cut(values, weights), LEAST_SAMPLE, first)
        spread = checks.column_variances(sample)
        checks.warn_of_large(self.reg_covar, spread)
        least = checks.collapse(sample, spread, self.reg_covar)
        fits = fitting.fit_all(
            [self._ascent(*pair, spread, least) for pair in zip(members, rest, strict=True)], members, self.n_jobs
        )
        checks.remark(fits, [f"class {label!r}" for label in self.classes_.tolist()])
        self.mixtures_ = [fit.mixture for fit in fits]
        self.n_iter_ = np.array([len(fit.log_likelihood) for fit in fits])
        self.converged_ = np.array([fit.converged for fit in fits])
        return self

    def predict_joint_log_proba(self, X: ArrayLike) -> Floats:
        """log prior + log density of each class: (n, n_features) to (n, n_classes)."""
        check_is_fitted(self)
        asked = {"dtype": [np.float64, np.float32], "order": "C", "ensure_all_finite": False}
        values = validate_data(self, X, reset=False, **asked)
        checks.require_finite(values)
        with np.errstate(divide="ignore"):  # a prior of zero excludes its class
            log_priors = np.log(self.priors_)
        densities = fitting.by_shards(
            lambda rows: np.stack([m.log_density(rows) for m in self.mixtures_], 1), values, self.n_jobs
        )
        return np.asarray(densities + log_priors)

    def decision_function(self, X: ArrayLike) -> Floats:
        """``predict_joint_log_proba(X)``; with two classes the second's less the first's (n,), as scikit-learn asks."""
        joint = self.predict_joint_log_proba(X)
        return np.asarray(joint[:, 1] - joint[:, 0]) if joint.shape[1] == 2 else joint

    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """The logarithms of ``predict_proba(X)``."""
        joint = self.predict_joint_log_proba(X)
        return np.asarray(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

    def predict_proba(self, X: ArrayLike) -> Floats:
        """The probability of each class given each row: (n, n_features) to (n, n_classes)."""
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each row."""
        best = self.predict_joint_log_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _ascent(self, shards: Sequence[Shard], seed: np.random.Generator, spread: Floats, least: Floats) -> Fitting:
        regulariser = fitting.adding(self)
        sample = sample_frames(shards, sample_size(self.n_components), seed)
        start = fitting.from_k_means(sample, self.n_components, seed, regulariser, self.covariance_type)
        return fitting.ascend(start, regulariser, spread, self.tol, self.max_iter, least)

    def _priors(self, counts: Floats) -> Floats:
        if isinstance(self.priors, str):
            checks.require_choice("priors", self.priors, ("equal", "empirical"))
            shares = np.ones_like(counts) if self.priors == "equal" else counts
            return np.asarray(shares / shares.sum())
        return checks.require_shares("priors", self.priors, len(counts))
