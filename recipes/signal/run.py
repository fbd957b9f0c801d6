"""Mixtures in signal processing: find the pauses, and take out the noise.

    python recipes/signal/run.py [--out DIR] [--small] [--seed 0]

The speech is computed (gmmaudio.corpus.synth: invented languages, no recordings), so that the truth is known: where it
has sound, and what it was before noise was added.

1. Speech or silence (pauses.py): a mixture of Gaussians over the log energy of each frame, fitted to each clip alone;
   the share of frames it gets wrong beside the package's own detectors and beside the best threshold there is.
2. Noise (denoise.py): a mixture of what the spectrum of speech is like, learned from other voices; the expected speech
   given what is heard. Signal-to-noise before and after, beside usual filters and beside one that knows the answer.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import denoise
import pauses
from denoise import Floats, Spectra
from drawings import draw_denoising, draw_pauses

from gmmaudio.corpus.synth import LANGUAGES, draw_speaker, speak
from gmmaudio.measures.resampling import figure_interval

NOISES = (10, 5, 0, -5)  # dB: level of the speech over that of the noise
WAYS = (
    "nothing done",
    "spectral subtraction",
    "Wiener, average spectrum",
    "Wiener, decision-directed",
    "mixture, posterior mean",
    "Wiener, knowing the speech",
)


@dataclass(frozen=True)
class Speech:
    """What the states of speech are, and clean clips of other voices."""

    weights: Floats
    powers: Floats
    average: Floats
    clips: list[Floats]


def clip(language: int, voice: list[int], seconds: float) -> Floats:
    """Speech of mean power 1; the seeds say whose and which."""
    speaker = draw_speaker("any", np.random.default_rng(voice))
    state = np.random.default_rng([*voice, 1])
    samples = speak(LANGUAGES[language], speaker, seconds, denoise.RATE, state).astype(np.float64)
    return np.asarray(samples / np.sqrt((samples**2).mean()))


def prepare(voices: int, tests: int, components: int, seed: int) -> Speech:
    """Learn from so many voices a language, eight seconds each; speak with so many others, four seconds each."""
    places = range(len(LANGUAGES))
    known = [clip(place, [seed, place, number], 8) for place in places for number in range(voices)]
    clean = np.concatenate([denoise.spectra(samples) for samples in known])
    weights, powers = denoise.learn(clean, components, seed)
    others = [clip(place, [seed, place, 1000 + number], 4) for place in places for number in range(tests)]
    return Speech(weights, powers, denoise.power(clean).mean(axis=0), others)


def noise_power(decibels: float) -> Floats:
    """Of white noise so many dB below speech of power 1, at each frequency: a frame of white noise of power 1 has that
    of the window."""
    return np.full(denoise.SIZE // 2 - 1, (denoise.WINDOW**2).sum() / 10 ** (decibels / 10))


def filtered(speech: Speech, clean: Spectra, noisy: Spectra, noise: Floats) -> dict[str, Spectra]:
    return {
        "nothing done": noisy,
        "spectral subtraction": denoise.subtraction(noisy, noise),
        "Wiener, average spectrum": denoise.average_wiener(noisy, noise, speech.average),
        "Wiener, decision-directed": denoise.decision_directed(noisy, noise),
        "mixture, posterior mean": denoise.posterior_mean(noisy, noise, speech.weights, speech.powers),
        "Wiener, knowing the speech": denoise.knowing(noisy, noise, clean),
    }


def with_noise(samples: Floats, decibels: float, rng: np.random.Generator) -> Floats:
    return np.asarray(samples + 10 ** (-decibels / 20) * rng.standard_normal(len(samples)))


def ratios(speech: Speech, decibels: float, seed: int) -> dict[str, Floats]:
    """Signal-to-noise in dB after each way, of every clip."""
    rows = []
    for number, samples in enumerate(speech.clips):
        noisy = with_noise(samples, decibels, np.random.default_rng([seed, number]))
        every = filtered(speech, denoise.spectra(samples), denoise.spectra(noisy), noise_power(decibels))
        rows.append({way: denoise.ratio(samples, denoise.sound(some, len(samples))) for way, some in every.items()})
    return {way: np.array([row[way] for row in rows]) for way in WAYS}


def reach(values: Floats, low: float, high: float) -> str:
    """The mean of the clips' figures with its 95 % interval; each clip is another voice."""
    found = figure_interval(lambda some: float(values[some].mean()), len(values), bounds=(low, high))
    return f"{found.low:.1f} to {found.high:.1f}"


def head(table: dict[int, dict[str, Floats]]) -> str:
    return "".join(f"{decibels:7}" for decibels in table)


def tell_pauses(table: dict[int, dict[str, Floats]], clips: int, seed: int) -> None:
    print(f"1. Frames taken for the wrong one, in %: {clips} clips of {pauses.SECONDS:g} s, seed {seed}")
    print(
        f"{'speech over noise, dB':33}" + "".join(f"{decibels:7}" for decibels in table) + "   95 % interval at 10 dB"
    )
    for way in pauses.WAYS:
        means = "".join(f"{100 * row[way].mean():7.1f}" for row in table.values())
        print(f"{way:33}{means}   {reach(100 * table[10][way], 0, 100)}")


def tell_denoising(table: dict[int, dict[str, Floats]], speech: Speech) -> None:
    print(f"\n2. Signal-to-noise afterwards, in dB: {len(speech.clips)} clips, {len(speech.weights)} states of speech")
    print(f"{'before, dB':33}{head(table)}   95 % interval at 0 dB")
    for way in WAYS:
        means = "".join(f"{row[way].mean():7.1f}" for row in table.values())
        print(f"{way:33}{means}   {reach(table[0][way], -np.inf, np.inf)}")


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the pictures")
    options.add_argument("--small", action="store_true", help="fewer clips and states: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    talkers, voices, tests, components = (1, 2, 1, 16) if chosen.small else (6, 8, 6, 64)
    chosen.out.mkdir(parents=True, exist_ok=True)

    some = pauses.talks(talkers, chosen.seed)
    wrong = pauses.all_errors(some, chosen.seed)
    tell_pauses(wrong, len(some), chosen.seed)
    draw_pauses(some[0], wrong, chosen.out / "pauses.png")

    speech = prepare(voices, tests, components, chosen.seed)
    table = {decibels: ratios(speech, decibels, chosen.seed) for decibels in NOISES}
    tell_denoising(table, speech)
    clean, decibels = speech.clips[0], 5
    noisy = denoise.spectra(with_noise(clean, decibels, np.random.default_rng([chosen.seed, 0])))
    found = filtered(speech, denoise.spectra(clean), noisy, noise_power(decibels))
    shown = {"clean": denoise.spectra(clean), "with noise, 5 dB": noisy, "denoised": found["mixture, posterior mean"]}
    draw_denoising(shown, table, chosen.out / "denoising.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
