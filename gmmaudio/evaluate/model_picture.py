"""A picture of a model: each label's mixture in two dimensions, how its fit went, how evenly its components are used.

Every label has a small field of its own, with the same axes and the others in grey behind it: with fifty labels
in one field nothing could be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from os import PathLike
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gmmaudio.classify.classifier import Classifier
from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation_text import shown
from gmmaudio.evaluate.pictures import check_suffix, save
from gmmaudio.gmm.mixture import Mixture

Floats = NDArray[np.float64]

_INK, _PALE, _GREY, _COLOUR, _DEEP = "#222222", "#666666", "#d5d5d0", "#5b9bc9", "#0b3c6f"
_SIGMAS = (1, 2)
_MOST_COLUMNS = 8
_POINTS = 300  # of a density's curve
_NAMED = 12  # curves in one field that can still be told apart by name
_STROKES = ("-", "--", ":")  # neighbours in colour differ in stroke
_SMALL, _NORMAL = 8, 10  # points


def model_picture(classifier: Classifier, path: str | PathLike[str], dimensions: tuple[int, int] = (0, 1)) -> None:
    """Write a picture of a model.

    Parameters
    ----------
    classifier : Classifier
        One mixture per label.
    path : path-like
        Where to write; ``.png``, ``.svg`` or ``.pdf``, by its suffix.
    dimensions : (int, int), default (0, 1)
        The values of a frame that are drawn, from 0; with MFCC these are c0 and c1. A model of one dimension is drawn
        as densities.

    Raises
    ------
    DataError
        ``picture_format``, ``bad_dimension``, ``no_mixtures``.

    Examples
    --------
    >>> model_picture(gmmaudio.load("model.safetensors"), "model.png")    # doctest: +SKIP
    """
    check_suffix(path, "model.png")
    save(model_figure(classifier, dimensions), path)


def model_figure(classifier: Classifier, dimensions: tuple[int, int] = (0, 1)) -> Figure:
    """The same as a matplotlib figure.

    Above, each label's mixture: ellipses at one and two standard deviations of each component, as dark as it is
    heavy, over the other labels' in grey. Below, how much log-likelihood was still to gain at each iteration, and for
    each label the weights of its components, heaviest first, with the number of equal ones that would be as uneven.
    """
    mixtures = _mixtures(classifier)
    labels = [shown(label) for label in classifier.labels]
    chosen = _chosen(mixtures[0].dimension, dimensions)
    columns = min(_MOST_COLUMNS, ceil(sqrt(1.6 * len(labels))))
    rows = ceil(len(labels) / columns)
    high = max(2.6, 0.17 * len(labels) + 1.0)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(max(8.5, 1.7 * columns), 1.5 * rows + high + 0.6), layout=layout)
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.5 * rows + 0.6, high]).ravel()
    fields = above.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel().tolist()
    for spare in fields[len(labels) :]:
        spare.set_axis_off()
    _draw_mixtures(fields[: len(labels)], labels, mixtures, chosen)
    above.supxlabel(f"dimension {chosen[0]}", fontsize=_NORMAL)
    above.supylabel(f"dimension {chosen[1]}" if len(chosen) > 1 else "density", fontsize=_NORMAL)
    left, right = below.subplots(1, 2)
    _draw_fits(left, _curves(classifier))
    _draw_shares(right, labels, mixtures)
    return figure


def _mixtures(classifier: Classifier) -> Sequence[Mixture]:
    found: Sequence[Mixture] | None = getattr(classifier.scorer, "mixtures", None)
    if not found:
        raise DataError("no_mixtures", "a model of this method holds no mixture per label: there is nothing to draw")
    return found


def _chosen(d: int, dimensions: tuple[int, int]) -> tuple[int, ...]:
    if d == 1 and set(dimensions) <= {0, 1}:
        return (0,)
    if not all(0 <= index < d for index in dimensions) or dimensions[0] == dimensions[1]:
        text = f"dimensions {dimensions[0]} and {dimensions[1]} of a model with {d}"
        raise DataError("bad_dimension", text, f"name two different ones from 0 to {d - 1}")
    return dimensions


# --- the mixtures ----------------------------------------------------------------------------------------------------


def _draw_mixtures(
    fields: Sequence[Axes], labels: Sequence[str], mixtures: Sequence[Mixture], chosen: tuple[int, ...]
) -> None:
    for field, label in zip(fields, labels, strict=True):
        field.set_title(label, fontsize=_SMALL, color=_INK, parse_math=False)
        _plain(field)
    if len(chosen) == 1:
        _draw_densities(fields, mixtures)
        return
    shapes = [_ellipses(mixture, chosen) for mixture in mixtures]
    for own, field in enumerate(fields):
        others = [shape for other, shape in enumerate(shapes) if other != own]
        if others:
            centres, sizes, _ = (np.concatenate(parts) for parts in zip(*others, strict=True))
            _add_ellipses(field, centres, sizes, 1, [_GREY], "none")
        centres, sizes, weights = shapes[own]
        for sigma in _SIGMAS:
            _add_ellipses(field, centres, sizes, sigma, "none", _DEEP, 0.35 + 0.65 * weights / weights.max())
        field.scatter(centres[:, 0], centres[:, 1], s=4 + 40 * weights, color=_DEEP, linewidths=0, zorder=3)
    _set_limits(fields[0], shapes)


def _ellipses(mixture: Mixture, chosen: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Centres (k, 2), half axes and angles (k, 3) of one standard deviation, weights (k,)."""
    matrices = mixture.covariance.matrices(*mixture.means.shape)[:, chosen][:, :, chosen]
    values, vectors = np.linalg.eigh(matrices)
    axes = np.sqrt(np.maximum(values, 0))
    angles = np.degrees(np.arctan2(vectors[:, 1, 0], vectors[:, 0, 0]))
    return mixture.means[:, chosen], np.column_stack([axes, angles]), mixture.weights


def _add_ellipses(
    field: Axes, centres: Floats, sizes: Floats, sigma: int, fill: Any, edge: str, alpha: Floats | None = None
) -> None:
    """Ellipses of so many standard deviations; the widths that matplotlib takes are whole axes."""
    field.add_collection(
        EllipseCollection(
            2 * sigma * sizes[:, 0],
            2 * sigma * sizes[:, 1],
            sizes[:, 2],
            units="xy",
            offsets=centres,
            offset_transform=field.transData,
            facecolors=fill,
            edgecolors=edge,
            linewidths=0.9 / sigma,
            alpha=alpha,
        )
    )


def _set_limits(field: Axes, shapes: Sequence[tuple[Floats, Floats, Floats]]) -> None:
    """Room for two standard deviations of all components that matter."""
    heavy = [weights > 0.1 / len(weights) for _, _, weights in shapes]
    centres = np.concatenate([one[kept] for (one, _, _), kept in zip(shapes, heavy, strict=True)])
    reach = 2.1 * np.concatenate([one[kept, :2].max(axis=1) for (_, one, _), kept in zip(shapes, heavy, strict=True)])
    low, high = (centres - reach[:, None]).min(axis=0), (centres + reach[:, None]).max(axis=0)
    field.set_xlim(low[0], high[0])
    field.set_ylim(low[1], high[1])


def _draw_densities(fields: Sequence[Axes], mixtures: Sequence[Mixture]) -> None:
    """One dimension: the density of each label, the parts of its components under it, the others in grey."""
    spreads = [np.sqrt(mixture.covariance.matrices(*mixture.means.shape)[:, 0, 0]) for mixture in mixtures]
    ends = [(m.means[:, 0] - 3 * s, m.means[:, 0] + 3 * s) for m, s in zip(mixtures, spreads, strict=True)]
    x = np.linspace(min(low.min() for low, _ in ends), max(high.max() for _, high in ends), _POINTS)
    curves = [np.exp(mixture.log_density(x[:, None])) for mixture in mixtures]
    for own, (field, mixture) in enumerate(zip(fields, mixtures, strict=True)):
        for other, curve in enumerate(curves):
            if other != own:
                field.plot(x, curve, color=_GREY, linewidth=0.8)
        parts = mixture.posteriors(x[:, None]) * curves[own][:, None]
        field.plot(x, parts, color=_COLOUR, linewidth=0.8)
        field.plot(x, curves[own], color=_DEEP, linewidth=1.5)


# --- the fits --------------------------------------------------------------------------------------------------------


def _curves(classifier: Classifier) -> dict[str, Floats]:
    """The log-likelihood by iteration of each fit that the model remembers: of the labels, or of a background."""
    known = classifier.training
    fits = {shown(label): known.get("classes", {}).get(label, {}) for label in classifier.labels}
    fits |= {"background": known.get("background", {})}
    curves = {name: np.asarray(fit.get("log_likelihood", []), float) for name, fit in fits.items()}
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def _draw_fits(field: Axes, curves: Mapping[str, Floats]) -> None:
    """How far each fit was from its end, by iteration, on a logarithmic scale."""
    field.set_title("log-likelihood still to gain", fontsize=_NORMAL, color=_INK)
    if not curves:
        field.set_axis_off()
        field.text(0.5, 0.5, "not kept in the model", transform=field.transAxes, ha="center", color=_PALE)
        return
    field.set_xlabel("iteration", fontsize=_NORMAL)
    field.set_ylabel("nats per frame", fontsize=_NORMAL)
    field.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(field)
    shades = colormaps["viridis"](np.linspace(0.1, 0.9, len(curves)))
    for place, (name, curve) in enumerate(curves.items()):
        missing = curve[-1] - curve[:-1]
        kept = missing > 0  # the last steps may be lost in rounding
        look: dict[str, Any] = {"color": shades[place], "linestyle": _STROKES[place % len(_STROKES)], "label": name}
        field.semilogy(np.flatnonzero(kept) + 1, missing[kept], linewidth=1.2, **look)
    if len(curves) <= _NAMED:
        beside = field.legend(fontsize=_SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        for text in beside.get_texts():
            text.set_parse_math(False)


def _draw_shares(field: Axes, labels: Sequence[str], mixtures: Sequence[Mixture]) -> None:
    """One bar per label, cut into its components' weights."""
    field.set_title("weights, effective number", fontsize=_NORMAL, color=_INK)
    _plain(field)
    for row, mixture in enumerate(mixtures):
        weights = np.sort(mixture.weights)[::-1]
        left = np.concatenate([[0], weights.cumsum()[:-1]])
        gap = min(0.6, 12 / len(weights))
        bars = list(zip(left, weights, strict=True))
        field.broken_barh(bars, (row - 0.38, 0.76), facecolors=_COLOUR, edgecolors="white", linewidths=gap)
        field.text(1.02, row, f"{effective(weights):.1f} of {len(weights)}", va="center", fontsize=_SMALL, color=_PALE)
    field.set_yticks(range(len(labels)), labels, fontsize=_SMALL, parse_math=False)
    field.set_xlim(0, 1.25)
    field.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    field.set_ylim(len(labels) - 0.4, -0.6)


def effective(weights: Floats) -> float:
    """The number of equal weights that would be as uneven: exp of the entropy.

    Examples
    --------
    >>> round(effective(np.array([0.5, 0.5])), 6)
    2.0
    """
    kept = weights[weights > 0]
    return float(np.exp(-(kept * np.log(kept)).sum()))


def _plain(field: Axes) -> None:
    field.tick_params(labelsize=_SMALL, colors=_PALE, length=2)
    field.spines[["top", "right"]].set_visible(False)
    field.spines[["left", "bottom"]].set_color(_GREY)
