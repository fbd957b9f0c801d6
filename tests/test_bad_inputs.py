"""Forty bad inputs and the right answer to each, through the command line.

Rows 1 to 31 are clips: each is scored between two good ones, whose results must be what they are alone.

     1 empty file            11 constant                 21 anti-phase            31 names of any kind
     2 text named .wav       12 NaN                      22 an hour in 0.5 MB     32 path leaves the root
     3 header cut            13 infinite                 23 over 4 GB             33 manifest: lines
     4 wav cut               14 amplitude 1e30           24 clipped               34 empty class, one class, few frames
     5 header says 4 GB      15 subnormal                25 AAC and others        35 same audio in training and test
     6 mp3 cut               16 rate 0                   26 pipe                  36 more components than frames
     7 flac damaged          17 absurd rate              27 folder x.wav          37 not a model
     8 no frames             18 narrower than model      28 loop of links         38 broken model
     9 too short             19 no channels              29 permission            39 other version, other settings
    10 digital silence       20 1024 channels            30 changed while read    40 interrupted writing

An error of a clip gives exit status 3, a warning 0, wrong data 2, a bad model or manifest 5.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gmmaudio.classify.model_file import load, save
from gmmaudio.classify.train import Training, train
from gmmaudio.cli import main
from gmmaudio.corpus import decoder
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc
from tests.test_audio import RATE, chirp, encoded, wav
from tests.test_model_file import Trap, broken, parts, whole

Array = np.ndarray
Capture = pytest.CaptureFixture[str]
Json = dict[str, Any]

CAPPED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
from gmmaudio.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def wide(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model at the rate of its clips, 16 kHz."""
    settings = Training(FrontEnd(Mfcc(rate=RATE)), components=2)
    path = tmp_path_factory.mktemp("wide") / "model.safetensors"
    save(train(in_split(read_corpus(corpus), "train"), settings).classifier, path)
    return path


@pytest.fixture(scope="module")
def clips(corpus: Path) -> list[Path]:
    """Good clips, of speakers that the model has not heard."""
    return [entry.path for entry in in_split(read_corpus(corpus), "test")]


@pytest.fixture
def speech(clips: list[Path]) -> Array:
    """The samples of a good clip."""
    return soundfile.read(clips[0], dtype="float32")[0]


class Scoring:
    """Scores a bad clip between two good ones."""

    def __init__(self, model: Path, clips: list[Path], capture: Capture) -> None:
        self.model, self.clips, self.capture = model, clips, capture
        self.alone = [row for clip in clips[:2] for row in self.run(clip)[1]]

    def run(self, *paths: Path) -> tuple[int, list[Json]]:
        status = main(["score", str(self.model), "--format", "jsonl", "--jobs", "2", "--", *map(str, paths)])
        return status, [json.loads(line) for line in self.capture.readouterr().out.splitlines()]

    def __call__(self, bad: Path, status: int) -> Json:
        """The bad clip's row."""
        found, (first, row, last) = self.run(self.clips[0], bad, self.clips[1])
        assert (first, last) == tuple(self.alone)
        assert found == status
        return row

    def refused(self, bad: Path, code: str) -> Json:
        """The error, which must have the code, the path and a hint."""
        row = self(bad, 3)
        assert set(row) == {"path", "error"}
        assert row["error"]["code"] == code
        return dict(row["error"])

    def warned(self, bad: Path, *codes: str) -> Json:
        """The result, which must have these warnings."""
        row = self(bad, 0)
        assert [warning["code"] for warning in row["warnings"]] == list(codes)
        assert all(math.isfinite(score) for score in row["scores"].values())
        assert row["label"]
        return row


@pytest.fixture
def scoring(wide: Path, clips: list[Path], capsys: Capture) -> Scoring:
    return Scoring(wide, clips, capsys)


@pytest.fixture
def bad(tmp_path: Path) -> Callable[..., Path]:
    def write(data: bytes, name: str = "bad.wav") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


Bad = Callable[..., Path]


# --- clips that cannot be used --------------------------------------------------------------------------------------

TONE = chirp(2.0)
SHORTS = (TONE * 32767).astype(np.int16)


def spoiled(at: int, value: float) -> Array:
    samples = TONE.copy()
    samples[at] = value
    return samples


def zeroed(data: bytes) -> bytes:
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


REFUSED = [
    (1, "empty", b"", "empty_file", "0 bytes"),
    (2, "text", b"hello, this is no audio\n" * 9, "not_audio", "found: text"),
    (3, "header-cut", wav(SHORTS)[:20], "corrupt_header", "header"),
    (7, "flac-damaged", zeroed(encoded(chirp(9.0), "FLAC")), "decode_error", r"from frame \d+ \(\d\.\d\d s\) on"),
    (8, "no-frames", wav(SHORTS[:0]), "empty_audio", "no samples"),
    (9, "one-sample", wav(SHORTS[:1]), "too_short", r"0\.1 ms.*25\.0 ms"),
    (9, "less-than-a-frame", wav(SHORTS[:399]), "too_short", r"24\.9 ms.*25\.0 ms"),
    (10, "silence", wav(np.zeros(RATE, np.int16)), "silence", "frames"),
    (11, "constant", wav(np.full(RATE, 9830, np.int16)), "silence", "frames"),
    (12, "nan", wav(spoiled(77, np.nan)), "non_finite", "1 samples .* at frame 77"),
    (13, "infinite", wav(spoiled(78, -np.inf)), "non_finite", "1 samples .* at frame 78"),
    (14, "huge", wav(spoiled(79, 1e30)), "out_of_range", r"1e\+30.*16 is allowed"),
    (15, "subnormal", wav(np.full(RATE, 1e-42, np.float32)), "silence", "frames"),
    (16, "rate-0", wav(SHORTS, rate=0), "corrupt_header", "header"),
    (17, "rate-1", wav(SHORTS, rate=1), "unsupported_rate", "4000 to 384000 Hz"),
    (17, "rate-2-to-31", wav(SHORTS, rate=2**31 - 1), "unsupported_rate", "4000 to 384000 Hz"),
    (19, "no-channels", wav(SHORTS, channels=0), "corrupt_header", "header"),
    (20, "1024-channels", wav(np.zeros((4, 1024), np.int16)), "unsupported_channels", "at most 64"),
]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [pytest.param(*case, id=f"row{row:02}-{what}") for row, what, *case in REFUSED],
)
def test_clips_that_cannot_be_used(data: bytes, code: str, words: str, bad: Bad, scoring: Scoring) -> None:
    error = scoring.refused(bad(data), code)
    assert re.search(words, error["message"])


WARNED = [
    (4, "wav-cut", wav(SHORTS)[: 44 + 40000], ["truncated"], "32000 frames were promised, 20000 were read"),
    (5, "4-gigabytes", wav(SHORTS, promised=2**32 - 4), ["truncated"], "2147483646 frames were promised, 32000 were"),
    (6, "mp3-cut", encoded(chirp(5.0), "MP3")[:15000], ["truncated"], r"80000 frames were promised, \d+ were read"),
    (24, "clipped", wav(np.clip(4 * TONE, -1, 1)), ["clipped"], r"\d\d\.\d %"),
]


@pytest.mark.parametrize(
    ("data", "codes", "words"),
    [pytest.param(*case, id=f"row{row:02}-{what}") for row, what, *case in WARNED],
)
def test_clips_that_are_odd(data: bytes, codes: list[str], words: str, bad: Bad, scoring: Scoring) -> None:
    row = scoring.warned(bad(data), *codes)
    assert re.search(words, row["warnings"][0]["message"])
    if found := re.search(r"(\d+) were read", row["warnings"][0]["message"]):  # what was read counts, not the promise
        assert row["seconds"] == pytest.approx(int(found[1]) / RATE)


def test_row18_narrower_than_the_model(bad: Bad, scoring: Scoring, speech: Array) -> None:
    row = scoring.warned(bad(wav(speech[::2].copy(), 8000)), "bandwidth")
    assert "8000 Hz hold nothing above 4000 Hz; 16000 Hz were asked for" in row["warnings"][0]["message"]


def test_row21_antiphase(bad: Bad, scoring: Scoring, speech: Array) -> None:
    row = scoring.warned(bad(wav(np.stack([0.9 * speech, -speech], axis=1))), "phase_cancelled")
    assert row["scores"] == scoring.warned(bad(wav(-speech)))["scores"]  # the louder channel, alone


def capped(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process that may have 2 GB of address space."""
    command = [sys.executable, "-c", CAPPED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_row22_an_hour_in_half_a_megabyte(tmp_path: Path, wide: Path, clips: list[Path], scoring: Scoring) -> None:
    hour = tmp_path / "hour.flac"
    speech = soundfile.read(clips[0], dtype="int16")[0]
    with soundfile.SoundFile(hour, "w", RATE, 1, "PCM_16") as file:
        file.write(speech)
        for _ in range(60):
            file.write(np.zeros(60 * RATE, np.int16))
    assert hour.stat().st_size < 1e6
    done = capped("score", wide, hour, clips[0], "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    long, short = (json.loads(line) for line in done.stdout.splitlines())
    assert short == scoring.alone[0]
    assert long["seconds"] == pytest.approx(3602.0)
    assert long["voiced_seconds"] == pytest.approx(short["voiced_seconds"], abs=0.03)  # a frame more, at the edge


def test_row22_longer_than_is_allowed(tmp_path: Path, scoring: Scoring) -> None:
    long = tmp_path / "long.flac"
    with soundfile.SoundFile(long, "w", 4000, 1, "PCM_16") as file:
        for _ in range(9):
            file.write(np.zeros(1800 * 4000, np.int16))
    assert "at most 14400 s" in scoring.refused(long, "too_long")["message"]


def huge(path: Path, samples: Array) -> int:
    """A sparse RF64 of 5 GB, 13 hours at 54 kHz, that holds the samples behind the first 4 GB; gives their frame."""
    rate, frames, first = 54000, 2_600_000_000, 2_400_000_000
    sizes = struct.pack("<QQQI", 2 * frames + 72, 2 * frames, frames, 0)
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    head = b"RF64" + b"\xff" * 4 + b"WAVE" + b"ds64" + struct.pack("<I", 28) + sizes
    head += b"fmt " + struct.pack("<I", 16) + form + b"data" + b"\xff" * 4
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + 2 * first)
        file.write(samples.tobytes())
        file.truncate(len(head) + 2 * frames)
    return first


def test_row23_more_than_4_gigabytes(tmp_path: Path, wide: Path, scoring: Scoring, capsys: Capture) -> None:
    rate = 54000
    first = huge(tmp_path / "huge.wav", (chirp(2.0, rate) * 32767).astype(np.int16))
    soundfile.write(tmp_path / "small.wav", (chirp(2.0, rate) * 32767).astype(np.int16), rate)
    start = f"{first / rate:.9f}"
    (tmp_path / "m.csv").write_text(
        f"path,label,start,end\nhuge.wav,arvi,{start},{first / rate + 2:.9f}\nsmall.wav,arvi,,\n"
    )
    assert main(["evaluate", str(wide), str(tmp_path / "m.csv"), "--format", "json"]) == 0
    far, near = json.loads(capsys.readouterr().out)["predictions"]
    assert (far["label"], far["seconds"]) == (near["label"], pytest.approx(2.0))
    assert "at most 14400 s" in scoring.refused(tmp_path / "huge.wav", "too_long")["message"]


AAC = b"\xff\xf1\x50\x80" + bytes(300)
FTYP = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(200)
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(200)


@pytest.mark.parametrize(("name", "data"), [("a.aac", AAC), ("a.m4a", FTYP), ("a.wma", ASF), ("a.amr", b"#!AMR\n" * 9)])
def test_row25_codecs_of_others(
    name: str, data: bytes, bad: Bad, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as where PyAV is not installed
    path = bad(data, name)
    error = scoring.refused(path, "unsupported_codec")
    assert f"ffmpeg -i {path} out.wav" in error["hint"]
    assert ("gmmaudio[av]" in error["hint"]) == (name != "a.amr")


def test_row26_a_pipe(tmp_path: Path, scoring: Scoring) -> None:
    os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for a writer for ever
    scoring.refused(tmp_path / "pipe.wav", "not_regular_file")
    scoring.refused(Path("/dev/zero"), "not_regular_file")


def test_row27_a_folder_named_like_a_clip(tmp_path: Path, scoring: Scoring, clips: list[Path]) -> None:
    folder = tmp_path / "x.wav"
    folder.mkdir()
    assert scoring.run(folder)[0] == 2  # nothing in it
    shutil.copy(clips[0], folder / "a.wav")
    assert scoring(folder, 0)["path"] == str(folder / "a.wav")
    (tmp_path / "m.csv").write_text("path,label\nx.wav,arvi\n")
    assert main(["evaluate", str(scoring.model), str(tmp_path / "m.csv")]) == 4  # a manifest names files
    assert "not_regular_file" in scoring.capture.readouterr().err


def test_row28_loops_of_links(tmp_path: Path, scoring: Scoring, clips: list[Path]) -> None:
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    scoring.refused(tmp_path / "loop.wav", "symlink_loop")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "again").symlink_to(folder)
    shutil.copy(clips[0], folder / "a.wav")
    assert scoring(folder, 0)["path"] == str(folder / "a.wav")  # once


def test_row29_permission(bad: Bad, scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bad(wav(SHORTS))
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: ask as nobody, just for that file
        original = Path.open

        def as_nobody(self: Path, *arguments: Any, **more: Any) -> Any:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return original(self, *arguments, **more)

        monkeypatch.setattr(Path, "open", as_nobody)
    assert str(path) in scoring.refused(path, "permission")["message"]


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_row30_changed_while_it_is_read(
    change: Callable[[Path], object], bad: Bad, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, original = bad(wav(SHORTS)), decoder.blocks

    def meddling(sound: Any, name: str, *more: Any) -> Iterator[Array]:
        for block in original(sound, name, *more):
            if name == str(path):
                change(path)
            yield block

    monkeypatch.setattr(decoder, "blocks", meddling)
    message = scoring.refused(path, "changed")["message"]
    assert f"before {len(wav(SHORTS))} bytes" in message
    assert "it is gone" in message or "now 5 bytes" in message


@pytest.mark.parametrize("name", ["-o", "new\nline.wav", "sm😀ile.wav", os.fsdecode(b"latin\xe9.wav"), "--help"])
def test_row31_names_of_any_kind(
    name: str, tmp_path: Path, scoring: Scoring, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(clips[0], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    row = scoring(Path(name), 0)
    assert row["scores"] == scoring.alone[0]["scores"]
    Path(name).write_bytes(b"")
    assert "\n" not in scoring.refused(Path(name), "empty_file")["message"]


# --- manifests and corpora ------------------------------------------------------------------------------------------

TRAIN = ["--preset", "speech", "--components", "1"]


def refused(command: list[str], status: int, capture: Capture) -> str:
    """What the command says on stderr; it must fail with the status, in a few lines, without a stack trace."""
    capture.readouterr()
    assert main(command) == status
    said = capture.readouterr().err
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("path", ["../out.wav", "a/../../out.wav", "{folder}/out.wav", "link/out.wav"])
def test_row32_paths_that_leave_the_root(path: str, tmp_path: Path, clips: list[Path], capsys: Capture) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    for name, clip in (("out.wav", clips[0]), ("in/b.wav", clips[8])):
        shutil.copy(clip, tmp_path / name)
    table = inside / "m.csv"
    table.write_text(f"path,label\n{path.format(folder=tmp_path)},a\nb.wav,b\n")
    command = ["train", str(table), "-o", str(tmp_path / "m.safetensors"), *TRAIN]
    said = refused(command, 5, capsys)
    assert "path_escapes_root" in said
    assert "line 2" in said
    (inside / "a").mkdir()
    assert main([*command, "--root", "/"]) == 0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("path,lable\na.wav,x\n", 1, "is it 'lable'? Then call it 'label'"),
        ("path,label\na.wav,x\nb.wav,y\na.wav,x\n", 4, "line 2"),
        ("path,label\na.wav,x\nb.wav,y\nb.wav,z\n", 4, "line 3"),
        ("path,label\na.wav,x\nb.wav,y,z\n", 3, "3 fields"),
        ("path,label,start,end\na.wav,x,1,0.5\n", 2, "segment"),
        ("path,label\r\na.wav,\r\n", 2, "label"),
    ],
)
def test_row33_manifests_that_say_something_impossible(
    text: str, line: int, words: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "m.csv").write_bytes(text.encode())
    said = refused(["train", str(tmp_path / "m.csv"), "-o", str(tmp_path / "m.safetensors")], 5, capsys)
    assert f"m.csv, line {line}:" in said
    assert words in said


@pytest.mark.parametrize("verb", ["train", "evaluate", "crossval", "audit"])
def test_row33_a_model_or_a_spreadsheet_in_the_place_of_data(verb: str, tmp_path: Path, capsys: Capture) -> None:
    model = Path(__file__).parent / "golden" / "model-v1.safetensors"
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(b"PK\x03\x04\x14\0\6\0path,label")
    more = {"train": ["-o", str(tmp_path / "m")]}.get(verb, [])
    first = [str(model)] if verb == "evaluate" else []
    assert "gmmaudio evaluate MODEL DATA" in refused([verb, *first, str(model), *more], 5, capsys)
    assert "save the table as CSV, in UTF-8" in refused([verb, *first, str(sheet), *more], 5, capsys)


def test_row33_a_mark_at_the_start_and_any_line_ends(tmp_path: Path, clips: list[Path]) -> None:
    shutil.copy(clips[0], tmp_path / "a.wav")
    shutil.copy(clips[8], tmp_path / "b.wav")
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbfpath,label\r\na.wav,x\r\nb.wav,y\r\n")
    assert main(["train", str(tmp_path / "m.csv"), "-o", str(tmp_path / "m.safetensors"), *TRAIN]) == 0


def test_row34_too_little_to_train_on(tmp_path: Path, clips: list[Path], capsys: Capture) -> None:
    data = tmp_path / "data"
    for label, clip in (("arvi", clips[0]), ("kesto", clips[8])):
        (data / label).mkdir(parents=True)
        shutil.copy(clip, data / label)
    out = ["-o", str(tmp_path / "m.safetensors"), "--preset", "speech"]
    few = re.search(r"label 'arvi' has (\d+) voiced frames for 640 components", refused(
        ["train", str(data), *out, "--components", "640"], 2, capsys
    ))  # fmt: skip
    assert few
    assert 0 < int(few[1]) < 200  # 2 s
    (data / "belun").mkdir()
    assert "belun" in refused(["train", str(data), *out], 2, capsys)
    (data / "belun" / "zero.wav").write_bytes(b"")
    assert "the only clip of label 'belun' cannot be used: " in refused(["train", str(data), *out], 2, capsys)
    shutil.rmtree(data / "belun")
    shutil.rmtree(data / "kesto")
    assert "arvi" in refused(["train", str(data), *out], 2, capsys)
    assert not (tmp_path / "m.safetensors").exists()


def test_row35_the_same_audio_in_training_and_test(corpus: Path, wide: Path, tmp_path: Path, capsys: Capture) -> None:
    heard = in_split(read_corpus(corpus), "train")
    shutil.copy(heard[0].path, tmp_path / "copy.wav")  # another name, the same samples
    shutil.copy(in_split(read_corpus(corpus), "test")[0].path, tmp_path / "new.wav")
    (tmp_path / "m.csv").write_text("path,label\ncopy.wav,arvi\nnew.wav,arvi\n")
    command = ["evaluate", str(wide), str(tmp_path / "m.csv")]
    said = refused(command, 2, capsys)
    assert "[leakage]" in said
    assert "trained on 1 of the 2 clips, such as copy.wav" in said
    assert main([*command, "--allow-leaks"]) == 0
    assert "LEAKED: the model was trained on 1 of these clips" in capsys.readouterr().out


def test_row36_more_components_than_distinct_frames(tmp_path: Path, capsys: Capture) -> None:
    """A 100 Hz pulse train and a 200 Hz one: at a hop of 10 ms all frames of a clip are the same."""
    for label, period in (("a", 80), ("b", 40)):
        (tmp_path / "data" / label).mkdir(parents=True)
        pulses = np.zeros(16000, np.float32)
        pulses[::period] = 0.5
        soundfile.write(tmp_path / "data" / label / "1.wav", pulses, 8000)
    (tmp_path / "plain.toml").write_text("[mfcc]\nrate = 8000\nn_mels = 23\n")
    model = tmp_path / "m.safetensors"
    flags = ["--preset", str(tmp_path / "plain.toml"), "--components", "8", "-o", str(model)]
    assert main(["train", str(tmp_path / "data"), *flags]) == 0
    assert "variances that stand at their floor" in capsys.readouterr().out
    for mixture in load(model).scorer.mixtures:  # type: ignore[attr-defined]
        assert np.isfinite(mixture.means).all()
        assert (mixture.covariance.variances > 0).all()
        assert mixture.weights.sum() == pytest.approx(1)
    assert main(["score", str(model), str(tmp_path / "data"), "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == ["a", "b"]


# --- models ---------------------------------------------------------------------------------------------------------


def hostile_models(good: bytes, trap: Path) -> dict[str, bytes]:
    return {
        "pickle": pickle.dumps(Trap(trap)),
        "joblib": b"\x80\x04\x95" + pickle.dumps(Trap(trap), protocol=2),
        "random": np.random.default_rng(0).bytes(5000),
        "truncated": good[:1000],
        "empty": b"",
        "header-2-to-62": struct.pack("<Q", 2**62) + good[8:],
    }


@pytest.mark.parametrize("kind", ["pickle", "joblib", "random", "truncated", "empty", "header-2-to-62"])
def test_row37_what_is_not_a_model(kind: str, wide: Path, clips: list[Path], tmp_path: Path) -> None:
    path, trap = tmp_path / "model.safetensors", tmp_path / "sprung"
    path.write_bytes(hostile_models(wide.read_bytes(), trap)[kind])
    done = capped("score", path, clips[0])
    assert (done.returncode, done.stdout) == (5, "")
    assert "not_a_gmmaudio_model" in done.stderr
    assert "Traceback" not in done.stderr
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [("nan mean", "0.means"), ("negative variance", "0.covariance"), ("weights not 1", "0.weights")],
)
def test_row38_a_broken_model(change: str, words: str, wide: Path, clips: list[Path], capsys: Capture) -> None:
    facts, tensors = parts(wide.read_bytes())
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    broken(change, facts, tensors)
    path = wide.with_name(f"{change}.safetensors")
    path.write_bytes(whole(facts, tensors))
    said = refused(["score", str(path), str(clips[0])], 5, capsys)
    assert "invalid_model" in said
    assert words in said


def test_row38_a_tensor_that_stands_twice(wide: Path, clips: list[Path], tmp_path: Path, capsys: Capture) -> None:
    data = wide.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    twice = data[8 : 8 + length].replace(b'"0.weights":', b'"0.means":', 1).ljust(length)
    (tmp_path / "m.safetensors").write_bytes(data[:8] + twice + data[8 + length :])
    said = refused(["score", str(tmp_path / "m.safetensors"), str(clips[0])], 5, capsys)
    assert "0.means" in said
    assert "stands twice" in said


def test_row39_other_versions_and_settings(wide: Path, clips: list[Path], tmp_path: Path, capsys: Capture) -> None:
    facts, tensors = parts(wide.read_bytes())
    path = tmp_path / "m.safetensors"
    path.write_bytes(whole({**facts, "format_version": facts["format_version"] + 1}, tensors))
    assert "version_mismatch" in refused(["score", str(path), str(clips[0])], 5, capsys)
    data = wide.read_bytes()  # labels in another order: the checksum tells
    path.write_bytes(data.replace(b"arvi", b"!", 1).replace(b"belun", b"arvi", 1).replace(b"!", b"belun", 1))
    assert "checksum" in refused(["score", str(path), str(clips[0])], 5, capsys)
    for flag in (["--preset", "language"], ["--rate", "8000"]):  # features come from the model
        with pytest.raises(SystemExit) as caught:
            main(["score", str(wide), str(clips[0]), *flag])
        assert caught.value.code == 2


# --- writing --------------------------------------------------------------------------------------------------------
# What row 40 says of feature stores (resuming, and a second run into one) stands with the tests of the store.


def test_row40_a_full_disk(corpus: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    command = ["train", str(corpus), *TRAIN, "-o", str(tmp_path / "m.safetensors")]
    assert "No space left on device" in refused(command, 2, capsys)
    assert list(tmp_path.iterdir()) == []


PAUSED = """
import sys, time
import {module}
def pause(*arguments, **more):
    print("here", flush=True)
    time.sleep(60)
{module}.{name} = pause
from gmmaudio.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("where", [("gmmaudio.corpus.audio", "open_recording"), ("os", "fsync")])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_row40_stopped_while_training(
    where: tuple[str, str], number: int, status: int, corpus: Path, tmp_path: Path
) -> None:
    """While it reads, and between the writing of the model and its renaming."""
    model = tmp_path / "m.safetensors"
    model.write_bytes(b"")
    code = PAUSED.format(module=where[0], name=where[1])
    command = [sys.executable, "-c", code, "train", str(corpus), *TRAIN, "--jobs", "1", "-o", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == status
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [model.name]
    assert model.read_bytes() == b""


def test_row40_a_closed_pipe(corpus: Path, wide: Path) -> None:
    command = f"{sys.executable} -m gmmaudio score {wide} {corpus.parent} --format jsonl --jobs 1 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout)["label"]


# --- the real bad files ---------------------------------------------------------------------------------------------

# What becomes of each, and why. The others are read: whatever is odd about them does not touch the samples.
OUTCOMES = {
    "04 - wrong number of channels.flac": "decode_error",  # two channels are promised, and others come
    "05 - wrong total number of samples.flac": "unread",  # the header promises 39,842 of its 109,487 samples
    "06 - missing streaminfo metadata block.flac": "corrupt_header",
    "08 - blocksize 65536.flac": "decode_error",  # more than a frame may hold
    "11 - incorrect metadata block length.flac": "corrupt_header",
    # found by fuzzing; six of them do not begin with fLaC
    "02947f56c6c14d3d3d756dbeecc06352e66bd18a.flac": "decode_error",
    "07d990b7992590022e2721bfaa83e4bd3b905443.flac": "not_audio",
    "0fd738fd5832a540bef0743db62f68c0c642e095.flac": "decode_error",
    "1cc7059cbdac01b75e91eef8e826895cdfbaccca.flac": "decode_error",
    "23d1288573bb3485769da0a969bf5a5c20bd54f2.flac": "corrupt_header",
    "5a35e45b6b1c30fc71443b21e8bf0d1740f27361.flac": "not_audio",
    "5b004788ba05db06d0f6cc8a7a43e334c9d31c44.flac": "decode_error",
    "5ef80ac28c9554fc3bdfa0096dac28f35c79c652.flac": "corrupt_header",
    "64a18b4b38239295b0c2c9f8df778df3edddebbd.flac": "decode_error",
    "6710a7b64aea38e69c00f16b962bef82a167082d.flac": "decode_error",
    "6eccabf2c81748533cb0c4c8fce2c8426559d4ae.flac": "corrupt_header",
    "74b23b5fb31a61f62c78659a76109f448d0f4763.flac": "decode_error",
    "7620659fe8f2e9751072660c5c7ed95f7659587d.flac": "decode_error",
    "848d2895bf8191ff6a94ccacb4e7fb696c62fa05.flac": "decode_error",
    "920866496c64684f55cdeeb4f464406702fc072a.flac": "decode_error",
    "a7f07b1dee76f1d975ac5ab0b803f5e886e02c21.flac": "unsupported_rate",  # 1604 Hz
    "b6d30db8ca1f537835a149e40677e5e58766260b.flac": "decode_error",
    "bb2b1d355f0ecf965baa3c1e2bb34142e62f6e9c.flac": "not_audio",
    "c377cba674ebd98def206ba4e22f826da2c646d3.flac": "not_audio",
    "c6c1d767d72b388aad8a020f661c90a2684a9470.flac": "not_audio",
    "ca1081b95516599c96ace7425fa0a75752cbdc33.flac": "decode_error",
    "d44b4144fc29194848ba4d973a3caca51164578b.flac": "not_audio",
    "da0edb2728a503e7a5cb6d87a39b07f9396a57c3.flac": "corrupt_header",
    "test-1234Hz-le-1ch-10S-20bit-extra.wav": "unsupported_rate",
    "test-44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "corrupt_header",
    "test-44100Hz-le-1ch-4bytes-incomplete-chunk.wav": "corrupt_header",
    "test-8000Hz-le-3ch-5S-36bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-45bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-53bit.wav": "unsupported_codec",
    "test-8000Hz-le-3ch-5S-64bit.wav": "unsupported_codec",
    "test-8000Hz-le-2ch-1byteu.wav": "bandwidth",  # 8000 Hz, where the model wants 16000
    # read, but of less than one window: 5 samples, 9 samples, 10 ms, 5.4 ms
    "test-44100Hz-2ch-32bit-float-be.wav": "too_short",
    "test-44100Hz-2ch-32bit-float-le.wav": "too_short",
    "test-44100Hz-le-1ch-4bytes-early-eof.wav": "too_short",  # and cut short: test_audio.py
    "test-48000Hz-2ch-64bit-float-le-wavex.wav": "too_short",
    "test-8000Hz-be-3ch-5S-24bit.wav": "too_short",
    "test-8000Hz-le-1ch-1byte-ulaw.wav": "too_short",
    "test-8000Hz-le-3ch-5S-24bit-inconsistent.wav": "too_short",
    "test-8000Hz-le-3ch-5S-24bit-rf64.wav": "too_short",
    "test-8000Hz-le-3ch-5S-24bit.wav": "too_short",
    "test-8000Hz-le-4ch-9S-12bit.wav": "too_short",
    "test-8000Hz-le-5ch-9S-5bit.wav": "too_short",
}


def test_all_real_bad_files(real_data: Path, wide: Path) -> None:
    done = capped("score", wide, real_data / "bad", "--format", "jsonl", "--jobs", "2")
    assert done.returncode == 3, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 56
    found = {
        Path(row["path"]).name: row["error"]["code"]
        if "error" in row
        else "+".join(warning["code"] for warning in row["warnings"])
        for row in rows
    }
    assert found == {name: OUTCOMES.get(name, "") for name in found}
