"""Voice activity: Kaldi's rule against a written-out loop; two levels on bursts at known places and real clips."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.corpus.audio import read_clip
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import FrontEnd, front_end_from
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.vad import EnergyVad, MixtureVad

RATE = 8000


def test_vad_is_kaldi_s_rule() -> None:
    energy = np.array([10.0, 20, 30], np.float32)
    # 5.5 + 0.5 * 20 = 15.5
    assert EnergyVad(5.5, 0.5)(energy).tolist() == [False, True, True]


def by_kaldi_s_loop(energy: np.ndarray, rule: EnergyVad) -> list[bool]:
    """ComputeVadEnergy of ivector/voice-activity-detection.cc, which counts in float32."""
    threshold = rule.threshold + rule.mean_scale * float(energy.astype(np.float64).mean())
    voiced = []
    for t in range(len(energy)):
        count = total = 0
        for other in range(t - rule.context, t + rule.context + 1):
            if 0 <= other < len(energy):
                total += 1
                count += bool(energy[other] > threshold)
        voiced.append(bool(np.float32(count) >= np.float32(total) * np.float32(rule.proportion)))
    return voiced


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-15, 25, width=32), min_size=1, max_size=60),
    st.integers(0, 9),
    st.sampled_from([0.12, 0.5, 0.6, 0.9]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_context_is_kaldi_s(energy: list[float], context: int, proportion: float, scale: float) -> None:
    rule = EnergyVad(5.5, scale, context, proportion)
    values = np.array(energy, np.float32)
    assert rule(values).tolist() == by_kaldi_s_loop(values, rule)


def test_without_context_the_proportion_does_not_matter() -> None:
    energy = np.array([1, 8, 3, 9, 9], np.float32)
    for proportion in (0.01, 0.99):
        assert EnergyVad(proportion=proportion)(energy).tolist() == [False, True, False, True, True]


def energies(samples: np.ndarray) -> np.ndarray:
    return Mfcc(rate=RATE, n_mels=23)(samples.astype(np.float32))[1]


def steady(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def bursts(noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """20 s of noise with voiced bursts, 4 to 6 syllables a second, and which samples are within one."""
    generator = np.random.default_rng(seed)
    samples, inside, at = steady(20, noise, seed), np.zeros(20 * RATE, bool), 0
    while (at := at + round(generator.uniform(0.3, 1.5) * RATE)) < len(samples):
        t = np.arange(min(round(generator.uniform(0.3, 2.0) * RATE), len(samples) - at)) / RATE
        pitch, pace = generator.uniform(90, 250), generator.uniform(4, 6)
        voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 9))
        samples[at : at + len(t)] += (
            0.1 * voice * (0.6 + 0.4 * np.cos(2 * np.pi * pace * t)) * generator.uniform(0.5, 1)
        )
        inside[at : at + len(t)] = True
        at += len(t)
    return samples, inside


# The bursts are 53, 33, 24 and 13 dB above the noise; at 13 dB the dips between syllables drown in it.
@pytest.mark.parametrize(
    ("noise", "context", "allowed"),
    [(1e-4, 0, 0.01), (1e-3, 0, 0.01), (3e-3, 0, 0.02), (1e-2, 0, 0.15), (1e-2, 5, 0.1)],
)
@pytest.mark.parametrize("seed", range(3))
def test_bursts_are_found_in_noise_where_they_are(noise: float, context: int, allowed: float, seed: int) -> None:
    samples, inside = bursts(noise, seed)
    found = MixtureVad(context=context, proportion=0.5)(energies(samples))
    windows = np.lib.stride_tricks.sliding_window_view(inside, 200)[::80]
    clear = windows.all(axis=1) | ~windows.any(axis=1)  # frames that lie on an edge may go either way
    wrong = found[clear] != windows[clear, 0]
    assert wrong.mean() < allowed
    quarter = np.roll(found, len(found) // 4)  # the measure can fail
    assert (quarter[clear] != windows[clear, 0]).mean() > 0.2


@pytest.mark.parametrize("level", [1e-4, 1e-3, 1e-2, 0.3])
@pytest.mark.parametrize("seconds", [0.03, 0.3, 3, 30])
def test_steady_noise_is_one_level_and_all_voiced(seconds: float, level: float) -> None:
    assert MixtureVad()(energies(steady(seconds, level))).all()


def test_a_click_in_noise_is_not_a_level() -> None:
    samples = steady(5, 1e-3)
    samples[20000:20100] += 0.5
    assert MixtureVad()(energies(samples)).all()


def test_the_threshold_is_where_two_known_levels_are_equally_likely() -> None:
    """Closed form for a shared variance v: the middle, moved by v log(w1 / w2) / (m2 - m1) towards the rarer."""
    generator = np.random.default_rng(0)
    for rare, expected in ((0.5, 13.0), (0.1, 13 + np.log(9) / 6)):
        loud = generator.random(50_000) < rare
        energy = generator.normal(np.where(loud, 16, 10), 1.0).astype(np.float32)
        voiced = MixtureVad()(energy)
        assert energy[voiced].min() == pytest.approx(expected, abs=0.1)
        assert energy[~voiced].max() == pytest.approx(expected, abs=0.1)


def test_digital_silence_is_never_voiced_and_does_not_count_as_the_quiet_level() -> None:
    samples = np.concatenate([np.zeros(RATE), steady(1, 0.01), np.zeros(3 * RATE), steady(1, 0.02, 1)])
    found = MixtureVad(context=5, proportion=0.1)(energies(samples))
    loud = np.convolve(samples != 0, np.ones(200), "valid")[::80] > 0
    assert found.tolist() == loud.tolist()
    assert not MixtureVad()(energies(np.zeros(RATE))).any()


def test_the_level_of_a_recording_does_not_matter() -> None:
    samples, _ = bursts(1e-3, 0)
    found, quieter = MixtureVad()(energies(samples)), MixtureVad()(energies(samples / 8))
    np.testing.assert_array_equal(found, quieter)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-16, 30, width=32), min_size=0, max_size=300),
    st.integers(0, 3),
    st.sampled_from([0.5, 2.0, 5.0]),
)
def test_any_energies_get_an_answer(energy: list[float], context: int, separation: float) -> None:
    values = np.array(energy, np.float32)
    found = MixtureVad(separation=separation, context=context)(values)
    assert found.shape == values.shape
    assert found.dtype == bool
    assert not found[values <= 7].any()
    if context == 0 and (values > 7).any():  # the louder are voiced, and there always are some
        assert found.any()
        assert values[found].min() > values[(values > 7) & ~found].max(initial=-np.inf)


def test_real_speech(real_data: Path) -> None:
    """What is called speech is louder than the rest, and is some of the clip: between a fifth and all of it."""
    with (real_data / "lid/manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::30]
    shares = []
    for row in rows:
        energy = energies(read_clip(real_data / "lid" / row["path"], RATE).samples)
        voiced = MixtureVad()(energy)
        shares.append(voiced.mean())
        assert voiced.all() or energy[voiced].mean() > energy[~voiced].mean() + 2
    assert len(shares) > 20
    assert min(shares) > 0.2
    assert 0.5 < np.median(shares) < 0.95


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EnergyVad(context=-1), "context -1"),
        (lambda: EnergyVad(context=10**6), "0 to 1000"),
        (lambda: EnergyVad(proportion=1.0), "between 0 and 1"),
        (lambda: EnergyVad(mean_scale=-0.5), "0 or more"),
        (lambda: MixtureVad(separation=0.0), "more than 0"),
        (lambda: MixtureVad(proportion=0.0), "between 0 and 1"),
    ],
)
def test_settings_that_make_no_sense(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words) as caught:
        make()
    assert caught.value.code == "bad_setting"


def test_a_front_end_says_which_rule_and_without_a_type_it_is_the_energy() -> None:
    found = front_end_from({"vad": {"type": "mixture", "context": 3}})
    assert found == FrontEnd(vad=MixtureVad(context=3))
    assert front_end_from(found.as_dict()) == found
    assert front_end_from({"vad": {"threshold": 5.5, "mean_scale": 0.5}}).vad == EnergyVad(5.5, 0.5)
    with pytest.raises(DataError, match="known are energy, mixture"):
        front_end_from({"vad": {"type": "neural"}})
    with pytest.raises(DataError, match="has no setting 'separations'"):
        front_end_from({"vad": {"type": "mixture", "separations": 3.0}})
