"""The clips of one machine, to learn from and to be tested on: invented ones, or those in a folder.

Two layouts of folders are known. DCASE's, task 2 of any year since 2020 (give the folder of one kind of machine, or
that which holds several)::

    fan/train/section_00_source_train_normal_0000_...wav    or, in 2020, normal_id_00_00000000.wav
    fan/test/section_00_source_test_anomaly_0000_...wav     or anomaly_id_00_00000000.wav; also source_test, target_test

and a plain one, as MIMII has it, of which the first two thirds of the normal clips, by name, are learnt from::

    normal/*.wav   anomaly/*.wav   (or abnormal, anomalous)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machines import KINDS, MACHINES, RATE, Machine, anomalous_clip, new_session, normal_clip

from gmmaudio.classify.classifier import Source
from gmmaudio.corpus.manifest import clips_under
from gmmaudio.errors import DataError

NORMAL = "normal"
ODD = ("anomaly", "anomalous", "abnormal")
HINT = "give a folder with train/ and test/ named as DCASE names them, or one with normal/ and anomaly/"


@dataclass(frozen=True)
class Section:
    """Clips of one machine.

    Parameters
    ----------
    name : str
    train : list of clips
        All normal.
    train_sessions : list of str or None
        When each was recorded, if known.
    test : list of clips
    kinds : list of str
        What each of them is: "normal" or anything else.
    test_sessions : list of str or None
    """

    name: str
    train: list[Source]
    train_sessions: list[str | None]
    test: list[Source]
    kinds: list[str]
    test_sessions: list[str | None]


def invented(seed: int, small: bool) -> list[Section]:
    """Three machines, 20 days of each to learn from and 20 to be tested on; or two machines, 12 and 6 short days."""
    how = (12, 6, 1.0) if small else (20, 20, 3.0)
    machines = MACHINES[: 2 if small else 3]
    return [_invented(machine, np.random.default_rng([seed, i]), *how) for i, machine in enumerate(machines)]


def _invented(machine: Machine, generator: np.random.Generator, days: int, tests: int, seconds: float) -> Section:
    """Four clips a day to learn from; three normal clips and one of each kind of fault a day to be tested on."""
    found = Section(machine.name, [], [], [], [], [])
    for day in range(days):
        session = new_session(generator)
        found.train.extend((normal_clip(machine, session, seconds, generator), RATE) for _ in range(4))
        found.train_sessions.extend([f"day {day}"] * 4)
    for day in range(days, days + tests):
        session = new_session(generator)
        found.test.extend((normal_clip(machine, session, seconds, generator), RATE) for _ in KINDS)
        found.test.extend((anomalous_clip(machine, session, kind, seconds, generator), RATE) for kind in KINDS)
        found.kinds.extend([NORMAL] * len(KINDS) + list(KINDS))
        found.test_sessions.extend([f"day {day}"] * (2 * len(KINDS)))
    return found


def in_folder(data: Path) -> list[Section]:
    """The sections in a folder.

    Raises
    ------
    DataError
        ``no_such_data``, ``bad_layout``.
    """
    if not data.is_dir():
        raise DataError("no_such_data", f"{data} is not a folder", HINT)
    if (data / NORMAL).is_dir():
        found = [_plain(data)]
    else:
        machines = [data] if (data / "train").is_dir() else sorted(p for p in data.iterdir() if (p / "train").is_dir())
        found = [section for machine in machines for section in _dcase(machine)]
    if not found:
        raise DataError("bad_layout", f"{data} holds neither normal/ nor train/", HINT)
    for section in found:
        odd = sum(kind != NORMAL for kind in section.kinds)
        if not section.train or odd in (0, len(section.kinds)):
            text = f"{section.name}: {len(section.train)} clips to learn from; to be tested on {len(section.kinds)},"
            raise DataError("bad_layout", f"{text} {odd} of them anomalies; there must be some of each", HINT)
    return found


def _plain(data: Path) -> Section:
    normal = clips_under(data / NORMAL)
    odd = [clip for name in ODD if (data / name).is_dir() for clip in clips_under(data / name)]
    train, rest = normal[: 2 * len(normal) // 3], normal[2 * len(normal) // 3 :]
    kinds = [NORMAL] * len(rest) + [ODD[0]] * len(odd)
    return Section(data.name, [*train], [None] * len(train), [*rest, *odd], kinds, [None] * len(kinds))


def _dcase(machine: Path) -> list[Section]:
    """One section for each that is named in the training clips."""
    train = clips_under(machine / "train")
    folders = sorted(p for p in machine.iterdir() if p.is_dir() and "test" in p.name)
    test = [clip for folder in folders for clip in clips_under(folder) if _kind(clip)]
    found = []
    for name in sorted({_section(clip) for clip in train}):
        own = [clip for clip in train if _section(clip) == name]
        heard = [clip for clip in test if _section(clip) == name]
        kinds = [_kind(clip) for clip in heard]
        found.append(Section(f"{machine.name} {name}", [*own], [None] * len(own), [*heard], kinds, [None] * len(kinds)))
    return found


def _section(clip: Path) -> str:
    found = re.search(r"section_\d+|id_\d+", clip.name)
    return found[0] if found else ""


def _kind(clip: Path) -> str:
    """What a name says: "normal", "anomaly", or nothing, as in the challenge's evaluation sets."""
    parts = clip.stem.split("_")
    return NORMAL if NORMAL in parts else ODD[0] if ODD[0] in parts else ""
