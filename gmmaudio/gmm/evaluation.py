"""A mixture made ready for blocks of frames: the design of a block, and log densities as products with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Real = NDArray[np.floating]

LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A mixture made ready for blocks of frames of one precision.

    Parameters
    ----------
    width : int
        Columns of the design; the first d are the centred frames.
    complete : callable
        Fills the columns of the design (n, width) after the first d; padding stays zero. Its second argument are
        the centred frames (n, d) again, in one piece, which it may overwrite.
    joint : callable
        Writes log weight + log density, less an offset in nats, (n, k) of a design (n, width) into its second
        argument; the third is the offset.
    """

    width: int
    complete: Callable[[Real, Real], None]
    joint: Callable[[Real, Real, float], None]


def product(coefficients: Floats, one: int, dtype: Any, complete: Callable[[Real, Real], None]) -> Evaluation:
    """The evaluation that is one product: the design, whose column ``one`` is 1, times coefficients (k, width)."""
    across = np.ascontiguousarray(coefficients.T, dtype)

    def joint(design: Real, out: Real, offset: float) -> None:
        factors = across
        if offset:
            factors = across.copy()
            factors[one] = coefficients[:, one] - offset
        np.matmul(design, factors, out=out)

    return Evaluation(len(across), complete, joint)


def padded(width: int) -> int:
    """The next multiple of 16: matrix products whose sides are one are markedly faster (by a seventh at 79)."""
    return -(-width // 16) * 16


def log_weights(weights: Floats) -> Floats:
    """log w, and a finite number far below any other where w is zero."""
    return np.log(np.maximum(weights, 1e-300))
