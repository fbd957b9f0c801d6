"""MFCC and log-mel energies against kaldi-native-fbank, librosa and a written-out definition."""

from __future__ import annotations

import warnings
from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gmmaudio
from gmmaudio.corpus.audio import read_clip
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.dialects import DIALECTS
from gmmaudio.features.mel import filters, slaney, slaney_hertz
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.spectrum import WINDOWS, window_of

RATES = [8000, 16000, 22050, 44100]
CLIPS = {
    "digit": "fsdd/recordings/7_nicolas_3.wav",
    "speech": "lid/de",
    "song": "music/song_rock",
    "orchestra": "music/orchestral",
}


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Coloured noise with a slow swell, an offset and a tone; never so quiet that the tone's rounding shows."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    colour = np.convolve(generator.standard_normal(len(t)), np.hanning(9), mode="same") * 0.02
    return (colour * (1.5 + np.sin(3 * t)) + 0.1 * np.sin(2 * np.pi * 440 * t) + 0.01).astype(np.float32)


def real(folder: Path, name: str, rate: int) -> np.ndarray:
    """Up to 5 s of a real recording at a rate, in 16 bits as both references read it from a file."""
    path = folder / CLIPS[name]
    clip = read_clip(path if path.is_file() else sorted(path.iterdir())[0], rate)
    return (np.round(clip.samples[: 5 * rate] * 32768) / 32768).astype(np.float32)


def written_out(samples: np.ndarray, m: Mfcc) -> np.ndarray:
    """The definition in float64, one frame and one filter at a time (HTK Book, Kaldi's feature-window.cc)."""
    width, hop = m.window_samples, m.hop_samples
    n_fft = 2 ** int(np.ceil(np.log2(width)))
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / (width - 1))) ** 0.85
    to_mel = lambda f: 1127 * np.log(1 + f / 700)  # noqa: E731
    edges = np.linspace(to_mel(m.low), to_mel(m.top), m.n_mels + 2)
    rows = []
    for start in range(0, len(samples) - width + 1, hop):
        frame = samples[start : start + width].astype(np.float64) * 32768
        frame = frame - frame.mean()
        before = np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.fft((frame - m.preemphasis * before) * window, n_fft)) ** 2
        logs = []
        for left, middle, right in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            energy = 0.0
            for k in range(n_fft // 2):
                f = to_mel(k * m.rate / n_fft)
                if left < f < right:
                    energy += power[k] * (
                        (f - left) / (middle - left) if f <= middle else (right - f) / (right - middle)
                    )
            logs.append(np.log(max(energy, np.finfo(np.float32).eps)))
        row = []
        for n in range(m.n_mfcc):
            scale = np.sqrt((1 if n == 0 else 2) / m.n_mels)
            basis = np.cos(np.pi * n * (np.arange(m.n_mels) + 0.5) / m.n_mels)
            row.append(scale * (basis @ logs) * (1 + m.lifter / 2 * np.sin(np.pi * n / m.lifter)))
        rows.append(row)
    return np.array(rows)


def kaldi(samples: np.ndarray, m: Mfcc) -> np.ndarray:
    """kaldi-native-fbank's answer, without dither."""
    logs = m.output == "log_mel"
    options = kaldi_native_fbank.FbankOptions() if logs else kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = m.rate
    options.mel_opts.num_bins = m.n_mels
    options.mel_opts.low_freq, options.mel_opts.high_freq = m.low, m.high
    if not logs:
        options.num_ceps, options.use_energy = m.n_mfcc, m.energy
    extractor = kaldi_native_fbank.OnlineFbank(options) if logs else kaldi_native_fbank.OnlineMfcc(options)
    extractor.accept_waveform(m.rate, (samples * 32768).tolist())
    extractor.input_finished()
    return np.array([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])


def by_librosa(samples: np.ndarray, rate: int, cepstra: bool, **settings: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of filters without a bin, at 8 kHz
        if cepstra:
            return librosa.feature.mfcc(y=samples, sr=rate, **settings).T
        return librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate, **settings)).T


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_mfcc_is_its_written_out_definition(rate: int) -> None:
    m = Mfcc(rate=rate, n_mels=23)
    samples = noise(0.5, rate)
    np.testing.assert_allclose(m(samples)[0], written_out(samples, m), atol=3e-3)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("energy", [False, True])
def test_noise_by_kaldi_s_definition(rate: int, energy: bool) -> None:
    m = Mfcc(rate=rate, n_mels=40 if rate > 8000 else 23, energy=energy)
    samples = noise(2.0, rate, seed=1)
    np.testing.assert_allclose(m(samples)[0], kaldi(samples, m), atol=3e-3)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", CLIPS)
def test_recordings_by_kaldi_s_definition(real_data: Path, name: str, rate: int) -> None:
    samples = real(real_data, name, rate)
    m = Mfcc(rate=rate, n_mels=23)
    logs = Mfcc(rate=rate, n_mels=23, output="log_mel")
    expected = kaldi(samples, logs)
    np.testing.assert_allclose(logs(samples)[0], expected, atol=3e-3)
    # In a frame or two the quietest filter lies 90 dB below the loudest. There the float32 of either is 1e-3 off the
    # exact logarithm, and the lifter multiplies that by up to 12.
    error = np.abs(m(samples)[0] - kaldi(samples, m)).max(axis=1)
    assert np.quantile(error, 0.99) <= 3e-3
    assert error.max() <= 6e-3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", [*CLIPS, "noise"])
def test_librosa_s_definition_with_its_floor_on(request: pytest.FixtureRequest, name: str, rate: int) -> None:
    samples = noise(2.0, rate) if name == "noise" else real(request.getfixturevalue("real_data"), name, rate)
    short = {"n_fft": 512, "n_mels": 40}
    expected = by_librosa(samples, rate, True, n_mfcc=13, hop_length=round(0.01 * rate), win_length=400, **short)
    found = gmmaudio.mfcc(samples, rate, "librosa", window=400 / rate, hop=0.01, **short)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    expected = by_librosa(samples, rate, False, hop_length=128, fmin=50.0, fmax=3800.0, **short)
    found = gmmaudio.log_mel(samples, rate, "librosa", low=50.0, high=3800.0, **short)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    if len(samples) >= 2048:  # librosa pads what is shorter; here it is an error
        found = gmmaudio.mfcc(samples, rate, "librosa", n_mfcc=20)
        np.testing.assert_allclose(found, by_librosa(samples, rate, True), atol=1e-3)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"lifter": 22.0}, {"lifter": 22}),
        ({"power": 1.0}, {"power": 1.0}),
        ({"mel": "htk", "norm": "height"}, {"htk": True, "mel_norm": None}),
        ({"shape": "hamming"}, {"window": "hamming"}),
        ({"centred": False}, {"center": False}),
    ],
)
def test_each_choice_is_librosa_s(ours: dict, theirs: dict) -> None:
    samples = noise(1.0, 22050)
    found = gmmaudio.mfcc(samples, 22050, "librosa", n_mfcc=20, **ours)
    np.testing.assert_allclose(found, by_librosa(samples, 22050, True, **theirs), atol=1e-3)


def test_the_loudest_of_the_clip_sets_librosa_s_floor() -> None:
    quiet = np.random.default_rng(0).standard_normal(22050) * 1e-5
    loud = np.random.default_rng(1).standard_normal(22050)
    samples = np.concatenate([quiet, loud]).astype(np.float32)
    logs = gmmaudio.log_mel(samples, 22050, "librosa")
    assert logs.min() == logs.max() - np.float32(80)  # 100 dB lie between the halves
    np.testing.assert_allclose(logs, by_librosa(samples, 22050, False), atol=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    # 8000 Hz in an FFT of 256: bins at 93.75 and 125 Hz, 31.25 Hz apart.
    [(90, 110, True), (93.75, 125.0, False), (94, 124, False), (93.7, 125, True), (0, 31.25, False), (0, 31.3, True),
     (3960, 4000, True), (3968.75, 4000, False), (93.75 - 1e-4, 93.75 + 1e-4, True)],
)  # fmt: skip
def test_filters_need_a_bin_of_the_spectrum(low: float, high: float, holds: bool) -> None:
    bank = filters(8000, 256, 23, low, high)
    assert np.isfinite(bank).all()
    assert bank.any() == holds
    if holds:
        assert Mfcc(rate=8000, low=low, high=high).framing.n_fft == 256
    else:
        with pytest.raises(DataError, match=r"hold no bin of the spectrum: they are 31\.25 Hz apart"):
            Mfcc(rate=8000, low=low, high=high)


def test_no_filter_lies_above_half_the_rate() -> None:
    with pytest.raises(DataError, match=r"0 <= low < high <= 4000\.0"):
        Mfcc(rate=8000, low=20, high=4000.001)


def test_edges_without_numbers_between_them_are_refused() -> None:
    with pytest.raises(DataError, match="a millionth apart"):
        Mfcc(rate=8000, low=93.75 - 1e-13, high=93.75 + 1e-13)


def test_slaney_s_scale_is_librosa_s() -> None:
    hertz = np.array([0.0, 60, 999, 1000, 1001, 4000, 22050])
    np.testing.assert_allclose(slaney(hertz), librosa.hz_to_mel(hertz), rtol=1e-12)
    np.testing.assert_allclose(slaney_hertz(slaney(hertz)), hertz, atol=1e-9)


@pytest.mark.parametrize("shape", sorted(set(WINDOWS) - {"povey"}))
@pytest.mark.parametrize("periodic", [False, True])
def test_windows_are_scipy_s(shape: str, periodic: bool) -> None:
    from scipy.signal import get_window  # only the tests may

    expected = get_window("boxcar" if shape == "rectangular" else shape, 31, fftbins=periodic)
    np.testing.assert_allclose(window_of(shape, 31, periodic), expected, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 300), st.integers(1, 200))
def test_a_frame_depends_on_its_own_samples_only(start: int, count: int) -> None:
    m = Mfcc(rate=8000, n_mels=23)
    samples = noise(5.2, 8000)
    first, last = start * m.hop_samples, (start + count - 1) * m.hop_samples + m.window_samples
    part = m(samples[first:last])[0]
    whole = m(samples)[0][start : start + count]
    # Equal to float32 rounding (blocks fall differently), though the rest of the clip differs.
    np.testing.assert_allclose(part, whole, atol=1e-4)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_energy_is_on_the_16_bit_scale_whatever_the_dialect(dialect: str) -> None:
    from dataclasses import replace

    # A sine of amplitude 0.5 that fills a frame with whole periods: n/2 * (0.5 * 32768)^2.
    m = replace(DIALECTS[dialect], rate=8000, window=0.02, hop=0.01, n_fft=256, n_mels=23, n_mfcc=13)
    energy = m((0.3 + 0.5 * np.sin(2 * np.pi * 400 * np.arange(8000) / 8000)).astype(np.float32))[1]
    assert energy[50] == pytest.approx(np.log(160 / 2 * 16384**2), abs=1e-4)


def test_the_public_functions() -> None:
    samples = noise(1, 16000)
    assert gmmaudio.mfcc(samples, 16000).shape == (98, 13)
    assert gmmaudio.mfcc(samples, 16000).dtype == np.float32
    assert gmmaudio.log_mel(samples, 16000, n_mels=8).shape == (98, 8)
    whole = np.round(samples * 32768).astype(np.int16)
    np.testing.assert_allclose(gmmaudio.mfcc(whole, 16000), gmmaudio.mfcc(whole / np.float32(32768), 16000))


SECOND = np.zeros(16000) + 0.1 * np.sin(np.arange(16000))


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize(
    ("samples", "code", "words"),
    [
        (np.zeros(0), "empty_audio", "no samples"),
        (SECOND[:200], "too_short", "one window needs"),
        (np.where(np.arange(16000) == 3, np.nan, SECOND), "non_finite", "frame 3"),
        (np.where(np.arange(16000) == 3, np.inf, SECOND), "non_finite", "1 samples"),
        (SECOND * 1e30, "out_of_range", "full scale is 1"),
        (np.stack([SECOND, SECOND], axis=1), "bad_shape", r"mono \(m,\), got shape \(16000, 2\)"),
        (SECOND.astype(complex), "bad_array", "complex128"),
        ("recording.wav", "bad_shape", "mono"),
    ],
)
def test_arrays_that_cannot_be_used(dialect: str, samples: object, code: str, words: str) -> None:
    with pytest.raises((ClipError, DataError), match=words) as caught:
        gmmaudio.mfcc(samples, 16000, dialect)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"dialect": "klingon"}, "unknown_dialect", "known are kaldi, librosa"),
        ({"n_mel": 3}, "unknown_key", "did you mean 'n_mels'"),
        ({"n_fft": 401}, "bad_setting", "even"),
        ({"n_fft": 256}, "bad_setting", "n_fft 256 for a window of 400"),
        ({"n_mfcc": 50}, "bad_setting", "n_mfcc <= n_mels"),
        ({"power": 3.0}, "bad_setting", "allowed are 1.0, 2.0"),
        ({"floor": 0.0}, "bad_setting", "floor"),
        ({"energy": True, "output": "log_mel"}, "bad_setting", "log_mel output has none"),
        ({"window": 0.0}, "bad_setting", "or 0 with n_fft"),
        ({"hop": 0.0001}, "bad_setting", "a hop of"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, code: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        gmmaudio.mfcc(SECOND, 16000, **settings)
    assert caught.value.code == code
    assert words in str(caught.value)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_digital_silence_gives_finite_values(dialect: str) -> None:
    assert np.isfinite(gmmaudio.mfcc(np.zeros(16000), 16000, dialect)).all()
