"""What pictures share: writing one to a file of the kind that its suffix says, and colours that labels are told by."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from gmmaudio.errors import DataError
from gmmaudio.files import check_target

Colour = tuple[float, float, float]

_SUFFIXES = (".png", ".svg", ".pdf")
_DOTS = 150  # per inch
_MOST_DOTS = 9000  # along an edge, so that a thousand classes do not exhaust the memory


def check_suffix(path: str | PathLike[str], example: str) -> None:
    """Raise ``picture_format`` unless the path ends in ``.png``, ``.svg`` or ``.pdf``: before any work is done."""
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise DataError(
            "picture_format",
            f"got the suffix {suffix!r}; a picture is one of {', '.join(_SUFFIXES)}",
            f"name the file {example}",
        )


def save(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure to a path whose suffix was checked; png at 150 dots per inch, or fewer if it is very large.

    Letters that matplotlib's font lacks, such as Chinese ones, become boxes: a label may hold any.
    """
    check_target(Path(path))
    kind = Path(path).suffix.lower()[1:]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(path, format=kind, dpi=min(_DOTS, _MOST_DOTS / max(figure.get_size_inches())))


def palette(count: int) -> list[Colour]:
    """Colours to tell labels apart, none of them grey: strong ones, from eleven on pale ones as well."""
    strong = [colormaps["tab20"](place) for place in (0, 2, 4, 6, 8, 10, 12, 16, 18)]
    deep = [colormaps["tab20b"](place) for place in (0, 4)]
    pale = [colormaps["tab20"](place) for place in (1, 3, 5, 7, 9, 11, 13, 17, 19)]
    chosen = [*strong, *deep, *pale]
    if count > len(chosen):
        chosen = [colormaps["turbo"](place) for place in np.linspace(0.05, 0.95, count)]
    return [(r, g, b) for r, g, b, _ in chosen[:count]]
