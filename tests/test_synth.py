"""The synthetic corpus says what it is, holds what its tables say, and is the same every time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz

from gmmaudio.corpus.synth import (
    CONSONANTS,
    LANGUAGES,
    VOWELS,
    Consonant,
    Formants,
    Language,
    Speaker,
    draw_speaker,
    sounding,
    speak,
    write_corpus,
)
from gmmaudio.errors import DataError

RATE = 16000
ASKED = {"speakers": 5, "clips": 2, "seconds": 0.75, "rate": 11025, "seed": 7}


def steady(formants: Formants, speaker: Speaker, semitones: float = 0) -> NDArray[np.float32]:
    """Two seconds from the middle of one long vowel."""
    language = Language("steady", (formants,), (), ("V",), 0.05, (semitones,))
    return speak(language, speaker, 3, RATE, default_rng(0))[RATE // 2 : -RATE // 2]


def resonances(samples: NDArray[np.float32], order: int) -> NDArray[np.float64]:
    """Frequencies of the narrow poles of linear prediction (autocorrelation method), ascending."""
    spectrum = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
    autocorrelation = np.fft.irfft(spectrum)[: order + 1]
    poles = np.roots([1, *-solve_toeplitz(autocorrelation[:-1], autocorrelation[1:])])
    bandwidths = -np.log(np.abs(poles)) * RATE / np.pi
    return np.sort(np.angle(poles[(bandwidths < 400) & (poles.imag > 0)]) * RATE / (2 * np.pi))


def rate_of_repetition(samples: NDArray[np.float32]) -> float:
    """Hz at the highest peak of the autocorrelation between 70 and 400 Hz, whose top a parabola places."""
    power = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
    lags = np.fft.irfft(power)
    best = RATE // 400 + int(np.argmax(lags[RATE // 400 : RATE // 70]))
    before, here, after = lags[best - 1 : best + 2]
    return float(RATE / (best + (before - after) / (2 * (before - 2 * here + after))))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("synthetic"), **ASKED).parent


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- speech


@pytest.mark.parametrize("scale", [0.87, 1.0, 1.13])
@pytest.mark.parametrize("vowel", VOWELS)
def test_a_long_vowel_resonates_where_the_table_says(vowel: str, scale: float) -> None:
    pitch = 75.0
    found = resonances(steady(VOWELS[vowel], Speaker("low", scale, pitch, 1.0, tilt=7000)), order=22)
    # Expected: the table of formants times the speaker's scale. Linear prediction of a periodic sound is
    # drawn to the nearest harmonic, at most half the pitch away.
    np.testing.assert_allclose(found[:3], scale * np.array(VOWELS[vowel]), rtol=0.01, atol=pitch / 2)


@settings(max_examples=15, deadline=None)
@given(pitch=st.floats(95, 250), semitones=st.sampled_from([-3, 0, 4]), vowel=st.sampled_from(sorted(VOWELS)))
def test_a_vowel_repeats_at_the_pitch_of_its_speaker(pitch: float, semitones: int, vowel: str) -> None:
    samples = steady(VOWELS[vowel], Speaker("any", 1.0, pitch, 1.0), semitones)
    # Expected: equal temperament, 12 semitones to the octave. The jitter of 1 % per 10 ms averages out.
    assert rate_of_repetition(samples) == pytest.approx(pitch * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("centre", [sound.centre for sound in CONSONANTS.values()])
def test_friction_lies_around_its_centre(centre: float) -> None:
    hiss = Language("hiss", (VOWELS["a"],), (Consonant(centre, seconds=9),), ("CV",), 1.0, (0,))
    samples = speak(hiss, Speaker("any", 1.1, 120, 1.0), 3, RATE, default_rng(0))[RATE:]
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    # Expected: the table's centre times the scale, as the middle (median) of the power.
    middle = frequencies[np.searchsorted(np.cumsum(power), power.sum() / 2)]
    assert middle == pytest.approx(1.1 * centre, rel=0.08)


def test_a_plosive_is_silent_before_it_bursts() -> None:
    stop = Language("stop", (VOWELS["a"],), (Consonant(2000, seconds=9, closure=1),), ("CV",), 1.0, (0,))
    samples = speak(stop, Speaker("any", 1.0, 120, 1.0), 2, RATE, default_rng(0))
    # Expected: a pause of at most 0.35 s, 1 s of closure, then noise. The background lies at least 44 dB
    # below the peak, the noise itself some 12 dB below it: 20 dB between the two leave room.
    quiet, loud = samples[: int(0.95 * RATE)].std(), samples[int(1.5 * RATE) :].std()
    assert 20 * np.log10(loud / quiet) > 20


def test_pace_shortens_the_vowels() -> None:
    slow_and_fast = [Speaker("slow", 1.0, 120, 0.5), Speaker("fast", 1.0, 120, 2.0)]
    stops = Language("stops", (VOWELS["a"],), (Consonant(2000, 0.02, 0.08),), ("CV",), 5.0, (0,))

    def onsets(speaker: Speaker) -> int:
        samples = speak(stops, speaker, 20, RATE, default_rng(0))
        level = np.abs(samples).reshape(-1, RATE // 100).max(axis=1)
        return int(np.sum(np.diff((level > 0.3 * level.max()).astype(int)) == 1))

    slow, fast = (onsets(speaker) for speaker in slow_and_fast)
    # Expected: the same score of syllables at four times the speed.
    assert fast / slow == pytest.approx(4, rel=0.2)


@settings(max_examples=20, deadline=None)
@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]),
    seconds=st.floats(0.5, 2),
    language=st.sampled_from(LANGUAGES),
    seed=st.integers(0, 2**32),
)
def test_a_clip_has_the_length_asked_for_and_a_sane_level(
    rate: int, seconds: float, language: Language, seed: int
) -> None:
    samples = speak(language, draw_speaker("any", default_rng(seed)), seconds, rate, default_rng(seed))
    assert samples.dtype == np.float32
    assert samples.shape == (round(seconds * rate),)
    assert np.abs(samples).max() >= 0.2 * (1 - 1e-6)
    assert np.abs(samples).max() <= 0.9 * (1 + 1e-6)


@pytest.mark.parametrize("place", range(len(LANGUAGES)))
def test_sounding_is_where_the_sound_is(place: int) -> None:
    speaker = draw_speaker("any", default_rng(place))
    marks = sounding(LANGUAGES[place], speaker, 5, default_rng(place))
    sound = speak(LANGUAGES[place], speaker, 5, 16000, default_rng(place)).astype(float)
    assert marks.shape == (501,)
    # Mark i stands for the 10 ms around i x 10 ms. Sound rings on for some 30 ms, and over all is a faint noise.
    levels = np.sqrt((sound[80:-80].reshape(-1, 160) ** 2).mean(axis=1))
    on = marks[1:-1]
    off = ~np.convolve(marks, np.ones(7), "same").astype(bool)[1:-1]
    assert off.sum() > 10
    assert levels[off].max() < 1.5 * np.median(levels[off])
    assert np.median(levels[on]) > 5 * levels[off].max()


@given(seed=st.integers(0, 2**63))
def test_speakers_stay_within_people(seed: int) -> None:
    speaker = draw_speaker("any", default_rng(seed))
    assert 0.85 <= speaker.scale <= 1.15
    assert 90 <= speaker.pitch <= 260


@pytest.mark.parametrize(("seconds", "rate"), [(0.4, RATE), (61, RATE), (float("nan"), RATE), (1, 7999), (1, 192001)])
def test_a_clip_out_of_range_is_refused(seconds: float, rate: int) -> None:
    with pytest.raises(DataError, match="must lie between"):
        speak(LANGUAGES[0], draw_speaker("any", default_rng(0)), seconds, rate, default_rng(0))


# ---- the corpus


def test_manifest_lists_every_file_once(corpus: Path) -> None:
    listed = [row["path"] for row in rows(corpus)]
    assert len(listed) == len(LANGUAGES) * 5 * 2  # as asked: 5 speakers, 2 clips
    assert sorted(listed) == sorted(path.relative_to(corpus).as_posix() for path in corpus.rglob("*.wav"))
    assert all(row["path"].startswith(f"{row['label']}/{row['group']}_") for row in rows(corpus))


def test_files_are_as_asked_and_never_silent(corpus: Path) -> None:
    for row in rows(corpus):
        with soundfile.SoundFile(corpus / row["path"]) as file:
            assert (file.format, file.subtype, file.samplerate, file.channels) == ("WAV", "PCM_16", 11025, 1)
            samples = file.read(dtype="int16")
        assert len(samples) == 8269  # 0.75 s x 11025 Hz, rounded
        assert np.abs(samples.astype(int)).max() < 32767
        assert samples[: 826 * 10].reshape(826, 10).any(axis=1).all()  # no block of ten samples is all zero


def test_no_speaker_is_in_both_splits(corpus: Path) -> None:
    groups = {split: {row["group"] for row in rows(corpus) if row["split"] == split} for split in ("train", "test")}
    assert not groups["train"] & groups["test"]
    assert (len(groups["train"]), len(groups["test"])) == (16, 4)  # 4 languages of 5: every fourth tests
    assert {(row["group"], row["label"]) for row in rows(corpus)} == {
        (f"{language.name}-{number}", language.name) for language in LANGUAGES for number in range(1, 6)
    }


def test_every_split_holds_every_language_however_few_the_speakers(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "new" / "corpus", speakers=2, clips=1, seconds=0.5)
    found = sorted((row["label"], row["split"]) for row in rows(manifest.parent))
    assert found == sorted((language.name, split) for language in LANGUAGES for split in ("train", "test"))


def test_the_default_eight_speakers_are_six_and_two(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, clips=1, seconds=0.5)
    splits = [row["split"] for row in rows(manifest.parent)]
    assert (splits.count("train"), splits.count("test")) == (24, 8)  # issue: 4 languages of 6 and 2 speakers


def test_same_seed_same_bytes_other_seed_other_sound(corpus: Path, tmp_path: Path) -> None:
    again = contents(write_corpus(tmp_path / "again", **ASKED).parent)
    other = contents(write_corpus(tmp_path / "other", **{**ASKED, "seed": 8}).parent)
    assert again == contents(corpus)
    assert again.keys() == other.keys()
    assert not any(again[path] == other[path] for path in again if path.endswith(".wav"))


def test_all_clips_differ(corpus: Path) -> None:
    clips = [content for path, content in contents(corpus).items() if path.endswith(".wav")]
    assert len(set(clips)) == len(clips)


def test_a_larger_corpus_holds_the_smaller_one(corpus: Path, tmp_path: Path) -> None:
    smaller = write_corpus(tmp_path, **{**ASKED, "speakers": 3, "clips": 1}).parent
    held = contents(corpus)
    clips = {path: content for path, content in contents(smaller).items() if path.endswith(".wav")}
    assert len(clips) == 3 * len(LANGUAGES)
    assert all(held[path] == content for path, content in clips.items())
    assert all(row in rows(corpus) for row in rows(smaller))


def test_it_says_that_it_is_synthetic(corpus: Path) -> None:
    note = " ".join((corpus / "README.txt").read_text(encoding="utf-8").split())
    assert note.startswith("This corpus is synthetic")
    assert "Nothing in it was recorded, its languages (arvi, belun, kesto, domar) are invented" in note


def test_an_interrupted_corpus_can_be_written_again(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_bytes((corpus / "README.txt").read_bytes())
    (tmp_path / "arvi").mkdir()
    (tmp_path / "arvi" / "arvi-1_01.wav").write_bytes(b"RIFF, and then the power went")
    write_corpus(tmp_path, **ASKED)
    assert contents(tmp_path) == contents(corpus)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("mine")
    with pytest.raises(DataError, match="holds something other than a synthetic corpus") as caught:
        write_corpus(tmp_path)
    assert caught.value.code == "folder_in_use"
    assert contents(tmp_path) == {"manifest.csv": b"mine"}


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(DataError, match="name a new or an empty folder"):
        write_corpus(tmp_path / "taken")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speakers", 1),
        ("speakers", 1001),
        ("clips", 0),
        ("clips", 100),
        ("seconds", 0.1),
        ("rate", 0),
        ("seed", -1),
    ],
)
def test_a_corpus_out_of_range_is_refused_before_it_is_begun(name: str, value: float, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{name} is {value}; it must lie between"):
        write_corpus(tmp_path / "corpus", **{name: value})
    assert not list(tmp_path.iterdir())
