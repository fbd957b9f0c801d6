"""The report: what the page says, that hostile text stays text, that it needs nothing else; and in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.classify.classifier import Decision
from gmmaudio.corpus.audio import Clip
from gmmaudio.corpus.excerpt import MP3_RATE, loudest, mp3
from gmmaudio.corpus.manifest import Entry
from gmmaudio.evaluate import charts
from gmmaudio.evaluate.cross_validation import CrossValidation
from gmmaudio.evaluate.durations import Durations
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.finding import Finding
from gmmaudio.evaluate.markup import Markup, join, tag
from gmmaudio.evaluate.page import Context, html_page
from gmmaudio.evaluate.report import write_report
from gmmaudio.evaluate.tables import facts, table
from gmmaudio.evaluate.trials import leads, trials_of
from gmmaudio.evaluate.worst import SECONDS, png, spectrogram, worst
from gmmaudio.measures.calibration import reliability
from gmmaudio.measures.detection import error_rates
from gmmaudio.measures.intervals import interval, wilson
from tests.browser import Browser, browser, missing

HOSTILE = "<script>alert('x')</script>\"' onload=alert(1)\n&amp;</td></style>\u202e"


def decided(name: str, truth: str, scores: dict[str, float], group: str | None = None) -> Prediction:
    """A clip decided for the label of greatest score, posteriors by Bayes' rule from one frame."""
    values = np.array(list(scores.values()))
    odds = np.exp(values - values.max())
    best = max(scores, key=lambda label: scores[label])
    ranked = np.sort(values)
    said = Decision(
        best, scores, dict(zip(scores, (odds / odds.sum()).tolist(), strict=True)), "loglik",
        float(ranked[-1] - ranked[-2]), 2.0, 1.5,
    )  # fmt: skip
    return Prediction(name, truth, best, group, 2.0, decision=said)


def synthetic(labels: list[str], clips: int, seed: int = 0, groups: int = 25) -> Evaluation:
    """Clips with scores drawn around 1 for the truth and 0 for the others."""
    draw = np.random.default_rng(seed)
    found = []
    for i in range(clips):
        truth = labels[i % len(labels)]
        scores = {label: float(draw.normal(label == truth, 0.6)) for label in labels}
        found.append(decided(f"{i}.wav", truth, scores, f"g{i % groups}"))
    return Evaluation(found, labels)


class Reader(HTMLParser):
    """Elements with their attributes, and all text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, name: str) -> int:
        return sum(element == name for element, _ in self.elements)


def rows_of(page: str, kind: str) -> list[list[str]]:
    """The cells of the first table of a class, as text."""
    part = page.split(f'class="{kind}"', 1)[1].split("</table>", 1)[0]
    found = []
    for row in part.split("<tbody>", 1)[1].split("<tr>")[1:]:
        cells = row.replace("<th", "<td").split("<td")[1:]
        found.append(["".join(Reader("<td" + cell).texts) for cell in cells])
    return found


# --- what the page says ---------------------------------------------------------------------------------------------


def test_confusion_on_the_page_has_truth_in_rows() -> None:
    # Worked by hand: two ants taken for bees, no bee taken for an ant.
    pairs = [("ant", "ant"), ("ant", "bee"), ("ant", "bee"), ("bee", "bee"), ("bee", None)]
    found = Evaluation([Prediction(f"{i}", t, p) for i, (t, p) in enumerate(pairs)], ["ant", "bee"])
    rows = rows_of(html_page(found, Context()), "confusion")
    # Wilson's intervals of 1 in 3 and of 1 in 2 clips, whose groups are not known.
    expected = [
        f"{100 * k / n:.1f} ({100 * wilson(k, n)[0]:.1f}-{100 * wilson(k, n)[1]:.1f} w*)" for k, n in ((1, 3), (1, 2))
    ]
    assert rows == [["ant", "1", "2", "·", expected[0]], ["bee", "·", "1", "1", expected[1]]]


def test_figures_per_class_on_the_page_are_those_of_the_evaluation() -> None:
    found = synthetic(["a", "b", "c"], 90)
    rows = {row[0]: row for row in rows_of(html_page(found, Context()), "sortable")}
    for label, row in found.per_class.items():
        shown = rows[label]
        assert [shown[1], shown[3]] == ["30 / 25", "1.0"]  # clips, groups, minutes: 30 clips of 2 s, of groups 0 to 24
        for name, cell in zip(("precision", "recall", "f1"), shown[4:7], strict=True):
            sure = found.class_intervals[label][name]
            assert sure is not None
            assert cell == f"{100 * row[name]:.1f} ({100 * sure.low:.1f}-{100 * sure.high:.1f} b)"
        assert shown[2] == f"{found.confusion.sum(axis=0)[found.labels.index(label)]} / {sure_groups(found, label)}"
        assert float(shown[7].split()[0]) > 0.7


def sure_groups(found: Evaluation, label: str) -> int:
    """Groups among the clips that were taken for a label."""
    return len({clip.group for clip in found.predictions if clip.label == label})


def test_headline_figures_say_their_interval_and_its_kind() -> None:
    found = synthetic(["a", "b", "c"], 90)
    text = " ".join(Reader(html_page(found, Context())).texts)
    low, high = (f"{100 * end:.1f} %" for end in (found.interval.low, found.interval.high))
    assert f"95 % interval {low} to {high}, bootstrap over groups" in text
    names = ("accuracy", "balanced accuracy", "equal error rate", "ROC area", "Cavg", "Cllr", "min-Cllr")
    for name in (*names, "calibration error"):
        assert name in text
    assert text.count("n = 90 clips, 25 groups") == 8


def test_sections_appear_with_what_they_show() -> None:
    found = synthetic(["a", "b"], 40)
    bare = html_page(Evaluation([Prediction("x", "a", "b")], ["a", "b"]), Context())
    for name in (
        "What the audit found",
        "How much sound it takes",
        "was trained",
        "The command",
        "Fold by fold",
        "Scores",
    ):
        assert name not in bare
    context = Context(
        title="My title",
        command="gmmaudio evaluate m d",
        model={"seed": 7, "classes": {"a": {"clips": 3, "gain": [1.0, 2.0]}, "b": {"clips": 4, "gain": [1.0, 3.0]}}},
        findings=[Finding("copies", "serious", "2 copies", "drop", (("p", "q"),))],
        durations=Durations({1.0: found, 3.0: found}),
    )
    found = evaluation_of_folds()
    page = html_page(CrossValidation(found, ["1", "1", "2", "2"]), context)
    text = " ".join(Reader(page).texts)
    for part in ("My title", "gmmaudio evaluate m d", "2 copies", "p = q", "What to do: drop", "their mean is 75.0 %"):
        assert part in text
    assert page.count("How much sound it takes") == 1
    assert "no groups" not in text


def test_durations_on_the_page_have_the_costs_and_what_is_missing() -> None:
    # By hand: all accepted rightly costs nothing; in the shorter pieces half of b's clips are taken for a.
    right = [decided("1", "a", {"a": 2.0, "b": 0.0}, "g1"), decided("2", "b", {"a": 0.0, "b": 2.0}, "g2")]
    half = [*right, decided("3", "b", {"a": 2.0, "b": 0.0}, "g3"), decided("4", "a", {"a": 2.0, "b": 0.0}, "g4")]
    short = Evaluation(half, ["a", "b"], warnings=["2 of 6 pieces could not be scored"])
    found = Durations({3.0: Evaluation(right, ["a", "b"]), 1.0: short}, {60.0: "no clip is as long as 60 s"})
    page = (
        html_page(short, Context(durations=found)).split("<h2>How much sound it takes</h2>")[1].split("</section>")[0]
    )
    heads = re.findall(r'<button type="button">([^<]*)</button>', page)
    assert heads[-4:] == ["Cavg", "Cllr (bits)", "min-Cllr (bits)", "calibration error"]
    rows = [[cell.split()[0] for cell in row] for row in rows_of(page, "sortable")]
    sure = 1 / (1 + np.exp(-2))  # Bayes, equal priors
    bits = -np.log2([sure, 1 - sure])
    # Of b one of two is missed, which is a's false alarm as well: each detector's cost is half of 1/2.
    # Cllr of either detector: the mean of a's bits (all right) and b's (half wrong). Confidence is the same throughout.
    costs = [(0.0, bits[0], 1 - sure), (0.25, (bits[0] + bits.mean()) / 2, abs(0.75 - sure))]
    for row, (cavg, cllr, off) in zip(rows, reversed(costs), strict=True):
        assert [row[-4], row[-3], row[-1]] == [f"{value:.3f}" for value in (cavg, cllr, off)]
    assert "<li>1 s: 2 of 6 pieces could not be scored</li>" in page
    assert "<li>no clip is as long as 60 s</li>" in page


def evaluation_of_folds() -> Evaluation:
    """Half of fold 1 right, all of fold 2."""
    clips = [("a", "a"), ("a", "b"), ("b", "b"), ("a", "a")]
    return Evaluation([Prediction(str(i), *pair, f"g{i}") for i, pair in enumerate(clips)], ["a", "b"])


def test_json_gains_the_scores_and_loses_nothing() -> None:
    clip = decided("a.wav", "cat", {"cat": -1.0, "dog": -3.0}, "tom")
    row = json.loads(json.dumps(Evaluation([clip], ["cat", "dog"]).as_dict(), allow_nan=False))["predictions"][0]
    assert row["path"] == "a.wav"
    assert row["scores"] == {"cat": -1.0, "dog": -3.0}
    assert row["posteriors"]["cat"] == pytest.approx(1 / (1 + np.exp(-2)))  # Bayes, equal priors
    assert (row["margin"], row["score_kind"], row["calibrated"]) == (2.0, "loglik", False)


def test_the_same_evaluation_makes_the_same_page() -> None:
    assert html_page(synthetic(["a", "b"], 30), Context()) == html_page(synthetic(["a", "b"], 30), Context())


@pytest.mark.parametrize("labels", [1, 2, pytest.param(50, marks=pytest.mark.long)])
def test_few_and_many_labels(labels: int) -> None:
    names = [f"class {i:02}" for i in range(labels)]
    found = Evaluation([Prediction("a.wav", names[0], names[0])], names) if labels == 1 else synthetic(names, 200)
    assert Reader(html_page(found, Context())).count("script") == 1


# --- hostile text, and nothing from outside -------------------------------------------------------------------------


def hostile() -> tuple[Evaluation, Context]:
    labels = [HOSTILE, "tame"]
    clips = [decided(HOSTILE + str(i), labels[i % 2], {HOSTILE: 0.0, "tame": 1.0 + i}, HOSTILE) for i in range(6)]
    error = {"path": HOSTILE, "error": {"code": HOSTILE, "message": HOSTILE, "hint": ""}}
    entries = [Entry(Path("/nowhere/" + HOSTILE), HOSTILE, name=HOSTILE + "0")]
    context = Context(
        title=HOSTILE, command=HOSTILE, model={HOSTILE: {HOSTILE: [HOSTILE]}}, entries=entries,
        findings=[Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE, ((HOSTILE,),))],
        durations=Durations({1.0: Evaluation(clips, labels)}, {9.0: HOSTILE}),
    )  # fmt: skip
    return Evaluation(clips, labels, [error], [HOSTILE]), context


def test_hostile_text_stays_text() -> None:
    read = Reader(html_page(*hostile()))
    assert read.count("script") == 1
    assert read.count("style") == 1
    for name, attributes in read.elements:
        assert not [key for key in attributes if key.startswith("on")], name
    shown = [text for text in read.texts if "alert('x')" in text]
    assert len(shown) > 20
    assert all("\n" not in text and "\u202e" not in text for text in shown)


@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=60)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    text = "".join(letter for letter in text if letter.isprintable())
    read = Reader(str(tag("p", text, title=text)))
    assert "".join(read.texts) == text
    assert read.elements == [("p", {"title": text})]


def test_markup_passes_and_numbers_are_short() -> None:
    assert str(join(Markup("<b>"), "<b>", 3)) == "<b>&lt;b&gt;3"
    assert str(tag("i", x=1 / 3, hidden=None, class_="a")) == '<i x="0.333333" class="a"></i>'
    assert "a &lt; b" in str(facts({"k": "a < b"}))


def test_nothing_comes_from_outside() -> None:
    page = html_page(synthetic(["a", "b"], 30), Context())
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    sources = [
        value for _, attributes in Reader(page).elements for key, value in attributes.items() if key in ("src", "href")
    ]
    assert all(source is not None and source.startswith("data:") for source in sources)
    policies = [a["content"] for name, a in Reader(page).elements if name == "meta" and "http-equiv" in a]
    assert [str(policy).split(";")[0] for policy in policies] == ["default-src 'none'"]


# --- trials and charts ----------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=1, max_size=8))
def test_lead_is_a_score_less_the_best_of_the_others(rows: list[list[int]]) -> None:
    found = leads(np.array(rows, float))
    for row, lead in zip(rows, found, strict=True):
        assert lead.tolist() == [row[i] - max(row[:i] + row[i + 1 :]) for i in range(3)]


def test_trials_know_targets_from_others() -> None:
    clips = [decided("1", "a", {"a": 3.0, "b": 1.0}), decided("2", "b", {"a": 5.0, "b": 1.0})]
    found = trials_of(Evaluation(clips, ["a", "b"]))
    assert found is not None
    assert found.targets.tolist() == [2.0, -4.0]
    assert found.others.tolist() == [-2.0, 4.0]
    assert found.margins.tolist() == [2.0, 4.0]
    assert found.right.tolist() == [True, False]


def test_trials_of_which_some_are_calibrated_go_by_scores_alone() -> None:
    said = [decided("1", "a", {"a": 3.0, "b": 1.0}), decided("2", "b", {"a": 5.0, "b": 1.0})]
    sure = Decision("a", {"a": 3.0, "b": 1.0}, {"a": 0.8, "b": 0.2}, "loglik", 2.0, 1.0, 1.0, calibrated=True)
    mixed = trials_of(Evaluation([replace(said[0], decision=sure), said[1]], ["a", "b"]))
    alone = trials_of(Evaluation([replace(said[0], decision=sure)], ["a", "b"]))
    assert mixed is not None
    assert mixed.leads.tolist() == [[2.0, -2.0], [4.0, -4.0]]
    assert alone is not None
    assert alone.leads[0].tolist() == pytest.approx([np.log(4), -np.log(4)])


@pytest.mark.parametrize(
    "scores", [[{"a": 1.0}], [{"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0}], [{"a": 1.0, "b": -np.inf}]]
)
def test_no_trials_where_scores_cannot_be_set_side_by_side(scores: list[dict[str, float]]) -> None:
    said = [Decision("a", s, dict.fromkeys(s, 0.5), "loglik", None, 1.0, 1.0) for s in scores]
    clips = [Prediction(str(i), "a", "a", decision=one) for i, one in enumerate(said)]
    assert trials_of(Evaluation(clips, ["a", "b", "c"])) is None
    html_page(Evaluation(clips, ["a", "b", "c"]), Context())


@pytest.mark.parametrize("values", [[0.0], [1.0, 1.0], [-3.0, 2.0, 400.0], [1e6, 2e6], [], [-5.0]])
def test_histogram_counts_every_value_once_and_cuts_at_zero(values: list[float]) -> None:
    samples = [np.array(values), np.array([1.0])]
    edges = charts._edges(samples)
    counts = np.histogram(np.clip(samples[0], edges[0], edges[-1]), edges)[0]
    assert counts.sum() == len(values)
    assert (np.diff(edges) > 0).all()
    if edges[0] < 0 < edges[-1]:
        assert np.abs(edges).min() == 0
    assert "nan" not in str(charts.histogram("t", "x", "y", [("one", values, "right"), ("two", [1.0], "wrong")]))


def test_ticks_are_round_and_inside() -> None:
    assert charts._ticks(0, 30) == [0, 5, 10, 15, 20, 25, 30]
    assert charts._ticks(-0.3, 0.31) == [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]


def on_the_plane(svg: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places (n, 2) on the drawing as shares, measured by the line of chance, which goes from (0, 0) to (1, 1)."""
    line = re.search(r'class="mark" x1="(\S+)" x2="(\S+)" y1="(\S+)" y2="(\S+)"', svg)
    assert line is not None
    left, right, bottom, top = map(float, line.groups())
    assert left < right
    assert top < bottom  # y grows downwards
    return np.column_stack([(x - left) / (right - left), (bottom - y) / (bottom - top)])


def axis_names(svg: str) -> list[str]:
    """What stands below, then what stands at the side."""
    texts = re.findall(r"<text ([^>]*middle label[^>]*)>([^<]*)<", svg)
    return [name for turned in (False, True) for how, name in texts if ("rotate" in how) == turned]


def unequal() -> Evaluation:
    """Two labels; leads of the true ones 4, 2, 1 and -3, so those of the others -4, -2, -1 and 3."""
    clips = [("a", 4.0), ("a", 2.0), ("b", -1.0), ("b", 3.0)]  # truth, and how far a leads b
    return Evaluation(
        [decided(str(i), truth, {"a": lead, "b": 0.0}, f"g{i}") for i, (truth, lead) in enumerate(clips)], ["a", "b"]
    )


def test_roc_area_and_error_rate_on_the_page_by_hand() -> None:
    # Of 16 pairs the targets 4, 2, 1 lie above -4, -2, -1 (9 pairs), 4 above 3 (1), -3 above -4 (1): 11/16. For b alone
    # b's leads 1 and -3 against -4 and -2: 3 of 4; for a 4 and 2 against -1 and 3: 3 of 4.
    found = unequal()
    page = html_page(found, Context())
    text = " ".join(Reader(page).texts)
    assert "area 0.688" in text
    figures = dict(re.findall(r"<h3>([^<]*)</h3><b>([^<]*)</b>", page))
    assert figures["ROC area"] == "0.688"
    assert [row[7].split()[0] for row in rows_of(page, "sortable")] == ["0.750", "0.750"]
    # The hull has the corner (1/4, 3/4): false alarms and misses are both 1/4.
    assert figures["equal error rate"] == "25.0 %"
    assert "Equal error rate 25.0 %" in text


def test_roc_on_the_page_by_hand() -> None:
    svg = html_page(unequal(), Context()).split('aria-label="ROC curve"', 1)[1].split("</svg>")[0]
    corners = re.findall(r"([0-9.]+),([0-9.]+)", svg.split('points="')[1].split('"')[0])
    # Downwards through 4 (target), 3 (other), 2, 1 (targets), -1, -2 (others), -3 (target), -4 (other).
    expected = [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 4), (4, 4)]
    np.testing.assert_allclose(on_the_plane(svg, *np.array(corners, float).T), np.array(expected) / 4, atol=1e-3)


def test_frequent_confusions_on_the_page_say_truth_then_answer() -> None:
    # 21 labels, each right once, 05 twice; of 05 two more clips are taken for 02, and one of 02 for 05.
    names = [f"{i:02}" for i in range(21)]
    pairs = [*((name, name) for name in [*names, "05"]), ("05", "02"), ("05", "02"), ("02", "05")]
    found = Evaluation([Prediction(str(i), *pair) for i, pair in enumerate(pairs)], names)
    part = html_page(found, Context()).split("The most frequent confusions.", 1)[1]
    heads = re.findall(r'<button type="button">([^<]*)</button>', part)
    assert heads[:4] == ["truth", "answer", "so", "of the class"]
    rows = rows_of(part, "sortable")
    assert [row[:4] for row in rows] == [["05", "02", "2", "50.0 %"], ["02", "05", "1", "50.0 %"]]
    assert [row[4:] for row in rows] == [
        [f"{100 * wilson(k, n)[0]:.1f} % to {100 * wilson(k, n)[1]:.1f} %", "Wilson over clips", str(n), "-"]
        for k, n in ((2, 4), (1, 2))
    ]


def test_whiskers_stand_at_the_confidence_and_reach_over_the_interval() -> None:
    sure = interval([True, False])
    svg = str(charts.reliability_diagram("t", reliability([True, False], [0.9, 0.9]), [sure]))
    ends = re.search(r'class="whisker" x1="(\S+)" x2="(\S+)" y1="(\S+)" y2="(\S+)"', svg)
    assert ends is not None
    x1, x2, y1, y2 = map(float, ends.groups())
    seen = on_the_plane(svg, np.array([x1, x2]), np.array([y1, y2]))
    np.testing.assert_allclose(seen, [[0.9, sure.low], [0.9, sure.high]], atol=1e-3)


def test_durations_are_drawn_at_their_accuracy() -> None:
    sure = interval([True, True, True, False])
    svg = str(charts.with_intervals("t", "seconds", [1.0], [0.75], [sure]))
    ticks = re.findall(r'x="40" y="(\S+)" class="end">([\d.]+)<', svg)
    low, high = (float(y) - 3.5 for y, name in ticks if name in ("0", "1"))
    y1, y2 = map(float, re.findall(r'class="whisker".* y1="(\S+)" y2="(\S+)"', svg)[0])
    seen = [(low - y) / (low - high) for y in (y1, y2, float(svg.split('cy="')[1].split('"')[0]))]
    assert seen == pytest.approx([sure.low, sure.high, 0.75], abs=1e-3)


def test_roc_has_false_alarms_to_the_right_and_hits_upwards() -> None:
    # Three of four targets lie above all others, the fourth below: hits 3/4 before the first false alarm.
    rates = error_rates([5.0, 6.0, 7.0, 0.0], [1.0, 2.0])
    svg = str(charts.roc("t", *rates.roc))
    corners = re.findall(r"([0-9.]+),([0-9.]+)", svg.split('points="')[1].split('"')[0])
    expected = [[0, 0], [0, 0.25], [0, 0.5], [0, 0.75], [0.5, 0.75], [1, 0.75], [1, 1]]
    np.testing.assert_allclose(on_the_plane(svg, *np.array(corners, float).T), expected, atol=1e-4)
    assert axis_names(svg) == ["false alarms", "hits"]


def test_reliability_has_confidence_to_the_right() -> None:
    # Two answers with 0.9 confidence, one of them right.
    svg = str(charts.reliability_diagram("t", reliability([True, False], [0.9, 0.9]), [interval([True, False])]))
    assert "2 answers, confidence 90 %, right 50 % (9 to 91 %, Wilson over clips)" in svg  # 1 of 2: 0.0945 to 0.9055
    centre = [float(svg.split(f'{name}="')[1].split('"')[0]) for name in ("cx", "cy")]
    np.testing.assert_allclose(on_the_plane(svg, *np.array(centre)), [[0.9, 0.5]], atol=1e-3)
    assert axis_names(svg) == ["confidence", "share right"]


@pytest.mark.parametrize("calibrated", [False, True])
def test_posteriors_that_are_not_calibrated_are_said_to_be_so(calibrated: bool) -> None:
    clips = [
        replace(clip, decision=replace(clip.decision, calibrated=calibrated))
        for clip in synthetic(["a", "b"], 40).predictions
        if clip.decision is not None
    ]
    text = " ".join(Reader(html_page(Evaluation(clips, ["a", "b"]), Context())).texts)
    # In the diagram, below it, above the detectors, and beside Cavg, Cllr and the calibration error, but not min-Cllr.
    assert text.count("not calibrated") == (0 if calibrated else 6 + 1)
    assert ("Calibrated posteriors" in text) == calibrated


def test_off_by_and_the_points_of_the_diagram_have_intervals() -> None:
    text = " ".join(Reader(html_page(synthetic(["a", "b"], 40, groups=8), Context())).texts)
    assert re.search(
        r"off by [\d.]+ %  \(95 % interval [\d.]+ to [\d.]+ %, t over groups\); 40 clips in 8 groups", text
    )
    assert re.search(r"Equal error rate [\d.]+ %  \(95 % interval [\d.]+ to [\d.]+ %, t over groups\)", text)
    assert re.search(r"area [\d.]+  \(95 % interval [\d.]+ to [\d.]+, t over groups\); 40 clips in 8 groups", text)
    page = html_page(synthetic(["a", "b"], 40, groups=8), Context())
    diagram = page.split("Posteriors as they come", 1)[1].split("</svg>")[0]
    assert diagram.count('class="whisker"') == diagram.count("<circle") > 1


def test_the_calibration_error_has_one_interval_wherever_it_stands() -> None:
    alien = decided("alien.wav", "z", {"a": 9.0, "b": 0.0}, "g0")  # of no label of the model, so in neither
    found = synthetic(["a", "b"], 60, groups=30)
    page = html_page(replace(found, predictions=[*found.predictions, alien]), Context())
    card = page.split("<h3>calibration error</h3>", 1)[1].split("</div></div>")[0]
    figures = re.findall(r"<b>([\d.]+) %</b>.*95 % interval ([\d.]+) % to ([\d.]+) %", card)
    caption = re.findall(r"off by ([\d.]+) %  \(95 % interval ([\d.]+) to ([\d.]+) %[^)]*\); 60 clips", page)
    assert len(figures) == 1
    assert figures == caption
    counts = [int(count) for count in re.findall(r"<title>(\d+) answers", page.split('aria-label="Posteriors')[1])]
    assert sum(counts) == 60


def test_an_error_says_the_answer_then_the_truth() -> None:
    page = html_page(Evaluation([decided("x.wav", "ant", {"ant": 0.0, "bee": 1.5})], ["ant", "bee"]), Context())
    assert "bee instead of ant, by 1.50 nats per frame" in "".join(Reader(page).texts)
    assert rows_of(page.split("<details>")[1], "sortable") == [["x.wav", "ant", "bee", "-"]]


def test_table_sorts_missing_numbers_first() -> None:
    assert 'data-sort="-1"' in str(table(["x"], [[("-", None)]], ""))


# --- the worst errors -----------------------------------------------------------------------------------------------


def test_worst_are_those_that_lead_the_truth_by_most() -> None:
    scores = [{"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 9.0}, {"a": 0.0, "b": 4.0}, {"a": 5.0, "b": 0.0}]
    clips = [decided(str(i), "a", s) for i, s in enumerate(scores)]
    clips.append(decided("alien", "z", {"a": 3.0, "b": 0.0}))  # the model does not know z: the margin counts
    found = worst(Evaluation(clips, ["a", "b"]), most=4)
    assert [(one.clip.path, one.lead) for one in found] == [("1", 9.0), ("2", 4.0), ("alien", 3.0), ("0", 1.0)]


def test_a_clip_that_is_gone_is_said(tmp_path: Path) -> None:
    clip = decided("a.wav", "a", {"a": 0.0, "b": 1.0})
    entry = Entry(tmp_path / "a.wav", "a", name="a.wav")
    page = html_page(Evaluation([clip], ["a", "b"]), Context(entries=[entry]))
    assert "could not be read again" in page
    assert Reader(page).count("audio") == 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 14))
def test_loudest_part_by_brute_force(values: list[int], seconds: int) -> None:
    first, last = loudest(Clip(np.array(values, np.float32), 1), seconds)
    width = min(seconds, len(values))
    assert last - first == width
    energies = [sum(v * v for v in values[i : i + width]) for i in range(len(values) - width + 1)]
    assert energies[first] == max(energies)


def test_mp3_is_the_sound() -> None:
    tone = (0.4 * np.sin(2 * np.pi * 440 * np.arange(2 * MP3_RATE) / MP3_RATE)).astype(np.float32)
    samples, rate = soundfile.read(io.BytesIO(mp3(tone)))
    assert rate == MP3_RATE
    assert len(samples) == pytest.approx(len(tone), abs=2 * 1152)  # whole frames of MP3
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * rate / len(samples) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(samples[5000:-5000] ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("hertz", [200, 1000, 5000])
def test_spectrogram_has_a_tone_at_its_height(hertz: int) -> None:
    levels = spectrogram(np.sin(2 * np.pi * hertz * np.arange(MP3_RATE) / MP3_RATE).astype(np.float32))
    top = np.log1p(MP3_RATE / 2 / 700)
    expected = (1 - np.log1p(hertz / 700) / top) * len(levels)  # mel, from the top
    assert levels[:, 140].argmax() == pytest.approx(expected, abs=2)


def test_png_is_read_back_by_another_program() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    found = matplotlib.image.imread(io.BytesIO(png(levels)))
    assert found.shape[:2] == (8, 32)
    brightness = found[..., :3].sum(axis=2).ravel()
    assert (np.diff(brightness) > -1e-6).all()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Context]:
    """400 clips; twelve files of noise stand for the wrong ones: noise takes the most room in an MP3."""
    folder = tmp_path_factory.mktemp("noise")
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (12, 6 * 44_100))
    for i, samples in enumerate(noise):
        soundfile.write(folder / f"{i}.wav", samples, 44_100)
    found = synthetic([f"label{i}" for i in range(10)], 400)
    entries = [Entry(folder / f"{i % 12}.wav", clip.truth, name=clip.path) for i, clip in enumerate(found.predictions)]
    return found, Context("Four hundred clips", "gmmaudio evaluate model data", {"seed": 0}, entries)


@pytest.mark.long
def test_four_hundred_clips_fit_into_five_megabytes(noisy: tuple[Evaluation, Context], tmp_path: Path) -> None:
    found, context = noisy
    write_report(tmp_path / "report", found, found, context)
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"report.html", "evaluation.json", "evaluation.txt", "confusion.png", "det.png"}
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert len(page) < 5e6
    sounds = [a["src"] for name, a in Reader(page).elements if name == "audio"]
    assert len(sounds) == 10
    assert sounds[0] is not None
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds[0].partition(",")[2])))
    assert len(samples) / rate == pytest.approx(SECONDS, abs=0.2)


# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if missing():
        pytest.skip(missing())
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page_file(noisy: tuple[Evaluation, Context], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html_page(*noisy), "utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1200])
def test_page_opens_without_complaint_and_fits(window: Browser, page_file: Path, width: int, dark: bool) -> None:
    window.size(width, 844, dark)
    window.open(page_file)
    assert window.complaints() == []
    assert window.ask("return document.documentElement.scrollWidth") <= width
    paper, ink = window.ask(
        "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0))"
    )
    assert (paper < ink) == dark
    assert abs(paper - ink) > 3 * 140  # of 3 * 255


CONTRAST = """
const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
const numbers = text => text.match(/[0-9.]+/g).map(Number);
const paper = numbers(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll('.confusion td.right, .confusion td.wrong')].map(cell => {
  const style = getComputedStyle(cell), ink = light(numbers(style.color));
  const [r, g, b, a = 1] = numbers(style.backgroundColor);
  const ground = light([r, g, b].map((v, i) => a * v + (1 - a) * paper[i]));
  return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
});
"""  # WCAG 2.1's contrast ratio


@pytest.mark.parametrize("dark", [False, True])
def test_counts_can_be_read_on_any_colour(window: Browser, tmp_path: Path, dark: bool) -> None:
    # 21 classes of 20 clips, of which 0 to 20 are right and the others taken for the next class.
    names = [f"{i:02}" for i in range(21)]
    pairs = [(names[i], names[i if n < i else (i + 1) % 21]) for i in range(21) for n in range(20)]
    found = Evaluation([Prediction(str(n), *pair) for n, pair in enumerate(pairs)], names)
    (tmp_path / "page.html").write_text(html_page(found, Context()), "utf-8")
    window.size(1200, 844, dark)
    window.open(tmp_path / "page.html")
    ratios = window.ask(CONTRAST)
    assert len(ratios) == 40
    assert min(ratios) > 3.9  # large or bold type needs 3; where colours cross over, no ink reaches more than 4.3


def edge(window: Browser, selector: str) -> float:
    """How much darker or brighter the right end of a table's frame is than its paper: of 1."""
    box = window.ask(
        "const f = document.querySelector(arguments[0]); f.scrollIntoView(); const r = f.getBoundingClientRect();"
        "return [r.right + scrollX, r.top + scrollY, r.bottom + scrollY, f.scrollWidth > f.clientWidth]", selector
    )  # fmt: skip
    pixels = matplotlib.image.imread(io.BytesIO(window.picture()))[..., :3]
    column = pixels[int(box[1]) + 1 : int(box[2]) - 1, int(box[0]) - 2]
    return float(np.abs(np.median(column, axis=0) - pixels[0, 0]).max())


@pytest.mark.parametrize("dark", [False, True])
def test_a_table_that_is_cut_shows_that_it_scrolls(window: Browser, page_file: Path, dark: bool) -> None:
    frame = ".scroll:has(table.sortable)"
    window.size(390, 844, dark)
    window.open(page_file)
    assert edge(window, frame) > 0.05
    window.ask(f"const f = document.querySelector('{frame}'); f.scrollLeft = f.scrollWidth; return 0")
    assert edge(window, frame) < 0.02  # at its end there is no more to come
    window.size(1200, 844, dark)
    window.open(page_file)
    assert edge(window, frame) < 0.02


def test_tables_sort_by_click(window: Browser, page_file: Path) -> None:
    window.size(1200, 844)
    window.open(page_file)
    shown = (
        "return [...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].map(r => r.cells[5].textContent)"
    )
    before = [float(text.split()[0]) for text in window.ask(shown)]  # recalls
    assert before != sorted(before)
    click = "document.querySelectorAll('table.sortable')[0].querySelectorAll('th button')[5].click(); "
    assert [float(text.split()[0]) for text in window.ask(click + shown)] == sorted(before)
    assert [float(text.split()[0]) for text in window.ask(click + shown)] == sorted(before, reverse=True)
    state = "return document.querySelectorAll('table.sortable')[0].querySelectorAll('th')[5].ariaSort"
    assert window.ask(state) == "descending"


def test_players_play(window: Browser, page_file: Path) -> None:
    window.open(page_file)
    durations = window.wait(
        "const all = [...document.querySelectorAll('audio')];"
        "Promise.all(all.map(a => a.play().then(() => a.duration))).then(done, e => done(String(e)))"
    )
    assert durations == pytest.approx([SECONDS] * 10, abs=0.2)
    assert window.ask("return [...document.images].every(i => i.naturalWidth > 0 || i.loading === 'lazy')")


def test_hostile_page_runs_nothing(window: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(html_page(*hostile()), "utf-8")
    window.size(390, 844)
    window.open(path)
    assert window.complaints() == []
    assert window.ask("return document.scripts.length") == 1
    assert window.ask("return document.documentElement.scrollWidth") <= 390
    assert "alert('x')" in window.ask("return document.title")


def test_a_calibrated_decision_leads_by_its_posteriors() -> None:
    # The best score is the dog's, the best posterior the cat's: log(0.6 / 0.3) = 0.693 is what the answer leads by.
    scores, posteriors = {"cat": 1.0, "dog": 2.0, "owl": 0.0}, {"cat": 0.6, "dog": 0.3, "owl": 0.1}
    said = Decision("cat", scores, posteriors, "loglik", -1.0, 1, 1)
    clip = Prediction("a.wav", "dog", "cat", decision=replace(said, calibrated=True))
    found = Evaluation([clip], ["cat", "dog", "owl"])
    assert trials_of(found).leads[0].tolist() == pytest.approx([np.log(2), -np.log(2), -np.log(6)])
    assert worst(found)[0].lead == pytest.approx(np.log(2))
