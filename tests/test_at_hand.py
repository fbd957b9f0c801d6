"""What a report tells beside the figures: the audit, and only those sounds that were scored.

A feature store names its clips and may come from anybody: whatever it names, nothing else is opened or played.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gmmaudio.cli import main
from gmmaudio.corpus import audio
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.evaluate.worst import below
from tests.test_store import renamed

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def swapped(corpus: Path, tmp_path: Path) -> Path:
    """Two clips under each other's labels, so that both are errors: a folder of theirs, with a manifest."""
    clips = {entry.label: entry.path for entry in read_corpus(corpus)}
    one, two = list(clips)[:2]
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(clips[one], folder / "one.wav")
    shutil.copy(clips[two], folder / "two.wav")
    (folder / "all.csv").write_text(f"path,label,group\none.wav,{two},x\ntwo.wav,{one},y\n")
    return folder


@pytest.fixture
def store(swapped: Path, tmp_path: Path) -> Path:
    assert main(["features", str(swapped / "all.csv"), "-o", str(tmp_path / "store"), "--preset", "speech"]) == 0
    return tmp_path / "store"


def page(model: Path, data: Path, *flags: str) -> str:
    report = data.parent / "report"
    assert main(["evaluate", str(model), str(data), "--allow-leaks", "--report", str(report), *flags]) == 0
    return (report / "report.html").read_text("utf-8")


def test_a_store_s_clips_are_played_where_the_user_says_they_are(model: Path, store: Path, swapped: Path) -> None:
    assert page(model, store, "--root", str(swapped)).count("<audio") == 2
    assert page(model, store, "--root", str(swapped), "--isolate").count("<audio") == 2


def test_without_a_root_no_file_is_opened(
    model: Path, store: Path, swapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(swapped)  # where the very files lie
    monkeypatch.setattr(audio, "_read", lambda *_: pytest.fail("a file was opened"))
    told = page(model, store)
    assert told.count("<audio") == 0
    assert told.count("No sound: the sound is not at hand") == 2


def test_another_file_of_the_same_name_is_not_played(model: Path, store: Path, swapped: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(32000)
    soundfile.write(swapped / "one.wav", noise, 16000)
    for more in ([], ["--isolate"]):
        told = page(model, store, "--root", str(swapped), *more)
        assert told.count("<audio") == 1
        assert told.count("holds other samples than were scored") == 1


@pytest.mark.parametrize("name", ["{secret}", "../{name}", "sub/../../{name}", "link.wav", "linked/{name}"])
def test_a_hostile_store_leads_nowhere(name: str, model: Path, store: Path, swapped: Path) -> None:
    """The samples are right, so that only where the file lies can keep it from being played."""
    secret = swapped.parent / "secret.wav"
    shutil.copy(swapped / "one.wav", secret)
    (swapped / "link.wav").symlink_to(secret)
    (swapped / "linked").symlink_to(swapped.parent)
    (swapped / "sub").mkdir()
    hostile = name.format(secret=secret, name=secret.name)

    def change(clip: dict[str, Any]) -> None:
        clip["path"] = hostile if clip["path"] == "one.wav" else clip["path"]

    renamed(store, change)
    told = page(model, store, "--root", str(swapped))
    assert told.count("<audio") == 1  # two.wav
    assert told.count("the sound is not at hand") == 1


def test_a_link_that_is_put_there_after_the_check_leads_nowhere_else(swapped: Path, tmp_path: Path) -> None:
    (swapped / "link.wav").symlink_to(swapped / "one.wav")
    [entry] = below([Entry(Path("link.wav"), "dog")], swapped)
    (swapped / "link.wav").unlink()
    (swapped / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert entry.path.samefile(swapped / "one.wav")
    assert entry.name == "link.wav"


def test_the_report_says_what_the_audit_says(swapped: Path, tmp_path: Path, capsys: Capture) -> None:
    for label in ("one", "two"):
        samples, rate = soundfile.read(swapped / f"{label}.wav")
        soundfile.write(swapped / f"{label}-soft.wav", samples / 4, rate)
    rows = "path,label,group\none.wav,a,x\ntwo.wav,b,y\none-soft.wav,a,z\ntwo-soft.wav,b,w\n"
    (swapped / "all.csv").write_text(rows)
    main(["audit", str(swapped / "all.csv"), "--format", "json"])
    expected = [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]]
    assert "near_copies_across_group" in expected
    flags = ["--folds", "2", "--preset", "speech", "--components", "1", "--report", str(tmp_path / "report")]
    assert main(["crossval", str(swapped / "all.csv"), *flags]) == 0
    told = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert [code for code in expected if f'data-code="{code}"' not in told] == []
    assert told.count("data-code=") == len(expected)


def test_the_report_of_a_store_says_what_was_not_looked_for(model: Path, store: Path) -> None:
    told = page(model, store)
    assert 'data-code="sound_not_at_hand"' in told
    assert "gmmaudio audit DATA" in told


def test_audit_of_a_store_knows_groups_and_exact_copies(swapped: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.copy(swapped / "one.wav", swapped / "again.wav")
    rows = "path,label,group,fold\none.wav,a,x,1\nagain.wav,a,x,2\ntwo.wav,b,y,1\n"
    (swapped / "all.csv").write_text(rows)
    folder = str(tmp_path / "store")
    assert main(["features", str(swapped / "all.csv"), "-o", folder, "--preset", "speech"]) == 0
    capsys.readouterr()
    assert main(["audit", folder, "--format", "json"]) == 2
    found = {one["code"]: one["clips"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["exact_copies_across_fold"] == [["one.wav", "again.wav"]]
    assert found["groups_across_fold"] == [["one.wav", "again.wav"]]
    assert {"one_group_class", "sound_not_at_hand"} <= set(found)
    assert main(["audit", str(swapped / "all.csv"), folder]) == 2
    assert "name the corpora themselves" in capsys.readouterr().err


def test_audit_and_inspect_decode_elsewhere_if_asked(
    swapped: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = [
        ["audit", str(swapped / "all.csv"), "--format", "json"],
        ["inspect", str(swapped / "one.wav"), "--format", "json", "--plot", str(tmp_path / "clip.png")],
    ]
    for command in commands:
        status = main(command)
        plain = capsys.readouterr().out
        with monkeypatch.context() as patch:
            patch.setattr(audio, "open_recording", lambda *_: pytest.fail("decoded in this process"))
            assert main([*command, "--isolate"]) == status
        assert capsys.readouterr().out == plain


def test_durations_stand_in_every_file_of_the_report(
    model: Path, swapped: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ["evaluate", str(model), str(swapped / "all.csv"), "--allow-leaks", "--durations", "2,1,9"]
    command += ["--report", str(tmp_path / "report")]
    for form, name in (("json", "evaluation.json"), ("text", "evaluation.txt")):
        assert main([*command, "--format", form]) == 0
        assert (tmp_path / "report" / name).read_text("utf-8") == capsys.readouterr().out
    found = json.loads((tmp_path / "report" / "evaluation.json").read_text("utf-8"))
    assert [row["duration"] for row in found["durations"]] == [2.0, 1.0]
    assert found["too_long"] == [9.0]
