"""What the audit finds of copies planted in real audio, what it takes for copies that are none, and how fast it is.

    GMMAUDIO_DATA=... python benchmarks/audit.py [--clips 5000] [--jobs 2]

From each of ESC-10 and the music, 100 clips are drawn; copies of each kind are written into a temporary folder, with
originals in another, and the two are audited against each other. A planted copy counts as found when it and its
original stand in one pair. Every other near-copy within the originals is listed: pairs of one group (for the music,
of one title) are other parts of one recording; whoever doubts the others should listen to them.

For the time, clips of 5 s are cut out of all the audio there is, also played 7, 15 and 25 % faster, which makes them
other recordings of the same kind; the copies planted among them are counted as well.

At last, two copies of one loop of 1 s, 8 and 30 minutes long: what comparing them takes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from gmmaudio.corpus.audio import clip_from_array, read_clip
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.evaluate.audit import audit
from gmmaudio.evaluate.copies import COPY_SHARE, PASSAGE_SURENESS
from gmmaudio.features.fingerprint import RATE, fingerprint
from gmmaudio.features.matching import near_copies
from gmmaudio.parallel import map_in_order

Written = tuple[np.ndarray, int, str]  # samples, rate, extension
KINDS = ("exact", "mp3", "gain", "later", "earlier", "shorter", "tail", "resampled", "opus")


def planted(samples: np.ndarray, rate: int, kind: str, shift: float) -> Written:
    """A copy of one kind; ``shift`` is about half a second, and no multiple of a frame."""
    skip, most = round(shift * rate), round(0.8 * len(samples))
    return {
        "exact": (samples, rate, "flac"),
        "mp3": (samples, rate, "mp3"),
        "gain": (samples * np.float32(10 ** (-12 / 20)), rate, "wav"),
        "later": (np.concatenate([np.zeros(skip, np.float32), samples])[: len(samples)], rate, "wav"),
        "earlier": (samples[skip:], rate, "wav"),
        "shorter": (samples[:most], rate, "wav"),
        "tail": (samples[-most:], rate, "wav"),
        "resampled": (clip_from_array(samples, rate, 16000).samples, 16000, "wav"),
        "opus": (clip_from_array(samples, rate, 48000).samples, 48000, "opus"),
    }[kind]


def write(path: Path, samples: np.ndarray, rate: int, extension: str) -> Path:
    """Write a clip: mp3 at 96 kbit/s; Opus at a middling quality; else 16 bit."""
    path = path.with_suffix(f".{extension}")
    if extension == "mp3":  # libsndfile maps 0 to 1 onto 320 to 32 kbit/s, below 32 kHz onto 160 to 8
        level = (320 - 96) / 288 if rate >= 32000 else (160 - 96) / 152
        soundfile.write(path, samples, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=level)
    elif extension == "opus":
        soundfile.write(path, samples, rate, format="OGG", subtype="OPUS", compression_level=0.7)
    else:
        soundfile.write(path, np.clip(samples, -1, 32767 / 32768), rate, subtype="PCM_16")
    return path


def rounded(entry: Entry) -> tuple[np.ndarray, int]:
    """An entry's samples as 16 bit hold them, so that exact copies can be written."""
    clip = read_clip(entry.path)
    steps = np.clip(np.round(clip.samples * 32768), -32768, 32767)
    return (steps / 32768).astype(np.float32), clip.rate


def plant(entries: list[Entry], chosen: list[int], folder: Path) -> tuple[list[Entry], list[Entry]]:
    """All originals, and copies of the chosen ones, as two corpora."""
    originals, copies = [], []
    for number, entry in enumerate(entries):
        samples, rate = rounded(entry)
        name = f"{number}"
        originals.append(replace(entry, path=write(folder / name, samples, rate, "wav"), name=name))
        for kind in KINDS if number in chosen else ():
            shift = 0.5 + 0.02 * np.random.default_rng(number).uniform(-1, 1)
            path = write(folder / f"{number}-{kind}", *planted(samples, rate, kind, shift))
            copies.append(replace(entry, path=path, name=f"{number}-{kind}", group=None))
    return originals, copies


def recall(name: str, root: Path, jobs: int) -> None:
    """The table for one corpus."""
    entries = read_corpus(root / name / "manifest.csv")
    chosen = np.random.default_rng(7).permutation(len(entries))[:100].tolist()
    with tempfile.TemporaryDirectory() as folder:
        originals, copies = plant(entries, chosen, Path(folder))
        start = time.perf_counter()
        found = audit(originals, copies, jobs)
        seconds = time.perf_counter() - start
    pairs = {"exact": set(), "near": set(), "passage": set()}
    for finding in found.findings:
        kind = next((kind for kind in pairs if finding.code.startswith((f"{kind}_cop", f"shared_{kind}"))), None)
        if kind:
            pairs[kind] |= {(a, b) for row in finding.clips for i, a in enumerate(row) for b in row[i + 1 :]}
    print(f"\n{name}: {len(originals)} clips, and copies of {len(chosen)}; audited in {seconds:.0f} s")
    for kind in KINDS:
        wanted = {(str(number), f"DATA2: {number}-{kind}") for number in chosen}
        hits = wanted & (pairs["exact"] if kind == "exact" else pairs["near"] | pairs["exact"])
        missed = sorted(entries[int(first)].name for first, _ in wanted - hits)
        print(f"  {kind:10} {len(hits):3} of {len(wanted)}  {'missed: ' + ', '.join(missed) if missed else ''}")
    false_alarms(entries, pairs)


def false_alarms(entries: list[Entry], pairs: dict[str, set[tuple[str, str]]]) -> None:
    """Pairs of different originals that were taken for copies; a copy stands for its original."""
    for kind, found in pairs.items():
        ends = {tuple(sorted({int(n.removeprefix("DATA2: ").split("-")[0]) for n in pair})) for pair in found}
        different = sorted(pair for pair in ends if len(pair) == 2)
        apart = [pair for pair in different if entries[pair[0]].group != entries[pair[1]].group]
        print(f"  {kind} pairs of different clips: {len(different)}, of which in different groups {len(apart)}:")
        for first, second in apart:
            print(f"    {entries[first].name} = {entries[second].name}")


def pieces(root: Path, limit: int) -> Iterator[tuple[str, np.ndarray]]:
    """Clips of 5 s at the fingerprint's rate, and the group that each comes from."""
    entries = [e for n in ("esc10", "lid", "music") for e in read_corpus(root / n / "manifest.csv")]
    count = 0
    for speed in (1.0, 1.07, 1.15, 1.25):
        for entry in entries:
            samples = read_clip(entry.path, RATE).samples
            if speed > 1:
                samples = clip_from_array(samples, RATE, round(RATE / speed)).samples
            for at in range(0, len(samples) - 2 * RATE, 5 * RATE):
                if count == limit:
                    return
                count += 1
                yield str(entry.group), samples[at : at + 5 * RATE]


def speed(root: Path, clips: int, jobs: int) -> None:
    """Seconds from decoded samples to copies, and false alarms among so many."""
    groups, decoded = zip(*pieces(root, clips), strict=True)
    twins = [samples[2000:] * np.float32(0.25) for samples in decoded[:: max(1, clips // 100)]]
    start = time.perf_counter()
    prints = list(map_in_order(lambda samples: fingerprint(samples, RATE), [*decoded, *twins], jobs))
    middle = time.perf_counter()
    matches = near_copies(prints, jobs)
    end = time.perf_counter()
    partners = {match.second for match in matches if match.second >= len(decoded)}
    print(f"\n{len(decoded)} clips of 5 s and {len(twins)} planted copies, {jobs} jobs, decoded before")
    print(f"  fingerprints {middle - start:.1f} s, comparison {end - middle:.1f} s; {len(partners)} copies found")
    sure = [m for m in matches if m.share >= COPY_SHARE or m.sureness >= PASSAGE_SURENESS]
    apart = [m for m in sure if m.second < len(decoded) and groups[m.first] != groups[m.second]]
    print(f"  pairs of different groups, planted ones aside: {len(apart)}, of {len(decoded) * (len(decoded) - 1) // 2}")
    for match in apart:
        print(
            f"    {groups[match.first]} = {groups[match.second]}, share {match.share:.2f}, {match.sureness:.0f} digits"
        )


def loops(minutes: float) -> None:
    """Memory and seconds that two copies of a long loop take, the second beginning later."""
    bar = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    samples = np.tile(bar, round(60 * minutes)).astype(np.float32)
    prints = [fingerprint(samples, RATE), fingerprint(samples[777:], RATE)]
    start = time.perf_counter()
    found = near_copies(prints)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    near_copies(prints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"\ntwo copies of {minutes:g} minutes of a loop: {len(found)} found, {seconds:.1f} s, {peak / 2**20:.0f} MiB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clips", type=int, default=5000)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--only", choices=["esc10", "music", "speed", "loops"])
    given = options.parse_args()
    if "GMMAUDIO_DATA" not in os.environ:
        sys.exit("set GMMAUDIO_DATA to the folder of real audio")
    root = Path(os.environ["GMMAUDIO_DATA"])
    for name in ("esc10", "music"):
        if given.only in (None, name):
            recall(name, root, given.jobs)
    if given.only in (None, "speed"):
        speed(root, given.clips, given.jobs)
    if given.only in (None, "loops"):
        loops(8.0)
        loops(30.0)


if __name__ == "__main__":
    main()
