"""Writing a figure to a file: the kind by its suffix, and never so many dots that memory runs out."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

from matplotlib.figure import Figure

from gmmaudio.errors import DataError
from gmmaudio.files import check_target

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
