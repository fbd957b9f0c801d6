"""What PyAV reads: m4a, aac, wma, mp4, mkv and webm, made here with PyAV itself from a known tone.

The tone, at its known place, is the expected value.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gmmaudio.corpus.audio import Clip, read_clip
from gmmaudio.corpus.av_decoder import _samples
from gmmaudio.errors import ClipError

Array = np.ndarray

RATE = 44100
SECONDS = 3.0

# Extension, PyAV's name of the container, codec, and the delay in seconds that a reader cannot know: bare AAC does not
# say what its encoder put before, and FFmpeg's WMA decoder drops two blocks, of which its encoder fills one.
KINDS = [
    ("m4a", "ipod", "aac", 0.0),
    ("mp4", "mp4", "aac", 0.0),
    ("mov", "mov", "pcm_s16le", 0.0),
    ("aac", "adts", "aac", 1024 / RATE),
    ("wma", "asf", "wmav2", -2048 / RATE),
    ("mkv", "matroska", "aac", 0.0),
    ("mka", "matroska", "pcm_s16le", 0.0),
    ("webm", "webm", "libopus", 0.0),
]


def tone(seconds: float = SECONDS, rate: int = RATE) -> Array:
    """It rises from 200 to 2000 Hz, so that no two stretches of it are alike."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 900 * t / seconds) * t)).astype(np.float32)


def encode(path: Path, container: str, codec: str, samples: Array, rate: int = RATE, picture: bool = False) -> Path:
    """A file with the (n, channels) samples as its sound, and perhaps a second of black pictures before."""
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'gmmaudio[av]'")
    options = {"movflags": "faststart"} if container in ("ipod", "mp4", "mov") else {}
    layout = "mono" if samples.ndim == 1 else "stereo"
    planes = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
    with av.open(str(path), "w", format=container, options=options) as out:
        film = _picture_stream(out) if picture else None
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128_000
        stream.codec_context.open()
        if film is not None:
            _show(av, out, film)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        form, size = stream.codec_context.format, stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(form, layout, rate, frame_size=size)
        pieces = [*resampler.resample(frame), *resampler.resample(None)]
        for piece in [*pieces, None]:
            out.mux(stream.encode(piece))
    return path


def _picture_stream(out: Any) -> Any:
    stream = out.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    return stream


def _show(av: Any, out: Any, stream: Any) -> None:
    for _ in range(10):
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def codes(clip: Clip) -> list[str]:
    return [warning.code for warning in clip.warnings]


@pytest.mark.parametrize(("extension", "container", "codec", "priming"), KINDS)
def test_a_known_tone(extension: str, container: str, codec: str, priming: float, tmp_path: Path) -> None:
    rate = 48000 if codec == "libopus" else RATE
    expected = tone(rate=rate)
    clip = read_clip(encode(tmp_path / f"a.{extension}", container, codec, expected, rate))
    assert clip.rate == rate
    assert codes(clip) == []
    assert abs(len(clip.samples) / rate - SECONDS) < 0.05
    lag = delay(clip.samples, expected)
    assert abs(lag - round(priming * rate)) < 0.001 * rate  # Matroska counts milliseconds
    assert distance(clip.samples, expected, lag) > 30  # dB, at 128 kbit/s


def delay(found: Array, expected: Array) -> int:
    """Samples by which one signal comes later than another: where their cross-correlation is largest."""
    size = 2 * max(len(found), len(expected))
    product = np.fft.irfft(np.fft.rfft(found, size) * np.fft.rfft(expected, size).conj(), size)
    lag = int(product.argmax())
    return lag if lag < size // 2 else lag - size


def distance(found: Array, expected: Array, lag: int) -> float:
    """Signal to noise in dB, away from the ends."""
    length = min(len(found) - abs(lag), len(expected) - abs(lag))
    late, early = found[max(0, lag) :][:length], expected[max(0, -lag) :][:length]
    noise = (late - early)[3000:-3000]
    return float(10 * np.log10(np.mean(early**2) / np.mean(noise**2)))


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("matroska", "aac"), ("matroska", "flac")])
def test_a_video_gives_its_sound(container: str, codec: str, tmp_path: Path) -> None:
    both = np.stack([tone(), 0.5 * tone()], axis=1)
    clip = read_clip(encode(tmp_path / "film", container, codec, both, picture=True))
    assert codes(clip) == []
    assert abs(len(clip.samples) / RATE - SECONDS) < 0.05
    lag = delay(clip.samples, tone())
    assert abs(lag) < 0.001 * RATE
    assert distance(clip.samples, 0.75 * tone(), lag) > 20  # dB, at 64 kbit/s per channel


@pytest.mark.parametrize(("extension", "container", "codec", "_"), KINDS)
def test_a_segment_is_a_slice_of_the_whole(
    extension: str, container: str, codec: str, _: float, tmp_path: Path
) -> None:
    rate = 48000 if codec == "libopus" else RATE
    path = encode(tmp_path / f"a.{extension}", container, codec, tone(rate=rate), rate)
    whole = read_clip(path)
    part = read_clip(path, start=1.25, end=2.5)
    np.testing.assert_array_equal(part.samples, whole.samples[round(1.25 * rate) : round(2.5 * rate)])
    assert codes(part) == []


def test_antiphase_is_read_again(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mka", "matroska", "flac", np.stack([tone(), -tone()], axis=1))
    clip = read_clip(path)
    assert codes(clip) == ["phase_cancelled"]
    np.testing.assert_allclose(clip.samples, tone(), atol=2**-15)


@pytest.mark.parametrize(("extension", "container", "codec", "_"), KINDS)
def test_cut_short_is_never_silent(extension: str, container: str, codec: str, _: float, tmp_path: Path) -> None:
    rate = 48000 if codec == "libopus" else RATE
    path = encode(tmp_path / f"a.{extension}", container, codec, tone(rate=rate), rate)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.2):
        path.write_bytes(whole[: int(share * len(whole))])
        assert outcome(path) in {"truncated", "decode_error", "corrupt_header"}, share


@pytest.mark.parametrize(
    ("extension", "container", "codec", "_"), [kind for kind in KINDS if not kind[2].startswith("pcm")]
)
def test_damage_is_never_silent(extension: str, container: str, codec: str, _: float, tmp_path: Path) -> None:
    rate = 48000 if codec == "libopus" else RATE
    path = encode(tmp_path / f"a.{extension}", container, codec, tone(rate=rate), rate)
    whole, generator = path.read_bytes(), np.random.default_rng(5)
    length = len(read_clip(path).samples)
    for _ in range(10):
        data, at = bytearray(whole), int(generator.integers(len(whole) // 4, len(whole) - 500))
        data[at : at + 400] = generator.bytes(400)
        path.write_bytes(data)
        if (found := outcome(path)) in {"", "clipped"}:  # decoded to the end: then nothing is missing
            assert abs(len(read_clip(path).samples) - length) <= 0.1 * rate
        else:
            assert found.split("+")[0] in {"truncated", "decode_error", "corrupt_header", "out_of_range"}


def outcome(path: Path) -> str:
    try:
        return "+".join(codes(read_clip(path)))
    except ClipError as error:
        return error.code


@pytest.mark.parametrize(("form", "kind"), [("flt", np.float32), ("s16", np.int16)])
@pytest.mark.parametrize("planar", [False, True])
def test_frames_of_many_channels_are_read_whole(form: str, kind: type, planar: bool) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'gmmaudio[av]'")
    given = (np.arange(8000).reshape(1000, 8) / (1 if kind is np.int16 else 32768)).astype(kind)
    frame = av.AudioFrame.from_ndarray(given.reshape(1, -1), format=form, layout="7.1")
    frame.sample_rate = RATE
    if planar:
        (frame,) = av.AudioResampler(format=form + "p", layout="7.1", rate=RATE).resample(frame)
    np.testing.assert_array_equal(_samples(frame), given / np.float32(32768) if kind is np.int16 else given)


def test_a_film_without_sound(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'gmmaudio[av]'")
    path = tmp_path / "silent.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        _show(av, out, _picture_stream(out))
    with pytest.raises(ClipError, match="without an audio stream") as caught:
        read_clip(path)
    assert caught.value.code == "not_audio"


FTYP = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(200)
STARTS: dict[str, bytes] = {
    "a.m4a": FTYP,
    "a.wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(200),
    "a.aac": b"\xff\xf1\x50\x80" + bytes(300),
    "a.mkv": b"\x1aE\xdf\xa3" + bytes(300),
}


@pytest.mark.parametrize("name", STARTS)
def test_without_pyav_the_error_names_the_extra(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # Python's own way to say that a module cannot be imported
    path = tmp_path / f"my {name}"
    path.write_bytes(STARTS[name])
    with pytest.raises(ClipError) as caught:
        read_clip(path)
    assert caught.value.code == "unsupported_codec"
    assert 'pip install "gmmaudio[av]"' in caught.value.hint
    assert f"ffmpeg -i '{path}' out.wav" in caught.value.hint


@pytest.mark.parametrize("name", STARTS)
def test_a_start_and_nothing_behind_it(name: str, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'gmmaudio[av]'")
    (tmp_path / name).write_bytes(STARTS[name])
    assert outcome(tmp_path / name) == "corrupt_header"


def test_no_name_and_no_playlist_opens_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path / "other.m4a", "ipod", "aac", tone())
    monkeypatch.chdir(tmp_path)
    for name in ("concat:other.m4a", "file:other.m4a"):
        Path(name).write_bytes(FTYP)
        assert outcome(Path(name)) == "corrupt_header"
    Path("list.m4a").write_text("#EXTM3U\n#EXTINF:3,\nother.m4a\n#EXT-X-ENDLIST\n")
    assert outcome(Path("list.m4a")) == "not_audio"
    Path("concat.mkv").write_text("ffconcat version 1.0\nfile other.m4a\n")
    assert outcome(Path("concat.mkv")) == "not_audio"


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "ipod", "aac", tone())
    odd = path.rename(tmp_path / os.fsdecode(b"-\xff\n\xf0.m4a"))
    assert outcome(odd) == ""


@pytest.mark.parametrize("read", [True, False])
def test_pyav_is_imported_only_for_what_needs_it(read: bool, tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "a.m4a"
    if read:
        encode(path, "ipod", "aac", tone())
    else:
        soundfile.write(path, tone(), RATE, format="WAV")
    code = (
        f"import sys; from gmmaudio.corpus.audio import read_clip; read_clip({str(path)!r}); print('av' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert (found.stdout.strip(), found.stderr) == (str(read), "")
