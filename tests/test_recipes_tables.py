"""The churn recipe: what it generates is true, both ways of reading agree, and its page shows what it prints."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from gmmaudio import GaussianMixture, MixtureClassifier
from gmmaudio.errors import DataError
from gmmaudio.measures.calibration import equal_count, reliability
from tests.recipe import RECIPES, SMALL, load

RECIPE = RECIPES / "churn"


recipe = load("churn")
customers, pictures = sys.modules["customers"], sys.modules["pictures"]  # as the recipe itself imports them


def written(path: Path, n: int = 600, seed: int = 0, **changes: str) -> Path:
    """A CSV file as the public table is written; ``changes`` go to its 11th customer."""
    rows, kind = customers.draw(n, seed)
    left = np.random.default_rng([seed, 1]).random(n) < customers.LEAVES[kind]
    rows = [
        {"customerID": f"{index:04}", **row, "Churn": "Yes" if gone else "No"}
        for index, (row, gone) in enumerate(zip(rows, left, strict=True))
    ]
    for row in rows:
        row["TotalCharges"] = " " if row["tenure"] == "0" else row["TotalCharges"]
    rows[10] |= changes
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.mark.long
def test_small_form_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert recipe.main(["--small", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert SMALL in text
    for heading in ("they leave by kind", "they leave by column", "segments of all customers", "at best"):
        assert heading in text
    assert (out / "churn.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert (RECIPE / "churn.png").stat().st_size < 150_000


def test_axes_of_per_cent_end_at_100() -> None:
    bars, words, trust = Figure().subplots(1, 3)
    sizes = [recipe.Segment(share, 0.4, (0.3, 0.5), "tenure 12 (29)", "") for share in (0.6, 0.4)]
    pictures.draw_segments(bars, words, sizes, 0.4)
    chance = np.linspace(0, 1, 100)
    pictures.draw_trust(trust, "", {"some": reliability(chance > 0.5, chance, equal_count(chance, 10))})
    assert bars.get_xlim() == trust.get_xlim() == trust.get_ylim() == (0, 100)


@pytest.mark.long
def test_the_page_shows_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main(["--out", str(tmp_path)]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    quoted = re.findall(r"^```\n(.*?)^```", (RECIPE / "RESULTS.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(quoted) == 4
    assert [line for block in quoted for line in block.splitlines() if line not in printed] == []


def test_a_csv_goes_the_same_way_as_the_generated_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "telco.csv", n=300)
    assert ", ," in path.read_text("utf-8")  # total charges, left blank
    table = customers.read(path)
    names, values = customers.as_numbers(customers.draw(300, 0)[0])
    assert table.names == names
    paid = names.index("TotalCharges")  # of 0 months: blank is 0, and 0 times a price is 0
    np.testing.assert_array_equal(np.delete(table.values, paid, 1), np.delete(values, paid, 1))
    np.testing.assert_allclose(table.values[:, paid], values[:, paid], atol=1e-12)
    assert recipe.main([str(path), "--small", "--segments", "3", "--out", str(tmp_path)]) == 0
    assert "300 customers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tenure": "a year"}, "line 12: tenure is 'a year', expected a number of 0 or more [bad_table]"),
        ({"MonthlyCharges": "nan"}, "line 12: MonthlyCharges is 'nan'"),
        ({"TotalCharges": "-3"}, "line 12: TotalCharges is '-3'"),
        ({"TotalCharges": "", "tenure": "5"}, "line 12: TotalCharges is ''"),
        ({"Partner": "maybe"}, "line 12: Partner is 'maybe', expected Yes or No [bad_table]"),
        ({"Contract": " "}, "line 12: Contract is '', expected a category"),
        ({"Churn": "1"}, "line 12: Churn is '1', expected Yes or No"),
    ],
)
def test_a_bad_line_is_named(
    changes: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "telco.csv", n=20, **changes)
    assert recipe.main([str(path), "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("error: ")
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "unreadable_data"),
        (b"", "bad_manifest"),
        (b"customerID;gender\n1;Female\n", "bad_manifest"),
        (b"\xff\xfe\x00table", "bad_manifest"),
    ],
)
def test_what_is_no_table_is_refused(
    content: bytes | None, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "telco.csv"
    if content is not None:
        path.write_bytes(content)
    assert recipe.main([str(path), "--out", str(tmp_path)]) == 2
    assert f"[{code}]" in capsys.readouterr().err


@pytest.mark.parametrize("segments", ["0", "-1", "1000000000"])
def test_no_segments_and_far_too_many_are_refused_at_once(
    segments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipe.main([f"--segments={segments}", "--small", "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"--segments {segments}; 1 to 50 are allowed [bad_setting]" in captured.err


def test_what_columns_a_table_needs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "telco.csv"
    for header, hint in {
        "path,label": "tenure, MonthlyCharges, TotalCharges,",
        "Tenure,MonthlyCharges": "is it 'Tenure'? Then call it 'tenure'",
    }.items():
        path.write_text(f"{header}\na,b\n", "utf-8")
        assert recipe.main([str(path), "--out", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert hint in said
        assert "path and label are needed" not in said


def test_too_few_who_left_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main([str(written(tmp_path / "telco.csv", n=60)), "--out", str(tmp_path)]) == 2
    assert "at least 50 of each are needed [too_few_rows]" in capsys.readouterr().err


def test_the_true_chances_are_true() -> None:
    for table in customers.generated(6000, 3).values():
        order = np.argsort(table.chance)
        for rows in np.array_split(order, 10):
            expected = table.chance[rows].mean()
            error = np.sqrt((table.chance[rows] * (1 - table.chance[rows])).sum()) / len(rows)
            assert table.left[rows].mean() == pytest.approx(expected, abs=4 * error)
    assert table.shares is not None
    np.testing.assert_allclose(table.shares.sum(axis=1), 1)
    for kind in range(len(customers.KINDS)):  # of all shares near p, p are of that kind
        share = table.shares[:, kind]
        near = (share > 0.2) & (share < 0.8)
        error = np.sqrt((share[near] * (1 - share[near])).sum())
        assert (table.kind[near] == kind).sum() == pytest.approx(share[near].sum(), abs=4 * error)


def test_no_model_beats_the_truth_and_each_wins_where_it_should() -> None:
    settings = {"segments": 5, "small": True, "seed": 0}
    found = {}
    for way, table in customers.generated(4000, 1).items():
        train, test = np.arange(0, 4000, 2), np.arange(1, 4000, 2)
        chances = recipe.predicted(table, train, test, **settings)
        # scikit-learn's area under the curve is the oracle of ours.
        found[way] = {name: roc_auc_score(table.left[test], p) for name, p in chances.items()}
        for name, p in chances.items():
            assert recipe.auc(table.left[test], p) == pytest.approx(found[way][name], abs=1e-12)
            assert found[way][name] < found[way][recipe.TRUTH] + 0.005
    by_kind, by_column = found["by kind"], found["by column"]
    assert by_kind[recipe.SEGMENTS] > by_kind[recipe.LOGISTIC] + 0.01
    assert by_column[recipe.LOGISTIC] > max(by_column[recipe.SEGMENTS], by_column[recipe.CALIBRATED])


def test_one_component_each_is_naive_bayes() -> None:
    assert recipe.one_component(customers.generated(800, 0)["by kind"]) < 1e-9


# What the estimators gained for it: a relative floor.


def test_relative_floor_holds_for_every_component_and_column() -> None:
    table = customers.generated(800, 0)["by kind"]
    overall = table.values.var(axis=0)
    mixture = GaussianMixture(4, covariance_type="diag", relative_floor=0.3, reg_covar=0, random_state=0)
    mixture.fit(table.values)
    assert (mixture.covariances_ >= 0.3 * overall * (1 - 1e-9)).all()
    assert np.isclose(mixture.covariances_, 0.3 * overall).any()  # and it is reached
    classes = MixtureClassifier(2, relative_floor=0.3, reg_covar=0, random_state=0).fit(table.values, table.left)
    for own in classes.mixtures_:
        assert (own.covariance.array >= 0.3 * overall * (1 - 1e-9)).all()


def test_relative_floor_of_one_gives_every_column_its_whole_variance() -> None:
    # With one component a class and a floor above its variances, the variances are those of the table: naive Bayes
    # with the variances of scikit-learn's replaced by them.
    generator = np.random.default_rng(0)
    rows = np.concatenate([generator.normal(0, 1, (50, 2)), generator.normal(5, 1, (50, 2))])
    labels = np.repeat([0, 1], 50)
    ours = MixtureClassifier(1, relative_floor=1.0, reg_covar=0).fit(rows, labels)
    theirs = GaussianNB(priors=[0.5, 0.5]).fit(rows, labels)
    theirs.var_ = np.tile(rows.var(axis=0), (2, 1))
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), rtol=1e-9)


@pytest.mark.parametrize("floor", [-0.1, "much", None, float("nan")])
def test_a_bad_relative_floor_is_refused(floor: object) -> None:
    rows = np.arange(10.0)[:, None]
    with pytest.raises(DataError, match="relative_floor must be a number of at least 0"):
        GaussianMixture(relative_floor=floor).fit(rows)
    with pytest.raises(DataError, match="relative_floor must be a number of at least 0"):
        MixtureClassifier(relative_floor=floor).fit(rows, np.repeat([0, 1], 5))
