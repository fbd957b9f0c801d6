"""Reading block by block: the same samples, hash and errors as the whole clip, in the memory of a block.

Expected values come from `read_clip`, which test_audio.py holds against soundfile and soxr, or from the definition.
"""

from __future__ import annotations

import contextlib
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from gmmaudio.classify.examples import example_of, read_example
from gmmaudio.corpus.audio import hashed, joined, read_clip, read_through, sample_hash
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError
from gmmaudio.features.frontend import PRESETS
from tests.test_audio import RATE, SHORT, chirp, encoded, wav

Array = np.ndarray
Blocks = Iterator[Array]


@pytest.fixture
def path(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        (tmp_path / "clip.wav").write_bytes(data)
        return tmp_path / "clip.wav"

    return write


def count(blocks: Blocks) -> int:
    return sum(map(len, blocks))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize(("rate", "start", "end"), [(None, None, None), (8000, 1.5, 7.0), (22050, 8.0, None)])
def test_the_blocks_are_the_clip(
    kind: str, rate: int | None, start: float | None, end: float | None, path: Callable[[bytes], Path]
) -> None:
    file = path(encoded(chirp(9.0), kind))
    clip = read_clip(file, rate, start, end)
    digest = sha256()
    blocks, facts = read_through(
        file, rate, lambda blocks: [block.copy() for block in hashed(blocks, digest)], start, end
    )
    np.testing.assert_array_equal(np.concatenate(blocks), clip.samples)
    assert (facts.samples, facts.rate, facts.warnings) == (len(clip.samples), clip.rate, clip.warnings)
    assert facts.seconds == len(clip.samples) / clip.rate
    assert digest.hexdigest() == sample_hash(clip.samples)


def test_memory_is_that_of_a_block(path: Callable[[bytes], Path]) -> None:
    file = path(encoded(np.zeros(6 * 60 * 96000, np.int16), "FLAC", rate=96000))
    tracemalloc.start()
    try:
        samples, facts = read_through(file, 48000, count)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert samples == facts.samples == 6 * 60 * 48000
    assert peak < 3e6  # as one array, it would be 69 MB


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/io counts what is read on Linux only")
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_segment_reads_little_of_a_long_file(kind: str, path: Callable[[bytes], Path]) -> None:
    noise = np.random.default_rng(0).standard_normal(600 * RATE) / 8
    file = path(encoded(noise, kind, "PCM_16"))
    read_through(file, None, count, 0.0, 1.0)  # what the first call imports is read, too

    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])  # rchar

    before = bytes_read()
    frames, _ = read_through(file, None, count, 590.0, 592.0)
    assert frames == 2 * RATE
    assert bytes_read() - before < file.stat().st_size / 10  # 2 of 600 seconds, and a search for their place


def test_what_a_consumer_leaves_is_checked_as_well(path: Callable[[bytes], Path]) -> None:
    samples = chirp(9.0)
    first, facts = read_through(path(wav(samples)), None, lambda blocks: len(next(blocks)))
    assert first < len(samples) == facts.samples
    samples[-1] = np.nan
    with pytest.raises(ClipError, match="the first at frame 143999"):
        read_through(path(wav(samples)), None, lambda blocks: len(next(blocks)))


@pytest.mark.parametrize("value", [np.nan, np.inf, 17.0])
def test_no_consumer_sees_a_broken_sample(value: float, path: Callable[[bytes], Path]) -> None:
    samples, seen = chirp(9.0), []

    def look(blocks: Blocks) -> None:
        seen.extend(float(np.abs(block).max()) for block in blocks)

    samples[80000] = value  # in the second block of three
    with pytest.raises(ClipError):
        read_through(path(wav(samples)), 8000, look)
    assert seen
    assert max(seen) < 1


def raise_silence(blocks: Blocks) -> int:
    if max((float(np.abs(block).max()) for block in blocks), default=0) == 0:
        raise ClipError("silence", "nothing to hear")
    return 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wav(np.zeros(RATE, np.int16)), "silence"),
        (wav(np.zeros(0, np.int16)), "empty_audio"),
        (wav(np.array([0, np.nan], np.float32)), "non_finite"),
        (encoded(chirp(9.0), "FLAC")[:100_000], "decode_error"),
    ],
)
def test_the_clips_own_faults_go_before_the_consumers(data: bytes, code: str, path: Callable[[bytes], Path]) -> None:
    def impatient(_: Blocks) -> int:
        raise ClipError("silence", "without having looked")

    for consume in (raise_silence, impatient):
        with pytest.raises(ClipError) as caught:
            read_through(path(data), None, consume)
        assert caught.value.code == code


def test_an_error_cannot_be_swallowed(path: Callable[[bytes], Path]) -> None:
    def deaf(blocks: Blocks) -> str:
        with contextlib.suppress(ClipError):
            joined(blocks)
        return "fine"

    data = bytearray(encoded(chirp(9.0), "FLAC"))
    data[len(data) // 2 :] = bytes(len(data) // 2)
    with pytest.raises(ClipError) as caught:
        read_through(path(bytes(data)), None, deaf)
    assert caught.value.code == "decode_error"


def test_antiphase_is_read_again_with_the_louder_channel(path: Callable[[bytes], Path]) -> None:
    tone = chirp(6.0)
    file = path(wav(np.stack([-tone, tone], axis=1)))
    heard, facts = read_through(file, None, raise_silence)  # the mix alone would be silence
    assert heard == 1
    assert [warning.code for warning in facts.warnings] == ["phase_cancelled"]
    assert facts.samples == len(tone)


def test_other_errors_pass_at_once(path: Callable[[bytes], Path]) -> None:
    def broken(_: Blocks) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        read_through(path(wav(SHORT)), None, broken)


def test_an_example_is_the_one_of_the_whole_clip(path: Callable[[bytes], Path]) -> None:
    front_end = PRESETS["speech"]
    for data in (encoded(chirp(9.0), "FLAC"), wav(np.stack([chirp(4.0), -chirp(4.0)], axis=1))):
        entry = Entry(path(data), "a", start=0.5, end=3.0)
        found = read_example(entry, front_end)
        expected = example_of(entry, read_clip(entry.path, front_end.rate, 0.5, 3.0), front_end)
        np.testing.assert_array_equal(found.frames, expected.frames)
        for name in ("seconds", "voiced_seconds", "sample_hash", "warnings"):
            assert getattr(found, name) == getattr(expected, name), name


def test_blocks_may_be_kept(path: Callable[[bytes], Path]) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000).astype(np.float32)
    clip = path(wav(samples))
    kept, _ = read_through(clip, None, list)
    assert len(kept) > 2
    np.testing.assert_array_equal(np.concatenate(kept), samples)
