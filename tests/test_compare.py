"""gmmaudio.evaluate.compare: two evaluations as evaluate prints them, and files that are no such thing."""

import json

import pytest

from gmmaudio.errors import DataError
from gmmaudio.evaluate.compare import compare_files, read_answers
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.measures.intervals import wilson
from gmmaudio.measures.paired import compare


def written(path, labels, groups=None, truth="ant", **more):
    """An evaluation of clips 0.wav, 1.wav ..., as evaluate --format json prints it."""
    clips = [
        Prediction(f"{i}.wav", truth, label, groups and groups[i], **{k: v[i] for k, v in more.items()})
        for i, label in enumerate(labels)
    ]
    path.write_text(json.dumps(Evaluation(clips, ["ant", "bee"]).as_dict()), "utf-8")
    return path


def rows_of(path, rows):
    path.write_text(json.dumps({"predictions": rows}), "utf-8")
    return path


ROW = {"path": "a.wav", "truth": "ant", "label": "ant"}


def test_worked_by_hand(tmp_path):
    # Of 40 clips both have the first 20, A alone the next 12, B alone 2, neither (one refuses, one errs) 6.
    first = written(tmp_path / "A.json", ["ant"] * 32 + ["bee"] * 2 + [None] * 6)
    second = written(tmp_path / "B.json", ["ant"] * 20 + ["bee"] * 12 + ["ant"] * 2 + ["bee"] * 6)
    found = compare_files(first, second).as_dict()
    assert found["clips"] == 40
    assert found["groups"] == 0
    assert found["accuracies"] == [32 / 40, 22 / 40]
    # Wilson's intervals for 32 and 22 of 40; groups are not known.
    assert found["accuracy_intervals"] == [list(wilson(32, 40)), list(wilson(22, 40))]
    assert found["accuracy_interval_methods"] == ["Wilson over clips"] * 2
    assert found["difference"] == 10 / 40
    assert [found[f"{which}_right"] for which in ("both", "first_only", "second_only", "neither")] == [20, 12, 2, 6]
    # 2 (1 + 14 + 91) / 2^14
    assert found["mcnemar_p"] == pytest.approx(2 * 106 / 2**14, abs=1e-12)
    assert found["distinguishable"]
    assert found["difference_interval"][0] > 0
    assert found["verdict"].startswith(f"{first} is better than {second}: a difference of 25.0 points")
    json.dumps(found, allow_nan=False)


def test_the_other_way_round_the_other_is_better(tmp_path):
    first = written(tmp_path / "A.json", ["ant"] * 30 + ["bee"] * 10)
    second = written(tmp_path / "B.json", ["ant"] * 40)
    found = compare_files(first, second).as_dict()
    assert found["difference"] == -0.25
    assert found["verdict"].startswith(f"{second} is better than {first}")
    assert found["second_only_right"] == 10


def test_the_text(tmp_path):
    first = written(tmp_path / "A.json", ["ant"] * 3 + ["bee"], groups=["x", "x", "y", "y"])
    second = written(tmp_path / "B.json", ["ant", "bee", "bee", "ant"], groups=["x", "x", "y", "y"])
    lines = compare_files(first, second).as_text().splitlines()
    assert lines[0].startswith(f"{first}  75.0 %  (95 % interval ")
    assert lines[0].endswith(", t over groups); clips that it alone has right: 2")
    assert lines[1].startswith(f"{second}  50.0 %  (95 % interval ")
    assert lines[1].endswith(", t over groups); clips that it alone has right: 1")
    assert lines[2] == "measured on 4 clips in 2 groups; both right on 1, neither on 0"
    assert lines[3].startswith("difference  +25.0 points  (95 % interval ")
    assert lines[4] == "McNemar's exact test: p = 1"
    assert lines[5].endswith("cannot be told apart: a difference of 25.0 points may be chance (p = 1)")


def test_groups_reach_the_interval(tmp_path):
    groups = [f"speaker {i // 4}" for i in range(24)]
    labels = [["ant", "bee"][i % 3 == 0] for i in range(24)], [["ant", "bee"][i % 5 == 0] for i in range(24)]
    first, second = (written(tmp_path / f"{n}.json", label, groups) for n, label in enumerate(labels))
    found = compare_files(first, second, seed=3)
    # The clips are taken in the order of their names, on which no figure depends.
    expected = compare(*([label == "ant" for label in side] for side in labels), groups)
    assert (found.found.interval.method, found.found.interval.groups) == ("t over groups", 6)
    assert found.found.interval.low == pytest.approx(expected.interval.low, abs=1e-12)
    assert found.found.interval.high == pytest.approx(expected.interval.high, abs=1e-12)


def test_the_order_of_the_clips_does_not_matter(tmp_path):
    rows = [{"path": f"{i}.wav", "truth": "ant", "label": "ant" if i % 3 else "bee", "group": None} for i in range(30)]
    first, turned = rows_of(tmp_path / "A.json", rows), rows_of(tmp_path / "B.json", rows[::-1])
    other = written(tmp_path / "C.json", ["ant"] * 25 + ["bee"] * 5)
    assert compare_files(first, turned).found.difference == 0
    assert compare_files(first, turned).found.first_only == 0
    assert compare_files(first, other).found == compare_files(turned, other).found


def test_parts_of_one_file_are_clips_of_their_own(tmp_path):
    spans = {"start": [0.0, 5.0], "end": [5.0, None]}
    rows = [{**ROW, "start": start, "end": end} for start, end in zip(*spans.values(), strict=True)]
    path = rows_of(tmp_path / "A.json", rows)
    assert set(read_answers(path)) == {("a.wav", 0.0, 5.0), ("a.wav", 5.0, None)}
    assert compare_files(path, path).found.clips == 2


def test_a_group_known_to_one_file_is_known(tmp_path):
    groups = [f"g{i}" for i in range(5) for _ in range(2)]
    first = written(tmp_path / "A.json", ["ant"] * 10, groups)
    second = written(tmp_path / "B.json", ["bee"] * 10)
    assert compare_files(first, second).found.interval.groups == 5
    assert compare_files(second, first).found.interval.groups == 5


def test_other_clips_are_refused(tmp_path):
    three, two = written(tmp_path / "A.json", ["ant"] * 3), written(tmp_path / "B.json", ["ant"] * 2)
    for pair in ((three, two), (two, three)):
        with pytest.raises(DataError, match=r"1 of 3 clips are not in .*B\.json, such as 2\.wav") as caught:
            compare_files(*pair)
        assert caught.value.code == "different_clips"
        assert "--root" in caught.value.hint


def test_other_labels_and_groups_are_refused(tmp_path):
    first = written(tmp_path / "A.json", ["ant"] * 2, ["x", "y"])
    with pytest.raises(DataError, match=r"0\.wav is 'ant' in .*A\.json and 'bee' in .*B\.json") as caught:
        compare_files(first, written(tmp_path / "B.json", ["ant"] * 2, truth="bee"))
    assert caught.value.code == "different_truth"
    with pytest.raises(DataError, match=r"1\.wav is of group 'y' in one file, of 'z' in the other") as caught:
        compare_files(first, written(tmp_path / "B.json", ["ant"] * 2, ["x", "z"]))
    assert caught.value.code == "different_groups"


HOSTILE = {
    "nothing": b"",
    "no JSON": b"accuracy 97 %",
    "cut short": b'{"predictions": [{"path": "a.wav"',
    "not UTF-8": b'{"predictions": "\xff\xfe\xfa"}',
    "nested deeply": b"[" * 200_000,
    "a huge number": b'{"predictions": [' + b"9" * 10_000 + b"]}",
    "a list": b"[1, 2]",
    "a number": b"3",
    "null": b"null",
    "no predictions": b"{}",
    "predictions of another kind": b'{"predictions": {"path": "a.wav"}}',
    "empty predictions": b'{"predictions": []}',
    "a prediction of another kind": b'{"predictions": [["a.wav", "ant", "ant"]]}',
    "a prediction that is null": b'{"predictions": [null]}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_files_that_are_no_evaluation_are_refused(tmp_path, data):
    path = tmp_path / "A.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"A\.json is not an evaluation") as caught:
        read_answers(path)
    assert caught.value.code == "bad_evaluation"
    assert "--format json" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"path": None},
        {"path": 3},
        {"truth": None},
        {"truth": ["ant"]},
        {"label": 1},
        {"label": {"ant": 1}},
        {"group": 7},
        {"start": "0"},
        {"start": -1.0},
        {"start": float("nan")},
        {"end": float("inf")},
        {"end": True},
        {"end": 10**400},
    ],
)
def test_predictions_that_say_something_impossible_are_refused(tmp_path, change):
    with pytest.raises(DataError, match=r"prediction 2") as caught:
        read_answers(rows_of(tmp_path / "A.json", [ROW, {**ROW, "path": "b.wav", **change}]))
    assert caught.value.code == "bad_evaluation"


@pytest.mark.parametrize("name", ["path", "truth", "label"])
def test_predictions_that_lack_something_are_refused(tmp_path, name):
    row = {key: value for key, value in ROW.items() if key != name}
    with pytest.raises(DataError, match=f"prediction 1 has no {name}") as caught:
        read_answers(rows_of(tmp_path / "A.json", [row]))
    assert caught.value.code == "bad_evaluation"


def test_a_clip_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"two predictions of a\.wav") as caught:
        read_answers(rows_of(tmp_path / "A.json", [ROW, ROW]))
    assert caught.value.code == "clip_twice"


def test_what_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "a\0b.json"):
        with pytest.raises(DataError, match="cannot read") as caught:
            read_answers(path)
        assert caught.value.code == "cannot_read"


def test_names_that_no_terminal_can_show(tmp_path):
    rows = [{**ROW, "path": f"\udcff\n{i}.wav", "group": "\ud800"} for i in range(3)]
    first, second = rows_of(tmp_path / "new\nline.json", rows), rows_of(tmp_path / "B.json", rows[:2])
    found = compare_files(first, first)
    assert len(found.as_text().splitlines()) == 6
    found.as_text().encode("utf-8")
    json.dumps(found.as_dict()).encode("utf-8")
    with pytest.raises(DataError) as caught:
        compare_files(first, second)
    caught.value.message.encode("utf-8")
