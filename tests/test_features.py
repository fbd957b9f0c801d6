"""MFCC against a written-out definition and kaldi-native-fbank; the front end as a value."""

from __future__ import annotations

import kaldi_native_fbank
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gmmaudio
from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import ClipError, DataError, GmmaudioError
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import PRESETS, FrontEnd, front_end_from, preset
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.vad import EnergyVad


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Coloured noise with a slow swell, an offset and a tone; never so quiet that the tone's rounding shows."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    colour = np.convolve(generator.standard_normal(len(t)), np.hanning(9), mode="same") * 0.02
    return (colour * (1.5 + np.sin(3 * t)) + 0.1 * np.sin(2 * np.pi * 440 * t) + 0.01).astype(np.float32)


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


def by_kaldi(samples: np.ndarray, m: Mfcc) -> np.ndarray:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = m.rate
    options.mel_opts.num_bins = m.n_mels
    options.mel_opts.low_freq, options.mel_opts.high_freq = m.low, m.high
    options.num_ceps = m.n_mfcc
    options.use_energy = m.energy
    extractor = kaldi_native_fbank.OnlineMfcc(options)
    extractor.accept_waveform(m.rate, (samples * 32768).tolist())
    extractor.input_finished()
    return np.array([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_mfcc_is_its_written_out_definition(rate: int) -> None:
    m = Mfcc(rate=rate, n_mels=23)
    samples = noise(0.5, rate)
    np.testing.assert_allclose(m(samples)[0], written_out(samples, m), atol=3e-3)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("energy", [False, True])
def test_mfcc_is_kaldi_s(rate: int, energy: bool) -> None:
    m = Mfcc(rate=rate, n_mels=40 if rate > 8000 else 23, energy=energy)
    samples = noise(2.0, rate, seed=1)
    np.testing.assert_allclose(m(samples)[0], by_kaldi(samples, m), atol=3e-3)


def test_mfcc_of_real_speech_is_kaldi_s(real_data) -> None:  # type: ignore[no-untyped-def]
    from gmmaudio.corpus.audio import read_clip

    samples = read_clip(real_data / "fsdd/recordings/7_nicolas_3.wav", 8000).samples
    m = Mfcc(rate=8000, n_mels=23)
    np.testing.assert_allclose(m(samples)[0], by_kaldi(samples, m), atol=3e-3)


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


def test_the_public_function() -> None:
    samples = noise(1, 16000)
    assert gmmaudio.mfcc(samples, 16000).shape == (98, 13)
    assert gmmaudio.mfcc(samples, 16000).dtype == np.float32
    with pytest.raises(ClipError, match="one window needs 25.0 ms") as caught:
        gmmaudio.mfcc(samples[:100], 16000)
    assert caught.value.code == "too_short"
    with pytest.raises(ClipError) as spoiled:
        gmmaudio.mfcc(np.where(np.arange(16000) == 3, np.nan, samples), 16000)
    assert spoiled.value.code == "non_finite"
    whole = np.round(samples * 32768).astype(np.int16)
    np.testing.assert_allclose(gmmaudio.mfcc(whole, 16000), gmmaudio.mfcc(whole / np.float32(32768), 16000))
    with pytest.raises(DataError, match="known is kaldi"):
        gmmaudio.mfcc(samples, 16000, dialect="klingon")
    with pytest.raises(DataError, match="mono"):
        gmmaudio.mfcc(np.zeros((100, 2)), 16000)


def test_digital_silence_is_not_voiced_and_a_whole_clip_of_it_an_error() -> None:
    samples = np.concatenate([noise(1, 8000), np.zeros(8000, np.float32)])
    frames = PRESETS["speech"](Clip(samples, 8000, None, ()))
    assert frames.voiced[:90].all()
    assert not frames.voiced[-90:].any()
    with pytest.raises(ClipError) as caught:
        PRESETS["speech"](Clip(np.zeros(8000, np.float32), 8000, None, ()))
    assert caught.value.code == "silence"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_say_how_wide_they_are_and_survive_a_round_trip(name: str) -> None:
    front_end = preset(name)
    frames = front_end(Clip(noise(1, front_end.rate), front_end.rate, None, ()))
    assert frames.values.shape[1] == front_end.dimension
    assert np.isfinite(frames.values).all()
    assert front_end_from(front_end.as_dict()) == front_end


def test_a_front_end_from_toml(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    file.write_text('[mfcc]\nrate = 8000\nhigh = 3700\n[[steps]]\ntype = "deltas"\norder = 1\n')
    assert preset(str(file)) == FrontEnd(Mfcc(rate=8000, high=3700.0), EnergyVad(), (Deltas(order=1),))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[mfcc]\nrat = 8000", "unknown_key", "did you mean 'rate'"),
        ("[mfc]\n", "unknown_key", "did you mean 'mfcc'"),
        ('[mfcc]\nrate = "fast"', "bad_setting", "must be int, got 'fast'"),
        ("[mfcc]\nrate = 10", "bad_setting", "4000 to 384000"),
        ("[mfcc]\nn_mels = 1000000000", "bad_setting", "<= 512"),
        ("[mfcc]\nwindow = nan", "bad_setting", "window"),
        ("[mfcc]\nlow = 5000\nrate = 8000", "bad_setting", "mel filters from"),
        ('[mfcc]\nshape = "square"', "bad_setting", "allowed are"),
        ('[[steps]]\ntype = "magic"', "bad_setting", "known are"),
        ('[[steps]]\ntype = "deltas"\norder = 99', "bad_setting", "1 to 4"),
        ("steps = 3", "bad_setting", "list of tables"),
        ("[mfcc", "bad_toml", "is not TOML"),
    ],
)
def test_a_front_end_that_makes_no_sense(tmp_path, text: str, code: str, words: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        preset(str(file))
    assert caught.value.code == code
    assert words in str(caught.value)


def test_unknown_presets() -> None:
    with pytest.raises(DataError, match="known are general"):
        preset("jazz")
    with pytest.raises(DataError, match="there is no file"):
        preset("missing.toml")


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["mfcc", "steps", "vad", "rate", "type", "order", "x"]), inner, max_size=3
            )
        ),
        max_leaves=10,
    ).map(lambda value: value if isinstance(value, dict) else {"mfcc": value, "steps": [value]})
)
def test_any_plain_values_are_a_front_end_or_a_coded_error(values: dict) -> None:
    try:
        front_end_from(values)
    except GmmaudioError as error:
        assert error.code in ("unknown_key", "bad_setting")
