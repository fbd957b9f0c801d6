"""Reading audio: exact where it is whole, coded where it is not.

Expected samples come from soundfile and soxr called on the whole file at once, or from the definition; expected codes
from the project's table of bad inputs.
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gmmaudio.corpus import decoder
from gmmaudio.corpus.audio import Clip, Limits, clip_from_array, read_clip, sample_hash
from gmmaudio.corpus.containers import Header, read_header
from gmmaudio.corpus.samples import measure, mix, nothing
from gmmaudio.errors import ClipError

RATE = 16000
Array = np.ndarray


def chirp(seconds: float = 5.0, rate: int = RATE) -> Array:
    """A rising tone with a little noise: no two stretches of it are alike."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.4 * np.sin(2 * np.pi * (200 + 150 * t) * t) + 0.02 * noise).astype(np.float32)


def wav(samples: Array, rate: int = RATE, promised: int | None = None, **changes: int) -> bytes:
    """A WAV written by hand, so that its header can say what it likes."""
    data = samples.tobytes()
    channels = changes.get("channels", 1 if samples.ndim == 1 else samples.shape[1])
    bits = changes.get("bits", 8 * samples.itemsize)
    tag = changes.get("tag", 3 if samples.dtype.kind == "f" else 1)
    width = min(65535, channels * bits // 8)
    length = len(data) if promised is None else promised
    form = struct.pack("<HHIIHH", tag, channels, rate, min(rate * width, 2**32 - 1), width, bits)
    body = b"WAVE" + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", min(len(body), 2**32 - 1)) + body


def encoded(samples: Array, kind: str, subtype: str | None = None, rate: int = RATE) -> bytes:
    file = BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def codes(clip: Clip) -> list[str]:
    return [warning.code for warning in clip.warnings]


def outcome(path: Path | str) -> str:
    """The error's code, or the warnings' codes, or "whole"."""
    try:
        return "+".join(codes(read_clip(path))) or "whole"
    except ClipError as error:
        return error.code


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_file(data: bytes, name: str = "clip.wav") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_file


# --- what is whole is read exactly ---------------------------------------------------------------------------------

KINDS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("WAV", "ULAW"),
    ("WAV", "IMA_ADPCM"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_format_equals_the_decoder_on_the_whole_file(kind: str, subtype: str, write: Callable[..., Path]) -> None:
    path = write(encoded(chirp(9.0), kind, subtype), "clip." + kind.lower())  # three blocks
    clip = read_clip(path)
    whole, rate = soundfile.read(path, dtype="float32")
    # soundfile seeks before it reads, after which MP3s differ in their last bit.
    np.testing.assert_allclose(clip.samples, whole, rtol=0, atol=1.2e-7 if kind == "MP3" else 0)
    assert (clip.rate, clip.path, clip.warnings) == (rate, path, ())


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize(("start", "end"), [(None, 2.0), (1.25, 6.75), (5.0, None), (8.9, 9.0)])
def test_a_segment_is_a_slice_of_the_whole(
    kind: str, start: float | None, end: float | None, write: Callable[..., Path]
) -> None:
    path = write(encoded(chirp(9.0), kind))
    whole, rate = soundfile.read(path, dtype="float32")
    first, last = round((start or 0) * rate), len(whole) if end is None else round(end * rate)
    clip = read_clip(path, start=start, end=end)
    np.testing.assert_allclose(clip.samples, whole[first:last], rtol=0, atol=1e-6 if kind == "MP3" else 0)
    assert clip.warnings == ()


@pytest.mark.parametrize("kind", ["GSM610", "G721_32"])
def test_a_segment_of_a_format_that_cannot_seek(kind: str, write: Callable[..., Path]) -> None:
    path = write(encoded(chirp(20.0, 8000), "WAV", kind, 8000))
    whole, _ = soundfile.read(path, dtype="float32")
    clip = read_clip(path, start=10.0, end=11.0)
    np.testing.assert_array_equal(clip.samples, whole[80000:88000])


@pytest.mark.parametrize(("start", "end"), [(6.0, None), (5.0, 5.2), (0.0, 5.6), (2.0, 2.0), (-1.0, 2.0), (3.0, 1.0)])
def test_a_segment_outside_the_clip_is_refused(start: float, end: float | None, write: Callable[..., Path]) -> None:
    path = write(encoded(chirp(5.0), "WAV"))
    with pytest.raises(ClipError, match=r"5\.000 s") as caught:
        read_clip(path, start=start, end=end)
    assert caught.value.code == "out_of_range_segment"


def test_a_segment_may_end_a_little_late(write: Callable[..., Path]) -> None:
    clip = read_clip(write(encoded(chirp(5.0), "WAV")), start=4.0, end=5.25)
    assert len(clip.samples) == RATE
    assert codes(clip) == ["segment_cut"]
    assert "0.250 s" in clip.warnings[0].message


def test_stereo_is_half_the_sum_and_more_channels_their_mean(write: Callable[..., Path]) -> None:
    left, right = chirp(3.0), chirp(3.0)[::-1]
    both = np.stack([left, right], axis=1)
    np.testing.assert_array_equal(read_clip(write(wav(both))).samples, (left + right) / np.float32(2))
    five = np.random.default_rng(1).uniform(-0.5, 0.5, (40000, 5)).astype(np.float32)
    # The mean in float64, rounded; ours is summed in float32: a few units in the last place.
    np.testing.assert_allclose(read_clip(write(wav(five))).samples, five.astype(float).mean(axis=1), atol=2e-7)


@pytest.mark.parametrize(("rate_in", "rate"), [(44100, 16000), (8000, 16000), (48000, 22050), (11025, 16000)])
def test_resampling_equals_soxr_on_the_whole_signal(rate_in: int, rate: int, write: Callable[..., Path]) -> None:
    samples = chirp(6.0, rate_in)
    expected = soxr.resample(samples, rate_in, rate, quality="HQ")
    clip = read_clip(write(wav(samples, rate_in)), rate)
    np.testing.assert_array_equal(clip.samples, expected)
    assert clip.rate == rate
    assert codes(clip) == (["bandwidth"] if rate_in < rate else [])


def test_a_resampled_tone_is_the_same_tone(write: Callable[..., Path]) -> None:
    tone = [np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate) / 2 for rate in (44100, 16000)]
    clip = read_clip(write(wav(tone[0].astype(np.float32), 44100)), 16000)
    # The definition of a 1 kHz tone; soxr's HQ passband is flat to 0.01 dB (1e-3), its edges ring.
    np.testing.assert_allclose(clip.samples[2000:-2000], tone[1][2000:-2000], atol=1e-3)


def test_names_that_are_no_text_are_read_and_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"-\xff\n\xf0.wav")
    path = tmp_path / name
    path.write_bytes(wav(chirp(1.0)))
    assert outcome(path) == "whole"
    path.write_bytes(b"")
    with pytest.raises(ClipError) as caught:
        read_clip(path)
    assert "-\\udcff\\n\\udcf0.wav" in str(caught.value)
    str(caught.value).encode("utf-8")


def test_sample_hash_is_sha256_of_little_endian_float32() -> None:
    samples = chirp(0.1)
    assert sample_hash(samples) == hashlib.sha256(samples.astype("<f4").tobytes()).hexdigest()
    assert sample_hash(samples) == sample_hash(samples.astype(">f4")) == sample_hash(np.repeat(samples, 2)[::2])


# --- files that cannot be used -------------------------------------------------------------------------------------

SHORT = (chirp(0.5) * 32767).astype(np.int16)
WRONG = {
    "empty_file": [b""],
    "not_audio": [
        b"hello, this is no audio at all\n" * 20,
        "Grüße an alle\n".encode() * 200,
        bytes(3000),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        b"a",
    ],
    "unsupported_codec": [
        b"#!AMR\n" + bytes(300),
        b"wvpk" + bytes(300),
        wav(SHORT, bits=36, tag=1),
        wav(SHORT, tag=0x1234),
        b"OggS\0\2" + bytes(20) + b"\1\x50" + b"Speex   " + bytes(72),
    ],
    "corrupt_header": [
        wav(SHORT)[:20],
        wav(SHORT)[:40],
        wav(SHORT, rate=0),
        wav(SHORT, channels=0),
        b"fLaC" + bytes(60),
        b"ID3\4\0\0\0\0\2\1" + bytes(257) + b"junk" * 100,
        b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(23),
        b"\xff\xfb\x90\x00" + bytes(5000),
    ],
    "unsupported_rate": [wav(SHORT, rate=1), wav(SHORT, rate=2**31 - 1), wav(SHORT, rate=2**32 - 1)],
    "unsupported_channels": [wav(np.zeros((4, 1024), np.int16)), wav(np.zeros((4, 1025), np.int16))],
    "empty_audio": [wav(SHORT[:0]), encoded(chirp(0.0), "AIFF")],
    "non_finite": [wav(np.array([0, np.nan, 0], np.float32)), wav(np.array([0, -np.inf], np.float32))],
    "out_of_range": [wav(np.array([0, 1e30, -1e30], np.float32)), wav(np.array([0, -16.5, 0], np.float32))],
}


@pytest.mark.parametrize(("code", "data"), [(code, data) for code, group in WRONG.items() for data in group])
def test_what_cannot_be_used_is_named(code: str, data: bytes, write: Callable[..., Path]) -> None:
    path = write(data)
    with pytest.raises(ClipError) as caught:
        read_clip(path, RATE)
    assert caught.value.code == code
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("extension", [".au", ".vox", ".gsm", ".raw", ".mp3", ".snd"])
def test_text_is_never_decoded_as_noise(extension: str, write: Callable[..., Path]) -> None:
    assert outcome(write(b"hello, this is no audio at all\n" * 50, "clip" + extension)) == "not_audio"


def test_the_hint_converts(write: Callable[..., Path]) -> None:
    path = write(b"#!AMR\n" + bytes(300), "my clip.amr")
    with pytest.raises(ClipError) as caught:
        read_clip(path)
    assert f"ffmpeg -i '{path}' out.wav" in caught.value.hint


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for a writer for ever
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "lost.wav").symlink_to("nowhere.wav")
    (tmp_path / "file.wav").write_bytes(wav(SHORT))
    (tmp_path / "link.wav").symlink_to("file.wav")
    expected = {
        "pipe.wav": "not_regular_file",
        "folder.wav": "not_regular_file",
        "loop.wav": "symlink_loop",
        "lost.wav": "no_such_file",
        "missing.wav": "no_such_file",
        "file.wav/x.wav": "no_such_file",
        "zero\0byte.wav": "no_such_file",
        "n" * 300 + ".wav": "unreadable",
        "link.wav": "whole",
    }
    assert {name: outcome(tmp_path / name) for name in expected} == expected
    assert outcome("/dev/null") == "not_regular_file"


def test_permission(write: Callable[..., Path]) -> None:
    path = write(wav(SHORT))
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # nobody: root may read everything
    try:
        found = outcome(path)
    finally:
        os.seteuid(user)
    assert found == "permission"


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_file_that_changes_while_it_is_read(
    change: Callable[[Path], object], write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, original = write(wav(SHORT)), decoder.blocks

    def meddling(*arguments: object) -> object:
        for block in original(*arguments):  # type: ignore[arg-type]
            change(path)
            yield block

    monkeypatch.setattr(decoder, "blocks", meddling)
    with pytest.raises(ClipError, match=f"before {len(wav(SHORT))} bytes") as caught:
        read_clip(path)
    assert caught.value.code == "changed"


def test_a_change_explains_what_looks_like_damage(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(wav(SHORT))

    def torn(*_: object) -> object:
        path.write_bytes(b"other")
        raise ClipError("decode_error", "damaged")

    monkeypatch.setattr(decoder, "blocks", torn)
    assert outcome(path) == "changed"


def test_non_finite_counts_and_places(write: Callable[..., Path]) -> None:
    samples = np.stack([chirp(6.0), chirp(6.0)], axis=1)
    samples[70000, 1], samples[80000, 0] = np.nan, np.inf  # in the third block
    with pytest.raises(ClipError, match="2 samples are NaN or infinite, the first at frame 70000"):
        read_clip(write(wav(samples)))


# --- files that are cut short --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "subtype", "expected"),
    [
        ("WAV", "PCM_16", "truncated"),
        ("WAV", "PCM_24", "truncated"),
        ("WAV", "IMA_ADPCM", "truncated"),
        ("RF64", "PCM_16", "truncated"),
        ("W64", "PCM_16", "truncated"),
        ("AIFF", "PCM_16", "truncated"),
        ("AU", "PCM_16", "truncated"),
        ("OGG", "VORBIS", "truncated"),
        ("OGG", "OPUS", "truncated"),
        ("MP3", "MPEG_LAYER_III", "truncated"),
        ("FLAC", "PCM_16", "decode_error"),
        ("CAF", "PCM_16", "corrupt_header"),
    ],
)
def test_half_a_file_is_never_read_in_silence(
    kind: str, subtype: str, expected: str, write: Callable[..., Path]
) -> None:
    whole = encoded(chirp(5.0), kind, subtype)
    assert outcome(write(whole[: len(whole) // 2])) == expected
    assert outcome(write(whole)) == "whole"


def test_an_ogg_that_ends_between_two_pages_is_cut_short(write: Callable[..., Path]) -> None:
    whole = encoded(chirp(5.0), "OGG")
    assert outcome(write(whole[: whole.rfind(b"OggS")])) == "truncated"


def test_truncation_gives_both_numbers(write: Callable[..., Path]) -> None:
    clip = read_clip(write(wav(SHORT)[: 44 + 2 * 3000]))
    assert len(clip.samples) == 3000
    assert "8000 frames were promised, 3000 were read" in clip.warnings[0].message


def test_big_endian_wav(write: Callable[..., Path]) -> None:
    # RIFX: the same chunks with the bytes of each number reversed.
    form = struct.pack(">HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    body = (
        b"WAVEfmt " + struct.pack(">I", 16) + form + b"data" + struct.pack(">I", 16000) + SHORT.astype(">i2").tobytes()
    )
    whole = b"RIFX" + struct.pack(">I", len(body)) + body
    np.testing.assert_array_equal(read_clip(write(whole)).samples, SHORT / np.float32(32768))
    assert outcome(write(whole[:6000])) == "truncated"


def test_a_segment_before_the_cut_is_whole(write: Callable[..., Path]) -> None:
    path = write(wav(SHORT)[: 44 + 2 * 3000])
    assert codes(read_clip(path, start=0.05, end=0.15)) == []  # frames 800 to 2400
    assert codes(read_clip(path, start=0.05, end=0.25)) == ["truncated"]
    with pytest.raises(ClipError) as caught:
        read_clip(path, start=0.25, end=0.3)
    assert caught.value.code == "empty_audio"


def test_the_position_of_damage_in_a_flac(write: Callable[..., Path]) -> None:
    data = bytearray(encoded(chirp(9.0), "FLAC"))
    data[len(data) * 3 // 4 :] = bytes(len(data) - len(data) * 3 // 4)
    with pytest.raises(ClipError, match=r"within 65536 frames from frame 65536 \(4\.10 s\) on"):
        read_clip(write(bytes(data)))


def test_pages_lost_within_an_ogg_are_noticed(write: Callable[..., Path]) -> None:
    data = bytearray(encoded(chirp(20.0), "OGG"))
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    assert outcome(write(bytes(data))) in {"truncated", "decode_error"}


def test_damage_within_an_mp3_is_never_silent(write: Callable[..., Path]) -> None:
    whole = encoded(chirp(5.0), "MP3")
    generator = np.random.default_rng(3)
    for _ in range(20):
        data, at = bytearray(whole), int(generator.integers(600, len(whole) - 400))
        data[at : at + 400] = generator.bytes(400)
        path = write(bytes(data))
        if (found := outcome(path)) == "whole":
            assert len(read_clip(path).samples) == 5 * RATE
        else:
            assert found in {"truncated", "decode_error", "out_of_range", "clipped", "truncated+clipped"}


@pytest.mark.parametrize("promised", [2**32 - 1, 2**31])
def test_a_header_that_promises_gigabytes_costs_nothing(promised: int, write: Callable[..., Path]) -> None:
    path = write(wav(SHORT, promised=promised))
    tracemalloc.start()
    try:
        clip = read_clip(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert codes(clip) == ["truncated"]
    assert peak < 4e6


def test_a_long_clip_in_a_small_file_needs_the_memory_of_its_result(write: Callable[..., Path]) -> None:
    path = write(encoded(np.zeros(10 * 60 * 96000, np.int16), "FLAC", rate=96000))
    tracemalloc.start()
    try:
        clip = read_clip(path, 4000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(clip.samples) == 10 * 60 * 4000
    assert peak < 4 * 4 * len(clip.samples)  # decoded at once, it would be 230 MB


def test_too_long(write: Callable[..., Path]) -> None:
    limits = Limits(max_seconds=4.0)
    flac = bytearray(encoded(chirp(5.0), "FLAC"))
    for data in (encoded(chirp(5.0), "WAV"), bytes(flac), _without_length(flac)):
        path = write(data)
        with pytest.raises(ClipError, match="at most 4 s"):
            read_clip(path, limits=limits)
        assert len(read_clip(path, start=1.0, end=4.5, limits=limits).samples) == 3.5 * RATE


def test_what_is_stated_as_too_long_is_not_decoded_first(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "blocks", lambda *_: 1 / 0)
    with pytest.raises(ClipError) as caught:
        read_clip(write(wav(SHORT)), limits=Limits(max_seconds=0.4))
    assert caught.value.code == "too_long"


def test_a_flac_of_unknown_length_is_whole(write: Callable[..., Path]) -> None:
    clip = read_clip(write(_without_length(bytearray(encoded(chirp(9.0), "FLAC")))))
    assert (len(clip.samples), clip.warnings) == (9 * RATE, ())


def _without_length(flac: bytearray) -> bytes:
    # RFC 9639, 8.2: the 36 bits at byte 21 of the file are the number of samples; 0 means unknown.
    return bytes(flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:])


# --- audio behind the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MP3", "OGG", "AU"])
def test_a_second_clip_behind_the_first_is_not_lost_silently(kind: str, write: Callable[..., Path]) -> None:
    path = write(encoded(chirp(5.0), kind) + encoded(chirp(3.0), kind), "clip." + kind.lower())
    clip = read_clip(path)
    assert len(clip.samples) == 5 * RATE
    assert codes(clip) == ["unread"]
    assert codes(read_clip(path, end=4.0)) == []


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_wav_that_promises_less_than_it_has(width: int, write: Callable[..., Path]) -> None:
    samples = (chirp(2.0) * 127).astype(f"i{width}") if width > 1 else (chirp(2.0) * 100 + 128).astype(np.uint8)
    assert outcome(write(wav(samples, promised=1000 * width, bits=8 * width))).startswith("unread")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("total", [1, 4096, 40000, 5 * RATE - 1])
def test_a_flac_that_promises_less_than_it_has(total: int, subtype: str, write: Callable[..., Path]) -> None:
    flac = bytearray(encoded(chirp(5.0), "FLAC", subtype))
    flac[21:26] = (int.from_bytes(flac[21:26]) >> 36 << 36 | total).to_bytes(5)
    # One sample less lies within the last frame, whose length its header does not give in all cases.
    assert ("unread" in outcome(write(bytes(flac)))) == (total < 5 * RATE - 4096)


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "MP3", "FLAC"])
def test_tags_behind_the_audio_are_no_audio(kind: str, write: Callable[..., Path]) -> None:
    tags = b"LIST" + struct.pack("<I" if kind == "WAV" else ">I", 60000) + bytes(60000)
    tags = tags if kind in ("WAV", "AIFF") else b"TAG" + bytes(125)
    assert outcome(write(encoded(chirp(5.0), kind) + tags)) == "whole"


# --- clips that are odd --------------------------------------------------------------------------------------------


def test_antiphase_uses_the_louder_channel(write: Callable[..., Path]) -> None:
    tone = chirp(6.0)
    clip = read_clip(write(wav(np.stack([-0.95 * tone, tone], axis=1))))
    assert codes(clip) == ["phase_cancelled"]
    np.testing.assert_array_equal(clip.samples, tone)
    resampled = read_clip(write(wav(np.stack([tone, -0.95 * tone], axis=1))), 8000)
    np.testing.assert_array_equal(resampled.samples, soxr.resample(tone, RATE, 8000, quality="HQ"))


def test_antiphase_in_ogg_is_read_again_from_the_start_of_the_segment(write: Callable[..., Path]) -> None:
    tone = chirp(9.0)
    path = write(encoded(np.stack([tone, -tone], axis=1), "OGG"))
    whole, _ = soundfile.read(path, dtype="float32")
    clip = read_clip(path, start=8.5)
    assert codes(clip) == ["phase_cancelled"]
    louder = int(np.argmax((whole[round(8.5 * RATE) :].astype(float) ** 2).sum(axis=0)))
    np.testing.assert_array_equal(clip.samples, whole[round(8.5 * RATE) :, louder])


@pytest.mark.parametrize("other", [0.0, 1.0, -0.5])
def test_ordinary_stereo_does_not_cancel(other: float, write: Callable[..., Path]) -> None:
    tone = chirp(1.0)
    assert codes(read_clip(write(wav(np.stack([tone, np.float32(other) * tone], axis=1))))) == []


def test_one_sounding_channel_of_many_does_not_cancel(write: Callable[..., Path]) -> None:
    many = np.zeros((RATE, 64), np.float32)
    many[:, 5] = chirp(1.0)
    assert codes(read_clip(write(wav(many)))) == []


def test_clipping_is_measured(write: Callable[..., Path]) -> None:
    t = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 100 * t)
    cut = np.clip(2 * tone, -1, 1).astype(np.float32)
    clip = read_clip(write(wav(cut)))
    assert codes(clip) == ["clipped"]
    # |2 sin| > 1 during 2/3 of the time; of each of its 400 flat tops, the first sample repeats nothing.
    assert float(clip.warnings[0].message.split()[0]) == pytest.approx(100 * (2 / 3 - 400 / len(t)), abs=1.3)
    assert codes(read_clip(write(wav((32767 * tone).astype(np.int16))))) == []  # loud, but round


@pytest.mark.parametrize("value", [0.0, 0.3, 1e-9, 1e-42])
def test_silence_and_constants(value: float, write: Callable[..., Path]) -> None:
    assert codes(read_clip(write(wav(np.full(RATE, value, np.float32))))) == ["silence"]


def test_subnormal_samples_do_not_reach_later_steps(write: Callable[..., Path]) -> None:
    samples = np.full(RATE, 1e-42, np.float32)
    samples[::1000] = 0.5
    clip = read_clip(write(wav(samples)))
    np.testing.assert_array_equal(clip.samples, np.where(samples == 0.5, samples, 0))


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_arrays_are_read_like_files(write: Callable[..., Path]) -> None:
    from_file = read_clip(write(wav(SHORT)), 8000)
    for array in (SHORT, SHORT.astype(np.int32) << 16, SHORT / 32768, SHORT.astype(">i2"), SHORT[:, None]):
        clip = clip_from_array(array, RATE, 8000)
        np.testing.assert_array_equal(clip.samples, from_file.samples)
        assert (clip.rate, clip.path, clip.warnings) == (8000, None, ())
    unsigned = np.array([0, 128, 255], np.uint8)
    np.testing.assert_array_equal(clip_from_array(unsigned, RATE).samples, [-1, 0, 127 / 128])


def test_an_array_is_left_as_it_was() -> None:
    samples = np.array([1e-30, 0.5, 0.25], np.float32)
    before = samples.copy()
    clip = clip_from_array(samples, RATE)
    assert clip.samples[0] == 0
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("samples", "code", "message"),
    [
        (np.zeros((2, 16000)), "bad_array", r"\(2, 16000\).*2 samples.*transpose"),
        (np.zeros((5, 0)), "bad_array", r"\(5, 0\)"),
        (np.zeros((2, 2, 2)), "bad_array", "shape"),
        (np.float32(0.5), "bad_array", "shape"),
        (np.zeros(10, np.int64), "bad_array", "int64"),
        (np.zeros(10, complex), "bad_array", "complex128"),
        (["a", "b"], "bad_array", "type"),
        (np.zeros(0, np.float32), "empty_audio", "no samples"),
        (np.array([0.0, np.nan]), "non_finite", "frame 1"),
        (np.array([0.0, 1e300]), "non_finite", "frame 1"),  # more than float32 holds
        (np.array([0.0, 3000.0]), "out_of_range", "3e[+]03"),
        (np.zeros((100, 65)), "unsupported_channels", "65 channels"),
    ],
)
def test_arrays_that_cannot_be_used(samples: Array, code: str, message: str) -> None:
    with pytest.raises(ClipError, match=f"(?s){message}") as caught:
        clip_from_array(samples, RATE)
    assert caught.value.code == code


@pytest.mark.parametrize("rates", [(1, None), (2**31 - 1, 16000), (16000, 1), (16000, -5)])
def test_rates_are_refused_before_they_cost_memory(rates: tuple[int, int | None]) -> None:
    with pytest.raises(ClipError, match="4000 to 384000 Hz"):
        clip_from_array(np.zeros(100), *rates)


# --- laws and fuzz ---------------------------------------------------------------------------------------------------

BLOCKS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12),
    elements=st.floats(-2, 2, width=32) | st.sampled_from([np.nan, np.inf, 1.0, 1.0, -1.0]),
)


@settings(deadline=None)
@given(BLOCKS, st.data())
def test_traits_of_a_block_are_the_sum_of_its_parts(block: Array, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(block) - 1))
    with np.errstate(all="ignore"):
        whole = nothing(block.shape[1]) + measure(block, mix(block))
        parts = [measure(part, mix(part)) for part in (block[:cut], block[cut:])]
    total = parts[0] + parts[1]
    assert (total.frames, total.bad) == (whole.frames, whole.bad)
    assert total.bad == int((~np.isfinite(block)).sum())
    if whole.bad:
        assert total.first_bad == whole.first_bad == int(np.argmax((~np.isfinite(block)).any(axis=1)))
    else:
        assert (total.low, total.high) == (whole.low, whole.high) == (block.min(), block.max())
        np.testing.assert_allclose(total.energy, (block.astype(float) ** 2).sum(axis=0), rtol=1e-5, atol=1e-30)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "clip.wav"


SEEDS = [
    wav(SHORT[:300]),
    encoded(SHORT[:300], "RF64"),
    encoded(SHORT[:300], "W64"),
    encoded(SHORT[:300], "AIFF"),
    encoded(SHORT[:300], "AU"),
    encoded(SHORT[:300], "FLAC"),
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6), st.integers(1)
)
def test_any_damage_gives_a_clip_or_a_coded_error(
    scratch: Path, seed: bytes, changes: list[tuple[int, int]], keep: int
) -> None:
    data = bytearray(seed)
    for at, value in changes:
        data[min(at, len(data) - 1)] = value
    scratch.write_bytes(data[: max(1, keep % (2 * len(data)))])
    try:
        assert np.isfinite(read_clip(scratch, RATE, limits=Limits(max_seconds=60)).samples).all()
    except ClipError as error:
        assert error.code


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"RIFF1234WAVE", b"RF64", b"FORM1234AIFF", b"OggS", b"ID3", b".snd"])
)
def test_any_bytes_have_a_header(data: bytes, start: bytes) -> None:
    head = start + data
    assert isinstance(read_header(BytesIO(head), len(head)), Header)


def test_threads_see_the_same_codes(tmp_path: Path) -> None:
    contents = [data for group in WRONG.values() for data in group] + [wav(SHORT), wav(SHORT)[:9000]] * 15
    paths = []
    for number, data in enumerate(contents[:64]):
        paths.append(tmp_path / f"{number}.wav")
        paths[-1].write_bytes(data)
    assert len(paths) >= 60
    serial = [_message(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_message, paths * 3)) == serial * 3


def _message(path: Path) -> str:
    try:
        clip = read_clip(path)
        return sample_hash(clip.samples) + str(clip.warnings)
    except ClipError as error:
        return str(error)


def test_what_the_import_costs() -> None:
    code = (
        "import sys, gmmaudio.corpus.audio as audio, numpy; audio.clip_from_array(numpy.ones(9), 8000);"
        "print([m for m in ('soxr', 'scipy', 'sklearn', 'librosa', 'matplotlib', 'joblib') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- the real bad files ----------------------------------------------------------------------------------------------

READ = {f"{number:02}" for number in (1, 2, 3, 7, 9, 10)}
WAVS = {
    "test-44100Hz-le-1ch-4bytes-early-eof.wav": "truncated",
    "test-44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "corrupt_header",
    "test-44100Hz-le-1ch-4bytes-incomplete-chunk.wav": "corrupt_header",
    "test-1234Hz-le-1ch-10S-20bit-extra.wav": "unsupported_rate",
    "test-8000Hz-le-3ch-5S-36bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-45bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-53bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-64bit.wav": "unsupported_codec",
}


def test_the_bad_wavs(real_data: Path) -> None:
    paths = sorted((real_data / "bad" / "wav").glob("*.wav"))
    assert len(paths) == 22
    assert {path.name: outcome(path) for path in paths} == {path.name: WAVS.get(path.name, "whole") for path in paths}


def test_the_bad_flacs(real_data: Path) -> None:
    paths = sorted((real_data / "bad" / "flac").glob("*.flac"))
    fuzzed = [path for path in paths if len(path.stem) == 40]
    assert (len(paths), len(fuzzed)) == (34, 23)
    refused = {"decode_error", "corrupt_header", "not_audio", "unsupported_rate"}
    tracemalloc.start()
    try:
        found = {path: outcome(path) for path in paths}
        assert tracemalloc.get_traced_memory()[1] < 2e7  # one promises 2**63 - 1 frames
    finally:
        tracemalloc.stop()
    assert {path.name for path in fuzzed if found[path] not in refused} == set()
    assert {path.name[:2] for path in paths if found[path] == "whole"} == READ
    assert [found[path] for path in paths if path.name[:2] == "05"] == ["unread"]  # the total is too small
    assert {found[path] for path in paths if path.name[:2] in {"04", "08"}} == {"decode_error"}
    assert {found[path] for path in paths if path.name[:2] in {"06", "11"}} == {"corrupt_header"}


def test_real_recordings_are_whole(real_data: Path) -> None:
    paths = [
        path for name in ("esc10", "lid", "music", "fsdd") for path in sorted((real_data / name).rglob("*.[ow]*"))[::40]
    ]
    assert len(paths) > 100
    short = [path for path in paths if {"truncated", "unread"} & set(outcome(path).split("+"))]
    assert short == []
