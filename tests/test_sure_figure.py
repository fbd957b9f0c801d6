"""No figure without its interval: every number in JSON, every per cent in text, every headline of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from gmmaudio.evaluate.compare import compare_files
from gmmaudio.evaluate.cross_validation import CrossValidation, fold_names
from gmmaudio.evaluate.decision_figures import balanced_figure, class_intervals
from gmmaudio.evaluate.durations import Durations
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.sure_figure import figure_of, in_brackets, legend, share_of
from gmmaudio.measures.intervals import Interval, interval, wilson
from tests.test_report import synthetic

METHOD = re.compile(r"(bootstrap|t|Wilson) over (groups|clips)")
COUNTS = {"clips", "groups", "duration", "seconds"}


def figures(found: Any) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Every number of a JSON object that is a figure, with the object that it stands in."""
    for name, value in found.items() if isinstance(found, dict) else ():
        if name in ("predictions", "errors", "folds") or name.endswith(("_clips", "_groups")):
            continue
        if isinstance(value, float) and name not in COUNTS:
            yield name, value, found
        elif isinstance(value, dict):
            yield from figures(value)
        elif isinstance(value, list):
            for item in value:
                yield from figures(item)


@pytest.mark.parametrize("groups", [1, 7, 25])
@pytest.mark.parametrize("kind", ["evaluation", "folds", "durations"])
def test_every_figure_in_json_has_an_interval_its_method_and_what_it_rests_on(groups: int, kind: str) -> None:
    found = synthetic(["a", "b", "c"], 90, groups=groups)
    shown = {
        "evaluation": found,
        "folds": CrossValidation(found, [str(i % groups % 3) for i in range(90)]),
        "durations": Durations({1.0: found, 3.0: found}),
    }[kind]
    seen = set()
    for name, value, row in figures(json.loads(json.dumps(shown.as_dict()))):
        low, high = row[f"{name}_interval"]
        assert low <= value <= high
        assert low < high
        assert METHOD.fullmatch(row[f"{name}_interval_method"])
        assert ("groups" in row[f"{name}_interval_method"]) == (groups > 1)
        assert row.get(f"{name}_clips", row.get("clips")) > 0
        assert row.get(f"{name}_groups", row.get("groups")) in range(1, groups + 1)
        seen.add(name)
    assert {"accuracy", "balanced_accuracy", "precision", "recall", "f1", "cavg", "cllr"} <= seen
    assert {"equal_error_rate", "false_accepts", "false_rejects"} <= seen
    assert ("mean_of_folds" in seen) == (kind == "folds")
    assert ({"identification_error", "refused_share"} <= seen) == (kind == "durations")


@pytest.mark.parametrize("groups", [1, 7, 25])
def test_every_per_cent_in_text_has_an_interval(groups: int) -> None:
    found = synthetic(["a", "b", "c"], 90, groups=groups)
    text = CrossValidation(found, [str(i % groups % 3) for i in range(90)]).as_text()
    for line in text.splitlines():
        if re.search(r"\d %", line) and not line.startswith("per cent"):
            assert re.search(r"95 % interval [\d.]+ to [\d.]+( %)?, (bootstrap|t|Wilson) over (groups|clips)", line)
    rows = text.split("class  clips", 1)[1].splitlines()[1:4]
    assert all(len(re.findall(r"[\d.]+ \([\d.]+-[\d.]+ [btw]\*?\)", row)) == 3 for row in rows)
    rows = text.split("EER, %", 1)[1].splitlines()[1:4]
    assert all(len(re.findall(r"[\d.]+ \([\d.]+-[\d.]+ [btw]\*?\)", row)) == 4 for row in rows)


def test_every_accuracy_in_a_comparison_has_an_interval(tmp_path: Path) -> None:
    for name, seed in (("A.json", 1), ("B.json", 2)):
        (tmp_path / name).write_text(json.dumps(synthetic(["a", "b"], 40, seed, groups=8).as_dict()), "utf-8")
    found = compare_files(tmp_path / "A.json", tmp_path / "B.json")
    plain = found.as_dict()
    for accuracy, (low, high), side in zip(
        plain["accuracies"], plain["accuracy_intervals"], found.intervals, strict=True
    ):
        assert low <= accuracy <= high
        assert (side.clips, side.groups, side.method) == (40, 8, "t over groups")
    for line in found.as_text().splitlines()[:2]:
        assert re.search(r"95 % interval [\d.]+ to [\d.]+ %, t over groups", line)


# --- the intervals themselves ---------------------------------------------------------------------------------------

#         truth  answer group
CLIPS = [("ant", "ant", "x"), ("ant", "bee", "x"), ("ant", "ant", "y"), ("ant", "ant", "z"),
         ("bee", "bee", "x"), ("bee", "ant", "y"), ("bee", "bee", "y"), ("bee", "bee", "z")]  # fmt: skip
SIDES = [list(side) for side in zip(*CLIPS, strict=True)]


def jackknife(shares: list[float], value: float) -> tuple[float, float]:
    """Estimate -/+ t times the jackknife's standard error (Efron and Tibshirani, chapter 11), cut off at 0 and 1."""
    n = len(shares)
    error = np.sqrt((n - 1) / n * np.sum((np.array(shares) - np.mean(shares)) ** 2))
    reach = float(student.ppf(0.975, n - 1) * error)
    return max(0.0, value - reach), min(1.0, value + reach)


def test_balanced_accuracy_by_hand() -> None:
    # Recalls 3/4 and 3/4. Without x: 2/2 and 2/3; without y: 2/3 and 2/2; without z: 2/3 and 2/3.
    found = balanced_figure(*SIDES)
    assert found.value == 3 / 4
    assert found.sure is not None
    assert found.sure.method == "t over groups"
    assert (found.sure.low, found.sure.high) == pytest.approx(jackknife([5 / 6, 5 / 6, 2 / 3], 3 / 4))


def test_balanced_accuracy_is_over_the_clips_of_each_class_not_the_answers() -> None:
    # Recalls 3/6, 1/3 and 1/4; the answers that are right are 3/5, 1/5 and 1/3.
    table = {"ant": (3, 1, 2), "bee": (2, 1, 0), "cat": (0, 3, 1)}
    pairs = [(truth, answer) for truth, row in table.items() for answer, n in zip(table, row, strict=True)
             for _ in range(n)]  # fmt: skip
    truth, answers = zip(*pairs, strict=True)
    assert balanced_figure(truth, answers, [None] * 13).value == pytest.approx((3 / 6 + 1 / 3 + 1 / 4) / 3)


def test_precision_is_over_the_answers_and_recall_over_the_clips() -> None:
    # Swapped, the two would change places: 2 ants of 5 found, no other clip taken for one.
    sides = ["ant"] * 5 + ["bee"], ["ant"] * 2 + ["bee"] * 4, [None] * 6
    found = class_intervals(*sides, "ant")
    recall, precision = wilson(2, 5), wilson(2, 2)
    assert found["recall"] == Interval(*recall, "Wilson over clips", 5, 0)
    assert found["precision"] == Interval(*precision, "Wilson over clips", 2, 0)
    bee = class_intervals(*sides, "bee")
    assert bee["recall"] == Interval(*wilson(1, 1), "Wilson over clips", 1, 0)
    assert bee["precision"] == Interval(*wilson(1, 4), "Wilson over clips", 4, 0)


def test_f1_by_hand() -> None:
    # Ants: right 3, clips 4, answers 4, so F1 = 6/8. Without x right 2, clips 2, answers 3; y: 2, 3, 2; z: 2, 3, 3.
    found = class_intervals(*SIDES, "ant")["f1"]
    assert found is not None
    left_out = [2 * 2 / (2 + 3), 2 * 2 / (3 + 2), 2 * 2 / (3 + 3)]
    assert (found.low, found.high) == pytest.approx(jackknife(left_out, 3 / 4))


def test_folds_by_hand() -> None:
    clips = [Prediction(str(i), *clip) for i, clip in enumerate(CLIPS)]
    found = CrossValidation(Evaluation(clips, ["ant", "bee"]), list("22211111"))
    # Fold 2: right, wrong, right; fold 1: four of five.
    assert found.folds == {"1": 4 / 5, "2": 2 / 3}
    assert list(found.folds) == ["1", "2"]
    assert found.mean.value == pytest.approx((4 / 5 + 2 / 3) / 2)
    # Without x the folds are 3/4 and 1/1; without y 3/3 (clips 3, 4, 7) and 1/2; without z 2/3 and 2/3.
    assert found.mean.sure is not None
    bounds = jackknife([(3 / 4 + 1) / 2, (1 + 1 / 2) / 2, (2 / 3 + 2 / 3) / 2], found.mean.value)
    assert (found.mean.sure.low, found.mean.sure.high) == pytest.approx(bounds)
    row = found.as_dict()["fold_figures"][1]
    expected = interval([True, False, True], ["x", "x", "y"])
    assert (row["fold"], row["accuracy"], row["accuracy_clips"], row["accuracy_groups"]) == ("2", 2 / 3, 3, 2)
    assert row["accuracy_interval"] == [expected.low, expected.high]
    assert found.as_text().splitlines()[1].startswith("fold 2           66.7 %  (95 % interval ")


def test_folds_are_in_the_order_of_their_numbers() -> None:
    assert fold_names(["b", "10", "9", "a", "10"]) == ["a", "b", "9", "10"]


def test_marks_and_legend() -> None:
    assert in_brackets(None, None) == "-"
    assert in_brackets(0.25, None) == "25.0"
    assert in_brackets(0.5, Interval(0.125, 0.75, "bootstrap over groups", 9, 9)) == "50.0 (12.5-75.0 b)"
    assert legend(["t*", "w*"]) == "t, w (Wilson) * over clips"
    assert legend(["b", "w*"]) == "b (bootstrap), w (Wilson) over groups, * over clips"


def test_a_figure_that_no_resample_has_is_shown_without_an_interval() -> None:
    assert figure_of(lambda some: some.sum() + np.inf, ["x", "y"], (0, np.inf)).sure is None
    assert share_of([True, True], ["x", "y"]).sure == Interval(*wilson(2, 2), "Wilson over groups", 2, 2)
