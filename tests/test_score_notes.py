"""Notes on a scoring run as a whole: each is said once, only where it is true, and not with --quiet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gmmaudio.classify.gate import Gate, Level
from gmmaudio.classify.model_file import save
from gmmaudio.classify.train import Trained
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import in_split, read_corpus

Capture = pytest.CaptureFixture[str]

# Of clips of known labels 30 % are refused at 1 s, and 2 % at 60 s: gates may refuse 10 % unasked.
UNBEARABLE = Level(1.0, 100, 1.5, 0.06, 0.03, 0.1, 0.3, 0.2, 0.4, 400, 1500)
BEARABLE = Level(60.0, 6400, 4.5, 0.05, 0.02, 0.09, 0.02, 0.01, 0.05, 200, 500)


@pytest.fixture(scope="module")
def clips(corpus: Path) -> list[str]:
    """Two clips of 2 s."""
    return [str(entry.path) for entry in in_split(read_corpus(corpus), "test")[:2]]


def told(capsys: Capture, *arguments: str) -> str:
    """The standard error of a scoring run that succeeds."""
    capsys.readouterr()
    assert main(["score", *arguments]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("levels", "flags", "notes"),
    [
        ((UNBEARABLE,), [], 1),
        ((UNBEARABLE, replace(UNBEARABLE, frames=6400)), [], 1),
        ((UNBEARABLE,), ["--window", "1"], 1),
        ((UNBEARABLE, BEARABLE), [], 0),
        ((UNBEARABLE,), ["--unknown", "always"], 0),
        ((UNBEARABLE,), ["--unknown", "never"], 0),
        ((UNBEARABLE,), ["--quiet"], 0),
    ],
)
def test_a_model_that_never_answers_unknown_by_itself(
    levels: tuple[Level, ...],
    flags: list[str],
    notes: int,
    trained: Trained,
    clips: list[str],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    model = tmp_path / "m.safetensors"
    save(replace(trained.classifier, gate=Gate(0.05, levels)), model)
    assert told(capsys, str(model), *clips, *flags).count("--unknown always") == notes


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--prior", "arvi=0.9,kesto=0.1"], "--prior leaves out belun, domar: each of these counts 1; --among"),
        (["--prior", "arvi=0.9,kesto=0.1", "--among", "arvi,kesto,domar"], "leaves out domar: each"),
        (["--prior", "arvi=0.9,kesto=0.1", "--among", "arvi,kesto"], ""),
        (["--prior", "arvi=4,kesto=3,belun=2,domar=1"], ""),
        (["--prior", "arvi=0.9,kesto=0.1", "--quiet"], ""),
        (["--among", "arvi,kesto"], ""),
        (
            ["--among", "arvi,kesto", "--prior", "arvi=1,kesto=3,domar=4"],
            "--prior has domar, which --among does without",
        ),
    ],
)
def test_labels_that_a_prior_leaves_out(
    flags: list[str], said: str, model: Path, clips: list[str], capsys: Capture
) -> None:
    err = told(capsys, str(model), *clips, *flags)
    assert err.count("--prior") == bool(said)
    assert said in err


def test_two_weights_for_one_label_are_refused(model: Path, clips: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["score", str(model), *clips, "--prior", "arvi=1,kesto=3,arvi=2"])
    assert caught.value.code == 2
    assert "'arvi' is given more than one weight" in capsys.readouterr().err


def test_a_name_that_is_no_label_leaves_no_half_written_table(model: Path, clips: list[str], capsys: Capture) -> None:
    assert main(["score", str(model), *clips, "--prior", "oslo=1", "--format", "csv"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "note:" not in err


def test_nor_does_a_window_that_holds_no_frame(model: Path, clips: list[str], capsys: Capture) -> None:
    assert main(["score", str(model), *clips, "--window", "0.0001", "--format", "csv"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--window", "500"], "2 of 2 recordings are shorter than the window of 500 s, and decided whole"),
        (["--window", "2"], ""),  # just as long
        (["--window", "1.5"], ""),  # the rest of 0.5 s goes with it
        (["--window", "0.5", "--hop", "0.8"], "windows of 0.5 s every 0.8 s: the 0.3 s between them are never heard"),
        (["--window", "0.5", "--hop", "0.5"], ""),
        (["--window", "500", "--hop", "600", "--quiet"], ""),
    ],
)
def test_windows_that_are_too_long_or_lie_apart(
    flags: list[str], said: str, model: Path, clips: list[str], capsys: Capture
) -> None:
    err = told(capsys, str(model), *clips, *flags)
    assert [line.removeprefix("note: ") for line in err.splitlines() if "window" in line] == ([said] if said else [])


def test_one_recording_shorter_than_the_window(model: Path, clips: list[str], capsys: Capture) -> None:
    err = told(capsys, str(model), clips[0], "--window", "3", "--format", "jsonl")
    assert err == "note: the recording is shorter than the window of 3 s, and decided whole\n"


def test_a_folder_without_audio_is_told_what_audio_is(model: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["score", str(model), str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "[no_clips]" in err
    assert "hint: give files, or folders that hold some" in err
    assert ".wav" in err
