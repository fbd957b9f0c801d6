"""Scorers as named arrays and a few facts, and back, every value checked: what a model file holds of each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gmmaudio.classify.scorers import AdaptedScorer, MixtureScorer, Scorer
from gmmaudio.classify.supervector import SupervectorScorer
from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.tensors import Broken, Facts, Tensors, require, tensor

LARGEST = 1e100  # a clip's vector has length one, so that scores are not much larger than this


def pack(scorer: Scorer) -> tuple[Tensors, Facts]:
    """A scorer's arrays, and the facts that say how to read them.

    Raises
    ------
    DataError
        ``cannot_write`` for a scorer of another type.
    """
    match scorer:
        case MixtureScorer():
            kind = scorer.mixtures[0].covariance.kind
            return _labels(scorer.mixtures), {"type": "mixtures", "covariance": kind}
        case AdaptedScorer():
            arrays = {**_labels(scorer.mixtures), **_arrays("background", scorer.background)}
            return arrays, {"type": "adapted", "covariance": scorer.background.covariance.kind, "c": scorer.c}
        case SupervectorScorer():
            linear = {"linear.weights": scorer.weights, "linear.offsets": scorer.offsets}
            kind = scorer.background.covariance.kind
            return {**_arrays("background", scorer.background), **linear}, {"type": "supervector", "covariance": kind}
    raise DataError("cannot_write", f"a model file cannot hold a {type(scorer).__name__}")


def unpack(facts: object, tensors: Tensors, labels: int, dimension: int) -> Scorer:
    """The scorer of so many labels and values per frame that the facts describe, or ``Broken``."""
    found: Mapping[str, Any] = facts if isinstance(facts, dict) else {}
    name, kind = found.get("type"), found.get("covariance")
    require(isinstance(name, str) and name in _TYPES, "the scorer's type is not known")
    require(isinstance(kind, str) and kind in KINDS, "the kind of covariance is not known")
    return _TYPES[str(name)](found, tensors, labels, dimension)


def _read_mixtures(facts: Mapping[str, Any], tensors: Tensors, labels: int, dimension: int) -> Scorer:
    return MixtureScorer(
        tuple(_mixture(tensors, str(index), facts["covariance"], dimension) for index in range(labels))
    )


def _read_adapted(facts: Mapping[str, Any], tensors: Tensors, labels: int, dimension: int) -> Scorer:
    require(type(facts.get("c")) is int, "the number of best components is missing")
    background, *mixtures = (
        _mixture(tensors, name, facts["covariance"], dimension) for name in ("background", *map(str, range(labels)))
    )
    try:
        scorer = AdaptedScorer(background, tuple(mixtures), facts["c"])
    except DataError as error:
        raise Broken(error.message) from error
    with np.errstate(all="ignore"):
        ratios = scorer.score(background.means.astype(np.float32))
    require(bool(np.isfinite(ratios).all()), "the labels' mixtures are too far from the background")
    return scorer


def _read_supervector(facts: Mapping[str, Any], tensors: Tensors, labels: int, dimension: int) -> Scorer:
    require(facts["covariance"] == "diag", "the covariances of a supervector's background must be diag")
    background = _mixture(tensors, "background", "diag", dimension)
    weights = tensor(tensors, "linear.weights", np.float64, (labels, 2 * background.means.size))
    offsets = tensor(tensors, "linear.offsets", np.float64, (labels,))
    most = max(np.abs(weights).max(), np.abs(offsets).max())
    require(most < LARGEST, "tensors linear.weights and linear.offsets are out of range")
    return SupervectorScorer(background, weights, offsets)


def _labels(mixtures: tuple[Mixture, ...]) -> Tensors:
    arrays: Tensors = {}
    for index, mixture in enumerate(mixtures):
        arrays |= _arrays(str(index), mixture)
    return arrays


def _arrays(name: str, mixture: Mixture) -> Tensors:
    return {
        f"{name}.weights": mixture.weights,
        f"{name}.means": mixture.means,
        f"{name}.covariance": mixture.covariance.array,
    }


def _mixture(tensors: Tensors, name: str, kind: str, dimension: int) -> Mixture:
    weights = tensor(tensors, f"{name}.weights", np.float64, (None,))
    means = tensor(tensors, f"{name}.means", np.float64, (len(weights), dimension))
    shape = KINDS[kind].shape(len(weights), dimension)
    covariance = tensor(tensors, f"{name}.covariance", np.float64, shape)
    require(len(weights) > 0 and bool((weights > 0).all()), f"tensor {name}.weights must be positive")
    require(abs(float(weights.sum()) - 1) < 1e-4, f"tensor {name}.weights does not sum to 1")
    mixture = Mixture(weights, means, KINDS[kind](covariance))
    with np.errstate(all="ignore"):
        try:
            density = mixture.log_density(means.astype(np.float32))
        except (np.linalg.LinAlgError, DataError) as error:
            raise Broken(f"tensor {name}.covariance is not positive definite, or the means are out of range") from error
    require(bool(np.isfinite(density).all()), f"tensors {name}.means and {name}.covariance are out of range")
    return mixture


_TYPES: dict[str, Callable[[Mapping[str, Any], Tensors, int, int], Scorer]] = {
    "mixtures": _read_mixtures,
    "adapted": _read_adapted,
    "supervector": _read_supervector,
}
