"""Training on four folds of ESC-10: ``gmmaudio train`` beside a librosa + scikit-learn script.

    python benchmarks/train_esc10.py [DATA] [--runs 3]

DATA is the folder of ESC-10 with its manifest.csv (default: $GMMAUDIO_DATA/esc10). Both sides are cold processes that
read the same 320 clips, compute 20 MFCCs with deltas and delta-deltas at 22.05 kHz (25/10 ms, 40 mel filters), fit
16 diagonal components per class for exactly 20 EM iterations from a k-means++ start, and write a model file. The other
script runs twice: plain, one clip after another, as such scripts are written; and with joblib over all cores for its
features. Medians of alternating runs are compared.
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

OURS = """
import sys
from pathlib import Path
from gmmaudio.classify.model_file import save
from gmmaudio.classify.train import Training, train
from gmmaudio.corpus.manifest import read_corpus
from gmmaudio.features.context import Deltas
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.vad import EnergyVad
from gmmaudio.gmm.em import Em
from gmmaudio.parallel import cores
data, out = Path(sys.argv[1]), sys.argv[2]
entries = [entry for entry in read_corpus(data / "manifest.csv") if entry.fold != "1"]
every_frame = EnergyVad(threshold=-1000.0)  # digital silence too, as in the other script
front_end = FrontEnd(Mfcc(rate=22050, n_mfcc=20, n_mels=40), every_frame, (Deltas(order=2),))
trained = train(entries, Training(front_end, components=16, em=Em(iterations=20, tolerance=-1e30)), cores())
save(trained.classifier, out)
print(sum(row.frames for row in trained.classes), "frames")
"""

PEER = """
import csv, sys, warnings
from pathlib import Path
import joblib, librosa, numpy as np
from sklearn.mixture import GaussianMixture
warnings.simplefilter("ignore")
data, out = Path(sys.argv[1]), sys.argv[2]
rows = [row for row in csv.DictReader(open(data / "manifest.csv")) if row["fold"] != "1"]
def features(row):
    samples, rate = librosa.load(data / row["path"], sr=22050)
    mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=20, n_mels=40, n_fft=1024, win_length=551, hop_length=220)
    return np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]).T
frames = joblib.Parallel(n_jobs=int(sys.argv[3]))(joblib.delayed(features)(row) for row in rows)
models = {}
for label in sorted({row["label"] for row in rows}):
    part = np.concatenate([values for values, row in zip(frames, rows) if row["label"] == label])
    models[label] = GaussianMixture(
        16, covariance_type="diag", init_params="k-means++", max_iter=20, tol=0, reg_covar=1e-3, random_state=0
    ).fit(part)
joblib.dump(models, out)
print(sum(map(len, frames)), "frames")
"""


def seconds(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout.strip()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "esc10"
    if not (data / "manifest.csv").is_file():
        print(f"no manifest.csv in {data}: give the folder, or set GMMAUDIO_DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        ours = [sys.executable, "-c", OURS, str(data), f"{name}/model.safetensors"]
        peers = {
            "librosa + scikit-learn": [sys.executable, "-c", PEER, str(data), f"{name}/peer.joblib", "1"],
            "the same with joblib": [sys.executable, "-c", PEER, str(data), f"{name}/peer.joblib", "-1"],
        }
        _, frames = seconds(ours)  # also fills the file caches, and librosa's compiled one
        print(f"{os.cpu_count()} cores, median of {chosen.runs} alternating runs, whole process; {frames}")
        for title, peer in peers.items():
            _, frames = seconds(peer)
            pairs = [(seconds(ours)[0], seconds(peer)[0]) for _ in range(chosen.runs)]
            mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = [b / a for a, b in pairs]
            print(f"gmmaudio {mine:6.2f} s   {title} {theirs:6.2f} s ({frames})", end="")
            print(f"   ratio {statistics.median(ratios):.2f}  (from {min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
