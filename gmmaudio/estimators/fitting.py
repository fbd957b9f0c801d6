"""What both estimators do with the core: starts, EM in scikit-learn's order, and scoring on several threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import Regulariser
from gmmaudio.gmm.em import EStep, Fit, Fitting, maximise, run
from gmmaudio.gmm.missing import accumulate_missing, log_density_missing, posteriors_missing
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, cut
from gmmaudio.gmm.start import assign, from_clusters, k_means_start, standardised
from gmmaudio.gmm.statistics import accumulate
from gmmaudio.parallel import map_in_order, one_blas_thread

Real = NDArray[np.floating]
Floats = NDArray[np.float64]

# Starts: a sample, the number of components, a generator, the regulariser and the kind of covariance to a mixture.


def from_k_means(
    sample: Real, components: int, seed: np.random.Generator, regulariser: Regulariser, kind: str
) -> Mixture:
    """Clusters of k-means."""
    return k_means_start(sample, components, seed, regulariser=regulariser, kind=kind)


def from_seeds(
    sample: Real, components: int, seed: np.random.Generator, regulariser: Regulariser, kind: str
) -> Mixture:
    """Clusters around k-means++ seeds."""
    return k_means_start(sample, components, seed, passes=0, regulariser=regulariser, kind=kind)


def from_rows(sample: Real, components: int, seed: np.random.Generator, regulariser: Regulariser, kind: str) -> Mixture:
    """Clusters around random rows, which are the means."""
    rows = seed.choice(len(sample), components, replace=False)
    scaled = standardised(sample)
    clusters = from_clusters(sample, assign(scaled, scaled[rows]), components, regulariser, kind)
    return replace(clusters, means=sample[rows].astype(np.float64))


def from_chance(
    sample: Real, components: int, seed: np.random.Generator, regulariser: Regulariser, kind: str
) -> Mixture:
    """Clusters drawn at random: all means lie near the mean of the data."""
    return from_clusters(sample, seed.integers(components, size=len(sample)), components, regulariser, kind)


STARTS: dict[str, Callable[[Real, int, np.random.Generator, Regulariser, str], Mixture]] = {
    "kmeans": from_k_means,
    "k-means++": from_seeds,
    "random_from_data": from_rows,
    "random": from_chance,
}


@dataclass(frozen=True)
class Reading:
    """How frames are read: the E-step and the two ways to score."""

    accumulate: EStep
    log_density: Callable[[Mixture, Real], Floats]
    posteriors: Callable[[Mixture, Real], Floats]


READINGS = {
    "error": Reading(accumulate, Mixture.log_density, Mixture.posteriors),
    "marginalise": Reading(accumulate_missing, log_density_missing, posteriors_missing),
}


def ascend(
    start: Mixture,
    regulariser: Regulariser,
    spread: Floats,
    tol: float,
    max_iter: int,
    least: Floats,
    before: float = -np.inf,
) -> Fitting:
    """Expectation maximisation in scikit-learn's order: the result is one M-step past the last evaluation.

    Parameters
    ----------
    start : Mixture
    regulariser : Regulariser
    spread : (d,)
        The columns' variances, for the relative floor.
    tol : float
        Converged once the mean log-likelihood changes by less.
    max_iter : int, at least 1
    least : (d,)
        Variances of a component that are no larger are counted as ``floored``: it has collapsed.
    before : float
        The lower bound that the first one is compared with.
    """
    mixture, converged = start, False
    history: list[float] = []
    while len(history) < max_iter and not converged:
        statistics = yield mixture
        history.append(statistics.mean_log_likelihood)
        mixture = maximise(statistics, regulariser, spread)
        converged = abs(history[-1] - before) < tol
        before = history[-1]
    collapsed = mixture.covariance.floored(Regulariser(relative_floor=1), least)
    return Fit(mixture, tuple(history), converged, collapsed, 0)


def adding(estimator: Any) -> Regulariser:
    """An estimator's regulariser: as scikit-learn's it adds; it floors only where ``relative_floor`` says so."""
    return Regulariser(add=estimator.reg_covar, relative_floor=estimator.relative_floor)


def bound(fit: Fit) -> float:
    """The last lower bound of a fit; minus infinity where there was no iteration."""
    return fit.log_likelihood[-1] if fit.log_likelihood else -np.inf


def fit_all(
    fits: Sequence[Fitting],
    shards: Sequence[Sequence[Shard]],
    n_jobs: int | None,
    progress: Callable[[int, int], None] | None = None,
    e_step: EStep = accumulate,
) -> list[Fit]:
    """``run``, in scikit-learn's terms."""
    with collapse_explained():
        return run(fits, shards, effective_n_jobs(n_jobs), progress, e_step)


@contextmanager
def collapse_explained() -> Iterator[None]:
    """Turn numpy's error on a matrix without an inverse into one that says where it comes from."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise DataError(
            "collapsed",
            "a component has a covariance that is not positive definite: it holds too few distinct rows",
            "use fewer components, a larger reg_covar, or data scaled to unit variance",
        ) from error


def by_shards(method: Callable[[Real], NDArray[Any]], values: Real, n_jobs: int | None) -> NDArray[Any]:
    """What ``method`` says of each row; on several threads, with the same bits for any number."""
    with one_blas_thread():
        parts = map_in_order(lambda shard: method(shard.load()), cut(values), effective_n_jobs(n_jobs))
        return np.concatenate(list(parts))


def generators(random_state: Any, n: int) -> list[np.random.Generator]:
    """Independent generators from scikit-learn's kind of seed; the first ones do not depend on ``n``."""
    entropy = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(entropy).spawn(n)]


def teller(interval: int, starts: int) -> Callable[[int, int], None]:
    """Prints how far the fits are."""
    began = time.monotonic()

    def tell(rounds: int, running: int) -> None:
        if rounds % interval == 0:
            seconds = time.monotonic() - began
            print(f"iteration {rounds}: {running} of {starts} starts running, {seconds:.1f} s")

    return tell
