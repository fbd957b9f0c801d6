"""Speech or silence: a mixture of Gaussians over how loud each frame is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio import GaussianMixture, mfcc
from gmmaudio.corpus.synth import LANGUAGES, draw_speaker, sounding, speak
from gmmaudio.features.vad import EnergyVad, MixtureVad

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

RATE, SECONDS = 16_000, 6.0  # Hz
NOISES = (30, 20, 10, 5, 0)  # dB: level of the speech over that of the noise
WAYS = (
    "all is speech",
    "two Gaussians",
    "four, the quietest is the pause",
    "package: MixtureVad",
    "package: EnergyVad",
    "best threshold there is",
)


@dataclass(frozen=True)
class Talk:
    """Speech, and where it has sound: one mark every 10 ms."""

    samples: Floats
    marks: Marks
    voice: str


def talks(speakers: int, seed: int) -> list[Talk]:
    """A clip by each of so many voices of each invented language."""
    found = []
    for place, language in enumerate(LANGUAGES):
        for number in range(speakers):
            voice = draw_speaker(f"{language.name}-{number}", np.random.default_rng([seed, place, number]))
            state = [seed, place, number, 1]  # the same for both, so that the marks are those of the sound
            samples = speak(language, voice, SECONDS, RATE, np.random.default_rng(state)).astype(np.float64)
            marks = sounding(language, voice, SECONDS, np.random.default_rng(state))
            found.append(Talk(samples, marks, voice.name))
    return found


def with_noise(samples: Floats, decibels: float, rng: np.random.Generator) -> Floats:
    """White noise added, so many decibels below the speech."""
    power = (samples**2).mean() / 10 ** (decibels / 10)
    return np.asarray(samples + np.sqrt(power) * rng.standard_normal(len(samples)))


def log_energy(samples: Floats) -> NDArray[np.float32]:
    """The logarithm of each frame's energy (frames,), in nats: 25 ms every 10 ms, on the scale of 16-bit integers."""
    return np.asarray(mfcc(samples / max(1, np.abs(samples).max()), RATE, n_mfcc=1, energy=True)[:, 0])


def truth_of_frames(marks: Marks, frames: int) -> Marks:
    """The mark nearest to each frame's middle: frame t is from 10 t ms to 10 t + 25 ms."""
    return marks[1 : frames + 1]


def fitted(energy: NDArray[np.floating], components: int) -> GaussianMixture:
    """Gaussians of their own widths: steady noise is narrow, speech wide. EM starts from evenly spaced quantiles."""
    starts = np.quantile(energy, (np.arange(components) + 0.2) / components)
    start = {"means_init": starts[:, None], "random_state": 0}
    mixture = GaussianMixture(components, covariance_type="spherical", max_iter=500, **start)
    return mixture.fit(energy.reshape(-1, 1))


def threshold(mixture: GaussianMixture) -> float:
    """The energy at which the quietest Gaussian's posterior falls below a half, on the way up from its mean.

    Far below that mean a wider one would take over again, but nothing there is speech.
    """
    quietest = int(mixture.means_[:, 0].argmin())
    way_up = np.linspace(mixture.means_.min(), mixture.means_.max(), 2001)
    return float(way_up[(mixture.predict_proba(way_up[:, None])[:, quietest] < 0.5).argmax()])


def best_error(energy: NDArray[np.floating], truth: Marks) -> float:
    """The least share of wrong frames that any threshold gives: it knows the truth."""
    right = truth[energy.argsort(kind="stable")]
    wrong = np.concatenate([[0], np.cumsum(right)]) + np.concatenate([np.cumsum(~right[::-1])[::-1], [0]])
    return float(wrong.min() / len(truth))


def errors(talk: Talk, decibels: float, rng: np.random.Generator) -> dict[str, float]:
    """The share of frames that each way gets wrong in one clip."""
    energy = log_energy(with_noise(talk.samples, decibels, rng))
    truth = truth_of_frames(talk.marks, len(energy))
    marks = {
        "all is speech": np.ones(len(energy), bool),
        "two Gaussians": energy > threshold(fitted(energy, 2)),
        "four, the quietest is the pause": energy > threshold(fitted(energy, 4)),
        "package: MixtureVad": MixtureVad()(energy),
        "package: EnergyVad": EnergyVad(5.5, 0.5)(energy),
    }
    found = {way: float((some != truth).mean()) for way, some in marks.items()}
    return {**found, "best threshold there is": best_error(energy, truth)}


def all_errors(some: list[Talk], seed: int) -> dict[float, dict[str, Floats]]:
    """Errors of every clip (clips,), each way, at each level of noise."""
    table = {}
    for decibels in NOISES:
        rows = [errors(talk, decibels, np.random.default_rng([seed, i])) for i, talk in enumerate(some)]
        table[decibels] = {way: np.array([row[way] for row in rows]) for way in WAYS}
    return table
