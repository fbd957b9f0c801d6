"""Spectral features against librosa, closed forms and their formulae; digital silence; librosa's own steps."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest

from gmmaudio.errors import DataError
from gmmaudio.features.extract import extract
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.librosa_steps import LibrosaConstantQ, LibrosaTempo
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.spectral import FEATURES, Spectral
from gmmaudio.features.vad import EnergyVad
from tests.test_mfcc import noise, real

N_FFT, HOP = 2048, 512

# Hz, Hz, Hz; power; crossings; full scale; dB; share of the loudest.
TOLERANCES = {
    "centroid": 0.02,
    "bandwidth": 0.02,
    "rolloff": 1e-3,
    "flatness": 1e-5,
    "zero_crossings": 1e-7,
    "rms": 1e-6,
    "contrast": 1e-3,
    "chroma": 1e-5,
}


def plain(rate: int, **changes: object) -> Mfcc:
    """librosa's spectrum: a periodic hann window and nothing else; whole frames."""
    base = Mfcc(rate=rate, window=0.0, hop=HOP / rate, n_fft=N_FFT, shape="hann", periodic=True)
    return replace(base, preemphasis=0.0, remove_mean=False, scale=1.0, **changes)


def found(samples: np.ndarray, rate: int, *features: str) -> np.ndarray:
    spectral = Spectral(features or tuple(FEATURES))
    return extract(plain(rate).framing, (spectral,), (samples,))[0][0]


def by_librosa(feature: str, samples: np.ndarray, rate: int) -> np.ndarray:
    magnitudes = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP, center=False))
    frames = {"frame_length": N_FFT, "hop_length": HOP, "center": False}
    answer = {
        "centroid": lambda: librosa.feature.spectral_centroid(S=magnitudes, sr=rate),
        "bandwidth": lambda: librosa.feature.spectral_bandwidth(S=magnitudes, sr=rate),
        "rolloff": lambda: librosa.feature.spectral_rolloff(S=magnitudes, sr=rate),
        "flatness": lambda: librosa.feature.spectral_flatness(S=magnitudes),
        "zero_crossings": lambda: librosa.feature.zero_crossing_rate(samples, **frames),
        "rms": lambda: librosa.feature.rms(y=samples, **frames),
        "contrast": lambda: librosa.feature.spectral_contrast(S=magnitudes, sr=rate),
        "chroma": lambda: librosa.feature.chroma_stft(S=magnitudes**2, sr=rate, tuning=0.0),
    }
    return answer[feature]().T


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
@pytest.mark.parametrize("name", ["noise", "speech", "song", "orchestra"])
@pytest.mark.parametrize("feature", TOLERANCES)
def test_each_feature_is_librosa_s(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, feature: str, name: str, rate: int
) -> None:
    # librosa lifts peaks and valleys to 80 dB below the clip's loudest; ours depend on their own frame only.
    unfloored = functools.partial(librosa.power_to_db, top_db=None)
    monkeypatch.setattr("librosa.feature.spectral.power_to_db", unfloored)
    samples = noise(2.0, rate) if name == "noise" else real(request.getfixturevalue("real_data"), name, rate)
    ours, theirs = found(samples, rate, feature), by_librosa(feature, samples, rate)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCES[feature])


def test_flux_is_its_formula() -> None:
    # Tzanetakis and Cook 2002, section II-A: the sum of squared differences of normalised magnitudes.
    samples = noise(1.0, 22050)
    magnitudes = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP, center=False)).astype(np.float64)
    magnitudes /= np.linalg.norm(magnitudes, axis=0)
    expected = np.square(np.diff(magnitudes, axis=1)).sum(axis=0)
    flux = found(samples, 22050, "flux")[:, 0]
    assert flux[0] == 0  # nothing came before
    np.testing.assert_allclose(flux[1:], expected, atol=1e-5)


def test_flux_of_a_steady_tone_and_of_a_jump() -> None:
    t = np.arange(22016)  # 43 hops, whole periods in each
    low, high = np.sin(2 * np.pi * t * 16 / HOP), np.sin(2 * np.pi * t * 80 / HOP)
    flux = found(np.concatenate([low, high]).astype(np.float32), 22050, "flux")[:, 0]
    assert flux[:39].max() < 1e-6
    assert 0.5 < flux[39:44].sum() < 2.5  # from one tone to another: 2 in one step, less in several


def test_a_tone_by_hand() -> None:
    t = np.arange(22050)
    values = found((0.5 * np.sin(2 * np.pi * 440 * t / 22050)).astype(np.float32), 22050)
    row = dict(zip(FEATURES, values[10, :7], strict=False))
    bin_width = 22050 / N_FFT
    assert row["centroid"] == pytest.approx(440, abs=bin_width)
    assert row["rolloff"] == pytest.approx(440, abs=2 * bin_width)
    assert row["flatness"] < 1e-4
    assert row["zero_crossings"] == pytest.approx(2 * 440 / 22050, abs=1 / N_FFT)
    assert row["rms"] == pytest.approx(0.5 / np.sqrt(2), abs=2e-3)
    assert values[10, -12:].argmax() == 9  # A is nine semitones above C
    assert values[10, -12:].max() == 1


def test_the_scale_and_the_stream_change_nothing() -> None:
    samples, spectral = noise(1.0, 22050), Spectral()
    for scale in (1.0, 32768.0):
        framing = replace(plain(22050).framing, scale=scale)
        ((values,), _) = extract(framing, (spectral,), (samples,))
        ((again,), _) = extract(framing, (spectral,), np.split(samples, 147))
        np.testing.assert_allclose(values, found(samples, 22050), rtol=1e-4, atol=1e-4)
        assert (values == again).all()


def test_digital_silence_is_finite_and_sensible() -> None:
    values = found(np.zeros(22050, np.float32), 22050)
    expected = np.zeros(values.shape[1])
    expected[list(FEATURES).index("flatness")] = 1  # as in librosa: all bins are at the floor
    np.testing.assert_allclose(values, np.tile(expected, (len(values), 1)), atol=1e-5)
    # and again after sound, whose spectrum the flux still has before it
    half = found(np.concatenate([noise(1.0, 22050), np.zeros(22050, np.float32)]), 22050)
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half[-5:], np.tile(expected, (5, 1)), atol=1e-5)


def test_features_stand_in_the_order_asked_for() -> None:
    samples = noise(0.5, 22050)
    both = found(samples, 22050, "rms", "centroid")
    assert (both[:, :1] == found(samples, 22050, "rms")).all()
    assert (both[:, 1:] == found(samples, 22050, "centroid")).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"features": ("loudness",)}, "of centroid, bandwidth"),
        ({"features": ()}, "each at most once"),
        ({"features": ("rms", "rms")}, "each at most once"),
        ({"rolloff": 1.5}, "rolloff 1.5"),
        ({"bands": 0}, "bands 0"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        Spectral(**settings)
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize("mfcc", [Mfcc(rate=8000), Mfcc(rate=22050, window=0.002)])
def test_spectra_too_coarse_or_too_low_for_the_contrast(mfcc: Mfcc) -> None:
    with pytest.raises(DataError, match="too few bins between") as caught:
        FrontEnd(mfcc, spectral=Spectral())
    assert "fewer bands" in caught.value.hint
    assert FrontEnd(mfcc, spectral=Spectral(features=("centroid",))).dimension == 14


def test_librosa_s_own_beside_the_mfcc() -> None:
    rate = 22050
    t = np.arange(8 * rate)
    clicks = np.where(t % (rate // 2) < 400, np.sin(2 * np.pi * 440 * t / rate), 0).astype(np.float32)  # 120 a minute
    front_end = FrontEnd(
        Mfcc(rate=rate), EnergyVad(threshold=-100.0), whole=(LibrosaTempo(), LibrosaConstantQ(octaves=6))
    )
    frames = front_end.from_blocks(np.split(clicks, 3))
    assert frames.values.shape[1] == front_end.dimension == 13 + 1 + 12
    assert frames.values[:, 13] == pytest.approx(120, rel=0.05)
    click = int(np.argmax(frames.values[:, 0] > frames.values[:, 0].max() - 1))
    assert frames.values[click, 14:].argmax() == 9  # A


def test_no_preset_imports_librosa() -> None:
    assert not any(front_end.whole for front_end in PRESETS.values())
    program = (
        "import sys, numpy as np; from gmmaudio.features.frontend import PRESETS\n"
        "for p in PRESETS.values(): p.from_blocks([np.sin(np.arange(40000, dtype=np.float32))])\n"
        "assert not {'librosa', 'sklearn', 'scipy.signal', 'joblib'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent.parent)
