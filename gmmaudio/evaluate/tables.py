"""Tables of the report's page: sortable ones, the confusion matrix, nested facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.markup import Content, Markup, join, tag
from gmmaudio.evaluate.sure_figure import in_brackets

Cell = tuple[str, float | None]
"""What is shown, and the number it is sorted by; None: by its text, or as less than any number where that is "-"."""

DENSE = 20
"""Labels from which on the confusion matrix is set small."""

_DEEP, _STRONG = 0.62, 0.77  # shares from which figures stand out better in the paper's colour: in the dark, in light
_LONG = 30  # text of more letters may break


def percent(share: float | None) -> str:
    """0.5 as "50.0 %"; None as "-"."""
    return "-" if share is None else f"{100 * share:.1f} %"


def number(value: float | None, digits: int) -> str:
    """So many digits behind the point; None as "-"."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str) -> Markup:
    """A table that sorts by any column, in a frame of its own that scrolls where it is too wide; the caption above.

    Examples
    --------
    >>> "a &lt; b" in str(table(["name"], [[("a < b", None)]], "one row"))
    True
    """
    words = [key is None for _, key in rows[0]] if rows else []
    buttons = (_button(head, text) for head, text in zip(heads, words or [True] * len(heads), strict=True))
    body = (tag("tr", *(_cell(*cell) for cell in row)) for row in rows)
    return _framed(tag("table", tag("thead", tag("tr", *buttons)), tag("tbody", *body), class_="sortable"), caption)


def _framed(inner: Markup, caption: str) -> Markup:
    frame = tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption or "table")
    return join(tag("p", caption, class_="pale"), frame) if caption else frame


def _button(head: str, words: bool) -> Markup:
    return tag("th", tag("button", head, type="button"), scope="col", class_="words" if words else None)


def _cell(text: str, key: float | None) -> Markup:
    if key is None and text == "-":
        return tag("td", text, data_sort=-1)
    kind = None if key is not None else "words long" if len(text) > _LONG else "words"
    value, bracket, sure = text.partition(" (") if key is not None else (text, "", "")
    return tag("td", value, *([tag("small", bracket + sure)] if sure else []), data_sort=key, class_=kind)


def matrix(found: Evaluation, caption: str) -> Markup:
    """The confusion matrix: counts, with the share of the row as colour, and the recall at the end of each row."""
    counts, heads = found.confusion, list(found.labels)
    if found.refused.any():
        counts, heads = np.column_stack([counts, found.refused]), [*heads, "(refused)"]
    sums = np.maximum(counts.sum(axis=1), 1)
    first = [
        tag("td"),
        *(_head(name) for name in heads),
        tag("th", "recall, %", scope="col", class_="recall"),
    ]
    kind = "confusion dense" if len(heads) > DENSE else "confusion"
    rows = [_row(found, row, counts[row].tolist(), int(sums[row])) for row in range(len(counts))]
    return _framed(tag("table", tag("thead", tag("tr", *first)), tag("tbody", *rows), class_=kind), caption)


def _head(name: str) -> Markup:
    return tag("th", tag("span", name, class_="turned"), scope="col", title=name)


def _row(found: Evaluation, row: int, counts: Sequence[int], clips: int) -> Markup:
    label = found.labels[row]
    recall = found.per_class[label]["recall"]
    cells = [_count(count, clips, column == row) for column, count in enumerate(counts)]
    told = tag("td", in_brackets(recall, found.class_intervals[label]["recall"]), class_="recall")
    return tag("tr", tag("th", label, scope="row", title=label), *cells, told)


def _count(count: int, clips: int, right: bool) -> Markup:
    if not count:
        return tag("td", "·", class_="none")
    share = count / clips
    kind = ("right" if right else "wrong") + (" strong" if share > _STRONG else " deep" if share > _DEEP else "")
    return tag("td", count, class_=kind, style=f"--s:{share:.3f}", title=f"{count} of {clips} clips")


def facts(known: Mapping[str, Any]) -> Markup:
    """Nested plain values as lists of terms; a mapping of single values within on one line, of like mappings a table.

    Examples
    --------
    >>> print(facts({"seed": 0}))
    <dl><dt>seed</dt><dd>0</dd></dl>
    """
    pairs = [part for key, value in known.items() for part in (tag("dt", _words(key)), tag("dd", _fact(value)))]
    return tag("dl", *pairs)


def _fact(value: Any) -> Content:
    if isinstance(value, Mapping):
        return _alike(value) if _are_alike(value) else _line(value) if _is_flat(value) else facts(value)
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, Mapping) for item in value):
            return join(*(tag("div", _fact(item)) for item in value))
        return _several(value)
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(item, (Mapping, list, tuple)) for item in value.values())


def _line(value: Mapping[str, Any]) -> Markup:
    pairs = (tag("span", tag("i", _words(key)), f" {_fact(item)}", class_="pair") for key, item in value.items())
    return join(*(part for pair in pairs for part in (pair, " ")))


def _are_alike(value: Mapping[str, Any]) -> bool:
    rows = list(value.values())
    return len(rows) > 1 and all(isinstance(row, Mapping) and row.keys() == rows[0].keys() for row in rows)


def _alike(value: Mapping[str, Mapping[str, Any]]) -> Markup:
    keys = list(next(iter(value.values())))
    rows: list[list[Cell]] = [
        [(name, None), *((str(_fact(row[key])), _sort_key(row[key])) for key in keys)] for name, row in value.items()
    ]
    return table(["name", *map(_words, keys)], rows, "")


def _sort_key(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _several(values: Sequence[Any]) -> str:
    if len(values) > 3 and all(isinstance(value, (int, float)) for value in values):
        return f"{values[0]:.5g} to {values[-1]:.5g} ({len(values)} values)"
    return ", ".join(map(str, values))


def _words(key: str) -> str:
    return key.replace("_", " ")
