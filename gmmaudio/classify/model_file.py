"""A classifier as one .safetensors file, and back.

A file from a stranger runs no code and is checked whole before use: its header in ``gmmaudio.tensors``, every value
here.

Layout, format version 1::

    0.weights (k,), 0.means (k, d), 0.covariance     float64, of the first label; 1.weights ... of the next
    clip_hashes, group_hashes (n, 32) uint8          SHA-256 of the training clips' samples and of the names of their
                                                     groups, each sorted
    metadata "gmmaudio"                              {"format_version", "labels", "scorer": {"type", "covariance"},
                                                     "front_end", "training"}
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.errors import DataError, ModelError
from gmmaudio.features.frontend import front_end_from
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.tensors import Broken, Tensors, read, read_file, require, tensor, write, write_file

FORMAT_VERSION = 1
MAX_LABELS = 100_000


def save(classifier: Classifier, path: str | PathLike[str]) -> None:
    """Write a classifier to one file, atomically: a reader sees the old file or the new one, never half.

    Raises
    ------
    DataError
        ``cannot_write`` when the folder is missing, full or not writable.
    """
    data = to_bytes(classifier)
    from_bytes(data, str(path))  # what cannot be read back must not replace what can
    write_file(path, data)


def load(path: str | PathLike[str]) -> Classifier:
    """Read a classifier, ready to score paths or arrays.

    Raises
    ------
    ModelError
        ``no_such_file``, ``not_a_gmmaudio_model``, ``invalid_model`` (naming the tensor), ``version_mismatch``.

    Examples
    --------
    >>> load("model.safetensors").labels            # doctest: +SKIP
    ('cat', 'dog')
    """
    return from_bytes(read_file(path, "train one with: gmmaudio train"), str(path))


def to_bytes(classifier: Classifier) -> bytes:
    """The file's bytes; the same for the same classifier."""
    scorer = classifier.scorer
    if not isinstance(scorer, MixtureScorer):
        raise DataError("cannot_write", f"a model file cannot hold a {type(scorer).__name__}")
    tensors: Tensors = {"clip_hashes": classifier.clip_hashes, "group_hashes": classifier.group_hashes}
    for index, mixture in enumerate(scorer.mixtures):
        tensors[f"{index}.weights"] = mixture.weights
        tensors[f"{index}.means"] = mixture.means
        tensors[f"{index}.covariance"] = mixture.covariance.array
    facts = {
        "format_version": FORMAT_VERSION,
        "labels": list(classifier.labels),
        "scorer": {"type": "mixtures", "covariance": scorer.mixtures[0].covariance.kind},
        "front_end": classifier.front_end.as_dict(),
        "training": dict(classifier.training),
    }
    return write(tensors, facts)


def from_bytes(data: bytes, name: str) -> Classifier:
    """The classifier in a file's bytes; ``name`` is what errors call it."""
    tensors, facts = read(data, name, FORMAT_VERSION)
    try:
        return _classifier(facts, tensors)
    except Broken as broken:
        raise ModelError("invalid_model", f"{name}: {broken}", "the file is damaged; train it again") from broken
    except DataError as error:
        raise ModelError("invalid_model", f"{name}: front end: {error.message}", error.hint) from error


def _classifier(facts: Mapping[str, Any], tensors: Tensors) -> Classifier:
    labels = facts.get("labels")
    require(
        isinstance(labels, list)
        and 1 <= len(labels) <= MAX_LABELS
        and all(isinstance(label, str) and label for label in labels)
        and len(set(labels)) == len(labels),
        "labels must be distinct names",
    )
    front_end_facts, training = facts.get("front_end"), facts.get("training")
    require(isinstance(front_end_facts, dict), "the front end is missing")
    require(isinstance(training, dict), "the training facts are missing")
    front_end = front_end_from(front_end_facts)  # type: ignore[arg-type]
    mixtures = _mixtures(facts.get("scorer"), tensors, len(labels), front_end.dimension)  # type: ignore[arg-type]
    clips, groups = (tensor(tensors, f"{name}_hashes", np.uint8, (None, 32)) for name in ("clip", "group"))
    return Classifier(tuple(labels), MixtureScorer(mixtures), front_end, clips, groups, training)  # type: ignore[arg-type]


def _mixtures(scorer: object, tensors: Tensors, labels: int, dimension: int) -> tuple[Mixture, ...]:
    facts = scorer if isinstance(scorer, dict) else {}
    require(facts.get("type") == "mixtures", "the scorer's type is not known")
    kind = facts.get("covariance")
    require(isinstance(kind, str) and kind in KINDS, "the kind of covariance is not known")
    return tuple(_mixture(tensors, str(index), str(kind), dimension) for index in range(labels))


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
