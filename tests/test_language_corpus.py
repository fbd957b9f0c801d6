"""The language recipe's corpus: what it promises of its clips, and its noisy condition. Needs espeak-ng."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.errors import DataError
from tests.recipe import RECIPES, load

RECIPE = RECIPES / "language"


corpus, noise = load("language", "corpus"), load("language", "noise")
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
SMALL = {"clips_per_voice": 1, "seconds": 1.5, "voices": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus.make_corpus(tmp_path_factory.mktemp("clean"), corpus.Plan(**SMALL), jobs=2)


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(manifest: Path) -> dict[str, bytes]:
    root = manifest.parent
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@needs_espeak
def test_clips_are_as_the_recipe_says(made: Path) -> None:
    clips = rows(made)
    assert list(clips[0]) == ["path", "label", "group", "split", "speed", "pitch"]  # the recipe's columns
    assert len(clips) == 36  # 12 languages x 3 voices x 1 clip
    # Each clip draws its own of 71 speeds x 41 pitches: 36 draws clash with probability 0.2, twice hardly ever.
    assert len({(clip["speed"], clip["pitch"]) for clip in clips}) >= 34
    for clip in clips:
        samples, rate = soundfile.read(made.parent / clip["path"])
        assert (rate, samples.shape) == (16_000, (24_000,))  # 16 kHz mono, 1.5 s
        assert clip["path"].startswith(clip["label"] + "/")  # also a folder of label folders
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.05, rel=0.01)  # the level, far above its noise
        assert np.abs(samples).max() < 0.99
        assert np.abs(samples[:80]).max() > 0.002  # the first 5 ms are speech: 32 dB above the noise's 5e-5
        frames = samples[: 24_000 // 160 * 160].reshape(-1, 160)
        # White noise 60 dB below 0.05 has a power of 2.5e-9; a frame's mean of 160 squares keeps within a half.
        assert (frames**2).mean(1).min() > 1.2e-9


@needs_espeak
def test_any_number_of_jobs_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = corpus.make_corpus(tmp_path / "one", corpus.Plan(**SMALL), jobs=1)
    assert contents(again) == contents(made)
    other = corpus.make_corpus(tmp_path / "other", corpus.Plan(**SMALL, seed=1), jobs=2)
    assert contents(other).keys() == contents(made).keys()
    assert all(contents(other)[name] != content for name, content in contents(made).items())


@needs_espeak
def test_hard_is_the_same_speech_made_worse(made: Path, tmp_path: Path) -> None:
    hard = corpus.make_corpus(tmp_path, corpus.Plan(**SMALL, condition="hard"))
    assert rows(hard) == rows(made)
    for clip in rows(made):
        clean, noisy = (soundfile.read(manifest.parent / clip["path"])[0] for manifest in (made, hard))
        one, two = np.fft.rfft([clean, noisy])[:, 750:4500]  # 500-3000 Hz: inside every band
        coherence = np.vdot(one, two).real / (np.linalg.norm(one) * np.linalg.norm(two))
        assert 0.7 < coherence < 0.9999  # 0.87 at 5 dB of white noise; about 0 for other words


@needs_espeak
def test_every_language_speaks_its_own_words() -> None:
    command = ["espeak-ng", "-x", "-q", "-v"]
    read = [subprocess.run([*command, name, "1234"], capture_output=True).stdout for name in corpus.LANGUAGES]
    assert len(set(read)) == 12
    assert all(len(phonemes) > 10 for phonemes in read)


@needs_espeak
def test_a_corpus_is_not_overwritten(made: Path) -> None:
    with pytest.raises(DataError, match="is there already") as refusal:
        corpus.make_corpus(made.parent)
    assert refusal.value.code == "corpus_exists"


@needs_espeak
def test_an_unknown_voice_is_refused_and_not_replaced() -> None:
    with pytest.raises(DataError, match="lacks Nobody") as refusal:
        corpus.check_espeak(["Alex", "Nobody"])
    assert refusal.value.code == "no_voice"
    with pytest.raises(DataError, match="said nothing in voice xx"):
        corpus.speak("1", "xx", 160, 50)


def test_without_espeak_one_message_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert corpus.main([str(tmp_path / "out"), "--voices", "3"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "apt-get install espeak-ng" in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"voices": 37},
        {"voices": 24, "calibration": 16},
        {"seconds": 0},
        {"condition": "loud"},
        {"seed": -1},
        {"languages": 13},
    ],
)
def test_impossible_plans_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match="allowed") as refusal:
        corpus.Plan(**wrong)
    assert refusal.value.code == "bad_plan"


@given(st.integers(3, 36), st.integers(0, 12), st.integers(0, 2**32))
def test_every_voice_is_in_one_split(voices: int, calibration: int, seed: int) -> None:
    calibration = min(calibration, voices - voices // 3 - 1)
    splits = corpus.assign_splits(corpus.Plan(voices=voices, calibration=calibration, seed=seed))
    assert list(splits) == list(corpus.VOICES[:voices])
    counts = [list(splits.values()).count(name) for name in ("test", "calibration", "train")]
    assert counts == [voices // 3, calibration, voices - voices // 3 - calibration]  # a third, as asked, the rest


def test_training_voices_may_speak_less_than_test_voices() -> None:
    plan = corpus.Plan(clips_per_voice=5, voices=6, training_clips=2, languages=3)
    splits = [clip.split for clip in corpus.utterances(plan)]
    assert splits.count("test") == 30  # 3 languages x 2 voices x 5 clips
    assert splits.count("train") == 24  # 3 languages x 4 voices x 2 clips
    assert {clip.language for clip in corpus.utterances(plan)} == {"de", "en-gb", "es"}


def test_there_are_voices_enough_and_none_twice() -> None:
    assert len(set(corpus.VOICES)) == 36
    assert len({voice.lower() for voice in corpus.VOICES}) == 36  # file systems that ignore case


def test_numbers_are_cut_to_length_and_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def speak(text: str, *_: object) -> np.ndarray:
        texts.append(text)
        return np.concatenate([np.zeros(100), np.ones(8_000)])  # half a second, after silence

    monkeypatch.setattr(corpus, "speak", speak)
    samples = corpus.read_numbers("de", 160, 50, 100.0, np.random.default_rng(0))
    assert len(samples) == 100 * 16_000
    assert samples.min() == 1.0  # the silence is gone
    numbers = np.array([int(number) for text in texts for number in text.split(", ")])
    assert numbers.min() >= 100
    assert numbers.max() < 1_000_000
    lengths = np.bincount(np.log10(numbers).astype(int), minlength=6)[2:]
    assert lengths / len(numbers) == pytest.approx(0.25, abs=0.012)  # log-uniform: 3 to 6 digits alike


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_noise_level_and_band(seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    # A "speech" of two tones, one inside the telephone band and one above it, is easily told from noise.
    time = np.arange(32_000) / 16_000
    speech = np.sin(2 * np.pi * 1000 * time) + np.sin(2 * np.pi * 6000 * time)
    noisy = noise.degrade(speech, 16_000, rng)
    spectrum = np.fft.rfft(noisy) / 16_000
    inside, above = abs(spectrum[2000]), abs(spectrum[12_000])
    assert inside == pytest.approx(1.0, abs=0.15)  # the passband leaves the speech's scale alone
    telephone = above < 0.5
    tones = 0.5 if telephone else 1.0  # power of the sines left, 1/2 each
    spectrum[[2000, 12_000]] = 0
    snr = 10 * np.log10(tones / (np.sum(np.abs(spectrum) ** 2) / 2))
    assert 4.8 < snr < 20.2  # SNR_DB, but for what is estimated
    if telephone:
        assert np.abs(spectrum[: 2 * 150]).max() < 0.05 * np.abs(spectrum).max()  # an octave below: -48 dB


def test_half_of_the_clips_are_telephone() -> None:
    tone = np.sin(2 * np.pi * 6000 * np.arange(1600) / 16_000)
    level = [np.std(noise.degrade(tone, 16_000, np.random.default_rng(seed))) for seed in range(400)]
    telephone = np.mean(np.array(level) < 0.1)  # 6 kHz is 39 dB down there
    assert abs(telephone - 0.5) < 0.075  # three standard deviations of a mean of 400 coins


def test_telephone_edges_are_at_minus_3_db() -> None:
    # Butterworth: 1/2 of the power at the edges; 1 in the middle; 8 orders x 6 dB an octave beyond.
    power = noise.telephone_gain(np.array([0.0, 150.0, 300.0, 1000.0, 3400.0, 6800.0])) ** 2
    assert power == pytest.approx([0.0, 2.0**-16, 0.5, 1.0, 0.5, 2.0**-16], rel=2e-4, abs=1e-12)
