"""The components of a mixture that contribute most to each frame's density."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError
from gmmaudio.gmm.evaluation import Evaluation
from gmmaudio.gmm.mixture import Mixture, as_frames, refuse_non_finite

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
    check_c(background, c)
    values = as_frames(frames, background.dimension)
    refuse_non_finite(values)
    chosen = np.empty((len(values), c), np.intp)
    for block in best_components(background, background.ready(values.dtype.type), values, c):
        chosen[block.rows] = block.components.T
    return chosen


def check_c(background: Mixture, c: int) -> None:
    """Raise ``bad_setting`` for a number of components that cannot be chosen."""
    if not 1 <= c <= background.components:
        raise DataError("bad_setting", f"the {c} best components; from 1 to {background.components} are possible")


@dataclass(frozen=True, eq=False)
class Chosen:
    """The c best components of each of b frames. Log densities, weighted, are less that of the frame's best.

    Parameters
    ----------
    rows : slice
        Which frames.
    design : (b, width)
    components : (c, b)
        The best first.
    best : (b,)
        Log weight + log density of the best.
    joint : (c, b)
        Log densities of the components chosen.
    others : (b, k)
        Log densities of all the others; minus infinity where a component is chosen.
    """

    rows: slice
    design: Real
    components: Indices
    best: Real
    joint: Real
    others: Real


def best_components(mixture: Mixture, ready: Evaluation, frames: Real, c: int) -> Iterator[Chosen]:
    """Walk through checked frames in blocks.

    A frame's log densities are neighbours, so that c passes of argmax cost little. One argpartition costs more.
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
        components, values = _largest(joint, c)
        joint -= values[0][:, None]
        yield Chosen(slice(start, start + len(block)), design, components, values[0], values - values[0], joint)


def _largest(joint: Real, c: int) -> tuple[Indices, Real]:
    """Columns and values (c, n) of the c largest in each row of (n, k), where they become minus infinity."""
    rows = np.arange(len(joint))
    components = np.empty((c, len(joint)), np.intp)
    values = np.empty((c, len(joint)), joint.dtype)
    for rank in range(c):
        components[rank] = joint.argmax(axis=1)
        values[rank] = joint[rows, components[rank]]
        joint[rows, components[rank]] = -np.inf
    return components, values
