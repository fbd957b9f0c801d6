"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gmmaudio.errors import DataError, StoreError
from gmmaudio.files import alone, printable, remove_leftovers, replacing, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    for data in (b"one", b"", bytes(range(256)) * 1000):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["model.bin"]


def test_the_usual_permissions_hold(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640  # 0666 without 027


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.bin"
    write_atomically(path, b"old")

    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.bin"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_atomically(path, b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from gmmaudio.files import write_atomically;"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL); write_atomically(Path(sys.argv[1]), b'new')"
    )
    found = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert found.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    [left, _] = names(tmp_path)
    assert left.startswith(".gmmaudio-")
    assert left.endswith(".tmp")


def test_a_file_written_in_parts_takes_its_name_at_the_end(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write(b"x")
        file.seek(0)
        file.write(b"y")
        assert "a" not in names(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"y"
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as file:
        file.write(bytes([1 // 0]))
    assert (tmp_path / "a").read_bytes() == b"y"
    assert names(tmp_path) == ["a"]


def test_leftovers_go_and_nothing_else(tmp_path: Path) -> None:
    for name in (".gmmaudio-1-ab.tmp", ".gmmaudio-999999-cd.tmp", "mine.tmp", ".gmmaudio-1-ab"):
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == 2
    assert names(tmp_path) == [".gmmaudio-1-ab", "mine.tmp"]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock):
        assert lock.read_text() == str(os.getpid())
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}") as caught, alone(lock):
            pytest.fail("two hold it")
        assert caught.value.code == "in_use"
    assert lock.read_bytes() == b""
    lock.write_text("999999999999999999999999")  # as a killed process leaves it
    with alone(lock):
        assert lock.read_text() == str(os.getpid())


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(DataError, match="No locks available") as caught, alone(tmp_path / "lock"):
        pytest.fail("it is not held")
    assert caught.value.code == "cannot_lock"


def test_no_folder_can_be_flushed_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")  # as on Windows
    write_atomically(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_targets_that_a_rename_would_destroy(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, code in (
        (tmp_path / "pipe", "not_regular_file"),
        (tmp_path, "not_regular_file"),
        (Path("/dev/null"), "not_regular_file"),
        (tmp_path / "no" / "a", "no_such_folder"),
    ):
        with pytest.raises(DataError) as caught:
            write_atomically(path, b"x")
        assert caught.value.code == code


def test_printable_text_is_left_alone_and_the_rest_is_escaped() -> None:
    assert printable(Path("über/日本/🎵 a.wav")) == "über/日本/🎵 a.wav"
    assert printable("a\x1b[31m\n\u202e\udcff") == "a\\x1b[31m\\n\\u202e\\udcff"
