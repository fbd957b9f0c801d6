"""Labels and voices that cannot be used as they are, through the command line: what is said, and what still works.

A label of one voice; names that are no label of the model; clips shorter than calibration ever saw; a label "unknown".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from gmmaudio.classify.model_file import load
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.errors import DataError
from gmmaudio.estimators import AudioClassifier

Capture = pytest.CaptureFixture[str]
Row = dict[str, str]

FLAGS = ["--preset", "speech", "--components", "1"]


def manifest(corpus: Path, path: Path, change: Callable[[Row], Row | None]) -> str:
    """The corpus' table with its rows changed, or left out."""
    rows = [row for row in map(change, csv.DictReader(corpus.read_text().splitlines())) if row]
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return str(path)


@pytest.fixture(scope="module")
def calibrated(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("calibrated") / "m.safetensors")
    assert main(["train", str(corpus), "--split", "train", *FLAGS, "-o", path]) == 0
    assert load(Path(path)).calibration is not None
    return path


# --- a label of one voice -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lonely(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that trains on a corpus where kesto has one voice, three clips of it; and the model."""
    folder = tmp_path_factory.mktemp("lonely")
    data = manifest(
        corpus, folder / "one.csv", lambda row: None if row["label"] == "kesto" and row["group"] != "kesto-1" else row
    )
    return ["train", data, "--root", str(corpus.parent), *FLAGS, "-o", str(folder / "m.safetensors")]


@pytest.mark.parametrize("method", ["ml", "map", "supervector"])
def test_a_label_of_one_voice_is_said_and_trained_on_but_not_calibrated(
    method: str, lonely: list[str], corpus: Path, capsys: Capture
) -> None:
    assert main([*lonely, "--method", method]) == 0
    told = capsys.readouterr().out
    assert "note: posteriors are not calibrated, and nothing is answered unknown: all clips of 'kesto'" in told
    assert "they are one group" in told
    assert "note: kesto: all clips are of one group: the model may learn the group, not the label" in told
    model, clip = lonely[-1], str(in_split(read_corpus(corpus), "test")[0].path)
    assert main(["score", model, clip, "--format", "jsonl"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["calibrated"] is False
    assert set(row["posteriors"]) == {"arvi", "belun", "domar", "kesto"}
    assert main(["score", model, clip]) == 0
    assert "the posteriors are not calibrated" in capsys.readouterr().err
    assert main(["score", model, clip, "--unknown", "always"]) == 2
    assert "[no_gate]" in capsys.readouterr().err


def test_figures_of_such_a_model_are_marked(lonely: list[str], corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(lonely) == 0
    fresh = manifest(
        corpus,
        tmp_path / "test.csv",
        lambda row: row if row["label"] == "kesto" and row["group"] != "kesto-1" else None,
    )
    other = manifest(corpus, tmp_path / "again.csv", lambda row: row)
    capsys.readouterr()
    flags = ["--root", str(corpus.parent), "--allow-leaks"]
    assert main(["evaluate", lonely[-1], fresh, *flags, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["calibrated"] is False
    assert main(["evaluate", lonely[-1], other, *flags]) == 0
    assert "; posteriors not calibrated" in capsys.readouterr().out


# --- names that are no label ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "nearest"),
    [
        (["--among", "arvi,kestoo"], "did you mean 'kesto'?"),
        (["--among", "Arvi"], "did you mean 'arvi'?"),
        (["--prior", "dommar=0.5"], "did you mean 'domar'?"),
        (["--among", "belun,xyzzy"], ""),
        (["--among", "unknown"], ""),
        (["--among", ""], ""),
    ],
)
@pytest.mark.parametrize("window", [[], ["--window", "1"]])
def test_a_name_that_is_no_label(
    flags: list[str], nearest: str, window: list[str], calibrated: str, corpus: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    assert main(["score", calibrated, str(read_corpus(corpus)[0].path), *flags, *window]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "[unknown_label]" in err
    assert "it has arvi, belun, domar, kesto" in err
    assert nearest in err
    assert ("did you mean" in err) == bool(nearest)


# --- shorter than calibration ever saw ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    samples, rate = soundfile.read(in_split(read_corpus(corpus), "test")[0].path)
    path = tmp_path_factory.mktemp("short") / "short.wav"
    soundfile.write(path, samples[: rate // 5], rate)
    return str(path)


def test_a_short_clip_is_warned_of_by_itself(calibrated: str, short: str, corpus: Path, capsys: Capture) -> None:
    long = str(in_split(read_corpus(corpus), "test")[0].path)
    capsys.readouterr()
    assert main(["score", calibrated, short, long, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[warning["code"] for warning in row["warnings"]] for row in rows] == [["shorter_than_calibrated"], []]
    assert rows[0]["label"]
    message = rows[0]["warnings"][0]["message"]
    # Training clips of 2 s are also cut to 1 s: calibration saw pieces of a second, no shorter.
    least = float(message.split("below ")[1].split(" s")[0])
    assert least == pytest.approx(1.0, abs=0.15)
    assert message.endswith("trust posteriors less")


@pytest.mark.parametrize("form", ["text", "csv"])
def test_the_warning_is_in_every_format(form: str, calibrated: str, short: str, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["score", calibrated, short, "--format", form]) == 0
    assert "shorter_than_calibrated" in capsys.readouterr().out.splitlines()[-1]


def test_a_short_window_is_warned_of(calibrated: str, corpus: Path, capsys: Capture) -> None:
    capsys.readouterr()
    flags = ["--window", "0.4", "--format", "jsonl"]
    assert main(["score", calibrated, str(in_split(read_corpus(corpus), "test")[0].path), *flags]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 5
    assert all("shorter_than_calibrated" in [warning["code"] for warning in row["warnings"]] for row in rows)


# --- a label called unknown -----------------------------------------------------------------------------------------


def named_unknown(corpus: Path, path: Path) -> list[str]:
    data = manifest(corpus, path, lambda row: row | {"label": "unknown"} if row["label"] == "kesto" else row)
    return [data, "--root", str(corpus.parent)]


@pytest.mark.parametrize("method", ["ml", "map", "supervector"])
def test_training_refuses_a_label_called_unknown(method: str, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "m.safetensors"
    flags = [*FLAGS, "--method", method, "-o", str(model)]
    assert main(["train", *named_unknown(corpus, tmp_path / "u.csv"), *flags]) == 2
    err = capsys.readouterr().err
    assert "[reserved_label]" in err
    assert "leave these clips out" in err
    assert not model.exists()


def test_cross_validation_and_one_class_refuse_it_too(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["crossval", *named_unknown(corpus, tmp_path / "u.csv"), "--folds", "2", *FLAGS]) == 2
    assert "[reserved_label]" in capsys.readouterr().err
    only = manifest(
        corpus, tmp_path / "o.csv", lambda row: row | {"label": "unknown"} if row["label"] == "arvi" else None
    )
    flags = [
        "--root",
        str(corpus.parent),
        "--one-class",
        "--false-alarms",
        "0.1",
        *FLAGS,
        "-o",
        str(tmp_path / "m.safetensors"),
    ]
    assert main(["train", only, *flags]) == 2
    assert "[reserved_label]" in capsys.readouterr().err


def test_the_estimator_refuses_it_too(corpus: Path) -> None:
    entries = in_split(read_corpus(corpus), "train")[:24]
    labels = ["unknown" if entry.label == "arvi" else entry.label for entry in entries]
    with pytest.raises(DataError) as caught:
        AudioClassifier(preset="speech", components=1).fit([str(entry.path) for entry in entries], labels)
    assert caught.value.code == "reserved_label"


def test_unknown_rows_of_another_split_do_not_disturb_training(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    data = manifest(
        corpus, tmp_path / "u.csv",
        lambda row: row | {"label": "unknown"} if row["label"] == "kesto" and row["split"] == "test" else row,
    )  # fmt: skip
    both, model = [data, "--root", str(corpus.parent)], str(tmp_path / "m.safetensors")
    assert main(["train", *both, "--split", "train", *FLAGS, "-o", model]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, *both, "--split", "test", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], found["open_set"]["unknown"]) == (12, 4)
