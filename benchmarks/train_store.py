"""Training on a feature store larger than one would like to hold: how much anonymous memory it takes, and how long.

    python benchmarks/train_store.py [--gb 2] [--goal 100] [--jobs 2] [--folder DIR]

Writes a store of random frames (four labels, clips of half a minute, 60 dimensions) to a temporary folder
in DIR, trains a classifier on it by memory maps, then one on the same frames held in memory, and compares the two model
files. Anonymous memory (RssAnon of /proc/self/status, sampled by a thread) is what cannot be given back; pages of the
mapped files are the kernel's to drop and do not count. Leaves with 1 where the goal, in MB above the start, is missed.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gmmaudio.classify.examples import Example, Failure, Progress
from gmmaudio.classify.model_file import to_bytes
from gmmaudio.classify.stored import open_stored
from gmmaudio.classify.train import Training, train
from gmmaudio.corpus.manifest import Entry
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.store_index import Kept
from gmmaudio.features.store_writer import Made, fill
from gmmaudio.gmm.em import Em
from gmmaudio.parallel import cores

FRONT_END = PRESETS["general"]
FRAMES = 3000  # per clip: half a minute
LABELS = "abcd"


def made(entry: Entry) -> Made:
    """A clip's frames; the same for the same name."""
    number = int(entry.path.name)
    values = np.random.default_rng(number).standard_normal((FRAMES, FRONT_END.dimension), dtype=np.float32)
    values += LABELS.index(entry.label)
    return Kept(0, FRAMES, FRAMES / 100, FRAMES / 100, f"{number:064x}", ()), values


def anonymous() -> int:
    """MB of anonymous memory now."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) // 1024


def watched(work: Callable[[], bytes]) -> tuple[bytes, int, float]:
    """What some work returns, the most anonymous memory over the start in MB, and its seconds."""
    start, most, done = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, anonymous() - start)

    thread = threading.Thread(target=watch)
    thread.start()
    began = time.perf_counter()
    try:
        found = work()
    finally:
        done.set()
        thread.join()
    return found, most, time.perf_counter() - began


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gb", type=float, default=2)
    options.add_argument("--goal", type=int, default=100)
    options.add_argument("--jobs", type=int, default=cores())
    options.add_argument("--folder")
    chosen = options.parse_args()
    settings = Training(FRONT_END, components=16, em=Em(iterations=5, tolerance=0))
    clips = int(chosen.gb * 1e9 / (4 * FRAMES * FRONT_END.dimension))
    entries = [Entry(Path(str(number)), LABELS[number * len(LABELS) // clips]) for number in range(clips)]

    def held(
        some: Sequence[Entry], _front_end: FrontEnd, _jobs: int, _progress: Progress | None
    ) -> tuple[list[Example], list[Failure]]:
        clips = ((entry, made(entry)) for entry in some)
        return [
            Example(entry, clip[1], clip[0].seconds, clip[0].voiced_seconds, clip[0].sample_hash, ())
            for entry, clip in clips
            if isinstance(clip, tuple)
        ], []

    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name, "store")
        _, most, seconds = watched(lambda: bytes(fill(folder, entries, FRONT_END, made, chosen.jobs).read % 2))
        print(
            f"{clips} clips, {chosen.gb:g} GB, {chosen.jobs} threads; written in {seconds:.1f} s, {most} MB", flush=True
        )

        def mapped() -> bytes:
            stored = open_stored(folder)
            return to_bytes(train(stored.entries, settings, chosen.jobs, read=stored.read).classifier)

        one, most, seconds = watched(mapped)
        print(f"from the store   {seconds:7.1f} s  {most:6} MB anonymous over the start", flush=True)
    other, more, seconds = watched(lambda: to_bytes(train(entries, settings, chosen.jobs, read=held).classifier))
    print(f"held in memory   {seconds:7.1f} s  {more:6} MB anonymous over the start")
    print("the models are the same, byte for byte" if one == other else "THE MODELS DIFFER")
    print(f"goal: at most {chosen.goal} MB from the store: {'met' if most <= chosen.goal else 'MISSED'}")
    return 0 if one == other and most <= chosen.goal else 1


if __name__ == "__main__":
    raise SystemExit(main())
