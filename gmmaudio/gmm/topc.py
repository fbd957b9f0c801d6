"""Top-C scoring: mixtures adapted from one background, evaluated only where the background is high.

Adaptation keeps the order of the components, so where a background component is far from a frame, its adapted
versions mostly are, too. Per frame the C best background components are found, and only their versions in each mixture
are evaluated (Reynolds, Quatieri and Dunn 2000, section 3.3). What the others are worth is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.best import TOP_C, best_components, check_c
from gmmaudio.gmm.evaluation import Evaluation
from gmmaudio.gmm.mixture import Mixture, as_frames, refuse_non_finite

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]

FOLLOWED = 64  # of so many components of a mixture one, those that moved farthest, is always evaluated
NOTHING = -1e30  # the logarithm of a density that is not counted: finite, so that no product is undefined
GROUP = 8  # frames of one component that are evaluated together


@dataclass(frozen=True, eq=False)
class TopC:
    """Mixtures that are compared with their background, evaluated at its C best components.

    Let b_k(x) = w_k N(x; m_k, v_k) be the background's components, a_jk(x) those of mixture j, and C(x) the C
    components with the largest b_k(x). Mixture j is taken as

        p_j(x) = sum over k in C(x) or F_j of a_jk(x)  +  sum over the other k of g_jk b_k(x)

    and the background as all of its components. The components in C(x) are those of Reynolds, Quatieri and Dunn, who
    leave out the others. What follows is ours.

    - Where adaptation has moved or narrowed the components chosen away from a frame, they alone would leave it to next
      to nothing. But the mixture has other components there, and what they hold in the background is known, since all
      of it is evaluated to choose. They count g_jk times that: g_jk = exp E[log a_jk / b_k] over frames of the
      background's component, which is (w_jk / w_k) exp(-KL(background's || adapted)), and 1 if nothing was adapted.
    - A component that moved far can be high where it was not among the best in the background. F_j are, of each
      mixture, the one component in 64 with the largest E[log a_jk / b_k] over frames of the adapted component. These
      are always evaluated.

    Where all components are chosen, the ratio of a mixture and the background is exact; that of a mixture that is the
    background is 0 for every C.

    Parameters
    ----------
    background : Mixture
        Of kind diag or spherical.
    mixtures : tuple of Mixture
        Adapted from the background: of its kind, with its components in its order.
    c : int, default 5
        Components per frame, from 1 to all. More cost more and come nearer to the exact ratio.

    Raises
    ------
    DataError
        ``bad_setting``, ``not_adapted``.

    References
    ----------
    Reynolds, Quatieri and Dunn (2000), Speaker verification using adapted Gaussian mixture models, section 3.3.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> at = lambda *means: Mixture(np.full(2, 0.5), np.array(means)[:, None], Diagonal(np.ones((2, 1))))
    >>> TopC(at(0.0, 9.0), (at(-1.0, 9.0), at(1.0, 9.0)), c=1).ratios([[2.0]]).round(9)  # (2^2-3^2)/2, (2^2-1^2)/2
    array([-2.5,  1.5])
    """

    background: Mixture
    mixtures: tuple[Mixture, ...]
    c: int = TOP_C

    def __post_init__(self) -> None:
        check_c(self.background, self.c)
        kind, shape = self.background.covariance.kind, self.background.means.shape
        if kind not in ("diag", "spherical"):  # whose design does not depend on the covariances
            raise DataError("bad_setting", f"top-C scoring is for diag and spherical covariances, got {kind}")
        for index, mixture in enumerate(self.mixtures):
            if mixture.covariance.kind != kind or mixture.means.shape != shape:
                raise DataError(
                    "not_adapted",
                    f"mixture {index} has {mixture.means.shape} means and {mixture.covariance.kind} covariances, the"
                    f" background {shape} and {kind}",
                    "adapt every mixture from this background",
                )

    def ratios(self, frames: ArrayLike) -> Floats:
        """Mean log-likelihood ratios of one clip in nats per frame: (n, d) to (mixtures,), n at least 1.

        The clip's frames are never mixed with another's, so the ratios have the same bits alone and among many.

        Raises
        ------
        DataError
            ``too_few_frames``, ``bad_shape``, ``non_finite``, ``not_numeric``.
        """
        values = as_frames(frames, self.background.dimension)
        if len(values) == 0:
            raise DataError("too_few_frames", "a score needs at least one frame")
        refuse_non_finite(values)
        ready = self._ready[values.dtype.type]
        totals = np.zeros(len(self.mixtures))
        for chosen in best_components(self.background, ready.background, values, self.c):
            own, rest = chosen.joint[:, :, None], _rest(chosen.others, ready.shares)
            evaluated = _at(chosen.components, chosen.design.take(ready.columns, axis=1), ready.table)
            evaluated += own
            followed = chosen.design @ ready.far - chosen.best[:, None]
            followed = followed.reshape(len(followed), ready.followed, len(totals)).transpose(1, 0, 2)
            ratio = _together(evaluated, followed, rest[None, :, 1:]) - _together(own, rest[None, :, :1])
            totals += ratio.sum(axis=0, dtype=np.float64)
        return np.where(ready.adapted, totals / len(values), 0.0)

    @cached_property
    def _ready(self) -> dict[Any, _Ready]:
        """Made ready once for frames of either precision."""
        return {dtype: _make_ready(self, dtype) for dtype in (np.float32, np.float64)}


@dataclass(frozen=True, eq=False)
class _Ready:
    """A background and its mixtures, made ready for frames of one precision. Log densities are linear in the design.

    Parameters
    ----------
    background : Evaluation
    adapted : (mixtures,)
        Which differ from the background at all.
    columns : (m,)
        The columns of the design in which any mixture differs: where only means were adapted, x and one, not x*x.
    table : (k, m, mixtures)
        How the log density of each component differs from the background's; NOTHING where it is followed.
    followed : int
        How many components of each mixture are.
    far : (width, followed * mixtures)
        Their log densities.
    shares : (k, 1 + mixtures)
        What a component that is not evaluated counts for in the background, 1, and in each mixture.
    """

    background: Evaluation
    adapted: NDArray[np.bool_]
    columns: Indices
    table: Real
    followed: int
    far: Real
    shares: Real


def _make_ready(family: TopC, dtype: Any) -> _Ready:
    background, mixtures = family.background, family.mixtures
    ready, centre, each = background.ready(dtype), background.centre, np.arange(len(mixtures))
    base, own = _coefficients(background, centre), [_coefficients(mixture, centre) for mixture in mixtures]
    table = np.stack(own, axis=2) - base[:, :, None]
    adapted = np.asarray(table.any(axis=(0, 1)))
    shares = np.exp(np.einsum("kw,kwj->kj", _mean_design(background, centre), table))
    reach = np.stack([(_mean_design(mixtures[j], centre) * table[:, :, j]).sum(axis=1) for j in each])
    followed = np.argsort(-reach, axis=1, kind="stable")[:, : len(table) // FOLLOWED].T  # (f, mixtures)
    far = np.zeros((followed.size, ready.width))
    far[:, : table.shape[1]] = np.stack(own)[each, followed].reshape(followed.size, table.shape[1])
    shares[followed, each], table[followed, :, each] = 0, 0
    table[followed, -1, each] = NOTHING
    columns = np.flatnonzero(table.any(axis=(0, 2)))
    return _Ready(
        ready,
        adapted,
        columns,
        np.ascontiguousarray(table[:, columns], dtype),
        len(followed),
        np.ascontiguousarray(far.T, dtype),
        np.column_stack([np.ones(len(table)), shares]).astype(dtype),
    )


def _coefficients(mixture: Mixture, centre: Floats) -> Floats:
    """Log weight + log density as a linear function of the design: its values (k, w) at the unit vectors."""
    ready = mixture.covariance.evaluate(mixture.weights, mixture.means - centre, np.float64)
    out = np.empty((ready.width, mixture.components))
    ready.joint(np.eye(ready.width), out, 0.0)
    return out[: _mean_design(mixture, centre).shape[1]].T


def _mean_design(mixture: Mixture, centre: Floats) -> Floats:
    """The mean of the design, without its padding, over the frames of each component: (k, w); the last is 1."""
    ones, means = np.ones(mixture.components), mixture.means - centre
    return np.column_stack([means, mixture.covariance.moments(ones, means), ones])


def _rest(others: Real, shares: Real) -> Real:
    """Log of what is not evaluated, (b, k) and (k, s) to (b, s). Overwrites the log densities."""
    with np.errstate(divide="ignore"):  # nothing is left where all components are chosen
        return np.asarray(np.log(np.exp(others, out=others) @ shares))


def _together(*parts: Real) -> Real:
    """log sum exp over the first axis of arrays (t, b, s), each with its own t, together."""
    peak = parts[0].max(axis=0)
    for part in parts[1:]:
        np.maximum(peak, part.max(axis=0, initial=-np.inf), out=peak)
    return np.asarray(peak + np.log(sum(np.exp(part - peak).sum(axis=0) for part in parts)))


def _at(components: Indices, design: Real, table: Real) -> Real:
    """The table's linear functions of each frame's components: (c, n), (n, m), (k, m, s) to (c, n, s).

    Frames that share a component are brought together in groups of one size, filled up with the first frame: one small
    product for each group, all in one call.
    """
    c, n = components.shape
    narrow = components.astype(np.min_scalar_type(len(table)))  # 16 bits are sorted by radix, five times as fast
    order = np.argsort(narrow, axis=None, kind="stable")
    counts = np.bincount(components.ravel(), minlength=len(table))
    groups = -(-counts // GROUP)
    own = np.repeat(np.arange(len(table)), groups)  # the component of each group
    empty = groups * GROUP - counts
    slots = np.arange(c * n) + np.repeat(np.cumsum(empty) - empty, counts)
    frame, slot = np.zeros(len(own) * GROUP, np.intp), np.empty(c * n, np.intp)
    frame[slots], slot[order] = order % n, slots
    grouped = design.take(frame, axis=0).reshape(len(own), GROUP, -1)
    products = np.matmul(grouped, table.take(own, axis=0)).reshape(-1, table.shape[2])
    return np.asarray(products.take(slot, axis=0).reshape(c, n, -1))
