"""MFCC in memory, from files, in a cold process: gmmaudio beside librosa and kaldi-native-fbank, one thread.

    python benchmarks/mfcc.py [--runs 30] [--seconds 10]

16 kHz, 25 ms every 10 ms, 40 mel filters, 13 coefficients; the audio is made here. Runs alternate, and the best of each
is compared: what else the machine does only ever adds. Two figures are not against a peer: two threads over files
against one, and the speech chain (deltas, CMVN, voice activity) against the MFCC before it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from gmmaudio.corpus.audio import read_clip
from gmmaudio.features.chain import run
from gmmaudio.features.context import Deltas
from gmmaudio.features.frames import Frames
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.vad import EnergyVad
from gmmaudio.parallel import map_in_order

RATE, OURS = 16000, Mfcc()
COLD = "import sys; from gmmaudio.corpus.audio import read_clip; from gmmaudio.features.mfcc import Mfcc; "
COLD += "Mfcc()(read_clip(sys.argv[1], 16000).samples)"

Task = Callable[[], object]


def sound(seconds: float, rate: int) -> np.ndarray:
    """Vowel-like tones over noise, with pauses, (n,)."""
    generator = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / rate
    voice = sum(np.sin(k * pitch) / k for k in range(1, 25)) * (np.sin(2 * np.pi * 1.3 * t) > -0.5)
    return (0.1 * voice + 0.01 * generator.standard_normal(len(t))).astype(np.float32)


def by_librosa(samples: np.ndarray) -> np.ndarray:
    return librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=13, n_mels=40, n_fft=512, win_length=400, hop_length=160)


def by_kaldi(samples: np.ndarray) -> list[np.ndarray]:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither, options.mel_opts.num_bins = 0, 40
    extractor = kaldi_native_fbank.OnlineMfcc(options)
    extractor.accept_waveform(RATE, samples)
    extractor.input_finished()
    return [extractor.get_frame(i) for i in range(extractor.num_frames_ready)]


def speech_chain(values: np.ndarray, energy: np.ndarray) -> np.ndarray:
    frames = Frames(values, EnergyVad(5.5, 0.5)(energy), 0.01)
    return run((Normalise(variance=True), Deltas()), frames).selected()


def best(tasks: list[Task], runs: int) -> list[float]:
    """Seconds of the best run of each; the runs alternate."""
    times = np.empty((runs, len(tasks)))
    for task in tasks:
        task()
    for row in times:
        for index, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            row[index] = time.perf_counter() - start
    return [float(value) for value in times.min(axis=0)]


def show(what: str, theirs: float, ours: float, goal: str) -> None:
    print(f"{what:44} {1000 * theirs:9.2f} ms {1000 * ours:9.2f} ms {theirs / ours:7.2f}   goal {goal}", flush=True)


def in_memory(samples: np.ndarray, runs: int) -> None:
    tasks: list[Task] = [lambda: OURS(samples), lambda: by_librosa(samples), lambda: by_kaldi(samples)]
    ours, theirs, kaldi = best(tasks, runs)
    show("in memory, librosa", theirs, ours, "1.6 (2.2)")
    show("in memory, kaldi-native-fbank", kaldi, ours, "6 (8)")
    values, energy = OURS(samples)
    (chain,) = best([lambda: speech_chain(values, energy)], runs)
    show("MFCC, and the speech chain after it", ours, chain, "more than 1")


def from_files(folder: Path, seconds: float, runs: int) -> None:
    stereo = np.stack([sound(seconds, 44100)] * 2, axis=1)
    for name, samples, rate, goal in [
        ("16k.wav", sound(seconds, RATE), RATE, "1.6"),
        ("44k-stereo.mp3", stereo, 44100, "1.4"),
        ("44k-stereo.wav", stereo, 44100, "2"),
    ]:
        path = folder / name
        soundfile.write(path, samples, rate)
        theirs, ours = best([partial(librosa_from_file, path), partial(from_file, path)], runs)
        show(f"file to MFCC, {name}, librosa", theirs, ours, goal)


def from_file(path: Path) -> object:
    return OURS(read_clip(path, RATE).samples)


def librosa_from_file(path: Path) -> object:
    return by_librosa(librosa.load(path, sr=RATE)[0])


def all_files(paths: list[Path], jobs: int) -> object:
    return list(map_in_order(from_file, paths, jobs))


def two_threads(folder: Path, seconds: float, runs: int) -> None:
    for ending in ("flac", "mp3", "ogg"):
        paths = [folder / f"{number}.{ending}" for number in range(8)]
        for path in paths:
            soundfile.write(path, sound(seconds, 44100), 44100)
        one, two = best([partial(all_files, paths, jobs) for jobs in (1, 2)], max(3, runs // 4))
        show(f"8 {ending} files, one thread and two", one, two, "1.6")


def cold(folder: Path, seconds: float, runs: int) -> None:
    path = folder / "cold.wav"
    soundfile.write(path, sound(seconds, RATE), RATE)
    libraries = [sys.executable, "-c", "import numpy, soundfile"]
    ours = [sys.executable, "-c", COLD, str(path)]
    start, whole = best([partial(subprocess.run, command, check=True) for command in (libraries, ours)], runs)
    show("cold: import numpy, soundfile; wav to MFCC", start, whole, f"{1 / 1.6:.3f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=30)
    options.add_argument("--seconds", type=float, default=10.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, threadpool_limits(limits=1):
        in_memory(sound(chosen.seconds, RATE), chosen.runs)
        from_files(Path(name), chosen.seconds, chosen.runs)
        two_threads(Path(name), chosen.seconds, chosen.runs)
        cold(Path(name), chosen.seconds, chosen.runs)


if __name__ == "__main__":
    main()
