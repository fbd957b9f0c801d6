"""Top-C scoring: mixtures adapted from one background, evaluated only where the background is high.

Adaptation keeps the order of the components, so where a background component is far from a frame, its adapted
versions are, too. Per frame the C best background components are found, and only their versions in each mixture are
evaluated (Reynolds, Quatieri and Dunn 2000, section 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.evaluation import Evaluation
from gmmaudio.gmm.mixture import Mixture, as_frames, refuse_non_finite

Floats = NDArray[np.float64]
Real = NDArray[np.floating]
Indices = NDArray[np.intp]

BLOCK = 1024  # frames per block: with 512 components their log densities take 2 MB
TOP_C = 5


def top_components(background: Mixture, frames: ArrayLike, c: int = TOP_C) -> Indices:
    """The components that contribute most to each frame's density, the best first: (n, d) to (n, c).

    Parameters
    ----------
    background : Mixture
        Of any kind of covariance.
    frames : (n, d)
    c : int, default 5
        From 1 to the number of components.

    Raises
    ------
    DataError
        ``bad_setting`` for another c; ``bad_shape``, ``non_finite``, ``not_numeric``.

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> three = Mixture(np.full(3, 1 / 3), np.array([[0.0], [5.0], [9.0]]), Diagonal(np.ones((3, 1))))
    >>> top_components(three, [[6.0], [-3.0]], c=2)
    array([[1, 2], [0, 1]])
    """
    _check_c(background, c)
    values = as_frames(frames, background.dimension)
    refuse_non_finite(values)
    chosen = np.empty((len(values), c), np.intp)
    for rows, _, components, _ in _best(background, background.ready(values.dtype.type), values, c):
        chosen[rows] = components.T
    return chosen


@dataclass(frozen=True, eq=False)
class TopC:
    """Mixtures that are scored at the C best components of a background.

    Parameters
    ----------
    background : Mixture
        Of kind diag or spherical.
    mixtures : tuple of Mixture
        Adapted from the background: of its kind, with its components in its order. The background itself may be
        among them: a log-likelihood ratio is a mixture's score less the background's.
    c : int, default 5
        Components per frame, from 1 to all. More cost more and come nearer to the full score, always from below.

    Raises
    ------
    DataError
        ``bad_setting``, ``not_adapted``.

    Examples
    --------
    >>> from gmmaudio.gmm.adapt import adapt
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> from gmmaudio.gmm.statistics import accumulate
    >>> background = Mixture(np.full(2, 0.5), np.array([[0.0], [9.0]]), Diagonal(np.ones((2, 1))))
    >>> low, high = (adapt(background, accumulate(background, np.full((16, 1), x))) for x in (-1.0, 1.0))
    >>> TopC(background, (low, high), c=1).score(np.array([[0.5]])).round(3)  # -1/2 and 0, less log 2 sqrt(2 pi)
    array([-2.112, -1.612])
    """

    background: Mixture
    mixtures: tuple[Mixture, ...]
    c: int = TOP_C

    def __post_init__(self) -> None:
        _check_c(self.background, self.c)
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

    def score(self, frames: ArrayLike) -> Floats:
        """Mean log-likelihood of one clip's frames in nats per frame: (n, d) to (mixtures,), n at least 1.

        The clip's frames are never mixed with another's, so the score has the same bits alone and among many.

        Raises
        ------
        DataError
            ``too_few_frames``, ``bad_shape``, ``non_finite``, ``not_numeric``.
        """
        values = as_frames(frames, self.background.dimension)
        if len(values) == 0:
            raise DataError("too_few_frames", "a score needs at least one frame")
        refuse_non_finite(values)
        differences = self._differences[values.dtype.type]
        totals = np.zeros(len(self.mixtures))
        for _, design, components, joint in _best(self.background, differences.background, values, self.c):
            each = _at(components, design[:, differences.columns], differences.table)
            each += joint[:, :, None]
            peak = each.max(axis=0)
            density = peak + np.log(np.exp(each - peak).sum(axis=0))
            totals += density.sum(axis=0, dtype=np.float64)
        return totals / len(values)

    @cached_property
    def _differences(self) -> dict[Any, _Differences]:
        """Made ready once for frames of either precision."""
        return {dtype: _differences(self.background, self.mixtures, dtype) for dtype in (np.float32, np.float64)}


@dataclass(frozen=True, eq=False)
class _Differences:
    """How each component of each mixture differs from the background's: log densities, linear in the design.

    Parameters
    ----------
    background : Evaluation
    columns : (m,)
        The columns of the design in which any mixture differs: where only means were adapted, x and one, not x*x.
    table : (k, m, mixtures)
    """

    background: Evaluation
    columns: Indices
    table: Real


def _differences(background: Mixture, mixtures: Sequence[Mixture], dtype: Any) -> _Differences:
    base = _coefficients(background, background.centre)
    table = np.stack([_coefficients(mixture, background.centre) - base for mixture in mixtures], axis=2)
    columns = np.flatnonzero(table.any(axis=(0, 2)))
    return _Differences(background.ready(dtype), columns, np.ascontiguousarray(table[:, columns], dtype))


def _coefficients(mixture: Mixture, centre: Floats) -> Floats:
    """Log weight + log density as a linear function of the design: its values (k, width) at the unit vectors."""
    ready = mixture.covariance.evaluate(mixture.weights, mixture.means - centre, np.float64)
    out = np.empty((ready.width, mixture.components))
    ready.joint(np.eye(ready.width), out, 0.0)
    return out.T


def _best(mixture: Mixture, ready: Evaluation, frames: Real, c: int) -> Iterator[tuple[slice, Real, Indices, Real]]:
    """Walk through checked frames in blocks, with the c best components of each.

    A frame's log densities are neighbours, so that c passes of argmax cost little. One argpartition costs ten times
    as much.

    Yields
    ------
    rows : slice
    design : (b, width)
    components : (c, b)
        The best first.
    joint : (c, b)
        Their log weight + log density.
    """
    centre = mixture.centre.astype(frames.dtype)
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        design = np.zeros((len(block), ready.width), frames.dtype)
        centred = block - centre
        design[:, : mixture.dimension] = centred
        ready.complete(design, centred)
        joint = np.empty((len(block), mixture.components), frames.dtype)
        ready.joint(design, joint, 0.0)
        yield slice(start, start + len(block)), design, *_largest(joint, c)


def _largest(joint: Real, c: int) -> tuple[Indices, Real]:
    """Columns and values (c, n) of the c largest in each row of (n, k), which is overwritten."""
    rows = np.arange(len(joint))
    components = np.empty((c, len(joint)), np.intp)
    values = np.empty((c, len(joint)), joint.dtype)
    for rank in range(c):
        components[rank] = joint.argmax(axis=1)
        values[rank] = joint[rows, components[rank]]
        joint[rows, components[rank]] = -np.inf
    return components, values


def _at(components: Indices, design: Real, table: Real) -> Real:
    """The table's linear functions of each frame's components: (c, n), (n, m), (k, m, s) to (c, n, s).

    Frames that share a component are brought together, one small product for each component: each frame is then
    copied c times, and no row of the table at all.
    """
    c, n = components.shape
    narrow = components.astype(np.min_scalar_type(len(table)))  # 16 bits are sorted by radix, five times as fast
    order = np.argsort(narrow, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(components.ravel(), minlength=len(table))).tolist()
    gathered = design[order % n]
    products = np.empty((c * n, table.shape[2]), design.dtype)
    start = 0
    for component, end in enumerate(ends):
        if end > start:
            np.matmul(gathered[start:end], table[component], out=products[start:end])
        start = end
    values = np.empty_like(products)
    values[order] = products
    return values.reshape(c, n, -1)


def _check_c(background: Mixture, c: int) -> None:
    if not 1 <= c <= background.components:
        raise DataError("bad_setting", f"the {c} best components; from 1 to {background.components} are possible")
