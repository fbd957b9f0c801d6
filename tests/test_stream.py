"""Streams that pass once against the batch fit; statistics through a file; and a fit that must not hold its data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gmmaudio.errors import DataError, ModelError
from gmmaudio.gmm.covariance import KINDS, Diagonal, Regulariser
from gmmaudio.gmm.em import Em, em, maximise, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import cut
from gmmaudio.gmm.start import k_means_start
from gmmaudio.gmm.statistics import Statistics, accumulate
from gmmaudio.gmm.stream import Stream, absorb, begin, load_statistics, save_statistics
from gmmaudio.tensors import read, write
from tests.test_em import assert_same, random_kind

ALL = sorted(KINDS)
HERE = Path(__file__).parent.parent


def streamed(start: Mixture, frames: np.ndarray, size: int) -> Stream:
    stream = begin(start)
    for first in range(0, len(frames), size):
        stream = absorb(stream, frames[first : first + size])
    return stream


@pytest.mark.parametrize("kind", ALL)
def test_a_stream_ends_near_the_batch_fit(kind: str) -> None:
    truth = random_kind(kind, 3, 4, 3)
    frames = truth.sample(60_000, 0)[0]
    unseen = truth.sample(20_000, 1)[0]
    start = k_means_start(frames[:200], 4, np.random.default_rng(0), kind=kind)
    stream = streamed(start, frames, 200)
    (fit,) = run([em(start, Em(iterations=100, tolerance=1e-6), frames.var(axis=0))], [cut(frames)])
    short = fit.mixture.log_density(unseen).mean() - stream.mixture.log_density(unseen).mean()
    # 300 batches of 200 end with a gain of 302^-0.6 = 0.033, which averages over about 2 / 0.033 * 200 = 12,000 frames.
    # An estimate from n frames loses parameters / 2n nats: here 39 / 24,000 = 0.0016 at most. Three times that.
    assert -0.001 < short < 0.005
    assert stream.batches == 300
    assert stream.frames == 60_000
    assert begin(start).mixture.log_density(unseen).mean() < fit.mixture.log_density(unseen).mean() - 0.02


def test_one_batch_by_the_equations() -> None:
    mixture = random_kind("full", 1, 3, 2)
    frames = random_kind("full", 2, 3, 2).sample(500, 0)[0]
    free = Regulariser(relative_floor=0)
    found = absorb(begin(mixture), frames, regulariser=free).mixture
    # The sums written out about the origin: 1 - 2^-0.6 of the start's own moments, 2^-0.6 of the batch's mean ones.
    gain, posteriors = 2**-0.6, mixture.posteriors(frames)
    for i in range(3):
        share = (1 - gain) * mixture.weights[i] + gain * posteriors[:, i].mean()
        first = (1 - gain) * mixture.weights[i] * mixture.means[i] + gain * posteriors[:, i] @ frames / 500
        own = mixture.covariance.array[i] + np.outer(mixture.means[i], mixture.means[i])
        second = (1 - gain) * mixture.weights[i] * own + gain * (frames * posteriors[:, [i]]).T @ frames / 500
        mean = first / share
        assert found.weights[i] == pytest.approx(share, rel=1e-12)
        np.testing.assert_allclose(found.means[i], mean, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(
            found.covariance.array[i], second / share - np.outer(mean, mean), rtol=1e-10, atol=1e-10
        )


def test_exponent_one_averages_all_batches() -> None:
    # With g = 1 / (t + 2) the start and the n batches all count 1 / (n + 1): the mean of 0 and of 1, 2, 3.
    stream = begin(Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1)))))
    for value in (1.0, 2.0, 3.0):
        stream = absorb(stream, np.full((10, 1), value), exponent=1.0)
    assert stream.mixture.means[0, 0] == pytest.approx(1.5, rel=1e-14)
    # Mean square (1 + 1 + 4 + 9) / 4, less the square of the mean.
    assert stream.mixture.covariance.array[0, 0] == pytest.approx(3.75 - 1.5**2, rel=1e-13)


def test_weights_of_a_batch_are_repeats_of_its_frames() -> None:
    mixture = random_kind("diag", 1, 3, 2)
    frames, weights = mixture.sample(100, 0)[0], np.arange(100) % 3
    weighted = absorb(begin(mixture), frames, weights)
    repeated = absorb(begin(mixture), frames.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.mixture.means, repeated.mixture.means, rtol=1e-10)
    assert weighted.frames == repeated.frames
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("kind", ALL)
def test_a_constant_stream_never_gives_nan(kind: str) -> None:
    stream = begin(random_kind(kind, 1, 3, 2))
    for _ in range(2000):
        stream = absorb(stream, np.ones((1, 2), np.float32))
    assert np.isfinite(stream.mixture.means).all()
    assert np.isfinite(stream.mixture.log_density(np.ones((1, 2)))).all()


def test_nothing_to_absorb_and_what_cannot_be() -> None:
    stream = begin(random_kind("diag", 1, 3, 2))
    assert absorb(stream, np.zeros((0, 2))) is stream
    assert absorb(stream, np.zeros((2, 2)), [0.0, 0.0]) is stream
    for exponent in (0.5, 1.1, np.nan):
        with pytest.raises(DataError, match="above 0.5"):
            absorb(stream, np.zeros((2, 2)), exponent=exponent)
    with pytest.raises(DataError, match="row 1, column 0"):
        absorb(stream, np.array([[0.0, 0.0], [np.nan, 0.0]]))


@pytest.mark.parametrize("kind", ALL)
def test_parts_through_files_add_up_to_the_whole(kind: str, tmp_path: Path) -> None:
    mixture = random_kind(kind, 1, 3, 2)
    frames = mixture.sample(300, 0)[0]
    for part in range(3):
        save_statistics(tmp_path / f"{part}.safetensors", accumulate(mixture, frames[part::3]))
    parts = [load_statistics(tmp_path / f"{part}.safetensors") for part in range(3)]
    assert_same(parts[1], accumulate(mixture, frames[1::3]), 0)
    assert parts[1].kind == kind
    assert np.array_equal(parts[1].centre, mixture.centre)
    assert_same(parts[0] + parts[1] + parts[2], accumulate(mixture, frames), 1e-11)
    assert maximise(parts[0] + parts[1]).covariance.kind == kind


def test_two_saves_of_either_memory_order_are_one_file(tmp_path: Path) -> None:
    statistics = accumulate(random_kind("diag", 1, 3, 2), np.zeros((5, 2)))
    turned = Statistics(**{**vars(statistics), "first": np.asfortranarray(statistics.first)})
    save_statistics(tmp_path / "a", statistics)
    save_statistics(tmp_path / "b", turned)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mixture = random_kind("full", 1, 3, 2)
    path = tmp_path_factory.mktemp("statistics") / "statistics.safetensors"
    save_statistics(path, accumulate(mixture, mixture.sample(50, 0)[0]))
    return path


def spoil(change: str, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Change one thing."""
    match change:
        case "nan":
            arrays["first"][0, 0] = np.nan
        case "infinite total":
            arrays["totals"][0] = np.inf
        case "negative occupancy":
            arrays["occupancy"][0] = -1
        case "negative frames":
            arrays["totals"][1] = -1
        case "shape":
            arrays["second"] = arrays["second"][:, :, 0].copy()
        case "kind wrong":
            facts["covariance"] = "tied"
        case "kind unknown":
            facts["covariance"] = ["full"]
        case "precision":
            arrays["first"] = arrays["first"].astype(np.float32)
        case "gone":
            del arrays["centre"]
        case "empty":
            arrays["first"] = arrays["first"][:0]
        case "something else":
            facts["type"] = "mixtures"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nan", "tensor first is not finite"),
        ("infinite total", "tensor totals is not finite"),
        ("negative occupancy", "must not be negative"),
        ("negative frames", "must not be negative"),
        ("shape", r"tensor second has shape \(3, 2\)"),
        ("kind wrong", r"tensor second has shape \(3, 2, 2\), expected \(2, 2\)"),
        ("kind unknown", "kind of covariance is not known"),
        ("precision", "tensor first has type float32"),
        ("gone", "tensor centre is missing"),
        ("empty", r"tensor first has shape \(0, 2\)"),
        ("something else", "holds no statistics"),
    ],
)
def test_broken_statistics_are_refused(change: str, words: str, saved: Path, tmp_path: Path) -> None:
    arrays, facts = read(saved.read_bytes(), "it", version=1)
    arrays = {name: array.copy() for name, array in arrays.items()}
    file = tmp_path / "it"
    file.write_bytes(write(arrays, facts))
    load_statistics(file)  # taken apart and put together it is still whole
    spoil(change, facts, arrays)
    file.write_bytes(write(arrays, facts))  # with a checksum that fits
    with pytest.raises(ModelError, match=words) as caught:
        load_statistics(file)
    assert caught.value.code == "invalid_model"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_statistics_or_a_coded_error(data: st.DataObject, saved: Path, tmp_path: Path) -> None:
    spoilt = bytearray(saved.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "it"
    file.write_bytes(bytes(spoilt))
    try:
        statistics = load_statistics(file)
    except ModelError as error:
        assert error.code in ("not_a_gmmaudio_model", "invalid_model", "version_mismatch")
    else:
        assert np.isfinite(statistics.second).all()


def test_files_that_are_not_there_and_sums_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file") as missing:
        load_statistics(tmp_path / "none")
    assert missing.value.code == "no_such_file"
    statistics = accumulate(random_kind("diag", 1, 3, 2), np.zeros((5, 2)))
    with pytest.raises(DataError, match="does not exist"):
        save_statistics(tmp_path / "no" / "it", statistics)
    with pytest.raises(DataError, match="tensor first is not finite"):
        save_statistics(tmp_path / "it", statistics.scaled(float("nan")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is read from /proc")
def test_a_fit_does_not_hold_its_data(tmp_path: Path) -> None:
    """The small form of benchmarks/large.py: 100 MB of frames within 70 MB of anonymous memory over the start.

    A single copy of the data would break the bound.
    """
    small = ["--gb", "0.1", "--goal", "70", "--jobs", "2", "--folder", str(tmp_path)]
    command = [sys.executable, "benchmarks/large.py", *small]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("MB of anonymous memory") == 2, "both sources were read"
