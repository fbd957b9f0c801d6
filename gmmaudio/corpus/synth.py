"""A synthetic corpus: four invented languages, spoken by voices that this module computes.

Nothing here was recorded, nobody speaks these languages, and results on them say nothing about real speech.
They give the demo and the tests a labelled corpus of known make-up that is written in seconds.

The method is the source-filter model of speech: glottal pulses and noise, each through resonators that move
every 10 ms along tracks of levels, pitch and formants. The languages share most of their vowels and
consonants, and one distribution of speakers; choice, rhythm and melody differ. Pitch, level or voice alone
therefore do not tell a language.

References
----------
Plan and resonator: Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980.
Glottal pulse: Klatt and Klatt, "Analysis, synthesis, and perception of voice quality", JASA 87(2), 1990.
Formants: Peterson and Barney, "Control methods used in a study of the vowels", JASA 24(2), 1952 (men).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from gmmaudio.errors import DataError

Array = NDArray[np.float64]
Spectrum = NDArray[np.complex128]
Formants = tuple[float, float, float]


@dataclass(frozen=True)
class Consonant:
    """Noise around `centre` Hz after a silence of `closure` seconds, with or without a voice at its level."""

    centre: float
    seconds: float
    closure: float = 0.0
    level: float = 0.2
    voice: float = 0.0


@dataclass(frozen=True)
class Language:
    """An invented language: what it is made of and how it moves.

    Parameters
    ----------
    name : str
        Its label in the corpus.
    vowels : tuple of (float, float, float)
        The first three formants of each vowel in Hz, for a speaker of scale 1.
    consonants : tuple of Consonant
        May be empty if no pattern has a ``C``.
    patterns : tuple of str
        The shapes of a syllable in ``C`` and ``V``, each equally likely.
    syllable_rate : float
        Syllables per second for a speaker of pace 1.
    melody : tuple of float
        Pitch of the syllables of a phrase in semitones from the speaker's own, repeated as needed.
    """

    name: str
    vowels: tuple[Formants, ...]
    consonants: tuple[Consonant, ...]
    patterns: tuple[str, ...]
    syllable_rate: float
    melody: tuple[float, ...]


@dataclass(frozen=True)
class Speaker:
    """A computed voice.

    Parameters
    ----------
    name : str
        Unique over the corpus, such as ``"arvi-3"``.
    scale : float
        Multiplies every resonance: above 1 for a vocal tract shorter than the table's.
    pitch : float
        Fundamental frequency in Hz.
    pace : float
        Multiplies the language's syllable rate.
    open_quotient : float
        The share of each period in which the glottis is open.
    tilt : float
        Bandwidth in Hz of the low-pass that dulls the voice.
    """

    name: str
    scale: float
    pitch: float
    pace: float
    open_quotient: float = 0.6
    tilt: float = 5000.0


VOWELS: dict[str, Formants] = {
    "i": (270, 2290, 3010),
    "I": (390, 1990, 2550),
    "e": (530, 1840, 2480),
    "A": (660, 1720, 2410),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "U": (440, 1020, 2240),
    "u": (300, 870, 2240),
    "V": (640, 1190, 2390),
    "R": (490, 1350, 1690),
}

CONSONANTS = {
    "p": Consonant(900, seconds=0.02, closure=0.06),
    "t": Consonant(3800, seconds=0.02, closure=0.05),
    "k": Consonant(1900, seconds=0.03, closure=0.05),
    "s": Consonant(5800, seconds=0.09),
    "S": Consonant(3200, seconds=0.09),
    "x": Consonant(1700, seconds=0.08, level=0.12),
    "h": Consonant(1100, seconds=0.06, level=0.08),
    "z": Consonant(5200, seconds=0.07, level=0.1, voice=0.3),
}


def _language(
    name: str, vowels: str, consonants: str, patterns: str, syllable_rate: float, melody: tuple[float, ...]
) -> Language:
    formants = tuple(VOWELS[symbol] for symbol in vowels.split())
    noises = tuple(CONSONANTS[symbol] for symbol in consonants.split())
    return Language(name, formants, noises, tuple(patterns.split()), syllable_rate, melody)


LANGUAGES = (
    _language("arvi", "i e a o u", "p t k s h", "CV", 6.0, (0, 2, 0, -2)),
    _language("belun", "i I A a U", "t k s S z", "CV CVC", 4.2, (2, 0, -1)),
    _language("kesto", "i e V o U", "p t k x s", "CV V", 5.0, (0, -1, -2, 1)),
    _language("domar", "I e u o R", "t k s x z", "CVC VC CV", 4.6, (-2, 2)),
)

README = """\
This corpus is synthetic: computed by gmmaudio (gmmaudio/corpus/synth.py).
Nothing in it was recorded, its languages ({languages}) are
invented, and no figure obtained on it says anything about real speech.

{speakers} speakers per language, {clips} clips each of {seconds:g} s, {rate} Hz, 16 bit, seed {seed}.
manifest.csv: path, label (language), group (speaker), split (no speaker is in both).
"""

_HOP = 0.01  # seconds from frame to frame
_TAIL = 6  # hops after which a resonance has died away
_REST: Formants = (500, 1500, 2500)  # an open tube of 17 cm: the tract of a silent speaker


# ---- what is said


class _Phone(NamedTuple):
    seconds: float
    voice: float = 0.0
    noise: float = 0.0
    centre: float = 1000.0
    semitones: float = 0.0
    formants: Formants = _REST


def _consonant(sound: Consonant, semitones: float, formants: Formants) -> Iterator[_Phone]:
    """The tract already takes the shape of the vowel."""
    if sound.closure:
        yield _Phone(sound.closure, 0, 0, sound.centre, semitones, formants)
    yield _Phone(sound.seconds, sound.voice, sound.level, sound.centre, semitones, formants)


def _syllable(language: Language, semitones: float, rng: Generator) -> Iterator[_Phone]:
    pattern = language.patterns[rng.integers(len(language.patterns))]
    vowel = language.vowels[rng.integers(len(language.vowels))]
    chosen = [language.consonants[rng.integers(len(language.consonants))] for _ in range(pattern.count("C"))]
    spent = sum(sound.closure + sound.seconds for sound in chosen)
    rest = max(0.06, rng.uniform(0.8, 1.25) / language.syllable_rate - spent)
    consonants = iter(chosen)
    for symbol in pattern:
        if symbol == "C":
            yield from _consonant(next(consonants), semitones, vowel)
        else:
            yield _Phone(rest, voice=1, semitones=semitones, formants=vowel)


def _phrases(language: Language, rng: Generator) -> Iterator[_Phone]:
    """Speech without end: a pause, then three to seven syllables, and again."""
    while True:
        yield _Phone(rng.uniform(0.05, 0.35))
        for place in range(rng.integers(3, 8)):
            yield from _syllable(language, language.melody[place % len(language.melody)], rng)


def _tracks(language: Language, pace: float, frames: int, rng: Generator) -> Array:
    """Voice, noise, centre, semitones and three formants every 10 ms; (frames, 7)."""
    rows: list[tuple[float, ...]] = []
    phones = _phrases(language, rng)
    while len(rows) < frames:
        phone = next(phones)
        row = (phone.voice, phone.noise, phone.centre, phone.semitones, *phone.formants)
        rows += [row] * max(1, round(phone.seconds / pace / _HOP))
    tracks = np.array(rows[:frames])
    tracks[:, :2] = _smooth(tracks[:, :2], reach=1)  # attack and decay
    tracks[:, 3:] = _smooth(tracks[:, 3:], reach=3)  # glides; the centre may jump, it does so in silence
    return tracks


def _smooth(tracks: Array, reach: int) -> Array:
    """A weighted mean over `reach` frames before and after; the ends are held."""
    weights = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(tracks, ((reach, reach), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, len(weights), axis=0)
    return np.asarray(windows @ (weights / weights.sum()))


# ---- how it sounds


def _resonators(frequencies: Array, bandwidths: Array, rate: int, n_fft: int) -> Spectrum:
    """Each row's cascade of resonators (Klatt 1980, eq. 2), of gain 1 at 0 Hz; (rows, n_fft // 2 + 1)."""
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    radius = np.exp(-np.pi * bandwidths / rate)
    first, second = -2 * radius * np.cos(2 * np.pi * frequencies / rate), radius**2
    cascade = np.ones((len(frequencies), len(z)), dtype=complex)
    for b, c in zip(first.T[:, :, None], second.T[:, :, None], strict=True):
        section = c * z  # 1 + b z + c z^2 in place takes half the time
        section += b
        section *= z
        section += 1
        cascade *= section
    return np.asarray(np.prod(1 + first + second, axis=1, keepdims=True) / cascade)


def _tract(formants: Array, speaker: Speaker, rate: int, n_fft: int) -> Spectrum:
    """The way out of the voice: three moving formants, an open tube's resonances above them, and the tilt."""
    moving = speaker.scale * formants
    upper = speaker.scale * np.arange(3500, rate / 2 / speaker.scale, 1000)[None]
    fixed = np.pad(upper, ((0, 0), (1, 0)))  # a resonance at 0 Hz is a low-pass
    widths = 50 + fixed / 25
    widths[:, 0] = speaker.tilt
    return _resonators(moving, 50 + moving / 25, rate, n_fft) * _resonators(fixed, widths, rate, n_fft)


def _friction(centre: Array, rate: int, n_fft: int) -> Spectrum:
    """A band around `centre`, which passes the same power of white noise wherever it lies."""
    frequency = np.minimum(centre, 0.45 * rate)[:, None]
    band = _resonators(frequency, 300 + frequency / 6, rate, n_fft) ** 2  # steeper skirts
    return np.asarray(band / np.sqrt(np.mean(np.abs(band) ** 2, axis=1, keepdims=True)))


def _pulses(cycles: Array, hop: int, open_quotient: float) -> Array:
    """Differentiated glottal flow from cycles per sample: 2 t - 3 t^2 while open; ((frames + 1) * hop,)."""
    samples = np.arange((len(cycles) + 1) * hop)
    phase = np.cumsum(np.interp(samples, hop * np.arange(1, len(cycles) + 1), cycles))
    t = phase % 1 / open_quotient
    return np.where(t < 1, 2 * t - 3 * t**2, 0)


def _overlap_add(spectra: Spectrum, hop: int) -> Array:
    """Frames that start a hop apart, each followed by its tail, added up; ((frames + _TAIL) * hop,)."""
    pieces = np.fft.irfft(spectra, _TAIL * hop).reshape(len(spectra), _TAIL, hop)
    sound = np.zeros((len(pieces) + _TAIL, hop))
    for step in range(_TAIL):
        sound[step : step + len(pieces)] += pieces[:, step]
    return sound.ravel()


def _speech(tracks: Array, speaker: Speaker, rate: int, rng: Generator) -> Array:
    """Sound along the tracks; the filters of neighbouring frames cross-fade."""
    frames, hop = len(tracks), round(rate * _HOP)
    n_fft = _TAIL * hop
    voice, noise, centre, semitones = tracks[:, :4].T
    jitter = 1 + 0.01 * rng.standard_normal(frames)
    pitch = speaker.pitch * 2 ** (semitones / 12) * jitter
    hiss = rng.standard_normal((frames + 1) * hop)
    breathy = _pulses(pitch / rate, hop, speaker.open_quotient) + 0.01 * hiss
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)  # two of them, a hop apart, add up to one
    through_tract, through_gap = (
        np.fft.rfft(sliding_window_view(source, 2 * hop)[::hop] * window, n_fft) for source in (breathy, hiss)
    )
    through_tract *= voice[:, None] * _tract(tracks[:, 4:], speaker, rate, n_fft)
    through_gap *= noise[:, None] * _friction(speaker.scale * centre, rate, n_fft)
    return _overlap_add(through_tract + through_gap, hop)[hop:]


def _recorded(speech: Array, rng: Generator) -> NDArray[np.float32]:
    """At a level of its own and over a noise of its own: neither tells a thing, and nothing is zero."""
    noise = 10 ** -rng.uniform(2.2, 3.2) * rng.standard_normal(len(speech))
    sound = speech / max(np.abs(speech).max(), 1e-9) + noise
    return np.asarray(sound * (rng.uniform(0.2, 0.9) / np.abs(sound).max()), dtype=np.float32)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        message = f"{name} is {value}; it must lie between {low} and {high}"
        raise DataError("bad_synthesis", message, f"choose {name} in that range")


def speak(language: Language, speaker: Speaker, seconds: float, rate: int, rng: Generator) -> NDArray[np.float32]:
    """One clip of synthetic speech in an invented language, over a faint noise, at a random level.

    Parameters
    ----------
    language, speaker : Language, Speaker
        What is spoken, and by whom.
    seconds : float
        Length, from 0.5 to 60.
    rate : int
        Sampling rate in Hz, from 8000 to 192000.
    rng : numpy.random.Generator
        The source of every choice: the same state gives the same samples.

    Returns
    -------
    (n,) float32 array
        ``round(seconds * rate)`` samples, the peak between 0.2 and 0.9.

    Raises
    ------
    DataError
        ``bad_synthesis`` for a length or a rate out of range.

    Examples
    --------
    >>> speaker = Speaker("arvi-1", scale=1.0, pitch=120.0, pace=1.0)
    >>> speak(LANGUAGES[0], speaker, 0.5, 16000, np.random.default_rng(0)).shape
    (8000,)
    """
    _check_range("seconds", seconds, 0.5, 60)
    _check_range("rate", rate, 8000, 192000)
    samples = round(seconds * rate)
    frames = samples // round(rate * _HOP) + 2
    tracks = _tracks(language, speaker.pace, frames, rng)
    return _recorded(_speech(tracks, speaker, rate, rng)[:samples], rng)


def sounding(language: Language, speaker: Speaker, seconds: float, rng: Generator) -> NDArray[np.bool_]:
    """Where a clip of synthetic speech has sound: the truth for whoever looks for speech and pauses.

    Parameters
    ----------
    language, speaker, seconds
        As given to `speak`.
    rng : numpy.random.Generator
        In the state in which `speak` gets it.

    Returns
    -------
    (n,) bool
        Whether voice or noise is on, at ``n = round(100 * seconds) + 1`` moments, 10 ms apart from 0 s on. The silent
        closure before a plosive counts as a pause; what resonates on for some milliseconds does not count.

    Raises
    ------
    DataError
        ``bad_synthesis`` for a length out of range.

    Examples
    --------
    >>> speaker = Speaker("arvi-1", scale=1.0, pitch=120.0, pace=1.0)
    >>> marks = sounding(LANGUAGES[0], speaker, 0.5, np.random.default_rng(0))
    >>> len(marks), int(marks.argmax())  # a clip begins with a pause
    (51, 28)
    """
    _check_range("seconds", seconds, 0.5, 60)
    tracks = _tracks(language, speaker.pace, round(seconds / _HOP) + 2, rng)
    return np.asarray(tracks[:-1, :2].max(axis=1) > 0)


# ---- the corpus


def draw_speaker(name: str, rng: Generator) -> Speaker:
    """A voice at random, from one distribution for all languages; a shorter tract tends to a higher pitch.

    Examples
    --------
    >>> draw_speaker("arvi-1", np.random.default_rng(0)).name
    'arvi-1'
    """
    scale = rng.uniform(0.85, 1.15)
    pitch = 160 * scale**2 * rng.uniform(0.85, 1.15)
    pace, open_quotient = rng.uniform(0.85, 1.2), rng.uniform(0.5, 0.7)
    return Speaker(name, scale, pitch, pace, open_quotient, tilt=rng.uniform(3000, 7000))


def write_corpus(
    folder: Path, *, speakers: int = 8, clips: int = 4, seconds: float = 3.0, rate: int = 16000, seed: int = 0
) -> Path:
    """Write the synthetic corpus: clips, manifest.csv, and a README.txt that says what it is.

    Every fourth speaker of a language, from the second on, is in the split ``test``, the others in ``train``.
    A clip depends only on the seed, its language, its speaker's number and its own, so that a larger corpus
    holds the clips of a smaller one, in the same splits.

    Parameters
    ----------
    folder : Path
        Made if missing. An earlier synthetic corpus is written over (a clip of its own that the new one lacks
        stays, unlisted); any other content is refused.
    speakers : int
        Speakers per language, from 2 to 1000.
    clips : int
        Clips per speaker, from 1 to 99.
    seconds, rate
        Length and sampling rate of every clip, as in `speak`.
    seed : int
        From 0. The same seed gives the same bytes.

    Returns
    -------
    Path
        The manifest: path (relative to the folder), label, group (the speaker) and split of each clip.

    Raises
    ------
    DataError
        ``bad_synthesis`` for a number out of range, ``folder_in_use`` for a folder that holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = write_corpus(Path(folder), speakers=2, clips=1, seconds=0.5)
    ...     manifest.read_text().split()[:2]
    ['path,label,group,split', 'arvi/arvi-1_01.wav,arvi,arvi-1,train']
    """
    _check_range("speakers", speakers, 2, 1000)
    _check_range("clips", clips, 1, 99)
    _check_range("seconds", seconds, 0.5, 60)
    _check_range("rate", rate, 8000, 192000)
    _check_range("seed", seed, 0, 2**63)
    facts = {"speakers": speakers, "clips": clips, "seconds": seconds, "rate": rate, "seed": seed}
    _claim(folder, README.format(languages=", ".join(language.name for language in LANGUAGES), **facts))
    rows = []
    for place, number in product(range(len(LANGUAGES)), range(speakers)):
        language = LANGUAGES[place]
        speaker = draw_speaker(f"{language.name}-{number + 1}", _random(seed, place, number))
        for clip in range(clips):
            path = f"{language.name}/{speaker.name}_{clip + 1:02}.wav"
            samples = speak(language, speaker, seconds, rate, _random(seed, place, number, clip))
            soundfile.write(folder / path, samples, rate, subtype="PCM_16")
            rows.append((path, language.name, speaker.name, "test" if number % 4 == 1 else "train"))
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("path", "label", "group", "split"), *rows])
    return manifest


def _claim(folder: Path, readme: str) -> None:
    """Make the folders and leave the note first, so that an interrupted corpus can be written again."""
    note = folder / "README.txt"
    ours = note.is_file() and note.read_text("utf-8", "replace").startswith(README.splitlines()[0])
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} holds something other than a synthetic corpus"
        raise DataError("folder_in_use", message, "name a new or an empty folder")
    for language in LANGUAGES:
        (folder / language.name).mkdir(parents=True, exist_ok=True)
    note.write_text(readme, encoding="utf-8")


def _random(seed: int, *key: int) -> Generator:
    return default_rng(SeedSequence(seed, spawn_key=key))
