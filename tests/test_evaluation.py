"""gmmaudio.evaluate.evaluation and .plots: a report worked by hand, strict JSON, and what the eye sees."""

import dataclasses
import json
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.plots import confusion_figure, confusion_picture
from gmmaudio.measures.intervals import wilson

# Worked by hand. The model knows ant, bee and cat; emu is news to it; nobody is a cat.
#            ant  bee  cat  emu | refused
#   ant        2    1    .    . |   .       recall 2/3   precision 2/4   F1 4/7
#   bee        1    1    .    . |   1       recall 1/3   precision 1/2   F1 2/5
#   cat        .    .    .    . |   .       none of them, never answered
#   emu        1    .    .    . |   .       recall 0/1   never answered  F1 0
DECISIONS = [
    ("ant", "ant", "kim"),
    ("ant", "ant", "kim"),
    ("ant", "bee", "lou"),
    ("bee", "ant", "lou"),
    ("bee", "bee", "mia"),
    ("bee", None, "mia"),
    ("emu", "ant", None),
]
FAILED = {"path": "z.wav", "error": {"code": "empty_file", "message": "got 0 bytes", "hint": ""}}


def evaluation(decisions=DECISIONS, model_labels=("ant", "bee", "cat"), errors=(FAILED,)):
    clips = [Prediction(f"{i}.wav", *decision, seconds=2.5) for i, decision in enumerate(decisions)]
    return Evaluation(clips, model_labels, errors)


def many(labels, clips, groups=5):
    """Each label the same number of times, each fourth clip taken for the next label."""
    names = [f"class{i:02}" for i in range(labels)]
    rows = [(i % labels, (i + (i % 4 == 0)) % labels, f"g{i % groups}") for i in range(clips)]
    return evaluation([(names[t], names[p], group) for t, p, group in rows], names, ())


def test_the_dictionary_worked_by_hand():
    found = evaluation().as_dict()
    assert found["clips"] == 7
    assert found["groups"] == 4  # kim, lou, mia, and the one clip without a group
    assert found["accuracy"] == 3 / 7
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 3 + 0) / 3, abs=1e-15)  # cat has no clips
    assert found["labels"] == ["ant", "bee", "cat", "emu"]
    assert found["not_in_model"] == ["emu"]
    assert found["confusion"] == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert found["refused"] == [0, 1, 0, 0]
    figures = ("precision", "recall", "f1", "clips")
    assert {label: {name: row[name] for name in figures} for label, row in found["per_class"].items()} == {
        "ant": {"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "clips": 3},
        "bee": {"precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5, "clips": 3},
        "cat": {"precision": None, "recall": None, "f1": None, "clips": 0},
        "emu": {"precision": None, "recall": 0.0, "f1": 0.0, "clips": 1},
    }
    assert found["accuracy_interval_method"] == "t over groups"
    low, high = found["accuracy_interval"]
    assert 0 <= low < 3 / 7 < high <= 1
    assert found["predictions"][2] == {
        "path": "2.wav", "truth": "ant", "label": "bee", "group": "lou", "seconds": 2.5,
    }  # fmt: skip
    assert found["predictions"][5]["label"] is None
    assert found["errors"] == [FAILED]


def test_the_dictionary_is_strict_json():
    clips = [
        Prediction("a.wav", "ant", "ant", seconds=float("nan")),
        Prediction("b.wav", "bee", "ant", seconds=None, start=1.0, end=2.0),
    ]
    found = Evaluation(clips, np.array(["ant", "bee", "cat"]))
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert read["predictions"][0]["seconds"] is None
    assert (read["predictions"][1]["start"], read["predictions"][1]["end"]) == (1.0, 2.0)
    assert "start" not in read["predictions"][0]
    assert (read["groups"], read["accuracy_interval"]) == (0, list(wilson(1, 2)))


def test_truth_and_prediction_cannot_be_swapped_unseen():
    """One ant of three found, no bee missed; swapped, all ants found and one bee of three."""
    decisions = [("ant", "ant", "a"), ("ant", "bee", "b"), ("ant", "bee", "c"), ("bee", "bee", "d")]
    found, swapped = (
        evaluation(rows, ["ant", "bee"], ()) for rows in (decisions, [(p, t, g) for t, p, g in decisions])
    )
    assert found.as_dict()["confusion"] == [[1, 2], [0, 1]]
    assert swapped.as_dict()["confusion"] == [[1, 0], [2, 1]]
    assert found.per_class["ant"] == {"precision": 1.0, "recall": 1 / 3, "f1": 0.5, "clips": 3}
    assert swapped.per_class["ant"] == {"precision": 1 / 3, "recall": 1.0, "f1": 0.5, "clips": 1}
    row = next(line.split() for line in found.as_text().splitlines() if line.startswith("ant"))
    # clips and answers with groups, precision, recall, F1; the one answer is Wilson's 1 of 1, 0.2065 to 1
    assert row[:5] == ["ant", "3/3", "1/1", "100.0", "(20.7-100.0"]
    assert [cell for cell in row[5:] if "." in cell and "(" not in cell] == ["33.3", "50.0"]
    assert cells(confusion_figure(found)) == {(0, 0): "1", (0, 1): "2", (1, 1): "1"}


def test_a_label_misspelt_is_told_with_the_nearest_of_the_model_s():
    found = Evaluation([Prediction("a.wav", "zreo", "zero"), Prediction("b.wav", "zero", "zero")], ["one", "zero"])
    assert "the model does not know zreo (did you mean zero?): 1 clip, all counted as wrong" in found.as_text()


def test_the_text_shows_what_was_found():
    lines = evaluation().as_text().splitlines()
    assert lines[0].startswith("accuracy           42.9 %  (95 % interval ")  # 3 / 7
    assert lines[0].endswith("t over groups)")
    assert lines[1].startswith("balanced accuracy  33.3 %  (95 % interval ")
    assert lines[1].endswith("t over groups)")
    assert lines[2] == "measured on        7 clips in 4 groups, 1 of them refused, as unknown"
    assert lines[3] == "failed             1 clip could not be scored, not counted above"
    assert "warning: the model does not know emu: 1 clip, all counted as wrong" in lines
    assert "warning: 1 clip without a group: each counts as a group of its own" in lines
    assert [line.split() for line in lines if line.startswith("cat")] == [
        ["cat", "0", "0", "-", "-", "-"],  # nothing to divide by
        ["cat", ".", ".", ".", ".", "."],
    ]
    heads = lines[-5].split()
    assert heads == ["ant", "bee", "cat", "emu", "?"]
    assert lines[-3].split() == ["bee", "1", "1", ".", ".", "1"]


def test_missing_groups_are_said_aloud():
    decisions = [("ant", "ant", None), ("bee", "ant", None)]
    text = evaluation(decisions).as_text()
    assert "Wilson over clips" in text
    assert "warning: no groups (speaker, artist, source recording) are known" in text
    assert "measured on        2 clips, no groups known" in text
    three_of_four = evaluation([("ant", "ant", None)] * 3 + [("bee", "ant", None)])
    assert three_of_four.as_dict()["accuracy_interval"] == list(wilson(3, 4))
    one = evaluation([(truth, label, "kim") for truth, label, _ in decisions]).as_text()
    assert "warning: all clips are of one group" in one
    both = evaluation([("ant", "ant", "kim"), ("bee", "ant", "lou")], errors=()).as_text()
    assert "warning" not in both
    assert "failed" not in both


def test_columns_are_numbered_where_labels_are_too_long():
    labels = sorted(f"a language of the {side}" for side in ("north", "south", "east", "west", "centre"))
    decisions = [(labels[i], labels[1], f"g{i}") for i in range(5)]
    lines = evaluation(decisions, labels, ()).as_text().splitlines()
    assert lines[-6].split() == ["1", "2", "3", "4", "5"]
    assert lines[-5].split() == ["1", *labels[0].split(), ".", "1", ".", ".", "."]
    assert lines[-1].split() == ["5", *labels[4].split(), ".", "1", ".", ".", "."]


def test_columns_bear_the_whole_label_where_there_is_room():
    labels = ["chainsaw", "fire crackling", "helicopter"]
    text = evaluation([(labels[0], labels[1], "a"), (labels[1], labels[1], "b")], labels, ()).as_text()
    heads = text.splitlines()[-4]
    assert heads.split() == ["chainsaw", "fire", "crackling", "helicopter"]


def test_the_matrix_in_text_has_truth_in_rows_also_beside_refusals():
    decisions = [("ant", "bee", "a"), ("ant", "bee", "b"), ("ant", None, "c"), ("bee", "bee", "d"), ("bee", "ant", "e")]
    lines = evaluation(decisions, ["ant", "bee"], ()).as_text().splitlines()
    assert [line.split() for line in lines[-3:]] == [
        ["ant", "bee", "?"],
        ["ant", ".", "2", "1"],
        ["bee", "1", "1", "."],
    ]


def test_many_classes_show_the_most_frequent_confusions():
    lines = many(20, 400).as_text().splitlines()
    assert not any(line.startswith("confusion:") for line in lines)
    top = lines[lines.index("most frequent confusions") + 1 :]
    # Clips 0, 4, 8 ... are wrong, that is all 20 of each of the classes 0, 4, 8, 12 and 16.
    assert [line.split() for line in top] == [
        [f"class{i:02}", "taken", "for", f"class{i + 1:02}", "20", "of", "20"] for i in (0, 4, 8, 12, 16)
    ]
    assert "confusion: rows are the truth, columns the answer" in many(15, 400).as_text()


def test_many_classes_count_refusals_among_the_confusions():
    names = [f"class{i:02}" for i in range(16)]
    perfect = [(name, name, f"g{i}") for i, name in enumerate(names)]
    assert evaluation(perfect, names, ()).as_text().splitlines()[-1] == "no confusions"
    refusing = evaluation([*perfect, ("class03", None, "h")], names, ()).as_text().splitlines()
    assert refusing[-1].split() == ["class03", "taken", "for", "(refused)", "1", "of", "2"]


@pytest.mark.parametrize("labels", [2, 9, 15, 16, 60])
def test_no_line_is_wider_than_a_screen_and_none_trails(labels):
    lines = many(labels, 3000).as_text().splitlines()
    assert max(map(len, lines)) <= 110
    assert all(line == line.rstrip() for line in lines)


def test_labels_cannot_break_the_tables():
    labels = ["a\x1b[31m\nb", "x" * 300]
    text = evaluation([(labels[0], labels[1], "a"), (labels[1], labels[1], "b")], labels).as_text()
    assert "\x1b" not in text
    assert "a?[31m?b" in text
    assert max(map(len, text.splitlines())) <= 110
    assert evaluation([(labels[0], labels[1], "a")], labels).as_dict()["labels"] == labels


def test_an_evaluation_of_nothing_is_refused_and_of_something_frozen():
    with pytest.raises(DataError) as caught:
        Evaluation([], ["ant"], [FAILED])
    assert caught.value.code == "no_decisions"
    assert "1 failed" in caught.value.message
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluation().errors = ()


def cells(figure):
    """The counts as the eye finds them: (row, column) -> text."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in figure.axes[0].texts
        if text.get_text().isdigit()
    }


def test_the_picture_shows_the_matrix():
    figure = confusion_figure(evaluation())
    axes = figure.axes[0]
    # Rows and columns from the table at the top of this file; the refused clips are the last column.
    assert cells(figure) == {(0, 0): "2", (0, 1): "1", (1, 0): "1", (1, 1): "1", (1, 4): "1", (3, 0): "1"}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["ant", "bee", "cat", "emu"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["ant", "bee", "cat", "emu", "(refused)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth")
    assert axes.yaxis_inverted()  # the first row is at the top
    recalls = [tick.get_text() for tick in axes.child_axes[0].get_yticklabels()]
    assert [recall.split()[0] for recall in recalls] == ["66.7", "33.3", "-", "0.0"]
    assert recalls[3] == "0.0 (0.0-79.3 w*)"  # Wilson, 0 of 1; that of precision does not exist
    title = figure.get_suptitle()
    assert title.startswith("accuracy 42.9 %  (95 % interval ")
    assert title.endswith("7 clips in 4 groups")


def test_the_interval_beside_a_row_is_the_recall_s():
    # Of three ants two are found, and five clips are taken for ants: Wilson's 2 of 3, not of 5.
    decisions = [("ant", "ant", None)] * 2 + [("ant", "bee", None)] + [("bee", "ant", None)] * 3
    side = confusion_figure(evaluation(decisions, ["ant", "bee"], ())).axes[0].child_axes[0]
    low, high = wilson(2, 3)
    assert side.get_yticklabels()[0].get_text() == f"66.7 ({100 * low:.1f}-{100 * high:.1f} w*)"


def test_the_colours_are_shares_of_the_row():
    decisions = [("ant", "ant", "a")] * 9 + [("ant", "bee", "b")] + [("bee", "ant", "c"), ("bee", "bee", "d")]
    red, green, blue = np.moveaxis(
        confusion_figure(evaluation(decisions, ["ant", "bee"], ())).axes[0].images[0].get_array()[..., :3],
        -1,
        0,
    )
    assert (blue > red)[np.eye(2, dtype=bool)].all()  # right: blue
    assert (red > blue)[~np.eye(2, dtype=bool)].all()  # wrong: orange
    assert green[0, 0] < green[1, 1]  # 9 of 10 is darker than 1 of 2
    assert green[0, 1] > green[1, 0]  # 1 of 10 is paler than 1 of 2, though both are one clip


@pytest.mark.parametrize("labels", [2, 10, 30])
def test_pictures_of_any_size_are_written(labels, tmp_path):
    confusion_picture(many(labels, 200), tmp_path / "confusion.png")
    pixels = matplotlib.image.imread(tmp_path / "confusion.png")
    assert pixels[..., :3].std() > 0.05  # not blank
    edge = pixels[[0, -1], :, :3]
    assert (edge == 1).all()  # nothing is cut off at the top or the bottom
    assert (pixels[:, [0, -1], :3] == 1).all()  # nor at the sides


def test_svg_is_xml_and_labels_are_not_formulae(tmp_path):
    found = evaluation([("$\\frac", "a_b^c$", "a"), ("a_b^c$", "a_b^c$", "b")], ["$\\frac", "a_b^c$"])
    confusion_picture(found, tmp_path / "Confusion.SVG")
    assert ElementTree.parse(tmp_path / "Confusion.SVG").getroot().tag.endswith("svg")


def test_labels_that_the_font_lacks_make_no_warning(tmp_path):  # pytest makes warnings errors
    found = Evaluation([Prediction("a.wav", "日本", "日本"), Prediction("b.wav", "b", "日本")], ["b", "日本"])
    confusion_picture(found, tmp_path / "confusion.png")
    assert matplotlib.image.imread(tmp_path / "confusion.png").size


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"one of \.png, \.svg, \.pdf") as caught:
        confusion_picture(evaluation(), tmp_path / "confusion.bmp")
    assert caught.value.code == "picture_format"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("evaluation", ["matplotlib", "scipy.stats", "sklearn"]),
        ("plots", ["matplotlib.pyplot", "scipy.stats"]),
    ],
)
def test_nothing_heavy_comes_along(module, absent):
    code = f"import sys, gmmaudio.evaluate.{module}; print([m for m in {absent} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
