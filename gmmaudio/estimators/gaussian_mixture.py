"""GaussianMixture: scikit-learn's estimator of that name, on this package's core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from gmmaudio.estimators import checks, fitting
from gmmaudio.gmm import choose
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.em import Fit
from gmmaudio.gmm.missing import impute, start_missing
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, check_weights, cut, sample_frames
from gmmaudio.gmm.start import sample_size
from gmmaudio.gmm.stream import Stream, absorb, begin
from gmmaudio.parallel import one_blas_thread

Real = NDArray[np.floating]
Floats = NDArray[np.float64]


class GaussianMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian mixture fitted by expectation maximisation, with scikit-learn's parameters and attributes.

    A drop-in for ``sklearn.mixture.GaussianMixture``, with its defaults (``covariance_type`` is "full" here, while the
    rest of gmmaudio prefers "diag"). It adds ``reg_covar`` to every variance, floors none and re-seeds no component.
    It takes ``sample_weight``, streams (``partial_fit``) and missing values as well, and holds no
    (rows, components) array while it fits. float32 data are computed in float32 with float64 sums, anything else in
    float64; attributes and results are float64.

    Parameters
    ----------
    n_components : int, default 1
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        One matrix per component, one for all, one variance per component and column, one variance per component.
    tol : float, default 1e-3
        Stop when the mean log-likelihood per row changes by less, in nats.
    reg_covar : float, default 1e-6
        Added to every variance, in squared units of the data. ``RegularisationWarning`` says when that is more than
        1e-3 of a column's variance.
    max_iter : int, default 100
        At most so many iterations; with 0 the start is the result.
    n_init : int, default 1
        Starts, run side by side; the one with the largest lower bound is kept.
    init_params : {"kmeans", "k-means++", "random_from_data", "random"}, default "kmeans"
        Where a start comes from, each made on a bounded sample of the rows: clusters of k-means; clusters around
        k-means++ seeds; clusters around random rows, which are the means; random clusters.
    weights_init : (n_components,), optional
    means_init : (n_components, n_features), optional
    precisions_init : optional, inverse covariances in the shape of ``covariances_``
        What is given replaces that part of the start.
    random_state : int, RandomState or None, default None
        Seeds the starts and ``sample``; with None each call differs.
    warm_start : bool, default False
        Begin where the last fit ended; ``n_init`` is then ignored.
    verbose : int, default 0
        1 prints a line per ``verbose_interval`` iterations.
    verbose_interval : int, default 10
    missing : {"error", "marginalise"}, default "error"
        What a NaN is: an error, or a value to be integrated out (exactly, in fitting and in scoring).
    relative_floor : float, default 0
        No variance falls below this share of its column's variance. For yes/no columns and rare categories, whose
        variance is zero where all rows of a component agree: 0.1 is a good start.
    n_jobs : int or None, default None
        Threads, as in scikit-learn: None is 1, -1 all cores. Results have the same bits for any number.

    Attributes
    ----------
    weights_ : (n_components,)
    means_ : (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_
        "full" (n_components, n_features, n_features), "tied" (n_features, n_features), "diag"
        (n_components, n_features), "spherical" (n_components,). All methods read ``weights_``, ``means_`` and
        ``covariances_``.
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        Mean log-likelihood per row before the last M-step, in nats.
    lower_bounds_ : list of float
        The same of every iteration.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have names

    References
    ----------
    Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[1.0], [1.2], [0.8], [5.0], [5.2], [4.8]])
    >>> mixture = GaussianMixture(2, random_state=0).fit(rows)
    >>> np.sort(mixture.means_.ravel()).round(3)
    array([1., 5.])
    """

    _stream: Stream | None = None

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        missing: str = "error",
        relative_floor: float = 0.0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.missing = missing
        self.relative_floor = relative_floor
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> GaussianMixture:  # noqa: ARG002
        """Fit the mixture to rows.

        Parameters
        ----------
        X : (n, n_features)
        y : ignored
        sample_weight : (n,), optional
            How often each row counts; a whole number does what repeating the row does.

        Returns
        -------
        self

        Raises
        ------
        DataError
            ``bad_setting``, ``bad_weights``, ``too_few_frames``, ``collapsed``, ``empty_column``; a ValueError.
        """
        self._check_settings()
        shards = cut(self._values(X, self._gaps, ensure_min_samples=2), sample_weight)
        checks.require_rows(shards, self.n_components)
        first, *rest = fitting.generators(self.random_state, 1 + self.n_init)
        sample = sample_frames(shards, sample_size(self.n_components), first)
        checks.warn_of_large(self.reg_covar, checks.column_variances(sample))
        warm = self.warm_start and hasattr(self, "weights_")
        starts = [self._mixture()] if warm else self._starts(sample, rest)
        before = getattr(self, "lower_bound_", -np.inf) if warm else -np.inf
        best = max(self._fits(starts, shards, sample, before), key=fitting.bound)
        self._keep(best.mixture)
        self._stream = None
        self.converged_ = best.converged
        self.n_iter_ = len(best.log_likelihood)
        self.lower_bound_ = fitting.bound(best)
        self.lower_bounds_ = list(best.log_likelihood)
        if self.max_iter > 0:
            checks.remark([best], ["the best start"])
        return self

    def partial_fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> GaussianMixture:  # noqa: ARG002
        """Learn from one more batch of a stream: a step of stepwise EM, each batch seen once.

        The first batch gives the start and must hold at least ``n_components`` rows; after ``fit`` the stream goes on
        from the fitted mixture, which counts as one batch. ``lower_bound_`` is then the latest batch's mean
        log-likelihood per row before it was learnt from, ``n_iter_`` the number of batches.

        Parameters
        ----------
        X : (n, n_features)
            Many rows per component, in random order.
        y : ignored
        sample_weight : (n,), optional
            How often each row counts.

        Returns
        -------
        self

        Raises
        ------
        DataError
            ``bad_setting``, ``bad_weights``, ``too_few_frames``, ``collapsed``, ``empty_column``; a ValueError.

        References
        ----------
        Cappé and Moulines (2009), On-line expectation-maximization algorithm for latent data models.
        """
        self._check_settings()
        values = self._values(X, self._gaps, reset=not hasattr(self, "weights_"))
        stream = self._stream or self._begun(cut(values, sample_weight))
        e_step = self._reading.accumulate
        with one_blas_thread(), fitting.collapse_explained():
            stream = absorb(stream, values, sample_weight, fitting.adding(self), e_step=e_step)
        self._keep(stream.mixture)
        self._stream, self.lower_bound_, self.n_iter_ = stream, stream.log_likelihood, stream.batches
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> NDArray[np.intp]:
        """``fit(X)``, then ``predict(X)``."""
        return self.fit(X, y, sample_weight).predict(X)

    def score_samples(self, X: ArrayLike) -> Floats:
        """log p(x) of each row, in nats: (n, n_features) to (n,)."""
        return self._score(self._reading.log_density, X, self._gaps)

    def score(self, X: ArrayLike, y: Any = None) -> float:  # noqa: ARG002
        """The mean of ``score_samples(X)``; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def predict_proba(self, X: ArrayLike) -> Floats:
        """The probability of each component given each row: (n, n_features) to (n, n_components)."""
        return self._score(self._reading.posteriors, X, self._gaps)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """The most probable component of each row: (n, n_features) to (n,)."""
        posteriors = self._reading.posteriors
        return self._score(lambda mixture, rows: posteriors(mixture, rows).argmax(axis=1), X, self._gaps)

    def impute(self, X: ArrayLike) -> Floats:
        """The rows with each NaN replaced by its conditional expectation given the row's other values.

        Parameters
        ----------
        X : (n, n_features)
            NaN marks what is missing, whatever ``missing`` says.

        Returns
        -------
        (n, n_features)
        """
        return self._score(impute, X, True)

    def sample(self, n_samples: int = 1) -> tuple[Floats, NDArray[np.intp]]:
        """Draw rows (n_samples, n_features) and the component each came from (n_samples,), in the components' order."""
        check_is_fitted(self)
        checks.require_number("n_samples", n_samples, Integral, 1)
        rows, component = self._mixture().sample(n_samples, fitting.generators(self.random_state, 1)[0])
        order = component.argsort(kind="stable")
        return rows[order], component[order]

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The Bayesian information criterion on rows X; lower is better (Schwarz 1978).

        ``sample_weight`` (n,) says how often each row counts, as in a frequency table.
        """
        total, rows = self._total(X, sample_weight)
        return choose.bic(total, self._mixture().parameters, rows)

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's information criterion on rows X; lower is better (Akaike 1974). Weights as in ``bic``."""
        total, _ = self._total(X, sample_weight)
        return choose.aic(total, self._mixture().parameters)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "marginalise"
        return tags

    def _check_settings(self) -> None:
        checks.require_common(self)
        for name in ("n_init", "verbose_interval"):
            checks.require_number(name, getattr(self, name), Integral, 1)
        checks.require_choice("init_params", self.init_params, fitting.STARTS)
        checks.require_choice("missing", self.missing, fitting.READINGS)

    @property
    def _reading(self) -> fitting.Reading:
        """How a NaN is read."""
        return fitting.READINGS[self.missing]

    @property
    def _gaps(self) -> bool:
        """Whether NaN is a missing value."""
        return self.missing != "error"

    def _values(self, X: ArrayLike, gaps: bool, **asked: Any) -> Real:
        """X as scikit-learn validates it, finite, or with gaps; ``asked`` as in its ``validate_data``."""
        asked = {"dtype": [np.float64, np.float32], "order": "C", "ensure_all_finite": False, **asked}
        values = np.asarray(validate_data(self, X, **asked))
        checks.require_finite(values, gaps, 'missing="marginalise" takes NaN for a missing value')
        return values

    def _score(self, method: Callable[[Mixture, Real], Any], X: ArrayLike, gaps: bool) -> NDArray[Any]:
        check_is_fitted(self)
        mixture, values = self._mixture(), self._values(X, gaps, reset=False)
        return fitting.by_shards(lambda rows: method(mixture, rows), values, self.n_jobs)

    def _total(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[float, float]:
        """The log-likelihood of all rows, and how many they count for."""
        density = self.score_samples(X)
        if sample_weight is None:
            return float(density.sum()), float(len(density))
        counts = check_weights(sample_weight, len(density))
        return float(counts @ density), float(counts.sum())

    def _mixture(self) -> Mixture:
        """The mixture that the attributes describe."""
        kind = KINDS[self.covariance_type]
        weights, means, array = (np.asarray(a, np.float64) for a in (self.weights_, self.means_, self.covariances_))
        return Mixture(weights, means, kind(array))

    def _keep(self, mixture: Mixture) -> None:
        covariance = mixture.covariance
        with fitting.collapse_explained():
            precisions, roots = covariance.inverse(covariance.array), covariance.precision_roots()
        self.weights_, self.means_, self.covariances_ = mixture.weights, mixture.means, covariance.array
        self.precisions_, self.precisions_cholesky_ = precisions, roots

    def _starts(self, sample: Real, seeds: Sequence[np.random.Generator]) -> list[Mixture]:
        kind, shape = self.covariance_type, (self.n_components, sample.shape[1])
        given = checks.given_parts(kind, shape, self.weights_init, self.means_init, self.precisions_init)
        if len(given) == 3:
            return [Mixture(**given)]
        if np.isnan(sample).any():  # for the start, a gap holds the mean of its column
            sample = impute(start_missing(sample, 1, seeds[0], passes=0), sample)
        start, regulariser = fitting.STARTS[self.init_params], fitting.adding(self)
        made = [start(sample, self.n_components, seed, regulariser, kind) for seed in seeds]
        return [replace(mixture, **given) for mixture in made]

    def _begun(self, batch: Sequence[Shard]) -> Stream:
        """A stream that begins where the fit ended, or with a start from the first batch."""
        if hasattr(self, "weights_"):
            return replace(begin(self._mixture()), batches=1)
        checks.require_rows(batch, self.n_components)
        first, second = fitting.generators(self.random_state, 2)
        sample = sample_frames(batch, sample_size(self.n_components), first)
        checks.warn_of_large(self.reg_covar, checks.column_variances(sample))
        return begin(self._starts(sample, [second])[0])

    def _fits(self, starts: Sequence[Mixture], shards: Sequence[Shard], sample: Real, before: float) -> list[Fit]:
        if self.max_iter == 0:
            return [Fit(start, (), False, 0, 0) for start in starts]
        spread = checks.column_variances(sample)
        least = checks.collapse(sample, spread, self.reg_covar)
        fits = [
            fitting.ascend(start, fitting.adding(self), spread, self.tol, self.max_iter, least, before)
            for start in starts
        ]
        tell = fitting.teller(self.verbose_interval, len(starts)) if self.verbose else None
        return fitting.fit_all(fits, [shards] * len(fits), self.n_jobs, tell, self._reading.accumulate)
