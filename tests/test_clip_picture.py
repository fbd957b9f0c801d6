"""The picture of a clip: what is drawn, from tenths of a second to an hour."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from gmmaudio.corpus.audio import Clip, read_clip
from gmmaudio.errors import ClipError, DataError
from gmmaudio.evaluate.clip_picture import COLUMNS, clip_figure, clip_picture
from gmmaudio.features.frontend import PRESETS

SPEECH = PRESETS["speech"]  # 8000 Hz, a hop of 10 ms


def noise(seconds: float, rate: int = 8000) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


def spectrogram(figure: Figure) -> AxesImage:
    return figure.axes[1].images[0]


def test_a_sine_of_full_scale_is_0_db_at_its_frequency() -> None:
    clip = Clip(np.sin(2 * np.pi * 1000 * np.arange(16000) / 8000).astype(np.float32), 8000)
    image = spectrogram(clip_figure(clip, SPEECH))
    levels = np.asarray(image.get_array())
    peak = levels.mean(axis=1).argmax()
    left, right, low, high = image.get_extent()
    assert levels[peak] == pytest.approx(0, abs=0.01)  # 1000 Hz is a multiple of 8000 / 256: exactly on a bin
    assert low + (peak + 0.5) * (high - low) / len(levels) == pytest.approx(1.0, abs=0.02)
    assert left == pytest.approx(0.016)  # half a window of 32 ms
    assert right == pytest.approx(2 - 0.016)


def test_an_event_is_where_it_was() -> None:
    samples = 1e-3 * noise(4)
    samples[24000:24040] = 0.5  # at 3 s
    figure = clip_figure(Clip(samples, 8000), SPEECH)
    bands, energies = spectrogram(figure), figure.axes[2].images[0]  # the first coefficient follows the energy
    for image, loudness in ((bands, np.asarray(bands.get_array()).sum(axis=0)), (energies, energies.get_array()[0])):
        left, right, _, _ = image.get_extent()
        found = left + (loudness.argmax() + 0.5) * (right - left) / len(loudness)
        assert found == pytest.approx(3.0025, abs=0.02)


def test_the_waveform_keeps_its_extremes() -> None:
    samples = noise(60)
    samples[123_457], samples[400_001] = 0.9, -0.8
    outline = clip_figure(Clip(samples, 8000), SPEECH).axes[0].collections[0].get_paths()[0].vertices
    assert outline[:, 1].max() == pytest.approx(0.9)
    assert outline[:, 1].min() == pytest.approx(-0.8)
    assert outline[outline[:, 1].argmax(), 0] == pytest.approx(123_457 / 8000, abs=60 / COLUMNS)


def test_unvoiced_stretches_are_shaded() -> None:
    samples = noise(4)
    samples[8000:24000] = 0  # from 1 s to 3 s
    figure = clip_figure(Clip(samples, 8000), SPEECH)
    for axes, strength in ((figure.axes[0], 1.0), (figure.axes[2], 0.75)):
        layer = axes.images[-1]
        shade = np.asarray(layer.get_array())[0, :, 3]
        left, right, _, _ = layer.get_extent()
        times = left + (np.arange(len(shade)) + 0.5) * (right - left) / len(shade)
        np.testing.assert_allclose(shade[np.abs(times - 2) < 0.97], strength)
        np.testing.assert_allclose(shade[np.abs(times - 2) > 1.03], 0)


def test_what_is_shown_comes_before_any_step() -> None:
    clip = Clip(noise(2), 8000)
    values = np.asarray(clip_figure(clip, SPEECH).axes[2].images[0].get_array())
    frames = replace(SPEECH, steps=())(clip).values
    assert values.shape == frames.T.shape
    np.testing.assert_allclose(values, ((frames - frames.mean(axis=0)) / frames.std(axis=0)).T, atol=1e-3)


@pytest.mark.parametrize("seconds", [0.025, 0.03, 0.1, 0.7, 30, 300])
def test_any_length_fits_into_the_columns(seconds: float) -> None:
    figure = clip_figure(Clip(noise(seconds), 8000), SPEECH)
    for axes in figure.axes[:3]:
        assert axes.get_xlim() == pytest.approx((0, seconds))
        for image in axes.images:
            assert 1 <= np.asarray(image.get_array()).shape[1] <= COLUMNS
            assert np.isfinite(np.asarray(image.get_array())).all()
    wave = figure.axes[0]
    assert sum(len(line.get_xdata()) for line in wave.lines) <= COLUMNS
    assert sum(len(path.vertices) for c in wave.collections for path in c.get_paths()) <= 2 * COLUMNS + 3


def memory(seconds: float) -> float:
    """Megabytes that drawing takes at most, beside the clip itself."""
    clip = Clip(noise(seconds), 8000)
    tracemalloc.start()
    clip_figure(clip, SPEECH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def test_memory_grows_by_the_frames_only() -> None:
    # 540 s more are 54 000 frames of 10 coefficients, 2.1 MB; a copy of the samples would be 16.5 MB.
    assert memory(600) - memory(60) < 8


@pytest.mark.long
def test_an_hour() -> None:
    assert memory(3600) < 100


def test_silence_has_a_picture_too() -> None:
    figure = clip_figure(Clip(np.zeros(8000, np.float32), 8000), SPEECH)
    assert np.asarray(figure.axes[0].images[0].get_array())[0, :, 3].tolist() == [1.0]
    assert [text.get_text() for text in figure.axes[2].texts] == ["silence"]
    assert "0 % voiced" in figure.get_suptitle()


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_the_kind_of_file_goes_by_its_suffix(tmp_path: Path, suffix: str, magic: bytes) -> None:
    clip_picture(Clip(noise(1), 8000, Path("a$b$\n.wav")), SPEECH, tmp_path / f"clip{suffix}")
    assert (tmp_path / f"clip{suffix}").read_bytes().startswith(magic)


def test_the_title_names_the_file() -> None:
    figure = clip_figure(Clip(noise(1.5), 8000, Path("folder/a$b$\n.wav")), SPEECH)
    assert figure.get_suptitle() == "a$b$?.wav   1.5 s at 8000 Hz, 100 % voiced"


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.bmp'") as suffix:
        clip_picture(Clip(noise(1), 8000), SPEECH, tmp_path / "clip.bmp")
    assert suffix.value.code == "picture_format"
    with pytest.raises(DataError, match="hears 8000 Hz") as rate:
        clip_figure(Clip(noise(1, 16000), 16000), SPEECH)
    assert rate.value.code == "wrong_rate"
    with pytest.raises(ClipError) as short:
        clip_figure(Clip(noise(0.02), 8000), SPEECH)
    assert short.value.code == "too_short"


def test_a_real_clip(real_data: Path, tmp_path: Path) -> None:
    clip = read_clip(real_data / "fsdd/recordings/3_lucas_0.wav", 8000)
    clip_picture(clip, PRESETS["language"], tmp_path / "clip.png")
    assert (tmp_path / "clip.png").stat().st_size > 20_000
