"""How many components: a range of them is fitted side by side, and a criterion says which number to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.em import Em, Fit, Fitting, fit_from, run
from gmmaudio.gmm.mixture import Mixture, as_frames, refuse_non_finite
from gmmaudio.gmm.shards import Shard, bounds, cut, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.parallel import map_in_order, one_blas_thread

Real = NDArray[np.floating]
Mask = NDArray[np.bool_]

CRITERIA = {
    "bic": "the Bayesian information criterion",
    "aic": "Akaike's information criterion",
    "held-out": "the log-likelihood of held-out frames",
}
HELD_OUT = 0.2  # the share of groups that is held out


@dataclass(frozen=True, eq=False)
class Candidate:
    """One number of components, and how it did.

    Parameters
    ----------
    components : int
    fit : Fit
        On all frames.
    parameters : int
        Free parameters.
    log_likelihood : float
        Of all frames under that fit, in nats per frame.
    bic, aic : float
        Lower is better.
    held_out : float or None
        Log-likelihood of the held-out frames under a fit on the others, in nats per frame; higher is better. None
        unless it was the criterion.
    """

    components: int
    fit: Fit
    parameters: int
    log_likelihood: float
    bic: float
    aic: float
    held_out: float | None = None

    def cost(self, criterion: str) -> float:
        """What the criterion makes of it; lower is better."""
        costs = {"bic": self.bic, "aic": self.aic}
        if self.held_out is not None:
            costs["held-out"] = -self.held_out
        return costs[criterion]


@dataclass(frozen=True, eq=False)
class Choice:
    """The candidates, and which to take.

    Parameters
    ----------
    candidates : tuple of Candidate
        In the order asked for.
    criterion : str
    chosen : Candidate
    why : str
        In words.
    """

    candidates: tuple[Candidate, ...]
    criterion: str
    chosen: Candidate
    why: str

    def __str__(self) -> str:
        """A table of the candidates, and why."""
        head = "components  parameters  log-likelihood             BIC             AIC    held out"
        rows = [
            f"{row.components:10}  {row.parameters:10}  {row.log_likelihood:14.4f}  {row.bic:14.1f}  {row.aic:14.1f}"
            + ("           -" if row.held_out is None else f"  {row.held_out:10.4f}")
            + (" *" if row is self.chosen else "")
            for row in self.candidates
        ]
        return "\n".join([head, *rows, self.why])


def bic(log_likelihood: float, parameters: int, frames: float) -> float:
    """The Bayesian information criterion, -2 log L + p log n; lower is better.

    Parameters
    ----------
    log_likelihood : float
        Sum over all frames, in nats.
    parameters : int
        Free parameters p.
    frames : float
        Number of frames n.

    References
    ----------
    Schwarz (1978), Estimating the dimension of a model.

    Examples
    --------
    >>> round(bic(-100.0, 3, 50), 3)
    211.736
    """
    return float(-2 * log_likelihood + parameters * np.log(frames))


def aic(log_likelihood: float, parameters: int) -> float:
    """Akaike's information criterion, -2 log L + 2 p; lower is better. The parameters are those of ``bic``.

    References
    ----------
    Akaike (1974), A new look at the statistical model identification.

    Examples
    --------
    >>> aic(-100.0, 3)
    206.0
    """
    return -2 * log_likelihood + 2 * parameters


def choose_components(
    frames: ArrayLike,
    components: Sequence[int],
    criterion: str = "bic",
    kind: str = "diag",
    groups: ArrayLike | None = None,
    seed: int = 0,
    jobs: int = 1,
    *,
    em: Em | None = None,
) -> Choice:
    """Fit a range of numbers of components and choose one.

    BIC and AIC take frames to be independent. Those of audio are not: windows overlap and deltas share them, so both
    favour more components than new clips will bear out. "held-out" with the clips or speakers as groups does not.

    Parameters
    ----------
    frames : (n, d) float32 or float64
        Also a memory map.
    components : sequence of int
        The numbers to be tried, such as ``range(1, 9)``.
    criterion : str, default "bic"
        "bic", "aic" or "held-out". The last fits twice as much: once on all frames, once without a fifth of the
        groups, which the fit is then judged by.
    kind : str, default "diag"
        The kind of covariance.
    groups : (n,), optional
        For "held-out": the clip, speaker or artist that each frame belongs to; frames of one group are never on
        both sides. Default: every frame is a group of its own.
    seed : int, default 0
        Of the starts and of the groups that are held out.
    jobs : int, default 1
        Threads; the choice has the same bits for any number.
    em : Em, optional
        How EM is run.

    Raises
    ------
    DataError
        ``bad_setting`` (no numbers, one below 1, an unknown criterion, groups that do not fit the frames),
        ``too_few_frames``, ``too_few_groups``, ``bad_shape``, ``non_finite``, ``not_numeric``.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> frames = generator.standard_normal((600, 2)) + np.repeat([[0.0], [9.0], [18.0]], 200, axis=0)
    >>> choice = choose_components(frames, range(1, 6))
    >>> choice.chosen.components, choice.why.split(":")[0]
    (3, 'the Bayesian information criterion is best with 3 components')
    """
    _check(components, criterion)
    values = as_frames(frames, np.shape(frames)[-1] if np.ndim(frames) else 0)
    refuse_non_finite(values)

    def fits(shards: Sequence[Shard]) -> list[Fit]:
        starts = [_fit(shards, k, kind, np.random.default_rng([seed, k]), em or Em()) for k in components]
        return run(starts, [shards] * len(components), jobs)

    held: list[float | None] = [None] * len(components)
    if criterion == "held-out":
        apart = hold_out(np.arange(len(values)) if groups is None else groups, len(values), seed)
        outside = _selected(values, apart)
        held = [_mean_log_likelihood(fit.mixture, outside, jobs) for fit in fits(_selected(values, ~apart))]
    everything = cut(values)
    candidates = [
        _candidate(fit, _mean_log_likelihood(fit.mixture, everything, jobs), len(values), value)
        for fit, value in zip(fits(everything), held, strict=True)
    ]
    return _choice(candidates, criterion)


def hold_out(groups: ArrayLike, n: int, seed: int) -> Mask:
    """A mask (n,) of the frames of a fifth of the groups, at least one, drawn at random."""
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if members.shape != (n,):
        raise DataError("bad_setting", f"groups must have shape ({n},), got {members.shape}")
    if len(names) < 2:
        raise DataError("too_few_groups", "held-out frames need at least 2 groups", 'give no groups, or use "bic"')
    count = max(1, round(HELD_OUT * len(names)))
    drawn = np.random.default_rng([seed, 0]).choice(len(names), size=count, replace=False)
    return np.asarray(np.isin(members, drawn))


def _check(components: Sequence[int], criterion: str) -> None:
    if len(components) == 0 or min(components) < 1 or len(set(components)) < len(components):
        raise DataError("bad_setting", f"numbers of components must be distinct and at least 1, got {components}")
    if criterion not in CRITERIA:
        raise DataError("bad_setting", f"criterion {criterion!r}, known are {', '.join(CRITERIA)}")


def _fit(shards: Sequence[Shard], components: int, kind: str, generator: np.random.Generator, em: Em) -> Fitting:
    sample = sample_frames(shards, sample_size(components), generator)
    return fit_from(sample, lambda some: k_means_start(some, components, generator, kind=kind), em)


def _selected(frames: Real, mask: Mask) -> list[Shard]:
    """Shards of the frames that a mask selects, each gathered when it is read: the data are not copied."""
    rows = np.flatnonzero(mask)
    return [Shard(partial(np.take, frames, rows[a:b], axis=0)) for a, b in bounds(len(rows))]


def _mean_log_likelihood(mixture: Mixture, shards: Sequence[Shard], jobs: int) -> float:
    """Nats per frame. The history of a fit that did not converge ends before its last M-step, so it is taken anew."""
    with one_blas_thread():
        parts = list(map_in_order(lambda shard: mixture.log_density(shard.load()), shards, jobs))
    return float(sum(part.sum() for part in parts) / sum(map(len, parts)))


def _candidate(fit: Fit, log_likelihood: float, frames: int, held_out: float | None) -> Candidate:
    total, parameters = log_likelihood * frames, fit.mixture.parameters
    return Candidate(
        components=fit.mixture.components,
        fit=fit,
        parameters=parameters,
        log_likelihood=log_likelihood,
        bic=bic(total, parameters, frames),
        aic=aic(total, parameters),
        held_out=held_out,
    )


def _choice(candidates: Sequence[Candidate], criterion: str) -> Choice:
    ranked = sorted(candidates, key=lambda row: (row.cost(criterion), row.components))
    best = ranked[0]
    why = f"{CRITERIA[criterion]} is best with {best.components} component{'s' * (best.components > 1)}"
    if len(ranked) > 1:
        gap = ranked[1].cost(criterion) - best.cost(criterion)
        unit = "nats per frame" if criterion == "held-out" else "points"
        why += f": {ranked[1].components}, the next best, is {gap:.4g} {unit} worse"
        if best.components == max(row.components for row in candidates):
            why += "; it is the largest number tried, so more may be better still"
    return Choice(tuple(candidates), criterion, best, why)
