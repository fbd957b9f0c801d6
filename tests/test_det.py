"""DET curves on the page and as a picture: where points lie on normal-deviate axes, by scipy and by hand."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from scipy.stats import norm

from gmmaudio.errors import DataError
from gmmaudio.evaluate import charts
from gmmaudio.evaluate.det_picture import det_figure, det_picture
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.page import Context, html_page
from gmmaudio.evaluate.report import write_report
from gmmaudio.measures.detection import equal_error_rate, error_rates
from tests.test_report import HOSTILE, axis_names, decided, synthetic, unequal

# Of five targets 1 lies below 2, of four others 1 above it, and so on: in falling order t t o t t o o t o.
TARGETS, OTHERS = [9.0, 8.0, 6.0, 5.0, 2.0], [7.0, 4.0, 3.0, 1.0]
CORNERS = [(0, 1), (0, 4 / 5), (0, 3 / 5), (1 / 4, 3 / 5), (1 / 4, 2 / 5), (1 / 4, 1 / 5), (2 / 4, 1 / 5),
           (3 / 4, 1 / 5), (3 / 4, 0), (1, 0)]  # fmt: skip


def drawn() -> str:
    rates = error_rates(TARGETS, OTHERS)
    return str(charts.det("t", rates, equal_error_rate(TARGETS, OTHERS)))


def rates_at(svg: str, points: list[tuple[float, float]]) -> np.ndarray:
    """Places on the drawing as rates, (n, 2): linear in normal deviates between the named ticks."""
    ticks = re.findall(r'<text x="(\S+)" y="(\S+)" class="(end|middle)">([\d.]+)<', svg)
    x = [(float(x), norm.ppf(float(name) / 100)) for x, _, kind, name in ticks if kind == "middle"]
    y = [(float(y) - 3.5, norm.ppf(float(name) / 100)) for _, y, kind, name in ticks if kind == "end"]
    lines = [np.polyfit(*zip(*side, strict=True), 1) for side in (x, y)]
    for side, line in zip((x, y), lines, strict=True):
        assert np.abs(np.polyval(line, [at for at, _ in side]) - [d for _, d in side]).max() < 1e-3
    return norm.cdf([[np.polyval(line, at) for line, at in zip(lines, point, strict=True)] for point in points])


def test_a_det_curve_by_hand() -> None:
    svg = drawn()
    corners = [(float(a), float(b)) for a, b in re.findall(r"(-?[\d.]+),(-?[\d.]+)", svg.split('points="')[1])]
    found = rates_at(svg, corners[::-1])
    # Rates that occur begin at 1/5: the axes begin at the tick below it, 10 %, which stands for 0; 1 lies far outside.
    np.testing.assert_allclose(found, np.clip(CORNERS, 0.1, None), atol=1e-4)
    assert axis_names(svg) == ["false alarms, %", "misses, %"]
    ticks = re.findall(r'class="(?:end|middle)">([\d.]+)<', svg)
    assert ticks == ["10", "20", "40", "60"] * 2


def test_the_equal_error_rate_is_marked() -> None:
    # The hull's corner (1/4, 1/5) and the next, (0, 3/5): miss = 3/5 - 8/5 alarm, which meets it at 3/13.
    svg = drawn()
    x, y = (float(svg.split(f'{name}="')[1].split('"')[0]) for name in ("cx", "cy"))
    np.testing.assert_allclose(rates_at(svg, [(x, y)]), [[3 / 13, 3 / 13]], atol=1e-4)
    assert "<title>equal error rate 23.08 %</title>" in svg


@pytest.mark.parametrize(
    ("targets", "others", "ticks"),
    [
        ([1.0], [0.0], ["20", "40", "60"]),  # no error at all
        (np.arange(400) + 0.5, np.arange(400) - 300.0, ["0.1", "0.5", "2", "5", "10", "20", "40", "60"]),
    ],
)
def test_axes_begin_below_the_least_rate_that_is_seen(targets, others, ticks) -> None:  # type: ignore[no-untyped-def]
    (low, high), named = charts.det_axis(error_rates(targets, others), equal_error_rate(targets, others))
    assert [name for _, name in named] == ticks
    assert (low, high) == pytest.approx((norm.ppf(float(ticks[0]) / 100), norm.ppf(0.6)), abs=1e-9)
    assert "nan" not in (svg := str(charts.det("t", error_rates(targets, others), 0.0)))
    assert "inf" not in svg


@pytest.mark.parametrize("seed", range(3))
def test_a_curve_worse_than_chance_is_seen_between_several_ticks(seed: int) -> None:
    # Normal scores whose means differ by -0.25 have the area Phi(-0.25 / sqrt 2) = 0.43 and errors that meet at
    # Phi(0.125) = 0.55; the hull of such is about that of a coin.
    draw = np.random.default_rng(seed)
    sides = draw.normal(-0.25, size=60), draw.normal(size=40)
    rates, equal = error_rates(*sides), equal_error_rate(*sides)
    (low, high), named = charts.det_axis(rates, equal)
    assert [name for _, name in named] == ["2", "5", "10", "20", "40", "60", "80", "90", "95", "98"]
    inside = [(low <= norm.ppf(rates.miss)) & (norm.ppf(rates.miss) <= high), low <= norm.ppf(rates.false_alarm)]
    assert np.logical_and.reduce(inside).mean() > 0.8
    svg = str(charts.det("t", rates, equal))
    x, y = (float(svg.split(f'{name}="')[1].split('"')[0]) for name in ("cx", "cy"))
    np.testing.assert_allclose(rates_at(svg, [(x, y)]), [[equal, equal]], atol=1e-4)


def test_the_dot_is_inside_also_where_the_hull_lies_below_all_rates_seen() -> None:
    # t o t o: the corners (0, 1/2) and (1/2, 0) of the hull meet at 1/4, below 1/2, the only rate between 0 and 1.
    (low, _), named = charts.det_axis(error_rates([4.0, 2.0], [3.0, -1.0]), 0.25)
    assert low < norm.ppf(0.25)
    assert len(named) >= 3


@pytest.mark.long
def test_the_page_has_a_curve_for_all_and_one_for_each_label_and_says_what_it_shows() -> None:
    page = html_page(unequal(), Context())
    # 25 % by hand in test_report.
    title = "DET curve: misses against false alarms; equal error rate 25.0 %"
    assert f'role="img" aria-label="{title}"' in page
    svg = page.split(f'aria-label="{title}"', 1)[1].split("</figure>")[0]
    assert svg.count('class="curve plain"') == 1
    assert re.findall(r"<polyline[^>]*faint[^>]*><title>(\w)</title>", svg) == ["a", "b"]
    assert re.search(
        r"The dot: equal error rate 25.0 %  \(95 % interval [\d.]+ to [\d.]+ %, t over groups\), on the curve.*hull",
        svg,
    )
    many = html_page(synthetic([f"{i:02}" for i in range(21)], 210), Context())
    assert 'class="curve faint"' not in many


def test_the_picture_has_the_same_points() -> None:
    axes = det_figure(unequal()).axes[0]
    equal, a, b, pooled = (line for line in axes.lines if len(line.get_xdata()) > 1)
    np.testing.assert_array_equal(equal.get_xdata(), equal.get_ydata())
    # Leads, falling: 4 (target), 3 (other), 2, 1 (targets), -1, -2 (others), -3 (target), -4 (other); see test_report.
    corners = np.array([(0, 4), (0, 3), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1), (3, 0), (4, 0)]) / 4
    seen = norm.cdf(np.column_stack(pooled.get_data()))[::-1]
    np.testing.assert_allclose(seen, np.clip(corners, 0.2, None), atol=1e-9)
    # a leads by 4 and 2 on its own clips, by -1 and 3 on b's: t o t o.
    corners = np.array([(0, 2), (0, 1), (1, 1), (1, 0), (2, 0)]) / 2
    np.testing.assert_allclose(norm.cdf(np.column_stack(a.get_data()))[::-1], np.clip(corners, 0.2, None), atol=1e-9)
    assert b.get_xdata().size == 5
    dots = [float(norm.cdf(line.get_xdata()[0])) for line in axes.lines if len(line.get_xdata()) == 1]
    # The hull of a: (0, 1/2), (1/2, 0) meets at 1/4; b likewise; pooled 1/4.
    assert dots == pytest.approx([1 / 4] * 3)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("false alarms, %", "misses, %")
    assert axes.get_title(loc="left").startswith("equal error rate 25.0 %  (95 % interval ")
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [name.split()[-1] for name in named] == ["a", "b", "pooled"]
    assert all(re.match(r"25\.0 \([\d.]+-[\d.]+ [btw]\)  ", name) for name in named[:2])


@pytest.mark.parametrize("labels", [2, 12, 30])
def test_pictures_of_any_number_of_labels_are_written(labels: int, tmp_path: Path) -> None:
    det_picture(synthetic([f"_{i}$" for i in range(labels)], 120, groups=8), tmp_path / "det.png")
    pixels = matplotlib.image.imread(tmp_path / "det.png")[..., :3]
    assert pixels.std() > 0.03
    assert (pixels[[0, -1]] == 1).all()
    assert (pixels[:, [0, -1]] == 1).all()


def test_labels_are_not_formulae_and_other_suffixes_are_refused(tmp_path: Path) -> None:
    labels = ["$\\frac", HOSTILE]
    clips = [decided(str(i), labels[i % 2], {labels[0]: i - 1.5, labels[1]: 0.0}) for i in range(4)]
    det_picture(Evaluation(clips, labels), tmp_path / "det.svg")
    assert ElementTree.parse(tmp_path / "det.svg").getroot().tag.endswith("svg")
    with pytest.raises(DataError) as caught:
        det_picture(Evaluation(clips, labels), tmp_path / "det.bmp")
    assert caught.value.code == "picture_format"


def test_without_scores_there_is_no_curve(tmp_path: Path) -> None:
    bare = Evaluation([Prediction("x", "a", "b")], ["a", "b"])
    with pytest.raises(DataError) as caught:
        det_figure(bare)
    assert caught.value.code == "no_trials"
    write_report(tmp_path, bare, bare)
    assert not (tmp_path / "det.png").exists()
    assert "DET" not in (tmp_path / "report.html").read_text("utf-8")
