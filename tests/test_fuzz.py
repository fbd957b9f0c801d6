"""Whatever the bytes are: a value or a coded error, in bounded time and memory.

The readers of models and manifests are fuzzed beside their other tests (test_model_file.py, test_manifest.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmmaudio.corpus.containers import BY_PYAV, FOREIGN, READABLE, Header
from gmmaudio.corpus.excess import goes_on
from gmmaudio.corpus.folders import expand
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import FrontEnd, preset
from tests.test_audio import chirp, encoded

HERE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def fuzz(seconds: float, seed: int, folder: Path) -> Counter[str]:
    """Read mutants in a process of its own; a crash, a hang or a wrong error is a failure that shows the mutant."""
    command = [sys.executable, "-m", "tests.mutants", str(seconds), str(seed), str(folder)]
    with (folder / "stderr").open("w+", errors="replace") as notes:  # libmpg123 prints notes about damage there
        done = subprocess.run(
            command, cwd=HERE, stdout=subprocess.PIPE, stderr=notes, timeout=seconds + 120, check=False
        )
        notes.seek(max(0, notes.tell() - 4000))
        left = [path for path in folder.iterdir() if path.name != "stderr"]
        assert done.returncode == 0, f"status {done.returncode}, the mutant is {left}\n{notes.read()}"
    return Counter(json.loads(done.stdout))


def report(found: Counter[str], seconds: float, record: Any, capture: pytest.CaptureFixture[str]) -> None:
    """Tell how many mutants there were and what became of them, also where the test passes."""
    record("mutants", found.total())
    record("outcomes", dict(found))
    with capture.disabled():
        print(f"\n{found.total()} mutants in {seconds:g} s")
        for kind in sorted({name.split()[0] for name in found}):
            rows = [(name.split()[1], count) for name, count in found.most_common() if name.split()[0] == kind]
            print(f"  {kind:5}" + ", ".join(f"{name} {count}" for name, count in rows[:8]))


def test_mutated_audio_for_a_moment(tmp_path: Path) -> None:
    found = fuzz(5, 0, tmp_path)
    assert found.total() > 100
    assert {name.split()[0] for name in found} >= {"wav", "flac", "ogg", "mp3", "aiff", "w64"}
    assert len({name.split()[1] for name in found}) > 8  # errors and warnings of many kinds, and whole clips


@pytest.mark.long
def test_mutated_audio(tmp_path: Path, record_property: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten minutes, or GMMAUDIO_FUZZ_SECONDS; other mutants with another GMMAUDIO_FUZZ_SEED."""
    seconds = float(os.environ.get("GMMAUDIO_FUZZ_SECONDS", "600"))
    found = fuzz(seconds, int(os.environ.get("GMMAUDIO_FUZZ_SEED", "1")), tmp_path)
    report(found, seconds, record_property, capsys)
    assert found


# --- text -------------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["mfcc", "vad", "steps", "rate", "n_mels", "n_mfcc", "window", "hop", "type", "threshold", "x"])
VALUES = st.sampled_from(
    ["1", "-1", "0", "0.5", "nan", "-inf", "1e308", "8000", "9" * 400, '"deltas"', "true", "[]", "{}", "[[]]",
     "1979-05-27"]
)  # fmt: skip
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.just("[[steps]]"),
    st.builds('type = "{}"'.format, st.sampled_from(["deltas", "shifted_deltas", "normalise", "none"])),
)


def front_end_of(data: bytes, folder: Path) -> None:
    path = folder / "front.toml"
    path.write_bytes(data)
    try:
        assert isinstance(preset(str(path)), FrontEnd)
    except DataError as error:
        assert error.code


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=8))
@example(["steps = " + "[" * 5000])
@example(["x = " + "{a = " * 5000])
def test_any_toml_is_a_front_end_or_a_coded_error(scratch: Path, lines: list[str]) -> None:
    front_end_of("\n".join(lines).encode(), scratch)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_named_toml_are_a_front_end_or_a_coded_error(scratch: Path, data: bytes) -> None:
    front_end_of(data, scratch)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_list_of_paths_is_read(scratch: Path, data: bytes) -> None:
    (scratch / "list").write_bytes(data.replace(b"/", b"_").replace(b".", b"_"))  # no folder of this machine is walked
    found = expand([f"@{scratch / 'list'}"])
    assert len(found) <= data.count(b"\n") + 1


# --- what stands behind a clip ---------------------------------------------------------------------------------------

STARTS = [b"", b"OggS\0\2", b"fLaC\0\0\0\x22" + bytes(34), b"\xff\xfb\x90\x64" + bytes(32) + b"Xing\0\0\0\x0f"]


@given(
    st.binary(max_size=300),
    st.sampled_from(STARTS),
    st.sampled_from(sorted(READABLE | FOREIGN | BY_PYAV)),
    st.none() | st.integers(0, 2**62),
    st.integers(0, 2**40),
)
def test_any_bytes_go_on_or_not(data: bytes, start: bytes, kind: str, promised: int | None, present: int) -> None:
    whole = start + data
    assert goes_on(BytesIO(whole), len(whole), Header(kind, promised, min(present, len(whole)))) in (True, False)


@given(st.integers(1, 2**16), st.sampled_from(["FLAC", "MP3", "OGG"]))
def test_no_cut_makes_audio_go_on(keep: int, kind: str) -> None:
    data = CLIPS[kind][: keep % len(CLIPS[kind])]
    assert not goes_on(BytesIO(data), len(data), Header("Ogg Vorbis" if kind == "OGG" else kind))


CLIPS = {kind: encoded(chirp(1.0), kind) for kind in ("FLAC", "MP3", "OGG")}
