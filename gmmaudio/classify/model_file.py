"""A classifier as one .safetensors file, and back.

A file from a stranger runs no code and is checked whole before use: its header in ``gmmaudio.tensors``, every value
here.

Layout, format version 1::

    0.weights (k,), 0.means (k, d), 0.covariance     float64, of the first label; 1.weights ... of the next
                                                     (scorers of type "mixtures" and "adapted")
    background.weights, .means, .covariance          float64, likewise (types "adapted" and "supervector")
    linear.weights (labels, 2kd), linear.offsets     float64 (type "supervector")
    clip_hashes, group_hashes (n, 32) uint8          SHA-256 of the training clips' samples and of the names of their
                                                     groups, each sorted
    metadata "gmmaudio"                              {"format_version", "labels", "scorer": {"type", "covariance"},
                                                     "front_end", "training"}; "c" in the scorer of type "adapted";
                                                     "calibration", "gate", "floor" where they were learned

A reader of version 1 from before the last two types refuses them as not known, so they need no version of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from gmmaudio.classify.calibrate import calibration_from
from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.floor import floor_from
from gmmaudio.classify.gate import gate_from
from gmmaudio.classify.scorer_tensors import pack, unpack
from gmmaudio.errors import DataError, ModelError
from gmmaudio.features.frontend import front_end_from
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
    arrays, scorer = pack(classifier.scorer)
    tensors: Tensors = {"clip_hashes": classifier.clip_hashes, "group_hashes": classifier.group_hashes, **arrays}
    facts = {
        "format_version": FORMAT_VERSION,
        "labels": list(classifier.labels),
        "scorer": scorer,
        "front_end": classifier.front_end.as_dict(),
        "training": dict(classifier.training),
    }
    learned = {"calibration": classifier.calibration, "gate": classifier.gate, "floor": classifier.floor}
    for name, part in learned.items():
        if part is not None:
            facts[name] = part.as_dict()
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
    scorer = unpack(facts.get("scorer"), tensors, len(labels), front_end.dimension)  # type: ignore[arg-type]
    calibration = calibration_from(facts["calibration"], len(labels)) if "calibration" in facts else None  # type: ignore[arg-type]
    gate = gate_from(facts["gate"]) if "gate" in facts else None
    floor = floor_from(facts["floor"]) if "floor" in facts else None
    require(floor is None or (len(labels) == 1 and scorer.score_kind == "loglik"), "a floor is for one label only")  # type: ignore[arg-type]
    clips, groups = (tensor(tensors, f"{name}_hashes", np.uint8, (None, 32)) for name in ("clip", "group"))
    decision = {"calibration": calibration, "gate": gate, "floor": floor}
    return Classifier(tuple(labels), scorer, front_end, clips, groups, training, **decision)  # type: ignore[arg-type]
