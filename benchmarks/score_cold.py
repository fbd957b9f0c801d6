"""One 10 s clip scored in a cold process: ``gmmaudio score`` beside a librosa + scikit-learn script doing the same.

    python benchmarks/score_cold.py [--runs 7]

Both load a model of ten classes (16 diagonal components, MFCC and deltas) from a file, read the wav, compute the
features and print the best label. The runs alternate; medians of whole-process wall time are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import librosa
import numpy as np
import soundfile
from sklearn.mixture import GaussianMixture

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.model_file import save
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture

RATE, SECONDS, CLASSES, COMPONENTS, N_MFCC = 16000, 10, 10, 16, 13

PEER = """
import sys, joblib, librosa, numpy as np
models = joblib.load(sys.argv[1])
samples, rate = librosa.load(sys.argv[2], sr=16000)
mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=13, n_mels=40, n_fft=512, win_length=400, hop_length=160)
frames = np.concatenate([mfcc, librosa.feature.delta(mfcc)]).T
print(max(models, key=lambda label: models[label].score(frames)))
"""


def prepare(folder: Path) -> None:
    """A clip, and the same kind of model for both sides."""
    generator = np.random.default_rng(0)
    samples = 0.1 * generator.standard_normal(RATE * SECONDS)
    soundfile.write(folder / "clip.wav", samples, RATE, subtype="PCM_16")
    mfcc = librosa.feature.mfcc(y=samples.astype(np.float32), sr=RATE, n_mfcc=N_MFCC, n_mels=40)
    frames = np.concatenate([mfcc, librosa.feature.delta(mfcc)]).T
    models, mixtures = {}, []
    for label in range(CLASSES):
        noisy = frames + generator.standard_normal(frames.shape)
        fitted = GaussianMixture(COMPONENTS, covariance_type="diag", max_iter=5, tol=0.1, random_state=label).fit(noisy)
        models[f"class{label}"] = fitted
        mixtures.append(Mixture(fitted.weights_, fitted.means_, Diagonal(fitted.covariances_)))
    joblib.dump(models, folder / "peer.joblib")
    front_end = FrontEnd(Mfcc(rate=RATE, n_mfcc=N_MFCC), steps=(Deltas(order=1),))
    save(Classifier(tuple(models), MixtureScorer(tuple(mixtures)), front_end), folder / "model.safetensors")
    (folder / "peer.py").write_text(PEER)


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=7)
    runs = options.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        ours = [sys.executable, "-m", "gmmaudio", "score", str(folder / "model.safetensors"), str(folder / "clip.wav")]
        peer = [sys.executable, str(folder / "peer.py"), str(folder / "peer.joblib"), str(folder / "clip.wav")]
        seconds(ours), seconds(peer)  # file caches, librosa's compiled cache
        pairs = [(seconds(ours), seconds(peer)) for _ in range(runs)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{os.cpu_count()} cores, median of {runs} alternating runs, whole process")
    print(f"gmmaudio score          {mine:7.3f} s")
    print(f"librosa + scikit-learn  {theirs:7.3f} s")
    ratios = [b / a for a, b in pairs]
    print(f"ratio                   {statistics.median(ratios):7.1f}  (from {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
