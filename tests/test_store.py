"""Feature stores: what is in them, what a second run does, what training makes of them; damage is told, never used."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gmmaudio.classify.examples import Example, read_example
from gmmaudio.classify.stored import extract, open_stored
from gmmaudio.classify.train import Training, train
from gmmaudio.cli import main
from gmmaudio.corpus.audio import read_clip
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.errors import DataError, GmmaudioError, StoreError
from gmmaudio.features import store_writer
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.sealed import MOST_BYTES, read_sealed, sealed
from gmmaudio.features.store import STORE_FILE, differences, header, open_store
from gmmaudio.features.store_index import Listed, read_index, shard_name

SPEECH = PRESETS["speech"]
Capture = pytest.CaptureFixture[str]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files stand in a folder, and when each was written."""
    found = {path.name: path.stat() for path in folder.iterdir() if path.name != ".lock"}
    return {name: (about.st_ino, about.st_mtime_ns) for name, about in found.items()}


@pytest.fixture(scope="module")
def store(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the synthetic corpus; not to be changed."""
    folder = tmp_path_factory.mktemp("stores") / "store"
    extract(read_corpus(corpus), SPEECH, folder, jobs=2)
    return folder


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    return Path(shutil.copytree(store, tmp_path / "copy"))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "CLIPS", 4)
    monkeypatch.setattr(store_writer, "MOST_CLIPS", 8)


def clips(folder: Path, corpus: Path) -> Path:
    """A folder of label folders with clips of the corpus."""
    for entry in read_corpus(corpus):
        (folder / entry.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, folder / entry.label)
    return folder


# --- what is in a store


def test_a_store_holds_the_voiced_frames_of_each_clip(corpus: Path, store: Path) -> None:
    entries = read_corpus(corpus)
    seen = []
    for name in open_store(store).names:
        array = np.load(store / f"{name}.npy", mmap_mode="r")  # numpy's own reader
        assert (array.dtype.str, array.flags.c_contiguous) == ("<f4", True)
        for row in json.loads((store / f"{name}.json").read_text())["clips"]:
            entry = next(entry for entry in entries if entry.name == row["path"])
            clip = read_clip(entry.path, SPEECH.rate)
            frames = SPEECH(clip).selected()
            np.testing.assert_array_equal(array[row["offset"] : row["offset"] + row["frames"]], frames)
            assert (row["label"], row["group"], row["split"]) == (entry.label, entry.group, entry.split)
            assert row["size"] == entry.path.stat().st_size
            assert row["seconds"] == 2.0
            seen.append(row["path"])
    assert seen == [entry.name for entry in entries]


@pytest.mark.parametrize("shape", [(0, 1), (3, 39), (2**40, 4096)])
def test_the_header_is_numpys(shape: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(header(*shape))
    with (tmp_path / "a.npy").open("rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        found = np.lib.format.read_array_header_1_0(file)
        assert (found, file.tell()) == ((shape, False, np.dtype("<f4")), 128)


def test_any_number_of_workers_makes_the_same_store(corpus: Path, store: Path, tmp_path: Path) -> None:
    extract(read_corpus(corpus), SPEECH, tmp_path / "alone")
    assert content(tmp_path / "alone") == content(store)


@pytest.mark.usefixtures("small_shards")
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300, unique=True), st.data())
@settings(max_examples=40, deadline=None)
def test_a_clip_that_comes_or_goes_moves_few_borders(numbers: list[int], data: st.DataObject) -> None:
    def cut(names: list[int]) -> list[list[int]]:
        listed = store_writer.list_clips([Entry(Path(f"no/{name}"), "x") for name in names])
        return [[int(clip.entry.path.name) for clip in part] for part in store_writer.cut_clips(listed)]

    whole = cut(numbers)
    assert [name for part in whole for name in part] == numbers
    assert max(map(len, whole)) <= 8
    at = data.draw(st.integers(0, len(numbers) - 1))
    fewer = cut(numbers[:at] + numbers[at + 1 :]) if len(numbers) > 1 else whole
    before = {tuple(part) for part in whole}
    # Parts that end by a hash again after the change are the same; forced ends can shift a run of at most a few parts.
    assert len([part for part in fewer if tuple(part) not in before]) <= max(3, len(whole) // 2)


# --- a second run


@pytest.mark.usefixtures("small_shards")
def test_a_second_run_makes_only_what_is_missing_or_changed(corpus: Path, tmp_path: Path) -> None:
    data, folder = clips(tmp_path / "data", corpus), tmp_path / "store"

    def again() -> tuple[int, int, int, int]:
        before = stamps(folder) if folder.exists() else {}
        account = extract(read_corpus(data), SPEECH, folder)
        written = {name for name, stamp in stamps(folder).items() if before.get(name) != stamp} - {STORE_FILE}
        shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
        extract(read_corpus(data), SPEECH, tmp_path / "fresh")
        assert content(folder) == content(tmp_path / "fresh")
        return account.read, account.kept, account.dropped, len(written)

    read, kept, dropped, written = again()
    assert (read, kept, dropped) == (64, 0, 0)
    assert written >= 2 * 64 / 8  # at most 8 clips to a shard, of two files
    assert again() == (0, 64, 0, 0)
    victim = read_corpus(data)[20].path
    os.utime(victim, ns=(1, 1))
    assert again() == (1, 63, 0, 2)
    shutil.copy(read_corpus(corpus)[0].path, data / "domar" / "aaa.wav")
    read, kept, dropped, written = again()
    assert (read, kept, dropped) == (1, 64, 0)
    assert 2 <= written <= 8
    victim.unlink()
    read, kept, dropped, _ = again()
    assert (read, kept, dropped) == (0, 64, 1)


def test_a_changed_label_needs_no_decoding(corpus: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(corpus.read_text().splitlines()))
    table = tmp_path / "m.csv"

    def extracted() -> tuple[int, set[str]]:
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        account = extract(read_corpus(table, corpus.parent), SPEECH, tmp_path / "store")
        return account.read, {entry.label for entry in open_stored(tmp_path / "store").entries}

    assert extracted() == (64, {"arvi", "belun", "domar", "kesto"})
    rows = [{**row, "label": row["label"].upper()} for row in rows]
    assert extracted() == (0, {"ARVI", "BELUN", "DOMAR", "KESTO"})


def test_failed_clips_are_known_and_tried_again_when_asked(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    data, folder = clips(tmp_path / "data", corpus), tmp_path / "store"
    (data / "arvi" / "empty.wav").write_bytes(b"")
    (data / "kesto" / "text.wav").write_text("hello")
    flags = ["features", str(data), "-o", str(folder), "--preset", "speech"]
    assert main(flags) == 3
    assert "2 of them failed" in capsys.readouterr().out
    codes = {
        row["path"]: row["error"]["code"]
        for name in open_store(folder).names
        for row in json.loads((folder / f"{name}.json").read_text())["clips"]
        if "error" in row
    }
    assert codes == {"arvi/empty.wav": "empty_file", "kesto/text.wav": "not_audio"}  # facts: bad inputs, rows 1 and 2
    assert str(tmp_path) not in "".join(map(repr, content(folder).values()))
    assert main(flags) == 3
    assert "0 clips were read" in capsys.readouterr().err
    before = content(folder)
    assert main([*flags, "--retry"]) == 3
    assert "2 clips were read" in capsys.readouterr().err
    assert content(folder) == before
    models = [str(tmp_path / name) for name in ("a.safetensors", "b.safetensors")]
    assert main(["train", str(folder), "--components", "1", "-o", models[0]]) == 3
    skipped = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line[:5] in ("arvi ", "kesto")]
    assert skipped == ["1", "1"]
    assert main(["train", str(data), "--preset", "speech", "--components", "1", "-o", models[1]]) == 3
    assert Path(models[0]).read_bytes() == Path(models[1]).read_bytes()


def test_a_store_of_nothing_but_failures(tmp_path: Path, capsys: Capture) -> None:
    for label in ("x", "y"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "a.wav").write_bytes(b"")
    folder = str(tmp_path / "store")
    assert main(["features", str(tmp_path / "data"), "-o", folder]) == 4
    assert main(["train", folder, "-o", str(tmp_path / "m")]) == 4
    assert "none of the 2 clips can be used" in capsys.readouterr().err


def test_names_of_any_kind(corpus: Path, tmp_path: Path) -> None:
    clip = read_corpus(corpus)[0].path
    names = ["-dash.wav", "new\nline.wav", "sm😀ile.wav", b"latin\xe9.wav".decode("utf-8", "surrogateescape")]
    (tmp_path / "data" / "x").mkdir(parents=True)
    for name in names:
        shutil.copy(clip, tmp_path / "data" / "x" / name)
    extract(read_corpus(tmp_path / "data"), SPEECH, tmp_path / "store")
    assert sorted(entry.name for entry in open_stored(tmp_path / "store").entries) == sorted(f"x/{n}" for n in names)


# --- training and evaluation


def test_training_on_a_store_gives_the_same_bytes_as_on_the_corpus(
    corpus: Path, store: Path, tmp_path: Path, capsys: Capture
) -> None:
    # Calibration also hears pieces of clips, which a store does not hold.
    for flags in (["--split", "train", "--components", "4"], ["--fold-by", "group", "--fold", "arvi-1"]):
        flags.append("--no-calibration")
        assert main(["train", str(store), *flags, "-o", str(tmp_path / "a")]) == 0
        assert main(["train", str(corpus), *flags, "--preset", "speech", "-o", str(tmp_path / "b")]) == 0
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        said = capsys.readouterr().out
        assert said[: len(said) // 2] == said[len(said) // 2 :]


def test_shards_of_training_may_be_cut_anywhere(corpus: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gmmaudio.gmm.shards.gather.__defaults__", (500,))  # 198 frames per clip, and some are silent
    stored = open_stored(store)
    one = train(stored.entries, Training(SPEECH, components=2), 2, read=stored.read).classifier
    other = train(read_corpus(corpus), Training(SPEECH, components=2)).classifier
    clip = read_corpus(corpus)[0].path
    assert one.score(clip).scores == other.score(clip).scores


def test_figures_from_a_store_are_those_from_the_corpus(
    corpus: Path, store: Path, model: Path, capsys: Capture
) -> None:
    def figures(*flags: object) -> Any:
        assert main([str(flag) for flag in flags]) == 0
        return json.loads(capsys.readouterr().out)

    end = ["--format", "json"]
    assert figures("evaluate", model, store, "--split", "test", *end) == figures(
        "evaluate", model, corpus, "--split", "test", *end
    )
    flags = ["--fold-by", "split", "--components", "1", *end]
    assert figures("crossval", store, *flags) == figures("crossval", corpus, *flags, "--preset", "speech")


def test_leaks_are_refused_from_a_store_as_well(store: Path, model: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(model), str(store), "--split", "train"]) == 2
    assert "trained on 48 of the 48 clips" in capsys.readouterr().err


def test_another_front_end_is_refused_by_name(
    store: Path, model: Path, corpus: Path, tmp_path: Path, capsys: Capture
) -> None:
    before = stamps(store)
    assert main(["features", str(corpus), "-o", str(store), "--preset", "genre"]) == 5
    assert "mfcc.rate is 8000, this run has 22050" in capsys.readouterr().err
    assert main(["train", str(store), "--preset", "genre", "-o", str(tmp_path / "m")]) == 5
    assert "version_mismatch" in capsys.readouterr().err
    other = tmp_path / "other"
    extract(read_corpus(corpus)[:2], PRESETS["language"], other)
    assert main(["evaluate", str(model), str(other)]) == 5
    assert "mfcc.n_mfcc is 7" in capsys.readouterr().err
    assert stamps(store) == before
    assert main(["features", str(corpus), "-o", str(store)]) == 0  # without a preset: the store's own
    assert stamps(store) == before


def test_differences_of_settings() -> None:
    assert differences(SPEECH.as_dict(), SPEECH.as_dict()) == []
    found = {name: (one, two) for name, one, two in differences({"a": [1, {"b": 2}]}, {"a": [1], "c": None})}
    assert found == {"a.1.b": ("2", "none"), "c": ("not there", "None")}


def test_inspect_a_store(store: Path, capsys: Capture) -> None:
    assert main(["inspect", str(store), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["clips"], facts["failed"], facts["groups"]) == (64, 0, 16)
    assert facts["labels"] == {"arvi": 16, "belun": 16, "domar": 16, "kesto": 16}
    assert facts["hours"] == pytest.approx(64 * 2 / 3600)
    assert facts["front_end"] == SPEECH.as_dict()
    assert main(["inspect", str(store)]) == 0
    assert "clips: 64" in capsys.readouterr().out
    assert main(["inspect", str(store), "--plot", "x.png"]) == 2
    assert "--plot draws clips" in capsys.readouterr().err


# --- what cannot be used


def code(run: Callable[[], object], path: Path | None = None) -> str:
    with pytest.raises(GmmaudioError) as caught:
        run()
    assert path is None or path.name in str(caught.value)
    return caught.value.code


def read_all(folder: Path) -> None:
    stored = open_stored(folder)
    stored.read(stored.entries, SPEECH)


@pytest.mark.parametrize("suffix", [".json", ".npy", STORE_FILE])
def test_damage_of_any_file_is_told_with_its_name_and_mended(suffix: str, copy: Path, corpus: Path) -> None:
    whole = content(copy)
    path = next(path for path in sorted(copy.iterdir()) if path.name.endswith(suffix) and path.name != ".lock")
    if suffix == ".json":
        path = next(path for path in copy.glob("*.json") if path.name != STORE_FILE)
    data = path.read_bytes()
    spots = [*range(0, len(data), max(1, len(data) // 40)), len(data) - 1]
    spoiled = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in spots]
    spoiled += [b"", data[:-1], data[: len(data) // 2], data + b"\0", b"\0" * len(data)]
    for wrong in spoiled:
        path.write_bytes(wrong)
        assert code(lambda: read_all(copy), path) in ("damaged_store", "version_mismatch")
    path.unlink()
    extract(read_corpus(corpus), SPEECH, copy)  # as the hint says
    assert content(copy) == whole


@pytest.mark.parametrize("suffix", [".json", ".npy"])
def test_what_is_no_regular_file_is_never_opened(suffix: str, copy: Path) -> None:
    path = next(path for path in copy.glob(f"*{suffix}") if path.name != STORE_FILE)
    path.unlink()
    os.mkfifo(path)  # to open it would wait for ever
    assert code(lambda: read_all(copy), path) == "damaged_store"
    path.unlink()
    path.mkdir()
    assert code(lambda: read_all(copy), path) == "damaged_store"


def test_a_store_that_is_not_finished_is_refused(copy: Path, tmp_path: Path, capsys: Capture) -> None:
    next(path for path in copy.glob("*.json") if path.name != STORE_FILE).unlink()
    assert main(["train", str(copy), "-o", str(tmp_path / "m")]) == 5
    assert "incomplete_store" in capsys.readouterr().err
    assert main(["inspect", str(copy)]) == 0
    assert "complete: False" in capsys.readouterr().out


def test_a_newer_format_is_refused(copy: Path, corpus: Path, capsys: Capture) -> None:
    for path in [copy / STORE_FILE, *(path for path in copy.glob("*.json") if path.name != STORE_FILE)]:
        facts, old = read_sealed(path), path.read_bytes()
        path.write_bytes(sealed({**facts, "format_version": 2}))
        assert code(lambda: read_all(copy), path) == "version_mismatch"
        path.write_bytes(old)
    facts = read_sealed(copy / STORE_FILE)
    (copy / STORE_FILE).write_bytes(sealed({**facts, "format_version": 2}))
    assert main(["features", str(corpus), "-o", str(copy)]) == 5
    assert "format version 2" in capsys.readouterr().err


def test_a_lie_about_the_size_allocates_nothing(copy: Path) -> None:
    path = next(path for path in copy.glob("*.json") if path.name != STORE_FILE)
    facts = read_sealed(path)
    facts["clips"][-1]["frames"] += 2**39 - facts["frames"]
    facts["frames"] = 2**39  # 66 TB
    path.write_bytes(sealed(facts))
    assert code(lambda: read_all(copy), path.with_suffix(".npy")) == "damaged_store"
    data = path.with_suffix(".npy")
    data.write_bytes(header(2**39, facts["dimension"]) + data.read_bytes()[128:])
    assert code(lambda: read_all(copy), data) == "damaged_store"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # a hole: no disk is used
    assert code(lambda: read_all(copy), path) == "damaged_store"


def test_values_that_are_not_finite_are_refused(copy: Path) -> None:
    name = open_store(copy).names[0]
    data = bytearray((copy / f"{name}.npy").read_bytes())
    data[128:132] = np.float32(np.nan).tobytes()
    (copy / f"{name}.npy").write_bytes(data)
    facts = read_sealed(copy / f"{name}.json")
    facts["data_sha256"] = hashlib.sha256(data[128:]).hexdigest()  # by somebody who means it
    (copy / f"{name}.json").write_bytes(sealed(facts))
    assert code(lambda: read_all(copy), copy / f"{name}.npy") == "damaged_store"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in nested values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [place for key, inner in items for place in places(inner, (*at, key))]


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_index_with_any_value_changed_is_read_or_refused(data: st.DataObject, store: Path, tmp_path: Path) -> None:
    name = open_store(store).names[-1]
    facts = read_sealed(store / f"{name}.json")
    place = data.draw(st.sampled_from(places(facts)))
    holder: Any = facts
    for key in place[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[place[-1]] = data.draw(JSON)
    else:
        del holder[place[-1]]
    path = tmp_path / f"{name}.json"
    path.write_bytes(sealed(facts))
    try:
        found = read_index(path)
    except StoreError as error:
        assert error.code in ("damaged_store", "version_mismatch")
        assert path.name in str(error)
    else:
        assert sum(getattr(row.outcome, "frames", 0) for row in found.rows) == found.frames


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | JSON.map(json.dumps).map(str.encode))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(data: bytes, copy: Path) -> None:
    for path in (copy / STORE_FILE, copy / f"{'0' * 32}.json"):
        path.write_bytes(data)
    assert code(lambda: open_store(copy)) == "damaged_store"
    assert code(lambda: read_index(copy / f"{'0' * 32}.json")) == "damaged_store"


def renamed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every clip of a store as somebody would who means it: names and seals fit."""
    top = read_sealed(folder / STORE_FILE)
    for place, name in enumerate(top["shards"]):
        facts = read_sealed(folder / f"{name}.json")
        for clip in facts["clips"]:
            change(clip)
        listed = [Listed(_entry(clip), clip["size"], clip["mtime_ns"]) for clip in facts["clips"]]
        facts["name"] = top["shards"][place] = shard_name(facts["front_end_sha256"], listed)
        (folder / f"{name}.npy").rename(folder / f"{facts['name']}.npy")
        (folder / f"{name}.json").unlink()
        (folder / f"{facts['name']}.json").write_bytes(sealed(facts))
    (folder / STORE_FILE).write_bytes(sealed(top))


def _entry(clip: dict[str, Any]) -> Entry:
    values = [clip[name] for name in ("label", "group", "split", "fold", "start", "end", "columns")]
    return Entry(Path(clip["path"]), *values, clip["path"])


@pytest.mark.parametrize("name", ["path", "label", "group"])
def test_text_that_no_file_name_could_be_is_refused(name: str, copy: Path) -> None:
    renamed(copy, lambda clip: clip.update({name: f"\ud800{clip[name]}"}))
    assert code(lambda: open_stored(copy)) == "damaged_store"


def test_a_clip_that_is_in_a_store_twice_is_refused_and_not_lost(copy: Path) -> None:
    renamed(copy, lambda clip: clip.update(path="one.wav"))
    assert code(lambda: open_stored(copy)) == "damaged_store"


def test_json_that_would_break_a_parser(copy: Path) -> None:
    path = copy / STORE_FILE
    for text in (b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b'{"format_version": 1e999}', b"NaN"):
        path.write_bytes(text)
        assert code(lambda: open_store(copy), path) == "damaged_store"


def test_folders_that_are_no_store(corpus: Path, store: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other"
    (other / "x").mkdir(parents=True)
    shutil.copy(read_corpus(corpus)[0].path, other / "x" / "new.wav")
    (tmp_path / "file").touch()
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").touch()
    for data, target, words in (
        (corpus, full, "holds something else"),
        (corpus, tmp_path / "file", "is a file"),
        (corpus, tmp_path / "no" / "store", "does not exist"),
        (other, store, "another corpus"),
        (store, tmp_path / "s", "a feature store itself"),
        (other, other / "store", "lie in the corpus"),
    ):
        assert main(["features", str(data), "-o", str(target)]) == 2, target
        assert words in capsys.readouterr().err
    assert list(full.iterdir()) == [full / "thesis.txt"]


# --- interruptions


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 short clips of noise in three labels; about two seconds of work, in about ten shards."""
    import soundfile

    data = tmp_path_factory.mktemp("many") / "data"
    generator = np.random.default_rng(0)
    for number in range(600):
        folder = data / "abc"[number // 200]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number:03}.wav", 0.1 * generator.standard_normal(8000), 8000)
    return data


@pytest.fixture(scope="module")
def in_one_go(many: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "store"
    extract(read_corpus(many), SPEECH, folder)
    return content(folder)


def command(data: Path, folder: Path) -> list[str]:
    flags = ["--preset", "speech", "--jobs", "2"]
    return [sys.executable, "-m", "gmmaudio", "features", str(data), "-o", str(folder), *flags]


def wait_for(folder: Path, indexes: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and len(list(folder.glob("*.json"))) < 1 + indexes:
        pass


@pytest.mark.parametrize("moments", [3, pytest.param(10, marks=pytest.mark.long)])
def test_killed_and_resumed_a_store_is_that_made_in_one_go(
    moments: int, many: Path, in_one_go: dict[str, bytes], tmp_path: Path
) -> None:
    generator = np.random.default_rng(moments)
    shards = sum(name.endswith(".npy") for name in in_one_go)
    killed = 0
    for attempt in range(moments):
        folder = tmp_path / f"store{attempt}"
        process = subprocess.Popen(command(many, folder), text=True, stderr=subprocess.DEVNULL)
        wait_for(folder, int(generator.integers(0, shards - 1)), process)
        try:
            process.wait(float(generator.uniform(0, 0.1)))
        except subprocess.TimeoutExpired:
            process.kill()
        killed += process.wait() == -signal.SIGKILL
        extract(read_corpus(many), SPEECH, folder)
        assert content(folder) == in_one_go
    assert killed >= moments - 1  # or nothing was tested


CRASHES = """
import hashlib, os, shutil, signal, sys
from pathlib import Path
import numpy as np
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError
from gmmaudio.features import store_writer
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.store_index import Kept

store_writer.CLIPS, store_writer.MOST_CLIPS = 3, 4
os.fsync = lambda _: None  # a disk that outlives the process needs no flushing, which is slow
top = Path(sys.argv[1])
front_end = FrontEnd()

def make(entry):
    seed = int(entry.path.name)
    if seed % 7 == 0:
        return ClipError("silence", "no sound")
    values = np.random.default_rng(seed).standard_normal((1 + seed % 5, front_end.dimension)).astype(np.float32)
    return Kept(0, len(values), 1.0, 0.5, hashlib.sha256(values).hexdigest(), ()), values

def fill(folder, names):
    store_writer.fill(folder, [Entry(Path(str(name)), "x") for name in names], front_end, make)

def dying(step, work):
    "Run work in a process that kills itself before its n-th step on the disk; say whether it did."
    pid = os.fork()
    if pid:
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    left = step
    def count(event, arguments):
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(arguments[0]).startswith(str(top)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    os.fsync = lambda _: count("open", [str(top)])
    work()
    os._exit(0)

def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}

before, after = range(10), [*range(3), *range(4, 13)]
fill(top / "whole", before)
fill(top / "changed", after)
steps = 0
while dying(steps, lambda: fill(top / f"a{steps}", before)):
    fill(top / f"a{steps}", before)
    assert content(top / f"a{steps}") == content(top / "whole"), steps
    steps += 1
updates = 0
while True:
    shutil.copytree(top / "whole", top / f"b{updates}")
    if not dying(updates, lambda: fill(top / f"b{updates}", after)):
        break
    fill(top / f"b{updates}", after)
    assert content(top / f"b{updates}") == content(top / "changed"), updates
    updates += 1
print(steps, updates)
"""


def test_killed_before_any_step_on_the_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASHES, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    steps, updates = map(int, done.stdout.split())
    assert steps > 3 * 8  # at least 10 / 4 shards; for each two files: opened, flushed, renamed, the folder flushed
    assert updates > 2 * 8


def test_interrupted_a_store_is_resumable(many: Path, in_one_go: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "store"
    process = subprocess.Popen(command(many, folder), text=True, stderr=subprocess.PIPE)
    wait_for(folder, 2, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert not list(folder.glob("*.tmp"))
    assert main(["inspect", str(folder)]) == 0
    account = extract(read_corpus(many), SPEECH, folder)
    assert 0 < account.kept < 600
    assert content(folder) == in_one_go


def test_a_full_disk_leaves_nothing_torn(many: Path, in_one_go: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "store"
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({400_000}, {400_000}));"
    code = f"{limit} from gmmaudio.cli import main; raise SystemExit(main({command(many, folder)[3:]!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert max(map(len, in_one_go.values())) > 400_000
    assert done.returncode == 2, done.stderr
    assert "cannot_write" in done.stderr
    assert "File too large" in done.stderr
    left = content(folder)
    assert {name: left[name] for name in left if name != STORE_FILE} == {
        name: in_one_go[name] for name in left if name != STORE_FILE
    }
    extract(read_corpus(many), SPEECH, folder)
    assert content(folder) == in_one_go


def test_a_disk_that_fails_when_flushed(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(DataError, match="No space left on device") as caught:
            extract(read_corpus(corpus), SPEECH, tmp_path / "store")
    assert caught.value.code == "cannot_write"
    assert [path.name for path in (tmp_path / "store").iterdir()] == [".lock"]


def test_the_second_run_is_told_at_once(corpus: Path, copy: Path, capsys: Capture) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from gmmaudio.files import alone\n"
        "with alone(Path(sys.argv[1], '.lock')): print('held', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", hold, str(copy)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    assert main(["features", str(corpus), "-o", str(copy)]) == 5
    said = capsys.readouterr().err
    assert "in_use" in said
    assert f"in use by process {first.pid}" in said
    first.kill()  # kill -9 leaves no lock behind
    first.wait()
    first.stdout.close()
    assert main(["features", str(corpus), "-o", str(copy)]) == 0


def test_a_clip_that_changes_while_it_is_read_is_read_again(corpus: Path, tmp_path: Path) -> None:
    entries = read_corpus(corpus)[:3]
    data = tmp_path / "data" / "x"
    data.mkdir(parents=True)
    for entry in entries:
        shutil.copy(entry.path, data)
    listed = read_corpus(tmp_path / "data")

    def touching(entry: Entry, front_end: FrontEnd) -> Example:
        os.utime(listed[1].path, ns=(5, 5))
        return read_example(entry, front_end)

    extract(listed, SPEECH, tmp_path / "store", read=touching)
    assert extract(listed, SPEECH, tmp_path / "store").read == 1
