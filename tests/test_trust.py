"""Figures one can trust, through the command line: truth stays truth on every way out, and what leaks is refused.

Three buzzes of different pitch are learned as ant, bee and cat. The clips tested sound as they sound, whatever their
manifest says: so each answer is known, and every expected value is worked by hand.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from gmmaudio.cli import main
from tests.test_heldout import tone
from tests.test_report import rows_of
from tests.test_sure_figure import jackknife

Capture = pytest.CaptureFixture[str]

HERTZ = {"ant": 300, "bee": 1000, "cat": 2500}

#            ant  bee  cat
#   ant        3    1    2     recall 3/6   precision 3/5   F1 6/11
#   bee        2    1    .     recall 1/3   precision 1/5   F1 2/8
#   cat        .    3    1     recall 1/4   precision 1/3   F1 2/7
CONFUSION = [[3, 1, 2], [2, 1, 0], [0, 3, 1]]
LABELS = ["ant", "bee", "cat"]
FLAGS = ["--components", "1"]


def write_clips(folder: Path, name: str, rows: list[tuple[str, str, str, str]]) -> Path:
    """A manifest of clips: truth, sound, group and fold of each."""
    with (folder / name).open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "label", "group", "fold"])
        for i, (truth, sound, group, fold) in enumerate(rows):
            seed = sum(map(ord, name)) + 100 * i  # no two clips are the same samples
            path = tone(folder / f"{name}-{i}.wav", HERTZ[sound], seed)
            table.writerow([path.name, truth, group, fold])
    return folder / name


def confused() -> list[tuple[str, str, str, str]]:
    """Clips that make ``CONFUSION``, in groups x, y and z."""
    pairs = [(t, s) for t, row in zip(LABELS, CONFUSION, strict=True) for s, n in zip(LABELS, row, strict=True)
             for _ in range(n)]  # fmt: skip
    return [(truth, sound, "xyz"[i % 3], "2") for i, (truth, sound) in enumerate(pairs)]


PURE = [(label, label, f"{label}{i}", "1") for label in LABELS for i in range(2)]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, train.csv and test.csv."""
    folder = tmp_path_factory.mktemp("trust")
    write_clips(folder, "test.csv", confused())
    train = write_clips(folder, "train.csv", PURE)
    flags = ["-o", str(folder / "m.safetensors"), "--no-calibration", *FLAGS]
    assert main(["train", str(train), *flags]) == 0
    return folder


@pytest.fixture(scope="module")
def report(setting: Path) -> Path:
    """The report of the model's evaluation."""
    arguments = ["evaluate", str(setting / "m.safetensors"), str(setting / "test.csv"), "--durations", "0.4"]
    assert main([*arguments, "--report", str(setting / "report")]) == 0
    return setting / "report"


def per_class(row: dict[str, dict[str, float]]) -> list[list[float]]:
    return [[row[label][name] for name in ("precision", "recall", "f1")] for label in LABELS]


def mean_recall(rows: list[tuple[str, str, str, str]]) -> float:
    """By counting."""
    clips, hits = (Counter(truth for truth, answer, *_ in rows if every or truth == answer) for every in (True, False))
    return sum(hits[label] / clips[label] for label in clips) / len(clips)


BY_HAND = [[3 / 5, 3 / 6, 6 / 11], [1 / 5, 1 / 3, 2 / 8], [1 / 3, 1 / 4, 2 / 7]]


def test_json_keeps_truth_and_answer_apart(report: Path) -> None:
    found = json.loads((report / "evaluation.json").read_text())
    assert found["confusion"] == CONFUSION
    assert per_class(found["per_class"]) == pytest.approx(np.array(BY_HAND))
    assert found["accuracy"] == 5 / 13
    assert found["balanced_accuracy"] == pytest.approx((3 / 6 + 1 / 3 + 1 / 4) / 3)
    assert found["balanced_accuracy_interval"] == pytest.approx(jackknife(
        [mean_recall([row for row in confused() if row[2] != group]) for group in "xyz"], mean_recall(confused())
    ))  # fmt: skip
    assert [(row["truth"], row["label"]) for row in found["predictions"]] == [(t, s) for t, s, _, _ in confused()]
    # Misses 3/6, 2/3, 3/4; false alarms of ant 2/3 and 0, of bee 1/6 and 3/4, of cat 2/6 and 0, by class.
    cavg = [(1 / 2 + 1 / 3) / 2, (2 / 3 + 11 / 24) / 2, (3 / 4 + 1 / 6) / 2]
    assert found["cavg"] == pytest.approx(sum(cavg) / 3)
    assert found["calibration_error"] == pytest.approx(8 / 13, abs=1e-6)  # sure each time, right five times
    for label, row in found["per_class"].items():
        i = LABELS.index(label)
        assert (row["recall_clips"], row["precision_clips"]) == (sum(CONFUSION[i]), sum(r[i] for r in CONFUSION))


def test_text_keeps_truth_and_answer_apart(report: Path) -> None:
    lines = (report / "evaluation.txt").read_text().splitlines()
    assert lines[0].startswith("accuracy           38.5 %  (95 %")
    assert lines[1].startswith("balanced accuracy  36.1 %  (95 %")
    table = {line.split()[0]: line for line in lines[lines.index("") : lines.index("") + 5] if line}
    ends = {"ant": ("6/3", "5/3"), "bee": ("3/3", "5/3"), "cat": ("4/3", "3/3")}
    for label, row in zip(LABELS, BY_HAND, strict=True):
        assert tuple(table[label].split()[1:3]) == ends[label]
        shares = re.findall(r"([\d.]+) \(", table[label])
        assert shares == [f"{100 * share:.1f}" for share in row]
    at = next(n for n, line in enumerate(lines) if line.startswith("confusion"))
    assert [line.split()[1:] for line in lines[at + 2 : at + 5]] == [["3", "1", "2"], ["2", "1", "."], [".", "3", "1"]]


def test_page_keeps_truth_and_answer_apart(report: Path) -> None:
    page = (report / "report.html").read_text()
    matrix = rows_of(page, "confusion")
    assert [[cell.replace("·", "0") for cell in row[1:4]] for row in matrix] == [list(map(str, r)) for r in CONFUSION]
    for row, shares in zip(matrix, BY_HAND, strict=True):
        assert row[4].startswith(f"{100 * shares[1]:.1f} (")
    for row, shares in zip(rows_of(page, "sortable"), BY_HAND, strict=True):
        assert [cell.split()[0] for cell in row[4:7]] == [f"{100 * share:.1f}" for share in shares]
    assert [row[1:3] for row in rows_of(page, "sortable")] == [
        ["6 / 3", "5 / 3"],
        ["3 / 3", "5 / 3"],
        ["4 / 3", "3 / 3"],
    ]
    errors = [(row[1], row[2]) for row in rows_of(page.split("<details>")[1], "sortable")]
    assert errors == [(t, s) for t, s, _, _ in confused() if t != s]
    said = re.findall(r"<b>(\w+)</b> instead of <strong>(\w+)</strong>", page)
    assert sorted((truth, answer) for answer, truth in said) == sorted(errors)
    shades = re.findall(r'class="(right|wrong)[^"]*" style="--s:([\d.]+)" title="(\d) of (\d) clips"', page)
    assert [(kind, float(share), n, of) for kind, share, n, of in shades] == [
        ("right" if i == j else "wrong", round(n / sum(row), 3), str(n), str(sum(row)))
        for i, row in enumerate(CONFUSION) for j, n in enumerate(row) if n
    ]  # fmt: skip


def test_page_keeps_right_and_wrong_apart(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert re.findall(r"<b>([\d.]+ %)</b>", page)[:2] == ["38.5 %", "36.1 %"]  # accuracy 5/13, then balanced
    for legend in ("right (5)", "wrong (8)", "clips of the label (13)", "others (26)"):  # 13 clips, each with 3 labels
        assert legend in page
    assert "13 answers, confidence 100 %, right 38 %" in page
    assert "off by 61.5 %" in page  # sure each time: 1 - 5/13
    assert "Rows are the truth, columns the answer" in page
    heads = re.findall(r'<button type="button">([^<]*)</button>', page)
    assert heads[:8] == ["class", "clips", "answers", "minutes", "precision, %", "recall, %", "F1, %", "AUC"]
    assert [heads[i : i + 4] for i in range(len(heads)) if heads[i] == "clip"] == [["clip", "truth", "answer", "group"]]


def test_picture_keeps_truth_and_answer_apart(report: Path) -> None:
    # The white cells are where nothing was taken for anything: truth bee as cat, truth cat as ant.
    pixels = matplotlib.image.imread(report / "confusion.png")[..., :3]
    coloured = (pixels.max(axis=2) - pixels.min(axis=2)) > 0.05
    rows, columns = np.flatnonzero(coloured.any(axis=1)), np.flatnonzero(coloured.any(axis=0))
    top, left = rows[0], columns[0]
    side = (rows[-1] - top + 1) / 3
    seen = [[bool(coloured[int(top + (i + 0.2) * side), int(left + (j + 0.2) * side)]) for j in range(3)]
            for i in range(3)]  # fmt: skip
    assert seen == [[n > 0 for n in row] for row in CONFUSION]


def test_durations_keep_truth_and_answer_apart(setting: Path, capsys: Capture) -> None:
    model, test = str(setting / "m.safetensors"), str(setting / "test.csv")
    assert main(["evaluate", model, test, "--durations", "0.4", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["durations"]
    assert found["confusion"] == CONFUSION  # half a second makes one piece of 0.4 s
    assert found["identification_error"] == pytest.approx(8 / 13)


def test_folds_keep_truth_and_answer_apart(tmp_path: Path, capsys: Capture) -> None:
    data = write_clips(tmp_path, "all.csv", [*PURE, *confused()])
    assert main(["crossval", str(data), "--fold-by", "fold", *FLAGS, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    held_out = [(row["truth"], row["label"]) for row in found["predictions"][len(PURE) :]]
    assert held_out == [(t, s) for t, s, _, _ in confused()]  # fold 2, by what fold 1 taught
    assert found["folds"]["2"] == 5 / 13
    rows = {row["fold"]: row for row in found["fold_figures"]}
    assert (rows["2"]["accuracy"], rows["2"]["accuracy_clips"], rows["2"]["accuracy_groups"]) == (5 / 13, 13, 3)
    assert found["mean_of_folds"] == pytest.approx((found["folds"]["1"] + 5 / 13) / 2)


def test_comparison_knows_which_is_which(tmp_path: Path, capsys: Capture) -> None:
    # A is right on the first eight clips, B on the first two and the last: 6 against 1, p = 2 (1 + 7) / 2^7.
    truth = ["ant"] * 5 + ["bee"] * 4
    answers = {"A": [*truth[:8], "ant"], "B": [*truth[:2], *["cat"] * 6, truth[8]]}
    for name, said in answers.items():
        rows = [{"path": str(i), "truth": t, "label": s} for i, (t, s) in enumerate(zip(truth, said, strict=True))]
        (tmp_path / name).write_text(json.dumps({"predictions": rows}))
    assert main(["compare", str(tmp_path / "A"), str(tmp_path / "B"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracies"] == [8 / 9, 3 / 9]
    assert found["difference"] == pytest.approx(5 / 9)
    assert (found["first_only_right"], found["second_only_right"]) == (6, 1)
    assert found["mcnemar_p"] == pytest.approx(2 * 8 / 2**7)
    assert found["accuracy_intervals"][0][0] > 0.5 > found["accuracy_intervals"][1][0]
    assert main(["compare", str(tmp_path / "A"), str(tmp_path / "B")]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert re.search(r"A\s+88.9 %.*alone has right: 6$", first)
    assert re.search(r"B\s+33.3 %.*alone has right: 1$", second)


# --- what leaks is refused, and what cannot be known is said --------------------------------------------------------


def test_a_test_folder_in_the_training_list_is_refused(setting: Path, tmp_path: Path, capsys: Capture) -> None:
    """Kaldi's lre07/v2 trained on its test set until 2017: Cavg 0.24 became 3.31 when it was mended."""
    training, test = ((setting / name).read_text().splitlines() for name in ("train.csv", "test.csv"))
    (setting / "leaked.csv").write_text("\n".join([*training, *test[1:]]) + "\n")
    model = str(tmp_path / "m.safetensors")
    assert main(["train", str(setting / "leaked.csv"), "-o", model, "--no-calibration", *FLAGS]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, str(setting / "test.csv")]) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert "the model was trained on 13 of the 13 clips, such as test.csv-0.wav [leakage]" in said
    assert "--allow-leaks" in said
    assert main(["evaluate", model, str(setting / "test.csv"), "--allow-leaks"]) == 0
    assert "LEAKED: the model was trained on 13 of these clips; the figures prove nothing" in capsys.readouterr().out


def test_a_manifest_that_splits_a_speaker_is_refused(tmp_path: Path, capsys: Capture) -> None:
    data = write_clips(tmp_path, "all.csv", [*PURE, ("ant", "ant", "ant0", "2"), ("bee", "bee", "new", "2")])
    for verb in (["train", str(data), "-o", str(tmp_path / "m.safetensors"), "--fold", "2"],
                 ["crossval", str(data), "--fold-by", "fold"]):  # fmt: skip
        assert main([*verb, *FLAGS]) == 2
        said = capsys.readouterr().err
        assert "1 groups stand on both sides of the split, such as 'ant0': a model that learns the group" in said
        assert "split by group" in said
    assert not (tmp_path / "m.safetensors").exists()


def test_missing_groups_are_said_loudly_by_each_verb(setting: Path, tmp_path: Path, capsys: Capture) -> None:
    bare = write_clips(tmp_path, "bare.csv", [(t, s, "", f) for t, s, _, f in PURE])
    model = str(tmp_path / "m.safetensors")
    for arguments in (["train", str(bare), "-o", model, "--no-calibration", *FLAGS],
                      ["evaluate", str(setting / "m.safetensors"), str(bare), "--format", "json"],
                      ["crossval", str(bare), "--folds", "2", *FLAGS]):  # fmt: skip
        assert main(arguments) == 0
        assert "WARNING: NO GROUPS" in capsys.readouterr().err
    assert main(["train", str(setting / "train.csv"), "-o", model, "--no-calibration", *FLAGS]) == 0
    assert "NO GROUPS" not in capsys.readouterr().err


def test_the_report_says_what_was_typed_and_what_it_is(setting: Path, report: Path, tmp_path: Path) -> None:
    page = (report / "report.html").read_text()
    assert f"<pre>gmmaudio evaluate {setting / 'm.safetensors'} {setting / 'test.csv'} --durations 0.4 --report" in page
    assert f"<h1>{setting.name}/test.csv: evaluation</h1>" in page
    folds = ["crossval", str(setting / "train.csv"), "--folds", "2"]
    assert main([*folds, *FLAGS, "--report", str(tmp_path / "a b")]) == 0
    page = (tmp_path / "a b" / "report.html").read_text()
    assert f"train.csv --folds 2 --components 1 --report &#x27;{tmp_path / 'a b'}&#x27;</pre>" in page
    assert f"<h1>{setting.name}/train.csv: cross-validation</h1>" in page
    assert "How each fold&#x27;s model was trained" in page
