"""Accelerated EM: expectation maximisation with momentum, as a fit that ``run`` drives like plain EM.

An EM step goes from a mixture to the next; far from the optimum, and where components overlap, many steps go the
same way. Here each step is followed by a share of the way from the outcome of the step before to that of this one:

    ahead = step + t / (t + 2) * (step - step before),    t = 0, 1, 2, ...

with weights and covariances in logs, so that whatever comes out is a mixture. Where ``ahead`` is less likely than
the mixture that the step was taken from, it is dropped: the plain step is taken, and t begins again from 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.covariance import Covariance, Regulariser
from gmmaudio.gmm.em import Em, Fit, Fitting, maximise, reseed
from gmmaudio.gmm.mixture import Mixture

Floats = NDArray[np.float64]


def accelerated_em(start: Mixture, settings: Em, spread: Floats) -> Fitting:
    """Expectation maximisation with momentum; takes and gives what ``em`` does.

    The likelihood never falls: ``log_likelihood`` has one entry for each E-step, that of the best mixture so far, so
    that its length is the cost, dropped steps included; and the best mixture is what comes out. (Where
    ``regulariser.add`` is large, the last M-step may still lose a little, as any of plain EM's may.) A re-seeding of
    starved components may cost at first; the next one has to wait until it has paid. The fit has converged when a
    plain EM step gains less than the tolerance.

    Parameters
    ----------
    start : Mixture
    settings : Em
    spread : (d,)
        The columns' global variances, for the relative floor.

    References
    ----------
    Nesterov (1983), A method of solving a convex programming problem with convergence rate O(1/k^2).
    O'Donoghue and Candes (2015), Adaptive restart for accelerated gradient schemes.
    Varadhan and Roland (2008), Simple and globally convergent methods for accelerating the convergence of any EM
    algorithm: SQUAREM, which took half as many E-steps again on MFCC frames (benchmarks/starts.py).

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> from gmmaudio.gmm.em import run
    >>> from gmmaudio.gmm.shards import cut
    >>> frames = np.random.default_rng(0).standard_normal((1000, 1))
    >>> start = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), Diagonal(np.ones((2, 1))))
    >>> (fit,) = run([accelerated_em(start, Em(), frames.var(axis=0))], [cut(frames)])
    >>> fit.converged, bool((np.diff(fit.log_likelihood) >= 0).all())
    (True, True)
    """
    least_gain, regulariser = max(settings.tolerance, 0.0), settings.regulariser
    statistics = yield start
    mixture, best, before, likelihood = start, start, start, statistics.mean_log_likelihood
    history, seeded_at, streak, reseeded, converged = [likelihood], -np.inf, 0, 0, False
    while len(history) < settings.iterations and not converged:
        starved_below = settings.min_occupancy if history[-1] - seeded_at > least_gain else 0.0
        step, moved = reseed(maximise(statistics, regulariser, spread), statistics.occupancy, starved_below)
        plain = streak == 0 or moved > 0
        trial = step if plain else ahead(step, before, streak / (streak + 2), regulariser, spread)
        seen = yield trial
        gain = seen.mean_log_likelihood - likelihood
        if moved:
            seeded_at, reseeded = history[-1], reseeded + moved
        if gain >= 0 or moved:
            mixture, statistics, likelihood = trial, seen, seen.mean_log_likelihood
        if likelihood >= history[-1]:
            best = mixture
        history.append(max(likelihood, history[-1]))
        converged = plain and not moved and gain < least_gain
        before, streak = step, streak + 1 if gain >= least_gain else 0
    if likelihood == history[-1] and not converged:
        best = maximise(statistics, regulariser, spread)
    return Fit(best, tuple(history), converged, best.covariance.floored(regulariser, spread), reseeded)


def ahead(step: Mixture, before: Mixture, share: float, regulariser: Regulariser, spread: Floats) -> Mixture:
    """The mixture a share of the way from ``before`` to ``step`` beyond ``step``, within the regulariser's bounds."""
    weights = step.weights * (step.weights / before.weights) ** share
    means = step.means + share * (step.means - before.means)
    covariance = step.covariance.beyond(before.covariance, share)  # type: ignore[arg-type]
    return Mixture(weights / weights.sum(), means, bounded(covariance, step.components, regulariser, spread))


def bounded(covariance: Covariance, components: int, regulariser: Regulariser, spread: Floats) -> Covariance:
    """Covariances no smaller than the M-step would let them be."""
    ones, zeros = np.ones(components), np.zeros((components, len(spread)))
    bounds = replace(regulariser, add=0.0, floor=max(regulariser.floor, regulariser.add))
    return covariance.estimate(ones, zeros, covariance.moments(ones, zeros), bounds, spread)
