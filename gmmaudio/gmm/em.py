"""The M-step, the ways to fit as generators, and the one driver that runs them.

A fit is a generator: it yields the mixture to be evaluated, is sent its statistics, and returns a Fit. It never
sees a frame. ``run`` drives any number of fits side by side; progress and threads live there, once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.covariance import KINDS, Diagonal, Regulariser
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard
from gmmaudio.gmm.statistics import Statistics, accumulate
from gmmaudio.parallel import Each, one_blas_thread, workers

Floats = NDArray[np.float64]
Real = NDArray[np.floating]

TINY = 1e-150  # an occupancy below this is none


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of a fit.

    Parameters
    ----------
    mixture : Mixture
    log_likelihood : tuple of float
        Nats per frame, of each mixture that was evaluated.
    converged : bool
        Whether the last gain fell below the tolerance.
    floored : int
        Variances that stand at their floor in the final mixture.
    reseeded : int
        Times that a starved component was re-seeded.
    """

    mixture: Mixture
    log_likelihood: tuple[float, ...]
    converged: bool
    floored: int
    reseeded: int


Fitting = Generator[Mixture, Statistics, Fit]
EStep = Callable[[Mixture, Real, Floats | None], Statistics]


@dataclass(frozen=True)
class Em:
    """How expectation maximisation is run.

    Parameters
    ----------
    iterations : int, default 40
        At most so many.
    tolerance : float, default 1e-3
        Stop when an iteration gains less, in nats per frame.
    regulariser : Regulariser
        What keeps variances away from zero.
    min_occupancy : float, default 5
        A component with fewer expected frames is starved: it is re-seeded with half of the heaviest component.
        0 turns this off.
    """

    iterations: int = 40
    tolerance: float = 1e-3
    regulariser: Regulariser = field(default_factory=Regulariser)
    min_occupancy: float = 5.0


Way = Callable[[Mixture, Em, Floats], Fitting]


def maximise(statistics: Statistics, regulariser: Regulariser | None = None, spread: Floats | None = None) -> Mixture:
    """The M-step: the mixture that makes the frames behind the statistics most likely.

    Parameters
    ----------
    statistics : Statistics
    regulariser : Regulariser, optional
        Default: none, save that a variance never gets to zero.
    spread : (d,), optional
        The global variance of each column, for ``regulariser.relative_floor``.

    Returns
    -------
    Mixture

    References
    ----------
    Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm.

    Examples
    --------
    >>> import numpy as np
    >>> one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> best = maximise(accumulate(one, np.array([[1.0], [3.0]])))
    >>> best.means, best.covariance.variances
    (array([[2.]]), array([[1.]]))
    """
    regulariser = regulariser or Regulariser(relative_floor=0)
    spread = np.zeros(len(statistics.centre)) if spread is None else spread
    occupancy = np.maximum(statistics.occupancy, TINY)
    means = statistics.first / occupancy[:, None]
    covariance = KINDS[statistics.kind].estimate(occupancy, means, statistics.second, regulariser, spread)
    return Mixture(occupancy / occupancy.sum(), means + statistics.centre, covariance)


def survey(sample: Real) -> Mixture:
    """A single component around a sample: its statistics are the global mean and variance (round 0).

    Missing values (NaN) are left out. The variances matter only to ``missing.accumulate_missing``, which fills gaps
    with them; a column that is constant or empty in the sample gets variance one.
    """
    head = np.ma.masked_invalid(np.asarray(sample, dtype=np.float64))
    mean, variance = head.mean(axis=0).filled(0), head.var(axis=0).filled(0)
    spread = np.where(variance > 1e-24 * mean**2, variance, 1)  # below that it is rounding
    return Mixture(np.ones(1), mean[None], Diagonal(spread[None]))


def em(start: Mixture, settings: Em, spread: Floats) -> Fitting:
    """Plain expectation maximisation from a start.

    Parameters
    ----------
    start : Mixture
    settings : Em
    spread : (d,)
        The columns' global variances, for the relative floor.
    """
    mixture, history, reseeded, converged = start, [], 0, False
    for _ in range(settings.iterations):
        statistics = yield mixture
        history.append(statistics.mean_log_likelihood)
        converged = len(history) > 1 and history[-1] - history[-2] < settings.tolerance
        if converged:
            break
        mixture = maximise(statistics, settings.regulariser, spread)
        mixture, moved = reseed(mixture, statistics.occupancy, settings.min_occupancy)
        reseeded += moved
    floored = mixture.covariance.floored(settings.regulariser, spread)
    return Fit(mixture, tuple(history), converged, floored, reseeded)


def fit_from(sample: Real, start: Callable[[Real], Mixture], settings: Em, way: Way = em) -> Fitting:
    """Round 0 (global mean and variance), a start from a sample, then EM.

    Parameters
    ----------
    sample : (n, d)
        A bounded sample of the frames.
    start : callable
        Makes the first mixture from the sample.
    settings : Em
    way : callable, default ``em``
        The fit that goes on from there; ``accelerate.accelerated_em`` takes fewer iterations.
    """
    overall = yield survey(sample)
    spread = maximise(overall).covariance.deviations(1)[0] ** 2
    return (yield from way(start(sample), settings, spread))


def reseed(mixture: Mixture, occupancy: Floats, least: float) -> tuple[Mixture, int]:
    """Give each starved component half of the heaviest one, half a standard deviation to either side.

    Parameters
    ----------
    mixture : Mixture
    occupancy : (k,)
        Expected frames per component.
    least : float
        Fewer expected frames than this is starved.

    Returns
    -------
    mixture : Mixture
    moved : int
        How many components were re-seeded.
    """
    starved = np.flatnonzero(occupancy < least)
    if len(starved) == 0 or occupancy.max() < 2 * least:
        return mixture, 0
    weights, means = mixture.weights.copy(), mixture.means.copy()
    deviations = mixture.covariance.deviations(mixture.components)
    origin = np.arange(mixture.components)
    for component in starved:
        heaviest = int(weights.argmax())
        step = 0.5 * deviations[origin[heaviest]]
        weights[component] = weights[heaviest] = weights[heaviest] / 2
        means[component], means[heaviest] = means[heaviest] + step, means[heaviest] - step
        origin[component] = origin[heaviest]
    return Mixture(weights / weights.sum(), means, mixture.covariance.take(origin)), len(starved)


def run(
    fits: Sequence[Fitting],
    shards: Sequence[Sequence[Shard]],
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    e_step: EStep = accumulate,
) -> list[Fit]:
    """Drive fits to their end, all side by side.

    One round is all (fit, shard) pairs, so ten small classes keep all cores busy. The statistics of a fit are added
    in shard order: the result has the same bits for any number of jobs.

    Parameters
    ----------
    fits : sequence of generators
    shards : sequence, one per fit, of sequences of Shard
    jobs : int, default 1
        Threads.
    progress : callable, optional
        Called after each round with the round's number and the number of fits still running.
    e_step : callable, default ``accumulate``
        Mixture, frames and weights to Statistics; ``missing.accumulate_missing`` for frames with gaps.

    Returns
    -------
    list of Fit, in the order given
    """
    done: dict[int, Fit] = {}
    with one_blas_thread(), workers(jobs) as each:
        waiting = {index: next(fit) for index, fit in enumerate(fits)}
        rounds = 0
        while waiting:
            for index, statistics in _round(waiting, shards, each, e_step).items():
                try:
                    waiting[index] = fits[index].send(statistics)
                except StopIteration as stop:
                    done[index] = stop.value
                    del waiting[index]
            rounds += 1
            if progress is not None:
                progress(rounds, len(waiting))
    return [done[index] for index in range(len(fits))]


def _round(
    waiting: dict[int, Mixture],
    shards: Sequence[Sequence[Shard]],
    each: Each,
    e_step: EStep,
) -> dict[int, Statistics]:
    """The statistics of every waiting mixture over its shards, each sum in shard order."""
    tasks = [(index, mixture, shard) for index, mixture in waiting.items() for shard in shards[index]]

    def one(task: tuple[int, Mixture, Shard]) -> Statistics:
        _, mixture, shard = task
        return e_step(mixture, shard.load(), shard.weights)

    totals: dict[int, Statistics] = {}
    for (index, _, _), statistics in zip(tasks, each(one, tasks), strict=True):
        totals[index] = totals[index] + statistics if index in totals else statistics
    return totals
