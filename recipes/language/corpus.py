"""Makes the corpus of the language recipe: synthetic speech, twelve languages read by one synthesiser.

    python recipes/language/corpus.py OUT [--clips-per-voice 3] [--voices 24] [--condition clean|hard] ...

Every clip is espeak-ng reading random whole numbers aloud. The same program speaks all languages, in the
same voices, at speeds and pitches drawn from the same distributions, so that only the language differs. No
voice is in two splits. This is machine speech: an accuracy measured on it says nothing about people.

OUT holds one folder per language and manifest.csv (path, label, group, split, speed, pitch); the group is
the voice. A seed fixes every byte for a given espeak-ng (1.51 here), whatever the number of jobs.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent))
from noise import degrade

from gmmaudio.errors import DataError, GmmaudioError

# Germanic, Romance, Slavic, Indo-Aryan, Uralic, Turkic and Bantu, by espeak-ng's names; digits become words
# in each. Languages with a timbre of their own in espeak-ng (vi, id, ta, hr, sr) would give themselves away.
LANGUAGES = ("de", "en-gb", "es", "fi", "fr-fr", "hi", "it", "nl", "pl", "ru", "sw", "tr")

# A third of them high, also of the first N. Of espeak-ng's 100 variants these leave out whispers, robots and
# long echoes; voices that clip, have no steady pitch (croak, grandpa) or a formant F1-F3 outside 80-140 % of
# its usual place; those of its other synthesiser (Klatt's); and all but one of near-identical voices.
# fmt: off
VOICES = (
    "Alex", "Andrea", "Denis", "Gene", "Annie", "Mario", "Nguyen", "anika", "ed", "iven4", "belinda", "john",
    "m1", "f1", "m2", "m3", "f2", "m4", "m5", "f3", "m6", "m7", "f4", "max", "michel", "grandma",
    "pablo", "paul", "linda", "pedro", "quincy", "shelby", "rob", "sandro", "steph", "victor",
)
# fmt: on
CONDITIONS = ("clean", "hard")

RATE = 16_000  # Hz, of the clips written
LEVEL = 0.05  # root mean square of each clip, full scale 1: loudness says nothing about the language
FLOOR_DB = -60.0  # white noise under every clip, relative to LEVEL: no frame is digital silence
SPEED = (130, 200)  # words per minute, both ends included
PITCH = (30, 70)  # espeak-ng's scale of 0-99, 50 being the voice's own
DIGITS = (2.0, 6.0)  # numbers are log-uniform from 10^2 to 10^6: short and long ones alike

COLUMNS = ("path", "label", "group", "split", "speed", "pitch")
Row = tuple[str, str, str, str, int, int]
Samples = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Plan:
    """What to make.

    Parameters
    ----------
    clips_per_voice, seconds : int, float
        Clips of each voice in each language, and their length.
    voices : int
        The first so many of `VOICES`; a third of them, rounded down, are kept for testing.
    training_clips : int
        Of each voice that is not kept for testing; 0, the default: as many as of the others.
    languages : int
        The first so many of `LANGUAGES`.
    calibration : int
        How many of the other voices are kept for calibration; the rest train.
    condition : {"clean", "hard"}
        "hard" is the speech of "clean" with the same seed, each clip passed through `noise.degrade`.
    seed : int
        Draws the numbers, speeds, pitches and noises, and which voice is in which split.
    """

    clips_per_voice: int = 3
    seconds: float = 10.0
    voices: int = 24
    calibration: int = 0
    training_clips: int = 0
    languages: int = len(LANGUAGES)
    condition: str = "clean"
    seed: int = 0

    def __post_init__(self) -> None:
        trainable = self.voices - self.voices // 3
        allowed = {
            "clips_per_voice": (self.clips_per_voice >= 1, "1 or more"),
            "seconds": (0.1 <= self.seconds <= 600, "0.1 to 600"),
            "voices": (3 <= self.voices <= len(VOICES), f"3 to {len(VOICES)}"),
            "calibration": (0 <= self.calibration < trainable, f"0 to {trainable - 1}"),
            "training_clips": (self.training_clips >= 0, "0 or more"),
            "languages": (2 <= self.languages <= len(LANGUAGES), f"2 to {len(LANGUAGES)}"),
            "condition": (self.condition in CONDITIONS, " or ".join(CONDITIONS)),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (good, what) in allowed.items():
            if not good:
                raise DataError("bad_plan", f"{name}: got {getattr(self, name)!r}; allowed: {what}")

    def takes(self, split: str) -> int:
        """Clips of each voice of a split, in each language."""
        return self.clips_per_voice if split == "test" else self.training_clips or self.clips_per_voice


class Utterance(NamedTuple):
    language: str
    voice: str
    split: str
    take: int


def make_corpus(out: Path, plan: Plan | None = None, jobs: int = 2) -> Path:
    """Speak a corpus into a folder.

    Parameters
    ----------
    out : Path
        Made if it is not there. The manifest is written last: without one, a run was interrupted.
    plan : Plan, optional
        By default `Plan()`: 864 clips of 10 s, 277 MB.
    jobs : int
        Clips made at a time; no byte depends on it.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    DataError
        ``no_espeak``, ``no_voice``, ``espeak_failed``, ``corpus_exists``, ``bad_jobs``.
    """
    plan = plan or Plan()
    manifest = out / "manifest.csv"
    if manifest.exists():
        raise DataError("corpus_exists", f"{manifest} is there already", "name another folder, or remove it")
    if jobs < 1:
        raise DataError("bad_jobs", f"jobs: got {jobs}; allowed: 1 or more")
    check_espeak(VOICES[: plan.voices])
    for language in LANGUAGES[: plan.languages]:
        (out / language).mkdir(parents=True, exist_ok=True)
    todo = utterances(plan)
    with ThreadPoolExecutor(jobs) as pool:
        clips = pool.map(partial(make_clip, out, plan), todo)
        rows = list(tqdm(clips, total=len(todo), unit="clip", disable=None))
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return manifest


def check_espeak(voices: Sequence[str]) -> None:
    """Refuse to start without espeak-ng, or with voices that it would replace by its default."""
    if shutil.which("espeak-ng") is None:
        raise DataError("no_espeak", "espeak-ng is not on the PATH", "apt-get install espeak-ng")
    command = ["espeak-ng", "--voices=variant"]
    listing = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    missing = [voice for voice in voices if f"!v/{voice} " not in listing]
    if missing:
        raise DataError("no_voice", f"espeak-ng lacks {', '.join(missing)}", "install espeak-ng 1.51")


def utterances(plan: Plan) -> list[Utterance]:
    """All clips of a plan, in the order of the manifest."""
    return [
        Utterance(language, voice, split, take)
        for language in LANGUAGES[: plan.languages]
        for voice, split in assign_splits(plan).items()
        for take in range(plan.takes(split))
    ]


def assign_splits(plan: Plan) -> dict[str, str]:
    """Voice to split, drawn from the plan's seed; the same for every language."""
    splits = ["test"] * (plan.voices // 3) + ["calibration"] * plan.calibration
    splits += ["train"] * (plan.voices - len(splits))
    order = np.random.default_rng(plan.seed).permutation(plan.voices)
    return {voice: splits[place] for voice, place in zip(VOICES, order, strict=False)}


def make_clip(out: Path, plan: Plan, clip: Utterance) -> Row:
    """Write one clip and return its row of the manifest."""
    # A generator of its own, so that neither the other clips nor the order of work change it.
    key = (LANGUAGES.index(clip.language), VOICES.index(clip.voice), clip.take)
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=key))
    speed, pitch = (int(rng.integers(low, high, endpoint=True)) for low, high in (SPEED, PITCH))
    samples = at_level(read_numbers(f"{clip.language}+{clip.voice}", speed, pitch, plan.seconds, rng))
    if plan.condition == "hard":
        samples = at_level(degrade(samples, RATE, rng))
    floor = rng.normal(0.0, LEVEL * 10 ** (FLOOR_DB / 20), len(samples))
    path = f"{clip.language}/{clip.voice}-{clip.take:03d}.wav"
    soundfile.write(out / path, samples + floor, RATE, subtype="PCM_16")
    return path, clip.language, clip.voice, clip.split, speed, pitch


def read_numbers(voice: str, speed: int, pitch: int, seconds: float, rng: np.random.Generator) -> Samples:
    """Random numbers read aloud, from the first sound on, for exactly `seconds`, at `RATE`."""
    wanted = round(seconds * RATE)
    spoken: Samples = np.zeros(0)
    while len(spoken) < wanted:
        numbers = (10 ** rng.uniform(*DIGITS, size=int(np.ceil(seconds)))).astype(int)
        # A comma and a space: a space alone groups thousands, and a full stop makes a German ordinal.
        text = ", ".join(str(number) for number in numbers)
        spoken = np.concatenate([spoken, trim_start(speak(text, voice, speed, pitch))])
    return spoken[:wanted]


def speak(text: str, voice: str, speed: int, pitch: int) -> Samples:
    """What espeak-ng says, at `RATE`; at half its usual amplitude, so that no voice clips."""
    options = ["-v", voice, "-s", str(speed), "-p", str(pitch), "-a", "50", "--stdout"]
    done = subprocess.run(["espeak-ng", *options, text], capture_output=True, check=False)
    header, body = done.stdout[:44], done.stdout[44:]
    if done.returncode != 0 or not any(body):
        reason = done.stderr.decode(errors="replace").strip()
        raise DataError("espeak_failed", f"espeak-ng said nothing in voice {voice}: {reason}")
    # The lengths in a streamed header are wrong, but its rate is right.
    rate = int.from_bytes(header[24:28], "little")
    samples: Samples = soxr.resample(np.frombuffer(body, "<i2") / 32768, rate, RATE, quality="HQ")
    return samples


def trim_start(samples: Samples) -> Samples:
    """From the first sample within 40 dB of the peak on."""
    loud = np.abs(samples) > 0.01 * np.abs(samples).max()
    return samples[int(np.argmax(loud)) :]


def at_level(samples: Samples) -> Samples:
    """Scaled to a root mean square of `LEVEL`."""
    return samples * float(LEVEL / np.sqrt(np.mean(samples**2)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    for field in fields(Plan):
        flag, kind = "--" + field.name.replace("_", "-"), type(field.default)
        parser.add_argument(flag, type=kind, default=field.default, help=f"default {field.default}")
    parser.add_argument("--jobs", type=int, default=2, help="clips made at a time; default 2")
    options = vars(parser.parse_args(arguments))
    out, jobs = options.pop("out"), options.pop("jobs")
    try:
        print(make_corpus(out, Plan(**options), jobs))
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
