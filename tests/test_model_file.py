"""The model file: round trips, the golden file of format version 1, and files from strangers."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors_numpy
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import gmmaudio
from gmmaudio import tensors as tensor_file
from gmmaudio.classify.backend import Backend, train_backend
from gmmaudio.classify.background import Adaptation, Background, adapt_labels, fit_background
from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.model_file import from_bytes, load, save, to_bytes
from gmmaudio.classify.train import Trained
from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import DataError, GmmaudioError, ModelError
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.shards import gather

GOLDEN = Path(__file__).parent / "golden" / "model-v1.safetensors"


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts and tensors of a model file."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return json.loads(header["__metadata__"]["gmmaudio"]), dict(safetensors_numpy.load(data))


def whole(facts: Any, tensors: dict[str, np.ndarray]) -> bytes:
    """A file with a checksum that fits, so that what is tested is what comes after it."""
    return tensor_file.write(tensors, {key: value for key, value in facts.items() if key != "sha256"})


def test_what_is_saved_comes_back(trained: Trained, model: Path) -> None:
    again = gmmaudio.load(model)
    assert again.labels == trained.classifier.labels
    assert again.front_end == trained.classifier.front_end
    assert again.training == json.loads(json.dumps(dict(trained.classifier.training)))
    assert np.array_equal(again.clip_hashes, trained.classifier.clip_hashes)
    for a, b in zip(again.scorer.mixtures, trained.classifier.scorer.mixtures, strict=True):  # type: ignore[attr-defined]
        assert np.array_equal(a.weights, b.weights)
        assert np.array_equal(a.means, b.means)
        assert np.array_equal(a.covariance.variances, b.covariance.variances)


def test_two_saves_are_one_file(trained: Trained, model: Path) -> None:
    assert to_bytes(trained.classifier) == model.read_bytes() == to_bytes(load(model))


def test_the_file_holds_no_path_and_no_name_of_a_clip(model: Path, corpus: Path) -> None:
    data = model.read_bytes()
    for word in (b".wav", b"arvi-1", str(corpus.parent).encode()):
        assert word not in data


def test_version_1_is_still_read() -> None:
    """The golden file was written by the first release; scipy says what its mixtures score."""
    classifier = load(GOLDEN)
    assert classifier.labels == ("arvi", "belun", "domar", "kesto")
    t = np.arange(8000) / 8000
    signal = (0.3 * np.sin(2 * np.pi * (200 * t + 150 * t**2)) * (1 + np.sin(2 * np.pi * 4 * t))).astype(np.float32)
    frames = classifier.front_end(Clip(signal, 8000, None, ())).selected()
    _, tensors = parts(GOLDEN.read_bytes())
    for index, label in enumerate(classifier.labels):
        w, m, v = (tensors[f"{index}.{name}"] for name in ("weights", "means", "covariance"))
        joint = [np.log(w[k]) + multivariate_normal(m[k], np.diag(v[k])).logpdf(frames) for k in range(len(w))]
        expected = logsumexp(joint, axis=0).mean()
        assert classifier.score((signal, 8000)).scores[label] == pytest.approx(expected, rel=1e-5)


def broken(change: str, facts: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Spoil one thing."""
    match change:
        case "nan mean":
            tensors["0.means"][0, 0] = np.nan
        case "negative variance":
            tensors["0.covariance"][1, 1] = -1
        case "tiny variance":
            tensors["0.covariance"][1, 1] = 1e-300
        case "huge mean":
            tensors["0.means"][0, 0] = 1e200
        case "weights not 1":
            tensors["0.weights"] *= 2
        case "tensor gone":
            del tensors["0.means"]
        case "wrong shape":
            tensors["0.means"] = tensors["0.means"][:, :-1]
        case "wrong type":
            tensors["0.means"] = tensors["0.means"].astype(np.float32)
        case "labels twice":
            facts["labels"][0] = facts["labels"][1]
        case "labels not a list":
            facts["labels"] = "abc"
        case "negative weight":
            tensors["0.weights"][:] = [1.5, -0.5, 0, 0]
        case "kind unknown":
            facts["scorer"]["covariance"] = "banded"
        case "kind wrong":
            facts["scorer"]["covariance"] = "full"
        case "scorer unknown":
            facts["scorer"]["type"] = "os.system"
        case "front end unknown key":
            facts["front_end"]["mfcc"]["rat"] = 8000
        case "front end wider":
            facts["front_end"]["mfcc"]["n_mfcc"] = 14
        case "front end absurd":
            facts["front_end"]["mfcc"]["n_mels"] = 2**40
        case "no front end":
            del facts["front_end"]


@pytest.mark.parametrize(
    "change",
    [
        "nan mean", "negative variance", "tiny variance", "huge mean", "weights not 1", "tensor gone", "wrong shape",
        "wrong type", "labels twice", "labels not a list", "negative weight", "kind unknown", "kind wrong",
        "scorer unknown", "front end unknown key", "front end wider", "front end absurd", "no front end",
    ],
)  # fmt: skip
def test_a_broken_model_is_refused(change: str, model: Path) -> None:
    facts, tensors = parts(model.read_bytes())
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    broken(change, facts, tensors)
    with pytest.raises(ModelError) as caught:
        from_bytes(whole(facts, tensors), "it")
    assert caught.value.code == "invalid_model"


def test_one_flipped_bit_is_found(model: Path) -> None:
    spoiled = bytearray(model.read_bytes())
    spoiled[-100] ^= 1
    with pytest.raises(ModelError, match="checksum") as caught:
        from_bytes(bytes(spoiled), "it")
    assert caught.value.code == "invalid_model"


def test_a_file_that_is_not_a_model_is_not_replaced(trained: Trained, tmp_path: Path) -> None:
    precious = tmp_path / "corpus.csv"
    precious.write_text("path,label\n")
    with pytest.raises(DataError) as caught:
        save(trained.classifier, precious)
    assert caught.value.code == "would_overwrite"
    assert precious.read_text() == "path,label\n"


def test_a_newer_version_is_said_to_be_newer(model: Path) -> None:
    facts, tensors = parts(model.read_bytes())
    with pytest.raises(ModelError, match="format version 2, this gmmaudio reads 1") as caught:
        from_bytes(whole({**facts, "format_version": 2}, tensors), "it")
    assert caught.value.code == "version_mismatch"


def test_a_name_that_stands_twice_is_refused(model: Path) -> None:
    data = model.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length].decode()
    twice = header.replace('"0.weights":', '"0.means":', 1)
    twice = twice.encode().ljust(length)
    with pytest.raises(ModelError, match="stands twice") as caught:
        from_bytes(data[:8] + twice + data[8 + length :], "it")
    assert caught.value.code == "invalid_model"


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def test_a_pickle_is_never_unpickled(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelError) as caught:
        load(file)
    assert caught.value.code == "not_a_gmmaudio_model"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**62),
        struct.pack("<Q", 2**63 + 5) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 60) + b'{"__metadata__":{"gmmaudio":"[1,2]"}}'.ljust(60),
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        np.random.default_rng(0).bytes(5000),
        b"RIFF" + bytes(100),
    ],
)
def test_what_is_not_a_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        from_bytes(data, "it")
    assert caught.value.code == "not_a_gmmaudio_model"


def test_a_file_cut_short_is_refused(model: Path) -> None:
    data = model.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 40)):
        with pytest.raises(ModelError):
            from_bytes(data[:length], "it")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_a_model_or_a_coded_error(data: st.DataObject, model: Path) -> None:
    spoiled = bytearray(model.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, min(len(spoiled), 6000) - 1))] = data.draw(st.integers(0, 255))
    try:
        classifier = from_bytes(bytes(spoiled), "it")
    except GmmaudioError as error:
        assert isinstance(error, ModelError)
    else:
        noise = np.random.default_rng(0).standard_normal((5, classifier.front_end.dimension)).astype(np.float32)
        assert np.isfinite(classifier.scorer.score(noise)).all()


def test_a_folder_that_is_not_there(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        save(trained.classifier, tmp_path / "no" / "model.safetensors")
    assert caught.value.code == "no_such_folder"
    with pytest.raises(ModelError) as missing:
        load(tmp_path / "none.safetensors")
    assert missing.value.code == "no_such_file"


def test_a_failed_write_leaves_the_old_file(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.safetensors"
    save(trained.classifier, file)
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save(trained.classifier, file)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


RUNGS = ("adapted", "supervector")


@pytest.fixture(scope="module")
def rungs() -> dict[str, Classifier]:
    """Two labels in the 30 dimensions of the preset "speech", by either rung that has a background."""
    draws = np.random.default_rng(0)
    clips = [[draws.normal(at, 1 + at, (60, 30)).astype(np.float32) for _ in range(4)] for at in (0, 1)]
    shards = [gather(pieces) for pieces in clips]
    background = fit_background(shards, Background(3)).mixture
    adapted = adapt_labels(background, shards, Adaptation())
    supervector = train_backend(background, clips, Backend()).scorer
    return {
        name: Classifier(("a", "b"), scorer, PRESETS["speech"])
        for name, scorer in zip(RUNGS, (adapted, supervector), strict=True)
    }


@pytest.mark.parametrize("rung", RUNGS)
def test_the_other_rungs_come_back(rung: str, rungs: dict[str, Classifier]) -> None:
    data = to_bytes(rungs[rung])
    again = from_bytes(data, "it")
    assert parts(data)[0]["scorer"]["type"] == rung
    assert to_bytes(again) == data
    frames = np.random.default_rng(1).standard_normal((50, 30)).astype(np.float32)
    assert np.array_equal(again.scorer.score(frames), rungs[rung].scorer.score(frames))
    assert again.scorer.score_kind == {"adapted": "llr", "supervector": "logit"}[rung]


def spoiled(change: str, facts: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Spoil one thing that only the other rungs have."""
    match change:
        case "no background":
            del tensors["background.means"]
        case "background of another size":
            for name in ("weights", "means", "covariance"):
                tensors[f"background.{name}"] = tensors[f"background.{name}"][:2]
            tensors["background.weights"] /= tensors["background.weights"].sum()
        case "negative variance":
            tensors["background.covariance"][0, 0] = -1
        case "nan":
            tensors["background.means"][0, 0] = np.nan
        case "kind unknown":
            facts["scorer"]["covariance"] = "banded"
        case "kind not for this rung":
            facts["scorer"]["covariance"] = "full"
        case "type of another rung":
            facts["scorer"]["type"] = {"adapted": "supervector", "supervector": "adapted"}[facts["scorer"]["type"]]
        case "c missing":
            del facts["scorer"]["c"]
        case "c too large":
            facts["scorer"]["c"] = 4
        case "c not a number":
            facts["scorer"]["c"] = True
        case "a label far away":
            tensors["1.means"] += 1e30
        case "a label gone":
            del tensors["1.weights"]
        case "linear weights of another size":
            tensors["linear.weights"] = tensors["linear.weights"][:, :-1]
        case "a label without linear weights":
            tensors["linear.weights"] = tensors["linear.weights"][:1]
        case "linear weights infinite":
            tensors["linear.weights"][0, 0] = np.inf
        case "linear weights huge":
            tensors["linear.weights"][:] = 1e307
        case "offsets gone":
            del tensors["linear.offsets"]
        case "offsets of another type":
            tensors["linear.offsets"] = tensors["linear.offsets"].astype(np.float32)


BOTH = ("no background", "background of another size", "negative variance", "nan", "kind unknown",
        "kind not for this rung", "type of another rung")  # fmt: skip
ADAPTED = ("c missing", "c too large", "c not a number", "a label far away", "a label gone")
SUPERVECTOR = ("linear weights of another size", "a label without linear weights", "linear weights infinite",
               "linear weights huge", "offsets gone", "offsets of another type")  # fmt: skip


@pytest.mark.parametrize(
    ("rung", "change"),
    [(rung, change) for rung in RUNGS for change in BOTH]
    + [("adapted", change) for change in ADAPTED]
    + [("supervector", change) for change in SUPERVECTOR],
)
def test_a_broken_model_of_another_rung_is_refused(rung: str, change: str, rungs: dict[str, Classifier]) -> None:
    facts, tensors = parts(to_bytes(rungs[rung]))
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    spoiled(change, facts, tensors)
    with pytest.raises(ModelError) as caught:
        from_bytes(whole(facts, tensors), "it")
    assert caught.value.code == "invalid_model"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("rung", RUNGS)
def test_wild_values_in_another_rung_are_a_model_or_a_coded_error(
    rung: str, data: st.DataObject, rungs: dict[str, Classifier]
) -> None:
    """With a checksum that fits: a file is refused, or scores are numbers."""
    facts, tensors = parts(to_bytes(rungs[rung]))
    name = data.draw(st.sampled_from(sorted(name for name in tensors if "hashes" not in name)))
    values = tensors[name].copy()
    place = data.draw(st.integers(0, values.size - 1))
    values.ravel()[place] = data.draw(st.floats(allow_nan=True, allow_infinity=True))
    noise = np.random.default_rng(0).standard_normal((5, 30)).astype(np.float32)
    try:
        classifier = from_bytes(whole(facts, {**tensors, name: values}), "it")
        assert np.isfinite(classifier.scorer.score(noise)).all()
    except GmmaudioError as error:
        assert error.code in {"invalid_model", "out_of_range"}


class Stranger:
    """A scorer that the file does not know."""

    score_kind = "loglik"

    def score(self, frames: np.ndarray) -> np.ndarray:
        return np.zeros(len(frames))


def test_a_scorer_of_another_type_cannot_be_written() -> None:
    with pytest.raises(DataError, match="cannot hold a Stranger") as caught:
        to_bytes(Classifier(("a",), Stranger(), PRESETS["speech"]))
    assert caught.value.code == "cannot_write"
