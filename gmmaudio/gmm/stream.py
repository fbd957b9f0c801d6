"""Frames that pass by only once, and statistics that outlive the process.

``Stream`` is stepwise EM: after each batch the statistics become a mixture of the old ones and the batch's, and the
M-step follows at once. ``save_statistics`` and ``load_statistics`` keep statistics in a file, so that an E-step may
be spread over machines or days and added up later.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.errors import DataError, ModelError
from gmmaudio.gmm.covariance import KINDS, Regulariser
from gmmaudio.gmm.em import EStep, maximise
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.statistics import Statistics, accumulate
from gmmaudio.tensors import Broken, Facts, Tensors, read, read_file, require, tensor, write, write_file

Floats = NDArray[np.float64]

DELAY = 2  # the first batch counts 2^-0.6 = 0.66, the start 0.34
FORMAT_VERSION = 1
FILE_TYPE = "statistics"


@dataclass(frozen=True, eq=False)
class Stream:
    """Where stepwise EM stands: a mixture, and the statistics it was made of.

    Parameters
    ----------
    mixture : Mixture
    statistics : Statistics
        Per frame: their ``frames`` is 1.
    batches : int, default 0
        Batches seen.
    frames : float, default 0
        Frames seen, or the sum of their weights.
    log_likelihood : float, default nan
        Of the latest batch, in nats per frame, before it was learnt from: how well the stream is predicted.
    """

    mixture: Mixture
    statistics: Statistics
    batches: int = 0
    frames: float = 0.0
    log_likelihood: float = float("nan")


def begin(mixture: Mixture) -> Stream:
    """A stream that starts from a mixture, say one from ``k_means_start`` on the first batch."""
    means = mixture.means - mixture.centre
    own = Statistics(
        occupancy=mixture.weights,
        first=mixture.weights[:, None] * means,
        second=mixture.covariance.moments(mixture.weights, means),
        log_likelihood=0.0,
        frames=1.0,
        centre=mixture.centre,
        kind=mixture.covariance.kind,
    )
    return Stream(mixture, own)


def absorb(
    stream: Stream,
    frames: ArrayLike,
    weights: ArrayLike | None = None,
    regulariser: Regulariser | None = None,
    exponent: float = 0.6,
    e_step: EStep = accumulate,
) -> Stream:
    """The stream after one more batch of frames: S becomes (1 - g) S + g s, with g = (batches + 2)^-exponent.

    Parameters
    ----------
    stream : Stream
    frames : (n, d)
        A batch should hold many frames per component, in random order: single frames, or one label after the
        other, make the mixture follow the latest of them.
    weights : (n,), optional
        How often each frame counts; default once.
    regulariser : Regulariser, optional
        Default a floor of 1e-3 of each column's variance, as the mixture so far has it.
    exponent : float, default 0.6
        Above 0.5 and at most 1. Smaller forgets the start sooner, and ends noisier.
    e_step : callable, default ``accumulate``
        ``missing.accumulate_missing`` for frames with gaps.

    Raises
    ------
    DataError
        ``bad_setting``, ``bad_shape``, ``non_finite``, ``not_numeric``, ``bad_weights``.

    References
    ----------
    Cappé and Moulines (2009), On-line expectation-maximization algorithm for latent data models, eq. 13 and section
    3.2; Liang and Klein (2009), Online EM for unsupervised models (batches, and the delay of 2).

    Examples
    --------
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> stream = begin(Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1)))))
    >>> absorb(stream, np.array([[1.0], [3.0]]), exponent=1.0).mixture.means  # half the start's 0, half the batch's 2
    array([[1.]])
    """
    if not 0.5 < exponent <= 1:
        raise DataError("bad_setting", f"exponent {exponent}; it must be above 0.5 and at most 1")
    batch = e_step(stream.mixture, np.asarray(frames), None if weights is None else np.asarray(weights))
    if batch.frames == 0:
        return stream
    gain = float((stream.batches + DELAY) ** -exponent)
    old = stream.statistics.about(batch.centre).scaled(1 - gain)
    statistics = old + batch.scaled(gain / batch.frames)
    mixture = maximise(statistics, regulariser or Regulariser(), _spread(stream.mixture))
    return Stream(mixture, statistics, stream.batches + 1, stream.frames + batch.frames, batch.mean_log_likelihood)


def _spread(mixture: Mixture) -> Floats:
    """The variance of each column (d,) under a mixture."""
    away = mixture.means - mixture.weights @ mixture.means
    variances = mixture.covariance.deviations(mixture.components) ** 2
    return np.asarray(mixture.weights @ (variances + away**2))


def save_statistics(path: str | PathLike[str], statistics: Statistics) -> None:
    """Write statistics to one .safetensors file, atomically.

    Statistics of one mixture over disjoint frames may be loaded and added in any process, and give the sums over
    all frames.

    Raises
    ------
    DataError
        ``cannot_write`` (also for sums that could not be read back), ``no_such_folder``, ``not_regular_file``,
        ``would_overwrite`` where a file stands that gmmaudio has not written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from gmmaudio.gmm.covariance import Diagonal
    >>> one = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    >>> with TemporaryDirectory() as folder:
    ...     save_statistics(Path(folder, "part.safetensors"), accumulate(one, np.array([[1.0], [3.0]])))
    ...     load_statistics(Path(folder, "part.safetensors")).first
    array([[4.]])
    """
    arrays = {
        "occupancy": statistics.occupancy,
        "first": statistics.first,
        "second": statistics.second,
        "centre": statistics.centre,
        "totals": np.array([statistics.log_likelihood, statistics.frames]),
    }
    facts = {"format_version": FORMAT_VERSION, "type": FILE_TYPE, "covariance": statistics.kind}
    try:
        _statistics(arrays, facts)
    except Broken as broken:
        raise DataError("cannot_write", f"these statistics cannot be saved: {broken}") from broken
    write_file(path, write(arrays, facts))


def load_statistics(path: str | PathLike[str]) -> Statistics:
    """Read statistics, every value checked; a file from a stranger runs no code.

    Raises
    ------
    ModelError
        ``no_such_file``, ``cannot_read``, ``not_a_gmmaudio_model``, ``invalid_model`` (naming the tensor),
        ``version_mismatch``.
    """
    arrays, facts = read(read_file(path, "write one with: save_statistics"), str(path), FORMAT_VERSION)
    try:
        return _statistics(arrays, facts)
    except Broken as broken:
        raise ModelError("invalid_model", f"{path}: {broken}", "the file is damaged; make it again") from broken


def _statistics(arrays: Tensors, facts: Facts) -> Statistics:
    require(facts.get("type") == FILE_TYPE, "it holds no statistics")
    kind: Any = facts.get("covariance")
    require(isinstance(kind, str) and kind in KINDS, "the kind of covariance is not known")
    first = tensor(arrays, "first", np.float64, (None, None))
    k, d = first.shape
    require(k > 0 and d > 0, f"tensor first has shape {first.shape}")
    occupancy = tensor(arrays, "occupancy", np.float64, (k,))
    log_likelihood, frames = tensor(arrays, "totals", np.float64, (2,))
    require(bool((occupancy >= 0).all()) and frames >= 0, "occupancy and frames must not be negative")
    return Statistics(
        occupancy=occupancy,
        first=first,
        second=tensor(arrays, "second", np.float64, KINDS[kind].shape(k, d)),
        log_likelihood=float(log_likelihood),
        frames=float(frames),
        centre=tensor(arrays, "centre", np.float64, (d,)),
        kind=kind,
    )
