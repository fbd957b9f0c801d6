"""A classifier as one .safetensors file, and back.

Tensors hold numbers only; one metadata key holds sorted JSON, so that two saves give the same bytes. A file from a
stranger runs no code and is checked whole before use: the header is parsed here (a repeated name would slip through
the library), every size has a cap, every value is looked at.

Layout, format version 1::

    0.weights (k,), 0.means (k, d), 0.covariance     float64, of the first label; 1.weights ... of the next
    clip_hashes (n, 32) uint8                        SHA-256 of the training clips' samples, sorted
    metadata "gmmaudio"                              {"format_version", "labels", "scorer": {"type", "covariance"},
                                                     "front_end", "training"}
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.errors import DataError, ModelError
from gmmaudio.features.frontend import front_end_from
from gmmaudio.files import write_atomically
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture

FORMAT_VERSION = 1
KEY = "gmmaudio"
MAX_BYTES = 1 << 30
MAX_HEADER = 64 << 20
MAX_LABELS = 100_000

Tensors = dict[str, NDArray[Any]]


def save(classifier: Classifier, path: str | PathLike[str]) -> None:
    """Write a classifier to one file, atomically: a reader sees the old file or the new one, never half.

    Raises
    ------
    DataError
        ``cannot_write`` when the folder is missing, full or not writable.
    """
    data = to_bytes(classifier)
    from_bytes(data, str(path))  # what cannot be read back must not replace what can
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise DataError("cannot_write", f"cannot write {path}: {error.strerror}") from error


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
    file = Path(path)
    try:
        if not file.is_file():
            raise ModelError("no_such_file", f"there is no file {path}", "train one with: gmmaudio train")
        if file.stat().st_size > MAX_BYTES:
            raise ModelError("not_a_gmmaudio_model", f"{path} is larger than {MAX_BYTES >> 20} MiB")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError("cannot_read", f"cannot read {path}: {error.strerror}") from error
    return from_bytes(data, str(path))


def to_bytes(classifier: Classifier) -> bytes:
    """The file's bytes; the same for the same classifier."""
    scorer = classifier.scorer
    if not isinstance(scorer, MixtureScorer):
        raise DataError("cannot_write", f"a model file cannot hold a {type(scorer).__name__}")
    tensors: Tensors = {"clip_hashes": classifier.clip_hashes}
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
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    # The library writes an array's buffer as it lies: Fortran order would come back scrambled.
    ordered = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return bytes(safetensors_numpy.save(ordered, metadata={KEY: text}))


def from_bytes(data: bytes, name: str) -> Classifier:
    """The classifier in a file's bytes; ``name`` is what errors call it."""
    facts = _facts(data, name)
    try:
        tensors = safetensors_numpy.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _not_a_model(name, str(error)) from error
    try:
        return _classifier(facts, tensors)
    except _Broken as broken:
        raise ModelError("invalid_model", f"{name}: {broken}", "the file is damaged; train it again") from broken
    except DataError as error:
        raise ModelError("invalid_model", f"{name}: front end: {error.message}", error.hint) from error


class _Broken(Exception):
    """What is wrong inside a file that is a model by its header."""


def _not_a_model(name: str, why: str) -> ModelError:
    return ModelError(
        "not_a_gmmaudio_model",
        f"{name} is not a gmmaudio model: {why}",
        "models are written by: gmmaudio train",
    )


def _facts(data: bytes, name: str) -> dict[str, Any]:
    """The metadata, after everything that can be checked before a tensor is touched."""
    if len(data) < 8:
        raise _not_a_model(name, f"it has {len(data)} bytes")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER, len(data) - 8):
        raise _not_a_model(name, "it does not begin like a .safetensors file")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_no_repeats)
        facts = json.loads(header["__metadata__"][KEY], object_pairs_hook=_no_repeats)
    except _Broken as broken:
        raise ModelError("invalid_model", f"{name}: {broken}") from broken
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_a_model(name, "its header holds no gmmaudio metadata") from error
    version = facts.get("format_version") if isinstance(facts, dict) else None
    if type(version) is not int:
        raise _not_a_model(name, "its metadata has no format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            "version_mismatch",
            f"{name} has format version {version}, this gmmaudio reads {FORMAT_VERSION}",
            "upgrade gmmaudio, or train the model again",
        )
    return dict(facts)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise _Broken(f"{repeated!r} stands twice in the header")
    return dict(pairs)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Broken(message)


def _classifier(facts: Mapping[str, Any], tensors: Tensors) -> Classifier:
    labels = facts.get("labels")
    _require(
        isinstance(labels, list)
        and 1 <= len(labels) <= MAX_LABELS
        and all(isinstance(label, str) and label for label in labels)
        and len(set(labels)) == len(labels),
        "labels must be distinct names",
    )
    front_end_facts, training = facts.get("front_end"), facts.get("training")
    _require(isinstance(front_end_facts, dict), "the front end is missing")
    _require(isinstance(training, dict), "the training facts are missing")
    front_end = front_end_from(front_end_facts)  # type: ignore[arg-type]
    mixtures = _mixtures(facts.get("scorer"), tensors, len(labels), front_end.dimension)  # type: ignore[arg-type]
    hashes = _tensor(tensors, "clip_hashes", np.uint8, (None, 32))
    return Classifier(tuple(labels), MixtureScorer(mixtures), front_end, hashes, training)  # type: ignore[arg-type]


def _mixtures(scorer: object, tensors: Tensors, labels: int, dimension: int) -> tuple[Mixture, ...]:
    facts = scorer if isinstance(scorer, dict) else {}
    _require(facts.get("type") == "mixtures", "the scorer's type is not known")
    kind = facts.get("covariance")
    _require(isinstance(kind, str) and kind in KINDS, "the kind of covariance is not known")
    return tuple(_mixture(tensors, str(index), str(kind), dimension) for index in range(labels))


def _mixture(tensors: Tensors, name: str, kind: str, dimension: int) -> Mixture:
    weights = _tensor(tensors, f"{name}.weights", np.float64, (None,))
    means = _tensor(tensors, f"{name}.means", np.float64, (len(weights), dimension))
    shape = KINDS[kind].shape(len(weights), dimension)
    covariance = _tensor(tensors, f"{name}.covariance", np.float64, shape)
    _require(len(weights) > 0 and bool((weights > 0).all()), f"tensor {name}.weights must be positive")
    _require(abs(float(weights.sum()) - 1) < 1e-4, f"tensor {name}.weights does not sum to 1")
    mixture = Mixture(weights, means, KINDS[kind](covariance))
    with np.errstate(all="ignore"):
        try:
            density = mixture.log_density(means.astype(np.float32))
        except (np.linalg.LinAlgError, DataError) as error:
            raise _Broken(
                f"tensor {name}.covariance is not positive definite, or the means are out of range"
            ) from error
    _require(bool(np.isfinite(density).all()), f"tensors {name}.means and {name}.covariance are out of range")
    return mixture


def _tensor(tensors: Tensors, name: str, dtype: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """A tensor of the type and shape asked for (None: any length), all of it finite."""
    _require(name in tensors, f"tensor {name} is missing")
    tensor = tensors[name]
    fits = len(tensor.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, tensor.shape, strict=True)
    )
    _require(fits, f"tensor {name} has shape {tensor.shape}, expected {shape}")
    _require(tensor.dtype == dtype, f"tensor {name} has type {tensor.dtype}, expected {np.dtype(dtype)}")
    _require(bool(np.isfinite(tensor).all()), f"tensor {name} is not finite")
    return tensor
