"""What the steps after the MFCC cost, beside the MFCC itself and beside other libraries.

    python benchmarks/steps.py [--runs 200]

10 s at 16 kHz: 998 frames of 13 coefficients. Best of so many runs in one thread. The peers: librosa's delta
(Savitzky-Golay, another definition with the same use), and Kaldi's sliding rule and VAD as loops over frames.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import librosa
import numpy as np

from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.frames import Frames
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.sliding import SlidingNormalise
from gmmaudio.features.texture import Texture
from gmmaudio.features.vad import EnergyVad, MixtureVad
from gmmaudio.parallel import one_blas_thread

RATE, SECONDS = 16000, 10


def best(work: Callable[[], object], runs: int) -> float:
    """The least milliseconds of so many runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def sliding_loop(values: np.ndarray, window: int) -> np.ndarray:
    """Mean and variance over the frames around each frame, one frame at a time."""
    n = len(values)
    result = np.empty_like(values)
    for t in range(n):
        first = min(max(t - window // 2, 0), max(n - window, 0))
        part = values[first : first + window]
        result[t] = (values[t] - part.mean(axis=0)) / part.std(axis=0)
    return result


def vad_loop(energies: np.ndarray, context: int) -> list[bool]:
    """Kaldi's rule, one frame at a time."""
    loud = energies > 5.5 + 0.5 * energies.mean()
    return [loud[max(t - context, 0) : t + context + 1].mean() >= 0.6 for t in range(len(loud))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    generator = np.random.default_rng(0)
    bursts = 0.5 + 0.5 * np.sign(np.sin(np.arange(RATE * SECONDS) / RATE * 6))
    samples = ((0.001 + 0.1 * bursts) * generator.standard_normal(RATE * SECONDS)).astype(np.float32)
    mfcc = Mfcc(rate=RATE)
    values, energies = mfcc(samples)
    frames = Frames(values, EnergyVad()(energies), 0.01)
    chain = (Normalise(variance=True), Deltas())

    def speech() -> None:
        MixtureVad()(energies)
        chain[1](chain[0](frames))

    rows: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
        ("MFCC", lambda: mfcc(samples), None),
        (
            "Deltas, order 2",
            lambda: Deltas()(frames),
            lambda: [librosa.feature.delta(values.T, order=i) for i in (1, 2)],
        ),
        ("ShiftedDeltas 7-1-3-7", lambda: ShiftedDeltas()(frames), None),
        ("Normalise, variance", lambda: Normalise(variance=True)(frames), None),
        ("SlidingNormalise 300", lambda: SlidingNormalise()(frames), None),
        ("  with variance", lambda: SlidingNormalise(variance=True)(frames), lambda: sliding_loop(values, 300)),
        ("Texture 100", lambda: Texture()(frames), None),
        ("EnergyVad, context 5", lambda: EnergyVad(5.5, 0.5, 5)(energies), lambda: vad_loop(energies, 5)),
        ("MixtureVad", lambda: MixtureVad()(energies), None),
        ("MixtureVad + CMVN + deltas", speech, None),
    ]
    with one_blas_thread():
        print(f"{len(values)} x {values.shape[1]}, best of {runs}        ms   of the MFCC   times the peer")
        whole = best(rows[0][1], runs)
        for name, ours, peer in rows:
            took = best(ours, runs)
            ratio = f"{best(peer, max(3, runs // 20)) / took:10.1f}" if peer else ""
            print(f"{name:28s} {took:8.3f}   {100 * took / whole:8.0f} %   {ratio}")


if __name__ == "__main__":
    main()
