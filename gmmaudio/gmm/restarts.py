"""Ways to begin that need EM itself: growing by splitting, and the best of several starts.

Both are fits in the form of ``em``, and end in the fit that they are given: plain or accelerated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmaudio.gmm.em import Em, Fitting, Way, em
from gmmaudio.gmm.mixture import Mixture

Floats = NDArray[np.float64]


def splitting(
    start: Mixture,
    components: int,
    settings: Em,
    spread: Floats,
    way: Way = em,
    iterations: int = 4,
    share: float = 0.2,
) -> Fitting:
    """Grow a mixture 1-2-4-... to ``components`` by splitting its heaviest components, then fit it.

    Parameters
    ----------
    start : Mixture
        Often one component: ``k_means_start(sample, 1, seed, passes=0)``.
    components : int
        How many there are to be in the end.
    settings : Em
        Of the last fit; those before it share its regulariser.
    spread : (d,)
        The columns' global variances.
    way : callable, default ``em``
        The last fit: ``em`` or ``accelerated_em``.
    iterations : int, default 4
        EM iterations at each size.
    share : float, default 0.2
        How far the halves of a component move apart to either side, in standard deviations of each column.

    References
    ----------
    Young et al. (2006), The HTK Book, section 10.6: mixture incrementing.
    """
    mixture = start
    while mixture.components < components:
        mixture = split(mixture, min(mixture.components, components - mixture.components), share)
        if mixture.components < components:
            fit = yield from em(mixture, replace(settings, iterations=iterations), spread)
            mixture = fit.mixture
    return (yield from way(mixture, settings, spread))


def split(mixture: Mixture, count: int, share: float = 0.2) -> Mixture:
    """Split the ``count`` heaviest components in two, a ``share`` of a standard deviation to either side.

    Parameters
    ----------
    mixture : Mixture
    count : int
        At most as many as there are.
    share : float, default 0.2

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> two = split(Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1)))), 1)
    >>> two.weights, two.means.ravel()
    (array([0.5, 0.5]), array([-0.2,  0.2]))
    """
    heavy = np.argsort(-mixture.weights, kind="stable")[:count]
    weights, means = mixture.weights.copy(), mixture.means.copy()
    step = share * (mixture.covariance.deviations(mixture.components) * np.ones_like(means))[heavy]
    weights[heavy] /= 2
    means[heavy] -= step
    origin = np.concatenate([np.arange(mixture.components), heavy])
    return Mixture(
        weights=np.concatenate([weights, weights[heavy]]),
        means=np.concatenate([means, means[heavy] + 2 * step]),
        covariance=mixture.covariance.take(origin),
    )


def best_of(starts: Iterable[Mixture], settings: Em, spread: Floats, way: Way = em, iterations: int = 5) -> Fitting:
    """Try each start for a few EM iterations; the most likely goes on, the others are dropped.

    Parameters
    ----------
    starts : iterable of Mixture
        At least one.
    settings : Em
        Of the last fit; the trials share its regulariser.
    spread : (d,)
        The columns' global variances.
    way : callable, default ``em``
        The last fit: ``em`` or ``accelerated_em``.
    iterations : int, default 5
        EM iterations of each trial.
    """
    trials = []
    for start in starts:
        trials.append((yield from em(start, replace(settings, iterations=iterations), spread)))
    best = max(trials, key=lambda fit: fit.log_likelihood[-1])
    return (yield from way(best.mixture, settings, spread))
