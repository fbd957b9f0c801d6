"""Folders and manifests: what they mean, and which line of them is wrong."""

from __future__ import annotations

import csv
import io
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.corpus import folders, table
from gmmaudio.corpus.manifest import Entry, clips_under, expand, in_split, read_corpus, require_classes
from gmmaudio.errors import DataError, ManifestError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def manifest(folder: Path, text: str | bytes, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# --- folders -------------------------------------------------------------------------------------------------------


def test_each_direct_folder_is_a_label(tmp_path: Path) -> None:
    touch(tmp_path, "dog/b.wav", "dog/a.FLAC", "dog/deep/er/c.mp3", "Cat/x.m4a", "Cat/notes.txt", ".git/x.wav")
    touch(tmp_path, "dog/.hidden.wav", "README.md")
    entries = read_corpus(tmp_path)
    assert [(entry.name, entry.label) for entry in entries] == [
        ("Cat/x.m4a", "Cat"),  # cannot be decoded, but must not be lost
        ("dog/a.FLAC", "dog"),
        ("dog/b.wav", "dog"),
        ("dog/deep/er/c.mp3", "dog"),
    ]
    assert entries[0] == Entry(tmp_path / "Cat/x.m4a", "Cat", name="Cat/x.m4a")


def test_a_manifest_beside_label_folders_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a/1.wav", "b/1.wav", "manifest.csv", "stray.wav")
    with caplog.at_level(logging.INFO, "gmmaudio"):
        assert len(read_corpus(tmp_path)) == 2
    assert "1 audio files outside the label folders are not used" in caplog.text
    assert "1 files that are not audio are ignored" in caplog.text


@pytest.mark.parametrize(
    ("names", "code", "message", "hint"),
    [
        ([], "no_clips", "is empty", "folder per label"),
        (["x.txt"], "no_clips", "files: 0 of audio, 1 of other kinds", "folder per label"),
        (["1.wav", "2.wav", "x.txt"], "no_labels", "files: 2 of audio, 1 of other kinds", "folder per label"),
        (["1.wav", "other.csv", "manifest.csv"], "no_labels", "files: 1 of audio", "manifest.csv"),
        (["other.csv"], "no_labels", "files: 0 of audio", "other.csv"),
        (["dog/1.wav", "cat/x.txt"], "empty_class", "1 of 2 label folders hold no audio: cat", "fill or remove"),
        (["dog/1.txt", "cat/x.txt"], "no_clips", "2 of 2 label folders hold no audio: cat, dog", "fill or remove"),
    ],
)
def test_folders_that_are_no_corpus(tmp_path: Path, names: list[str], code: str, message: str, hint: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError) as caught:
        read_corpus(tmp_path)
    assert caught.value.code == code
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_data_that_is_not_there_or_no_corpus(tmp_path: Path) -> None:
    touch(tmp_path, "clip.wav")
    os.mkfifo(tmp_path / "pipe.csv")
    expected = {
        "missing": "no_such_data",
        "clip.wav": "no_labels",
        "pipe.csv": "not_regular_file",
        "clip.wav/x": "unreadable_data",
        "zero\0byte": "unreadable_data",
    }
    for name, code in expected.items():
        with pytest.raises(DataError) as caught:
            read_corpus(tmp_path / name)
        assert caught.value.code == code


def test_one_label_can_be_read_but_not_trained_on(tmp_path: Path) -> None:
    touch(tmp_path, "dog/1.wav", "dog/2.wav")
    entries = read_corpus(tmp_path)
    with pytest.raises(DataError, match="only one label, 'dog', with 2 clips") as caught:
        require_classes(entries)
    assert caught.value.code == "one_class"
    with pytest.raises(DataError) as caught:
        require_classes([])
    assert caught.value.code == "no_clips"
    require_classes([*entries, Entry(Path("x.wav"), "cat")])


def test_links_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "store/x/1.wav", "data/dog/2.wav", "data/cat/3.wav")
    (tmp_path / "data/dog/more").symlink_to(tmp_path / "store")
    (tmp_path / "data/dog/again").symlink_to(tmp_path / "store/x")
    (tmp_path / "data/dog/loop").symlink_to(".")
    (tmp_path / "data/cat/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/cat/self.wav").symlink_to("self.wav")
    names = [entry.name for entry in read_corpus(tmp_path / "data")]
    assert names == ["cat/3.wav", "cat/self.wav", "dog/2.wav", "dog/more/x/1.wav"]
    (tmp_path / "data/all").symlink_to(".")
    with pytest.raises(DataError, match="hold no audio: all"):
        read_corpus(tmp_path / "data")


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "dog/1.wav", "cat/2.wav")

    def refuse(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read any folder
    with pytest.raises(DataError, match="Permission denied") as caught:
        read_corpus(tmp_path)
    assert caught.value.code == "unreadable_folder"


# --- CSV -----------------------------------------------------------------------------------------------------------


def test_columns_of_a_csv(tmp_path: Path) -> None:
    text = (
        "path,label,group,split,fold,start,end,tags,speaker\n"
        'a b.wav,"dog, big",g1,train,3,0.5,2,loud|near, rex \n'
        "sub/ü.wav,cat,,,,,,,\n"
    )
    first, second = read_corpus(manifest(tmp_path, text))
    assert first == Entry(
        tmp_path / "a b.wav", "dog, big", "g1", "train", "3", 0.5, 2.0, dict(first.columns), "a b.wav"
    )
    assert {name: first.column(name) for name in ("speaker", "tags", "group", "fold", "split", "label", "none")} == {
        "speaker": "rex",
        "tags": "loud|near",
        "group": "g1",
        "fold": "3",
        "split": "train",
        "label": "dog, big",
        "none": None,
    }
    assert second == Entry(tmp_path / "sub/ü.wav", "cat", columns=second.columns, name="sub/ü.wav")
    assert second.column("speaker") is None
    assert len({first, second}) == 2  # entries can stand in sets


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfpath,label\na.wav,dog\n",
        b"path,label\r\na.wav,dog\r\n",
        b"path,label\ra.wav,dog\r",
        b'"path","label"\n\n"a.wav","dog"\n\n',
        b" path , label \na.wav, dog",
        b"label,path\ndog,a.wav\n",
    ],
)
def test_byte_order_marks_line_ends_and_quotes_do_not_matter(tmp_path: Path, data: bytes) -> None:
    [entry] = read_corpus(manifest(tmp_path, data))
    assert (entry.path, entry.label) == (tmp_path / "a.wav", "dog")


ROW = "path,label\na.wav,dog\n"


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", 1, "the file is empty"),
        (b"path,label\n", 1, "no row"),
        (b"file,label\na.wav,dog\n", 1, "'path' is missing; the columns are: file, label"),
        (b"path;label\na.wav;dog\n", 1, "'path' is missing"),
        (b"path,label,label\na.wav,dog,cat\n", 1, "two columns have the same name"),
        (ROW + "b.wav\n", 3, "1 fields, where the header has 2"),
        (ROW + "b.wav,dog,x\n", 3, "3 fields"),
        (ROW + ",dog\n", 3, "the path is empty"),
        (ROW + "b.wav, \n", 3, "the label is empty"),
        (ROW + '"b\n.wav",dog\n\n,cat\n', 6, "the path is empty"),
        (ROW + 'b.wav,"dog\n', 3, "unexpected end of data"),
        (ROW + "b.wav,do\0g\n", 3, "zero byte"),
        (ROW.encode() + b"b.wav,\xff\n", 3, "UTF-8"),
        (ROW.encode("utf-16"), 1, "zero byte"),
        (ROW + "b.wav," + 200_000 * "x" + "\n", 3, "field larger than"),
        (ROW + "a.wav,dog\n", 3, "'a.wav' (same path, start and end) stands in line 2 already"),
        (ROW + "./a.wav,cat\n", 3, "has the label 'cat', but 'dog' in line 2"),
        (ROW + "x/../a.wav,cat\n", 3, "'dog' in line 2"),
        ("path,label,start\na.wav,dog,0\na.wav,cat,\n", 3, "'dog' in line 2"),
        ("path,label,start\na.wav,dog,soon\n", 2, "start is 'soon'"),
        ("path,label,start\na.wav,dog,-1\n", 2, "start is '-1'"),
        ("path,label,end\na.wav,dog,nan\n", 2, "end is 'nan'"),
        ("path,label,end\na.wav,dog,inf\n", 2, "end is 'inf'"),
        ("path,label,end\na.wav,dog,0\n", 2, "from 0 to 0 s is empty"),
        ("path,label,start,end\na.wav,dog,2,1.5\n", 2, "from 2 to 1.5 s is empty"),
    ],
)
def test_the_line_that_is_wrong_is_named(tmp_path: Path, data: str | bytes, line: int, message: str) -> None:
    path = manifest(tmp_path, data)
    with pytest.raises(ManifestError) as caught:
        read_corpus(path)
    assert caught.value.code == "bad_manifest"
    assert f"{path}, line {line}: " in caught.value.message
    assert message in caught.value.message
    assert caught.value.exit_status == 5


def test_segments_of_one_file_may_have_several_labels(tmp_path: Path) -> None:
    text = "path,label,start,end\na.wav,dog,0,1\na.wav,cat,1,2\na.wav,cat,2,\na.wav,dog,,\n"
    assert [entry.label for entry in read_corpus(manifest(tmp_path, text))] == ["dog", "cat", "cat", "dog"]


def test_a_huge_manifest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_BYTES", 1000)
    with pytest.raises(ManifestError, match="longer than 1000 bytes"):
        read_corpus(manifest(tmp_path, "path,label\n" + 200 * "a.wav,dog\n"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A manifest's folder, with a file beside it, and links out of it and back into it."""
    touch(tmp_path, "secret.wav", "corpus/sub/a.wav")
    inner = tmp_path / "corpus"
    (inner / "out.wav").symlink_to(tmp_path / "secret.wav")
    (inner / "way").symlink_to(tmp_path)
    (inner / "in.wav").symlink_to(inner / "sub/a.wav")
    (inner / "loop.wav").symlink_to("loop.wav")
    return inner


@pytest.mark.parametrize(
    "path",
    [
        "../secret.wav",
        "/etc/passwd",
        "sub/../../secret.wav",
        "out.wav",
        "way/secret.wav",
        "sub/..",
        "way/corpus/..",
        "..",
    ],
)
def test_paths_that_leave_the_root(outside: Path, path: str) -> None:
    table_file = manifest(outside, f"path,label\nsub/a.wav,dog\n{path},cat\n")
    if path == "sub/..":  # the root itself: a folder, which is an error when it is read
        assert len(read_corpus(table_file)) == 2
        return
    with pytest.raises(ManifestError, match="line 3") as caught:
        read_corpus(table_file)
    assert caught.value.code == "path_escapes_root"
    assert "--root" in caught.value.hint
    assert len(read_corpus(table_file, Path("/"))) == 2


def test_an_absolute_path_is_refused_wherever_it_leads(outside: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        read_corpus(manifest(outside, f"path,label\n{outside}/sub/a.wav,dog\n"))
    assert caught.value.code == "path_escapes_root"


def test_paths_that_stay_within_the_root(outside: Path) -> None:
    text = "path,label\nin.wav,a\nsub/../sub/a.wav,b\nloop.wav,c\nsub/missing.wav,d\nway/corpus/sub/a.wav,e\n"
    text += 300 * "n" + ".wav,f\n"
    assert [entry.label for entry in read_corpus(manifest(outside, text))] == list("abcdef")


def test_the_root_moves_what_paths_are_relative_to(outside: Path, tmp_path: Path) -> None:
    path = manifest(outside, f"path,label\nsecret.wav,a\n{tmp_path}/secret.wav,b\n")
    with pytest.raises(ManifestError, match="line 3"):
        read_corpus(path, tmp_path)
    relative = manifest(outside, "path,label\nsecret.wav,a\n", "relative.csv")
    assert read_corpus(relative, tmp_path)[0].path == tmp_path / "secret.wav"
    free = read_corpus(path, Path("/"))
    assert [entry.path for entry in free] == [outside / "secret.wav", tmp_path / "secret.wav"]
    assert free[1].name == f"{tmp_path}/secret.wav"
    with pytest.raises(DataError) as caught:
        read_corpus(relative, tmp_path / "nowhere")
    assert caught.value.code == "no_such_data"


def test_splits() -> None:
    entries = [Entry(Path(f"{split}.wav"), "x", split=split) for split in ("dev", "test", None)]
    assert in_split(entries, None) == entries
    assert in_split(entries, "dev") == entries[:1]
    with pytest.raises(DataError, match="there are: 'dev', 'test'") as caught:
        in_split(entries, "train")
    assert caught.value.code == "unknown_split"


# --- fuzz ------------------------------------------------------------------------------------------------------------

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["path", "label", "start", "end", "a.wav", "../b", "/", "1.5", "-1", "nan", "", '"', ".", "a/../.."]
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def read_or_refuse(path: Path) -> list[Entry] | None:
    try:
        return read_corpus(path)
    except (ManifestError, DataError) as error:
        assert error.code in {"bad_manifest", "path_escapes_root"}
        return None


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"path,label\n", b"path,label,start,end\n"]))
def test_any_bytes_are_read_or_refused(scratch: Path, data: bytes, start: bytes) -> None:
    read_or_refuse(manifest(scratch, start + data))


@settings(deadline=None)
@given(st.lists(st.lists(FIELD, min_size=2, max_size=5), max_size=6))
def test_any_rows_are_read_or_refused(scratch: Path, rows: list[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "start", "end", "x"])
    writer.writerows(row + [""] * (5 - len(row)) for row in rows)
    entries = read_or_refuse(manifest(scratch, text.getvalue()))
    if entries is not None:
        # What is read back is what was written, but for the blanks around it.
        assert [entry.columns["x"] for entry in entries] == [(row + [""] * 5)[4].strip() for row in rows]
        assert [entry.name for entry in entries] == [row[0] for row in rows]


# --- paths of the command line ---------------------------------------------------------------------------------


def test_clips_under_a_folder_are_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.wav", "a.ogg", "b/10.OPUS", "c.txt", ".d/e.wav", "b.wav")
    assert [path.relative_to(tmp_path).as_posix() for path in clips_under(tmp_path)] == [
        "a.ogg",
        "b.wav",
        "b/10.OPUS",
        "b/2.wav",
    ]


def test_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "in/b.wav", "in/a.wav", "in/x.txt", "clip.txt", "x.wav/y.flac", "lists/here.txt")
    (tmp_path / "empty").mkdir()
    Path("lists/list").write_bytes(b"\xef\xbb\xbfin\r\n\n  \n#1.wav\n@2.wav\n\xff.wav\nlast.wav")
    found = expand(["missing.wav", "in", "@lists/list", "clip.txt", "empty", "x.wav", "missing.wav"])
    assert [os.fsencode(path) for path in found] == [
        b"missing.wav",
        b"in/a.wav",
        b"in/b.wav",
        b"in/a.wav",
        b"in/b.wav",
        b"#1.wav",
        b"@2.wav",
        b"\xff.wav",
        b"last.wav",
        b"clip.txt",
        b"x.wav/y.flac",
        b"missing.wav",
    ]
    assert "empty holds no audio" in caplog.text


def test_lists_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_BYTES", 1000)
    touch(tmp_path, "long")
    (tmp_path / "long").write_text("a.wav\n" * 200)
    for name in ("missing", "long", "."):
        with pytest.raises(DataError) as caught:
            expand([f"@{tmp_path / name}"])
        assert caught.value.code == "unreadable_list"


# --- the real corpora ------------------------------------------------------------------------------------------------


def test_the_real_manifests(real_data: Path) -> None:
    # Numbers of labels, clips and groups as the data's README states them.
    for name, labels, clips, groups in (
        ("esc10", 10, 400, 304),
        ("fsdd", 10, 3000, 6),
        ("lid", 8, 653, 74),
        ("music", 5, 158, 32),
    ):
        entries = read_corpus(real_data / name / "manifest.csv")
        found = (len({e.label for e in entries}), len(entries), len({e.group for e in entries}))
        assert found == (labels, clips, groups)
        assert all(entry.path.is_file() for entry in entries)


def test_the_real_folders(real_data: Path) -> None:
    entries = read_corpus(real_data / "esc10")
    assert len(entries) == 400
    listed = read_corpus(real_data / "esc10" / "manifest.csv")
    assert {entry.path for entry in entries} == {entry.path for entry in listed}
