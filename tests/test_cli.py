"""The command line as a user meets it: what it prints, where, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gmmaudio.classify.model_file import load
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import in_split, read_corpus

Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A process of its own, as a shell would start it."""
    command = [sys.executable, "-m", "gmmaudio", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label folders with the training clips of two labels."""
    top = tmp_path_factory.mktemp("labelled")
    for entry in in_split(read_corpus(corpus), "train"):
        if entry.label in ("arvi", "kesto"):
            (top / entry.label).mkdir(exist_ok=True)
            shutil.copy(entry.path, top / entry.label)
    return top


def test_train_evaluate_score(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "m.safetensors"
    assert (
        main(["train", str(corpus), "--split", "train", "--preset", "speech", "--components", "2", "-o", str(model)])
        == 0
    )
    table = capsys.readouterr().out
    assert "arvi" in table
    assert "only 24 s of sound" in table  # 3 speakers x 4 clips x 2 s
    assert main(["evaluate", str(model), str(corpus), "--split", "test", "--format", "json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["clips"] == 16
    assert figures["groups"] == 4
    low, high = figures["accuracy_interval"]
    assert 0 <= low <= figures["accuracy"] <= high <= 1
    assert low < high
    assert len(figures["confusion"]) == len(figures["labels"]) == 4
    assert {"path", "truth", "label"} <= set(figures["predictions"][0])
    assert figures["errors"] == []


def test_evaluation_refuses_the_training_clips(corpus: Path, model: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(model), str(corpus), "--split", "train"]) == 2
    assert "trained on 48 of the 48 clips" in capsys.readouterr().err
    assert main(["evaluate", str(model), str(corpus), "--split", "train", "--allow-leaks"]) == 0


def test_evaluation_warns_of_new_clips_of_trained_groups(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    rows = list(csv.DictReader(corpus.read_text().splitlines()))
    for name, kept in (("a", rows[::2]), ("b", rows[1::2])):  # other clips of the same speakers
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            table = csv.DictWriter(stream, ["path", "label", "group"], extrasaction="ignore")
            table.writeheader()
            table.writerows(kept)
    root, model = ["--root", str(corpus.parent)], str(tmp_path / "m.safetensors")
    flags = ["--preset", "speech", "--components", "1", "-o", model]
    assert main(["train", str(tmp_path / "a.csv"), *root, *flags]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, str(tmp_path / "b.csv"), *root]) == 0
    assert "LEAKED? the model was trained on groups of the same name as those of 32" in capsys.readouterr().out


def test_the_same_samples_under_two_labels_are_said(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    shutil.copy(next((spoiled / "arvi").iterdir()), spoiled / "kesto" / "again.wav")
    flags = ["-o", str(tmp_path / "m.safetensors"), "--components", "1", "--preset", "speech"]
    assert main(["train", str(spoiled), *flags]) == 0
    assert "the same samples stand under two labels" in capsys.readouterr().out


def test_training_refuses_a_split_that_divides_a_group(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    rows = list(csv.DictReader(corpus.read_text().splitlines()))
    rows[0]["split"] = "test" if rows[0]["split"] == "train" else "train"
    torn = tmp_path / "torn.csv"
    with torn.open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    flags = [
        "train",
        str(torn),
        "--root",
        str(corpus.parent),
        "--split",
        "train",
        "-o",
        str(tmp_path / "m.safetensors"),
    ]
    assert main(flags) == 2
    assert "stand on both sides" in capsys.readouterr().err
    assert main([*flags, "--allow-leaks", "--components", "1"]) == 0


def test_folder_in_model_out_clip_scored(folder: Path, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "m.safetensors"
    assert main(["train", str(folder), "-o", str(model), "--components", "2", "--preset", "speech"]) == 0
    capsys.readouterr()
    clips = [str(e.path) for e in in_split(read_corpus(corpus), "test") if e.label in ("arvi", "kesto")]
    assert main(["score", str(model), *clips, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["path"] for row in rows] == clips
    for row in rows:
        assert set(row) == {
            "path", "label", "unknown", "scores", "score_kind", "posteriors", "calibrated", "margin", "seconds",
            "voiced_seconds", "warnings",
        }  # fmt: skip
        assert row["score_kind"] == "loglik"
        assert row["calibrated"] is False
        assert row["label"] == max(row["scores"], key=row["scores"].get)
        assert sum(row["posteriors"].values()) == pytest.approx(1)
        assert row["seconds"] == pytest.approx(2.0)


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv"])
def test_every_format_says_the_same(form: str, corpus: Path, model: Path, tmp_path: Path, capsys: Capture) -> None:
    good = read_corpus(corpus)[0].path
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"")
    assert main(["score", str(model), str(good), str(bad), "--format", form]) == 3
    out, err = capsys.readouterr()
    assert "1 of 2 clips failed" in err
    if form == "text":
        assert "error empty_file" in out.splitlines()[1]
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert rows[0]["label"] in ("arvi", "belun", "kesto", "domar")
        assert (rows[1]["error"], rows[1]["error_hint"]) == ("empty_file", "copy or record it again")
        assert "bad.wav: the file has 0 bytes" in rows[1]["error_message"]
        assert rows[0]["error_message"] == rows[0]["error_hint"] == ""
    else:
        rows = json.loads(out) if form == "json" else [json.loads(line) for line in out.splitlines()]
        assert rows[1] == {"path": str(bad), "error": rows[1]["error"]}
        assert set(rows[1]["error"]) == {"code", "message", "hint"}


def test_exit_4_when_nothing_could_be_scored(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no")
    assert main(["score", str(model), str(tmp_path / "a.wav"), str(tmp_path / "missing.wav")]) == 4


def test_paths_may_be_a_folder_or_a_list(corpus: Path, model: Path, tmp_path: Path, capsys: Capture) -> None:
    paths = [str(entry.path) for entry in read_corpus(corpus)[:3]]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(paths) + "\n")
    assert main(["score", str(model), f"@{listed}", "--format", "jsonl"]) == 0
    assert [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()] == paths
    assert main(["score", str(model), str(corpus.parent / "arvi"), "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 16


def test_windows_among_and_priors(corpus: Path, model: Path, capsys: Capture) -> None:
    path = str(read_corpus(corpus)[0].path)
    flags = ["--window", "0.5", "--hop", "0.5", "--among", "arvi,kesto", "--format", "jsonl"]
    assert main(["score", str(model), path, *flags]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["start"], row["end"]) for row in rows] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]
    assert set(rows[0]["scores"]) == {"arvi", "kesto"}
    assert main(["score", str(model), path, "--prior", "arvi=0,belun=0,kesto=0", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "domar"
    assert main(["score", str(model), path, "--among", "arvi,kestoo"]) == 2
    assert "did you mean 'kesto'" in capsys.readouterr().err


def test_crossval_by_a_column_and_by_folds(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    flags = ["--preset", "speech", "--components", "1", "--format", "json"]
    assert main(["crossval", str(corpus), "--fold-by", "split", *flags, "--report", str(tmp_path / "r")]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["clips"] == 64
    assert set(figures["folds"]) == {"train", "test"}
    assert (tmp_path / "r" / "confusion.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((tmp_path / "r" / "evaluation.json").read_text()) == figures
    assert main(["crossval", str(corpus), "--folds", "2", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 64
    assert main(["crossval", str(corpus), "--fold-by", "splitt", *flags]) == 2
    assert "split" in capsys.readouterr().err
    assert main(["crossval", str(corpus), "--fold-by", "label", *flags]) == 2
    assert "[no_common_labels]" in capsys.readouterr().err


def test_compare_two_evaluations(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    names = []
    for count in ("1", "2"):
        assert main(["crossval", str(corpus), "--folds", "2", "--components", count, "--format", "json"]) == 0
        names.append(str(tmp_path / f"{count}.json"))
        Path(names[-1]).write_text(capsys.readouterr().out)
    assert main(["compare", *names]) == 0
    assert "McNemar's exact test" in capsys.readouterr().out
    assert main(["compare", names[0], names[0], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["distinguishable"] is False
    assert main(["compare", names[0], str(corpus)]) == 2


@pytest.mark.parametrize("method", ["map", "supervector"])
def test_the_further_methods_all_the_way(method: str, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    model = str(tmp_path / "model.safetensors")
    flags = ["--preset", "speech", "--split", "train", "--method", method, "--components", "8"]
    assert main(["train", str(corpus), *flags, "-o", model]) == 0
    told = capsys.readouterr().out
    assert "calibrated on" in told
    # Of each label one fold of three is held out, 4 clips: 16 unknown clips in all, and 20 are wanted.
    assert told.count("note: unknown at ") == told.count("note: unknown at any duration") == 1
    assert "no threshold of its own at about 1, 2 s: fewer than 20 clips of labels held out are that long" in told
    assert "all durations share one" in told
    test = [model, str(corpus), "--split", "test", "--format", "json"]
    assert main(["evaluate", *test, "--durations", "1,0.5"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] > 0.5, "four labels: chance is 0.25"
    assert [row["duration"] for row in figures["durations"]] == [1.0, 0.5]
    assert main(["score", model, str(corpus.parent), "--format", "jsonl", "--unknown", "never"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["score_kind"] for row in rows} == {"llr" if method == "map" else "logit"}
    assert all(row["calibrated"] and row["label"] for row in rows)
    assert main(["inspect", model, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["training"]["method"] == method


def test_unknown_is_answered_on_request(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    noise = tmp_path / "noise.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(24_000), 8000)
    model = str(tmp_path / "model.safetensors")
    flags = ["--preset", "speech", "--components", "8"]
    assert main(["train", str(corpus), *flags, "-o", model]) == 0
    # Clips of 2 s, and pieces of 1 s: a line for each, and the same of the model file.
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: unknown at ")]
    assert [line.split(" s (")[0] for line in told] == ["note: unknown at 1", "note: unknown at 2"]
    assert all("of labels held out" in line and "of known labels" in line for line in told)
    assert main(["inspect", model, "--format", "json"]) == 0
    kept = json.loads(capsys.readouterr().out)["unknown"]
    assert kept == load(model).gate.as_dict()  # type: ignore[union-attr]
    assert [level["seconds"] for level in kept["levels"]] == pytest.approx([1.0, 2.0], abs=0.05)
    assert main(["inspect", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("unknown")
    assert [line.replace(": ", " ", 1).strip() for line in lines[at + 1 : at + 3]] == [
        line.removeprefix("note: unknown at ") for line in told
    ]
    assert main(["score", model, str(noise), "--format", "jsonl", "--unknown", "always"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["label"], row["unknown"]) == (None, True)
    assert main(["train", str(corpus), "--no-calibration", "-o", model]) == 0
    assert main(["score", model, str(noise), "--unknown", "always"]) == 2


@pytest.mark.parametrize(("typed", "hint"), [("alwys", "did you mean 'always'?"), ("Never", "did you mean 'never'?")])
def test_a_mistyped_wish_is_told_the_nearest(typed: str, hint: str, model: Path, capsys: Capture) -> None:
    assert main(["score", str(model), "x.wav", "--unknown", typed]) == 2
    told = capsys.readouterr().err
    assert "[bad_flags]" in told
    assert hint in told


def test_no_label_may_be_called_unknown(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data").mkdir()
    for label, source in zip(("known", "unknown"), sorted(folder.iterdir()), strict=False):
        shutil.copytree(source, tmp_path / "data" / label)
    assert main(["train", str(tmp_path / "data"), "-o", str(tmp_path / "m.safetensors")]) == 2
    assert "reserved_label" in capsys.readouterr().err


def test_audit_finds_a_planted_copy(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", str(folder), "--format", "json"]) == 0
    assert not [item for item in json.loads(capsys.readouterr().out)["findings"] if item["severity"] == "serious"]
    twin = next(folder.rglob("*.wav"))
    (tmp_path / "other" / "twin").mkdir(parents=True)
    (tmp_path / "other" / "twin" / "renamed.wav").write_bytes(twin.read_bytes())
    assert main(["audit", str(folder), str(tmp_path / "other")]) == 2
    assert "renamed.wav" in capsys.readouterr().out


def test_train_by_fold_leaves_it_out(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    model = str(tmp_path / "m.safetensors")
    flags = ["--fold-by", "group", "--fold", "arvi-1"]
    assert main(["train", str(corpus), *flags, "-o", model, "--preset", "speech", "--components", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, str(corpus), *flags, "--format", "json"]) == 0
    assert {row["truth"] for row in json.loads(capsys.readouterr().out)["predictions"]} == {"arvi"}
    assert main(["evaluate", model, str(corpus), "--fold-by", "group", "--fold", "nobody"]) == 2


def test_bad_clips_among_good_ones_are_skipped_and_counted(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    (spoiled / "arvi" / "zero.wav").write_bytes(b"")
    (spoiled / "kesto" / "text.wav").write_text("hello")
    flags = ["-o", str(tmp_path / "m.safetensors"), "--components", "1", "--preset", "speech"]
    assert main(["train", str(spoiled), *flags]) == 3
    out, err = capsys.readouterr()
    assert "zero.wav" in err
    assert "text.wav" in err
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("arvi ", "kesto "))] == ["1", "1"]
    assert (tmp_path / "m.safetensors").exists()


def test_data_that_cannot_be_used(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    model = ["-o", str(tmp_path / "m.safetensors")]

    def status(data: Path, *flags: str) -> tuple[int, str]:
        found = main(["train", str(data), *model, "--preset", "speech", *flags])
        return found, capsys.readouterr().err

    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(next((folder / "arvi").iterdir()), flat)
    one = tmp_path / "one"
    shutil.copytree(folder / "arvi", one / "arvi")
    hollow = tmp_path / "hollow"
    shutil.copytree(folder, hollow)
    (hollow / "belun").mkdir()
    silent = tmp_path / "silent"
    shutil.copytree(folder, silent)
    (silent / "belun").mkdir()
    (silent / "belun" / "a.wav").write_bytes(b"")
    for data in (flat, one, hollow, silent, tmp_path / "nowhere"):
        code, words = status(data)
        assert code == 2, data
        assert "hint" in words, data
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty is empty [no_clips]" in status(empty)[1]
    code, words = status(folder, "--components", "100000")
    assert (code, "'arvi'" in words and "100000 components" in words) == (2, True)
    assert not (tmp_path / "m.safetensors").exists()


def test_manifests_that_cannot_be_used(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    clip = next((corpus.parent / "arvi").iterdir())
    for name, text, words in (
        ("column", "path,lable\na.wav,x\n", "label"),
        ("two", f"path,label\n{clip},x\n{clip},y\n", "line"),
        ("leaves", "path,label\n../a.wav,x\n", "root"),
        ("header", "path,label\n", "add a row for each clip"),
    ):
        manifest = tmp_path / f"{name}.csv"
        manifest.write_text(text)
        flags = ["--root", "/"] if name == "two" else []
        assert main(["train", str(manifest), "-o", str(tmp_path / "m.safetensors"), *flags]) == 5
        assert words in capsys.readouterr().err


def test_a_model_that_is_not_one(corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(b"\x80\x04pickle")
    assert main(["score", str(fake), str(corpus)]) == 5
    assert "not_a_gmmaudio_model" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "none.safetensors"), str(corpus)]) == 5


def test_inspect_a_model_and_a_clip(model: Path, corpus: Path, capsys: Capture) -> None:
    assert main(["inspect", str(model), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["labels"] == ["arvi", "belun", "domar", "kesto"]
    assert facts["training_clips"] == 48
    assert main(["inspect", str(read_corpus(corpus)[0].path)]) == 0
    assert "rate: 16000" in capsys.readouterr().out


def test_inspect_draws_a_clip(model: Path, corpus: Path, tmp_path: Path, capsys: Capture) -> None:
    clip, picture = str(read_corpus(corpus)[0].path), tmp_path / "clip.png"
    assert main(["inspect", clip, "--plot", str(picture), "--preset", "speech"]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "voiced_seconds" in capsys.readouterr().out
    assert main(["inspect", clip, "--plot", str(tmp_path / "clip.txt")]) == 2
    assert main(["inspect", str(model), "--plot", str(tmp_path / "model.svg")]) == 0
    assert "<svg" in (tmp_path / "model.svg").read_text("utf-8")
    assert "training_clips" in capsys.readouterr().out


def test_report_holds_the_command_the_model_and_the_sounds(model: Path, corpus: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(model), str(corpus), "--split", "test", "--report", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "The command" in page
    assert "training clips" in page
    wrong = page.count(" instead of ")
    assert page.count("<audio") == wrong


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["train", "x"],
        ["score"],
        ["train", "x", "-o", "y", "--components", "0"],
        ["score", "m", "p", "--top", "0"],
        ["features", "x"],
    ],
)
def test_wrong_flags_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_an_internal_error_is_one_line_and_exit_1(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gmmaudio.classify.describe.describe", lambda *_: 1 / 0)
    assert main(["inspect", "x.wav"]) == 1
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gmmaudio.classify.describe.describe", interrupt)
    assert main(["inspect", "x.wav"]) == 130


def test_a_closed_pipe_is_quiet(corpus: Path, model: Path) -> None:
    command = f"{sys.executable} -m gmmaudio score {model} {corpus.parent} --format jsonl --jobs 1 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout)["label"]


def test_names_of_any_kind(corpus: Path, model: Path, tmp_path: Path) -> None:
    clip = read_corpus(corpus)[0].path
    for name in ("-dash.wav", "new\nline.wav", "sm😀ile.wav", b"latin\xe9.wav"):
        target = tmp_path / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        shutil.copy(clip, target)
    done = run("score", model, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    rows = run("score", model, "--format", "json", "--", tmp_path / "-dash.wav")
    assert json.loads(rows.stdout)[0]["path"].endswith("-dash.wav")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gmmaudio.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.splitlines()[-1]
    for name in ("numpy", "scipy", "sklearn", "librosa", "matplotlib", "soundfile", "joblib", "tqdm", "threadpoolctl"):
        assert f"'{name}'" not in loaded


def test_scoring_a_clip_imports_no_learning_code(corpus: Path, model: Path) -> None:
    clip = read_corpus(corpus)[0].path
    code = (
        f"import sys; from gmmaudio.cli import main; main(['score', {str(model)!r}, {str(clip)!r}])\n"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.splitlines()[-1]
    for name in ("librosa", "sklearn", "matplotlib", "joblib", "scipy.signal", "gmmaudio.gmm.em"):
        assert f"'{name}'" not in loaded, name


def test_the_demo(tmp_path: Path, capsys: Capture) -> None:
    assert main(["demo", str(tmp_path / "demo"), "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    assert "invented" in out
    assert "$ gmmaudio train" in out
    assert "$ gmmaudio evaluate" in out
    assert "$ gmmaudio score" in out
    accuracy = float(re.search(r"accuracy +([0-9.]+) %", out)[1])  # type: ignore[index]
    # 32 clips of speakers that training has not heard; guessing gets 20 of them right with probability 1e-5.
    assert accuracy >= 62.5
