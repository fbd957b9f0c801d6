"""Fingerprints: what they survive, what they do not mistake, and that the quick way finds what the slow way does."""

from __future__ import annotations

import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.stats import poisson

from gmmaudio.corpus.audio import clip_from_array, read_clip
from gmmaudio.errors import DataError
from gmmaudio.features import candidates, matching
from gmmaudio.features import fingerprint as module
from gmmaudio.features.fingerprint import HOP, RATE, STEP, Fingerprint, fingerprint, pair_hashes
from gmmaudio.features.matching import SHARE, SURE, comparable, near_copies

Samples = NDArray[np.float32]


def noise(seed: int, seconds: float = 3.0, rate: int = RATE) -> Samples:
    """White noise: of all sounds the one with the weakest peaks."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def chirps(seed: int, seconds: float = 3.0, rate: int = RATE) -> Samples:
    """Gliding tones of a tenth of a second at random times, and silence between them."""
    generator, total = np.random.default_rng(seed), round(seconds * rate)
    samples, t = np.zeros(total), np.arange(rate // 10) / rate
    for _ in range(round(12 * seconds)):
        at, low, slope = generator.integers(total - len(t)), generator.uniform(200, 3000), generator.uniform(-2e3, 2e3)
        samples[at : at + len(t)] += 0.1 * np.hanning(len(t)) * np.sin(2 * np.pi * (low * t + slope * t**2))
    return samples.astype(np.float32)


def matches(*clips: Samples) -> list[matching.Match]:
    return near_copies([fingerprint(clip, RATE) for clip in clips])


@pytest.mark.parametrize("make", [noise, chirps])
@pytest.mark.parametrize("shift", [0.5, 0.4871, 0.123, HOP / RATE / 2, 0.016])
def test_a_shift_of_any_length_is_found_and_measured(make: object, shift: float) -> None:
    clip = make(1)  # type: ignore[operator]
    [match] = matches(clip, make(2), clip[round(shift * RATE) :])  # type: ignore[operator]
    assert (match.first, match.second) == (0, 2)
    assert match.offset == pytest.approx(shift, abs=3 * HOP / RATE)  # peaks coincide within two frames
    assert match.share > 0.6
    late = np.concatenate([np.zeros(round(shift * RATE), np.float32), clip])[: len(clip)]
    [match] = matches(clip, late)
    assert match.offset == pytest.approx(-shift, abs=3 * HOP / RATE)


@pytest.mark.parametrize("make", [noise, chirps])
def test_what_a_copy_may_have_gone_through(make: object, tmp_path: Path) -> None:
    original = make(3, rate=44100)  # type: ignore[operator]
    rounded = np.round(original / 4 * 32768) / 32768
    soundfile.write(tmp_path / "a.mp3", original, 44100, bitrate_mode="CONSTANT", compression_level=224 / 288)  # 96k
    soundfile.write(tmp_path / "a.ogg", original, 44100, format="OGG", subtype="VORBIS")
    variants = [
        read_clip(tmp_path / "a.mp3", RATE).samples,
        read_clip(tmp_path / "a.ogg", RATE).samples,
        clip_from_array(rounded, 44100, RATE).samples,
        clip_from_array(clip_from_array(original, 44100, 16000).samples, 16000, RATE).samples,
        clip_from_array(original[: round(0.8 * len(original))], 44100, RATE).samples,
        clip_from_array(original[-round(0.8 * len(original)) :], 44100, RATE).samples,
    ]
    found = matches(clip_from_array(original, 44100, RATE).samples, *variants)
    assert {match.second for match in found if match.first == 0} == {1, 2, 3, 4, 5, 6}
    assert min(match.share for match in found if match.first == 0) > 0.6


def test_different_clips_of_one_kind_do_not_match() -> None:
    assert matches(*(noise(seed) for seed in range(40))) == []
    assert matches(*(chirps(seed) for seed in range(40))) == []


def test_a_hum_and_a_beat_in_common_make_no_copies() -> None:
    t = np.arange(3 * RATE) / RATE
    hum = 0.2 * sum(np.sin(2 * np.pi * 100 * k * t) / k for k in range(1, 30))
    beat = 0.5 * np.tile(np.concatenate([noise(9, 0.05), np.zeros(RATE // 2 - RATE // 20, np.float32)]), 6)
    assert matches(*((hum + noise(seed)).astype(np.float32) for seed in range(8))) == []
    found = matches(*((beat + noise(seed)).astype(np.float32) for seed in range(8)))
    assert [match for match in found if match.share >= 0.6] == []


def test_digital_silence_matches_nothing() -> None:
    silence = np.zeros(5 * RATE, np.float32)
    assert len(fingerprint(silence, RATE)) == 0
    assert matches(silence, silence, noise(1)) == []
    # Silence between sounds makes no peaks either: those are where the sounds are, or half a window beside them.
    gap = np.concatenate([noise(1, 1.0), silence, noise(2, 1.0)])
    seconds = fingerprint(gap, RATE).times * HOP / RATE
    assert not ((seconds > 1.07) & (seconds < 5.93)).any()
    # The rounding of 16-bit silence with dither is not sound.
    dither = np.random.default_rng(0).integers(-1, 2, 5 * RATE) / 32768
    quiet = fingerprint((dither / 4).astype(np.float32), RATE)
    assert not comparable(quiet)


@settings(deadline=None, max_examples=20)
@given(st.integers(-20, 3), st.integers(0, 5))
def test_a_gain_changes_nothing(power: int, seed: int) -> None:
    # Powers of two are exact in floating point. At 2^-20 of full scale all lies below the floor for silence.
    clip, gained = noise(seed), noise(seed) * np.float32(2.0**power)
    a, b = fingerprint(clip, RATE), fingerprint(gained, RATE)
    if power > -10:
        assert a.times.tolist() == b.times.tolist()
        assert a.bins.tolist() == b.bins.tolist()
    assert len(b) <= len(a)


def test_peaks_are_the_largest_around_them() -> None:
    values = np.random.default_rng(0).uniform(size=(50, 30)).astype(np.float32)
    for reach in (1, 4, 10):
        expected = maximum_filter1d(values, 2 * reach + 1, axis=0, mode="constant")  # scipy's
        np.testing.assert_array_equal(module._running_maximum(values, reach), expected)


def test_a_tone_lies_where_its_frequency_says() -> None:
    # 1000 Hz is bin 1000 / (8000 / 1024) = 128 of the transform, bin 120 of those kept (they begin at 8).
    tone = np.concatenate([np.zeros(4000), np.hanning(4000) * np.sin(2 * np.pi * np.arange(4000) / 8), np.zeros(4000)])
    found = fingerprint(tone.astype(np.float32), RATE)
    assert found.frames == 1 + len(tone) // HOP
    assert 120 in found.bins
    assert found.times[found.bins == 120].tolist() == [round(6000 / HOP)]  # its middle


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fingerprint(noise(5, 20.0), RATE)
    for size in (7, 64, 333):
        monkeypatch.setattr(module, "_BLOCK", size)
        parts = fingerprint(noise(5, 20.0), RATE)
        assert parts.times.tolist() == whole.times.tolist()
        assert parts.bins.tolist() == whole.bins.tolist()


def test_pairs_against_a_plain_loop() -> None:
    peaks = fingerprint(noise(4, 2.0), RATE)
    expected = []
    for i in range(len(peaks)):
        taken = 0
        for j in range(i + 1, len(peaks)):
            ahead, up = int(peaks.times[j] // STEP - peaks.times[i] // STEP), int(peaks.bins[j] - peaks.bins[i])
            if 1 <= ahead <= 31 and abs(up) <= 63 and taken < 8:
                taken += 1
                expected.append((int(peaks.times[i]) // STEP, (int(peaks.bins[i]) * 128 + up + 64) * 32 + ahead))
    hashes, times = pair_hashes(peaks)
    assert sorted(zip(times.tolist(), hashes.tolist(), strict=True)) == sorted(expected)


@pytest.mark.long
def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    clips = [make(seed) for seed in range(12) for make in (noise, chirps)]
    clips += [clips[3][4000:], clips[8] / 4, clips[3][:-5000], clips[5][2500:]]
    prints = [fingerprint(clip, RATE) for clip in clips]
    slow = set()
    for first, second in combinations(range(len(prints)), 2):
        a, b = prints[first], prints[second]
        for offset in range(-b.frames // STEP, a.frames // STEP + 1):
            match = matching._compare(prints, first, second, offset)
            if match.share >= SHARE and match.sureness >= SURE:
                slow.add((first, second))
    assert slow == {(3, 24), (8, 25), (3, 26), (24, 26), (5, 27)}
    assert {(match.first, match.second) for match in near_copies(prints)} == slow


def test_the_result_is_the_same_for_any_number_of_jobs_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = noise(1)
    prints = [fingerprint(each, RATE) for each in [clip, *(noise(s) for s in range(2, 20)), clip[777:], clip / 8]]
    expected = near_copies(prints)
    assert len(expected) == 3
    monkeypatch.setattr(candidates, "_CHUNK", 500)
    assert near_copies(prints) == expected
    assert near_copies(prints, jobs=3) == expected


@given(st.integers(1, 60))
def test_sureness_never_says_more_than_poissons_tail(together: int) -> None:
    """So many peaks coincide at offset 0, no two of them near in frequency: the mean by chance is known."""
    frames = 3000
    times = np.arange(together, dtype=np.int32) * (frames // together)
    peaks = Fingerprint(times, (2 * np.arange(together) + 1).astype(np.int32), frames)
    match = matching._compare([peaks, peaks], 0, 1, 0)
    exact = -poisson.logsf(together - 1, 5 * together / frames) / np.log(10)  # two frames either way; scipy's
    assert match.share == 1.0
    assert 0.5 * exact - 1.5 <= match.sureness <= exact + 1e-9  # a bound, and no idle one


def test_too_few_peaks_and_the_wrong_rate() -> None:
    # Of 1000 frames, k peaks coincide: the mean by chance is 5 k / 1000, and k = 5 do not reach 1e-17.
    prints = [
        Fingerprint(np.arange(k, dtype=np.int32) * 20, np.arange(k, dtype=np.int32) * 5, 1000) for k in range(4, 12)
    ]
    assert [comparable(peaks) for peaks in prints] == sorted(comparable(peaks) for peaks in prints)
    assert not comparable(prints[1])
    assert poisson.sf(4, 5 * 5 / 1000) > 1e-17
    assert comparable(prints[-1])
    assert near_copies([prints[1], prints[1]]) == []
    assert len(near_copies([prints[-1], prints[-1]])) == 1
    assert near_copies([]) == []
    with pytest.raises(DataError, match="8000 Hz, not at 16000"):
        fingerprint(noise(1), 16000)
    assert len(fingerprint(np.zeros(0, np.float32), RATE)) == 0
    assert not comparable(fingerprint(noise(1, 0.03), RATE))
    assert comparable(fingerprint(noise(1, 1.0), RATE))


def loop(minutes: float, melody: float = 0.0) -> Fingerprint:
    """The peaks of a bar of 1 s, 125 frames, played again and again; over it a melody of so many peaks a second."""
    rng, bars = np.random.default_rng(0), round(60 * minutes)
    times, bins = np.sort(rng.choice(125, 40, replace=False)), rng.integers(0, 440, 40)
    notes = round(melody * bars)
    every = np.concatenate(
        [np.arange(bars).repeat(40) * 125 + np.tile(times, bars), rng.integers(0, 125 * bars, notes)]
    )
    pitch = np.concatenate([np.tile(bins, bars), rng.integers(0, 440, notes)])
    order = np.argsort(every, kind="stable")
    return Fingerprint(every[order].astype(np.int32), pitch[order].astype(np.int32), 125 * bars)


def part(peaks: Fingerprint, first: int, last: int) -> Fingerprint:
    """Those of some frames."""
    inside = (peaks.times >= first) & (peaks.times < last)
    return Fingerprint(peaks.times[inside] - np.int32(first), peaks.bins[inside], last - first)


@pytest.mark.parametrize(("minutes", "copies"), [(8, 1), (8, 2), (2, 5)])
def test_copies_of_a_long_loop_need_no_more_memory_than_other_sound(minutes: float, copies: int) -> None:
    # In 8 minutes, each of 300 hashes comes 480 times: 69 million meetings of a clip with itself, and as many with
    # each copy, of which one number each would take 550 MB.
    prints = [loop(minutes)] * copies + [fingerprint(noise(1, 10.0), RATE)]
    tracemalloc.start()
    found = near_copies(prints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(match.first, match.second) for match in found] == list(combinations(range(copies), 2))
    assert all(match.share == 1.0 for match in found)
    # A chunk of meetings is 16 MB, and there are about eight arrays of that size at a time.
    assert peak < 200e6


def test_over_a_loop_the_melody_decides() -> None:
    # 4 minutes: each hash of the loop comes 240 times, and counts 64; 3 notes a second over 40 peaks of the loop.
    whole = loop(4.0, melody=3.0)
    cut = part(whole, 20 * 125, 230 * 125)  # without the first 20 s and the last 10 s
    [match] = near_copies([whole, cut])
    assert match.offset == pytest.approx(20.0, abs=3 * HOP / RATE)
    assert match.share > 0.98
    [match] = near_copies([cut, whole])
    assert match.offset == pytest.approx(-20.0, abs=3 * HOP / RATE)


def test_the_votes_are_those_of_all_meetings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index, in chunks of any size, against two loops over all entries of two clips."""
    rng = np.random.default_rng(0)
    clips = [
        (rng.integers(0, 30, 200).astype(np.uint32), np.sort(rng.integers(0, 50, 200)).astype(np.int32))
        for _ in range(6)
    ]
    expected = []
    for (first, (h, t)), (second, (g, u)) in combinations(enumerate(clips), 2):
        apart = (t[:, None] - u[None, :])[h[:, None] == g[None, :]]
        votes = {offset: int((abs(apart - offset) <= 1).sum()) for offset in set(apart.tolist())}
        expected.append((first, second, min(at for at, count in votes.items() if count == max(votes.values()))))
    for size in (2**21, 1000, 7):
        monkeypatch.setattr(candidates, "_CHUNK", size)
        assert list(candidates.candidates(clips)) == expected
