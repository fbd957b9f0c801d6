"""Read mutated audio files until the time is up: ``python -m tests.mutants SECONDS SEED FOLDER``.

Every mutant must end in a clip of finite samples or in a ClipError, within a time bound and 1 GiB of memory. Whatever
else happens ends this process with another status than 0, and leaves the mutant in FOLDER. In the end the outcomes
are printed as JSON, counted.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator

from gmmaudio.corpus.audio import Limits, read_clip
from gmmaudio.errors import ClipError
from gmmaudio.memory import cap_memory
from tests.test_audio import chirp, encoded
from tests.test_av import KINDS, encode, tone

BOUND = 20.0
"""Seconds for one mutant, of half a second of sound or, if its header says so, a minute."""

EXTREMES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]


def seeds() -> dict[str, bytes]:
    """Small files of every kind, by extension."""
    mono, stereo = chirp(0.5), np.stack([chirp(0.3), chirp(0.3)[::-1]], axis=1)
    kinds = ("wav", "flac", "ogg", "mp3", "aiff", "w64")
    files = {f"mono.{kind}": encoded(mono, kind.upper()) for kind in kinds}
    files |= {f"stereo.{kind}": encoded(stereo, kind.upper(), rate=44100) for kind in kinds}
    files["24bit.wav"] = encoded(mono, "WAV", "PCM_24")
    files["float.wav"] = encoded(mono, "WAV", "FLOAT")
    files["adpcm.wav"] = encoded(mono, "WAV", "IMA_ADPCM")
    files["opus.ogg"] = encoded(mono, "OGG", "OPUS")
    return files


def seeds_for_pyav(folder: Path) -> dict[str, bytes]:
    """Small files of the kinds that PyAV reads; none where it is not installed."""
    if importlib.util.find_spec("av") is None:
        return {}
    kinds = [(container, codec, f"a.{extension}") for extension, container, codec, _ in KINDS if codec != "libopus"]
    return {name: encode(folder / name, container, codec, tone(0.5)).read_bytes() for container, codec, name in kinds}


def place(data: bytearray, random: Generator) -> int:
    """Somewhere; half of the time in the header."""
    return int(random.integers(min(len(data), 128) if random.random() < 0.5 else len(data)))


def flip_bits(data: bytearray, random: Generator) -> None:
    for _ in range(random.integers(1, 9)):
        data[place(data, random)] ^= 1 << int(random.integers(8))


def set_bytes(data: bytearray, random: Generator) -> None:
    for _ in range(random.integers(1, 9)):
        data[place(data, random)] = int(random.integers(256))


def set_number(data: bytearray, random: Generator) -> None:
    at, order = place(data, random), ("little", "big")[random.integers(2)]
    data[at : at + 4] = int(random.choice(EXTREMES)).to_bytes(4, order)  # type: ignore[arg-type]


def cut(data: bytearray, random: Generator) -> None:
    del data[max(1, place(data, random)) :]


def insert(data: bytearray, random: Generator) -> None:
    at = place(data, random)
    data[at:at] = random.bytes(int(random.integers(1, 400)))


def remove(data: bytearray, random: Generator) -> None:
    at = max(1, place(data, random))
    del data[at : at + int(random.integers(1, 400))]


def repeat(data: bytearray, random: Generator) -> None:
    at = place(data, random)
    data[at:at] = data[at : at + int(random.integers(1, 4000))]


MUTATIONS: list[Callable[[bytearray, Generator], None]] = [
    flip_bits, set_bytes, set_number, cut, insert, remove, repeat,
]  # fmt: skip


def mutant(data: bytes, random: Generator) -> bytes:
    """A file with one to three things wrong."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        MUTATIONS[random.integers(len(MUTATIONS))](changed, random)
    return bytes(changed)


def outcome(path: Path) -> str:
    """The code of the error, or those of the warnings, or "whole"."""
    try:
        clip = read_clip(path, 16000, limits=Limits(max_seconds=60))
    except ClipError as error:
        return error.code
    if not np.isfinite(clip.samples).all():
        raise ValueError(f"{path}: samples that are not finite")
    return "+".join(warning.code for warning in clip.warnings) or "whole"


def run(seconds: float, seed: int, folder: Path) -> Counter[str]:
    """Read mutants for so many seconds and count what becomes of them, per kind of file."""
    random, files, found = np.random.default_rng(seed), list((seeds() | seeds_for_pyav(folder)).items()), Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        name, data = files[random.integers(len(files))]
        path = folder / name
        path.write_bytes(mutant(data, random))
        faulthandler.dump_traceback_later(BOUND, exit=True)
        found[f"{path.suffix[1:]} {outcome(path)}"] += 1
        faulthandler.cancel_dump_traceback_later()
        path.unlink()
    return found


if __name__ == "__main__":
    faulthandler.enable()
    cap_memory(2**30)
    print(json.dumps(run(float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
