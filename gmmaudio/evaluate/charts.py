"""Charts as SVG for the report's page: histograms, curves, reliability.

Colours come from the page's style sheet by class, so that a chart follows the page into the dark and onto paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.evaluate.markup import Markup, join, tag
from gmmaudio.measures.calibration import Reliability
from gmmaudio.measures.detection import ErrorRates, probit
from gmmaudio.measures.intervals import Interval

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 400, 260  # units; a chart fills its column
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 26, 44
_BINS = 36
_LETTER = 6  # width of one in the legend
_MOST_POINTS = 400  # of a curve: more cannot be seen

DET_RATES = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98)
"""Named on the axes of a DET curve."""
DET_TOP = 0.6  # where they end, for detectors of any use: beyond, chance is better
_DET_LOW = 0.2  # where they begin at the latest: a single tick is no scale
_DET_POOR = 0.4  # a curve whose errors meet above this is shown as a whole
_DET_WHOLE = (0.02, 0.98)
MOST_CURVES = 20
"""Labels whose DET curves can be told apart."""

Series = tuple[str, ArrayLike, str]
"""A name, values, and the style sheet's class: "right", "wrong" or "plain"."""


@dataclass(frozen=True)
class _Plane:
    """Where values fall on the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]

    def left(self, value: float) -> float:
        low, high = self.x
        return round(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 2)

    def top(self, value: float) -> float:
        low, high = self.y
        return round(_HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 2)

    def points(self, x: ArrayLike, y: ArrayLike) -> str:
        pairs = zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
        return " ".join(f"{self.left(a):g},{self.top(b):g}" for a, b in pairs)


def histogram(title: str, x_label: str, y_label: str, series: Sequence[Series], shares: bool = False) -> Markup:
    """Histograms of several samples over the same bins, and a line at zero.

    Parameters
    ----------
    title : str
        What is shown, for those who cannot see it.
    x_label, y_label : str
    series : sequence of (name, values (n,), class)
    shares : bool, default False
        Bars show shares of their own sample instead of counts.

    Returns
    -------
    Markup

    Examples
    --------
    >>> str(histogram("margins", "margin", "clips", [("right", [1.0, 2.0], "right")]))[:5]
    '<svg '
    """
    samples = [np.asarray(values, np.float64) for _, values, _ in series]
    edges = _edges(samples)
    heights = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in samples]
    bars = [h / max(1, h.sum()) * 100 if shares else h for h in heights]
    plane = _Plane((edges[0], edges[-1]), (0, max(1e-9, *(float(bar.max()) for bar in bars)) * 1.06))
    shapes = [_steps(plane, edges, bar, kind) for bar, (_, _, kind) in zip(bars, series, strict=True)]
    zero = [_line(plane, (0, 0), plane.y, "mark")] if edges[0] < 0 < edges[-1] else []
    names = [(f"{name} ({len(values)})", kind) for (name, _, kind), values in zip(series, samples, strict=True)]
    return _chart(title, plane, (x_label, y_label), [*shapes, *zero], names)


def roc(title: str, false_alarm: Floats, hit: Floats) -> Markup:
    """A ROC curve from (0, 0) to (1, 1), over the line of chance."""
    kept = np.unique(np.linspace(0, len(hit) - 1, _MOST_POINTS).astype(int))
    plane = _Plane((0, 1), (0, 1))
    curve = tag("polyline", points=plane.points(false_alarm[kept], hit[kept]), class_="curve plain")
    chance = _line(plane, (0, 1), (0, 1), "mark")
    return _chart(title, plane, ("false alarms", "hits"), [chance, curve], [])


def det(title: str, rates: ErrorRates, equal: float, others: Mapping[str, ErrorRates] = MappingProxyType({})) -> Markup:
    """A DET curve on normal-deviate axes, its equal error rate marked where misses are as frequent as false alarms.

    That is so on the curve's convex hull, so that the dot may lie below the curve.

    Parameters
    ----------
    title : str
        What is shown, for those who cannot see it.
    rates : ErrorRates
        The curve itself.
    equal : float
        Its equal error rate.
    others : dict of str to ErrorRates, default none
        Curves by name, drawn faintly behind it.

    Examples
    --------
    >>> from gmmaudio.measures.detection import equal_error_rate, error_rates
    >>> sides = [2.0, 3.0, 4.0], [0.0, 1.0, 2.5]
    >>> str(det("DET curve", error_rates(*sides), equal_error_rate(*sides)))[:5]
    '<svg '
    """
    span, ticks = det_axis(rates, equal)
    plane = _Plane(span, span)
    faint = [_det_curve(plane, other, "curve faint", name) for name, other in others.items()]
    at = float(np.clip(probit([equal])[0], *span))
    dot = tag("circle", tag("title", f"equal error rate {100 * equal:.2f} %"), r=4, class_="dot",
              cx=plane.left(at), cy=plane.top(at))  # fmt: skip
    shapes = [_line(plane, span, span, "mark"), *faint, _det_curve(plane, rates, "curve plain"), dot]
    names = [("all labels pooled", "right"), ("each label", "faint")] if others else []
    return _chart(title, plane, ("false alarms, %", "misses, %"), shapes, names, ticks)


def det_axis(curve: ErrorRates, equal: float) -> tuple[tuple[float, float], list[tuple[float, str]]]:
    """The ends of a DET curve's axes, and what is named on them: from below the least rate that is seen to 60 %.

    A curve whose errors meet above 40 %, no better than chance or hardly, would not be seen there: from 2 to 98 %.

    Examples
    --------
    >>> from gmmaudio.measures.detection import error_rates
    >>> span, ticks = det_axis(error_rates([1.0, 2.0, 3.0], [0.0, 0.5, 1.5]), 1 / 6)    # rates of 0, 1/3, 2/3 and 1
    >>> [name for _, name in ticks]
    ['10', '20', '40', '60']
    """
    low, top = _det_ends(curve, equal)
    ticks = [rate for rate in DET_RATES if low <= rate <= top]
    first, last = probit([low, top])
    return (float(first), float(last)), [(float(probit([rate])[0]), f"{100 * rate:g}") for rate in ticks]


def _det_ends(curve: ErrorRates, equal: float) -> tuple[float, float]:
    both = np.stack([curve.miss, curve.false_alarm])
    if both.max(axis=0).min() > _DET_POOR:
        return _DET_WHOLE
    seen = np.append(both[:, both.max(axis=0) <= DET_TOP], equal)
    least = min(seen[seen > 0], default=DET_TOP)
    return max((rate for rate in DET_RATES if rate < least and rate <= _DET_LOW), default=DET_RATES[0]), DET_TOP


def _det_curve(plane: _Plane, rates: ErrorRates, kind: str, name: str = "") -> Markup:
    """Cut at the plane's ends; where a rate is 0 it runs along the edge."""
    kept = np.unique(np.linspace(0, len(rates.miss) - 1, _MOST_POINTS).astype(int))
    alarm, miss = (np.clip(axis[kept], plane.x[0], 9) for axis in rates.det)
    box = _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    x, y, width, height = box
    curve = tag("polyline", *([tag("title", name)] if name else []), points=plane.points(alarm, miss), class_=kind)
    return tag("svg", curve, x=x, y=y, width=width, height=height, viewBox=f"{x} {y} {width} {height}")


def reliability_diagram(title: str, found: Reliability, sure: Sequence[Interval]) -> Markup:
    """Share right against confidence, with its interval; a bin's dot has the area of its count. The title is shown."""
    plane = _Plane((0, 1), (0, 1))
    sizes = 3 + 9 * np.sqrt(found.count / found.count.max())
    dots = [
        tag(
            "circle",
            tag("title", f"{n} answers, confidence {100 * x:.0f} %, right {100 * y:.0f} % ({_bounds(one)})"),
            cx=plane.left(x),
            cy=plane.top(y),
            r=round(float(size), 1),
            class_="dot",
        )
        for x, y, n, size, one in zip(found.confidence, found.accuracy, found.count, sizes, sure, strict=True)
    ]
    bars = [_line(plane, (x, x), (one.low, one.high), "whisker") for x, one in zip(found.confidence, sure, strict=True)]
    shapes = [_line(plane, (0, 1), (0, 1), "mark"), *bars, *dots, tag("text", title, x=_LEFT, y=13, class_="label")]
    return _chart(title, plane, ("confidence", "share right"), shapes, [])


def _bounds(sure: Interval) -> str:
    return f"{100 * sure.low:.0f} to {100 * sure.high:.0f} %, {sure.method}"


def with_intervals(
    title: str, x_label: str, x: Sequence[float], y: Sequence[float], sure: Sequence[Interval]
) -> Markup:
    """Accuracies along an axis, each with its interval."""
    reach = (max(x) - min(x)) * 0.06 or 1.0
    plane = _Plane((min(x) - reach, max(x) + reach), (0, 1))
    bars = [_line(plane, (at, at), (one.low, one.high), "whisker") for at, one in zip(x, sure, strict=True)]
    dots = [tag("circle", cx=plane.left(a), cy=plane.top(b), r=4, class_="dot") for a, b in zip(x, y, strict=True)]
    curve = tag("polyline", points=plane.points(x, y), class_="curve plain")
    return _chart(title, plane, (x_label, "accuracy"), [curve, *bars, *dots], [])


def _edges(samples: Sequence[Floats]) -> Floats:
    """Equal bins over what is within three quartile ranges of each sample's quartiles; zero is an edge, not within."""
    low, high = np.inf, -np.inf
    for values in samples:
        if len(values):
            lower, upper = np.quantile(values, [0.25, 0.75])
            reach = 3 * (upper - lower)
            low, high = min(low, max(values.min(), lower - reach)), max(high, min(values.max(), upper + reach))
    width = float(high - low) / _BINS if high - low > 1e-9 else 1 / _BINS
    return width * np.arange(np.floor(low / width), np.ceil(high / width) + 1 + (high <= low))


def _steps(plane: _Plane, edges: Floats, heights: NDArray[np.floating], kind: str) -> Markup:
    x = np.repeat(edges, 2)
    y = np.concatenate([[0], np.repeat(heights, 2), [0]])
    return tag("polygon", points=plane.points(x, y), class_=f"area {kind}")


def _line(plane: _Plane, x: tuple[float, float], y: tuple[float, float], kind: str) -> Markup:
    ends = {"x1": plane.left(x[0]), "x2": plane.left(x[1]), "y1": plane.top(y[0]), "y2": plane.top(y[1])}
    return tag("line", class_=kind, **ends)


def _chart(
    title: str,
    plane: _Plane,
    labels: tuple[str, str],
    shapes: Sequence[Markup],
    names: Sequence[tuple[str, str]],
    ticks: Sequence[tuple[float, str]] = (),
) -> Markup:
    """With axes; both have the ticks given, or round ones of their own."""
    sides = [ticks or [(value, f"{value:g}") for value in _ticks(*side)] for side in (plane.x, plane.y)]
    content = join(tag("title", title), *_axes(plane, labels, *sides), *shapes, *_legend(names))
    return tag("svg", content, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=title, class_="chart")


Ticks = Sequence[tuple[float, str]]


def _axes(plane: _Plane, labels: tuple[str, str], x_ticks: Ticks, y_ticks: Ticks) -> list[Markup]:
    floor_y, middle = plane.top(plane.y[0]), (_LEFT + _WIDTH - _RIGHT) / 2
    found = []
    for value, name in y_ticks:
        found.append(_line(plane, plane.x, (value, value), "grid"))
        found.append(tag("text", name, x=_LEFT - 6, y=plane.top(value) + 3.5, class_="end"))
    for value, name in x_ticks:
        found.append(tag("text", name, x=plane.left(value), y=floor_y + 16, class_="middle"))
    found.append(_line(plane, plane.x, (plane.y[0], plane.y[0]), "axis"))
    found.append(tag("text", labels[0], x=middle, y=_HEIGHT - 8, class_="middle label"))
    centre = (_TOP + _HEIGHT - _BOTTOM) / 2
    found.append(tag("text", labels[1], x=12, y=centre, transform=f"rotate(-90 12 {centre})", class_="middle label"))
    return found


def _legend(names: Sequence[tuple[str, str]]) -> list[Markup]:
    found, x = [], _LEFT
    for name, kind in names:
        found.append(tag("rect", x=x, y=4, width=10, height=10, class_=f"area {kind}"))
        found.append(tag("text", name, x=x + 15, y=13))
        x += 34 + _LETTER * len(name)
    return found


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two others, about five.

    Examples
    --------
    >>> _ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = min((power * m for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - rough))
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [round(i * step, 10) for i in range(first, last + 1)]
